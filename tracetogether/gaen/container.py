"""A strict reader of the zip files that hold exports: every bit has one meaning, or is an error.

The usual readers look at the directory at the end alone, and leave dates, attributes and spare
bits as they are. Here both headers of a file must agree, files lie side by side from the first byte
on, and all that says nothing has the value that servers write. So a changed bit is seen.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tracetogether.diagnosis import InvalidReportError

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_DIRECTORY: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_DESCRIPTOR: Final = struct.Struct("<4s3I")
_LOCAL_MARK: Final = b"PK\x03\x04"
_DIRECTORY_MARK: Final = b"PK\x01\x02"
_END_MARK: Final = b"PK\x05\x06"
_DESCRIPTOR_MARK: Final = b"PK\x07\x08"
_EMPTY_BLOCK: Final = b"\x00\x00\xff\xff"  # with which some writers end; its head is a byte before
_STORED, _DEFLATED = 0, 8
_SIZES_FOLLOW: Final = 8  # a descriptor after the content holds sizes and checksum
_UTF8: Final = 0x800
_MAKERS: Final = frozenset({0x000A, 0x0014, 0x0314})  # versions 1.0 and 2.0; 2.0 under Unix
_MODES: Final = frozenset({0, 0o600 << 16, 0o100644 << 16})


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the directory says of one file."""

    name: bytes
    version: int
    flags: int
    method: int
    time: int
    date: int
    checksum: int
    packed: int
    size: int
    offset: int


def read_container(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return the contents of a zip file that holds exactly these files.

    Args:
        data: the zip file.
        limits: name of a file -> the greatest size of its content, bytes.

    Raises:
        InvalidReportError: the zip is damaged, holds other files, is of a form that servers do not
            write, or a content is too large.
    """
    entries, begin = _directory(data)
    if sorted(entry.name for entry in entries) != sorted(name.encode() for name in limits):
        raise InvalidReportError(f"an export holds {' and '.join(limits)}, nothing else")
    found, at = {}, 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset != at:
            raise _damaged("a gap between two files")
        name = entry.name.decode()
        content, at = _content(data, entry, begin, limits[name])
        found[name] = content
    if at != begin:
        raise _damaged("a gap before the directory")
    return found


def _damaged(what: str) -> InvalidReportError:
    return InvalidReportError(f"the export is a damaged or unusual zip file: {what}")


def _directory(data: bytes) -> tuple[list[_Entry], int]:
    """Return the entries of the directory, and where it begins."""
    at = len(data) - _END.size
    if at < 0 or data[at : at + 4] != _END_MARK:
        raise _damaged("no end record")
    _, disk, first_disk, here, count, size, begin, comment = _END.unpack_from(data, at)
    if disk or first_disk or comment or here != count or begin + size != at:
        raise _damaged("its end record")
    entries, place = [], begin
    for _ in range(count):
        if place + _DIRECTORY.size > at:
            raise _damaged("its directory is cut off")
        fields = _DIRECTORY.unpack_from(data, place)
        mark, made_by, version, flags, method, time, date, checksum, packed, whole = fields[:10]
        name_size, extra, comment, disk, kind, mode, offset = fields[10:]
        if mark != _DIRECTORY_MARK or extra or comment or disk or kind:
            raise _damaged("an entry of its directory")
        if made_by not in _MAKERS or mode not in _MODES or flags & ~(_SIZES_FOLLOW | _UTF8):
            raise _damaged("attributes or flags")
        place += _DIRECTORY.size
        name = data[place : place + name_size]
        place += name_size
        entries.append(
            _Entry(name, version, flags, method, time, date, checksum, packed, whole, offset)
        )
    if place != at:
        raise _damaged("its directory is of another size")
    return entries, begin


def _content(data: bytes, entry: _Entry, limit_at: int, limit: int) -> tuple[bytes, int]:
    """Return the content of a file, and where the next one begins."""
    at = entry.offset + _LOCAL.size
    if at + len(entry.name) > limit_at:
        raise _damaged("a file is cut off")
    mark, *fields, name_size, extra = _LOCAL.unpack_from(data, entry.offset)
    follows = bool(entry.flags & _SIZES_FOLLOW)
    sizes = (0, 0, 0) if follows else (entry.checksum, entry.packed, entry.size)
    expected = [entry.version, entry.flags, entry.method, entry.time, entry.date, *sizes]
    name = data[at : at + len(entry.name)]
    if mark != _LOCAL_MARK or extra or name_size != len(name) or name != entry.name:
        raise _damaged("the header of a file")
    if fields != expected:
        raise _damaged("a file's header differs from the directory")
    at += name_size
    packed = data[at : at + entry.packed]
    at += entry.packed
    if follows:
        descriptor = (_DESCRIPTOR_MARK, entry.checksum, entry.packed, entry.size)
        if data[at : at + _DESCRIPTOR.size] != _DESCRIPTOR.pack(*descriptor):
            raise _damaged("the sizes after a file differ from the directory")
        at += _DESCRIPTOR.size
    if at > limit_at:
        raise _damaged("a file runs into the directory")
    if entry.size > limit:
        raise InvalidReportError(f"{entry.name.decode()} is larger than {limit} bytes")
    content = _unpacked(packed, entry)
    if len(content) != entry.size or zlib.crc32(content) != entry.checksum:
        raise _damaged("the checksum of a file does not fit")
    return content, at


def _unpacked(packed: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        return packed
    if entry.method != _DEFLATED or not packed:
        raise _damaged(f"method {entry.method}")
    tail = len(_EMPTY_BLOCK) if packed.endswith(_EMPTY_BLOCK) and len(packed) > 5 else 0
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = stream.decompress(packed[: -1 - tail], entry.size + 1)
        if stream.eof or stream.unconsumed_tail:
            raise _damaged("a file is longer than the directory says")
        end = packed[-1 - tail :]
        last = _end_of(stream, end)
        if last is None or _has_odd_padding(packed) or _has_spare_bit(stream, end, last):
            raise _damaged("a file's content")
    except zlib.error as error:
        raise _damaged(str(error)) from None
    return content + last


def _end_of(stream: "zlib._Decompress", end: bytes) -> bytes | None:
    """Return what the end of a stream adds, None if the stream does not end with it."""
    copy = stream.copy()
    try:
        found = copy.decompress(end)
    except zlib.error:
        return None
    return found if copy.eof and not copy.unused_data else None


def _has_spare_bit(stream: "zlib._Decompress", end: bytes, last: bytes) -> bool:
    """Return whether a bit of the first byte of ``end`` is 1 that plays no part."""
    bits = (1 << place for place in range(8) if end[0] >> place & 1)
    return any(_end_of(stream, bytes([end[0] ^ bit]) + end[1:]) == last for bit in bits)


def _has_odd_padding(packed: bytes) -> bool:
    """Return whether bits between the head of a stored block and its length are not zero.

    Servers write such blocks, as keys are random and can't be packed. Only a row of stored blocks
    from the first byte on can be followed without unpacking.
    """
    at = 0
    while at + 5 <= len(packed):
        if packed[at] >> 1 & 3:
            return False
        if packed[at] >> 3:
            return True
        at += 5 + int.from_bytes(packed[at + 1 : at + 3], "little")
    return False
