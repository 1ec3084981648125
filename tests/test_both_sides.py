"""Two logs of one meeting: the other phone fills in, and contradicts; and what stays unsaid."""

import json
from collections.abc import Sequence

import pytest

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.tracing.one_case import TracedCase
from tracetogether.parameters import DEMO_POLICY
from tracetogether.rejection import Rejection
from tracetogether.shapes.contacts import Contacts
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY

HOUR = 3_600.0
AT = NOON - 3 * HOUR


def take(world: World, case: Case, rows: Sequence[Sighting], now: float = NOON) -> None:
    """Upload a log as the service does: its contacts are found and kept."""
    world.take(case, rows, now)
    world.authority.finder.refresh(case, now)


def positive(world: World, user_id: str, rows: Sequence[Sighting], now: float = NOON) -> Case:
    """Open a case for another person, who uploads."""
    other = world.authority.casework.open_case(user_id, now, by=CONSOLE)
    take(world, other, rows, now)
    return other


def traced(world: World, case: Case) -> TracedCase:
    return world.authority.tracing.contacts(case, DEMO_POLICY, by=CONSOLE)


def contact(world: World, case: Case, user_id: str) -> Contact:
    (found,) = [contact for contact in traced(world, case).contacts if contact.user_id == user_id]
    return found


def test_the_other_log_fills_in_what_one_phone_missed(world: World, case: Case) -> None:
    near = world.user()
    take(world, case, world.heard(near, AT, 20, rssi_dbm=-50))
    alone = contact(world, case, near)
    assert (alone.seen_by, alone.days[0].seen_by) == ("case", "case")
    assert alone.minutes.median < 21
    positive(world, near, world.heard(case.user_id, AT + 15 * 60, 25, rssi_dbm=-50))
    both = contact(world, case, near)
    assert (both.seen_by, both.days[0].seen_by) == ("both", "both")
    assert (both.first_s, both.last_s) == (AT, pytest.approx(AT + 40 * 60, abs=30))
    assert both.minutes.median == pytest.approx(2 * alone.minutes.median, rel=0.1)
    assert both.probability > alone.probability
    assert "recorded by both phones" in {reason.text for reason in both.reasons}


def test_where_both_heard_the_two_answers_are_averaged(world: World, case: Case) -> None:
    near, witness = world.user(), world.user()
    rows = [
        *world.heard(near, AT, 40, rssi_dbm=-60),
        *world.heard(witness, AT, 40, rssi_dbm=-75),
    ]
    take(world, case, rows)
    before = contact(world, case, near)
    positive(world, near, world.heard(case.user_id, AT, 40, rssi_dbm=-80))
    after = contact(world, case, near)
    assert after.encounters == before.encounters == 1
    assert after.minutes.median < before.minutes.median
    assert after.nearest_m.median > before.nearest_m.median


def test_somebody_whom_the_cases_own_phone_did_not_hear_is_found(world: World, case: Case) -> None:
    silent = world.user()
    take(world, case, [])
    assert traced(world, case).contacts == ()
    positive(world, silent, world.heard(case.user_id, AT, 30, rssi_dbm=-45))
    found = contact(world, case, silent)
    assert (found.seen_by, [day.seen_by for day in found.days]) == ("contact", ["contact"])
    assert found.minutes.median > 20
    assert traced(world, case).in_span == 0  # they are no records of this case


def test_each_day_says_whose_phone_recorded_it(world: World, case: Case) -> None:
    near = world.user()
    yesterday = AT - SECONDS_PER_DAY
    earlier = AT - 2 * SECONDS_PER_DAY
    rows = [*world.heard(near, earlier, 10), *world.heard(near, yesterday, 10)]
    take(world, case, rows)
    theirs = [*world.heard(case.user_id, yesterday, 10), *world.heard(case.user_id, AT, 10)]
    positive(world, near, theirs)
    found = contact(world, case, near)
    said = [(day.day, day.seen_by) for day in found.days]
    assert said == [(DAY - 2, "case"), (DAY - 1, "both"), (DAY, "contact")]


def test_both_lists_of_a_pair_say_the_same(world: World, case: Case) -> None:
    near = world.user()
    take(world, case, world.heard(near, AT, 20, rssi_dbm=-50))
    other = positive(world, near, world.heard(case.user_id, AT + 600, 20, rssi_dbm=-55))
    mine, theirs = contact(world, case, near), contact(world, other, case.user_id)
    assert mine.seen_by == theirs.seen_by == "both"
    assert (mine.first_s, mine.last_s) == (theirs.first_s, theirs.last_s)
    assert mine.minutes.median == pytest.approx(theirs.minutes.median)


def test_the_list_shows_nothing_else_of_the_others_log(world: World, case: Case) -> None:
    near, stranger = world.user(), world.user()
    take(world, case, world.heard(near, AT, 20))
    before = traced(world, case)
    theirs = [
        *world.heard(case.user_id, AT, 20),
        *world.heard(stranger, AT, 45, rssi_dbm=-40),
        *world.heard(case.user_id, NOON - 16 * SECONDS_PER_DAY, 30),  # before the traced span
        Sighting(AT, "not a token", -60),
    ]
    positive(world, near, theirs)
    after = traced(world, case)
    assert {contact.user_id for contact in after.contacts} == {near}
    assert contact(world, case, near).first_s == AT
    assert (after.uploads, after.records, after.accepted, after.in_span, after.rejected) == (
        before.uploads,
        before.records,
        before.accepted,
        before.in_span,
        before.rejected,
    )
    assert stranger not in json.dumps(Contacts.of(after).json_value())


def test_the_log_of_a_user_who_withdraws_no_longer_counts(world: World, case: Case) -> None:
    near, silent = world.user(), world.user()
    take(world, case, world.heard(near, AT, 20))
    for user in (near, silent):
        positive(world, user, world.heard(case.user_id, AT, 40))
    assert len(traced(world, case).contacts) == 2
    for user in (near, silent):
        world.authority.issuance.withdraw(user, NOON)
    assert traced(world, case).contacts == ()


def test_a_log_whose_key_is_destroyed_tells_nothing_more(world: World, case: Case) -> None:
    near = world.user()
    positive(world, near, world.heard(case.user_id, AT - SECONDS_PER_DAY, 40), NOON)
    later = NOON + 2 * SECONDS_PER_DAY
    take(world, case, world.heard(near, later - HOUR, 10), later)
    world.authority.casework.close(case.case_id, later, by=CONSOLE)
    case_later = world.authority.casework.open_case(case.user_id, later, by=CONSOLE)
    take(world, case_later, world.heard(near, later - HOUR, 10), later)
    assert contact(world, case_later, near).seen_by == "both"
    world.keys.destroy_before(DAY + 1)
    assert contact(world, case_later, near).seen_by == "case"


def test_quarantined_days_of_the_other_log_need_the_switch(world: World, case: Case) -> None:
    near = world.user()
    take(world, case, [])
    positive(world, near, world.heard(case.user_id, AT, 30))
    assert contact(world, case, near).seen_by == "contact"
    world.authority.custody.quarantine(DAY, DAY, NOON, by=CONSOLE)
    assert traced(world, case).contacts == ()
    (found,) = world.authority.tracing.contacts(
        case, DEMO_POLICY, believe_quarantined=True, by=CONSOLE
    ).contacts
    assert found.user_id == near


# --- nobody is in two places at once ---


def relay(world: World, case: Case, *, hears: Sequence[str]) -> str:
    """Let the case's phone hear a victim whose own log has ``hears`` all the time."""
    victim = world.user()
    bystander = world.user()
    mine = [*world.heard(victim, AT, 30, rssi_dbm=-55), *world.heard(bystander, AT, 30)]
    theirs = [row for user in hears for row in world.heard(user, AT, 30)]
    take(world, case, mine)
    positive(world, victim, theirs)
    return victim


def test_a_relayed_tempid_is_not_believed(world: World, case: Case) -> None:
    victim = relay(world, case, hears=[world.user()])
    found = traced(world, case)
    assert victim not in {contact.user_id for contact in found.contacts}
    assert found.rejected == {Rejection.TWO_PLACES: 90}
    assert (found.records, found.accepted, found.in_span) == (180, 90, 90)


def test_one_person_heard_by_both_is_enough_to_believe(world: World, case: Case) -> None:
    everywhere = world.user()
    take(world, case, world.heard(everywhere, AT, 30))
    victim = relay(world, case, hears=[everywhere, world.user()])
    # The case's two uploads are one story, and "everywhere" is in it.
    assert victim in {contact.user_id for contact in traced(world, case).contacts}


def test_a_phone_that_heard_nobody_may_have_slept(world: World, case: Case) -> None:
    victim = relay(world, case, hears=[])
    assert victim in {contact.user_id for contact in traced(world, case).contacts}


def test_a_victim_who_heard_the_case_was_there(world: World, case: Case) -> None:
    victim = relay(world, case, hears=[case.user_id, world.user()])
    assert contact(world, case, victim).seen_by == "both"


def test_a_weak_signal_may_go_unheard_on_the_other_side(world: World, case: Case) -> None:
    victim, bystander = world.user(), world.user()
    mine = [*world.heard(victim, AT, 30, rssi_dbm=-85), *world.heard(bystander, AT, 30)]
    take(world, case, mine)
    positive(world, victim, world.heard(world.user(), AT, 30))
    assert victim in {contact.user_id for contact in traced(world, case).contacts}
