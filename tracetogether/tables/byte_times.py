"""Times out of a block of text, many fields at once: numbers, and dates of ISO 8601."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.tables.byte_fields import Text, is_grouped, padded, read_decimals
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

_DATE_BYTES: Final = len("2020-09-13")
_MINUTE_BYTES: Final = len("2020-09-13T12:26")
_LONGEST_DATE: Final = 48  # with fraction, blanks and zone
_FRACTION_DIGITS: Final = 15  # more are read and have no effect
_BLANK, _PLUS, _COMMA, _MINUS, _DOT, _SLASH, _ZERO, _COLON = b" +,-./0:"
_EXPONENT: Final = re.compile(r"\s*[+-]?(\d+)(?:[.,](\d*))?[eE]([+-]?\d+)\s*")
_ZONE_NAMES: Final = (b"Z", b"z", b"UTC", b"utc", b"GMT")

EXAMPLE: Final = "2020-09-13T12:26:40Z"


def read_times(
    text: Text, starts: Ints, ends: Ints, marks: bytes = b"."
) -> tuple[Times, Bools, Bools]:
    """Read the times in ``text[starts[i]:ends[i]]``.

    A date is written 2020-09-13T12:26:40 (or with a blank, with slashes, or without seconds),
    then a fraction of the second, if any, and a zone, if any: Z, UTC, +08:00, +0800 or +08.

    Args:
        text: from ``padded``.
        starts: (n,) where each field begins.
        ends: (n,) where it ends, exclusive.
        marks: the decimal marks of numbers: a point, or a point and a comma.

    Returns:
        The times, NaN where blank or unreadable; which are unreadable; which are blank.
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
    """Read times as ``read_times`` does, from a column of strings."""
    fields = [text.encode("utf-8", "replace") for text in texts]
    lengths = np.fromiter(map(len, fields), np.int64, len(fields))
    ends = np.cumsum(lengths)
    return read_times(padded(b"".join(fields)), ends - lengths, ends, marks)


def time_fault(text: str) -> str:
    """Return what is wrong with a field that is no time, and what to write."""
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
    """Return the fields without the blanks around them."""
    while (lead := (text[starts] == _BLANK) & (ends > starts)).any():
        starts = starts + lead
    while (tail := (text[ends - 1] == _BLANK) & (ends > starts)).any():
        ends = ends - tail
    return starts, ends


def _digits(text: Text, at: Ints, offset: int, count: int) -> Ints:
    """Return the number that ``count`` digits make, -1 where there are others."""
    value = np.zeros(len(at), dtype=np.int64)
    good = np.ones(len(at), dtype=np.bool_)
    for place in range(offset, offset + count):
        digit = text[at + place] - np.uint8(_ZERO)  # what is below "0" wraps to above 9
        good &= digit <= 9
        value = value * 10 + digit
    return np.where(good, value, -1)


def _lost(text: Text, starts: Ints, ends: Ints, values: Floats) -> Bools:
    """Return which numbers are written with an exponent and too few digits for seconds."""
    lost = np.zeros(len(starts), dtype=np.bool_)
    exponent = np.zeros(len(starts), dtype=np.bool_)
    for back in (2, 3, 4):
        before = text[np.maximum(ends - back, starts)]
        exponent |= (before == ord("E")) | (before == ord("e"))
    for row in np.flatnonzero(exponent & np.isfinite(values)).tolist():  # the unusual ones only
        parts = _EXPONENT.fullmatch(text[starts[row] : ends[row]].tobytes().decode("ascii"))
        if parts is not None:
            power = int(parts[3]) - len(parts[2] or "")
            lost[row] = lost_seconds(float(values[row]), 10.0**power)
    return lost


def _read_dates(
    text: Text, starts: Ints, ends: Ints
) -> tuple[Floats, npt.NDArray[np.uint8], Bools]:
    """Return seconds since 1970, whether the zone is told, and which dates are unreadable."""
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
    offset, told, known = _zones(text, at, ends)
    whole = days * SECONDS_PER_DAY + hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE
    seconds = (whole + second - offset) + fraction / 10.0**length
    good &= exists & known
    forms = np.where(told, DATE_WITH_ZONE, DATE_WITHOUT_ZONE).astype(np.uint8)
    return np.where(good, seconds, np.nan), forms, ~good


def _zones(text: Text, at: Ints, ends: Ints) -> tuple[Ints, Bools, Bools]:
    """Return offsets in seconds, where a zone is told, and where nothing else is there."""
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
