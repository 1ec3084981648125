"""bleak's own API on bumble's host: a scanner and a client for its ``backend=``.

bleak has no such backend of its own. This is what our central needs of one: active scanning,
connecting, services, reading and writing.
"""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Device
from bumble.gatt import Characteristic

_KNOWN_AS = {"READ": "read", "WRITE": "write", "WRITE_WITHOUT_RESPONSE": "write-without-response"}


def standard(short: UUID) -> str:
    """Return a UUID as bleak writes it."""
    return str(uuid.UUID(bytes=short.to_bytes(force_128=True)[::-1]))


@contextmanager
def errors_reported() -> Iterator[None]:
    """Raise bleak's error where bumble cancels what waits for an answer: the connection broke."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BleakError("disconnected") from None


def scanner_on(device: Device) -> type[BaseBleakScanner]:
    """Return bleak's scanner on a powered device of bumble's."""

    class BumbleScanner(BaseBleakScanner):
        """Reports what the device hears."""

        def __init__(
            self, detection_callback: Any, service_uuids: list[str] | None, *_: Any, **__: Any
        ) -> None:
            super().__init__(detection_callback, service_uuids)

        async def start(self) -> None:
            self.seen_devices = {}
            device.on("advertisement", self._heard)
            await device.start_scanning(active=False, filter_duplicates=False)

        async def stop(self) -> None:
            device.remove_listener("advertisement", self._heard)
            await device.stop_scanning()

        def _heard(self, heard: Advertisement) -> None:
            said = heard.data
            uuids = said.get_all(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS)
            company = said.get(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
            power = said.get(AdvertisingData.TX_POWER_LEVEL)  # bumble reads it unsigned
            data = AdvertisementData(
                local_name=said.get(AdvertisingData.COMPLETE_LOCAL_NAME),
                manufacturer_data={} if company is None else {company[0]: bytes(company[1])},
                service_data={},
                service_uuids=[standard(part) for some in uuids for part in some],
                tx_power=None if power is None else (power + 128) % 256 - 128,
                rssi=heard.rssi,
                platform_data=(heard,),
            )
            if not self.is_allowed_uuid(data.service_uuids):
                return
            address = str(heard.address)
            known = self.create_or_update_device(address, address, data.local_name, heard, data)
            self.call_detection_callbacks(known, data)

    return BumbleScanner


def client_on(device: Device) -> type[BaseBleakClient]:  # noqa: C901 - a class, not a function
    """Return bleak's client on a powered device of bumble's."""

    class BumbleClient(BaseBleakClient):
        """A connection of the device's."""

        def __init__(self, peer: BLEDevice, **how: Any) -> None:
            super().__init__(peer, **how)
            self._connection: Connection | None = None

        @property
        def name(self) -> str:
            return str(self.address)

        @property
        def mtu_size(self) -> int:
            return int(self._standing.gatt_client.mtu)

        @property
        def is_connected(self) -> bool:
            return self._connection is not None

        @property
        def _standing(self) -> Connection:
            if self._connection is None:
                raise BleakError("not connected")
            return self._connection

        async def connect(self, pair: bool, **_: Any) -> None:
            attempt = asyncio.ensure_future(device.connect(self.address, timeout=None))
            try:
                self._connection = made = await asyncio.shield(attempt)
            except asyncio.CancelledError:
                while not attempt.done():  # else the controller goes on trying
                    with suppress(hci.HCI_Error):
                        await device.cancel_connection()
                    await asyncio.wait([attempt], timeout=0.05)
                if attempt.exception() is None:
                    await attempt.result().disconnect()
                raise
            made.on(made.EVENT_DISCONNECTION, lambda _: setattr(self, "_connection", None))
            with errors_reported():
                await self._look_up(made)

        async def _look_up(self, made: Connection) -> None:
            client = made.gatt_client
            await client.request_mtu(247)
            found = BleakGATTServiceCollection()
            for service in await client.discover_services():
                ours = BleakGATTService(service, service.handle, standard(service.uuid))
                found.add_service(ours)
                for offered in await client.discover_characteristics((), service):
                    known = [
                        word
                        for kind, word in _KNOWN_AS.items()
                        if offered.properties & Characteristic.Properties[kind]
                    ]
                    found.add_characteristic(
                        BleakGATTCharacteristic(
                            offered,
                            offered.handle,
                            standard(offered.uuid),
                            known,  # type: ignore[arg-type]  # bleak's names
                            lambda: self.mtu_size - 3,
                            ours,
                        )
                    )
            self.services = found

        async def disconnect(self) -> None:
            if self._connection is not None:
                await self._connection.disconnect()

        async def read_gatt_char(
            self, characteristic: BleakGATTCharacteristic, **_: Any
        ) -> bytearray:
            with errors_reported():
                return bytearray(await self._standing.gatt_client.read_value(characteristic.handle))

        async def write_gatt_char(
            self, characteristic: BleakGATTCharacteristic, data: Any, response: bool
        ) -> None:
            client = self._standing.gatt_client
            with errors_reported():
                await client.write_value(characteristic.handle, bytes(data), with_response=response)

        async def pair(self, *_: Any, **__: Any) -> None:
            raise BleakError("phones do not pair for this")

        async def unpair(self) -> None:
            raise BleakError("phones do not pair for this")

        async def read_gatt_descriptor(self, *_: Any, **__: Any) -> bytearray:
            raise BleakError("there are no descriptors")

        async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Any) -> None:
            raise BleakError("there are no descriptors")

        async def start_notify(self, *_: Any, **__: Any) -> None:
            raise BleakError("nothing is subscribed")

        async def stop_notify(self, *_: Any) -> None:
            raise BleakError("nothing is subscribed")

    return BumbleClient
