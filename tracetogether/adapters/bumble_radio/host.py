"""Bumble's host and device where they would fail, or grow, on a real air and a busy machine."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

from bumble import hci, smp
from bumble.device import Device
from bumble.host import Host

from tracetogether.adapters.bumble_radio.errands import Errands

INBOUND: Final = "tracetogether_inbound"
_ASKS_TO_PAIR: Final = frozenset(
    {smp.CommandCode.PAIRING_REQUEST.value, smp.CommandCode.SECURITY_REQUEST.value}
)
AdvertisingReport = (
    hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report
)


class BumbleHost(Device):
    """Bumble's device with four habits changed.

    Connections of others are an event of their own: ``connect`` takes the first new connection
    for its own, whoever opened it. A connection that comes about after all, when its attempt was
    given up, is ended; bumble takes it for impossible. Reports of advertisements are passed
    on raw, without a store that grows with every made-up address. And it pairs with nobody: a
    pairing hands out an identity address and its key, which no new TempID changes.
    """

    hear: Callable[[AdvertisingReport], None] | None = None

    def __init__(self, **how: Any) -> None:  # noqa: ANN401 - as bumble has it
        super().__init__(**how)
        self._errands = Errands()

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - as pyee has it
        """Emit an event."""
        if event == self.EVENT_CONNECTION and args[0].role == hci.Role.PERIPHERAL:
            event = INBOUND
        try:
            return super().emit(event, *args, **kwargs)
        except asyncio.InvalidStateError:  # its attempt was given up in this very turn
            if event == self.EVENT_CONNECTION:
                self._errands.begin(args[0].disconnect)
            return True

    def on_advertising_report(self, report: AdvertisingReport) -> None:
        """Take an advertisement in."""
        if self.hear is not None:
            self.hear(report)

    def on_smp_pdu(self, connection_handle: int, pdu: bytes) -> None:
        """Refuse to pair, from either side; nothing else of that protocol is for this phone."""
        connection = self.lookup_connection(connection_handle)
        if connection is None or not pdu or pdu[0] not in _ASKS_TO_PAIR:
            return
        refusal = smp.SMP_Pairing_Failed_Command(reason=smp.ErrorCode.PAIRING_NOT_SUPPORTED)
        connection.send_l2cap_pdu(smp.SMP_CID, bytes(refusal))

    def on_le_connection(self, *told: Any, **named: Any) -> None:  # noqa: ANN401 - as bumble has it
        """Take a connection in; nobody waits for it if no attempt is under way."""
        said = inspect.signature(super().on_le_connection).bind(*told, **named).arguments
        stray = said["role"] == hci.Role.CENTRAL and self.connect_own_address_type is None
        if stray:
            self.connect_own_address_type = hci.OwnAddressType.RANDOM
        super().on_le_connection(*told, **named)
        if stray:
            self.connect_own_address_type = None
            connection = self.connections[said["connection_handle"]]
            self._errands.begin(connection.disconnect)


class CalmHost(Host):
    """Bumble's HCI host, calm about answers to commands that nobody waits for any more.

    On a busy machine an answer comes when its command has been given up; bumble then fails, or
    takes it for the answer to the next one.
    """

    def on_command_processed(
        self, event: hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event
    ) -> None:
        """Take an answer in."""
        waiting, command = self.pending_response, self.pending_command
        if waiting is not None and (
            waiting.done() or (command is not None and command.op_code != event.command_opcode)
        ):
            return
        super().on_command_processed(event)
