"""Requests of a phone for its own status: nobody else learns of an exposure.

EBID (8) | epoch (4) | time, seconds since 1900 modulo 2^32 (4) | HMAC (32)
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from tracetogether.crypto import equal, hmac_sha256
from tracetogether.diagnosis import InvalidReportError

REQUEST_BYTES: Final = 48
_MAC_BYTES: Final = 32
_WRAP: Final = 2**32


class RequestKind(IntEnum):
    """What a phone asks for; the number begins what its MAC covers."""

    STATUS = 2
    UNREGISTER = 3
    DELETE_HISTORY = 4


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A request as it is sent.

    Attributes:
        ebid: the phone's EBID of the epoch.
        epoch: its number; None in the form of May 2020, which has no such field.
        ntp_s: seconds since 1900.
        mac: 32 bytes.
    """

    ebid: bytes = field(repr=False)
    epoch: int | None
    ntp_s: int
    mac: bytes = field(repr=False)


def request_mac(
    mac_key: bytes, kind: RequestKind, ebid: bytes, epoch: int | None, ntp_s: int
) -> bytes:
    """Return the MAC (32 bytes) of a request."""
    number = b"" if epoch is None else epoch.to_bytes(4)
    said = bytes([kind]) + ebid + number + (ntp_s % _WRAP).to_bytes(4)
    return hmac_sha256(mac_key, said)


def write_request(mac_key: bytes, kind: RequestKind, ebid: bytes, epoch: int, ntp_s: int) -> bytes:
    """Return the 48 bytes of a request."""
    mac = request_mac(mac_key, kind, ebid, epoch, ntp_s)
    return ebid + epoch.to_bytes(4) + (ntp_s % _WRAP).to_bytes(4) + mac


def read_request(data: bytes) -> StatusRequest:
    """Read a request; its MAC is not checked, for only the EBID tells whose key to take.

    Raises:
        InvalidReportError: it has not 48 bytes.
    """
    if len(data) != REQUEST_BYTES:
        raise InvalidReportError(f"a status request has {REQUEST_BYTES} bytes, not {len(data)}")
    epoch, ntp_s = int.from_bytes(data[8:12]), int.from_bytes(data[12:16])
    return StatusRequest(data[:8], epoch, ntp_s, data[-_MAC_BYTES:])


def checked_request(data: bytes, kind: RequestKind, mac_key: bytes) -> StatusRequest:
    """Read a request of this kind and check that the phone with ``mac_key`` wrote it.

    Raises:
        InvalidReportError: it has another length, or its MAC does not fit.
    """
    said = read_request(data)
    expected = request_mac(mac_key, kind, said.ebid, said.epoch, said.ntp_s)
    if not equal(expected, said.mac):
        raise InvalidReportError("the MAC of a status request does not fit")
    return said
