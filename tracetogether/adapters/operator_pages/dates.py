"""Days that people fill in, as times of the authority's zone."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from tracetogether.authority.cases.case import day_of
from tracetogether.errors import InvalidRequestError
from tracetogether.local_days import LocalDays

_YEARS: Final = range(1970, 3000)
"""Near the last year that Python knows, the day after and other time zones can't be computed."""


def day_filled_in(form: Mapping[str, str], name: str) -> int | None:
    """Return the number of the day in a form's field; None if the field is blank.

    Raises:
        InvalidRequestError: it is no date, or one before 1970 or after 2999.
    """
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = None
    if date is None or date.year not in _YEARS:
        raise InvalidRequestError("write the date like 2020-05-04", "date-form")
    return day_of(date)


def day_needed(form: Mapping[str, str], name: str) -> int:
    """Return the number of the day in a form's field.

    Raises:
        InvalidRequestError: it is blank, or no date.
    """
    day = day_filled_in(form, name)
    if day is None:
        raise InvalidRequestError("fill in the date", "date-needed")
    return day


def time_on(day: int, clock: dt.time, days: LocalDays) -> float:
    """Return a time of day in the authority's zone, in epoch seconds.

    A time that a change of the clocks leaves out is the one an hour later; one that comes twice is
    the first.
    """
    date = dt.date.fromordinal(dt.date(1970, 1, 1).toordinal() + day)
    return dt.datetime.combine(date, clock, days.zone).timestamp()


def clock_filled_in(form: Mapping[str, str], name: str) -> dt.time | None:
    """Return the time of day in a form's field; None if the field is blank.

    Raises:
        InvalidRequestError: it is no time, or names a zone, which is always the authority's.
    """
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        clock = dt.time.fromisoformat(text)
    except ValueError:
        clock = None
    if clock is None or clock.tzinfo is not None:
        raise InvalidRequestError("write the time like 15:30", "time-form")
    return clock


def clock_needed(form: Mapping[str, str], name: str) -> dt.time:
    """Return the time of day in a form's field.

    Raises:
        InvalidRequestError: it is blank, or no time.
    """
    clock = clock_filled_in(form, name)
    if clock is None:
        raise InvalidRequestError("fill in the time", "clock-needed")
    return clock


def end_of(day: int, days: LocalDays) -> float:
    """Return when a day ends, in epoch seconds."""
    return days.start(day + 1)


def end_within(day: int, begin: float, longest_s: float, days: LocalDays) -> float:
    """Return the end of a day, or the longest span after ``begin`` if that ends within the day.

    So a span of 14 days from three o'clock ends on the fourteenth day, at three o'clock.
    """
    longest = begin + longest_s
    return longest if days.start(day) < longest < end_of(day, days) else end_of(day, days)
