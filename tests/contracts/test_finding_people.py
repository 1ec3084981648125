"""The one who rings back, on SQLite and PostgreSQL: by number, name, pseudonym and user id."""

from dataclasses import replace

import pytest

from tests.authority_world import NOON
from tests.contracts.test_calls import RAVI, SITI, Shift
from tests.contracts.test_calls import world as shift_world
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.person_index import (
    digests_of,
    name_asked,
    number_asked,
    pseudonym_asked,
)
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.errors import AccessDeniedError, InvalidRequestError, RateLimitedError
from tracetogether.parameters import SEARCHES_AN_HOUR
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

BOSS = Caller("boss", frozenset({Role.SUPERVISOR}))
world = shift_world


def assigned(world: Shift, name: str, *cases: str) -> None:
    for case_id in cases:
        world.authority.casework.assign(case_id, name, NOON, by=CONSOLE)


def described(world: Shift) -> str:
    line = world.line(world.first, world.shared)
    world.authority.follow_up.describe(
        line.contact_id, "María-José  Núñez", "+65 9123 4567 / 6555 0000", NOON, by=CONSOLE
    )
    return line.contact_id


@pytest.mark.parametrize(
    "text", ["+65 9123 4567", "91234567", "0065-9123-4567", "(65) 9123.4567", "٩١٢٣٤٥٦٧"]
)
def test_the_last_eight_digits_of_a_number_count(text: str) -> None:
    assert number_asked(text) == "91234567"


def test_what_is_no_number() -> None:
    assert number_asked("Ann 12345") == number_asked("999") == number_asked("") == ""
    assert number_asked("91234567 ext 12") == "91234567"
    assert number_asked("12345") == "12345"


def test_names_meet_without_case_accents_and_order() -> None:
    assert name_asked("NÚÑEZ, Maria José") == name_asked("María-José  Nunez")
    assert name_asked("李 明") == name_asked("明李") != name_asked("李")
    assert name_asked("Straße") == name_asked("STRASSE")
    assert pseudonym_asked("abcde-fgh23") == pseudonym_asked("ABCDEFGH23") == "ABCDE-FGH23"
    assert pseudonym_asked("Ann Lee") == ""


def test_each_way_to_ask_finds_the_person_once_with_all_cases(world: Shift) -> None:
    described(world)
    named = world.authority.desk.name_of(world.shared)
    for text in ("91234567", "núñez maria josé", named, named.replace("-", "").lower()):
        found = world.authority.search.find(text, NOON, by=RAVI)
        (person,) = found.people
        assert (person.pseudonym, len(person.lines), found.more) == (named, 2, False), text
    spoken = spoken_user_id(world.shared)
    for text in (world.shared, spoken):
        (person,) = world.authority.search.find(text, NOON, by=RAVI).people
        assert person.pseudonym == named
    with pytest.raises(InvalidRequestError, match="check character"):
        world.authority.search.find(
            spoken[:-1] + ("A" if spoken[-1] != "A" else "B"), NOON, by=RAVI
        )
    long_name = "Wolfgangus Theophilus Habsburg"  # 28 letters, and 29 with one more: no ids
    assert world.authority.search.find(long_name + "s", NOON, by=RAVI).people == ()
    sheet = world.authority.calling.open(person.contact_id, NOON, by=RAVI)
    assert sheet.person.phone.startswith("+65 9123 4567")
    for text in ("6555 0000", "91234568", "Núñez", "nobody"):
        assert world.authority.search.find(text, NOON, by=RAVI).people == (), text


def test_a_colleagues_person_is_not_named(world: Shift) -> None:
    described(world)
    assigned(world, "siti", world.first.case_id, world.second.case_id)
    found = world.authority.search.find("91234567", NOON, by=RAVI)
    assert (found.people, found.with_colleagues) == ((), True)
    assert len(world.authority.search.find("91234567", NOON, by=SITI).people) == 1
    assert len(world.authority.search.find("91234567", NOON, by=BOSS).people[0].lines) == 2
    assigned(world, "ravi", world.second.case_id)
    (person,) = world.authority.search.find("91234567", NOON, by=RAVI).people
    assert ([shown.kept.case_id for shown in person.lines], person.elsewhere) == (
        [world.second.case_id],
        1,
    )
    issuer = Caller("ida", frozenset({Role.ISSUER}))
    with pytest.raises(AccessDeniedError):
        world.authority.search.find("91234567", NOON, by=issuer)


def test_the_audit_log_has_the_search_and_not_the_text(world: Shift) -> None:
    described(world)
    world.authority.search.find("91234567", NOON, by=RAVI)
    world.authority.search.find("Maria José Núñez", NOON, by=RAVI)
    entries = list(world.authority.audit.entries(by=CONSOLE))[-2:]
    named = world.authority.desk.name_of(world.shared)
    assert [entry.act for entry in entries] == ["person.searched"] * 2
    assert [entry.details["asked"] for entry in entries] == ["phone", "name"]
    assert {entry.details["found"] for entry in entries} == {named}
    assert not any(said in str(entries) for said in ("9123", "4567", "Maria", "Núñez"))
    for text in ("", "  ", "+ - ?", "7" * 201):
        with pytest.raises(InvalidRequestError):
            world.authority.search.find(text, NOON, by=RAVI)


def test_numbers_cannot_be_tried_one_after_the_other(world: Shift) -> None:
    find = world.authority.search.find
    for number in range(SEARCHES_AN_HOUR):
        find(f"{90000000 + number}", NOON, by=RAVI)
    for number in range(3):
        with pytest.raises(RateLimitedError):
            find(f"{91234567 + number}", NOON, by=RAVI)
    acts = [entry.act for entry in world.authority.audit.entries(by=CONSOLE)]
    assert acts.count("person.searched") == SEARCHES_AN_HOUR
    assert acts.count("searches.exceeded") == 1
    assert find("91234567", NOON, by=SITI).people == ()
    assert find("91234567", NOON + SECONDS_PER_HOUR, by=RAVI).people == ()


def test_an_old_copy_cannot_be_searched_once_the_key_is_gone(world: Shift) -> None:
    described(world)
    row = world.line(world.first, world.shared)
    assert row.by_phone in digests_of("91234567", NOON, world.keys)["by_phone"]
    assert all((row.by_phone, row.by_name, row.by_pseudonym))
    world.authority.purge(NOON + 26 * SECONDS_PER_DAY, clock_is_right=True)
    later = digests_of("91234567", NOON + 26 * SECONDS_PER_DAY, world.keys)["by_phone"]
    assert row.by_phone not in later
    assert world.store.desk.contact(row.contact_id) is None


def test_changing_and_deleting_a_number_changes_what_finds_the_person(world: Shift) -> None:
    contact_id, work = described(world), world.authority.follow_up
    version = world.line(world.first, world.shared).version
    work.describe(contact_id, "", "8000 0001", NOON, version=version, by=CONSOLE)
    find = world.authority.search.find
    assert [len(find(text, NOON, by=RAVI).people) for text in ("91234567", "80000001")] == [0, 1]
    version = world.line(world.first, world.shared).version
    work.describe(contact_id, "", "", NOON, clear=["phone"], version=version, by=CONSOLE)
    assert find("80000001", NOON, by=RAVI).people == ()
    world.near(world.third, world.shared, 2, arrived=NOON + 60)  # a line that takes the name over
    (person,) = find("maría josé núñez", NOON + 60, by=RAVI).people
    assert len(person.lines) == 3


def test_a_merged_contacts_number_leads_to_the_one_that_stays(world: Shift) -> None:
    other = world.user()
    world.near(world.first, other, 2)
    gone, stays = world.line(world.first, other), world.line(world.first, world.shared)
    described(world)
    work = world.authority.follow_up
    work.describe(gone.contact_id, "Ann Lee", "8000 0001", NOON, by=CONSOLE)
    world.authority.merging.merge(gone.contact_id, stays.contact_id, NOON, by=CONSOLE)
    (person,) = world.authority.search.find("80000001", NOON, by=RAVI).people
    assert person.pseudonym == world.authority.desk.name_of(world.shared)


def test_the_purge_indexes_lines_of_earlier_releases(world: Shift) -> None:
    described(world)
    rows = world.store.desk.lines_of(world.line(world.first, world.shared).who)
    old = [replace(row, by_pseudonym=row.tag, by_name=b"", by_phone=b"") for row in rows]
    world.store.desk.put_contacts(old)
    assert world.authority.search.find("91234567", NOON, by=RAVI).people == ()
    world.authority.purge(NOON + 60, clock_is_right=True)
    assert world.store.calls.unindexed(10) == []
    assert len(world.authority.search.find("91234567", NOON + 60, by=RAVI).people) == 1
