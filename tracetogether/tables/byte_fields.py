"""Numbers, names and times from a block of text: all fields of a column at once.

A field is ``text[starts[i]:ends[i]]``. Each function walks over the characters of a field, not over
the fields: step k handles the k-th character of every field in one numpy operation. Fields with an
unusual form go through Python one by one.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.labels import UNKNOWN, Labels
from tracetogether.tables.timestamps import (
    DATE_WITH_ZONE,
    DATE_WITHOUT_ZONE,
    NUMBER,
    Times,
    days_since_1970,
    lost_seconds,
)
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    Bools,
    Floats,
    Ints,
)

LONGEST_NAME: Final = 256
"""Bytes; ``read_names`` takes no longer names."""

MISSING_WORDS: Final = frozenset(
    {"", "NA", "N/A", "<NA>", "NaN", "nan", "NaT", "None", "null", "NULL"}
)
"""Words that R, pandas and other programs write for a missing value."""

_NUMBER_BYTES: Final = 24  # float() reads longer numbers
_EXACT: Final = 2**53  # integers up to this are exact in float64 ...
_EXACT_POWER: Final = 22  # ... and so are powers of ten up to 10**22
_WORD: Final = 8
_BLANK, _PLUS, _COMMA, _MINUS, _DOT, _SLASH, _ZERO, _COLON = b" +,-./0:"

_GROUPED: Final = re.compile(
    r"\s*[+-]?[1-9]\d{0,2}(?:([.,' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}])\d{3})"
    r"(?:\1\d{3})*(?:[.,]\d+)?\s*"
)
_WITH_UNIT: Final = re.compile(r"[+-]?\d[\d.,]*\s*[A-Za-zµ%°]+")

Text = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


def padded(block: bytes) -> Text:
    """Return the bytes of ``block`` plus zeros at the end, so that reads past a field are safe."""
    return np.frombuffer(block + bytes(LONGEST_NAME + _WORD), dtype=np.uint8)


def read_decimals(
    text: Text, starts: Ints, ends: Ints, marks: bytes = b"."
) -> tuple[Floats, Bools, Bools]:
    """Return the numbers in n fields.

    A plain decimal is an integer mantissa divided by a power of ten. Both are exact in float64, so
    the one division rounds as float() does. float() itself reads all other forms.

    Args:
        text: from ``padded``.
        starts: (n,) begin of each field.
        ends: (n,) end of each field, exclusive.
        marks: the decimal marks: a point, or a point and a comma.

    Returns:
        (n,) values, NaN where blank or unreadable; (n,) which are unreadable; (n,) which are blank.

    >>> values, _, _ = read_decimals(padded(b"-61,2.5"), np.array([0, 4]), np.array([3, 7]))
    >>> values.tolist()
    [-61.0, 2.5]
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
        digit = character - np.uint8(_ZERO)  # characters below "0" wrap to above 9
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
    for row in np.flatnonzero(~plain & ~blank).tolist():  # few fields
        field = text[starts[row] : ends[row]].tobytes().decode("utf-8", errors="replace")
        value = number(field, marks)
        blank[row] = is_blank(field)
        unreadable[row] = value is None
        values[row] = np.nan if value is None else value
    return values, unreadable, blank


def number(text: str, marks: bytes = b".") -> float | None:
    """Return the number in ``text``, NaN if it is blank, None if it is not a number.

    >>> number("-61.5"), number("1_000")
    (-61.5, None)
    """
    if is_blank(text):
        return np.nan
    if not text.isascii() or "_" in text:  # float() accepts 1_000 and ١٢, tables don't
        return None
    if len(marks) > 1 and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def is_blank(text: str) -> bool:
    """Return whether a field is empty or holds a word for a missing value, such as NA."""
    return text.strip() in MISSING_WORDS


def is_grouped(text: str) -> bool:
    """Return whether a number may have thousands separators, as in 1,600 and 1 600 000."""
    return _GROUPED.fullmatch(text) is not None


def number_fault(text: str) -> str:
    """Return what is wrong with a field that is not a number, and what to write instead."""
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
    """Return which of ``marks`` occur in the fields."""
    used = set()
    for mark in marks:
        places = np.flatnonzero(buffer == mark)
        if len(places) and len(starts):
            row = np.searchsorted(starts, places, side="right") - 1
            if np.any((row >= 0) & (places < ends[row])):
                used.add(mark)
    return frozenset(used)


def read_names(text: Text, starts: Ints, ends: Ints) -> tuple[Labels, Bools, Bools]:
    """Return the names in n fields, without the space around them.

    Each name becomes a row of 64-bit words, padded with zeros. Equal rows are equal names, so only
    the distinct rows are decoded.

    Args:
        text: from ``padded``; without NUL in the fields.
        starts: (n,) begin of each field.
        ends: (n,) end of each field, exclusive; no field is longer than LONGEST_NAME.

    Returns:
        Names, unknown where blank or unreadable; (n,) which are not UTF-8; (n,) which are blank.
    """
    length = ends - starts
    width = max(1, -(-int(length.max(initial=0)) // _WORD))  # in words
    matrix = np.empty((len(starts), width), dtype="<u8")
    windows = np.lib.stride_tricks.sliding_window_view(text, _WORD)
    for word in range(width):
        beyond = np.clip((word + 1) * _WORD - length, 0, _WORD)  # bytes after the field's end
        value = windows[starts + word * _WORD].view("<u8")[:, 0]
        # A shift by 64 bits is undefined, so each shift is done in two halves.
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
    """Return the distinct rows, and (n,) the index of each row among them.

    Sorting one 64-bit hash per row is several times faster than sorting the rows. If two different
    rows have the same hash (this is checked), the rows are sorted instead.
    """
    hashed = words[:, 0].copy()
    for column in range(1, words.shape[1]):
        hashed ^= hashed >> np.uint64(29)
        hashed *= np.uint64(0x9E3779B97F4A7C15)  # odd, so the product is a bijection modulo 2**64
        hashed ^= words[:, column]
    distinct = np.unique(hashed)
    inverse = np.searchsorted(distinct, hashed)
    example = np.empty(len(distinct), dtype=np.int64)
    example[inverse] = np.arange(len(words))
    uniques = words[example]
    if np.array_equal(words, uniques[inverse]):
        return uniques, inverse
    uniques, inverse = np.unique(words, axis=0, return_inverse=True)
    return uniques, inverse.reshape(-1)


# --- times ---

_DATE_BYTES: Final = len("2020-09-13")
_MINUTE_BYTES: Final = len("2020-09-13T12:26")
_LONGEST_DATE: Final = 48  # with fraction, blanks and zone
_FRACTION_DIGITS: Final = 15  # further digits have no effect
_EXPONENT: Final = re.compile(r"\s*[+-]?(\d+)(?:[.,](\d*))?[eE]([+-]?\d+)\s*")
_ZONE_NAMES: Final = (b"Z", b"z", b"UTC", b"utc", b"GMT")

EXAMPLE: Final = "2020-09-13T12:26:40Z"


def read_times(
    text: Text, starts: Ints, ends: Ints, marks: bytes = b"."
) -> tuple[Times, Bools, Bools]:
    """Return the times in n fields: numbers, or dates of ISO 8601.

    A date has the form 2020-09-13T12:26:40. A blank may replace the T, slashes the hyphens, and
    the seconds may be missing. A fraction of the second may follow, and a zone: Z, UTC, +08:00,
    +0800 or +08.

    Args:
        text: from ``padded``.
        starts: (n,) begin of each field.
        ends: (n,) end of each field, exclusive.
        marks: the decimal marks of numbers: a point, or a point and a comma.

    Returns:
        The times, NaN where blank or unreadable; (n,) which are unreadable; (n,) which are blank.
    """
    starts, ends = _trimmed(text, starts, ends)
    separator = text[starts + 4]
    is_date = ((separator == _MINUS) | (separator == _SLASH)) & (ends - starts >= _DATE_BYTES)
    if is_date.any():
        is_date &= _digits(text, starts, 0, 4) >= 0
    count = len(starts)
    values = np.full(count, np.nan)
    unreadable, blank = np.zeros((2, count), dtype=np.bool_)
    forms = np.full(count, NUMBER, dtype=np.uint8)
    rows = np.flatnonzero(~is_date)
    if len(rows):
        values[rows], unreadable[rows], blank[rows] = read_decimals(
            text, starts[rows], ends[rows], marks
        )
        lost = rows[_lost(text, starts[rows], ends[rows], values[rows])]
        unreadable[lost] = True
        values[lost] = np.nan
    rows = np.flatnonzero(is_date)
    if len(rows):
        values[rows], forms[rows], unreadable[rows] = _read_dates(text, starts[rows], ends[rows])
    return Times(values, forms), unreadable, blank


def times_of_texts(texts: Sequence[str], marks: bytes = b".") -> tuple[Times, Bools, Bools]:
    """Return the times in a column of strings, as ``read_times`` does.

    >>> times_of_texts(["1970-01-01T00:01:00Z"])[0].values.tolist()
    [60.0]
    """
    fields = [text.encode("utf-8", "replace") for text in texts]
    lengths = np.fromiter(map(len, fields), np.int64, len(fields))
    ends = np.cumsum(lengths)
    return read_times(padded(b"".join(fields)), ends - lengths, ends, marks)


def time_fault(text: str) -> str:
    """Return what is wrong with a field that is not a time, and what to write instead."""
    shown = repr(text[:40])
    text = text.strip()
    if re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*", text):
        return f"{shown} may be day before month or month before day; write it as {EXAMPLE}"
    if re.fullmatch(r"\d{4}[-/]\d\d[-/]\d\d", text):
        return f"{shown} is a date without a time of day; write it as {EXAMPLE}"
    if re.fullmatch(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s*[AaPp][Mm])?", text):
        return f"{shown} is a time of day without a date; write it as {EXAMPLE}"
    if is_grouped(text):
        return f"{shown} seems to have marks between thousands; write the number without them"
    if _EXPONENT.fullmatch(text):
        return (
            f"{shown} has lost its seconds, as spreadsheets do; format the column as a number "
            "without decimals and save the table again"
        )
    return f"is neither a number nor a date such as {EXAMPLE}: {shown}"


def _trimmed(text: Text, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return begins and ends of the fields without the blanks around them."""
    while (lead := (text[starts] == _BLANK) & (ends > starts)).any():
        starts = starts + lead
    while (tail := (text[ends - 1] == _BLANK) & (ends > starts)).any():
        ends = ends - tail
    return starts, ends


def _digits(text: Text, at: Ints, offset: int, count: int) -> Ints:
    """Return the number in ``count`` characters after ``at + offset``; -1 if not all are digits."""
    value = np.zeros(len(at), dtype=np.int64)
    good = np.ones(len(at), dtype=np.bool_)
    for place in range(offset, offset + count):
        digit = text[at + place] - np.uint8(_ZERO)  # characters below "0" wrap to above 9
        good &= digit <= 9
        value = value * 10 + digit
    return np.where(good, value, -1)


def _lost(text: Text, starts: Ints, ends: Ints, values: Floats) -> Bools:
    """Return which numbers have an exponent and too few digits to give seconds, as 1.6E+09."""
    lost = np.zeros(len(starts), dtype=np.bool_)
    exponent = np.zeros(len(starts), dtype=np.bool_)
    for back in (2, 3, 4):
        before = text[np.maximum(ends - back, starts)]
        exponent |= (before == ord("E")) | (before == ord("e"))
    for row in np.flatnonzero(exponent & np.isfinite(values)).tolist():  # few fields
        parts = _EXPONENT.fullmatch(text[starts[row] : ends[row]].tobytes().decode("ascii"))
        if parts is not None:
            power = int(parts[3]) - len(parts[2] or "")
            lost[row] = lost_seconds(float(values[row]), 10.0**power)
    return lost


def _read_dates(
    text: Text, starts: Ints, ends: Ints
) -> tuple[Floats, npt.NDArray[np.uint8], Bools]:
    """Return seconds since 1970, forms (see Times), and which dates are unreadable."""
    year, month, day, hour, minute = (
        _digits(text, starts, offset, count)
        for offset, count in ((0, 4), (5, 2), (8, 2), (11, 2), (14, 2))
    )
    between = text[starts + 10]
    good = (
        (ends - starts >= _MINUTE_BYTES)
        & (ends - starts <= _LONGEST_DATE)
        & (text[starts + 7] == text[starts + 4])
        & ((between == _BLANK) | (between == ord("T")) | (between == ord("t")))
        & (text[starts + 13] == _COLON)
        & (hour >= 0) & (hour < 24)
        & (minute >= 0) & (minute < 60)
    )  # fmt: skip
    at = starts + _MINUTE_BYTES
    with_seconds = (text[at] == _COLON) & (at < ends)
    second = np.where(with_seconds, _digits(text, at, 1, 2), 0)
    good &= (second >= 0) & (second < 60)
    at = at + 3 * with_seconds
    mark = text[at]
    with_fraction = with_seconds & ((mark == _DOT) | (mark == _COMMA)) & (at < ends)
    at = at + with_fraction
    fraction, length = np.zeros((2, len(at)), dtype=np.int64)
    inside = with_fraction
    for _ in range(_LONGEST_DATE):
        digit = text[at] - np.uint8(_ZERO)
        inside = inside & (digit <= 9) & (at < ends)
        if not inside.any():
            break
        kept = inside & (length < _FRACTION_DIGITS)
        fraction = np.where(kept, fraction * 10 + digit, fraction)
        length += kept
        at = at + inside
    good &= ~with_fraction | (length > 0)
    days, exists = days_since_1970(year, month, day)
    offset, with_zone, known = _zones(text, at, ends)
    whole = days * SECONDS_PER_DAY + hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE
    seconds = (whole + second - offset) + fraction / 10.0**length
    good &= exists & known
    forms = np.where(with_zone, DATE_WITH_ZONE, DATE_WITHOUT_ZONE).astype(np.uint8)
    return np.where(good, seconds, np.nan), forms, ~good


def _zones(text: Text, at: Ints, ends: Ints) -> tuple[Ints, Bools, Bools]:
    """Return offsets from UTC in seconds, which fields have a zone, and which have a valid end."""
    while (lead := (text[at] == _BLANK) & (at < ends)).any():
        at = at + lead
    left = ends - at
    none = left <= 0
    utc = np.zeros(len(at), dtype=np.bool_)
    for name in _ZONE_NAMES:
        same = left == len(name)
        for place, character in enumerate(name):
            same = same & (text[at + place] == character)
        utc |= same
    sign = np.where(text[at] == _PLUS, 1, np.where(text[at] == _MINUS, -1, 0))
    hours = _digits(text, at, 1, 2)
    colon = (text[at + 3] == _COLON).astype(np.int64)
    minutes = np.where(left == 3, 0, _digits(text, at + 3 + colon, 0, 2))
    shift = (
        (sign != 0)
        & ((left == 3) | (left == 5 + colon))
        & (hours >= 0) & (hours < 24)
        & (minutes >= 0) & (minutes < 60)
    )  # fmt: skip
    offset = sign * (hours * SECONDS_PER_HOUR + minutes * SECONDS_PER_MINUTE)
    return np.where(shift, offset, 0), utc | shift, none | utc | shift
