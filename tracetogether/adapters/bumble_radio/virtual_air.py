"""Virtual controllers and the air between them, in one process: bumble's link, mended.

The stock link of bumble 0.0.236 is a wire: every controller hears every other at -50 dBm. This
one has a level for each pair, range and loss, and where the stock one departs from what
controllers do, it does as they do:

- an advertiser is connected to by one initiator, once, and only while it advertises;
- an advertiser that nobody may connect to is heard too;
- cancelling a connection attempt ends it;
- data come from the address that the connection was made with;
- scan responses carry their own data, and are sent to active scanners alone;
- a reset ends connections, attempts, scanning and advertising;
- intervals count in units of 0.625 ms, duplicates are filtered if that is asked for;
- packets of a connection take time on the air and arrive in the order that they were sent in;
- a link out of range ends by supervision time-out.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from bumble.transport.common import TransportSink, TransportSource

LevelDbm = Callable[[str, str], float | None]
"""dBm that the second phone receives of what the first sends; None: nothing arrives."""

_UNIT_MS: Final = 0.625
_PACKET_S: Final = 0.001  # a packet, its acknowledgement and the gaps between, at 1 Mbit/s
_RETRANSMIT_S: Final = 0.03  # a lost data packet comes again with the next connection event
_WEAKEST_DBM: Final = -127
_STRONGEST_DBM: Final = 20


class Air(LocalLink):
    """What lies between virtual controllers.

    Args:
        level_dbm: level of one phone's signal at another, by their names; asked for each packet,
            so it may change.
        loss: share of packets that do not arrive.
        chance: uniform numbers in [0, 1), for the loss.
        supervision_s: how long a link survives out of range.

    Attributes:
        reports: advertisements delivered to scanners.
        connections: connections made.
    """

    def __init__(
        self,
        level_dbm: LevelDbm,
        *,
        loss: float = 0.0,
        chance: Callable[[], float],
        supervision_s: float = 2.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it bare
        self.level_dbm = level_dbm
        self.reports = 0
        self.connections = 0
        self._loss = loss
        self._chance = chance
        self._supervision_s = supervision_s
        self._phones: list[AirController] = []  # in order: a set would shuffle them
        self._busy_until: dict[tuple[hci.Address, hci.Address], float] = {}  # a way of a link

    def controller(
        self, name: str, source: TransportSource | None = None, sink: TransportSink | None = None
    ) -> "AirController":
        """Return a new controller called ``name``, for a host in this process or at a transport."""
        return AirController(name, self, source, sink)

    @property
    def open_links(self) -> int:
        """How many ends of connections there are now."""
        return sum(len(phone.le_connections) for phone in self._phones)

    def add_controller(self, controller: Controller) -> None:
        """Take a controller in."""
        if isinstance(controller, AirController):
            self._phones.append(controller)

    def remove_controller(self, controller: Controller) -> None:
        """Let a controller go; its links end by time-out."""
        if isinstance(controller, AirController):
            self._phones.remove(controller)

    def advertiser(self, address: hci.Address) -> "AirController | None":
        """Return who advertises at ``address`` now."""
        for phone in self._phones:
            shown = phone.le_legacy_advertiser
            if shown.enabled and shown.address == address and not _only_broadcasts(shown):
                return phone
        return None

    def lost(self) -> bool:
        """Draw whether one packet is lost."""
        return self._loss > 0 and self._chance() < self._loss

    def send_advertising_pdu(
        self, sender_controller: Controller, packet: ll.AdvertisingPdu
    ) -> None:
        """Deliver an advertisement to who listens within range."""
        if not isinstance(packet, ll.AdvInd | ll.AdvNonConnInd):
            return
        loop = asyncio.get_running_loop()
        for phone in self._phones:
            if phone is sender_controller or not phone.listens:
                continue
            level = self.level_dbm(sender_controller.name, phone.name)
            if level is not None and not self.lost():
                self.reports += phone.le_scan_enable
                response = sender_controller.le_legacy_advertiser.scan_response_data
                loop.call_soon(phone.hear, packet, response, level)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Deliver data over a connection, late where packets are lost."""
        near = sender_controller.le_connections.get(destination_address)
        if near is None:
            return
        far = self.far_end(near)
        loop = asyncio.get_running_loop()
        if far is None or self.level_dbm(near.controller.name, far.controller.name) is None:
            loop.call_later(self._supervision_s, self._time_out, near)
            return
        delay_s = _PACKET_S
        while self.lost():
            delay_s += _RETRANSMIT_S
        at = self._arrival((near.self_address, near.peer_address), delay_s)
        loop.call_at(at, _deliver, far, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Deliver what two controllers say about their connection."""
        for phone in self._phones:
            far = phone.le_connections.get(sender_address)
            if far is not None and far.self_address == receiver_address:
                at = self._arrival((sender_address, receiver_address), _PACKET_S)
                asyncio.get_running_loop().call_at(at, phone.hear_control, far, packet)

    def _arrival(self, way: tuple[hci.Address, hci.Address], delay_s: float) -> float:
        """Return when the next packet of a connection arrives, on the loop's clock: in turn."""
        now = asyncio.get_running_loop().time()
        arrival = max(now, self._busy_until.get(way, now)) + delay_s
        self._busy_until[way] = arrival
        return arrival

    def forget_ways(self) -> None:
        """Forget of all links what lies in the past: addresses change, and with them the ways."""
        now = asyncio.get_running_loop().time()
        self._busy_until = {way: at for way, at in self._busy_until.items() if at > now}

    def far_end(self, near: Connection) -> Connection | None:
        """Return the other end of a connection; None if it is gone."""
        for phone in self._phones:
            far = phone.le_connections.get(near.self_address)
            if far is not None and far.self_address == near.peer_address:
                return far
        return None

    def _time_out(self, near: Connection) -> None:
        for end in (self.far_end(near), near):
            if end is not None and _stands(end):
                end.controller.on_le_disconnected(end, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


class _AirAdvertiser(LegacyAdvertiser):
    """Also sends advertisements that nobody may connect to; the stock one stays silent then."""

    def send_advertising_data(self) -> None:
        """Send one advertisement."""
        if self.enabled and _only_broadcasts(self):
            shown = ll.AdvNonConnInd(self.address, self.advertising_data)
            self.controller.send_advertising_pdu(shown)
        else:
            super().send_advertising_data()


def _only_broadcasts(advertiser: LegacyAdvertiser) -> bool:
    kinds = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
    return advertiser.advertising_type == kinds.ADV_NONCONN_IND


class AirController(Controller):
    """A virtual controller on an ``Air``: legacy advertising, as bleak's tests use bumble too."""

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LL_PRIVACY
        | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )
    supported_commands = Controller.supported_commands - {
        hci.HCI_LE_EXTENDED_CREATE_CONNECTION_COMMAND,
    }

    def __init__(
        self,
        name: str,
        air: Air,
        source: TransportSource | None = None,
        sink: TransportSink | None = None,
    ) -> None:
        self._air = air
        self._reported: set[tuple[hci.Address, bytes]] = set()
        super().__init__(name, source, sink, air)
        self.le_legacy_advertiser = _AirAdvertiser(self)

    @property
    def listens(self) -> bool:
        """Whether an advertisement makes any difference."""
        return self.le_scan_enable or self.pending_le_connection is not None

    def leave(self) -> None:
        """Vanish from the air, as a phone does whose battery ends."""
        self.le_legacy_advertiser.stop()
        self._air.remove_controller(self)

    def hear(self, pdu: ll.AdvInd | ll.AdvNonConnInd, response: bytes, level_dbm: float) -> None:
        """Take an advertisement in: report it, and connect if its sender is waited for."""
        if self.le_scan_enable:
            kinds = hci.HCI_LE_Advertising_Report_Event.EventType
            silent = isinstance(pdu, ll.AdvNonConnInd)
            kind = kinds.ADV_NONCONN_IND if silent else kinds.ADV_IND
            self._tell(kind, pdu.advertiser_address, pdu.data, level_dbm)
            asks = self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING
            if asks and not silent:
                self._tell(kinds.SCAN_RSP, pdu.advertiser_address, response, level_dbm)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self._connect(pdu.advertiser_address)

    def hear_control(self, connection: Connection, packet: ll.ControlPdu) -> None:
        """Take in what the other end says about a connection, if that still stands.

        There may be another connection with the same phone by now.
        """
        if _stands(connection):
            self.on_ll_control_pdu(connection.peer_address, packet)

    def _tell(self, kind: int, address: hci.Address, data: bytes, level_dbm: float) -> None:
        if self.filter_duplicates:
            if (address, data) in self._reported:
                return
            self._reported.add((address, data))
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind,
            address_type=address.address_type,
            address=address,
            data=data,
            rssi=max(_WEAKEST_DBM, min(_STRONGEST_DBM, round(level_dbm))),
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def _connect(self, address: hci.Address) -> None:
        """Connect to who advertises at ``address``, both ends at once or neither."""
        other = self._air.advertiser(address)
        pending = self.pending_le_connection
        if other is None or pending is None or address in self.le_connections:
            return
        public = pending.own_address_type == hci.OwnAddressType.PUBLIC
        own_address = self.public_address if public else self.random_address
        if own_address in other.le_connections:
            return
        other.on_le_connect_ind(
            ll.ConnectInd(
                initiator_address=own_address,
                advertiser_address=address,
                interval=0,
                latency=0,
                timeout=0,
            )
        )
        self._air.forget_ways()
        self._air.connections += 1
        self.create_le_connection(address)

    def on_hci_reset_command(
        self, command: hci.HCI_Reset_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Forget what was under way: a host restarts."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        for end in list(self.le_connections.values()):
            far = self._air.far_end(end)
            del self.le_connections[end.peer_address]
            if far is not None:
                reason = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
                far.controller.on_le_disconnected(far, reason)
        return super().on_hci_reset_command(command)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Scan, or stop; what was reported before is news again."""
        self._reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Take the interval in its units; the stock advertiser counts milliseconds."""
        done = super().on_hci_le_set_advertising_parameters_command(command)
        units = command.advertising_interval_min
        self.le_legacy_advertiser.advertising_interval_min = max(1, round(units * _UNIT_MS))
        return done

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give a connection attempt up, and say so (Core, vol. 4, part E, 7.8.13)."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        given_up = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, given_up)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_read_rssi_command(
        self, command: hci.HCI_Read_RSSI_Command
    ) -> hci.HCI_Read_RSSI_ReturnParameters:
        """Return the level of the other end of a connection."""
        near = self.find_le_connection_by_handle(command.handle)
        far = None if near is None else self._air.far_end(near)
        level = None if far is None else self._air.level_dbm(far.controller.name, self.name)
        return hci.HCI_Read_RSSI_ReturnParameters(
            status=hci.HCI_ErrorCode.SUCCESS,
            handle=command.handle,
            rssi=127 if level is None else round(level),
        )


def _stands(end: Connection) -> bool:
    return end.controller.le_connections.get(end.peer_address) is end


def _deliver(end: Connection, transport: PhysicalTransport, data: bytes) -> None:
    if _stands(end):
        end.controller.on_link_acl_data(end.peer_address, transport, data)
