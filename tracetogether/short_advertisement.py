"""Advertisements of 31 bytes: a row of structures, one of which carries service data.

A structure is its length, its kind and its content. Protocols that only broadcast put their token
behind a 16-bit UUID into the structure of kind 16 (hexadecimal).
"""

from typing import Final

from tracetogether.errors import RemoteProtocolError

ADVERTISEMENT_BYTES: Final = 31
_FLAGS: Final = bytes.fromhex("02011a")  # general discoverable, no classic Bluetooth
_UUIDS: Final = 0x03
_SERVICE_DATA: Final = 0x16


def with_service_data(service: int, data: bytes) -> bytes:
    """Return an advertisement with flags, the 16-bit UUID ``service`` and its data.

    Raises:
        ValueError: it does not fit into 31 bytes.
    """
    uuid = service.to_bytes(2, "little")
    found = _FLAGS + bytes([3, _UUIDS]) + uuid + bytes([3 + len(data), _SERVICE_DATA]) + uuid + data
    if len(found) > ADVERTISEMENT_BYTES:
        raise ValueError(f"an advertisement of {len(found)} bytes; there is room for 31")
    return found


def service_data_of(value: bytes, service: int) -> bytes:
    """Return the data of the 16-bit UUID ``service``; other structures may be there or missing.

    Raises:
        RemoteProtocolError: the advertisement is longer than 31 bytes, is cut off, or has no data
            of this service.
    """
    if len(value) > ADVERTISEMENT_BYTES:
        raise RemoteProtocolError(f"an advertisement of {len(value)} bytes; there is room for 31")
    uuid = service.to_bytes(2, "little")
    at = 0
    while at < len(value):
        size = value[at]
        if size == 0:  # the rest is padding
            break
        part = value[at + 1 : at + 1 + size]
        if len(part) < size:
            raise RemoteProtocolError("an advertisement ends within a structure")
        if part[0] == _SERVICE_DATA and part[1:3] == uuid:
            return part[3:]
        at += 1 + size
    raise RemoteProtocolError(f"an advertisement without service data of 0x{service:04X}")
