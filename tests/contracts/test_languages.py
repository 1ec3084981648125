"""The language of a person, on SQLite and PostgreSQL: stored once, filtered, never in clear."""

import pytest

from tests.authority_world import NOON
from tests.contracts.test_calls import RAVI, Shift
from tests.contracts.test_calls import world as shift_world
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.calls import Draft, PeopleQuery
from tracetogether.authority.cases.followed import Outcome
from tracetogether.authority.cases.person_index import language_digests
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.units import SECONDS_PER_DAY

world = shift_world


def spoken(world: Shift, language: str, now: float = NOON) -> int:
    """Return how many people a list of a language has."""
    query = PeopleQuery(language=language)
    return world.authority.people.page(query, now, by=CONSOLE).total


def test_a_language_said_in_a_call_holds_for_all_cases_and_filters_lists(world: Shift) -> None:
    everybody = world.authority.people.page(PeopleQuery(), NOON, by=CONSOLE).total
    assert (spoken(world, "und"), spoken(world, "ms")) == (everybody, 0)
    sheet = world.next(RAVI)
    assert sheet.person.language == ""
    line, calling = sheet.line, world.authority.calling
    calling.keep_draft(line.contact_id, Draft(language="ms"), NOON, by=RAVI)
    held = calling.current(NOON, by=RAVI)
    assert held is not None
    assert held.draft.language == "ms"
    version = line.version
    calling.save(line.contact_id, Outcome.SYMPTOMS, NOON, language="MS ", version=version, by=RAVI)
    assert (spoken(world, "und"), spoken(world, "ms"), spoken(world, "ta")) == (everybody - 1, 1, 0)
    for shown in line.lines:
        kept = world.store.desk.contact(shown.kept.contact_id)
        assert kept is not None
        assert kept.by_language in language_digests("ms", NOON, world.keys)
        assert b"ms" not in kept.by_language + kept.particulars
        reveal = world.authority.follow_up.reveal(kept.contact_id, "a test", NOON, by=CONSOLE)
        assert (reveal.language, reveal.name) == ("ms", "")
    without = PeopleQuery(without_number=True, language="ms")
    assert world.authority.people.page(without, NOON, by=CONSOLE).total == 1
    world.near(world.third, world.shared, 2, arrived=NOON + 60)  # a case that comes later
    late = world.line(world.third, world.shared)
    assert late.by_language in language_digests("ms", NOON + 60, world.keys)


def test_a_language_is_changed_and_deleted_by_those_who_have_read_it(world: Shift) -> None:
    work, line = world.authority.follow_up, world.line(world.first, world.shared)

    def write(language: str, **how: int) -> None:
        work.describe(line.contact_id, "", "", NOON, language=language, by=CONSOLE, **how)

    write("yue")
    with pytest.raises(ConflictError) as stored:
        write("nan")
    assert stored.value.code == "value-stored-already"
    for text in ("english", "z", "zh-Hans", "m\u015f"):
        with pytest.raises(InvalidRequestError) as refused:
            write(text)
        assert refused.value.code == "language-code"
    write("nan", version=world.line(world.first, world.shared).version)
    assert spoken(world, "nan") == 1
    write("und", version=world.line(world.first, world.shared).version)
    kept = world.line(world.first, world.shared)
    assert (spoken(world, "nan"), kept.by_language, kept.particulars) == (0, b"", b"")
    with pytest.raises(InvalidRequestError):
        spoken(world, "Malay")


def test_who_has_a_name_and_no_number_is_without_a_number(world: Shift) -> None:
    line, work = world.line(world.first, world.shared), world.authority.follow_up
    query = PeopleQuery(case_id=world.first.case_id, without_number=True)
    before = world.authority.people.page(query, NOON, by=CONSOLE).total
    work.describe(line.contact_id, "Ann", "", NOON, language="en", by=CONSOLE)
    assert world.authority.people.page(query, NOON, by=CONSOLE).total == before
    work.describe(line.contact_id, "", "+65 9123 4567", NOON, by=CONSOLE)
    assert world.authority.people.page(query, NOON, by=CONSOLE).total == before - 1


def test_a_digest_is_of_its_day_and_says_nothing_without_the_key(world: Shift) -> None:
    work, line = world.authority.follow_up, world.line(world.first, world.shared)
    work.describe(line.contact_id, "", "", NOON, language="ms", by=CONSOLE)
    kept = world.line(world.first, world.shared)
    days = language_digests("ms", NOON, world.keys)
    assert len(set(days)) == len(days) > 1
    assert kept.by_language in days
    world.keys.destroy_before(kept.day + 1)
    assert kept.by_language not in language_digests("ms", NOON + SECONDS_PER_DAY, world.keys)
    assert kept.by_language.hex() not in repr(kept)


def test_a_language_goes_along_when_a_contact_becomes_a_case(world: Shift) -> None:
    authority, line = world.authority, world.line(world.first, world.shared)
    authority.follow_up.describe(line.contact_id, "Ann", "", NOON, language="ms", by=CONSOLE)
    case = authority.merging.convert(line.contact_id, NOON, by=CONSOLE)
    person = authority.case_people.reveal(case.case_id, "a test", NOON, by=CONSOLE)
    assert (person.name, person.language) == ("Ann", "ms")
    version = person.version
    authority.case_people.describe(
        case.case_id, "", "", NOON, language="ta", version=version, by=CONSOLE
    )
    person = authority.case_people.reveal(case.case_id, "a test", NOON, by=CONSOLE)
    assert person.language == "ta"
