"""The wire format of Protocol Buffers, as far as export files need it: fields <-> bytes.

A message is a row of fields. Each begins with number << 3 | kind: 0 a varint, 1 eight bytes,
2 bytes with their length before them, 5 four bytes. Unknown numbers are skipped.
"""

from collections.abc import Mapping
from typing import Final

from tracetogether.diagnosis import InvalidReportError

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
_FIXED32: Final = 5
_MOST_VARINT_BYTES: Final = 10
_WORD: Final = 2**64

Fields = dict[int, list[int | bytes]]


def varint(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first; negative ones as 64 bits."""
    number %= _WORD
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def zigzag(number: int) -> int:
    """Return 0, 1, 2, 3, .. for 0, -1, 1, -2, ..: what a signed field holds."""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """Return what ``zigzag`` was given."""
    return number >> 1 if number % 2 == 0 else -(number + 1 >> 1)


def signed32(number: int) -> int:
    """Return the int32 that a varint holds: its lowest 32 bits."""
    number &= 0xFFFFFFFF
    return number - 2**32 if number >> 31 else number


def number_field(number: int, value: int) -> bytes:
    """Return a field with a varint."""
    return varint(number << 3 | VARINT) + varint(value)


def fixed64_field(number: int, value: int) -> bytes:
    """Return a field with eight bytes, the lowest first."""
    return varint(number << 3 | FIXED64) + value.to_bytes(8, "little")


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field with bytes, text or a message."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def read_fields(data: bytes, kinds: Mapping[int, int], what: str) -> Fields:
    """Return the values of the known fields of a message, in order.

    Args:
        data: the message.
        kinds: number of a known field -> its kind.
        what: the message, as errors name it.

    Raises:
        InvalidReportError: the message ends within a field, or a known field has another kind.
    """
    found: Fields = {}
    at = 0
    while at < len(data):
        tag, at = _varint_at(data, at, what)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _varint_at(data, at, what)
        else:
            if kind == BYTES:
                size, at = _varint_at(data, at, what)
            elif kind in {FIXED64, _FIXED32}:
                size = 8 if kind == FIXED64 else 4
            else:
                raise InvalidReportError(f"{what}: byte {at} begins a field of unknown kind {kind}")
            if size > len(data) - at:
                raise InvalidReportError(f"{what} ends within field {number}")
            part = data[at : at + size]
            value = part if kind == BYTES else int.from_bytes(part, "little")
            at += size
        if number == 0:
            raise InvalidReportError(f"{what}: there is no field 0")
        if number in kinds:
            if kinds[number] != kind:
                raise InvalidReportError(f"{what}: field {number} is of kind {kind}")
            found.setdefault(number, []).append(value)
    return found


def _varint_at(data: bytes, at: int, what: str) -> tuple[int, int]:
    value = 0
    for place in range(at, min(at + _MOST_VARINT_BYTES, len(data))):
        byte = data[place]
        value |= (byte & 127) << 7 * (place - at)
        if byte < 128:
            return value % _WORD, place + 1
    if len(data) - at < _MOST_VARINT_BYTES:
        raise InvalidReportError(f"{what} ends within a number")
    raise InvalidReportError(f"{what}: a number of more than {_MOST_VARINT_BYTES} bytes")
