"""CBOR (RFC 8949): the strict subset of it that signed messages need.

A reader for bytes of strangers. It knows integers of 64 bits, bytes, texts, arrays, maps, floats,
false, true, null and the tags 0, 1, 18 and 61. It refuses everything else: lengths that come later,
a key that comes twice, other tags, deep nesting, and bytes that are left over. General libraries
ignore what is left over and keep the last of two equal keys, so a forger has room in them.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tracetogether.errors import UnreadableMessageError

MOST_BYTES: Final = 4_096
MOST_DEPTH: Final = 12

TAG_DATE: Final = 0  # RFC 8949: a date as text
TAG_TIME: Final = 1  # RFC 8949: epoch seconds
TAG_SIGN1: Final = 18  # RFC 9052: COSE_Sign1
TAG_CWT: Final = 61  # RFC 8392: CBOR Web Token
TAGS: Final = frozenset((TAG_DATE, TAG_TIME, TAG_SIGN1, TAG_CWT))

_ARGUMENTS: Final = (
    struct.Struct(">B"),
    struct.Struct(">H"),
    struct.Struct(">I"),
    struct.Struct(">Q"),
)
_FLOATS: Final = MappingProxyType(
    {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
)
_SIMPLE: Final = MappingProxyType({20: False, 21: True, 22: None})
_KEYS: Final = (str, int, bytes)  # others are equal to numbers, or have no hash
_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _OTHER = range(8)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a CBOR tag, which says what the value means."""

    tag: int
    value: object


def read_cbor(data: bytes, *, most_bytes: int = MOST_BYTES) -> object:
    r"""Return the one value that ``data`` holds: maps as dict, arrays as list, tags as ``Tagged``.

    Args:
        data: a whole message; nothing may be left over behind the value.
        most_bytes: a longer message is refused unread.

    Raises:
        UnreadableMessageError: it is not in the subset; the code begins with "cbor-".

    Example:
        >>> read_cbor(bytes.fromhex("a2016253470282f54101"))
        {1: 'SG', 2: [True, b'\x01']}
    """
    if len(data) > most_bytes:
        raise UnreadableMessageError(
            "a message of {length} bytes; at most {most} are read",
            "cbor-too-long",
            length=len(data),
            most=most_bytes,
        )
    try:
        value, end = _value(data, 0, 0)
    except (IndexError, struct.error):
        raise UnreadableMessageError("the CBOR ends too early", "cbor-cut-short") from None
    except UnicodeDecodeError:
        raise UnreadableMessageError("a text in the CBOR is not UTF-8", "cbor-not-utf-8") from None
    if end != len(data):
        raise UnreadableMessageError(
            "{count} bytes are left over behind the CBOR", "cbor-left-over", count=len(data) - end
        )
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[object, int]:  # noqa: C901, PLR0912
    """Return the value that begins at byte ``at``, and where it ends."""
    first = data[at]
    at += 1
    kind, argument = first >> 5, first & 31
    if argument > 23:
        if kind == _OTHER:
            return _other(data, at, argument)
        if argument > 27:
            raise UnreadableMessageError(
                "a length that comes later, or is reserved", "cbor-indefinite"
            )
        form = _ARGUMENTS[argument - 24]
        (argument,) = form.unpack_from(data, at)
        at += form.size
    if _BYTES <= kind <= _TEXT:  # most values
        end = at + argument
        if end > len(data):
            raise IndexError
        return (data[at:end].decode() if kind == _TEXT else data[at:end]), end
    if kind == _UINT:
        return argument, at
    if kind == _NEGATIVE:
        return -1 - argument, at
    if kind == _OTHER:
        return _other(data, at, argument)
    depth += 1
    if depth > MOST_DEPTH:
        raise UnreadableMessageError("the CBOR is nested too deeply", "cbor-too-deep")
    if kind == _TAG:
        if argument not in TAGS:
            raise UnreadableMessageError("the CBOR has tag {tag}", "cbor-unknown-tag", tag=argument)
        value, at = _value(data, at, depth)
        return Tagged(argument, value), at
    if argument > len(data) - at:  # each item has a byte: so no big list is ever begun
        raise IndexError
    if kind == _ARRAY:
        items = []
        for _ in range(argument):
            value, at = _value(data, at, depth)
            items.append(value)
        return items, at
    pairs: dict[object, object] = {}
    for _ in range(argument):
        key, at = _value(data, at, depth)
        if key.__class__ not in _KEYS:
            raise UnreadableMessageError("a key is no number, text or bytes", "cbor-key")
        if key in pairs:
            raise UnreadableMessageError("a key comes twice in a map", "cbor-key-twice")
        pairs[key], at = _value(data, at, depth)
    return pairs, at


def _other(data: bytes, at: int, argument: int) -> tuple[object, int]:
    if argument in _FLOATS:
        form = _FLOATS[argument]
        (number,) = form.unpack_from(data, at)
        return number, at + form.size
    if argument in _SIMPLE:
        return _SIMPLE[argument], at
    raise UnreadableMessageError("the CBOR has a simple value that means nothing", "cbor-simple")


def write_cbor(value: object) -> bytes:
    """Return a value as CBOR: the same bytes for equal values (RFC 8949, section 4.2.1).

    Args:
        value: dict, list, tuple, str, bytes, int of 64 bits, float, bool, None or ``Tagged``.

    Raises:
        TypeError: it holds something else.
        ValueError: an integer is too large.

    Example:
        >>> write_cbor({-260: 1, 4: [b"", "a"]}).hex()
        'a2048240616139010301'
    """
    written: list[bytes] = []
    _write(value, written.append)
    return b"".join(written)


def _head(kind: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((kind << 5 | argument,))
    for power, form in enumerate(_ARGUMENTS):
        if argument < 1 << 8 * form.size:
            return bytes((kind << 5 | 24 + power,)) + form.pack(argument)
    msg = "an integer has more than 64 bits"
    raise ValueError(msg)


def _write(value: object, add: Callable[[bytes], object]) -> None:
    match value:
        case None | bool():
            add(bytes((0xF6 if value is None else 0xF4 + value,)))
        case int():
            add(_head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value))
        case float():
            add(_shortest_float(value))
        case bytes():
            add(_head(_BYTES, len(value)) + value)
        case str():
            encoded = value.encode()
            add(_head(_TEXT, len(encoded)) + encoded)
        case list() | tuple():
            add(_head(_ARRAY, len(value)))
            for item in value:
                _write(item, add)
        case dict():
            add(_head(_MAP, len(value)))
            for key, inner in sorted((write_cbor(key), inner) for key, inner in value.items()):
                add(key)
                _write(inner, add)
        case Tagged():
            add(_head(_TAG, value.tag))
            _write(value.value, add)
        case _:
            msg = f"CBOR has no form for a {type(value).__name__}"
            raise TypeError(msg)


def _shortest_float(number: float) -> bytes:
    if math.isnan(number):
        return b"\xf9\x7e\x00"
    for first, form in _FLOATS.items():
        try:
            packed = form.pack(number)
        except OverflowError:
            continue
        if form.unpack(packed)[0] == number:
            return bytes((_OTHER << 5 | first,)) + packed
    raise AssertionError(number)  # a double holds every float of Python
