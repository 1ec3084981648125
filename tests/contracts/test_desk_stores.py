"""What tracers work on, on SQLite and PostgreSQL: cases, contacts, outcomes, notes, counts."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import contact_row, fill
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.cases.case import CaseQuery, CaseState
from tracetogether.authority.cases.followed import (
    ACTIVE,
    TRACED_STATES,
    ContactQuery,
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    Priority,
)
from tracetogether.authority.cases.indicators import DayCounts, Indicators, Ratio
from tracetogether.authority.cases.notes import SealedNote
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.units import utc_day

CASES, CONTACTS = 6, 96


@pytest.fixture
def world(store: AuthorityStore) -> World:
    world = World.of(counted_entropy(21), store=store)
    fill(store, world.keys, counted_entropy(22), cases=CASES, contacts=CONTACTS)
    return world


def row(world: World, number: int, state: ContactState | None = None) -> KeptContact:
    case_id = f"C{number % CASES:09d}"
    return contact_row(number, case_id, world.keys, counted_entropy(number), state)


def everybody(world: World) -> list[KeptContact]:
    found, total = world.store.desk.contacts_page(ContactQuery(limit=1_000))
    assert len(found) == total == CONTACTS
    return list(found)


def test_a_contact_comes_back_unchanged(world: World) -> None:
    desk = world.store.desk
    kept = replace(
        row(world, 500, ContactState.LOST),
        traced_at=None,
        ended_at=NOON,
        symptoms=True,
        followed_all=True,
        reasons=(),
        became_case="C1",
        merged_into="P2",
        particulars=b"\x00sealed\xff",
    )
    desk.put_contacts([kept, row(world, 501)])
    assert desk.contact(kept.contact_id) == kept
    again = replace(kept, state=ContactState.REACHED, priority=Priority.HIGH, reasons=("a", "b"))
    desk.put_contacts([again])
    assert desk.contact(kept.contact_id) == again
    assert desk.contact("nobody") is None
    desk.put_contacts([])


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (ContactQuery(), lambda _: True),
        (ContactQuery(case_id="C000000002"), lambda kept: kept.case_id == "C000000002"),
        (
            ContactQuery(states=frozenset({ContactState.LOST, ContactState.TO_TRACE})),
            lambda kept: kept.state in {ContactState.LOST, ContactState.TO_TRACE},
        ),
        (
            ContactQuery(priorities=frozenset({Priority.HIGH})),
            lambda kept: kept.priority is Priority.HIGH,
        ),
        (ContactQuery(due_on=DAY), lambda kept: kept.due(DAY)),
        (
            ContactQuery(assigned_to="ravi", due_on=DAY + 3),
            lambda kept: kept.case_id in {"C000000000", "C000000003"} and kept.due(DAY + 3),
        ),
        (ContactQuery(assigned_to="nobody"), lambda _: False),
    ],
)
def test_pages_of_contacts_are_filtered_and_sorted_by_urgency(
    world: World, query: ContactQuery, wanted: Callable[[KeptContact], bool]
) -> None:
    expected = [kept.contact_id for kept in everybody(world) if wanted(kept)]
    urgency = {kept.contact_id: (kept.urgency, kept.contact_id) for kept in everybody(world)}
    assert expected == sorted(expected, key=urgency.__getitem__)
    seen: list[str] = []
    while True:
        rows, total = world.store.desk.contacts_page(replace(query, offset=len(seen), limit=7))
        assert total == len(expected)
        if not rows:
            break
        seen += [kept.contact_id for kept in rows]
    assert seen == expected


def test_contacts_are_read_by_id_with_the_date_of_the_case(world: World) -> None:
    desk, seen = world.store.desk, []
    while batch := desk.contacts_after(seen[-1] if seen else "", 10):
        assert {date for _, date in batch} == {"2020-05-04"}
        seen += [kept.contact_id for kept, _ in batch]
    assert seen == sorted(kept.contact_id for kept in everybody(world))


def test_people_are_found_by_tag_and_deleted_with_notes_and_outcomes(world: World) -> None:
    desk = world.store.desk
    first, other = row(world, 1), row(world, 2)
    assert [kept.contact_id for kept in desk.tagged([first.tag, b"nothing"])] == [first.contact_id]
    note = SealedNote("N1", first.case_id, first.contact_id, DAY, NOON, "ravi", b"sealed")
    desk.add_note(note)
    desk.put_outcome(first.contact_id, DayOutcome(DAY, Outcome.SYMPTOMS, "ravi", NOON))
    assert desk.drop_tagged([first.tag]) == 1
    assert desk.drop_tagged([first.tag]) == 0
    assert desk.contact(first.contact_id) is None
    assert desk.contact(other.contact_id) is not None
    assert desk.outcomes([first.contact_id]) == {}
    assert list(desk.notes(first.case_id)) == []


def test_a_day_has_one_outcome(world: World) -> None:
    desk, contact_id = world.store.desk, row(world, 3).contact_id
    first = DayOutcome(DAY + 1, Outcome.NOT_REACHED, "ravi", NOON)
    second = DayOutcome(DAY, Outcome.NO_SYMPTOMS, "siti", NOON + 1)
    desk.put_outcome(contact_id, first)
    desk.put_outcome(contact_id, second)
    assert desk.outcomes([contact_id, "nobody"]) == {contact_id: (second, first)}
    better = DayOutcome(DAY + 1, Outcome.SYMPTOMS, "siti", NOON + 2)
    desk.put_outcome(contact_id, better)
    assert desk.outcomes([contact_id])[contact_id] == (second, better)


def test_cases_come_in_pages_with_their_counts(world: World) -> None:
    desk = world.store.desk
    page = desk.cases_page(CaseQuery(offset=1, limit=3), DAY)
    assert (page.total, page.offset) == (CASES, 1)
    assert [summary.case.case_id for summary in page.cases] == [f"C{n:09d}" for n in (1, 2, 3)]
    for summary in page.cases:
        mine = [kept for kept in everybody(world) if kept.case_id == summary.case.case_id]
        states = [kept.state for kept in mine]
        assert summary.contacts == len(mine) - states.count(ContactState.MERGED)
        assert summary.to_trace == states.count(ContactState.TO_TRACE)
        assert summary.lost == states.count(ContactState.LOST)
        reached = states.count(ContactState.REACHED) + states.count(ContactState.IN_FOLLOW_UP)
        assert summary.in_follow_up == reached
        assert summary.due == sum(kept.due(DAY) for kept in mine)
        assert summary.uploads == 0
    closed = desk.cases_page(CaseQuery(frozenset({CaseState.CLOSED})), DAY)
    assert {summary.case.case_id for summary in closed.cases} == {"C000000002", "C000000005"}
    assert desk.cases_page(CaseQuery(assigned_to="siti"), DAY).total == 2
    assert desk.cases_page(CaseQuery(assigned_to=""), DAY).total == 2
    assert desk.cases_page(CaseQuery(starts_with="C000000004"), DAY).total == 1
    assert desk.cases_page(CaseQuery(starts_with="%"), DAY).total == 0


def test_a_case_keeps_its_state(world: World) -> None:
    desk = world.store.desk
    case = desk.locked_case("C000000001")
    assert case is not None
    changed = replace(
        case,
        state=CaseState.MERGED,
        assigned_to="tom",
        tracing_at=NOON,
        closed_at=NOON + 1,
        merged_into="C000000002",
    )
    desk.put_case(changed)
    assert world.store.case("C000000001") == desk.locked_case("C000000001") == changed
    assert desk.locked_case("nothing") is None
    assert sorted(desk.cases_of_users(["user-1", "user-4", "x"])) == [
        ("user-1", "C000000001"),
        ("user-4", "C000000004"),
    ]


def test_calls_end_after_their_last_day(world: World) -> None:
    desk = world.store.desk
    over = [
        kept for kept in everybody(world) if kept.due(DAY + 5) is False and kept.until_day < DAY + 5
    ]
    active = {ContactState.TO_TRACE, ContactState.REACHED, ContactState.IN_FOLLOW_UP}
    over = [kept for kept in over if kept.state in active]
    assert desk.end_follow_ups(DAY + 5, NOON) == len(over) > 3
    assert desk.end_follow_ups(DAY + 5, NOON) == 0
    for kept in over:
        now = desk.contact(kept.contact_id)
        assert now is not None
        lost = kept.traced_at is None
        assert now.state is (ContactState.LOST if lost else ContactState.COMPLETED)
        assert now.ended_at == NOON


def test_notes_and_contacts_are_deleted_by_their_day(world: World) -> None:
    desk = world.store.desk
    old = SealedNote("N1", "C000000001", "", DAY - 2, NOON - 9, "ravi", b"old")
    new = SealedNote("N2", "C000000001", "P1", DAY, NOON, "siti", b"new")
    desk.add_note(new)
    desk.add_note(old)
    assert list(desk.notes("C000000001")) == [old, new]
    assert desk.drop_notes(DAY) == 1
    assert list(desk.notes("C000000001")) == [new]
    assert desk.drop_contacts(DAY) == 0
    assert desk.drop_contacts(DAY + 1) == CONTACTS
    assert desk.contacts_page(ContactQuery())[1] == 0


def test_removing_a_user_removes_contacts_notes_and_outcomes(world: World) -> None:
    desk, mine = world.store.desk, row(world, 1)
    desk.add_note(SealedNote("N1", mine.case_id, "", DAY, NOON, "ravi", b"sealed"))
    desk.put_outcome(mine.contact_id, DayOutcome(DAY, Outcome.SYMPTOMS, "ravi", NOON))
    assert world.store.remove_user("user-1")
    assert list(desk.contacts_of(["C000000001"])) == []
    assert len(desk.contacts_of(["C000000002"])) == CONTACTS // CASES
    assert list(desk.notes("C000000001")) == []
    assert desk.outcomes([mine.contact_id]) == {}


def counted_row_by_row(
    store: AuthorityStore, now: float, assigned_to: str | None
) -> tuple[Indicators, tuple[DayCounts, ...], dict[str, object]]:
    """Return what a dashboard shows, counted in Python from the rows themselves."""
    cases = [case for case in store.cases() if assigned_to in {None, case.assigned_to}]
    ids = {case.case_id for case in cases}
    everyone, _ = store.desk.contacts_page(ContactQuery(limit=1_000))
    contacts = [kept for kept in everyone if kept.case_id in ids]
    traced = [kept for kept in contacts if kept.state in TRACED_STATES]
    lost = [kept for kept in traced if kept.state is ContactState.LOST]
    ended = [kept for kept in traced if kept.state is ContactState.COMPLETED] + lost
    day = utc_day(now)

    def within_a_day(spans: list[tuple[float, float | None]]) -> Ratio:
        prompt = sum(end is not None and end - start <= 86_400 for start, end in spans)
        timely = sum(end is not None or start <= now - 86_400 for start, end in spans)
        return Ratio(prompt, timely)

    indicators = Indicators(
        traced_within_a_day=within_a_day([(kept.found_at, kept.traced_at) for kept in traced]),
        followed_all_days=Ratio(sum(kept.followed_all for kept in ended), len(ended)),
        new_cases_known=Ratio(sum(case.known_contact for case in cases), len(cases)),
        started_within_a_day=within_a_day([(case.opened_at, case.tracing_at) for case in cases]),
        lost=Ratio(len(lost), len(traced)),
    )
    opened = Counter(utc_day(case.opened_at) for case in cases)
    found = Counter(utc_day(kept.found_at) for kept in contacts)
    reached = Counter(utc_day(kept.traced_at) for kept in contacts if kept.traced_at is not None)
    days = tuple(
        DayCounts(one_day, opened[one_day], found[one_day], reached[one_day])
        for one_day in range(day - 13, day + 1)
    )
    active = [kept for kept in contacts if kept.state in ACTIVE]
    called = {kept.who for kept in everyone if kept.last_day >= day}
    return (
        indicators,
        days,
        {
            "cases": Counter(case.state for case in cases),
            "contacts": Counter(kept.state for kept in contacts),
            "priorities": Counter(kept.priority for kept in active),
            "due_today": len({kept.who for kept in contacts if kept.due(day)} - called),
            "done_today": len({kept.who for kept in contacts if kept.last_day == day}),
            "uploads": 0,
            "users": CASES,
        },
    )


@pytest.mark.parametrize("assigned_to", [None, "ravi"])
@pytest.mark.parametrize("now", [NOON, NOON + 86_400 * 2.5])
def test_a_dashboard_shows_the_counts_of_its_rows(
    world: World, now: float, assigned_to: str | None
) -> None:
    for name, subject, window in (
        (BATCHES.name, b"one", DAY * 86_400),
        (BATCHES.name, b"one", DAY * 86_400 + 3_600),
        (BATCHES.name, b"two", DAY * 86_400),
        (BATCHES.name, b"old", DAY * 86_400 - 3_600),
        ("other", b"three", DAY * 86_400),
    ):
        world.store.count_up(name, subject, window)
    # Two people are due for a second case; one of them was called for it today.
    first, second = (row(world, number, ContactState.REACHED) for number in (498, 501))
    for number, kept in enumerate((first, second)):
        line = replace(
            row(world, 500 + 2 * number, ContactState.REACHED), who=kept.who, last_day=DAY - number
        )
        world.store.desk.put_contacts([replace(kept, last_day=DAY - 1), line])
    seen = world.store.desk.dashboard(now, assigned_to)
    indicators, days, counts = counted_row_by_row(world.store, now, assigned_to)
    assert seen.indicators == indicators
    assert seen.days == days
    assert {name: getattr(seen, name) for name in counts} == counts
    assert seen.active_users == ((2, 1) if now == NOON else (0, 0))
    assert sum(seen.contacts.values()) == (
        CONTACTS + 4 if assigned_to is None else CONTACTS // 3 + 2
    )
    assert seen.indicators.traced_within_a_day.numerator > 0
    assert seen.days[-1].day == utc_day(now)


def test_a_failed_transaction_of_the_desk_stores_nothing(world: World) -> None:
    before = everybody(world)
    desk = world.store.desk

    def change_and_fail() -> None:
        with world.store.atomic():
            desk.put_contacts([replace(before[0], state=ContactState.LOST), row(world, 777)])
            desk.put_outcome(before[0].contact_id, DayOutcome(DAY, Outcome.SYMPTOMS, "x", NOON))
            desk.add_note(SealedNote("N1", before[0].case_id, "", DAY, NOON, "x", b"sealed"))
            raise LookupError

    with pytest.raises(LookupError):
        change_and_fail()
    assert everybody(world) == before
    assert desk.outcomes([before[0].contact_id]) == {}
    assert list(desk.notes(before[0].case_id)) == []
