"""Calls on SQLite and PostgreSQL: people in place of rows, call next, reservations, drafts."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import contact_row, fill
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.calls import RESERVED_S, SHIFT_S, Draft, PeopleQuery, ShiftReason
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactState, KeptContact, Outcome
from tracetogether.authority.desk.calling import CallSheet
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StaleError,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

RAVI = Caller("ravi", frozenset({Role.TRACER}))
SITI = Caller("siti", frozenset({Role.TRACER}))
PEOPLE = 200


class Shift(World):
    """Two tracers, and three cases; two of them know the same person."""

    first: Case
    second: Case
    third: Case
    shared: str

    def line(self, case: Case, user_id: str) -> KeptContact:
        found = [
            kept
            for kept in self.store.desk.contacts_of([case.case_id])
            if self.authority.desk.user_of(kept) == user_id
        ]
        (kept,) = found
        return kept

    def near(self, case: Case, user_id: str, days_ago: float, *, arrived: float = NOON) -> None:
        at = NOON - days_ago * SECONDS_PER_DAY - 3 * SECONDS_PER_HOUR
        self.take(case, self.heard(user_id, at, 90, rssi_dbm=-45), arrived)
        self.authority.finder.refresh(case, arrived)

    def next(self, by: Caller, now: float = NOON, *, skip: str = "") -> CallSheet:
        sheet = self.authority.calling.next(now, skip=skip, by=by)
        assert sheet is not None
        return sheet


@pytest.fixture
def world(store: AuthorityStore) -> Shift:
    world = Shift.of(os.urandom, store=store)
    work = world.authority.casework
    for name in ("ravi", "siti"):
        world.authority.staff.add(name, frozenset({Role.TRACER}), f"token-{name}", NOON, by=CONSOLE)
    world.shared = world.user()
    world.first, world.second, world.third = (
        work.open_case(world.user(), NOON - 60 * number, by=CONSOLE) for number in range(3)
    )
    world.near(world.first, world.shared, 4)
    world.near(world.second, world.shared, 1)
    for caller in (RAVI, SITI):
        world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=caller)
    return world


def due_people(store: AuthorityStore, people: int) -> World:
    """Return a world of five cases, and people who have not been called."""
    entropy = counted_entropy(51)
    world = World.of(entropy, store=store)
    fill(store, world.keys, entropy, cases=5, contacts=0)
    rows = [
        contact_row(number, f"C{number % 5:09d}", world.keys, entropy, ContactState.TO_TRACE)
        for number in range(people)
    ]
    fresh = {"last_day": -1, "until_day": DAY + 5, "traced_at": None}
    world.store.desk.put_contacts([replace(kept, **fresh) for kept in rows])
    return world


def test_a_person_near_two_cases_is_one_line_with_both_reasons(world: Shift) -> None:
    page = world.authority.people.due(NOON, by=CONSOLE)
    (person,) = page.people
    assert page.total == 1
    assert {shown.kept.case_id for shown in person.lines} == {
        world.first.case_id,
        world.second.case_id,
    }
    lines = [shown.kept for shown in person.lines]
    assert (
        person.until_day
        == max(kept.until_day for kept in lines)
        > min(kept.until_day for kept in lines)
    )
    assert len(set(person.reasons)) == len(person.reasons) >= 1
    assert person.probability == max(kept.probability for kept in lines)
    assert world.authority.people.page(PeopleQuery(case_id="nobody"), NOON, by=CONSOLE).total == 0


def test_a_call_a_name_and_a_number_hold_for_all_cases(world: Shift) -> None:
    desk, work = world.authority.desk, world.authority.follow_up
    here, there = (world.line(case, world.shared) for case in (world.first, world.second))
    work.describe(here.contact_id, "Ann", "+65 9123 4567", NOON, by=CONSOLE)
    assert work.reveal(there.contact_id, "a test", NOON, by=CONSOLE).phone == "+65 9123 4567"
    work.record(there.contact_id, DAY, Outcome.SYMPTOMS, NOON, by=CONSOLE)
    for contact_id in (here.contact_id, there.contact_id):
        kept = desk.contact(contact_id, by=CONSOLE).kept
        assert (kept.state, kept.last_day, kept.symptoms) == (ContactState.IN_FOLLOW_UP, DAY, True)
    assert world.authority.people.due(NOON, by=CONSOLE).total == 0
    world.near(world.third, world.shared, 2, arrived=NOON + 60)  # a case that comes later
    late = world.line(world.third, world.shared)
    assert work.reveal(late.contact_id, "a test", NOON + 60, by=CONSOLE).name == "Ann"
    assert late.due(DAY)
    assert world.authority.people.due(NOON + 60, by=CONSOLE).total == 0  # called today already
    (person,) = world.authority.people.due(NOON + SECONDS_PER_DAY, by=CONSOLE).people
    assert len(person.lines) == 3


def test_the_sheet_shows_all_that_a_call_needs(world: Shift) -> None:
    sheet = world.next(RAVI)
    assert sheet.line.pseudonym == world.authority.desk.name_of(world.shared)
    assert sheet.reserved_until == NOON + RESERVED_S
    assert (sheet.calls, sheet.notes, bool(sheet.draft)) == ((), (), False)
    entry = list(world.authority.audit.entries(by=CONSOLE))[-1]
    assert (entry.act, entry.by, entry.details["reason"]) == (
        "contact.revealed",
        "ravi",
        "daily_calls",
    )
    saved = world.authority.calling.save(
        sheet.line.contact_id,
        *(Outcome.NOT_REACHED, NOON + 60),
        note="Try the evening.",
        version=sheet.line.version,
        by=RAVI,
    )
    assert {shown.kept.missed for shown in saved.lines} == {1}
    assert world.authority.calling.next(NOON + 61, by=RAVI) is None
    tomorrow = NOON + SECONDS_PER_DAY
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, tomorrow, by=RAVI)
    sheet = world.next(RAVI, tomorrow)
    assert [note.text for note in sheet.notes] == ["Try the evening."]
    assert [(call.outcome, call.by) for call in sheet.calls] == [(Outcome.NOT_REACHED, "ravi")]


def test_a_person_whose_keys_are_destroyed_holds_up_no_other_call(world: Shift) -> None:
    later, other = NOON + SECONDS_PER_DAY, world.user()
    world.near(world.third, other, 0, arrived=later)
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, later, by=RAVI)
    world.keys.destroy_before(DAY + 1)  # of the lines near the first and the second case
    assert world.next(RAVI, later).line.contact_id == world.line(world.third, other).contact_id
    calling = world.authority.calling
    assert calling.next(later, skip=world.line(world.third, other).contact_id, by=RAVI) is None


def test_a_line_whose_key_is_destroyed_hides_no_other_line_of_the_person(world: Shift) -> None:
    later = NOON + SECONDS_PER_DAY
    world.near(world.third, world.shared, 0, arrived=later)
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, later, by=RAVI)
    first = world.line(world.first, world.shared)
    world.store.desk.put_contacts([replace(first, probability=1.0)])
    late = world.line(world.third, world.shared)
    world.keys.destroy_before(DAY + 1)
    sheet = world.next(RAVI, later)
    assert (sheet.line.contact_id, sheet.person.user_id) == (late.contact_id, world.shared)
    calling = world.authority.calling
    calling.describe(late.contact_id, "Ann", "+65 9123 4567", later, by=RAVI)
    saved = calling.save(first.contact_id, Outcome.SYMPTOMS, later, by=RAVI)
    assert {shown.kept.last_day for shown in saved.lines} == {DAY + 1}


def test_a_call_is_saved_though_the_most_urgent_case_of_the_person_is_over(world: Shift) -> None:
    first, second = (world.line(case, world.shared) for case in (world.first, world.second))
    over = replace(
        first, state=ContactState.COMPLETED, until_day=DAY - 1, probability=1.0, traced_at=NOON
    )
    world.store.desk.put_contacts([over])
    assert over.urgency < second.urgency
    line = world.next(RAVI).line
    assert line.contact_id == second.contact_id
    world.authority.calling.save(line.contact_id, Outcome.NO_SYMPTOMS, NOON, by=RAVI)
    assert world.line(world.second, world.shared).last_day == DAY
    assert world.line(world.first, world.shared).state is ContactState.COMPLETED


def test_nobody_is_shown_without_a_shift(world: Shift) -> None:
    calling = world.authority.calling
    calling.end_shift(NOON, by=RAVI)
    with pytest.raises(ConflictError, match="begin a shift"):
        calling.next(NOON, by=RAVI)
    assert calling.shift(NOON, by=RAVI) is None
    calling.begin_shift(ShiftReason.FIRST_CALLS, NOON, by=RAVI)
    assert calling.next(NOON + SHIFT_S - 1, by=RAVI) is not None
    with pytest.raises(ConflictError, match="begin a shift"):
        calling.next(NOON + SHIFT_S, by=RAVI)


def test_a_reserved_person_is_nobody_elses_until_the_time_is_over(world: Shift) -> None:
    calling, sheet = world.authority.calling, world.next(RAVI)
    contact_id = sheet.line.contact_id
    assert world.authority.people.due(NOON, by=CONSOLE).people[0].reserved_by == "ravi"
    entries = world.store.last_audit()
    assert calling.current(NOON, by=RAVI) == sheet  # to look again is no other reveal
    assert world.store.last_audit() == entries
    assert calling.next(NOON + 1, by=SITI) is None
    with pytest.raises(ConflictError, match="another operator"):
        calling.save(contact_id, Outcome.SYMPTOMS, NOON + 1, by=SITI)
    with pytest.raises(ConflictError, match="another operator"):
        calling.keep_draft(contact_id, Draft(note="x"), NOON + 1, by=SITI)
    late = NOON + RESERVED_S
    assert world.next(SITI, late).line.contact_id == contact_id  # ravi's browser was killed
    assert calling.current(late, by=RAVI) is None
    assert world.next(RAVI, late + RESERVED_S).line.contact_id == contact_id
    calling.end_shift(late + RESERVED_S, by=RAVI)
    assert world.next(SITI, late + RESERVED_S).line.contact_id == contact_id
    assert calling.next(late + RESERVED_S, skip=contact_id, by=SITI) is None


def test_who_may_take_whom(world: Shift) -> None:
    work, calling = world.authority.casework, world.authority.calling
    own = world.user()
    world.near(world.third, own, 1)
    for case in (world.first, world.second):
        work.assign(case.case_id, "ravi", NOON, by=CONSOLE)
    sheet = world.next(SITI)  # the third case is nobody's
    assert sheet.line.pseudonym == world.authority.desk.name_of(own)
    assert calling.next(NOON, skip=sheet.line.contact_id, by=SITI) is None
    theirs = world.line(world.first, world.shared).contact_id
    for act in (
        lambda: calling.open(theirs, NOON, by=SITI),
        lambda: calling.save(theirs, Outcome.SYMPTOMS, NOON, by=SITI),
        lambda: calling.open("nobody", NOON, by=SITI),
    ):
        with pytest.raises(NotFoundError):
            act()
    work.assign(world.second.case_id, "siti", NOON, by=CONSOLE)
    opened = calling.open(world.line(world.second, world.shared).contact_id, NOON, by=SITI)
    assert (len(opened.line.lines), opened.line.elsewhere) == (1, 1)  # ravi's case is not named
    saved = calling.save(opened.line.contact_id, Outcome.NO_SYMPTOMS, NOON, by=SITI)
    assert len(saved.lines) == 1
    assert world.line(world.first, world.shared).state is ContactState.IN_FOLLOW_UP  # nor called


def test_an_agreed_time_comes_first_when_it_has_come(world: Shift) -> None:
    calling, other = world.authority.calling, world.user()
    world.near(world.third, other, 0.1)
    sheet = world.next(RAVI)
    contact_id, three = sheet.line.contact_id, NOON + 3 * SECONDS_PER_HOUR
    with pytest.raises(InvalidRequestError, match="when to call back"):
        calling.save(contact_id, Outcome.CALL_BACK, NOON, by=RAVI)
    with pytest.raises(InvalidRequestError, match="past"):
        calling.save(contact_id, Outcome.CALL_BACK, NOON, call_at=NOON, by=RAVI)
    late = NOON + 40 * SECONDS_PER_DAY
    with pytest.raises(InvalidRequestError, match="after the last day"):
        calling.save(contact_id, Outcome.CALL_BACK, NOON, call_at=late, by=RAVI)
    with pytest.raises(InvalidRequestError, match="no next call"):
        calling.save(contact_id, Outcome.DIED, NOON, call_at=three, by=RAVI)
    saved = calling.save(contact_id, Outcome.CALL_BACK, NOON, call_at=three, by=RAVI)
    assert (saved.call_at, saved.missed) == (three, 0)
    between = world.next(RAVI, NOON + 60)
    assert between.line.contact_id != contact_id
    assert world.next(RAVI, three).line.contact_id == contact_id
    calling.save(contact_id, Outcome.NOT_REACHED, three, call_at=three + 60, by=RAVI)
    assert world.next(RAVI, three + 60).line.contact_id == contact_id  # again on the same day
    calling.save(contact_id, Outcome.NO_SYMPTOMS, three + 60, by=RAVI)
    assert world.next(RAVI, three + 120).line.contact_id == between.line.contact_id


OUTCOMES = [
    (Outcome.NO_SYMPTOMS, ContactState.IN_FOLLOW_UP, True),
    (Outcome.SYMPTOMS, ContactState.IN_FOLLOW_UP, True),
    (Outcome.NOT_REACHED, ContactState.TO_TRACE, False),
    (Outcome.WRONG_NUMBER, ContactState.TO_TRACE, False),
    (Outcome.REFUSED, ContactState.ENDED, True),
    (Outcome.IN_HOSPITAL, ContactState.ENDED, True),
    (Outcome.DIED, ContactState.ENDED, False),
    (Outcome.MOVED, ContactState.ENDED, False),
]


def test_what_follows_from_an_outcome(store: AuthorityStore) -> None:
    assert {outcome for outcome, _, _ in OUTCOMES} == set(Outcome) - {Outcome.CALL_BACK}
    world = due_people(store, len(OUTCOMES))
    calling, tomorrow = world.authority.calling, NOON + SECONDS_PER_DAY
    for number, (outcome, state, informed) in enumerate(OUTCOMES):
        contact_id = f"P{number:09d}"
        calling.save(contact_id, outcome, NOON, by=CONSOLE)
        kept = world.store.desk.contact(contact_id)
        assert kept is not None
        assert (kept.state, kept.traced_at is not None) == (state, informed), outcome
        assert (kept.ended_at is None) == (state is not ContactState.ENDED)
    ended = sum(state is ContactState.ENDED for _, state, _ in OUTCOMES)
    due = world.authority.people.due(tomorrow, by=CONSOLE).total
    assert due == len(OUTCOMES) - ended
    for number in range(len(OUTCOMES)):  # who wrote a wrong outcome records the right one
        calling.save(f"P{number:09d}", Outcome.NO_SYMPTOMS, NOON + 60, by=CONSOLE)
    assert world.authority.people.due(tomorrow, by=CONSOLE).total == len(OUTCOMES)


def test_a_wrong_number_is_marked_until_another_one_is_stored(world: Shift) -> None:
    calling, lines = world.authority.calling, world.authority.follow_up
    line = world.next(RAVI).line
    calling.describe(line.contact_id, "Ann", "+65 1", NOON, by=RAVI)
    calling.save(line.contact_id, Outcome.WRONG_NUMBER, NOON, by=RAVI)

    def marked(case: Case) -> bool:
        contact_id = world.line(case, world.shared).contact_id
        return lines.reveal(contact_id, "a test", NOON, by=CONSOLE).wrong_number

    assert marked(world.first)
    assert marked(world.second)  # it is one person
    calling.save(line.contact_id, Outcome.NOT_REACHED, NOON, by=RAVI)  # a slip, corrected
    assert not marked(world.first)
    calling.save(line.contact_id, Outcome.WRONG_NUMBER, NOON, by=RAVI)
    tomorrow = NOON + SECONDS_PER_DAY
    calling.save(line.contact_id, Outcome.NOT_REACHED, tomorrow, by=RAVI)
    assert marked(world.first)  # a call in vain says nothing about the number
    version = calling.open(line.contact_id, NOON + 9, by=RAVI).line.version
    calling.save(
        line.contact_id, Outcome.SYMPTOMS, tomorrow, phone="+65 2", version=version, by=RAVI
    )
    found = lines.reveal(line.contact_id, "a test", NOON, by=CONSOLE)
    assert (found.name, found.phone, found.wrong_number) == ("Ann", "+65 2", False)
    version = calling.open(line.contact_id, NOON + 9, by=RAVI).line.version
    calling.describe(line.contact_id, "", "+65 1", tomorrow, version=version, by=RAVI)
    assert marked(world.second)  # the old number is still a wrong one
    calling.save(line.contact_id, Outcome.NO_SYMPTOMS, tomorrow, by=RAVI)
    assert not marked(world.first)


def test_a_wrong_number_stays_one_for_later_cases_and_merged_contacts(world: Shift) -> None:
    work, merging = world.authority.follow_up, world.authority.merging

    def marked(contact_id: str) -> tuple[str, bool]:
        found = work.reveal(contact_id, "a test", NOON, by=CONSOLE)
        return found.phone, found.wrong_number

    line = world.next(RAVI).line
    world.authority.calling.describe(line.contact_id, "Ann", "+65 1", NOON, by=RAVI)
    world.authority.calling.save(line.contact_id, Outcome.WRONG_NUMBER, NOON, by=RAVI)
    world.near(world.third, world.shared, 2, arrived=NOON + 60)
    later = world.line(world.third, world.shared).contact_id
    assert marked(later) == ("+65 1", True)
    other = world.user()
    world.near(world.third, other, 3, arrived=NOON + 120)
    alone = world.line(world.third, other).contact_id
    merging.merge(later, alone, NOON + 180, by=CONSOLE)
    assert marked(alone) == ("+65 1", True)
    world.authority.unmerging.undo(later, NOON + 190, by=CONSOLE)
    assert marked(alone) == ("", False)
    work.describe(alone, "Bo", "+65 1", NOON + 200, by=CONSOLE)
    assert marked(alone) == ("+65 1", False)  # the mark went with the contact that had it
    merging.merge(later, alone, NOON + 210, by=CONSOLE)
    assert marked(alone) == ("+65 1", True)  # the same number: a call found that it is wrong


def test_what_cannot_be_saved_whole_is_not_saved_at_all(world: Shift) -> None:
    calling, line = world.authority.calling, world.next(RAVI).line
    calling.describe(line.contact_id, "Ann", "+65 1", NOON, by=RAVI)
    with pytest.raises(ConflictError, match="stored already"):
        calling.save(line.contact_id, Outcome.SYMPTOMS, NOON, note="x", name="Bo", by=RAVI)
    sheet = calling.open(line.contact_id, NOON, by=RAVI)
    assert (sheet.person.name, sheet.calls, sheet.notes) == ("Ann", (), ())


def test_the_count_is_of_whom_next_can_give(store: AuthorityStore) -> None:
    world = due_people(store, 12)
    calling, work = world.authority.calling, world.authority.casework
    for name in ("ravi", "siti"):
        world.authority.staff.add(name, frozenset({Role.TRACER}), f"token-{name}", NOON, by=CONSOLE)
    for number, name in enumerate(("ravi", "siti", "-", "-", "-")):
        work.assign(f"C{number:09d}", name, NOON, by=CONSOLE)
    # Cases 0 and 1 have three people, the others two.
    assert calling.ready(NOON, by=RAVI) == (9, False)  # own cases, and those of nobody
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=RAVI)
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=SITI)
    calling.open("P000000002", NOON, by=SITI)  # of nobody's case
    assert calling.ready(NOON, by=RAVI) == (8, False)
    assert calling.ready(NOON, by=SITI) == (9, False)  # one's own person counts
    calling.save("P000000002", Outcome.CALL_BACK, NOON, call_at=NOON + 60, by=SITI)
    assert calling.ready(NOON, by=RAVI) == (8, False)  # the agreed time has not come
    assert calling.ready(NOON + 60, by=RAVI) == (9, False)
    given = set()
    while (sheet := calling.next(NOON + 60, by=RAVI)) is not None:
        given.add(sheet.line.contact_id)
        calling.save(sheet.line.contact_id, Outcome.NO_SYMPTOMS, NOON + 60, by=RAVI)
    assert len(given) == 9
    assert calling.ready(NOON + 60, by=RAVI) == (0, False)
    assert world.store.calls.ready(DAY + 1, NOON, "ravi", most=4) == (4, True)


def test_a_draft_is_sealed_and_comes_back(world: Shift) -> None:
    calling, sheet = world.authority.calling, world.next(RAVI)
    contact_id, typed = (
        sheet.line.contact_id,
        Draft("symptoms", "coughs since Tuesday", "", "15:00"),
    )
    calling.keep_draft(contact_id, typed, NOON + 60, by=RAVI)
    kept = world.store.calls.draft("ravi", sheet.line.first.who)
    assert kept is not None
    assert b"Tuesday" not in kept.sealed
    assert replace(kept, operator="siti").opened(world.keys) == Draft()
    assert calling.open(contact_id, NOON + 70, by=RAVI).draft == typed
    assert calling.next(NOON + 70, by=SITI) is None  # typing goes on with the reservation
    assert world.next(SITI, NOON + 60 + 2 * RESERVED_S).draft == Draft()
    calling.save(contact_id, Outcome.SYMPTOMS, NOON + 70 + 2 * RESERVED_S, by=SITI)
    calling.keep_draft(contact_id, Draft(), NOON + 80 + 2 * RESERVED_S, by=RAVI)
    assert world.store.calls.draft("ravi", sheet.line.first.who) is None


def test_a_call_that_a_colleague_overtook_is_refused(world: Shift) -> None:
    calling, sheet = world.authority.calling, world.next(RAVI)
    line = world.line(world.second, world.shared)
    world.authority.follow_up.describe(line.contact_id, "Ann", "", NOON + 1, by=CONSOLE)
    with pytest.raises(StaleError):
        calling.save(
            sheet.line.contact_id,
            *(Outcome.SYMPTOMS, NOON + 2),
            version=sheet.line.version,
            by=RAVI,
        )


def test_lines_of_earlier_releases_are_joined_by_the_next_purge(world: Shift) -> None:
    lines = world.store.desk.lines_of(world.line(world.first, world.shared).who)
    world.store.desk.put_contacts([replace(kept, who=kept.tag) for kept in lines])
    world.authority.purge(NOON + 60, clock_is_right=True)
    assert world.store.calls.unindexed(10) == []
    (person,) = world.authority.people.due(NOON, by=CONSOLE).people
    assert len(person.lines) == 2


@pytest.mark.slow
def test_two_tracers_call_everybody_once(store: AuthorityStore) -> None:
    """Two hundred people, two at once: nobody twice, nobody left, nothing overwritten."""
    world = due_people(store, PEOPLE)
    calling = world.authority.calling

    def work(by: Caller) -> list[str]:
        calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=by)
        called = []
        while (sheet := calling.next(NOON, by=by)) is not None:
            version = sheet.line.version
            calling.save(sheet.line.contact_id, Outcome.NO_SYMPTOMS, NOON, version=version, by=by)
            called.append(sheet.line.contact_id)
        return called

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, (RAVI, SITI))
    assert Counter(first + second) == {f"P{number:09d}": 1 for number in range(PEOPLE)}
    assert first
    assert second
