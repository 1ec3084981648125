"""From uploaded logs to contacts in order of concern."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.authority_world import DAY, NOON, NOW, World
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.groups import Groups
from tracetogether.authority.tracing.one_case import POLICIES, policy_named
from tracetogether.errors import InvalidRequestError
from tracetogether.local_days import UTC_DAYS
from tracetogether.parameters import DEMO_POLICY, SINGAPORE_POLICY
from tracetogether.proximity.attenuation import RULES
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import encounters
from tracetogether.rejection import Rejection
from tracetogether.shapes.contacts import Contacts
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY

HOUR = 3_600.0


def test_a_person_is_one_contact_over_tempid_rotations(world: World, case: Case) -> None:
    near = world.user()
    rows = world.heard(near, NOON - 2 * HOUR, 60, rssi_dbm=-45)
    assert len({row.peer for row in rows}) >= 4
    world.take(case, rows, NOON)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    (contact,) = traced.contacts
    assert (contact.pseudonym, contact.user_id) == (world.authority.desk.name_of(near), near)
    assert (len(contact.days), contact.encounters) == (1, 1)
    assert contact.minutes.low <= contact.minutes.median <= contact.minutes.high
    assert contact.minutes.low < contact.minutes.high
    assert 40 < contact.minutes.median <= 61
    assert contact.close_contact
    assert (contact.first_s, contact.last_s) == (rows[0].time, rows[-1].time)


def test_contacts_are_what_encounters_says_of_the_person(world: World, case: Case) -> None:
    near = world.user()
    mornings = [
        world.heard(near, NOON - days * SECONDS_PER_DAY - HOUR, 20, rssi_dbm=-50)
        for days in (0, 1, 5)
    ]
    rows = [row for morning in mornings for row in morning]
    world.take(case, rows, NOON)
    (contact,) = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    met = encounters(
        Sightings.from_rows([replace(row, peer=near) for row in rows]).replaced(
            observer=Sightings.from_rows(rows).observer
        ),
        within_m=2.0,
        calibration=Calibration.prior(BLUETRACE_TRANSMIT),
    )
    assert contact.encounters == len(met) == 3
    assert [day.day for day in contact.days] == [DAY - 5, DAY - 1, DAY]
    assert contact.minutes.low == pytest.approx(met.minutes.low.sum())
    assert contact.minutes.median == pytest.approx(met.minutes.median.sum())
    assert contact.minutes.high == pytest.approx(met.minutes.high.sum())
    assert contact.nearest_m.median == pytest.approx(met.nearest_m.median.min())
    assert contact.minutes_24h == pytest.approx(met.minutes.median.max())


def test_the_policy_is_met_by_minutes_of_one_span_of_24_hours(world: World, case: Case) -> None:
    together, apart = world.user(), world.user()
    # 17:00 and 01:00 UTC: two calendar days, one span of 24 hours.
    evening = NOW - 7 * HOUR
    rows = [
        *world.heard(together, evening, 20, rssi_dbm=-40),
        *world.heard(together, evening + 8 * HOUR, 20, rssi_dbm=-40),
        *world.heard(apart, evening, 20, rssi_dbm=-40),
        *world.heard(apart, evening - 24 * HOUR, 20, rssi_dbm=-40),
    ]
    world.take(case, rows, NOON)
    found = {
        contact.user_id: contact
        for contact in world.authority.tracing.contacts(case, by=CONSOLE).contacts
    }
    assert found[together].close_contact
    assert found[together].minutes_24h == pytest.approx(found[together].minutes.median)
    assert not found[apart].close_contact
    assert found[apart].minutes_24h < 21
    assert found[apart].minutes.median > 30
    short = world.authority.tracing.contacts(case, DEMO_POLICY, by=CONSOLE)
    assert {contact.user_id for contact in short.contacts if contact.close_contact} == {
        together,
        apart,
    }


def test_the_first_line_is_the_greatest_concern(world: World, case: Case) -> None:
    near_long, near_short, far = (world.user() for _ in range(3))
    world.take(
        case,
        [
            *world.heard(far, NOON - 3 * HOUR, 40, rssi_dbm=-100),
            *world.heard(near_short, NOON - 3 * HOUR, 40, rssi_dbm=-45),
            *world.heard(near_long, NOON - 3 * HOUR, 90, rssi_dbm=-45),
        ],
        NOON,
    )
    found = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    assert [contact.user_id for contact in found] == [near_long, near_short, far]
    assert [contact.close_contact for contact in found] == [True, True, False]
    assert found[0].nearest_m.median < found[2].nearest_m.median


def test_the_traced_span_has_whole_days_at_both_ends(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON, DAY - 2, by=CONSOLE)
    assert case.date == "2020-05-02"
    start, end = NOW - 16 * SECONDS_PER_DAY, NOW - SECONDS_PER_DAY
    assert case.traced_span(UTC_DAYS) == (start, end)
    before, first, last, after = (world.user() for _ in range(4))
    world.take(
        case,
        [
            world.heard(before, start - 1, 1)[0],
            world.heard(first, start, 1)[0],
            world.heard(last, end - 1, 1)[0],
            world.heard(after, end, 1)[0],
        ],
        NOON,
    )
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert {contact.user_id for contact in traced.contacts} == {first, last}
    assert (traced.accepted, traced.in_span) == (4, 2)


def test_two_uploads_of_a_case_are_one_story(world: World, case: Case) -> None:
    near = world.user()
    rows = world.heard(near, NOON - 2 * HOUR, 60, rssi_dbm=-45)
    world.take(case, rows[:100], NOON)
    once = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    world.take(case, rows[:100], NOON + 60)
    assert world.authority.tracing.contacts(case, by=CONSOLE).contacts == once
    world.take(case, rows[50:], NOON + 120)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert (traced.uploads, traced.records, traced.in_span) == (3, 330, 180)
    assert traced.contacts[0].minutes.median > once[0].minutes.median


def test_a_log_of_nothing_gives_no_contacts(world: World, case: Case) -> None:
    assert world.authority.tracing.contacts(case, by=CONSOLE).contacts == ()
    world.take(case, [], NOON)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert (traced.uploads, traced.records, traced.contacts) == (1, 0, ())


def test_other_cases_stay_out(world: World, case: Case) -> None:
    other = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(other, world.heard(world.user(), NOON - HOUR, 30), NOON)
    assert world.authority.tracing.contacts(case, by=CONSOLE).uploads == 0


def test_the_same_log_is_judged_the_same_a_week_later(world: World, case: Case) -> None:
    receipt = world.take(case, world.heard(world.user(), NOON - HOUR, 30), NOON)
    first = world.authority.tracing.contacts(case, by=CONSOLE)
    assert (first.records, first.accepted) == (receipt.records, receipt.accepted)
    assert world.authority.tracing.contacts(case, by=CONSOLE) == first


def test_tempids_whose_keys_are_destroyed_are_counted(world: World, case: Case) -> None:
    old, recent = world.user(), world.user()
    rows = [
        *world.heard(old, NOON - 10 * SECONDS_PER_DAY, 10),
        *world.heard(recent, NOON - SECONDS_PER_DAY, 10),
    ]
    world.take(case, rows, NOON)
    assert len(world.authority.tracing.contacts(case, by=CONSOLE).contacts) == 2
    world.keys.destroy_before(DAY - 5)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert [contact.user_id for contact in traced.contacts] == [recent]
    assert traced.rejected == {Rejection.KEY_DESTROYED: 30}


def test_an_upload_whose_key_is_destroyed_is_counted(world: World, case: Case) -> None:
    world.take(case, world.heard(world.user(), NOON - HOUR, 30), NOON)
    later = NOON + SECONDS_PER_DAY
    world.take(case, world.heard(world.user(), later - HOUR, 30), later)
    world.keys.destroy_before(DAY + 1)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert (traced.uploads, traced.unreadable_uploads, traced.records) == (2, 1, 90)
    world.keys.destroy_before(DAY + 9)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert (traced.uploads, traced.unreadable_uploads, traced.contacts) == (2, 2, ())


def test_what_is_printed_names_nobody(world: World, case: Case) -> None:
    near = world.user()
    world.take(case, world.heard(near, NOON - HOUR, 30), NOON)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    for shown in (repr(traced), str(Contacts.of(traced).json_value()), repr(traced.contacts)):
        assert near not in shown
        assert case.user_id not in shown
    assert world.authority.desk.name_of(near) in str(Contacts.of(traced).json_value())


def test_policies_by_name() -> None:
    assert policy_named("singapore") is SINGAPORE_POLICY
    assert {policy.minutes for policy in POLICIES.values()} == {15, 30}
    assert {policy.rule for policy in POLICIES.values()} - {None} <= set(RULES)
    assert (
        len({(policy.basis, policy.minutes) for policy in POLICIES.values()}) == len(POLICIES) == 7
    )
    with pytest.raises(InvalidRequestError, match="choose one of singapore, 2m-15min"):
        policy_named("none")


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 400_000), st.integers(0, 1_000)),
        min_size=1,
        max_size=30,
    )
)
def test_the_busiest_24_hours_by_trying_them_all(met: list[tuple[int, int, int]]) -> None:
    people, starts, minutes = (np.array(column) for column in zip(*met, strict=True))
    groups = Groups.of(people)
    found = groups.busiest_24h(starts + NOON, np.column_stack([minutes, 2 * minutes]))
    for person, sums in zip(groups.keys.tolist(), found.tolist(), strict=True):
        mine = [(start, minute) for who, start, minute in met if who == person]
        tried = max(
            sum(minute for start, minute in mine if begin <= start < begin + SECONDS_PER_DAY)
            for begin, _ in mine
        )
        assert sums == [tried, 2 * tried]
