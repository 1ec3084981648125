"""A phone's radio on the system's own Bluetooth: bleak, and BlueZ's D-Bus for the peripheral.

BlueZ is Linux's Bluetooth service, ``bluetoothd``; programs talk to it over D-Bus, a bus for
messages between processes. bleak is its client as a central, bluez-peripheral as a peripheral. The
peripheral needs a bus connection of its own, since BlueZ ties advertisement and service to one.

Without the peripheral role (macOS, Windows) the radio is a central only: it reads and writes, and
advertises nothing. BlueZ's configuration (``Privacy`` in main.conf) decides whether and when the
address changes. Nobody can pair with the adapter.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bluez_peripheral.adapter import Adapter
from dbus_fast import Message
from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.constants import BusType

from tracetogether.adapters.bleak_radio.bluez_client import PatientClient, WithoutLostMessages
from tracetogether.adapters.bleak_radio.central import BleakLink, Central
from tracetogether.adapters.bleak_radio.no_pairing import NoPairing
from tracetogether.adapters.bleak_radio.peripheral import Peripheral
from tracetogether.errors import RadioError
from tracetogether.exchange import Advertisement, RadioProfile
from tracetogether.node.radio import LIMITS, RadioLimits, Report

__all__ = ["BleakLink", "BleakRadio", "Central", "Peripheral", "open_bluez"]

_ANSWER_S: Final = 10.0
_CLOSE_S: Final = 3.0
_EVERY_CHANGE: Final = {"RSSI": -127}  # else newer BlueZ hides changes of less than 8 dB


class BleakRadio:
    """A ``Radio``: a central, and a peripheral where the system has that role.

    While it connects it neither scans nor advertises: BlueZ and common chips fail otherwise.
    """

    def __init__(
        self,
        central: Central,
        peripheral: Peripheral | None,
        bus: MessageBus | None = None,
        no_pairing: NoPairing | None = None,
    ) -> None:
        self._central = central
        self._peripheral = peripheral
        self._bus = bus
        self._no_pairing = no_pairing
        self._shown: Advertisement | None = None
        self._scanning = False
        self._connecting = False
        self._commands = asyncio.Lock()
        self._resuming: set[asyncio.Task[None]] = set()

    async def advertise(self, advertisement: Advertisement | None) -> None:
        """Show and serve this from now on, if the system has the role."""
        self._shown = advertisement
        try:
            async with self._commands:
                await self._tune_advertising()
        except RadioError:
            self._shown = None  # the caller gets the error and tries again
            raise

    async def scan(self, *, on: bool) -> None:
        """Begin or stop to report advertisements."""
        self._scanning = on
        try:
            async with self._commands:
                await self._tune_scan()
        except RadioError:
            self._scanning = False
            raise

    async def connect(self, peer: str) -> BleakLink:
        """Return a connection to ``peer``."""
        self._connecting = True
        try:
            async with self._commands:
                await self._tune_scan()
                await self._tune_advertising()
            return await self._central.connect(peer)
        finally:
            self._connecting = False
            resuming = asyncio.ensure_future(self._resume())
            self._resuming.add(resuming)
            resuming.add_done_callback(self._resuming.discard)

    async def close(self) -> None:
        """Stop everything and let go of the bus."""
        for task in self._resuming:
            task.cancel()
        try:
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await self._central.rest()
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    if self._peripheral is not None:
                        await self._peripheral.close()
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    if self._no_pairing is not None:
                        await self._no_pairing.end()
        finally:  # also if this task is cancelled while it waits
            if self._bus is not None:
                self._bus.disconnect()

    async def _resume(self) -> None:
        with suppress(RadioError):  # the phone's next command will meet it too
            async with self._commands:
                await self._tune_scan()
                await self._tune_advertising()

    async def _tune_scan(self) -> None:
        if self._scanning and not self._connecting:
            await self._central.scan()
        else:
            await self._central.rest()

    async def _tune_advertising(self) -> None:
        if self._peripheral is None:
            return
        if self._shown is not None and not self._connecting:
            await self._peripheral.show(self._shown)
        else:
            await self._peripheral.hide()


async def open_bluez(
    name: str,
    profile: RadioProfile,
    report: Report,
    *,
    limits: RadioLimits = LIMITS,
    clock: Callable[[], float] = time.time,
    central_only: bool = False,
) -> BleakRadio:
    """Open BlueZ's adapter called ``name``, such as hci0, in both roles.

    Args:
        name: the adapter.
        profile: where on the air the protocol lives.
        report: takes what comes in.
        limits: what strangers may do.
        clock: epoch seconds; a value is not served beyond its expiry.
        central_only: advertise and serve nothing.

    Raises:
        RadioError: there is no BlueZ, no such adapter, or it is switched off.
    """
    if profile.characteristic is None and not central_only:
        msg = "BlueZ's adapter can only listen to phones that broadcast: use bumble's radio to send"
        raise RadioError(msg)
    WithoutLostMessages.install()
    try:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except Exception:  # noqa: BLE001 - each way to be absent raises its own kind
        msg = "no D-Bus system bus leads to BlueZ: is this Linux, and is dbus running?"
        raise RadioError(msg) from None
    try:
        async with asyncio.timeout(_ANSWER_S):
            path = f"/org/bluez/{name}"
            found = await bus.introspect("org.bluez", path)
            adapter = Adapter(bus.get_proxy_object("org.bluez", path, found))
            powered = await adapter.get_powered()
        if not powered:
            msg = f"the Bluetooth adapter {name} is switched off: bluetoothctl power on"
            raise RadioError(msg)  # noqa: TRY301 - one way out closes the bus
        no_pairing = NoPairing(bus, adapter)
        await no_pairing.begin()
        peripheral = None
        if not central_only:
            peripheral = Peripheral(bus, path, adapter, profile, report, clock, limits)
            await peripheral.register()
    except BaseException as error:
        await _leave(bus)
        if isinstance(error, RadioError) or not isinstance(error, Exception):
            raise
        msg = f"BlueZ has no Bluetooth adapter {name}: is it plugged in, and bluetoothd running?"
        raise RadioError(msg) from None
    central = Central(
        profile,
        report,
        scan_options={"bluez": {"adapter": name, "filters": _EVERY_CHANGE}},
        client_options={"bluez": {"adapter": name}, "backend": PatientClient},
    )
    return BleakRadio(central, peripheral, bus, no_pairing)


async def _leave(bus: MessageBus) -> None:
    """Disconnect once all that was asked is answered: else the library complains on stderr."""
    try:
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await bus.call(  # answers come in the order of what was asked
                    Message(
                        destination="org.freedesktop.DBus",
                        path="/org/freedesktop/DBus",
                        interface="org.freedesktop.DBus",
                        member="GetId",
                    )
                )
    finally:  # also if this task is cancelled while it waits
        bus.disconnect()
