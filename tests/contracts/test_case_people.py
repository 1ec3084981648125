"""A contact becomes a case, on SQLite and PostgreSQL: name and number come along, sealed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON
from tests.contracts.test_calls import RAVI, SITI, Shift
from tests.contracts.test_calls import world as shift_world
from tests.contracts.test_finding_people import BOSS, assigned
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.case_person import CasePerson
from tracetogether.authority.cases.followed import ContactState, Outcome
from tracetogether.authority.cases.particulars import NameAndPhone, opened_from
from tracetogether.authority.desk.case_people import AboutCase
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StaleError,
)
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY

world = shift_world
ON_SQLITE = pytest.mark.parametrize("sql", ["sqlite"], indirect=True)
"""For tests of rules that no statement of the store decides."""
ANN = ("Ann Canary", "+65 9123 4567")


def ill(world: Shift) -> Case:
    """Return the case of the person near both cases of Ravi, with a name and a number."""
    assigned(world, "ravi", world.first.case_id, world.second.case_id)
    line = world.line(world.first, world.shared)
    work = world.authority.follow_up
    work.describe(line.contact_id, *ANN, NOON, by=RAVI)
    work.record(line.contact_id, DAY, Outcome.SYMPTOMS, NOON + 30, by=RAVI)
    return world.authority.merging.convert(line.contact_id, NOON + 60, by=RAVI)


def who(world: Shift, case: Case, by: Caller = CONSOLE) -> tuple[str, str]:
    person = world.authority.case_people.reveal(case.case_id, "a test", NOON + 90, by=by)
    return person.name, person.phone


def test_name_and_number_come_along_and_nobody_calls_the_person_as_a_contact(world: Shift) -> None:
    case = ill(world)
    assert (case.assigned_to, case.unconfirmed) == ("ravi", True)
    assert who(world, case, RAVI) == ANN
    for near in (world.first, world.second):
        line = world.line(near, world.shared)
        assert (line.state, line.became_case) == (ContactState.BECAME_CASE, case.case_id)
    assert world.authority.people.due(NOON + 60, by=RAVI).total == 0
    about = world.authority.case_people.about(case, by=RAVI)
    assert about.described == {"name", "phone"}
    named = world.authority.desk.name_of(world.shared)
    assert [shown.pseudonym for shown in about.contacts] == [named] * 2
    assert {shown.kept.case_id for shown in about.contacts} == {
        world.first.case_id,
        world.second.case_id,
    }
    assert (about.elsewhere, about.symptoms_day) == (0, DAY)


def test_a_log_that_arrives_later_makes_nobody_call_a_case_as_a_contact(world: Shift) -> None:
    case, people = ill(world), world.authority.people
    assigned(world, "ravi", world.third.case_id)
    world.near(world.third, world.shared, 2, arrived=NOON + 120)
    line = world.line(world.third, world.shared)
    assert (line.state, line.became_case) == (ContactState.BECAME_CASE, case.case_id)
    # A few minutes are a casual contact, until a longer meeting is known.
    fifth = world.authority.casework.open_case(world.user(), NOON + 120, by=CONSOLE)
    world.take(fifth, world.heard(world.shared, NOON - 9_000, 3, rssi_dbm=-90), NOON + 130)
    world.authority.finder.refresh(fifth, NOON + 130)
    assert world.line(fifth, world.shared).state is ContactState.CASUAL
    world.near(fifth, world.shared, 1, arrived=NOON + 140)
    assert world.line(fifth, world.shared).state is ContactState.BECAME_CASE
    assert people.due(NOON + 180, by=CONSOLE).total == 0
    seen = world.authority.casework.case(case.case_id, by=CONSOLE).version
    world.authority.casework.close(case.case_id, NOON + 240, version=seen, by=CONSOLE)
    fourth = world.authority.casework.open_case(world.user(), NOON + 300, by=CONSOLE)
    world.near(fourth, world.shared, 1, arrived=NOON + 300)
    assert world.line(fourth, world.shared).state is ContactState.TO_TRACE  # ill no more


@ON_SQLITE
def test_a_reveal_needs_a_reason_a_role_and_the_need_to_know(world: Shift) -> None:
    case, people = ill(world), world.authority.case_people
    stored = world.store.desk.case_person(case.case_id)
    assert stored is not None
    for said in (*ANN, "Canary", "9123"):
        assert said.encode() not in stored.sealed
        assert said not in repr(stored)
        assert said not in repr(people.reveal(case.case_id, "a test", NOON, by=RAVI))
    before = world.authority.audit.verify(by=CONSOLE)[0]
    with pytest.raises(InvalidRequestError):
        people.reveal(case.case_id, " ", NOON, by=RAVI)
    people.reveal(case.case_id, "PIN by phone", NOON, by=RAVI)
    entries = list(world.authority.audit.entries(after=before, by=CONSOLE))
    assert [entry.act for entry in entries] == ["case.reveal-refused", "case.revealed"]
    named = world.authority.desk.name_of(world.shared)
    assert entries[1].details == {"contact": named, "reason": "PIN by phone"}
    assert not any(said in str([*world.authority.audit.entries(by=CONSOLE)]) for said in ANN)
    for stranger, error in [
        (SITI, NotFoundError),
        (BOSS, AccessDeniedError),
        (Caller("ida", frozenset({Role.ISSUER})), AccessDeniedError),
    ]:
        for act in (
            lambda by: people.reveal(case.case_id, "x", NOON, by=by),
            lambda by: people.describe(case.case_id, "Eve", "", NOON, by=by),
            lambda by: people.changed_since(case.case_id, 0, NOON, by=by),
        ):
            with pytest.raises(error):
                act(stranger)
    assert people.about(case, by=SITI).described == frozenset()


def test_written_once_it_holds_for_the_case_and_the_contacts(world: Shift) -> None:
    case, authority = ill(world), world.authority
    line = world.line(world.first, world.shared)
    seen = authority.casework.case(case.case_id, by=RAVI).version
    with pytest.raises(ConflictError):
        authority.case_people.describe(case.case_id, "", "555 0000", NOON + 90, by=RAVI)
    change = authority.case_people.describe
    after = change(case.case_id, "", "555 0000", NOON + 90, version=seen, by=RAVI)
    assert after.version == seen + 1
    with pytest.raises(StaleError):
        change(case.case_id, "Bob", "", NOON + 90, version=seen, by=RAVI)
    assert authority.case_people.changed_since(case.case_id, seen, NOON + 90, by=RAVI) == {
        "phone": "555 0000"
    }
    person = authority.follow_up.reveal(line.contact_id, "a test", NOON + 90, by=RAVI)
    assert (person.name, person.phone) == (ANN[0], "555 0000")
    authority.follow_up.describe(
        *(line.contact_id, "Anna", "", NOON + 95), version=person.version, by=RAVI
    )
    assert who(world, case) == ("Anna", "555 0000")
    newest = authority.casework.case(case.case_id, by=RAVI).version
    for field in ("name", "phone"):
        change(case.case_id, "", "", NOON + 99, clear=[field], version=newest, by=RAVI)  # type: ignore[list-item]
        newest += 1
    assert world.store.desk.case_person(case.case_id) is None


@ON_SQLITE
def test_a_case_that_no_contact_became_can_have_a_name_too(world: Shift) -> None:
    assigned(world, "siti", world.third.case_id)
    people = world.authority.case_people
    assert people.about(world.third, by=CONSOLE) == AboutCase()
    people.describe(world.third.case_id, "Lee", "", NOON, by=SITI)
    assert who(world, world.third, SITI) == ("Lee", "")
    about = people.about(world.authority.casework.case(world.third.case_id, by=SITI), by=SITI)
    assert (about.described, about.contacts, about.elsewhere) == ({"name"}, (), 0)


@ON_SQLITE
def test_the_case_goes_to_a_colleague_and_the_contact_does_not(world: Shift) -> None:
    case = ill(world)
    assigned(world, "siti", case.case_id)
    case = world.authority.casework.case(case.case_id, by=SITI)
    assert who(world, case, SITI) == ANN
    about = world.authority.case_people.about(case, by=SITI)
    assert (about.contacts, about.elsewhere, about.symptoms_day) == ((), 2, DAY)
    with pytest.raises(NotFoundError):
        who(world, case, RAVI)


def test_who_rings_back_is_found_as_a_case_and_the_contact_leads_there(world: Shift) -> None:
    case, authority = ill(world), world.authority
    find, named = authority.search.find, authority.desk.name_of(world.shared)
    for text in ("91234567", "canary ann", world.shared, named):
        found = find(text, NOON + 90, by=RAVI)
        assert [person.states for person in found.people] == [(ContactState.BECAME_CASE,)], text
        assert [(each.pseudonym, each.case.case_id) for each in found.cases] == [
            (named, case.case_id)
        ], text
        assert not found.with_colleagues
    line = world.line(world.first, world.shared)
    assert authority.desk.own_cases([line], RAVI) == {line.who: (case,)}
    assigned(world, "siti", case.case_id)
    found = find("91234567", NOON + 90, by=RAVI)
    assert (len(found.people), found.cases, found.with_colleagues) == (1, (), True)
    assert authority.desk.own_cases([line], RAVI) == {}
    found = find("91234567", NOON + 90, by=SITI)
    assert ([each.case.case_id for each in found.cases], found.people) == ([case.case_id], ())
    # A case that no contact became, and that nobody has, is found as well.
    authority.case_people.describe(world.third.case_id, "Lee", "6555 0000", NOON, by=CONSOLE)
    for text in ("65550000", "lee", world.third.user_id):
        (only,) = find(text, NOON + 90, by=RAVI).cases
        assert (only.case.case_id, only.case.assigned_to) == (world.third.case_id, "")
    entry = list(authority.audit.entries(by=CONSOLE))[-1]
    assert (entry.act, entry.details["found"]) == (
        "person.searched",
        authority.desk.name_of(world.third.user_id),
    )


def test_two_tracers_convert_one_person_at_once(world: Shift) -> None:
    assigned(world, "ravi", world.first.case_id)
    assigned(world, "siti", world.second.case_id)
    tries = [
        (world.line(near, world.shared).contact_id, by)
        for near, by in ((world.first, RAVI), (world.second, SITI)) * 3
    ]

    def convert(contact_id: str, by: Caller) -> str:
        try:
            return world.authority.merging.convert(contact_id, NOON + 60, by=by).case_id
        except ConflictError as error:
            return error.code

    with ThreadPoolExecutor(len(tries)) as threads:
        said = list(threads.map(convert, *zip(*tries, strict=True)))
    (case,) = world.store.desk.open_cases_of(world.shared)
    assert sorted({each for each in said if each != "contact-became-case"}) == [case.case_id]
    assert said.count(case.case_id) == 1
    acts = [entry.act for entry in world.authority.audit.entries(by=CONSOLE)]
    assert (acts.count("case.opened-unconfirmed"), acts.count("contact.became_case")) == (1, 2)


def test_a_merge_of_cases_joins_the_names_and_undoing_separates_them(world: Shift) -> None:
    case, authority = ill(world), world.authority
    authority.case_people.describe(world.third.case_id, "Annie", "", NOON, by=CONSOLE)
    pair = case.case_id, world.third.case_id
    told = authority.merging.merge_cases(*pair, NOON + 100, dry_run=True, by=CONSOLE)
    assert (told.names, told.also) == (1, 1)
    authority.merging.merge_cases(*pair, NOON + 100, by=CONSOLE)
    person = authority.case_people.reveal(world.third.case_id, "a test", NOON, by=CONSOLE)
    assert (person.name, person.phone, person.also) == ("Annie", ANN[1], ((ANN[0], ""),))
    stays = authority.casework.case(world.third.case_id, by=CONSOLE)
    merged = authority.merging.cases_into(stays.case_id, by=CONSOLE)
    assert len(authority.case_people.about(stays, merged, by=CONSOLE).contacts) == 2
    authority.unmerging.undo_cases(case.case_id, NOON + 120, by=CONSOLE)
    person = authority.case_people.reveal(world.third.case_id, "a test", NOON, by=CONSOLE)
    assert (person.name, person.phone, person.also) == ("Annie", "", ())
    assert who(world, case) == ANN


def test_name_and_number_go_with_the_day_the_key_the_case_and_the_person(world: Shift) -> None:
    case, desk = ill(world), world.store.desk
    stored = desk.case_person(case.case_id)
    assert stored is not None
    assert stored.day == DAY
    later = NOON + 3 * SECONDS_PER_DAY
    world.authority.case_people.describe(world.third.case_id, "Lee", "1234567", later, by=CONSOLE)
    gone = NOON + RETENTION.uploads_s + SECONDS_PER_DAY
    world.authority.purge(gone, clock_is_right=True)
    assert desk.case_person(case.case_id) is None  # the case itself stays for four more days
    assert world.authority.casework.case(case.case_id, by=CONSOLE).case_id == case.case_id
    assert desk.case_person(world.third.case_id) is not None
    desk.put_case_person(stored)
    world.authority.issuance.withdraw(world.shared, gone)
    assert desk.case_person(case.case_id) is None
    world.keys.destroy_before(DAY + 4)
    assert who(world, world.third) == ("", "")


@ON_SQLITE
def test_a_sealed_name_of_a_contact_is_none_of_a_case(world: Shift) -> None:
    said = NameAndPhone("Ann", "1")
    entropy = world.authority.follow_up.details.entropy
    kept = CasePerson.of(said, "CASE1", NOON, world.keys, entropy)
    assert kept.opened(world.keys) == said
    assert opened_from(kept.sealed, "CASE1", kept.day, world.keys) == NameAndPhone()
    assert replace(kept, case_id="CASE2").opened(world.keys) == NameAndPhone()
    assert replace(kept, day=DAY - 1).opened(world.keys) == NameAndPhone()
