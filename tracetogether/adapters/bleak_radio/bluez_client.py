"""bleak's client for BlueZ, which waits where BlueZ reports in another order than bleak expects."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from bleak.backends.bluezdbus.client import BleakClientBlueZDBus
from bleak.backends.bluezdbus.manager import get_global_bluez_manager
from bleak.backends.service import BleakGATTServiceCollection

_REPORTED_S: Final = 5.0
_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class WithoutLostMessages:
    """A loop's exception handler that leaves out messages to a bus that was closed meanwhile.

    dbus-fast sends a message and awaits the answer alone. If the bus goes while the message is on
    its way, as when a connection is given up at the end, asyncio would print a traceback of what
    was sent. The caller that awaits the answer learns of the lost bus.

    Attributes:
        before: the handler that there was; asyncio's own if None.
    """

    before: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    @classmethod
    def install(cls) -> None:
        """Put it before the running loop's handler, once."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        if not isinstance(before, cls):
            loop.set_exception_handler(cls(before))

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report what nobody awaited, unless it is such a message."""
        if "future" in context and isinstance(context.get("exception"), ConnectionError):
            return
        if self.before is not None:
            self.before(loop, context)
        else:
            loop.default_exception_handler(context)


class PatientClient(BleakClientBlueZDBus):
    """Discovers services only after BlueZ has reported that the device is connected.

    On a slow machine bluetoothd answers ``Connect`` (news from the socket) before it reports the
    device as connected (news from the kernel). bleak then takes the device for disconnected and
    ends the new connection (its issues 1489 and 1677). Seen with bluetoothd 5.66.
    """

    async def _get_services(
        self,
        dangerous_use_bleak_cache: bool = False,  # noqa: FBT001, FBT002 - as bleak has it
        **how: Any,  # noqa: ANN401 - as bleak has it
    ) -> BleakGATTServiceCollection:
        manager = await get_global_bluez_manager()
        path = self._device_path or ""
        with suppress(TimeoutError):  # then bleak raises its own error
            async with asyncio.timeout(_REPORTED_S):
                while not manager.is_connected(path):  # noqa: ASYNC110 - bleak has no event for it
                    await asyncio.sleep(_LOOK_S)
        return await super()._get_services(dangerous_use_bleak_cache, **how)
