"""JSON from strangers, judged by size and count before any object is made of it."""

import codecs
import re
from typing import Final

import numpy as np

_PIECE: Final = 1 << 18
_QUOTE, _COMMA = np.frombuffer(b'",', dtype=np.uint8)
_STEP: Final = np.zeros(256, dtype=np.int8)
_STEP[np.frombuffer(b"[{", dtype=np.uint8)] = 1
_STEP[np.frombuffer(b"]}", dtype=np.uint8)] = -1
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


def count_items(array: bytes) -> int:
    """Return how many items a JSON array has, from its syntactically valid text alone."""
    # After this every quotation mark begins or ends a string.
    text = array.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    if not text.strip(_BLANKS)[1:-1].strip(_BLANKS):
        return 0
    commas = quotes = depth = 0
    for start in range(0, len(text), _PIECE):
        piece = np.frombuffer(
            text, dtype=np.uint8, count=min(_PIECE, len(text) - start), offset=start
        )
        within = np.cumsum(piece == _QUOTE, dtype=np.int32) + quotes
        steps = _STEP[piece]
        steps[within % 2 == 1] = 0
        depths = np.cumsum(steps, dtype=np.int32) + depth
        commas += int(np.count_nonzero((piece == _COMMA) & (within % 2 == 0) & (depths == 1)))
        quotes, depth = int(within[-1]), int(depths[-1])
    return commas + 1


def without_lone_surrogates(body: bytes) -> bytes:
    r"""Return JSON with each escape of half a character (``\ud800``) as U+FFFD.

    A phone may have heard such a text from a stranger; it must not spoil the whole file.
    """
    if b"\x01" in body:  # never valid in JSON, so it can stand for something below
        return body
    marked = body.replace(b"\\\\", b"\x01\x01")
    return _LONE.sub(rb"\\ufffd", marked).replace(b"\x01\x01", b"\\\\")
