"""The central's side on bleak: scan, connect, read, write."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from tracetogether.errors import LinkError, RadioError
from tracetogether.exchange import Heard, RadioProfile
from tracetogether.node.advertising import full_uuid
from tracetogether.node.radio import Report

_MAX_DEVICES: Final = 4_096  # what a scan may keep of made-up peers; the oldest give way
_CLOSE_S: Final = 3.0
_CONNECT_S: Final = 30.0  # the device gives up sooner


class Central:
    """Scans with bleak and connects to what it heard.

    Args:
        profile: where on the air the protocol lives.
        report: takes what comes in.
        scanner, client: bleak's classes, or classes with the same interface.
        scan_options, client_options: more arguments of these (BlueZ's adapter and filters).
    """

    def __init__(
        self,
        profile: RadioProfile,
        report: Report,
        *,
        scanner: Callable[..., BleakScanner] = BleakScanner,
        client: Callable[..., BleakClient] = BleakClient,
        scan_options: dict[str, Any] | None = None,
        client_options: dict[str, Any] | None = None,
    ) -> None:
        self._profile = profile
        self._service = full_uuid(profile.service).lower()
        self._report = report
        self._scanner = scanner
        self._client = client
        self._scan_options = scan_options or {}
        self._client_options = client_options or {}
        self._scanning: BleakScanner | None = None
        self._devices: dict[str, BLEDevice] = {}

    async def scan(self) -> None:
        """Begin to report.

        Raises:
            RadioError: the adapter refuses.
        """
        if self._scanning is not None:
            return
        scanner = self._scanner(
            detection_callback=self._heard,
            service_uuids=[self._service],
            **self._scan_options,
        )
        try:
            await scanner.start()
        except Exception as error:  # noqa: BLE001 - each system raises its own kinds
            msg = f"the Bluetooth adapter does not scan: {_reason(error)}"
            raise RadioError(msg) from None
        self._scanning = scanner

    async def rest(self) -> None:
        """Stop reporting."""
        scanner, self._scanning = self._scanning, None
        if scanner is not None:
            with suppress(Exception):  # it has stopped already, or the next start fails
                await scanner.stop()

    async def connect(self, peer: str) -> "BleakLink":
        """Return a connection to a peer that was heard."""
        device = self._devices.get(peer)
        if device is None:
            msg = "the peer was not heard lately"
            raise LinkError(msg)
        client = self._client(device, timeout=_CONNECT_S, **self._client_options)
        link = BleakLink(client, self._profile)
        try:
            with _broken("connect"):
                await client.connect()
        except BaseException:
            await link.close()
            raise
        return link

    def _heard(self, device: BLEDevice, data: AdvertisementData) -> None:
        service_data = data.service_data.get(self._service, b"")
        if self._service not in (uuid.lower() for uuid in data.service_uuids) and not service_data:
            return
        self._devices.pop(device.address, None)
        self._devices[device.address] = device
        if len(self._devices) > _MAX_DEVICES:
            del self._devices[next(iter(self._devices))]
        self._report(
            Heard(
                peer=device.address,
                rssi_dbm=float(data.rssi),
                tx_power_dbm=None if data.tx_power is None else float(data.tx_power),
                manufacturer_data=data.manufacturer_data.get(self._profile.company_id, b""),
                service_data=service_data,
            )
        )


class BleakLink:
    """A connection that this phone opened; implements ``Link``."""

    def __init__(self, client: BleakClient, profile: RadioProfile) -> None:
        self._client = client
        self._profile = profile

    async def read(self) -> bytes:
        """Return the peer's value; long ones are read in parts by the system."""
        with _broken("read"):
            return bytes(await self._client.read_gatt_char(self._find()))

    async def write(self, value: bytes) -> None:
        """Write ``value``; long ones are written in parts by the system."""
        with _broken("write"):
            await self._client.write_gatt_char(self._find(), value, response=True)

    async def close(self) -> None:
        """End the connection."""
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self._client.disconnect()

    def _find(self) -> BleakGATTCharacteristic:
        for uuid in self._profile.values:
            for found in self._client.services.characteristics.values():  # a peer may have several
                if found.uuid.lower() == uuid.lower():
                    return found
        msg = "the peer does not have the characteristic"
        raise LinkError(msg)


@contextmanager
def _broken(what: str) -> Iterator[None]:
    """Turn any error of the system about a connection into LinkError."""
    try:
        yield
    except LinkError:
        raise
    except Exception as error:  # noqa: BLE001 - each system raises its own kinds
        msg = f"can't {what}: {_reason(error)}"
        raise LinkError(msg) from None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
