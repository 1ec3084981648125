"""One line of a contact list: its days, its reasons, and what is kept of it."""

import json
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, NOW, World
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lines import Contact, ContactDay, judged
from tracetogether.authority.contacts.reasons import reasons_for
from tracetogether.authority.tracing.one_case import POLICIES, policy_named
from tracetogether.parameters import DEMO_POLICY, SINGAPORE_POLICY
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import encounters
from tracetogether.shapes.contacts import ContactDayLine, ReasonLine
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Interval

HOUR = 3_600.0


def only(world: World, case: Case) -> Contact:
    (contact,) = world.authority.tracing.contacts(case, by=CONSOLE).contacts
    return contact


def figures(contact: Contact, code: str) -> dict[str, float]:
    (found,) = [reason for reason in contact.reasons if reason.code == code]
    return dict(found.figures)


def test_an_encounter_over_midnight_is_shared_out_between_two_days(
    world: World, case: Case
) -> None:
    world.take(case, world.heard(world.user(), NOW - 1200, 60, rssi_dbm=-45), NOON)
    contact = only(world, case)
    assert contact.encounters == 1
    before, after = contact.days
    assert (before.day, after.day) == (DAY - 1, DAY)
    assert (before.encounters, after.encounters) == (1, 1)
    for name in ("low", "median", "high"):
        days = getattr(before.minutes, name) + getattr(after.minutes, name)
        assert days == pytest.approx(getattr(contact.minutes, name))
    assert after.minutes.median == pytest.approx(2 * before.minutes.median, rel=0.1)


def test_each_day_has_its_own_minutes_and_distance(world: World, case: Case) -> None:
    near = world.user()
    rows = [
        *world.heard(near, NOON - 3 * SECONDS_PER_DAY, 40, rssi_dbm=-45),
        *world.heard(near, NOON - SECONDS_PER_DAY, 10, rssi_dbm=-75),
        *world.heard(near, NOON - SECONDS_PER_DAY + 3 * HOUR, 10, rssi_dbm=-75),
    ]
    world.take(case, rows, NOON)
    contact = only(world, case)
    early, late = contact.days
    assert [day.day for day in contact.days] == [DAY - 3, DAY - 1]
    assert (early.encounters, late.encounters) == (1, 2)
    assert early.minutes.median > 25
    assert late.minutes.median < 15
    assert early.nearest_m.median < late.nearest_m.median
    assert contact.nearest_m == early.nearest_m
    assert contact.seen_by == early.seen_by == "case"
    assert ContactDayLine.of(early).date == "2020-05-01"


def test_reasons_are_codes_with_the_figures_of_the_line(world: World, case: Case) -> None:
    world.take(case, world.heard(world.user(), NOON - 2 * SECONDS_PER_DAY, 45, rssi_dbm=-45), NOON)
    contact = only(world, case)
    assert figures(contact, "minutes") == {
        "minutes": contact.minutes.median,
        "minutes_low": contact.minutes.low,
        "minutes_high": contact.minutes.high,
        "within_m": 2.0,
    }
    limit = {"policy_minutes": 30.0, "within_m": 2.0}
    assert figures(contact, "probability") == {"probability": contact.probability, **limit}
    assert figures(contact, "busiest_24h") == {"minutes_24h": contact.minutes_24h, **limit}
    assert figures(contact, "days") == {"days": 1}
    assert figures(contact, "last_seen") == {"days_before": 2}
    assert figures(contact, "seen_by") == {"case": 1, "contact": 0}
    assert figures(contact, "nearest")["nearest_m"] == contact.nearest_m.median
    said = json.dumps([ReasonLine.of(reason).json_value() for reason in contact.reasons])
    assert contact.user_id not in said
    assert contact.pseudonym not in said


def test_reasons_go_by_the_policy_that_was_asked_for(world: World, case: Case) -> None:
    world.take(case, world.heard(world.user(), NOON - HOUR, 22, rssi_dbm=-45), NOON)
    strict = world.authority.tracing.contacts(case, SINGAPORE_POLICY, by=CONSOLE).contacts[0]
    loose = world.authority.tracing.contacts(case, DEMO_POLICY, by=CONSOLE).contacts[0]
    assert (strict.close_contact, loose.close_contact) == (False, True)
    assert strict.probability < 0.5 < loose.probability
    assert figures(strict, "probability")["policy_minutes"] == 30
    assert figures(loose, "probability")["policy_minutes"] == 15


def test_a_list_begins_with_the_likeliest_then_the_longest_then_the_latest() -> None:
    def met(name: str, courses: float, minutes: float, last_s: float) -> Contact:
        span = Interval(minutes, minutes, minutes)
        days = (ContactDay(18_000, span, Interval(1.0, 1.0, 1.0), 1, "case"),)
        spread = tuple(courses - 0.5 * step for step in range(-8, 9))
        return Contact(name, name, days, 1, span, span, spread, days[0].nearest_m, 0.0, last_s)

    likely, long = met("likely", 16.0, 1.0, 0.0), met("long", 15.0, 9.0, 0.0)
    late, early = met("late", 15.0, 2.0, 5.0), met("early", 15.0, 2.0, 4.0)
    found = judged([early, long, late, likely], DEMO_POLICY)
    assert [contact.pseudonym for contact in found] == ["likely", "long", "late", "early"]
    assert found[1].probability == pytest.approx(0.5)


def test_a_policy_may_ask_for_more_or_less_certainty(world: World, case: Case) -> None:
    world.take(case, world.heard(world.user(), NOON - 2 * HOUR, 40, rssi_dbm=-62), NOON)
    chance = only(world, case).probability
    assert 0.01 < chance < 0.99
    for least, close in ((chance - 1e-6, True), (chance, True), (chance + 1e-6, False)):
        policy = replace(SINGAPORE_POLICY, least_chance=least)
        (contact,) = world.authority.tracing.contacts(case, policy, by=CONSOLE).contacts
        assert contact.close_contact is close


def test_a_rule_counts_minutes_by_attenuation_whatever_the_radius(world: World, case: Case) -> None:
    # 55 dB by default power: half a minute a minute for one rule, none or all for others.
    person = world.user()
    rows = world.heard(person, NOON - 2 * HOUR, 40, rssi_dbm=-62)
    world.take(case, rows, NOON)
    met = {
        name: world.authority.tracing.contacts(case, policy_named(name), by=CONSOLE).contacts[0]
        for name in ("swisscovid", "cwa", "immuni", "lfph")
    }
    for name, contact in met.items():
        (found,) = encounters(
            Sightings.from_rows([replace(row, peer=person) for row in rows]),
            estimator=f"bucket-{name}",
            calibration=Calibration.prior(transmit=BLUETRACE_TRANSMIT),
        )
        assert contact.minutes.median == pytest.approx(found.minutes.median)
        assert contact.minutes.high == pytest.approx(found.minutes.high)
        assert contact.close_contact is (found.minutes.median >= 15)
    assert len({contact.minutes.median for contact in met.values()}) == 4
    wide = replace(policy_named("cwa"), within_m=50.0)
    assert (
        world.authority.tracing.contacts(case, wide, by=CONSOLE).contacts[0].minutes
        == met["cwa"].minutes
    )


def test_reasons_are_said_in_plain_english() -> None:
    found = reasons_for(
        DEMO_POLICY,
        probability=0.934,
        minutes=Interval(20.0, 45.2, 60.0),
        minutes_24h=Interval(20.0, 31.0, 40.0),
        nearest_m=Interval(0.4, 0.84, 1.5),
        days=2,
        last_day=DAY - 1,
        seen_by="both",
        case_day=DAY,
    )
    assert [reason.text for reason in found] == [
        "93 % likely within 2 m for 15 min or more in 24 hours",
        "45 (20 to 60) min within 2 m",
        "31 min in the busiest 24 hours, reaches 15",
        "nearest 0.8 (0.4 to 1.5) m",
        "on 2 days",
        "last seen 1 day before the case's date",
        "recorded by both phones",
    ]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_what_is_kept_and_found_again_is_the_same(world: World, case: Case, policy: object) -> None:
    rows = [
        *world.heard(world.user(), NOON - 3 * SECONDS_PER_DAY, 40, rssi_dbm=-60),
        *world.heard(world.user(), NOON - SECONDS_PER_DAY, 10, rssi_dbm=-75),
    ]
    world.take(case, rows, NOON)
    first = world.authority.tracing.contacts(case, policy, by=CONSOLE)
    counted = world.store.counts(NOON)
    assert counted.contacts >= 2
    assert world.authority.tracing.contacts(case, policy, by=CONSOLE) == first


def test_whole_numbers_in_reasons_stay_whole_in_answers():
    line = ReasonLine(code="last_seen", figures={"days_before": 2, "within_m": 1.5}, text="")
    assert '{"days_before":2,"within_m":1.5}' in line.model_dump_json()
