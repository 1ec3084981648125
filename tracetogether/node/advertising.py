"""The 31 bytes of an advertisement: flags, service, transmit power, service or manufacturer data.

With a service of 128 bits they are laid out as OpenTrace's Android phones do (3 + 18 + 3 + 7 = 31
bytes). A protocol that sends its token in the advertisement has a UUID of 16 bits, and the token
as service data (3 + 4 + 24 bytes). What others send is read leniently: a field that is cut short
ends the reading, and what stood before it counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

MAX_ADVERTISEMENT_BYTES: Final = 31  # Bluetooth Core, vol. 6, part B, 2.3.1: legacy advertising

# Bluetooth Assigned Numbers, 2.3: types of advertising fields.
_FLAGS: Final = 0x01
_SOME_SHORT_UUIDS: Final = 0x02  # 16 bits each, incomplete list
_ALL_SHORT_UUIDS: Final = 0x03
_SOME_UUIDS: Final = 0x06  # 128 bits each, incomplete list
_ALL_UUIDS: Final = 0x07
_TX_POWER: Final = 0x0A
_SHORT_SERVICE_DATA: Final = 0x16  # UUID of 16 bits, then the data
_SERVICE_DATA: Final = 0x21  # UUID of 128 bits, then the data
_MANUFACTURER: Final = 0xFF
_DISCOVERABLE_LE_ONLY: Final = 0x06
_SHORT_BYTES: Final = 2
_BASE_UUID: Final = "-0000-1000-8000-00805F9B34FB"  # Core, vol. 3, part B, 2.5.1: of short UUIDs


@dataclass(frozen=True, slots=True)
class Announcement:
    """The fields of an advertisement that the protocol uses.

    Attributes:
        tx_power_dbm: transmit power, None if absent.
        manufacturer_data: bytes after the company identifier; empty where that is another's.
        service_data: bytes beside the service's UUID; empty if absent.
    """

    tx_power_dbm: float | None
    manufacturer_data: bytes
    service_data: bytes = field(default=b"", repr=False)


def full_uuid(service: str) -> str:
    """Return a UUID of 16 bits ("FD6F") in its form of 128 bits; others as they are.

    Raises:
        ValueError: the service is no UUID.

    >>> full_uuid("FD6F")
    '0000FD6F-0000-1000-8000-00805F9B34FB'
    """
    short = len(service) == 2 * _SHORT_BYTES
    return str(UUID(f"0000{service}{_BASE_UUID}" if short else service)).upper()


def encode_advertisement(
    service: str,
    company_id: int,
    manufacturer_data: bytes,
    tx_power_dbm: int | None,
    service_data: bytes = b"",
) -> bytes:
    """Return the bytes to advertise.

    The transmit power and then manufacturer data give way where the whole would not fit;
    manufacturer data from the end (as OpenTrace does).

    Raises:
        ValueError: the service is no UUID, or there is no room for its data.
    """
    wanted, kind = _wire_uuid(service)
    fields = _field(_FLAGS, bytes([_DISCOVERABLE_LE_ONLY]))
    fields += _field(_ALL_UUIDS if kind is _SERVICE_DATA else _ALL_SHORT_UUIDS, wanted)
    data = _field(kind, wanted + service_data) if service_data else b""
    if len(fields) + len(data) > MAX_ADVERTISEMENT_BYTES:
        msg = f"{len(service_data)} bytes of service data do not fit into an advertisement"
        raise ValueError(msg)
    if tx_power_dbm is not None:
        power = _field(_TX_POWER, tx_power_dbm.to_bytes(1, "little", signed=True))
        if len(fields) + len(power) + len(data) <= MAX_ADVERTISEMENT_BYTES:
            fields += power
    fields += data
    room = MAX_ADVERTISEMENT_BYTES - len(fields) - 4
    if manufacturer_data and room > 0:
        company = company_id.to_bytes(2, "little")
        fields += _field(_MANUFACTURER, company + manufacturer_data[:room])
    return fields


def parse_advertisement(data: bytes, service: str, company_id: int) -> Announcement | None:
    """Read what came in; None if it does not show ``service``, whatever else it is."""
    wanted, data_kind = _wire_uuid(service)
    long = data_kind is _SERVICE_DATA
    lists = {_SOME_UUIDS, _ALL_UUIDS} if long else {_SOME_SHORT_UUIDS, _ALL_SHORT_UUIDS}
    shows_service = False
    tx_power_dbm: float | None = None
    manufacturer_data = service_data = b""
    for kind, content in _fields(data):
        if kind in lists:
            shows_service = shows_service or wanted in _uuids(content, len(wanted))
        elif kind == data_kind and content.startswith(wanted):
            shows_service = True
            service_data = content[len(wanted) :]
        elif kind == _TX_POWER and len(content) == 1:
            tx_power_dbm = float(int.from_bytes(content, "little", signed=True))
        elif kind == _MANUFACTURER and content[:2] == company_id.to_bytes(2, "little"):
            manufacturer_data = content[2:]
    said = Announcement(tx_power_dbm, manufacturer_data, service_data)
    return said if shows_service else None


def _field(kind: int, content: bytes) -> bytes:
    return bytes([1 + len(content), kind]) + content


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        size = data[at]
        if size == 0 or at + 1 + size > len(data):
            return  # padding, or cut short
        yield data[at + 1], data[at + 2 : at + 1 + size]
        at += 1 + size


def _uuids(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content) - size + 1, size):
        yield content[at : at + size]


def _wire_uuid(service: str) -> tuple[bytes, int]:
    """Return a UUID as it is sent, and the type of the field with its data."""
    if len(service) == 2 * _SHORT_BYTES:
        return bytes.fromhex(service)[::-1], _SHORT_SERVICE_DATA
    return UUID(service).bytes[::-1], _SERVICE_DATA
