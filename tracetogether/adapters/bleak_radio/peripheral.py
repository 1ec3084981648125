"""The peripheral's side on BlueZ's D-Bus: what is shown, served and written by others."""

import asyncio
from collections.abc import Callable
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
from dbus_fast import DBusError
from dbus_fast.aio.message_bus import MessageBus

from tracetogether.device import PayloadWritten
from tracetogether.errors import RadioError
from tracetogether.exchange import Advertisement, GattProfile
from tracetogether.radio import Report

_LONGEST_VALUE: Final = 512  # Bluetooth Core, vol. 3, part F, 3.2.9
_MAX_GUESTS: Final = 64  # peers with a value half read or half written; the oldest give way
_WHOLE_AFTER_S: Final = 0.2  # BlueZ hands over a long write in parts and does not say which is last


class Peripheral:
    """One advertisement and one service with one value, on one adapter of BlueZ."""

    def __init__(
        self,
        bus: MessageBus,
        adapter: Adapter,
        profile: GattProfile,
        report: Report,
        clock: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._adapter = adapter
        self._profile = profile
        self._report = report
        self._clock = clock
        self._served: Advertisement | None = None
        self._on_air: BluezAdvertisement | None = None
        self._reading: dict[str, bytes] = {}
        self._writing: dict[str, bytearray] = {}
        self._endings: dict[str, asyncio.TimerHandle] = {}
        value = characteristic(
            profile.characteristic,
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

    async def show(self, advertisement: Advertisement) -> None:
        """Advertise and serve this; where it is too long for the adapter, the service alone.

        Raises:
            RadioError: BlueZ refuses.
        """
        await self.hide()
        self._served = advertisement
        full = (
            {self._profile.company_id: advertisement.manufacturer_data},
            AdvertisingIncludes.TX_POWER,
        )
        reason = ""
        bare: tuple[dict[int, bytes], AdvertisingIncludes] = ({}, AdvertisingIncludes.NONE)
        for manufacturer_data, includes in (full, bare):
            on_air = BluezAdvertisement(
                "",
                [advertisement.service],
                appearance=0,
                manufacturer_data=manufacturer_data,
                includes=includes,
            )
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
            with suppress(DBusError, ValueError):  # BlueZ has released it by itself
                await on_air.unregister()

    async def close(self) -> None:
        """Take everything back."""
        self._served = None
        for timer in self._endings.values():
            timer.cancel()
        await self.hide()
        with suppress(DBusError, ValueError):
            await self._service.unregister()

    def _read(self, _service: Service, options: CharacteristicReadOptions) -> bytes:
        """Return the rest of the value from the offset asked for; one reading, one value."""
        peer = options.device or ""
        value = self._reading.get(peer)
        if options.offset == 0 or value is None:
            served = self._served
            if served is None or self._clock() >= served.expiry:
                raise NotPermittedError("nothing to read now")
            value = served.value
            self._reading.pop(peer, None)
            self._reading[peer] = value
            if len(self._reading) > _MAX_GUESTS:
                del self._reading[next(iter(self._reading))]
        return value[options.offset :]

    def _write(self, _service: Service, part: bytes, options: CharacteristicWriteOptions) -> None:
        """Put the parts of a value together; it is whole when no more come for a moment."""
        peer = options.device or ""
        if options.offset == 0:
            self._end(peer)  # of what was written before
            if len(self._writing) >= _MAX_GUESTS:
                raise NotPermittedError("too many write at once")
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
