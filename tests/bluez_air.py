"""A mock of BlueZ on a private bus, with levels: run as a process of its own by the tests.

It imports bluezoo, which is GPL-2.0; nothing of ours imports this file.
"""

import asyncio
import sys
from typing import Any

from bluezoo import adapter as mock_adapter
from bluezoo import bluezoo


async def add_device(self: Any, device: Any) -> None:
    """Take a device in with the level of its distance, and tell every change."""
    level = -50 - 5 * abs(self.id - device.peer_adapter.id)
    device.rssi = level
    device.manufacturer_data = {}  # the mock declares its keys as text, and fails on numbers
    await original(self, device)
    held = self.devices[device.get_object_path()]
    held.rssi = level - 1 if held.rssi == level else level  # BlueZ tells changes alone
    held.properties_changed.emit(("org.bluez.Device1", {"RSSI": ("n", held.rssi)}, []))


original = mock_adapter.Adapter.add_device
mock_adapter.Adapter.add_device = add_device

if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.run_until_complete(
        bluezoo.startup(adapters=sys.argv[1:], auto_enable=True, scan_interval=1)
    )
    print("ready", flush=True)
    loop.run_forever()
