"""Bumble's host and device, corrected where they fail on a busy machine or grow without bound.

The *host* is the upper half of Bluetooth (GATT, pairing); the *controller* is the chip. They talk
over HCI: commands down, events up. SMP is the protocol that pairs two devices.
"""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

from bumble import hci, smp
from bumble.device import Device
from bumble.host import Host

from tracetogether.adapters.bumble_radio.tasks import ShieldedTasks

INBOUND: Final = "tracetogether_inbound"
_ASKS_TO_PAIR: Final = frozenset(
    {smp.CommandCode.PAIRING_REQUEST.value, smp.CommandCode.SECURITY_REQUEST.value}
)
AdvertisingReport = (
    hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report
)


class BumbleHost(Device):
    """Bumble's device with four changes.

    - Connections that others open are an event of their own. Bumble's ``connect`` takes the first
      new connection for its own, even if another phone opened it.
    - A connection that comes about after its attempt was given up is ended.
    - Advertisements are passed on raw. Bumble's own store grows with every made-up address.
    - It never pairs. A pairing gives away an identity address and its key, which stay the same
      when the TempID changes.
    """

    hear: Callable[[AdvertisingReport], None] | None = None

    def __init__(self, **how: Any) -> None:  # noqa: ANN401 - as bumble has it
        super().__init__(**how)
        self._tasks = ShieldedTasks()

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - as pyee has it
        """Emit an event."""
        if event == self.EVENT_CONNECTION and args[0].role == hci.Role.PERIPHERAL:
            event = INBOUND
        try:
            return super().emit(event, *args, **kwargs)
        except asyncio.InvalidStateError:  # its attempt was given up in this turn of the loop
            if event == self.EVENT_CONNECTION:
                self._tasks.start(args[0].disconnect)
            return True

    def on_advertising_report(self, report: AdvertisingReport) -> None:
        """Take an advertisement in."""
        if self.hear is not None:
            self.hear(report)

    def on_smp_pdu(self, connection_handle: int, pdu: bytes) -> None:
        """Refuse each request to pair; ignore everything else of the pairing protocol."""
        connection = self.lookup_connection(connection_handle)
        if connection is None or not pdu or pdu[0] not in _ASKS_TO_PAIR:
            return
        refusal = smp.SMP_Pairing_Failed_Command(reason=smp.ErrorCode.PAIRING_NOT_SUPPORTED)
        connection.send_l2cap_pdu(smp.SMP_CID, bytes(refusal))

    def on_le_connection(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - as bumble has it
        """Take a new connection in; end it if no attempt to connect is under way."""
        said = inspect.signature(super().on_le_connection).bind(*values, **named).arguments
        stray = said["role"] == hci.Role.CENTRAL and self.connect_own_address_type is None
        if stray:
            self.connect_own_address_type = hci.OwnAddressType.RANDOM
        super().on_le_connection(*values, **named)
        if stray:
            self.connect_own_address_type = None
            connection = self.connections[said["connection_handle"]]
            self._tasks.start(connection.disconnect)


class CalmHost(Host):
    """Bumble's HCI host, which ignores late answers.

    On a busy machine the answer to a command can come after the command was given up. Bumble then
    fails, or takes it for the answer to the next command.
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
