"""Columns of numbers and times from lists, numpy arrays and data frames.

pandas, Arrow and polars are not imported: numpy converts their columns through ``__array__``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import is_missing
from tracetogether.tables.byte_fields import time_fault, times_of_texts
from tracetogether.tables.timestamps import DATE_WITH_ZONE, DATE_WITHOUT_ZONE, Times
from tracetogether.units import Floats

_PANDAS_MOMENTS: Final = ("datetime64[", "timestamp[")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Array = npt.NDArray[Any]


def floats_of(column: object, what: str) -> Floats:
    """Return a column of numbers, (n,) float64; NaN where a value is missing.

    Raises:
        InvalidReadingsError: it holds something else, or is not one column.

    >>> floats_of([-61, None], "rssi").tolist()
    [-61.0, nan]
    """
    array = _array(column, what)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "m":
        seconds: Floats = array / np.timedelta64(1, "s")
        return seconds
    if array.dtype.kind not in "OUST":
        raise InvalidReadingsError(f"{what} is a column of {array.dtype}, not of numbers")
    return np.fromiter((_float(value, what) for value in array.tolist()), np.float64, len(array))


def times_of(column: object, what: str, *, bare_is_utc: bool) -> Times:
    """Return a column of times: numbers, datetimes, or text.

    Args:
        column: a list, an array, or a column of a data frame.
        what: its name in messages.
        bare_is_utc: whether numpy, pandas or Arrow datetimes without a zone are in UTC, which is
            numpy's rule. Python's own datetimes without a zone never are.

    Raises:
        InvalidReadingsError: it holds something else, or is not one column.
    """
    dtype = str(getattr(column, "dtype", ""))
    zoned = dtype.startswith(_PANDAS_MOMENTS) and "," in dtype
    if zoned:
        column = column.to_numpy(dtype="datetime64[ns]", na_value=np.datetime64("NaT"))  # type: ignore[attr-defined]  # UTC
    elif "tz=" in str(getattr(column, "type", "")) or "time_zone='" in dtype:
        zoned = True  # Arrow and polars give UTC
    array = _array(column, what)
    if array.dtype.kind == "M":
        known = zoned or bare_is_utc
        form = DATE_WITH_ZONE if known else DATE_WITHOUT_ZONE
        return Times(_since_1970(array), np.full(len(array), form, dtype=np.uint8))
    if array.dtype.kind in "OUST":
        return _of_objects(array.tolist(), what)
    return Times.of_numbers(floats_of(array, what))


def without_zone(column: object) -> bool:
    """Return whether a numpy, pandas or Arrow column holds datetimes without a zone."""
    dtype = str(getattr(column, "dtype", getattr(column, "type", "")))
    return dtype.startswith(_PANDAS_MOMENTS) and "," not in dtype


def _array(column: object, what: str) -> Array:
    if isinstance(column, np.ma.MaskedArray):
        plain = column.data.astype(object)
        plain[np.ma.getmaskarray(column)] = None
        column = plain
    if isinstance(column, Iterable) and not isinstance(column, (list, tuple, str, bytes)):
        column = column if hasattr(column, "__array__") else list(column)
    try:
        array = np.asarray(column)
    except ValueError:  # rows of different lengths
        array = np.empty((0, 0))
    if array.ndim != 1:
        raise InvalidReadingsError(f"{what} is not one column of values")
    return array


def _float(value: object, what: str) -> float:
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return np.nan
    try:
        if not isinstance(value, (bool, complex)):
            return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    raise InvalidReadingsError(f"{what} holds {value!r:.60}, which is no number")


def _since_1970(moments: Array) -> Floats:
    """Return datetime64 as epoch seconds; whole seconds and the rest are each rounded once."""
    there = ~np.isnat(moments)
    whole = moments.astype("datetime64[s]")
    rest = (moments - whole) / np.timedelta64(1, "s")
    return np.where(there, whole.astype(np.int64) + np.where(there, rest, 0.0), np.nan)


def _of_objects(values: list[Any], what: str) -> Times:
    if all(isinstance(value, str) for value in values):
        return _of_texts(values, what)
    found = Times.of_numbers(np.full(len(values), np.nan))
    texts: list[int] = []
    for row, value in enumerate(values):
        if is_missing(value):
            continue
        if isinstance(value, str):
            texts.append(row)
        elif isinstance(value, datetime):
            bare = value.tzinfo is None
            moment = value.replace(tzinfo=UTC) if bare else value
            found.values[row] = (moment - _EPOCH).total_seconds()
            found.forms[row] = DATE_WITHOUT_ZONE if bare else DATE_WITH_ZONE
        elif isinstance(value, np.datetime64):
            found.values[row] = _since_1970(np.array([value]))[0]
            found.forms[row] = DATE_WITHOUT_ZONE
        else:
            found.values[row] = _float(value, what)
    if texts:
        read = _of_texts([values[row] for row in texts], what)
        found.values[texts], found.forms[texts] = read.values, read.forms
    return found


def _of_texts(texts: list[str], what: str) -> Times:
    times, unreadable, _ = times_of_texts(texts)
    if unreadable.any():
        odd = texts[int(np.argmax(unreadable))]
        raise InvalidReadingsError(f"{what} {time_fault(odd)}")
    return times
