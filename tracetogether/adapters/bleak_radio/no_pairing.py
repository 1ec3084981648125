"""Pairing switched off in BlueZ: a paired device could recognise this phone for ever.

Pairing exchanges an identity address and a key that resolves all later random addresses.
"""

from contextlib import suppress
from typing import Final

from bluez_peripheral.adapter import Adapter
from bluez_peripheral.agent import AgentCapability, BaseAgent
from bluez_peripheral.error import RejectedError
from dbus_fast import DBusError
from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.service import method

from tracetogether.errors import RadioError

_PATH: Final = "/org/tracetogether/agent"


class _RefusingAgent(BaseAgent):
    """Refuses all of BlueZ's questions about pairing.

    BlueZ asks it where Pairable does not decide: for a pairing that leaves no bond.
    """

    def __init__(self) -> None:
        super().__init__(AgentCapability.NO_INPUT_NO_OUTPUT)

    @method("RequestPinCode")
    def _pin_code(self, _device: "o") -> "s":  # type: ignore[name-defined]  # noqa: F821 - D-Bus's
        raise _refusal()

    @method("RequestPasskey")
    def _passkey(self, _device: "o") -> "u":  # type: ignore[name-defined]  # noqa: F821 - D-Bus's
        raise _refusal()

    @method("RequestConfirmation")
    def _confirmation(self, _device: "o", _passkey: "u") -> None:  # type: ignore[name-defined]  # noqa: F821 - D-Bus's
        raise _refusal()

    @method("RequestAuthorization")
    def _authorization(self, _device: "o") -> None:  # type: ignore[name-defined]  # noqa: F821 - D-Bus's
        raise _refusal()

    @method("AuthorizeService")
    def _service(self, _device: "o", _uuid: "s") -> None:  # type: ignore[name-defined]  # noqa: F821 - D-Bus's
        raise _refusal()


def _refusal() -> RejectedError:
    return RejectedError("this node pairs with nobody")


class NoPairing:
    """Keeps everybody from pairing with one adapter of BlueZ, from ``begin`` to ``end``.

    The adapter's own setting (Pairable) is put back at the end.

    Args:
        bus: a connection of its own to the system bus.
        adapter: the adapter.
    """

    def __init__(self, bus: MessageBus, adapter: Adapter) -> None:
        self._bus = bus
        self._adapter = adapter
        self._agent = _RefusingAgent()
        self._was_pairable = False

    async def begin(self) -> None:
        """Switch pairing off.

        Raises:
            RadioError: BlueZ does not allow it: then strangers could learn who this is.
        """
        try:
            self._was_pairable = await self._adapter.get_pairable()
            await self._agent.register(self._bus, path=_PATH)  # which may switch pairing on
            await self._adapter.set_pairable(False)
        except DBusError as error:
            msg = (
                f"BlueZ does not let this user switch pairing off ({error.text}); a paired device "
                "could follow this phone: run as root or join the group bluetooth"
            )
            raise RadioError(msg) from None

    async def end(self) -> None:
        """Put the adapter's setting back; raises nothing."""
        with suppress(DBusError, ValueError):
            await self._agent.unregister()
        with suppress(DBusError):
            await self._adapter.set_pairable(self._was_pairable)
