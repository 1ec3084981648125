"""What a phone sends: its EBID of 32 bytes in slices, for 31 bytes have no room for it.

Two slices hold half of the EBID each, the third their exclusive or: any two give the whole. A phone
shows the slices in turn. The service data is the number of the slice (1 byte) and 16 bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tracetogether.desire.keys import EBID_BYTES
from tracetogether.errors import RemoteProtocolError
from tracetogether.exchange import RadioProfile
from tracetogether.short_advertisement import service_data_of, with_service_data
from tracetogether.units import SECONDS_PER_DAY

SERVICE: Final = 0xFFFE  # of no company: the specification leaves it open
PROFILE: Final = RadioProfile(service=f"{SERVICE:04X}", characteristic=None, company_id=0)
"""No characteristic: the advertisement can't be answered by a connection."""
RETENTION_S: Final = 14 * SECONDS_PER_DAY
SLICE_S: Final = 20
SLICES: Final = 3
_HALF: Final = EBID_BYTES // 2


@dataclass(frozen=True, slots=True)
class EbidSlice:
    """Slice 0, 1 or 2 of an EBID, 16 bytes."""

    number: int
    data: bytes = field(repr=False)


def slices_of(ebid: bytes) -> tuple[EbidSlice, ...]:
    """Return the three slices of an EBID.

    Raises:
        ValueError: it has not 32 bytes.
    """
    if len(ebid) != EBID_BYTES:
        raise ValueError(f"an EBID has {EBID_BYTES} bytes, not {len(ebid)}")
    halves = ebid[:_HALF], ebid[_HALF:]
    return (EbidSlice(0, halves[0]), EbidSlice(1, halves[1]), EbidSlice(2, _xor(*halves)))


def slice_at(time: float) -> int:
    """Return the number of the slice that a phone shows at ``time`` (epoch seconds)."""
    return int(time // SLICE_S) % SLICES


def ebid_from(slices: Mapping[int, bytes]) -> bytes | None:
    """Return the EBID of slices that one phone sent: number -> 16 bytes; None of fewer than two."""
    first, second, parity = (slices.get(number) for number in range(SLICES))
    if first is not None and second is not None:
        return first + second
    if parity is None or (first is None and second is None):
        return None
    if first is not None:
        return first + _xor(first, parity)
    return _xor(second or b"", parity) + (second or b"")


def write_advertisement(part: EbidSlice, service: int = SERVICE) -> bytes:
    """Return the 28 bytes of one advertisement.

    Raises:
        ValueError: the slice is none.
    """
    if part.number not in range(SLICES) or len(part.data) != _HALF:
        raise ValueError("a slice has the number 0, 1 or 2 and 16 bytes")
    return with_service_data(service, bytes([part.number]) + part.data)


def read_advertisement(value: bytes, service: int = SERVICE) -> EbidSlice:
    """Return the slice of an advertisement.

    Raises:
        RemoteProtocolError: it is no advertisement of this service, or its data is no slice.
    """
    data = service_data_of(value, service)
    if len(data) != 1 + _HALF or data[0] >= SLICES:
        raise RemoteProtocolError("a slice has the number 0, 1 or 2 and 16 bytes")
    return EbidSlice(data[0], data[1:])


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))
