"""Visits, trips and stays follow a case that is merged, and come back when the merge is undone."""

import pytest

from tests.authority_world import heard
from tests.presence_world import BAR, CAFE, HOUR, NOON, PresenceWorld, sent
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.presence.taking import SentTrip
from tracetogether.errors import NotFoundError

TIM = Caller("tim", frozenset({Role.TRACER}))
TRIP = SentTrip("G1234", "2020-05-03", "5")


def two_cases_of_a_person() -> tuple[PresenceWorld, Case, Case]:
    """Return a case with a visit, a trip and a stay, and another one, of tim's."""
    world = PresenceWorld.new()
    old, new = world.case_of(), world.case_of()
    world.report(old, [sent(CAFE, NOON - 9 * HOUR)], [TRIP])
    place, _ = world.authority.places.add("Hall", "South", NOON, by=CONSOLE)
    world.take(old, heard(world.authority, place.user_id, NOON - 5 * HOUR, 30), NOON)
    world.authority.staff.add("tim", TIM.roles, "token-of-tim", NOON, by=CONSOLE)
    return world, old, world.authority.casework.assign(new.case_id, "tim", NOON, by=CONSOLE)


def shown(world: PresenceWorld, case: Case) -> tuple[int, int, int, int]:
    """Return how many visits, trips, stays and people of a case its pages show."""
    found = world.authority.warnings.of_case(case.case_id, by=CONSOLE)
    days = world.authority.fourteen_days.of(case.case_id, by=CONSOLE).days
    stays = sum(len(day.stays) for day in days)
    assert stays == len(world.authority.stays.of(days_case(world, case), by=CONSOLE))
    assert sum(len(day.visits) for day in days) == len(found.visits)
    return len(found.visits), len(found.trips), stays, sum(day.people for day in days)


def days_case(world: PresenceWorld, case: Case) -> Case:
    return world.authority.casework.case(case.case_id, by=CONSOLE)


def test_visits_trips_and_stays_follow_the_merge_and_its_undo() -> None:
    world, old, new = two_cases_of_a_person()
    world.report(new, [sent(BAR, NOON - 20 * HOUR)])
    assert (shown(world, old), shown(world, new)) == ((1, 1, 1, 0), (1, 0, 0, 0))
    world.authority.merging.merge_cases(old.case_id, new.case_id, NOON, by=CONSOLE)
    assert (shown(world, old), shown(world, new)) == ((0, 0, 0, 0), (2, 1, 1, 0))
    for row in world.authority.warnings.of_case(new.case_id, by=CONSOLE).visits:
        assert row.case_id == new.case_id
    world.authority.unmerging.undo_cases(old.case_id, NOON + 60, by=CONSOLE)
    assert (shown(world, old), shown(world, new)) == ((1, 1, 1, 0), (1, 0, 0, 0))


def test_the_tracer_of_the_case_that_stays_decides() -> None:
    world, old, new = two_cases_of_a_person()
    (visit,) = world.authority.warnings.of_case(old.case_id, by=CONSOLE).visits
    with pytest.raises(NotFoundError):
        world.authority.warnings.confirm(visit.kept.visit_id, "called", NOON, by=TIM)
    world.authority.merging.merge_cases(old.case_id, new.case_id, NOON, by=CONSOLE)
    waiting, trips = world.authority.warnings.waiting(by=TIM)
    assert [row.case_id for row in (*waiting, *trips)] == [new.case_id] * 2
    world.authority.warnings.confirm(visit.kept.visit_id, "called", NOON, by=TIM)
    entry = list(world.authority.audit.entries(by=CONSOLE))[-1]
    assert (entry.act, entry.subject) == ("warning.confirmed", new.case_id)


def test_a_person_with_two_phones_does_not_vouch_for_a_place_twice() -> None:
    world, old, new = two_cases_of_a_person()
    world.authority.merging.merge_cases(old.case_id, new.case_id, NOON, by=CONSOLE)
    world.report(new, [sent(CAFE, NOON - 10 * HOUR, 45)])
    assert world.states(new) == ["waiting"] * 2
    third = world.case_of()
    world.report(third, [sent(CAFE, NOON - 9 * HOUR)])
    assert (world.states(new), world.states(third)) == (["released"] * 2, ["released"])
