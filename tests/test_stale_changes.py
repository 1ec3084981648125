"""What is written stays: a blank erases nothing, a stale form overwrites no later change."""

from collections.abc import Callable

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import ContactQuery, Outcome
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StaleError,
)

RAVI = Caller("ravi", frozenset({Role.TRACER, Role.SUPERVISOR}))
SITI = Caller("siti", frozenset({Role.TRACER, Role.SUPERVISOR}))


class Desk(World):
    """A world with a case and two followed contacts, a close one and a casual one."""

    case: Case
    near: str
    far: str

    def who(self, contact_id: str) -> tuple[str, str]:
        person = self.authority.follow_up.reveal(contact_id, "a test", NOON, by=CONSOLE)
        return person.name, person.phone

    def version(self, contact_id: str) -> int:
        return self.authority.desk.contact(contact_id, by=CONSOLE).kept.version


@pytest.fixture
def desk() -> Desk:
    desk = Desk.of(counted_entropy(77))
    desk.authority.staff.add("ravi", RAVI.roles, "token-ravi", NOON, by=CONSOLE)
    desk.case = desk.authority.casework.open_case(desk.user(), NOON, by=CONSOLE)
    rows = desk.heard(desk.user(), NOON - 5 * 3600, 90, rssi_dbm=-45)
    rows += desk.heard(desk.user(), NOON - 8 * 3600, 5, rssi_dbm=-90)
    desk.take(desk.case, rows, NOON)
    desk.authority.finder.refresh(desk.case, NOON)
    found = desk.authority.desk.page(ContactQuery(), by=CONSOLE).contacts
    desk.near, desk.far = (contact.kept.contact_id for contact in found)
    return desk


def test_a_blank_erases_no_name_and_no_telephone_number(desk: Desk) -> None:
    work = desk.authority.follow_up
    work.describe(desk.near, "Ann", "+65 1", NOON, by=CONSOLE)
    for name, phone in [("", ""), ("", " "), ("Ann", ""), ("", "+65 1")]:
        work.describe(desk.near, name, phone, NOON, by=CONSOLE)
        assert desk.who(desk.near) == ("Ann", "+65 1")
    seen = desk.version(desk.near)
    work.describe(desk.near, " Anna ", "", NOON, version=seen, by=CONSOLE)
    assert desk.who(desk.near) == ("Anna", "+65 1")
    assert desk.version(desk.near) == seen + 1
    work.describe(desk.near, "", "+65 2", NOON, version=seen + 1, by=CONSOLE)
    assert desk.who(desk.near) == ("Anna", "+65 2")
    assert work.described(desk.near, by=CONSOLE) == {"name", "phone"}


def test_only_a_word_deletes_and_only_what_was_seen(desk: Desk) -> None:
    work = desk.authority.follow_up
    work.describe(desk.near, "Ann", "+65 1", NOON, by=CONSOLE)
    seen = desk.version(desk.near)
    for typed in ({"clear": ["name"]}, {"name": "Bob"}):
        with pytest.raises(ConflictError, match="stored already"):
            work.describe(desk.near, phone="", now=NOON, by=CONSOLE, **{"name": "", **typed})  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match="not both"):
        work.describe(desk.near, "Bob", "", NOON, clear=["name"], version=seen, by=CONSOLE)
    work.describe(desk.near, "", "", NOON, clear=["name"], version=seen, by=CONSOLE)
    assert desk.who(desk.near) == ("", "+65 1")
    assert work.described(desk.near, by=CONSOLE) == {"phone"}
    entries = list(desk.authority.audit.entries(by=CONSOLE))
    assert [entry.details["fields"] for entry in entries if entry.act == "contact.described"] == [
        "name phone",
        "name",
    ]


def test_a_case_is_taken_from_everybody_by_a_word_and_by_no_blank(desk: Desk) -> None:
    work, case_id = desk.authority.casework, desk.case.case_id
    work.assign(case_id, "ravi", NOON, by=CONSOLE)
    for blank in ("", " "):
        with pytest.raises(NotFoundError):
            work.assign(case_id, blank, NOON, by=CONSOLE)
    assert work.case(case_id, by=CONSOLE).assigned_to == "ravi"
    assert work.assign(case_id, NOBODY, NOON, by=CONSOLE).assigned_to == ""


def test_symptoms_that_a_colleague_found_are_not_overwritten_unseen(desk: Desk) -> None:
    work, seen = desk.authority.follow_up, desk.version(desk.near)
    work.record(desk.near, DAY, Outcome.SYMPTOMS, NOON, version=seen, by=RAVI)
    with pytest.raises(StaleError):
        work.record(desk.near, DAY, Outcome.NOT_REACHED, NOON, version=seen, by=SITI)
    with pytest.raises(ConflictError, match="another operator"):
        work.record(desk.near, DAY, Outcome.NOT_REACHED, NOON, by=SITI)
    assert desk.authority.desk.contact(desk.near, by=CONSOLE).kept.symptoms
    work.record(desk.near, DAY, Outcome.SYMPTOMS, NOON, by=SITI)  # the same: nothing is lost
    work.record(desk.near, DAY, Outcome.NO_SYMPTOMS, NOON, by=SITI)  # one's own


CHANGES: dict[str, Callable[[Desk, int], object]] = {
    "reach": lambda desk, seen: desk.authority.follow_up.reach(
        desk.near, NOON, version=seen, by=CONSOLE
    ),
    "record": lambda desk, seen: desk.authority.follow_up.record(
        desk.near, DAY, Outcome.SYMPTOMS, NOON, version=seen, by=CONSOLE
    ),
    "call_anyway": lambda desk, seen: desk.authority.follow_up.call_anyway(
        desk.far, NOON, version=seen, by=CONSOLE
    ),
    "describe": lambda desk, seen: desk.authority.follow_up.describe(
        desk.near, "Bob", "", NOON, version=seen, by=CONSOLE
    ),
    "assign": lambda desk, seen: desk.authority.casework.assign(
        desk.case.case_id, "ravi", NOON, version=seen, by=CONSOLE
    ),
    "close": lambda desk, seen: desk.authority.casework.close(
        desk.case.case_id, NOON, version=seen, by=CONSOLE
    ),
    "reopen": lambda desk, seen: desk.authority.casework.reopen(
        desk.case.case_id, NOON, version=seen, by=CONSOLE
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_counts_and_is_refused_on_another_version(desk: Desk, change: str) -> None:
    if change == "reopen":
        desk.authority.casework.close(desk.case.case_id, NOON, by=CONSOLE)

    def versions() -> tuple[int, int, int]:
        case = desk.authority.casework.case(desk.case.case_id, by=CONSOLE)
        return case.version, desk.version(desk.near), desk.version(desk.far)

    before = versions()
    which = 2 if change == "call_anyway" else 0 if change in {"assign", "close", "reopen"} else 1
    for seen in (before[which] - 1, before[which] + 1):
        with pytest.raises(StaleError):
            CHANGES[change](desk, seen)
    assert versions() == before
    CHANGES[change](desk, before[which])
    assert versions()[which] == before[which] + 1
    with pytest.raises(StaleError):  # the same form again
        CHANGES[change](desk, before[which])


def test_changes_made_meanwhile_are_shown_to_callers_who_may_see_them(desk: Desk) -> None:
    work = desk.authority.follow_up
    work.describe(desk.near, "Ann", "+65 1", NOON, version=1, by=CONSOLE)
    assert work.changed_since(desk.near, 2, NOON, by=RAVI) == {}
    work.describe(desk.near, "Anna", "", NOON, version=2, by=CONSOLE)
    assert work.changed_since(desk.near, 2, NOON, by=RAVI) == {"name": "Anna"}
    (entry,) = [
        entry
        for entry in desk.authority.audit.entries(by=CONSOLE)
        if entry.act == "contact.revealed"
    ]
    assert entry.details["reason"] == "changed meanwhile: name"
    with pytest.raises(AccessDeniedError):
        work.changed_since(desk.near, 1, NOON, by=Caller("mei", frozenset({Role.SUPERVISOR})))


def test_a_log_that_comes_in_makes_no_form_stale_unless_the_state_changes(desk: Desk) -> None:
    before = desk.version(desk.near)
    desk.authority.finder.refresh(desk.case, NOON + 60)
    assert desk.version(desk.near) == before
