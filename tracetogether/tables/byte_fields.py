"""Numbers and names out of a block of text, many fields at once."""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.labels import UNKNOWN, Labels
from tracetogether.units import Bools, Floats, Ints

LONGEST_NAME: Final = 256
"""In bytes; a longer name has to be read another way."""

MISSING_WORDS: Final = frozenset(
    {"", "NA", "N/A", "<NA>", "NaN", "nan", "NaT", "None", "null", "NULL"}
)
"""What R, pandas and others write where they have no value."""

_NUMBER_BYTES: Final = 24  # a longer number is read by float()
_EXACT: Final = 2**53  # integers up to here are exact in float64 ...
_EXACT_POWER: Final = 22  # ... and so are powers of ten up to here
_WORD: Final = 8
_DOT, _COMMA, _MINUS, _PLUS, _ZERO = b".,-+0"

_GROUPED: Final = re.compile(
    r"\s*[+-]?[1-9]\d{0,2}(?:([.,' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}])\d{3})"
    r"(?:\1\d{3})*(?:[.,]\d+)?\s*"
)
_WITH_UNIT: Final = re.compile(r"[+-]?\d[\d.,]*\s*[A-Za-zµ%°]+")

Text = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


def padded(block: bytes) -> Text:
    """Return ``block`` as an array with room behind, so that any field may be overrun."""
    return np.frombuffer(block + bytes(LONGEST_NAME + _WORD), dtype=np.uint8)


def read_decimals(
    text: Text, starts: Ints, ends: Ints, marks: bytes = b"."
) -> tuple[Floats, Bools, Bools]:
    """Read the numbers in ``text[starts[i]:ends[i]]``.

    A plain decimal is an integer mantissa over a power of ten, both exact, so that the one
    division rounds as float() does. Anything else goes through float() itself.

    Args:
        text: from ``padded``.
        starts: (n,) where each field begins.
        ends: (n,) where it ends, exclusive.
        marks: the decimal marks: a point, or a point and a comma.

    Returns:
        (n,) values, NaN where blank or unreadable; which are unreadable; which are blank.
    """
    count = len(starts)
    length = ends - starts
    mantissa = np.zeros(count, dtype=np.int64)
    digits = np.zeros(count, dtype=np.int64)
    decimals = np.zeros(count, dtype=np.int64)
    after_dot = np.zeros(count, dtype=np.bool_)
    lead = text[starts]
    negative = (lead == _MINUS) & (length > 0)
    signed = negative | ((lead == _PLUS) & (length > 0))
    plain = length <= _NUMBER_BYTES
    for place in range(min(int(length.max(initial=0)), _NUMBER_BYTES)):
        inside = length > place
        character = text[starts + place]
        digit = character - np.uint8(_ZERO)  # what is below "0" wraps to above 9
        is_digit = inside & (digit <= 9)
        is_dot = inside & (character == _DOT)
        if len(marks) > 1:
            is_dot |= inside & (character == _COMMA)
        known = is_digit | (is_dot & ~after_dot) | ~inside
        plain &= known | signed if place == 0 else known
        mantissa = np.where(is_digit & (mantissa < _EXACT), mantissa * 10 + digit, mantissa)
        digits += is_digit
        decimals += is_digit & after_dot
        after_dot |= is_dot
    plain &= (digits > 0) & (mantissa < _EXACT) & (decimals <= _EXACT_POWER)
    values = mantissa / 10.0 ** np.minimum(decimals, _EXACT_POWER)
    values = np.where(negative, -values, values)
    unreadable = np.zeros(count, dtype=np.bool_)
    blank = length == 0
    values[blank] = np.nan
    for row in np.flatnonzero(~plain & ~blank).tolist():  # the unusual ones only
        field = text[starts[row] : ends[row]].tobytes().decode("utf-8", errors="replace")
        value = number(field, marks)
        blank[row] = is_blank(field)
        unreadable[row] = value is None
        values[row] = np.nan if value is None else value
    return values, unreadable, blank


def number(text: str, marks: bytes = b".") -> float | None:
    """Return the number in ``text``, NaN if it is blank, None if it is none."""
    if is_blank(text):
        return np.nan
    if not text.isascii() or "_" in text:  # float() takes 1_000 and ١٢ too; tables don't mean it
        return None
    if len(marks) > 1 and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def is_blank(text: str) -> bool:
    """Return whether a field holds nothing, or what programs write for nothing, such as NA."""
    return text.strip() in MISSING_WORDS


def is_grouped(text: str) -> bool:
    """Return whether a number may have marks between its thousands, as 1,600 and 1 600 000 do."""
    return _GROUPED.fullmatch(text) is not None


def number_fault(text: str) -> str:
    """Return what is wrong with a field that is no number, and what to write."""
    shown = repr(text[:40])
    text = text.strip()
    if is_grouped(text):
        return f"{shown} seems to have marks between thousands; write the number without them"
    if text.startswith("\N{MINUS SIGN}"):
        return f"{shown} begins with a typographic minus sign; write a hyphen"
    if _WITH_UNIT.fullmatch(text):
        return f"{shown} has a unit behind it; write the number alone"
    return f"is not a number: {shown}"


def marks_used(buffer: Text, starts: Ints, ends: Ints, marks: bytes) -> frozenset[int]:
    """Return which of ``marks`` are within the fields ``buffer[starts[i]:ends[i]]``."""
    used = set()
    for mark in marks:
        places = np.flatnonzero(buffer == mark)
        if len(places) and len(starts):
            row = np.searchsorted(starts, places, side="right") - 1
            if np.any((row >= 0) & (places < ends[row])):
                used.add(mark)
    return frozenset(used)


def read_names(text: Text, starts: Ints, ends: Ints) -> tuple[Labels, Bools, Bools]:
    """Read the names in ``text[starts[i]:ends[i]]``; the space around them is dropped.

    Args:
        text: from ``padded``; holds no NUL within the fields.
        starts: (n,) where each field begins.
        ends: (n,) where it ends, exclusive; no field is longer than LONGEST_NAME.

    Returns:
        The names, unknown where blank or unreadable; which are no UTF-8; which are blank.
    """
    length = ends - starts
    width = max(1, -(-int(length.max(initial=0)) // _WORD))  # in words
    matrix = np.empty((len(starts), width), dtype="<u8")
    windows = np.lib.stride_tricks.sliding_window_view(text, _WORD)
    for word in range(width):
        beyond = np.clip((word + 1) * _WORD - length, 0, _WORD)  # bytes behind the field's end
        value = windows[starts + word * _WORD].view("<u8")[:, 0]
        # Shifting by 64 is undefined, so a word wholly behind the end is shifted in two steps.
        half = (beyond * 4).astype(np.uint64)
        matrix[:, word] = value << half << half >> half >> half
    uniques, inverse = _unique_rows(matrix)
    names: dict[str, int] = {}
    table = np.empty(len(uniques), dtype=np.int32)
    undecodable = np.zeros(len(uniques), dtype=np.bool_)
    for index, row in enumerate(uniques):
        try:
            name = row.tobytes().rstrip(b"\0").decode("utf-8").strip()
        except UnicodeDecodeError:
            undecodable[index] = True
            name = ""
        known = name not in MISSING_WORDS
        table[index] = names.setdefault(name, len(names)) if known else UNKNOWN
    codes = table[inverse]
    unreadable = undecodable[inverse]
    return Labels(codes, tuple(names)), unreadable, (codes == UNKNOWN) & ~unreadable


def _unique_rows(words: Words) -> tuple[Words, Ints]:
    """Return the distinct rows and, for each row, which of them it is.

    Sorting one 64-bit mixture per row is several times faster than sorting the rows; where
    two rows share a mixture, which is checked, the rows are sorted after all.
    """
    mixed = words[:, 0].copy()
    for column in range(1, words.shape[1]):
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x9E3779B97F4A7C15)  # odd, so nothing is lost; overflow wraps
        mixed ^= words[:, column]
    distinct = np.unique(mixed)
    inverse = np.searchsorted(distinct, mixed)
    example = np.empty(len(distinct), dtype=np.int64)
    example[inverse] = np.arange(len(words))
    uniques = words[example]
    if np.array_equal(words, uniques[inverse]):
        return uniques, inverse
    uniques, inverse = np.unique(words, axis=0, return_inverse=True)
    return uniques, inverse.reshape(-1)
