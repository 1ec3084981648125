"""Days and times that people fill in: nonsense is refused before anybody computes with it."""

import datetime as dt

import pytest

from tracetogether.adapters.operator_pages.dates import (
    clock_filled_in,
    day_filled_in,
    end_of,
    time_on,
)
from tracetogether.authority.cases.followed import Outcome
from tracetogether.authority.desk.calendars import check_next_call
from tracetogether.errors import InvalidRequestError
from tracetogether.local_days import LocalDays

MIDNIGHT = dt.time(23, 59)


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
def test_the_day_after_every_day_that_is_accepted_can_be_computed(zone: str) -> None:
    days = LocalDays.named(zone)
    for text in ("1970-01-01", "2020-05-04", "2999-12-31"):
        day = day_filled_in({"day": text}, "day")
        assert day is not None
        assert end_of(day, days) > time_on(day, MIDNIGHT, days)
        assert days.day(time_on(day + 1, MIDNIGHT, days)) == day + 1
    for text in ("9999-12-31", "0001-01-01", "1969-12-31", "3000-01-01", "4 May"):
        with pytest.raises(InvalidRequestError) as refused:
            day_filled_in({"day": text}, "day")
        assert refused.value.code == "date-form"


def test_a_time_of_day_names_no_zone() -> None:
    assert clock_filled_in({"at": " "}, "at") is None
    assert clock_filled_in({"at": "15:30"}, "at") == dt.time(15, 30)
    for text in ("15:30+08:00", "15:30Z", "25:00", "noon"):
        with pytest.raises(InvalidRequestError) as refused:
            clock_filled_in({"at": text}, "at")
        assert refused.value.code == "time-form"


def test_a_next_call_at_the_end_of_the_calendar_is_too_late() -> None:
    last = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC).timestamp()
    for late in (last, last + 18_000):  # in New York, and 5 hours later in UTC: the year 10000
        with pytest.raises(InvalidRequestError) as refused:
            check_next_call(
                Outcome.CALL_BACK,
                late,
                0.0,
                until_day=20,
                days=LocalDays.named("America/New_York"),
                hours=None,
            )
        assert refused.value.code == "next-call-late"
