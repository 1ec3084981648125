"""The wire format of Protocol Buffers, as far as posters and export files need it.

A message is a row of fields. Each begins with number << 3 | kind: 0 a varint, 1 eight bytes,
2 bytes with their length before them, 5 four bytes. Unknown numbers are skipped. The bytes are a
stranger's, so that every fault is an ``UnreadableMessageError`` with a code.
"""

from collections.abc import Mapping
from typing import Final

from tracetogether.errors import UnreadableMessageError

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


def last_number(fields: Fields, number: int, default: int = 0) -> int:
    """Return the last value of a field of numbers, as readers of Protocol Buffers do."""
    value = fields.get(number, [default])[-1]
    return value if isinstance(value, int) else default


def last_bytes(fields: Fields, number: int) -> bytes:
    """Return the last value of a field of bytes; empty bytes if there is none."""
    value = fields.get(number, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def last_text(fields: Fields, number: int, what: str) -> str:
    """Return the last value of a field of text; "" if there is none.

    Raises:
        UnreadableMessageError: it is not UTF-8.
    """
    try:
        return last_bytes(fields, number).decode()
    except UnicodeDecodeError:
        raise _fault(
            "{what}: field {field} is not text in UTF-8", "not-utf-8", what, field=number
        ) from None


def read_fields(data: bytes, kinds: Mapping[int, int], what: str) -> Fields:
    """Return the values of the known fields of a message, in order.

    Args:
        data: the message.
        kinds: number of a known field -> its kind.
        what: the message, as errors name it.

    Raises:
        UnreadableMessageError: the message ends within a field, or a known field has another kind;
            the code begins with "protobuf-".
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
                raise _fault(
                    "{what}: byte {at} begins a field of unknown kind {kind}",
                    "kind",
                    what,
                    at=at,
                    kind=kind,
                )
            if size > len(data) - at:
                raise _fault("{what} ends within field {field}", "cut-short", what, field=number)
            part = data[at : at + size]
            value = part if kind == BYTES else int.from_bytes(part, "little")
            at += size
        if number == 0:
            raise _fault("{what}: there is no field 0", "field-0", what)
        if number in kinds:
            if kinds[number] != kind:
                raise _fault(
                    "{what}: field {field} is of kind {kind}", "kind", what, field=number, kind=kind
                )
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
        raise _fault("{what} ends within a number", "cut-short", what)
    raise _fault(
        "{what}: a number of more than {most} bytes", "number", what, most=_MOST_VARINT_BYTES
    )


def _fault(message: str, code: str, what: str, **figures: object) -> UnreadableMessageError:
    return UnreadableMessageError(message, f"protobuf-{code}", what=what, **figures)
