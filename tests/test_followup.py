"""Following contacts up: from the log to the last call, and whose business it is."""

from collections.abc import Callable

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case, CaseQuery, CaseState
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import (
    ContactQuery,
    ContactState,
    Outcome,
    Priority,
    opened_person,
)
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tracetogether.parameters import FOLLOW_UP
from tracetogether.units import SECONDS_PER_DAY

RAVI = Caller("ravi", frozenset({Role.TRACER}))
SITI = Caller("siti", frozenset({Role.TRACER}))
MEI = Caller("mei", frozenset({Role.SUPERVISOR}))


class Desk(World):
    """A world with a case of one close and one casual contact."""

    near: str
    far: str
    case: Case

    @property
    def close(self) -> str:
        (one,) = self.found(ContactState.TO_TRACE)
        return one

    def found(self, state: ContactState) -> list[str]:
        page = self.authority.desk.page(ContactQuery(states=frozenset({state})), by=CONSOLE)
        return [contact.kept.contact_id for contact in page.contacts]

    def acts(self) -> list[str]:
        return [entry.act for entry in self.authority.audit.entries(by=CONSOLE)]


@pytest.fixture
def desk() -> Desk:
    desk = Desk.of(counted_entropy(31))
    for name in ("ravi", "siti"):
        desk.authority.staff.add(name, frozenset({Role.TRACER}), f"token-{name}", NOON, by=CONSOLE)
    desk.near, desk.far = desk.user(), desk.user()
    desk.case = desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    rows = desk.heard(desk.near, NOON - 5 * 3600, 90, rssi_dbm=-45)
    rows += desk.heard(desk.far, NOON - 8 * 3600, 5, rssi_dbm=-90)
    desk.take(desk.case, rows, NOON)
    assert desk.authority.finder.refresh(desk.case, NOON) == 2
    return desk


def later(days: float) -> float:
    return NOON + days * SECONDS_PER_DAY


def test_a_list_becomes_people_to_be_called(desk: Desk) -> None:
    kept = desk.authority.desk.contact(desk.close, by=CONSOLE).kept
    assert kept.close_contact
    assert kept.priority in {Priority.HIGH, Priority.MEDIUM}
    assert "close_contact" in kept.reasons
    assert kept.until_day == DAY + FOLLOW_UP.days
    assert kept.due(DAY)
    (casual,) = desk.found(ContactState.CASUAL)
    other = desk.authority.desk.contact(casual, by=CONSOLE).kept
    assert (other.priority, other.due(DAY)) == (Priority.LOW, False)
    assert desk.authority.finder.refresh(desk.case, NOON + 60) == 0  # nobody twice
    assert desk.acts().count("contacts.found") == 1


def test_logs_of_before_the_follow_up_are_taken_over_once(desk: Desk) -> None:
    old = desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    shut = desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)  # no log came in
    for case in (old, shut):
        desk.take(case, desk.heard(desk.user(), NOON - 4 * 3600, 90, rssi_dbm=-45), NOON)
    desk.authority.casework.close(shut.case_id, NOON, by=CONSOLE)
    before = {
        contact.contact_id: contact for contact in desk.store.desk.contacts_of([desk.case.case_id])
    }
    progress: list[tuple[int, int]] = []
    assert desk.authority.finder.take_over(
        later(9), lambda done, total: progress.append((done, total))
    ) == (1, 1)
    assert progress == [(0, 4), (1, 4), (2, 4), (3, 4)]
    (new,) = desk.store.desk.contacts_of([old.case_id])
    assert (new.state, new.day, new.found_at) == (ContactState.TO_TRACE, DAY, NOON)  # goes with it
    assert before == {
        contact.contact_id: contact for contact in desk.store.desk.contacts_of([desk.case.case_id])
    }
    assert desk.store.desk.contacts_of([shut.case_id]) == []
    newest = list(desk.authority.audit.entries(by=CONSOLE))[-1]
    assert (newest.act, newest.time, newest.subject) == ("contacts.found", later(9), old.case_id)
    assert desk.authority.finder.take_over(later(9)) == (0, 0)


def test_a_log_that_is_taken_over_tells_of_cases_whose_phones_heard_nobody(desk: Desk) -> None:
    heard = desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    hearing = desk.authority.casework.open_case(
        desk.user(), NOON - 60, by=CONSOLE
    )  # looked at after it
    desk.take(heard, [], NOON)
    log = desk.heard(heard.user_id, NOON - 4 * 3600, 90, rssi_dbm=-45)
    desk.take(hearing, log, NOON + 60)
    assert desk.authority.finder.take_over(later(9)) == (2, 2)
    (new,) = desk.store.desk.contacts_of([heard.case_id])
    assert opened_person(new, desk.authority.follow_up.keys) == hearing.user_id
    assert new.found_at == NOON + 60
    assert desk.authority.finder.take_over(later(9)) == (0, 0)


def test_a_second_log_keeps_what_was_written_down(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    work.record(contact_id, DAY, Outcome.SYMPTOMS, NOON + 60, by=CONSOLE)
    work.describe(contact_id, "Ann <b>", "+65 0000", NOON + 70, by=CONSOLE)
    before = desk.authority.desk.contact(contact_id, by=CONSOLE).kept
    more = desk.heard(desk.near, later(1), 60, rssi_dbm=-50)
    desk.take(desk.case, more, later(1) + 4000)
    desk.authority.finder.refresh(desk.case, later(1) + 5000)
    after = desk.authority.desk.contact(contact_id, by=CONSOLE).kept
    assert (after.state, after.traced_at, after.found_at) == (
        before.state,
        before.traced_at,
        before.found_at,
    )
    assert after.day == before.day + 1
    assert after.symptoms
    assert after.priority is Priority.HIGH
    assert work.reveal(contact_id, "why", later(2), by=CONSOLE).name == "Ann <b>"


def test_called_every_day_to_the_last(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    work.reach(contact_id, NOON + 60, by=CONSOLE)
    assert desk.authority.desk.contact(contact_id, by=CONSOLE).kept.state is ContactState.REACHED
    case = desk.authority.casework.case(desk.case.case_id, by=CONSOLE)
    assert (case.state, case.tracing_at) == (CaseState.TRACING, NOON + 60)
    for day in range(FOLLOW_UP.days + 1):
        shown = work.record(contact_id, DAY + day, Outcome.NO_SYMPTOMS, later(day) + 90, by=CONSOLE)
        last = day == FOLLOW_UP.days
        wanted = ContactState.COMPLETED if last else ContactState.IN_FOLLOW_UP
        assert shown.kept.state is wanted
    assert shown.kept.followed_all
    assert shown.kept.ended_at == later(FOLLOW_UP.days) + 90
    ratio = desk.authority.desk.dashboard(later(15), by=CONSOLE).indicators.followed_all_days
    assert (ratio.numerator, ratio.denominator) == (1, 1)


def test_lost_after_three_days_and_found_again(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    states = [
        work.record(contact_id, DAY + day, Outcome.NOT_REACHED, later(day), by=CONSOLE).kept.state
        for day in range(FOLLOW_UP.lost_after_days)
    ]
    assert states == [ContactState.TO_TRACE, ContactState.TO_TRACE, ContactState.LOST]
    seen = desk.authority.desk.dashboard(later(3), by=CONSOLE).indicators
    assert (seen.lost.numerator, seen.lost.denominator) == (1, 1)
    assert (seen.traced_within_a_day.numerator, seen.traced_within_a_day.denominator) == (0, 1)
    again = work.record(contact_id, DAY + 3, Outcome.NO_SYMPTOMS, later(3), by=CONSOLE).kept
    assert (again.state, again.missed, again.ended_at) == (ContactState.IN_FOLLOW_UP, 0, None)
    corrected = work.record(contact_id, DAY + 2, Outcome.NO_SYMPTOMS, later(3) + 1, by=CONSOLE).kept
    assert corrected.last_day == DAY + 3
    days = {day.day: day for day in desk.authority.desk.calendar(contact_id, by=CONSOLE)}
    assert days[DAY + 2].outcome is Outcome.NO_SYMPTOMS
    assert days[DAY + 4].outcome is None


def test_a_day_that_has_not_come_or_is_not_in_the_calendar(desk: Desk) -> None:
    work = desk.authority.follow_up
    for day in (DAY + 1, DAY - 1, DAY + FOLLOW_UP.days + 1):
        now = later(40) if day > DAY + 1 else NOON
        with pytest.raises(InvalidRequestError):
            work.record(desk.close, day, Outcome.NO_SYMPTOMS, now, by=CONSOLE)


def test_a_casual_contact_is_called_when_somebody_says_so(desk: Desk) -> None:
    work = desk.authority.follow_up
    (casual,) = desk.found(ContactState.CASUAL)
    assert work.call_anyway(casual, NOON, by=CONSOLE).kept.state is ContactState.TO_TRACE
    with pytest.raises(ConflictError):
        work.call_anyway(casual, NOON, by=CONSOLE)


def test_a_contact_becomes_a_case(desk: Desk) -> None:
    contact_id = desk.close
    case = desk.authority.merging.convert(contact_id, later(2), by=CONSOLE)
    assert case.user_id == desk.near
    assert case.known_contact
    kept = desk.authority.desk.contact(contact_id, by=CONSOLE).kept
    assert (kept.state, kept.became_case) == (ContactState.BECAME_CASE, case.case_id)
    with pytest.raises(ConflictError):
        desk.authority.follow_up.record(contact_id, DAY, Outcome.NO_SYMPTOMS, later(2), by=CONSOLE)
    links = desk.authority.desk.links(desk.case, later(2), by=CONSOLE)
    assert [link.own_cases for link in links if link.contact.kept.contact_id == contact_id] == [
        (case.case_id,)
    ]
    ratio = desk.authority.desk.dashboard(later(2), by=CONSOLE).indicators.new_cases_known
    assert (ratio.numerator, ratio.denominator) == (1, 2)


def test_one_person_in_two_cases_is_one_when_they_are_merged(desk: Desk) -> None:
    authority = desk.authority
    second = authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    desk.take(second, desk.heard(desk.near, NOON - 3600, 50, rssi_dbm=-45), NOON)
    authority.finder.refresh(second, NOON)
    (link,) = authority.desk.links(second, NOON, by=CONSOLE)
    assert link.also_in == (desk.case.case_id,)
    (theirs,) = authority.desk.page(ContactQuery(case_id=second.case_id), by=CONSOLE).contacts
    authority.follow_up.record(
        theirs.kept.contact_id, DAY, Outcome.NO_SYMPTOMS, NOON + 60, by=CONSOLE
    )
    authority.merging.merge_cases(second.case_id, desk.case.case_id, NOON + 90, by=CONSOLE)
    merged = authority.casework.case(second.case_id, by=CONSOLE)
    assert (merged.state, merged.merged_into) == (CaseState.MERGED, desk.case.case_id)
    page = authority.desk.page(ContactQuery(case_id=desk.case.case_id), by=CONSOLE)
    by_state = {contact.kept.state: contact.kept for contact in page.contacts}
    assert by_state[ContactState.IN_FOLLOW_UP].traced_at == NOON + 60
    assert by_state[ContactState.MERGED].contact_id == theirs.kept.contact_id
    with pytest.raises(ConflictError, match="merged already"):
        authority.merging.merge_cases(second.case_id, desk.case.case_id, NOON + 91, by=CONSOLE)
    with pytest.raises(InvalidRequestError, match="into itself"):
        authority.merging.merge_cases(desk.case.case_id, desk.case.case_id, NOON + 91, by=CONSOLE)


def test_two_rows_of_a_case_are_one_person(desk: Desk) -> None:
    (casual,), close = desk.found(ContactState.CASUAL), desk.close
    assert desk.authority.merging.merge(casual, close, NOON, by=CONSOLE).joined == 1
    gone = desk.authority.desk.contact(casual, by=CONSOLE).kept
    assert (gone.state, gone.merged_into) == (ContactState.MERGED, close)
    with pytest.raises(InvalidRequestError):
        desk.authority.merging.merge(close, close, NOON, by=CONSOLE)


def test_threat_need_to_know_shows_a_tracer_the_assigned_cases(desk: Desk) -> None:
    authority, contact_id = desk.authority, desk.close
    case_id = desk.case.case_id
    tries: list[Callable[[Caller], object]] = [
        lambda by: authority.casework.case(case_id, by=by),
        lambda by: authority.desk.contact(contact_id, by=by),
        lambda by: authority.desk.calendar(contact_id, by=by),
        lambda by: authority.desk.links(desk.case, NOON, by=by),
        lambda by: authority.desk.notes_on(case_id, by=by),
        lambda by: authority.follow_up.note(case_id, "hello", NOON, by=by),
        lambda by: authority.follow_up.describe(contact_id, "A", "", NOON, by=by),
        lambda by: authority.follow_up.reveal(contact_id, "why", NOON, by=by),
        lambda by: authority.follow_up.reach(contact_id, NOON, by=by),
        lambda by: authority.follow_up.record(contact_id, DAY, Outcome.SYMPTOMS, NOON, by=by),
        lambda by: authority.casework.close(case_id, NOON, by=by),
        lambda by: authority.casework.reopen(case_id, NOON, by=by),
        lambda by: authority.merging.convert(contact_id, NOON, by=by),
    ]
    before = authority.audit.verify(by=CONSOLE)
    for act in tries:
        for stranger in (RAVI, SITI, Caller("nora", frozenset({Role.EXPORTER, Role.ISSUER}))):
            with pytest.raises((NotFoundError, AccessDeniedError)):
                act(stranger)
    assert authority.audit.verify(by=CONSOLE) == before
    assert authority.desk.page(ContactQuery(), by=RAVI).total == 0
    assert authority.casework.page(CaseQuery(), NOON, by=RAVI).total == 0
    assert sum(authority.desk.dashboard(NOON, by=RAVI).contacts.values()) == 0
    authority.casework.assign(case_id, "ravi", NOON, by=MEI)
    assert authority.desk.page(ContactQuery(), by=RAVI).total == 2
    assert authority.desk.page(ContactQuery(assigned_to="ravi"), by=SITI).total == 0
    assert authority.desk.due(NOON, by=RAVI).total == 1
    for act in tries:
        act(RAVI)


def test_cases_are_given_to_tracers_alone(desk: Desk) -> None:
    for name in ("nobody", "operator-who-is-not", "console"):
        with pytest.raises(NotFoundError, match="tracer"):
            desk.authority.casework.assign(desk.case.case_id, name, NOON, by=MEI)
    desk.authority.casework.assign(desk.case.case_id, "siti", NOON, by=MEI)
    desk.authority.casework.assign(desk.case.case_id, NOBODY, NOON, by=MEI)
    assert desk.authority.casework.case(desk.case.case_id, by=CONSOLE).assigned_to == ""
    both = Caller("ravi", frozenset({Role.TRACER, Role.ISSUER}))
    mine = desk.authority.casework.open_case(desk.near, NOON, by=both)
    assert mine.assigned_to == "ravi"  # a tracer who opens a case has it
    with pytest.raises(AccessDeniedError):
        desk.authority.casework.open_case(desk.near, NOON, by=RAVI)


def test_a_reveal_wants_a_reason_and_stands_in_the_audit_log(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    work.describe(contact_id, "Ann", "555", NOON, by=CONSOLE)
    before = desk.authority.audit.verify(by=CONSOLE)[0]
    for reason in ("", "  \n", "x" * 201):
        with pytest.raises(InvalidRequestError):
            work.reveal(contact_id, reason, NOON, by=CONSOLE)
    refused = list(desk.authority.audit.entries(after=before, by=CONSOLE))
    assert [entry.act for entry in refused] == ["contact.reveal-refused"] * 3
    assert all(set(entry.details) == {"contact"} for entry in refused)
    before = desk.authority.audit.verify(by=CONSOLE)[0]
    person = work.reveal(contact_id, "call for testing", NOON, by=CONSOLE)
    assert (person.user_id, person.name, person.phone) == (desk.near, "Ann", "555")
    (entry,) = desk.authority.audit.entries(after=before, by=CONSOLE)
    assert entry.act == "contact.revealed"
    assert entry.details == {"contact": person.pseudonym, "reason": "call for testing"}


def test_what_is_written_down_is_sealed_and_no_log_holds_it(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    work.describe(contact_id, "Canary-Name", "Canary-Phone", NOON, by=CONSOLE)
    note = work.note(desk.case.case_id, "Canary-Note", NOON, contact_id=contact_id, by=CONSOLE)
    assert note.text == "Canary-Note"
    everything = (
        repr(desk.store) + repr(note) + repr(list(desk.authority.audit.entries(by=CONSOLE)))
    )
    assert "Canary" not in everything
    kept = desk.authority.desk.contact(contact_id, by=CONSOLE).kept
    for secret in (b"Canary", desk.near.encode()):
        assert secret not in kept.particulars + kept.person + kept.tag
    assert [note.text for note in desk.authority.desk.notes_on(desk.case.case_id, by=CONSOLE)] == [
        "Canary-Note"
    ]
    for text in ("", " ", "x" * 2_001):
        with pytest.raises(InvalidRequestError):
            work.note(desk.case.case_id, text, NOON, by=CONSOLE)


def test_threat_late_deletion_of_follow_up_ends_on_time_or_with_the_person(desk: Desk) -> None:
    work, contact_id = desk.authority.follow_up, desk.close
    work.note(desk.case.case_id, "about a person", NOON, contact_id=contact_id, by=CONSOLE)
    desk.authority.issuance.withdraw(desk.near, NOON + 60)
    assert desk.authority.desk.page(ContactQuery(), by=CONSOLE).total == 1
    assert desk.authority.desk.notes_on(desk.case.case_id, by=CONSOLE) == ()
    work.note(desk.case.case_id, "about the case", NOON, by=CONSOLE)
    desk.authority.purge(later(21) - 1, clock_is_right=True)
    assert desk.authority.desk.page(ContactQuery(), by=CONSOLE).total == 1
    purged = desk.authority.purge(later(22), clock_is_right=True)
    assert (purged.followed_contacts, purged.notes) == (1, 1)
    assert desk.authority.desk.page(ContactQuery(), by=CONSOLE).total == 0


def test_without_the_day_s_key_nobody_knows_who_it_was(desk: Desk) -> None:
    contact_id = desk.close
    desk.authority.follow_up.describe(contact_id, "Ann", "555", NOON, by=CONSOLE)
    desk.keys.destroy_before(DAY + 1)
    assert desk.authority.desk.contact(contact_id, by=CONSOLE).pseudonym == ""
    with pytest.raises(NotFoundError, match="key"):
        desk.authority.follow_up.reveal(contact_id, "why", NOON, by=CONSOLE)


def test_cases_close_and_open_again(desk: Desk) -> None:
    work, case_id = desk.authority.casework, desk.case.case_id
    with pytest.raises(ConflictError):
        work.reopen(case_id, NOON, by=CONSOLE)
    assert work.close(case_id, NOON, by=CONSOLE).state is CaseState.CLOSED
    with pytest.raises(ConflictError):
        work.close(case_id, NOON, by=CONSOLE)
    assert work.reopen(case_id, NOON, by=CONSOLE).state is CaseState.OPEN


def test_a_line_break_counts_as_one_character_of_a_note(desk: Desk) -> None:
    kept = desk.authority.follow_up.note(desk.case.case_id, "é\r\n" * 1_000, NOON, by=CONSOLE)
    assert kept.text == "é\n" * 1_000
    with pytest.raises(InvalidRequestError, match="this one has 2,001"):
        desk.authority.follow_up.note(desk.case.case_id, "é\r\n" * 1_000 + "é", NOON, by=CONSOLE)
