"""JSON from strangers, judged by size and count before any object is made of it."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_PIECE: Final = 1 << 18
_BATCH: Final = 1 << 17
_MOST_MEMBERS: Final = 10_000
_IN_STRING: Final = 1 << 30
_QUOTE, _COMMA, _COLON, _CLOSING_BRACE = b'",:}'
_STEP: Final = np.zeros(256, dtype=np.int8)
_STEP[np.frombuffer(b"[{", dtype=np.uint8)] = 1
_STEP[np.frombuffer(b"]}", dtype=np.uint8)] = -1
_MARK: Final = np.zeros(256, dtype=np.bool_)
_MARK[np.frombuffer(b'"[]{},:', dtype=np.uint8)] = True
_BLANKS: Final = b" \t\n\r"
_HEX: Final = rb"[0-9a-fA-F]"
_HIGH: Final = rb"\\u[dD][89abAB]" + _HEX * 2
_LOW: Final = rb"\\u[dD][c-fC-F]" + _HEX * 2
_LONE: Final = re.compile(_HIGH + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb")" + _LOW)


def is_utf8(body: bytes) -> bool:
    """Return whether ``body`` is UTF-8; holds a small piece of its text at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for start in range(0, len(body), _PIECE):
            decoder.decode(view[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def members(text: bytes) -> dict[bytes, bytes] | None:
    """Return the members of a JSON object: each key as it is written, and its value's text.

    None if it is no object, its brackets or strings do not end, or it has more members than
    anything that is read here. Values are not looked into any further.
    """
    text = text.strip(_BLANKS)
    ends: list[int] = []
    colons: list[int] = []
    for piece in _pieces(text):
        ends += piece.places(_COMMA, 1) + piece.places(_CLOSING_BRACE, 0)
        colons += piece.places(_COLON, 1)
        if piece.rises_above_ground or max(len(ends), len(colons)) > _MOST_MEMBERS:
            return None
    if text[:1] != b"{" or not ends or ends[-1] != len(text) - 1:
        return None
    if not colons and len(ends) == 1:
        return {}
    if len(colons) != len(ends):
        return None
    begins = [0, *ends[:-1]]
    return {
        text[begin + 1 : colon].strip(_BLANKS): text[colon + 1 : end].strip(_BLANKS)
        for begin, colon, end in zip(begins, colons, ends, strict=True)
    }


def count_items(array: bytes) -> int:
    """Return how many items a JSON array has, from its text alone."""
    return item_ends(array, 0)[0]


def item_ends(array: bytes, most: int) -> tuple[int, list[int]]:
    """Return how many items a JSON array has, and where each ends if there are ``most`` at most.

    Args:
        array: its text, stripped.
        most: beyond it the second value is empty.
    """
    if not array[1:-1].strip(_BLANKS):
        return 0, []
    count = 1
    ends: list[int] = []
    for piece in _pieces(array):
        count += piece.count(_COMMA, 1)
        if count <= most:
            ends += piece.places(_COMMA, 1)
    return count, [*ends, len(array) - 1] if count <= most else []


def batches_of_items(array: bytes, ends: Iterable[int], longest: int) -> Iterator[bytes]:
    """Yield a JSON array in short arrays of a few of its items each.

    Reading one takes about a millisecond, so that other threads get their turn between two.

    Args:
        array: its text, stripped.
        ends: of its items.
        longest: bytes of an item; ``null`` is in the place of one that is longer.
    """
    batch: list[bytes] = []
    size = begin = 0
    for end in ends:
        item = array[begin + 1 : end] if end - begin <= longest else b"null"
        begin = end
        batch.append(item)
        size += len(item)
        if size >= _BATCH:
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 0
    if batch:
        yield b"[" + b",".join(batch) + b"]"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Brackets, commas, colons and quotation marks of some bytes of a JSON text.

    Attributes:
        place: (n,) where each lies in the text.
        text: (n,) what it is.
        depth: (n,) in how many brackets it lies, after it; a large number within strings.
    """

    place: npt.NDArray[np.intp]
    text: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.int32]

    def places(self, byte: int, depth: int) -> list[int]:
        """Return where a byte lies in the whole text, at that depth."""
        found: list[int] = self.place[(self.text == byte) & (self.depth == depth)].tolist()
        return found

    def count(self, byte: int, depth: int) -> int:
        """Return how often a byte lies at that depth."""
        return int(np.count_nonzero((self.text == byte) & (self.depth == depth)))

    @property
    def rises_above_ground(self) -> bool:
        """Whether more brackets end than begin."""
        return bool(self.depth.min() < 0)


def _pieces(text: bytes) -> Iterator[_Piece]:
    start = depth = 0
    quoted = 0
    while start < len(text):
        raw = text[start : start + _PIECE]
        if (len(raw) - len(raw.rstrip(b"\\"))) % 2:  # what it escapes belongs to it
            raw = text[start : start + _PIECE + 1]
        # After this every quotation mark begins or ends a string.
        plain = raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        piece = np.frombuffer(plain, dtype=np.uint8)
        places = np.flatnonzero(_MARK[piece])
        piece = piece[places]
        places += start
        start += len(raw)
        if not piece.size:
            continue
        within = np.bitwise_xor.accumulate((piece == _QUOTE).view(np.uint8)) ^ quoted
        steps = _STEP[piece]
        steps[within == 1] = 0
        depths = np.cumsum(steps, dtype=np.int32)
        depths += depth
        quoted, depth = int(within[-1]), int(depths[-1])
        depths[within == 1] = _IN_STRING
        yield _Piece(places, piece, depths)


def without_lone_surrogates(body: bytes) -> bytes:
    r"""Return JSON with each escape of half a character (``\ud800``) as U+FFFD.

    A phone may have heard such a text from a stranger; it must not spoil the whole file.
    """
    if b"\x01" in body:  # never valid in JSON, so it can stand for something below
        return body
    marked = body.replace(b"\\\\", b"\x01\x01")
    return _LONE.sub(rb"\\ufffd", marked).replace(b"\x01\x01", b"\\\\")
