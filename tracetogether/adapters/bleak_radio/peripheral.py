"""The peripheral's side over BlueZ's D-Bus: an advertisement, and a value to read and write."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Final

from bluez_peripheral.adapter import Adapter
from bluez_peripheral.advert import Advertisement as BluezAdvertisement
from bluez_peripheral.error import InvalidValueLengthError, NotPermittedError
from bluez_peripheral.flags import AdvertisingIncludes
from bluez_peripheral.gatt.characteristic import (
    CharacteristicFlags,
    CharacteristicReadOptions,
    CharacteristicWriteOptions,
    characteristic,
)
from bluez_peripheral.gatt.service import Service
from dbus_fast import DBusError, Message
from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.constants import PropertyAccess
from dbus_fast.service import dbus_property

from tracetogether.device import PayloadWritten
from tracetogether.errors import RadioError
from tracetogether.exchange import Advertisement, RadioProfile
from tracetogether.node.radio import Guest, RadioLimits, Report

_DEVICE: Final = "org.bluez.Device1"
_LONGEST_VALUE: Final = 512  # Bluetooth Core, vol. 3, part F, 3.2.9
_MAX_GUESTS: Final = 64  # peers that read or write at a time; one more is refused
_WHOLE_AFTER_S: Final = 0.2  # BlueZ hands over a long write in parts and does not say which is last


class _OnAir(BluezAdvertisement):
    """An advertisement without an appearance: its 4 bytes are those that manufacturer data need."""

    def __init__(
        self, service: str, manufacturer_data: dict[int, bytes], includes: AdvertisingIncludes
    ) -> None:
        super().__init__(
            "",
            [service],
            appearance=0,
            manufacturer_data=manufacturer_data,
            includes=includes,
        )

    @dbus_property(PropertyAccess.READ, "Appearance", disabled=True)
    def _get_appearance(self) -> "q":  # type: ignore[name-defined]  # noqa: F821 - D-Bus's uint16
        return 0


class Peripheral:
    """One advertisement and one service with one value, on one adapter of BlueZ.

    Args:
        bus: a connection of its own to the system bus.
        path: the adapter's.
        adapter: the same.
        profile: where on the air the protocol lives.
        report: takes what comes in.
        clock: epoch seconds; a value is not served beyond its expiry.
        limits: what strangers may do. BlueZ says who is there once they read or write.
    """

    def __init__(
        self,
        bus: MessageBus,
        path: str,
        adapter: Adapter,
        profile: RadioProfile,
        report: Report,
        clock: Callable[[], float],
        limits: RadioLimits,
    ) -> None:
        self._path = path
        self._limits = limits
        self._guests: dict[str, Guest] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._bus = bus
        self._adapter = adapter
        self._profile = profile
        self._report = report
        self._clock = clock
        self._served: Advertisement | None = None
        self._on_air: _OnAir | None = None
        self._writing: dict[str, bytearray] = {}
        self._endings: dict[str, asyncio.TimerHandle] = {}
        value = characteristic(
            profile.values[0],
            CharacteristicFlags.READ
            | CharacteristicFlags.WRITE
            | CharacteristicFlags.WRITE_WITHOUT_RESPONSE,
        )
        value(self._read, self._write)
        self._service = Service(profile.service)
        self._service.add_characteristic(value)

    async def register(self) -> None:
        """Offer the service.

        Raises:
            RadioError: BlueZ refuses.
        """
        try:
            await self._service.register(self._bus, adapter=self._adapter)
        except DBusError as error:
            msg = f"BlueZ does not take the service: {error.text}"
            raise RadioError(msg) from None
        self._bus.add_message_handler(self._changed)
        await self._call(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "AddMatch",
            "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',"
            f"member='PropertiesChanged',path_namespace='{self._path}',arg0='{_DEVICE}'",
        )

    async def show(self, advertisement: Advertisement) -> None:
        """Advertise and serve this; where it is too much for the adapter, less and less of it.

        Raises:
            RadioError: BlueZ refuses.
        """
        await self.hide()
        self._served = advertisement
        company = {self._profile.company_id: advertisement.manufacturer_data}
        reason = ""
        for manufacturer_data, includes in (
            (company, AdvertisingIncludes.TX_POWER),
            (company, AdvertisingIncludes.NONE),
            (dict[int, bytes](), AdvertisingIncludes.NONE),
        ):
            on_air = _OnAir(advertisement.service, manufacturer_data, includes)
            try:
                await on_air.register(self._bus, adapter=self._adapter)
            except DBusError as error:
                reason = error.text
                with suppress(ValueError):
                    on_air.unexport()
            else:
                self._on_air = on_air
                return
        msg = f"BlueZ does not advertise: {reason}"
        raise RadioError(msg)

    async def hide(self) -> None:
        """Advertise nothing; what is served stays until its expiry."""
        on_air, self._on_air = self._on_air, None
        if on_air is not None:
            with suppress(DBusError, ValueError):  # BlueZ has released it already
                await on_air.unregister()

    async def close(self) -> None:
        """Take everything back."""
        self._served = None
        for timer in self._endings.values():
            timer.cancel()
        self._bus.remove_message_handler(self._changed)
        for peer in list(self._guests):
            self._forget(peer)
        await self.hide()
        with suppress(DBusError, ValueError):
            await self._service.unregister()

    def _read(self, _service: Service, options: CharacteristicReadOptions) -> bytes:
        """Return the rest of the value from the offset asked for; one reading, one value."""
        guest = self._welcome(options.device or "")
        if options.offset == 0 or guest.read is None:
            served = self._served
            if served is None or served.value is None or self._clock() >= served.expiry:
                raise NotPermittedError("nothing to read now")
            guest.read = served.value
        return guest.read[options.offset :]

    def _write(self, _service: Service, part: bytes, options: CharacteristicWriteOptions) -> None:
        """Put the parts of a value together; it is whole when no more come for a moment."""
        peer = options.device or ""
        guest = self._welcome(peer)
        if options.offset == 0:
            self._end(peer)  # of what was written before
            if guest.writes <= 0:
                raise NotPermittedError("it has written enough")
            guest.writes -= 1
            self._writing[peer] = bytearray()
        value = self._writing.get(peer)
        if value is None or options.offset > len(value):
            raise InvalidValueLengthError("a part is missing")
        if options.offset + len(part) > _LONGEST_VALUE:
            raise InvalidValueLengthError("too long")
        value[options.offset :] = part
        timer = self._endings.pop(peer, None)
        if timer is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._endings[peer] = loop.call_later(_WHOLE_AFTER_S, self._end, peer)

    def _end(self, peer: str) -> None:
        timer = self._endings.pop(peer, None)
        if timer is not None:
            timer.cancel()
        value = self._writing.pop(peer, None)
        if value is not None:
            self._report(PayloadWritten(peer.rpartition("dev_")[2].replace("_", ":"), bytes(value)))

    # --- those who are connected ---

    def _welcome(self, peer: str) -> Guest:
        """Return the state of a peer that reads or writes; its time runs from its first request."""
        guest = self._guests.get(peer)
        if guest is None:
            if len(self._guests) >= _MAX_GUESTS:
                raise NotPermittedError("too many at once")
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._limits.incoming_s, self._send_away, peer)
            guest = self._guests[peer] = Guest(timer, self._limits.writes)
        return guest

    def _forget(self, peer: str) -> None:
        guest = self._guests.pop(peer, None)
        if guest is not None:
            guest.timer.cancel()

    def _send_away(self, peer: str) -> None:
        """End the connection of a peer that stays: an exchange takes seconds."""
        self._forget(peer)
        if peer:
            self._begin(self._call("org.bluez", peer, _DEVICE, "Disconnect"))

    def _changed(self, message: Message) -> None:
        """Forget a peer that has disconnected."""
        if message.path in self._guests and message.member == "PropertiesChanged":
            connected = message.body[1].get("Connected")
            if connected is not None and not connected.value:
                self._forget(message.path)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        call = asyncio.ensure_future(work)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, to: str, path: str, interface: str, member: str, *words: str) -> None:
        """Call a method that takes texts and returns nothing; an error means it is done already."""
        await self._bus.call(
            Message(
                destination=to,
                path=path,
                interface=interface,
                member=member,
                signature="s" * len(words),
                body=list(words),
            )
        )
