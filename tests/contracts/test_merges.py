"""Merges on SQLite and PostgreSQL: nothing is lost, both sides name each other, undo works."""

import os
from dataclasses import asdict, replace

import pytest

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.cases.followed import ContactQuery, ContactState, Outcome
from tracetogether.authority.cases.particulars import (
    NameAndPhone,
    opened_particulars,
    sealed_particulars,
)
from tracetogether.authority.desk.merging import Merged
from tracetogether.authority.desk.unmerging import Unmerged
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import ConflictError, NotFoundError, StaleError

RAVI = Caller("ravi", frozenset({Role.TRACER}))


class Desk(World):
    """Two cases that share a contact; the second has one of its own as well."""

    first: Case
    second: Case
    shared: str
    here: str  # the shared contact's id in the first case
    there: str  # and in the second
    own: str

    def row_of(self, case: Case, user_id: str) -> str:
        page = self.authority.desk.page(ContactQuery(case_id=case.case_id), by=CONSOLE).contacts
        (found,) = [
            followed for followed in page if self.authority.desk.user_of(followed.kept) == user_id
        ]
        return found.kept.contact_id

    def say(self, contact_id: str, **fields: str) -> None:
        """Store a name or number with one line only, as earlier releases did."""
        kept = self.store.desk.contact(contact_id)
        assert kept is not None
        said = NameAndPhone().with_fields(kept.version + 1, **fields)
        sealed = sealed_particulars(said, contact_id, kept.day, self.keys, os.urandom)
        self.store.desk.put_contacts([replace(kept, particulars=sealed, version=kept.version + 1)])

    def everything(self) -> dict[str, object]:
        """Return all that a merge may change, as it is read; versions left out."""
        store, ids = self.store.desk, [self.first.case_id, self.second.case_id]
        rows = store.contacts_of(ids)
        said = {row.contact_id: opened_particulars(row, self.keys) for row in rows}
        return {
            "contacts": {
                row.contact_id: replace(
                    row, version=0, particulars=b"", by_name=b"", by_phone=b"", by_language=b""
                )
                for row in rows
            },
            "said": {key: (person.name, person.phone, person.also) for key, person in said.items()},
            "calls": store.outcomes([row.contact_id for row in rows]),
            "notes": [store.notes(case_id) for case_id in ids],
            "cases": [
                replace(case, version=0, active_at=0.0)
                for case in map(self.authority.casework.kept, ids)
            ],
        }


@pytest.fixture
def desk(store: AuthorityStore) -> Desk:
    desk = Desk.of(os.urandom, store=store)
    authority, work = desk.authority, desk.authority.follow_up
    desk.shared, own = desk.user(), desk.user()
    desk.first = authority.casework.open_case(desk.user(), NOON - 60, by=CONSOLE)
    desk.second = authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    near = desk.heard(desk.shared, NOON - 5 * 3600, 90, rssi_dbm=-45)
    desk.take(desk.first, desk.heard(desk.shared, NOON - 8 * 3600, 4, rssi_dbm=-90), NOON)
    desk.take(desk.second, [*near, *desk.heard(own, NOON - 9 * 3600, 60, rssi_dbm=-45)], NOON)
    for case in (desk.first, desk.second):
        authority.finder.refresh(case, NOON)
    desk.here = desk.row_of(desk.first, desk.shared)
    desk.there, desk.own = desk.row_of(desk.second, desk.shared), desk.row_of(desk.second, own)
    desk.say(desk.here, name="Ann")
    desk.say(desk.there, name="Annie", phone="+65 1")
    work.describe(desk.own, "Bob", "+65 2", NOON, by=CONSOLE)
    work.record(desk.there, DAY, Outcome.SYMPTOMS, NOON + 60, by=CONSOLE)
    work.note(desk.second.case_id, "on the case", NOON, by=CONSOLE)
    work.note(desk.second.case_id, "on the contact", NOON, contact_id=desk.there, by=CONSOLE)
    return desk


def test_a_merge_is_said_before_and_carries_everything(desk: Desk) -> None:
    authority = desk.authority
    pair = desk.second.case_id, desk.first.case_id
    before, entries = desk.everything(), len(list(authority.audit.entries(by=CONSOLE)))
    said = authority.merging.merge_cases(*pair, NOON + 90, dry_run=True, by=CONSOLE)
    assert said == Merged(moved=1, joined=1, calls=1, notes=2, names=1, also=1, uploads=1)
    assert desk.everything() == before
    assert len(list(authority.audit.entries(by=CONSOLE))) == entries
    authority.merging.merge_cases(*pair, NOON + 90, by=CONSOLE)
    assert (
        authority.casework.case(desk.second.case_id, by=CONSOLE).merged_into == desk.first.case_id
    )
    merged = authority.merging.cases_into(desk.first.case_id, by=CONSOLE)
    assert [case.case_id for case in merged] == [desk.second.case_id]
    kept = authority.desk.contact(desk.here, by=CONSOLE).kept
    assert (kept.state, kept.symptoms) == (ContactState.IN_FOLLOW_UP, True)
    person = authority.follow_up.reveal(desk.here, "a test", NOON, by=CONSOLE)
    assert (person.name, person.phone, person.also) == ("Ann", "+65 1", (("Annie", ""),))
    notes = authority.desk.notes_on(desk.first.case_id, by=CONSOLE)
    assert {(note.text, note.contact_id) for note in notes} == {
        ("on the case", ""),
        ("on the contact", desk.here),
    }
    assert authority.desk.contact(desk.own, by=CONSOLE).kept.case_id == desk.first.case_id


def test_undoing_puts_everything_back(desk: Desk) -> None:
    authority = desk.authority
    before = desk.everything()
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    merged = desk.everything()
    assert merged != before
    wanted = Unmerged(moved=1, separated=1, calls=1, notes=2)
    asked = authority.unmerging.undo_cases(desk.second.case_id, NOON + 95, dry_run=True, by=CONSOLE)
    assert asked == wanted
    assert desk.everything() == merged
    assert authority.unmerging.undo_cases(desk.second.case_id, NOON + 99, by=CONSOLE) == wanted
    assert desk.everything() == before
    acts = [entry.act for entry in authority.audit.entries(by=CONSOLE)]
    assert acts[-2:] == ["case.merged", "case.unmerged"]
    with pytest.raises(NotFoundError):
        authority.unmerging.undo_cases(desk.second.case_id, NOON + 100, by=CONSOLE)
    authority.merging.merge_cases(
        desk.second.case_id, desk.first.case_id, NOON + 101, by=CONSOLE
    )  # again
    authority.unmerging.undo_cases(desk.second.case_id, NOON + 102, by=CONSOLE)
    assert desk.everything() == before


def test_what_was_changed_since_the_merge_stays(desk: Desk) -> None:
    authority, work = desk.authority, desk.authority.follow_up
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    later = NOON + 86_400
    work.record(desk.here, DAY + 1, Outcome.NO_SYMPTOMS, later, by=CONSOLE)
    seen = authority.desk.contact(desk.here, by=CONSOLE).kept.version
    work.describe(desk.here, "", "+65 9", later, version=seen, by=CONSOLE)
    work.note(desk.first.case_id, "since", later, contact_id=desk.here, by=CONSOLE)
    found = authority.unmerging.undo_cases(desk.second.case_id, later + 60, by=CONSOLE)
    assert (found.moved, found.separated, found.changed) == (1, 1, 1)
    kept = authority.desk.contact(desk.here, by=CONSOLE).kept
    assert (kept.state, kept.symptoms, kept.last_day) == (ContactState.IN_FOLLOW_UP, False, DAY + 1)
    person = work.reveal(desk.here, "a test", later, by=CONSOLE)
    assert (person.name, person.phone, person.also) == ("Ann", "+65 9", ())
    assert [note.text for note in authority.desk.notes_on(desk.first.case_id, by=CONSOLE)] == [
        "since"
    ]
    back = authority.desk.contact(desk.there, by=CONSOLE).kept
    assert (back.case_id, back.symptoms) == (desk.second.case_id, True)
    assert work.reveal(desk.there, "a test", later, by=CONSOLE).name == "Annie"


def test_two_contacts_of_a_case_are_merged_and_parted(desk: Desk) -> None:
    authority = desk.authority
    before = desk.everything()
    assert authority.merging.merge(
        desk.there, desk.own, NOON + 90, dry_run=True, by=CONSOLE
    ) == Merged(joined=1, calls=1, notes=1, also=1)
    assert desk.everything() == before
    authority.merging.merge(desk.there, desk.own, NOON + 90, by=CONSOLE)
    assert authority.follow_up.reveal(desk.own, "a test", NOON, by=CONSOLE).also == (
        ("Annie", "+65 1"),
    )
    assert authority.desk.contact(desk.own, by=CONSOLE).kept.symptoms
    with pytest.raises(StaleError):
        authority.unmerging.undo(desk.there, NOON + 95, version=1, by=CONSOLE)
    authority.unmerging.undo(desk.there, NOON + 99, by=CONSOLE)
    assert desk.everything() == before


def test_merges_are_undone_the_last_first(desk: Desk) -> None:
    authority = desk.authority
    before = desk.everything()
    third = authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    authority.merging.merge(desk.there, desk.own, NOON + 80, by=CONSOLE)
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    authority.merging.merge_cases(desk.first.case_id, third.case_id, NOON + 95, by=CONSOLE)
    with pytest.raises(ConflictError, match="undo that first"):
        authority.unmerging.undo_cases(desk.second.case_id, NOON + 99, by=CONSOLE)
    authority.unmerging.undo_cases(desk.first.case_id, NOON + 99, by=CONSOLE)
    authority.unmerging.undo_cases(desk.second.case_id, NOON + 99, by=CONSOLE)
    authority.unmerging.undo(desk.there, NOON + 99, by=CONSOLE)
    assert desk.everything() == before


def test_a_merged_case_is_seen_by_the_tracer_of_the_one_that_stays(desk: Desk) -> None:
    authority = desk.authority
    authority.staff.add("ravi", RAVI.roles, "token-ravi", NOON, by=CONSOLE)
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    with pytest.raises(NotFoundError):
        authority.casework.case(desk.second.case_id, by=RAVI)
    authority.casework.assign(desk.first.case_id, "ravi", NOON + 91, by=CONSOLE)
    assert authority.casework.case(desk.second.case_id, by=RAVI).state is CaseState.MERGED


def test_a_log_for_a_merged_case_makes_nobody_twice(desk: Desk) -> None:
    authority = desk.authority
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    before = desk.everything()["contacts"]
    assert (
        authority.finder.refresh(authority.casework.case(desk.second.case_id, by=CONSOLE), NOON)
        == 0
    )
    after = desk.everything()["contacts"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before.keys() == after.keys()
    assert authority.desk.contact(desk.here, by=CONSOLE).kept.symptoms


def test_records_of_merges_go_on_time(desk: Desk) -> None:
    authority = desk.authority
    authority.merging.merge_cases(desk.second.case_id, desk.first.case_id, NOON + 90, by=CONSOLE)
    (kept,) = desk.store.desk.merges_into(desk.first.case_id)
    assert b"Ann" not in kept.sealed
    assert "sealed" not in repr(kept)
    assert desk.store.desk.drop_merges(DAY) == 0
    assert desk.store.desk.drop_merges(DAY + 1) == 1
    assert asdict(Unmerged())["closed"] is False
    with pytest.raises(NotFoundError):
        authority.unmerging.undo_cases(desk.second.case_id, NOON + 99, by=CONSOLE)
