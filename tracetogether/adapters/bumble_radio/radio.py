"""Peripheral and central on one controller: advertise and serve, scan and connect."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from bumble import att, hci
from bumble.core import UUID
from bumble.device import AdvertisingType, Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from tracetogether.adapters.bumble_radio.host import INBOUND, AdvertisingReport, BumbleHost
from tracetogether.adapters.bumble_radio.link import CLOSE_S, BumbleLink
from tracetogether.adapters.bumble_radio.tasks import ShieldedTasks, link_errors, radio_errors
from tracetogether.device import PayloadWritten
from tracetogether.errors import LinkError, RadioError
from tracetogether.exchange import Advertisement, Heard, RadioProfile
from tracetogether.node.advertising import encode_advertisement, parse_advertisement
from tracetogether.node.radio import Guest, RadioLimits, Report

_LEAST_MTU: Final = 23
_CANCEL_AGAIN_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class BumbleHabits:
    """How a radio uses its controller.

    Attributes:
        tx_power_dbm: what is advertised as transmit power, None: nothing.
        advertise_every_s: advertising interval.
        mtu: longest packet to ask a peripheral for; 23 asks for nothing.
        pause_advertising: show nothing while connecting; some chips fail otherwise.
        central_only: advertise and serve nothing at all.
    """

    tx_power_dbm: int | None = None
    advertise_every_s: float = 0.25
    mtu: int = 512  # what OpenTrace's Android phones ask for
    pause_advertising: bool = False
    central_only: bool = False


class BumbleRadio:
    """A ``Radio`` on a controller that bumble drives: see open_controller and open_adapter.

    Args:
        device: a powered device.
        profile: where on the air the protocol lives.
        report: takes what comes in.
        habits: how it uses the controller.
        limits: what strangers may do.
        clock: epoch seconds; a value is not served beyond its expiry.
        on_close: what to do at the end.
    """

    def __init__(
        self,
        device: BumbleHost,
        profile: RadioProfile,
        report: Report,
        *,
        habits: BumbleHabits,
        limits: RadioLimits,
        clock: Callable[[], float],
        on_close: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._device = device
        self._profile = profile
        self._report = report
        self._habits = habits
        self._limits = limits
        self._clock = clock
        self._shown: Advertisement | None = None
        self._served: Advertisement | None = None
        self._scanning = False
        self._initiating: str | None = None
        self._commands = asyncio.Lock()  # advertising, scanning and addresses change in turn
        self._incoming: dict[Connection, Guest] = {}
        self._tasks = ShieldedTasks()
        self._attempt: asyncio.Future[Connection] | None = None
        self._given_up: asyncio.Future[None] | None = None
        self._on_close = on_close
        device.hear = self._heard
        device.on(INBOUND, self._welcome)
        if not habits.central_only and profile.characteristic is not None:
            self._add_service(profile.characteristic)

    # --- the port ---

    async def advertise(self, advertisement: Advertisement | None) -> None:
        """Show and serve this from now on."""
        await self._tasks.finish(lambda: self._advertise(advertisement))

    async def scan(self, *, on: bool) -> None:
        """Begin or stop to report advertisements."""
        self._scanning = on
        try:
            await self._tasks.finish(self._scan_as_wanted)
        except RadioError:
            self._scanning = False  # the caller gets the error and tries again
            raise

    async def connect(self, peer: str) -> BumbleLink:
        """Return a connection to ``peer``."""
        if self._profile.characteristic is None:
            msg = "phones of this protocol only broadcast: there is nothing to connect to"
            raise LinkError(msg)
        address = hci.Address(peer)
        if any(open_.peer_address == address for open_ in self._device.connections.values()):
            msg = "the peer is connected already: it opened a connection itself"
            raise LinkError(msg)
        self._initiating = peer
        try:
            await self._tasks.finish(self._make_room)
            if self._given_up is not None:  # the attempt before this one
                await asyncio.wait([self._given_up])
            connection = await self._connect(address)
        finally:
            self._initiating = None
            self._tasks.start(self._resume)
        return await self._linked(connection)

    async def close(self) -> None:
        """Stop everything and let go of the controller."""
        self._shown = self._served = None
        self._scanning = False
        self._device.hear = None
        for guest in self._incoming.values():
            guest.timer.cancel()
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await self._tasks.finish(self._shut_down)
        await self._tasks.end(CLOSE_S)
        for let_go in self._on_close:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_S):
                    await let_go()

    # --- the central's side ---

    async def _connect(self, address: hci.Address) -> Connection:
        attempt = self._tasks.start(lambda: self._device.connect(address, timeout=None))
        self._attempt = attempt
        try:
            with link_errors("connect"):
                return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            self._given_up = self._tasks.start(lambda: self._give_up(attempt))
            raise

    async def _give_up(self, attempt: asyncio.Future[Connection]) -> None:
        while not attempt.done():
            with suppress(hci.HCI_Error):  # it has not begun yet, or has come about just now
                await _cancel(self._device)
            await asyncio.wait([attempt], timeout=_CANCEL_AGAIN_S)
        await (await attempt).disconnect()

    async def _linked(self, connection: Connection) -> BumbleLink:
        link = BumbleLink(connection, self._profile, self._tasks)
        try:
            if self._habits.mtu > _LEAST_MTU:
                await link.ask_for(self._habits.mtu)
        except BaseException:
            self._tasks.start(link.close)
            raise
        return link

    def _heard(self, report: AdvertisingReport) -> None:
        said = parse_advertisement(report.data, self._profile.service, self._profile.company_id)
        if said is None:
            return
        self._report(
            Heard(
                peer=str(report.address),
                rssi_dbm=float(report.rssi),
                tx_power_dbm=said.tx_power_dbm,
                manufacturer_data=said.manufacturer_data,
                service_data=said.service_data,
            )
        )

    # --- the peripheral's side ---

    def _add_service(self, characteristic: str) -> None:
        kinds = Characteristic.Properties
        value: Characteristic[bytes] = Characteristic(
            UUID(characteristic),
            kinds.READ | kinds.WRITE | kinds.WRITE_WITHOUT_RESPONSE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=self._read, write=self._written),
        )
        self._device.add_service(Service(UUID(self._profile.service), [value]))

    def _welcome(self, connection: Connection) -> None:
        if len(self._incoming) >= self._limits.incoming:
            self._tasks.start(connection.disconnect)
            return
        timer = asyncio.get_running_loop().call_later(
            self._limits.incoming_s, lambda: self._tasks.start(connection.disconnect)
        )
        self._incoming[connection] = Guest(timer, self._limits.writes)
        connection.on(connection.EVENT_DISCONNECTION, lambda _: self._forget(connection))
        if self._initiating == str(connection.peer_address):
            # One connection serves both directions, and controllers allow no second one.
            self._tasks.start(lambda: _cancel(self._device))
        self._tasks.start(self._resume)  # a controller stops advertising when a central connects

    def _forget(self, connection: Connection) -> None:
        guest = self._incoming.pop(connection, None)
        if guest is not None:
            guest.timer.cancel()
        self._tasks.start(self._resume)  # where it could not go on during the connection

    def _read(self, connection: Connection) -> bytes:
        """Return the value served: one connection reads one value, however long it takes."""
        guest = self._incoming.get(connection)
        if guest is None:
            raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
        if guest.read is None:
            served = self._served
            if served is None or served.value is None or self._clock() >= served.expiry:
                raise att.ATT_Error(att.ATT_UNLIKELY_ERROR_ERROR)
            guest.read = served.value
        return guest.read

    def _written(self, connection: Connection, value: bytes) -> None:
        guest = self._incoming.get(connection)
        if guest is None or guest.writes <= 0:
            raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
        guest.writes -= 1
        self._report(PayloadWritten(str(connection.peer_address), bytes(value)))

    # --- commands to the controller, each sequence of them in turn ---

    async def _advertise(self, advertisement: Advertisement | None) -> None:
        async with self._commands:
            with radio_errors("advertise"):
                await self._device.stop_advertising()
                self._shown = None
                if advertisement is None:
                    return
                if self._served is None or advertisement.token != self._served.token:
                    await self._new_address()
                self._shown = self._served = advertisement
                try:
                    await self._start_advertising()
                except BaseException:
                    self._shown = None  # the caller gets the error and tries again
                    raise

    async def _new_address(self) -> None:
        """Change the random address; controllers refuse that while they scan or connect."""
        if self._attempt is not None:  # bounded by the phone's own time-out for connections
            await asyncio.wait([self._attempt])
        if self._device.is_scanning:
            await self._device.stop_scanning()
        address = hci.Address.generate_private_address()
        await self._device.send_sync_command(
            hci.HCI_LE_Set_Random_Address_Command(random_address=address)
        )
        self._device.random_address = address
        await self._tune_scan()

    async def _start_advertising(self) -> None:
        shown = self._shown
        paused = self._habits.pause_advertising and self._initiating is not None
        if shown is None or paused or self._habits.central_only:
            return
        connectable = self._profile.characteristic is not None
        await self._device.start_advertising(
            advertising_type=(
                AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
                if connectable
                else AdvertisingType.UNDIRECTED
            ),
            advertising_data=encode_advertisement(
                shown.service,
                self._profile.company_id,
                shown.manufacturer_data,
                self._habits.tx_power_dbm,
                shown.service_data,
            ),
            scan_response_data=b"",
            advertising_interval_min=self._habits.advertise_every_s * 1000,
            advertising_interval_max=self._habits.advertise_every_s * 1000,
        )

    async def _make_room(self) -> None:
        """Leave the controller free to connect."""
        async with self._commands:
            await self._tune_scan()
            if self._habits.pause_advertising:
                with radio_errors("pause advertising"):
                    await self._device.stop_advertising()

    async def _scan_as_wanted(self) -> None:
        async with self._commands:
            await self._tune_scan()

    async def _tune_scan(self) -> None:
        wanted = self._scanning and self._initiating is None
        with radio_errors("scan"):
            if wanted and not self._device.is_scanning:
                await self._device.start_scanning(active=False)  # it is all in the first packet
            elif not wanted and self._device.is_scanning:
                await self._device.stop_scanning()

    async def _resume(self) -> None:
        """Scan and advertise again as wanted, after a connection began or ended."""
        async with self._commands:
            await self._tune_scan()
            await self._device.stop_advertising()
            await self._start_advertising()

    async def _shut_down(self) -> None:
        async with self._commands:
            await self._device.stop_advertising()
            await self._tune_scan()
            for connection in list(self._device.connections.values()):
                await connection.disconnect()
            await self._device.power_off()


async def _cancel(device: Device) -> None:
    """Cancel a connection attempt; bumble's own way does nothing while one is only beginning."""
    await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
