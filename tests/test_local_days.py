"""Days are the authority's: follow-up, lists, exports and counts, with and without daylight saving.

Uses noon and midnight of real zones: Singapore has no daylight saving, Berlin changed its clocks
on 2020-03-29 (23 hours) and 2020-10-25 (25 hours).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.authority_world import World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tests.pages_world import Clock, serving
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.case import Case, CaseQuery, date_of_day
from tracetogether.authority.cases.followed import ContactQuery, ContactState, KeptContact, Outcome
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.oversight.time_zone import TIME_ZONE, set_time_zone
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.errors import AuthorityError, InvalidRequestError
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.shapes.contacts import Contacts
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

SINGAPORE, BERLIN = LocalDays.named("Asia/Singapore"), LocalDays.named("Europe/Berlin")
ZONES = ["UTC", "Asia/Singapore", "Europe/Berlin", "America/Havana", "Asia/Beirut", "Pacific/Apia"]


def at(text: str, days: LocalDays = UTC_DAYS) -> float:
    """Return epoch seconds of a local date and time."""
    return datetime.fromisoformat(text).replace(tzinfo=days.zone).timestamp()


# --- the calendar ---


@pytest.mark.parametrize("name", ZONES)
def test_every_second_belongs_to_the_day_that_began_last(name: str) -> None:
    days = LocalDays.named(name)
    first, last = days.day(at("2020-01-01")), days.day(at("2021-01-01"))
    starts = [days.start(day) for day in range(first, last + 1)]
    assert starts == sorted(starts)
    lengths = {round((b - a) / SECONDS_PER_HOUR) for a, b in pairwise(starts)}
    assert lengths <= {23, 24, 25}
    for number, start in enumerate(starts):
        assert days.day(start) == first + number
        assert days.day(start - 1) == first + number - 1
    times = np.arange(at("2020-01-01"), at("2021-01-01"), 3_571.0)
    assert days.days(times).tolist() == [days.day(time) for time in times.tolist()]


def test_days_differ_between_zones_and_have_23_to_25_hours() -> None:
    evening = at("2020-05-03T17:00")
    assert (UTC_DAYS.text(evening), SINGAPORE.text(evening)) == (
        "2020-05-03 17:00",
        "2020-05-04 01:00",
    )
    assert SINGAPORE.day(evening) == UTC_DAYS.day(evening) + 1
    for date, hours in (("2020-03-29", 23), ("2020-10-25", 25), ("2020-07-01", 24)):
        day = BERLIN.day(at(date, BERLIN))
        assert BERLIN.start(day + 1) - BERLIN.start(day) == hours * SECONDS_PER_HOUR
    assert len(UTC_DAYS.days(np.zeros(0))) == 0


@pytest.mark.parametrize("name", ["Atlantis", "", "../../etc/passwd", "Asia/", "\x00", "x" * 300])
def test_an_unknown_zone_is_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(AuthorityError, match="IANA name such as Asia/Singapore"):
        LocalDays.named(name)


def test_a_computer_without_a_list_of_zones_knows_utc_and_names_the_remedy() -> None:
    script = """
import sys
sys.modules["tzdata"] = None
from tracetogether.local_days import UTC_DAYS, LocalDays
assert UTC_DAYS.day(86_400.0) == 1
try:
    LocalDays.named("Asia/Singapore")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("AuthorityError")
    assert "pip install tzdata" in done.stdout


# --- follow-up in Singapore ---


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[AuthorityStore]:
    if request.param == "sqlite":
        yield fresh_store()
        return
    with SqlStore.create(request.getfixturevalue("postgres_url"), name="SG_MOH") as made:
        yield made


def world_in(zone: str, store: AuthorityStore, since: float) -> World:
    store.put_setting(TIME_ZONE, zone)
    return World.of(counted_entropy(71), store=store, since=since)


def met(world: World, start: float, now: float) -> tuple[Case, KeptContact]:
    """Return a case, and its contact of one hour from ``start``."""
    case = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
    world.take(case, world.heard(world.user(), start, 60, rssi_dbm=-45), now)
    world.authority.finder.refresh(case, now)
    (contact,) = world.authority.desk.page(ContactQuery(case_id=case.case_id), by=CONSOLE).contacts
    return case, contact.kept


def test_a_contact_is_due_on_the_authoritys_day(store: AuthorityStore) -> None:
    breakfast = at("2020-05-04T07:00", SINGAPORE)  # 2020-05-03 23:00 UTC
    now = at("2020-05-04T09:00", SINGAPORE)
    world = world_in("Asia/Singapore", store, now - 30 * SECONDS_PER_DAY)
    desk, calls = world.authority.desk, world.authority.follow_up
    case, kept = met(world, breakfast, now)
    assert case.date == "2020-05-04"
    assert date_of_day(kept.until_day) == "2020-05-18"
    (line,) = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    assert [day.date for day in line.days] == ["2020-05-04"]
    assert desk.due(now, by=CONSOLE).total == 1
    calls.record(kept.contact_id, desk.today(now), Outcome.NO_SYMPTOMS, now, by=CONSOLE)
    late = at("2020-05-04T23:59", SINGAPORE)
    morning = at("2020-05-05T00:01", SINGAPORE)  # UTC's day has not changed
    assert desk.due(late, by=CONSOLE).total == 0
    assert desk.due(morning, by=CONSOLE).total == 1
    with pytest.raises(InvalidRequestError, match="future day"):
        calls.record(kept.contact_id, desk.today(morning), Outcome.NO_SYMPTOMS, late, by=CONSOLE)
    calls.record(kept.contact_id, desk.today(morning), Outcome.NO_SYMPTOMS, morning, by=CONSOLE)
    days = {
        day.day: day.outcome for day in desk.calendar(kept.contact_id, by=CONSOLE) if day.outcome
    }
    assert [date_of_day(day) for day in days] == ["2020-05-04", "2020-05-05"]
    (summary,) = world.authority.casework.page(CaseQuery(), morning, by=CONSOLE).cases
    assert summary.due == 0


def test_counts_by_day_use_the_authoritys_days(store: AuthorityStore) -> None:
    breakfast = at("2020-05-04T07:00", SINGAPORE)
    world = world_in("Asia/Singapore", store, breakfast - 30 * SECONDS_PER_DAY)
    _, kept = met(world, breakfast - 7200, breakfast)  # all at 2020-05-03 UTC
    world.authority.follow_up.reach(kept.contact_id, breakfast + 60, by=CONSOLE)
    seen = world.authority.desk.dashboard(breakfast + 120, by=CONSOLE)
    assert [date_of_day(day.day) for day in seen.days][-1] == "2020-05-04"
    counts = [(day.cases, day.contacts, day.reached) for day in seen.days]
    assert counts == [(0, 0, 0)] * 13 + [(1, 1, 1)]
    in_utc = store.desk.dashboard(breakfast + 120, None)
    assert date_of_day(in_utc.days[-1].day) == "2020-05-03"
    assert (in_utc.days[-1].cases, in_utc.days[-1].reached) == (1, 1)


def test_follow_up_ends_with_the_authoritys_last_day(store: AuthorityStore) -> None:
    now = at("2020-05-04T09:00", SINGAPORE)
    world = world_in("Asia/Singapore", store, now - 30 * SECONDS_PER_DAY)
    _, kept = met(world, now - 7200, now)
    world.authority.follow_up.reach(kept.contact_id, now, by=CONSOLE)
    for moment, state in (
        ("2020-05-18T23:59", ContactState.REACHED),
        ("2020-05-19T00:01", ContactState.COMPLETED),
    ):
        world.authority.purge(at(moment, SINGAPORE), clock_is_right=True)
        found = world.authority.desk.contact(kept.contact_id, by=CONSOLE).kept.state
        assert found is state, moment


def test_the_traced_span_uses_the_authoritys_days() -> None:
    now = at("2020-05-04T12:00", SINGAPORE)
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    case = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
    inside, outside = world.user(), world.user()
    edge = at("2020-04-20T00:00", SINGAPORE)  # the first of the 15 days; UTC's begins 8 hours later
    rows = world.heard(outside, edge - 3600, 45, rssi_dbm=-45)
    rows += world.heard(inside, edge, 45, rssi_dbm=-45)
    world.take(case, rows, now)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert [contact.user_id for contact in traced.contacts] == [inside]
    assert (traced.traced_from, traced.traced_until) == (edge, at("2020-05-05", SINGAPORE))
    assert Contacts.of(traced).traced_from == edge


def test_tomorrow_is_refused_as_a_case_date_in_the_authoritys_zone() -> None:
    now = at("2020-05-04T23:00", SINGAPORE)
    tomorrow = SINGAPORE.day(now) + 1
    world = world_in("Asia/Singapore", fresh_store(), now - SECONDS_PER_DAY)
    with pytest.raises(InvalidRequestError, match="in the future"):
        world.authority.casework.open_case(world.user(), now, tomorrow, by=CONSOLE)
    body = f"user_id,date\n{world.user()},\n".encode()
    (wanted,), bad = world.authority.case_import.check(
        body, at("2020-05-05T01:00", SINGAPORE), by=CONSOLE
    )
    assert (bad, date_of_day(wanted.day)) == ([], "2020-05-05")


# --- daylight saving ---


@pytest.mark.parametrize("change", ["2020-03-29", "2020-10-25"])
def test_a_day_of_23_or_25_hours_is_one_day_of_follow_up(change: str) -> None:
    start = BERLIN.start(BERLIN.day(at(change, BERLIN)))
    world = world_in("Europe/Berlin", fresh_store(), start - 30 * SECONDS_PER_DAY)
    _, kept = met(world, start - 3 * 3600, start)  # in the evening before
    desk, calls = world.authority.desk, world.authority.follow_up
    assert kept.until_day == BERLIN.day(start) - 1 + 14
    called = []
    for hour in range(-1, 50):
        now = start + hour * SECONDS_PER_HOUR + 60
        if desk.due(now, by=CONSOLE).total:
            calls.record(kept.contact_id, desk.today(now), Outcome.NO_SYMPTOMS, now, by=CONSOLE)
            called.append(BERLIN.text(now))
    hours = (BERLIN.start(BERLIN.day(start) + 1) - start) / SECONDS_PER_HOUR
    day_after = BERLIN.text(start + hours * SECONDS_PER_HOUR + 60)
    assert called[1:3] == [f"{change} 00:01", day_after]
    assert day_after.endswith("00:01")


def test_exports_write_local_dates_and_times_with_their_offset() -> None:
    now = at("2020-05-04T09:00", SINGAPORE)
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    met(world, at("2020-05-04T07:00", SINGAPORE), now)
    found = {}
    for name, layout in LAYOUTS.items():
        heading, row = list(world.authority.exports.rows(layout, "ndjson", now, by=CONSOLE))
        found[name] = dict(zip(heading, row, strict=True))
    assert found["contacts"]["first"] == "2020-05-04T07:00:00+08:00"
    assert found["contacts"]["follow_up_until"] == "2020-05-18"
    assert found["sormas"]["lastContactDate"] == "05/04/2020"
    assert found["sormas"]["followUpUntil"] == "05/18/2020"
    assert found["godata"]["relationship.contactDate"] == "2020-05-04"
    assert found["godata"]["followUp.startDate"] == "2020-05-05"
    utc = world_in("UTC", fresh_store(), now - 30 * SECONDS_PER_DAY)
    met(utc, at("2020-05-04T07:00", SINGAPORE), now)
    heading, row = list(utc.authority.exports.rows(LAYOUTS["contacts"], "ndjson", now, by=CONSOLE))
    assert dict(zip(heading, row, strict=True))["first"] == "2020-05-03T23:00:00Z"


@pytest.mark.network
def test_pages_show_local_days_and_name_the_zone() -> None:
    now = at("2020-05-04T07:30", SINGAPORE)
    world = world_in("Asia/Singapore", fresh_store(), now - 30 * SECONDS_PER_DAY)
    case, kept = met(world, now - 7200, now)
    with serving(world, Clock(at("2020-05-05T07:30", SINGAPORE))) as site:
        site.operator("all", *ALL_ROLES)
        visitor = site.visitor("all")
        visitor.get("/follow-up")
        assert "1 person to call on 2020-05-05" in visitor.text()
        assert "Times are in the time zone Asia/Singapore. 2020-05-05 07:3" in visitor.text()
        visitor.get(f"/contacts/{kept.contact_id}")
        assert "2020-05-05 today" in visitor.text()
        assert f'<option value="{SINGAPORE.day(now) + 1}">2020-05-05</option>' in visitor.body
        visitor.get(f"/cases/{case.case_id}")
        name = world.authority.desk.name_of(world.authority.desk.user_of(kept))
        assert f"{name}, 2020-05-04:" in visitor.body
        above, _, days = visitor.text().partition("The fourteen days")
        assert "2020-05-03" not in above
        assert "2020-05-03 0 – – – – 2020-05-04 1 05:00 (1), 06:00 (1)" in days
        visitor.get("/audit")
        assert "2020-05-05 07:3" in visitor.text()


# --- setting and changing it ---


def test_a_change_moves_the_last_days_and_keeps_recorded_ones(store: AuthorityStore) -> None:
    breakfast = at("2020-05-04T07:00", SINGAPORE)
    now = at("2020-05-04T09:00", SINGAPORE)
    world = world_in("UTC", store, now - 30 * SECONDS_PER_DAY)
    case, kept = met(world, breakfast - 1800, now)  # it ends before 00:00 UTC
    assert date_of_day(kept.until_day) == "2020-05-17"
    world.authority.follow_up.record(
        kept.contact_id, kept.until_day - 13, Outcome.SYMPTOMS, now, by=CONSOLE
    )
    said = {"store": store, "audit": world.authority.audit, "by": "x"}
    said["keys"] = world.keys
    with pytest.raises(AuthorityError):
        set_time_zone("Nowhere/Land", now, **said)
    assert store.setting(TIME_ZONE) == "UTC"
    assert set_time_zone("Asia/Singapore", now, **said) == 1
    assert set_time_zone("Asia/Singapore", now, **said) == 0
    moved = store.desk.contact(kept.contact_id)
    assert moved is not None
    assert date_of_day(moved.until_day) == "2020-05-18"
    assert [outcome.day for outcome in store.desk.outcomes([kept.contact_id])[kept.contact_id]] == [
        kept.until_day - 13
    ]
    assert world.authority.audit.verify(by=CONSOLE)[0]
    again = World.of(counted_entropy(72), store=fresh_store())
    assert again.authority.days == UTC_DAYS
    assert case.date == "2020-05-04"


def test_lists_are_found_again_when_the_zone_changes() -> None:
    now = at("2020-05-04T09:00")
    store = fresh_store()
    world = world_in("UTC", store, now - 30 * SECONDS_PER_DAY)
    case, _ = met(world, at("2020-05-04T01:00"), now)
    (before,) = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    store.put_setting(TIME_ZONE, "America/New_York")  # its days begin on the same day of UTC
    changed = type(world.authority).assemble(
        world.keys, name="SG_MOH", store=store, save_keys=lambda _: None
    )
    (after,) = changed.tracing.contacts(case, by=CONSOLE).contacts
    assert ([day.date for day in before.days], [day.date for day in after.days]) == (
        ["2020-05-04"],
        ["2020-05-03"],
    )


def test_init_and_the_time_zone_command(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    wrong = CliRunner().invoke(cli, ["authority", "init", folder, "--time-zone", "Asia/Atlantis"])
    assert wrong.exit_code == 1
    assert not (tmp_path / "a").exists()
    made = CliRunner().invoke(cli, ["authority", "init", folder, "--time-zone", "Asia/Singapore"])
    assert made.exit_code == 0, made.output
    assert "Asia/Singapore" in made.output
    shown = CliRunner().invoke(cli, ["authority", "time-zone", folder])
    assert "Time zone  Asia/Singapore; today is 20" in shown.output
    changed = CliRunner().invoke(cli, ["authority", "time-zone", folder, "--set", "Europe/Berlin"])
    assert changed.exit_code == 0
    refused = CliRunner().invoke(cli, ["authority", "time-zone", folder, "--set", "Berlin"])
    assert refused.exit_code == 1
    with opened_folder(tmp_path / "a") as service:
        assert service.days == BERLIN
        assert [entry.act for entry in service.audit.entries(by=CONSOLE)][
            -1
        ] == "authority.time-zone-set"
