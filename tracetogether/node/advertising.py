"""The 31 bytes of an advertisement: flags, service, transmit power, manufacturer data.

Laid out as OpenTrace's Android phones do (3 + 18 + 3 + 7 = 31 bytes). What others send is
read leniently: a field that is cut short ends the reading, and what stood before it counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

MAX_ADVERTISEMENT_BYTES: Final = 31  # Bluetooth Core, vol. 6, part B, 2.3.1: legacy advertising

# Bluetooth Assigned Numbers, 2.3: types of advertising fields.
_FLAGS: Final = 0x01
_SOME_UUIDS: Final = 0x06  # 128 bits each, incomplete list
_ALL_UUIDS: Final = 0x07
_TX_POWER: Final = 0x0A
_MANUFACTURER: Final = 0xFF
_DISCOVERABLE_LE_ONLY: Final = 0x06
_UUID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Announcement:
    """The fields of an advertisement that the protocol uses.

    Attributes:
        tx_power_dbm: transmit power, None if absent.
        manufacturer_data: bytes after the company identifier; empty where that is another's.
    """

    tx_power_dbm: float | None
    manufacturer_data: bytes


def encode_advertisement(
    service: str, company_id: int, manufacturer_data: bytes, tx_power_dbm: int | None
) -> bytes:
    """Return the bytes to advertise.

    Manufacturer data give way where the whole would not fit, from the end (as OpenTrace does).

    Raises:
        ValueError: the service is no UUID.
    """
    fields = _field(_FLAGS, bytes([_DISCOVERABLE_LE_ONLY]))
    fields += _field(_ALL_UUIDS, UUID(service).bytes[::-1])
    if tx_power_dbm is not None:
        fields += _field(_TX_POWER, tx_power_dbm.to_bytes(1, "little", signed=True))
    room = MAX_ADVERTISEMENT_BYTES - len(fields) - 4
    if manufacturer_data and room > 0:
        company = company_id.to_bytes(2, "little")
        fields += _field(_MANUFACTURER, company + manufacturer_data[:room])
    return fields


def parse_advertisement(data: bytes, service: str, company_id: int) -> Announcement | None:
    """Read what came in; None if it does not show ``service``, whatever else it is."""
    wanted = UUID(service).bytes[::-1]
    shows_service = False
    tx_power_dbm: float | None = None
    manufacturer_data = b""
    for kind, content in _fields(data):
        if kind in {_SOME_UUIDS, _ALL_UUIDS}:
            shows_service = shows_service or wanted in _uuids(content)
        elif kind == _TX_POWER and len(content) == 1:
            tx_power_dbm = float(int.from_bytes(content, "little", signed=True))
        elif kind == _MANUFACTURER and content[:2] == company_id.to_bytes(2, "little"):
            manufacturer_data = content[2:]
    return Announcement(tx_power_dbm, manufacturer_data) if shows_service else None


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


def _uuids(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content) - _UUID_BYTES + 1, _UUID_BYTES):
        yield content[at : at + _UUID_BYTES]
