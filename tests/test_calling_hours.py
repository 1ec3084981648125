"""Agreed times and calling hours are those of the authority's zone, when the clocks change too."""

import datetime as dt

import pytest

from tests.fresh_stores import fresh_store
from tests.test_local_days import SINGAPORE, at, met, world_in
from tracetogether.adapters.operator_pages.dates import time_on
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.calls import ShiftReason
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.cases.followed import ContactState, Outcome
from tracetogether.authority.desk.hours import CallingHours
from tracetogether.errors import AccessDeniedError, InvalidRequestError
from tracetogether.local_days import LocalDays
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

RAVI = Caller("ravi", frozenset({Role.TRACER}))
MEI = Caller("mei", frozenset({Role.SUPERVISOR}))
HALF_HOUR = SECONDS_PER_HOUR / 2


@pytest.mark.parametrize(
    ("zone", "date", "comes"),
    [
        ("Europe/Berlin", "2020-10-25", "02:30"),  # comes twice: the first one counts
        ("America/New_York", "2020-11-01", "01:30"),
        ("Europe/Berlin", "2020-03-29", "03:30"),  # 02:30 is left out
        ("America/New_York", "2020-03-08", "03:30"),
        ("America/Havana", "2020-03-08", "01:30"),  # midnight is left out
    ],
)
def test_an_agreed_time_comes_once_when_the_clocks_change(zone: str, date: str, comes: str) -> None:
    days = LocalDays.named(zone)
    today = days.day(at(f"{date}T12:00", days))
    start = days.start(today)
    world = world_in(zone, fresh_store(), start - 30 * SECONDS_PER_DAY)
    _, kept = met(world, start - 3 * SECONDS_PER_HOUR, start)
    calling = world.authority.calling
    calling.begin_shift(ShiftReason.DAILY_CALLS, start, by=RAVI)
    hour, minute = (1, 30) if comes == "01:30" else (2, 30)
    agreed = time_on(today, dt.time(hour, minute), days)
    calling.save(kept.contact_id, Outcome.CALL_BACK, start + 60, call_at=agreed, by=RAVI)
    called, hours = [], (days.start(today + 1) - start) / SECONDS_PER_HOUR
    for step in range(int(2 * hours)):
        now = start + step * HALF_HOUR + 120
        calling.begin_shift(ShiftReason.DAILY_CALLS, now, by=RAVI)
        if calling.next(now, by=RAVI) is not None:
            called.append(days.text(now - 120, "%H:%M"))
            calling.save(kept.contact_id, Outcome.NO_SYMPTOMS, now, by=RAVI)
    assert called == [comes]
    tomorrow = days.start(today + 1) + 60
    calling.begin_shift(ShiftReason.DAILY_CALLS, tomorrow, by=RAVI)
    assert calling.next(tomorrow, by=RAVI) is not None  # and no day is left out


def test_a_call_after_midnight_is_of_that_local_day() -> None:
    now = at("2020-05-04T00:30", SINGAPORE)  # 2020-05-03 16:30 UTC
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    _, kept = met(world, now - 3 * SECONDS_PER_HOUR, now)
    calling, desk = world.authority.calling, world.authority.desk
    calling.begin_shift(ShiftReason.DAILY_CALLS, now, by=RAVI)
    assert calling.next(now, by=RAVI) is not None
    calling.save(kept.contact_id, Outcome.NO_SYMPTOMS, now, by=RAVI)
    (call,) = [day for day in desk.calendar(kept.contact_id, by=CONSOLE) if day.outcome]
    assert date_of_day(call.day) == "2020-05-04"
    for moment, left in (("2020-05-04T23:59", False), ("2020-05-05T00:01", True)):
        later = at(moment, SINGAPORE)
        calling.begin_shift(ShiftReason.DAILY_CALLS, later, by=RAVI)
        assert (calling.next(later, by=RAVI) is not None) is left, moment
        assert (world.authority.team.today(later, by=MEI).due == 1) is left, moment


def test_no_call_is_agreed_on_after_the_last_local_day() -> None:
    now = at("2020-05-04T09:00", SINGAPORE)
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    _, kept = met(world, now - 2 * SECONDS_PER_HOUR, now)
    assert date_of_day(kept.until_day) == "2020-05-18"
    record = world.authority.follow_up.record
    last = at("2020-05-18T20:00", SINGAPORE)
    # 07:00 on the next day is still the last day in UTC: nobody would call then.
    with pytest.raises(InvalidRequestError, match="after the last day"):
        record(
            kept.contact_id,
            kept.until_day,
            Outcome.CALL_BACK,
            last,
            call_at=at("2020-05-19T07:00", SINGAPORE),
            by=CONSOLE,
        )
    late = at("2020-05-18T23:30", SINGAPORE)
    called = record(
        kept.contact_id, kept.until_day, Outcome.CALL_BACK, last, call_at=late, by=CONSOLE
    )
    assert called.kept.call_at == late
    # Near another case until a later day: the latest day of the person counts.
    _, other = met(world, at("2020-05-18T12:00", SINGAPORE), last)
    world.store.desk.put_contacts([type(other)(**{**_fields(other), "who": kept.who})])
    again = at("2020-05-19T07:00", SINGAPORE)
    called = record(
        kept.contact_id, kept.until_day, Outcome.CALL_BACK, last + 60, call_at=again, by=CONSOLE
    )
    assert called.kept.state is not ContactState.LOST


def _fields(kept: object) -> dict[str, object]:
    return {name: getattr(kept, name) for name in kept.__dataclass_fields__}  # type: ignore[attr-defined]


def test_outside_of_the_calling_hours_next_warns_and_no_time_is_agreed_on() -> None:
    now = at("2020-05-04T08:59", SINGAPORE)
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    _, kept = met(world, now - 2 * SECONDS_PER_HOUR, now)
    calling, team = world.authority.calling, world.authority.team
    calling.begin_shift(ShiftReason.DAILY_CALLS, now, by=RAVI)
    early = calling.next(now, by=RAVI)
    assert early is not None
    assert not early.outside_hours  # nobody has set hours
    with pytest.raises(AccessDeniedError):
        team.set_hours(CallingHours.between("09:00", "20:00"), now, by=RAVI)
    team.set_hours(CallingHours.between("09:00", "20:00"), now, by=MEI)
    for moment, outside in (("08:59", True), ("09:00", False), ("19:59", False), ("20:00", True)):
        later = at(f"2020-05-04T{moment}", SINGAPORE)
        calling.begin_shift(ShiftReason.DAILY_CALLS, later, by=RAVI)
        sheet = calling.next(later, by=RAVI)
        assert sheet is not None
        assert sheet.outside_hours is outside, moment
    for moment in ("2020-05-04T20:00", "2020-05-05T08:59", "2020-05-05T00:30"):
        with pytest.raises(InvalidRequestError) as refused:
            calling.save(
                *(kept.contact_id, Outcome.CALL_BACK, now),
                call_at=at(moment, SINGAPORE),
                by=RAVI,
            )
        assert refused.value.code == "next-call-hours", moment
    agreed = at("2020-05-05T09:00", SINGAPORE)
    calling.save(kept.contact_id, Outcome.CALL_BACK, now, call_at=agreed, by=RAVI)
    team.set_hours(None, now, by=MEI)
    assert not calling.outside_hours(at("2020-05-05T03:00", SINGAPORE))
    acts = [
        (entry.by, dict(entry.details))
        for entry in world.authority.audit.entries(by=CONSOLE)
        if entry.act == "calling-hours.set"
    ]
    assert acts == [("mei", {"hours": "09:00-20:00"}), ("mei", {"hours": ""})]


@pytest.mark.parametrize(
    ("begin", "end"),
    [("", ""), ("9:00", "20:00"), ("20:00", "09:00"), ("09:00", "09:00"), ("09:00", "24:00")],
)
def test_hours_that_are_none_are_refused(begin: str, end: str) -> None:
    with pytest.raises(InvalidRequestError, match="two times of one day"):
        CallingHours.between(begin, end)
