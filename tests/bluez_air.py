"""A mock of BlueZ on a private bus, with levels: run as a process of its own by the tests.

It imports bluezoo, which is GPL-2.0; nothing of ours imports this file.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from bluezoo import adapter as mock_adapter
from bluezoo import bluezoo
from bluezoo import device as mock_device
from bluezoo import root as mock_root


def level_dbm(sender: int, receiver: int) -> int | None:
    """Return the level between two adapters, None out of range: from a file, else by number."""
    if not levels.exists():
        return -50 - 5 * abs(sender - receiver)
    level = json.loads(levels.read_text())[f"{sender} {receiver}"]
    return None if level is None else round(level)


async def add_device(self: Any, device: Any) -> None:
    """Take a device in with the level of its distance, and tell every change."""
    level = level_dbm(device.peer_adapter.id, self.id)
    if level is None:
        return
    device.rssi = level
    device.manufacturer_data = {}  # the mock declares its keys as text, and fails on numbers
    await original(self, device)
    held = self.devices[device.get_object_path()]
    held.rssi = level - 1 if held.rssi == level else level  # BlueZ tells changes alone
    held.properties_changed.emit(("org.bluez.Device1", {"RSSI": ("n", held.rssi)}, []))


async def disconnect(self: Any, uuid: str | None = None) -> None:
    """End a connection at both ends, services with it; the mock leaves them, and fails later."""
    await end(self, uuid)
    local = self.adapter.address.replace(":", "_")
    other = self.peer_adapter.devices.get(f"{self.peer_adapter.get_object_path()}/dev_{local}")
    for device in (self, other):
        if device is None:
            continue
        await device.Connected.set_async(False)
        await device.ServicesResolved.set_async(False)
        for path in sorted(device.services, reverse=True):
            device.peer_adapter.mock.remove_object(device.services.pop(path))


class Agents(dict[str, Any]):
    """Agents by client; the mock looks for any client's agent where it means the asking one's."""

    def __iter__(self) -> Any:
        return iter(())


def begin(self: Any, mock: Any) -> None:
    """Begin with agents of one each."""
    begin_as_it_was(self, mock)
    self.agents = Agents()


levels = Path(sys.argv[1])
begin_as_it_was = mock_root.RootManager.__init__
mock_root.RootManager.__init__ = begin
original = mock_adapter.Adapter.add_device
mock_adapter.Adapter.add_device = add_device
end = mock_device.Device.disconnect
mock_device.Device.disconnect = disconnect

if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.run_until_complete(
        bluezoo.startup(adapters=sys.argv[2:], auto_enable=True, scan_interval=1)
    )
    print("ready", flush=True)
    loop.run_forever()
