"""Places: a device fetches TempIDs and does nothing else; its records are stays, no contacts."""

from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, World, heard
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.places.place import Place, PlaceState
from tracetogether.authority.places.stays import TWO_PLACES
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tracetogether.parameters import RETENTION
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

MORNING = NOON - 4 * SECONDS_PER_HOUR


def added(world: World, name: str, site: str = "") -> Place:
    place, _ = world.authority.places.add(name, site, MORNING, by=CONSOLE)
    return place


def at(world: World, place: Place, start: float, minutes: float) -> list[Sighting]:
    """Return the records of a phone that was at a place for some minutes."""
    world.authority.places.batch(place.user_id, start)
    return heard(world.authority, place.user_id, start, minutes)


def opened(world: World, user: str) -> Case:
    return world.authority.casework.open_case(user, NOON, DAY, by=CONSOLE)


# --- a place is nobody ---


def test_threat_place_as_person_records_are_stays_and_no_contacts(world: World) -> None:
    canteen, friend, case = added(world, "Canteen 3"), world.user(), opened(world, world.user())
    rows = at(world, canteen, MORNING, 40) + world.heard(friend, MORNING, 20)
    receipt = world.take(case, sorted(rows, key=lambda row: row.time), NOON)
    assert (receipt.accepted, receipt.rejected) == (len(rows), {})
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert [contact.user_id for contact in traced.contacts] == [friend]
    assert (traced.records, traced.accepted, traced.in_span) == (len(rows), len(rows), 60)
    [stay] = world.authority.stays.of(case, by=CONSOLE)
    assert stay.place == replace(canteen, seen_at=MORNING)
    assert (stay.begin, stay.end, stay.readings) == (MORNING, MORNING + 39 * 60 + 40, 120)
    graph = world.authority.graphs.graph(by=CONSOLE)
    assert len(graph.people) == 2
    assert world.authority.finder.refresh(case, NOON) == 1  # contact is put under follow-up


def test_a_place_is_in_no_figure_and_nobody_can_open_a_case_for_it(world: World) -> None:
    before = world.authority.monitoring.counts(NOON, by=CONSOLE)
    canteen = added(world, "Canteen 3")
    after = world.authority.monitoring.counts(NOON, by=CONSOLE)
    assert replace(after, audit_entries=before.audit_entries) == before
    assert not world.store.has_user(canteen.user_id)
    with pytest.raises(NotFoundError, match="no such user"):
        opened(world, canteen.user_id)
    with pytest.raises(NotFoundError, match="withdrawal"):
        world.authority.issuance.withdraw(canteen.user_id, NOON)


def test_two_cases_that_heard_one_place_have_not_met(world: World) -> None:
    canteen = added(world, "Canteen 3")
    cases = [opened(world, world.user()) for _ in range(2)]
    for case in cases:
        world.take(case, at(world, canteen, MORNING, 40), NOON)
    graph = world.authority.graphs.graph(by=CONSOLE)
    assert (len(graph.people), graph.meetings, graph.candidates) == (2, (), ())
    for case in cases:
        assert world.authority.tracing.contacts(case, by=CONSOLE).contacts == ()
        assert len(world.authority.stays.of(case, by=CONSOLE)) == 1


def test_a_place_that_many_logs_heard_raises_no_alert_of_a_relay(world: World) -> None:
    canteen = added(world, "Canteen 3")
    for _ in range(8):
        world.take(opened(world, world.user()), at(world, canteen, MORNING, 5), NOON)
    acts = {entry.act for entry in world.authority.audit.entries(by=CONSOLE)}
    assert "tempid.alert" not in acts


def test_the_models_of_places_teach_nothing_about_phones(world: World) -> None:
    canteen, case = added(world, "Canteen 3"), opened(world, world.user())
    world.take(case, at(world, canteen, MORNING, 40), NOON)
    assert len(world.authority.tracing.logs.readable(case)) == 0


# --- stays ---


def test_stays_end_after_a_quarter_of_an_hour_without_a_record(world: World) -> None:
    canteen, case = added(world, "Canteen 3"), opened(world, world.user())
    rows = at(world, canteen, MORNING, 10) + at(world, canteen, MORNING + 1_800, 10)
    world.take(case, rows + at(world, canteen, MORNING + 3_000, 10), NOON)
    stays = world.authority.stays.of(case, by=CONSOLE)
    assert [stay.begin - MORNING for stay in stays] == [0, 1_800]
    assert stays[1].end - MORNING == 3_000 + 9 * 60 + 40


def test_a_copy_of_a_places_tempids_is_refused_after_its_quarter_of_an_hour(world: World) -> None:
    canteen, case = added(world, "Canteen 3"), opened(world, world.user())
    copied = [replace(row, time=row.time + 1_800) for row in at(world, canteen, MORNING, 5)]
    receipt = world.take(case, copied, NOON)
    assert receipt.rejected == {Rejection.EXPIRED_ID: len(copied)}
    assert world.authority.stays.of(case, by=CONSOLE) == []


def test_threat_two_sites_at_the_same_time_are_a_fault(world: World) -> None:
    north, south = added(world, "Gate", "North"), added(world, "Canteen", "South")
    near, unknown = added(world, "Hall", "North"), added(world, "Kiosk")
    case = opened(world, world.user())
    rows = at(world, north, MORNING, 30) + at(world, near, MORNING, 30)
    rows += at(world, unknown, MORNING, 30) + at(world, south, MORNING + 600, 5)
    rows += at(world, south, NOON - 3_600, 10)
    world.take(case, sorted(rows, key=lambda row: row.time), NOON)
    faults = {
        (stay.place.name, stay.begin): stay.fault for stay in world.authority.stays.stays_of(case)
    }
    assert faults == {
        ("Gate", MORNING): TWO_PLACES,
        ("Hall", MORNING): TWO_PLACES,
        ("Kiosk", MORNING): "",
        ("Canteen", MORNING + 600): TWO_PLACES,
        ("Canteen", NOON - 3_600): "",
    }


def test_walking_from_one_site_to_another_is_no_fault(world: World) -> None:
    north, south = added(world, "Gate", "North"), added(world, "Canteen", "South")
    case = opened(world, world.user())
    world.take(case, at(world, north, MORNING, 20) + at(world, south, MORNING + 1_140, 20), NOON)
    assert [stay.fault for stay in world.authority.stays.stays_of(case)] == ["", ""]


# --- registering and retiring ---


def test_a_credential_of_a_place_fetches_tempids_and_opens_nothing_else(world: World) -> None:
    place, credential = world.authority.places.add("Canteen 3", "", MORNING, by=CONSOLE)
    speaker = world.authority.access.speaker(credential)
    assert (speaker.user_id, speaker.is_place) == (place.user_id, True)
    with pytest.raises(AccessDeniedError, match="of a place"):
        world.authority.access.phone(credential)
    assert credential not in repr(place)
    assert place.user_id not in repr(place)


def test_retiring_ends_the_credential_at_once_and_later_records_are_no_stay(world: World) -> None:
    place, credential = world.authority.places.add("Canteen 3", "", MORNING, by=CONSOLE)
    rows, case = at(world, place, MORNING, 30), opened(world, world.user())
    retired = world.authority.places.retire(place.place_id, MORNING + 600, by=CONSOLE)
    assert retired.retired_by == "console"
    with pytest.raises(AccessDeniedError, match="register first"):
        world.authority.access.speaker(credential)
    with pytest.raises(NotFoundError, match="retired"):
        world.authority.places.batch(place.user_id, MORNING + 601)
    with pytest.raises(ConflictError, match="already"):
        world.authority.places.retire(place.place_id, NOON, by=CONSOLE)
    world.take(case, rows, NOON)
    [stay] = world.authority.stays.of(case, by=CONSOLE)
    assert stay.end < MORNING + 600
    assert world.authority.tracing.contacts(case, by=CONSOLE).contacts == ()


def test_the_list_says_what_works(world: World) -> None:
    places = world.authority.places
    new, silent, gone = (added(world, name) for name in ("A", "B", "C"))
    speaking = added(world, "D")
    for place, start in ((silent, NOON - 3 * SECONDS_PER_DAY), (gone, MORNING), (speaking, NOON)):
        places.batch(place.user_id, start)
    places.retire(gone.place_id, MORNING + 2 * SECONDS_PER_HOUR, by=CONSOLE)
    found = {row.place.name: (row.state, row.hours) for row in places.all(NOON, by=CONSOLE)}
    assert list(found) == ["A", "B", "D", "C"]
    assert found == {
        "A": (PlaceState.NEW, 0),
        "B": (PlaceState.SILENT, 25),
        "C": (PlaceState.RETIRED, 2),
        "D": (PlaceState.SPEAKING, 0),
    }
    assert new.seen_at is None


def test_two_batches_that_overlap_count_once_as_hours(world: World) -> None:
    place = added(world, "A")
    for hours in (0, 12, 24):
        world.authority.places.batch(place.user_id, MORNING + hours * SECONDS_PER_HOUR)
    later = MORNING + 30 * SECONDS_PER_HOUR
    [row] = world.authority.places.all(later, by=CONSOLE)
    assert row.hours == 30


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "two\nlines", "\u202ename"])
def test_a_name_that_could_mislead_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="one line"):
        added(world, name)


def test_a_name_is_free_again_once_its_place_has_retired(world: World) -> None:
    first = added(world, "Canteen 3")
    with pytest.raises(ConflictError, match="another name"):
        added(world, "Canteen 3")
    world.authority.places.retire(first.place_id, NOON, by=CONSOLE)
    assert added(world, "Canteen 3").place_id != first.place_id


def test_roles(world: World) -> None:
    tracer = Caller("ann", frozenset({Role.TRACER}))
    place = added(world, "Canteen 3")
    assert len(world.authority.places.all(NOON, by=tracer)) == 1
    with pytest.raises(AccessDeniedError):
        world.authority.places.add("Other", "", NOON, by=tracer)
    with pytest.raises(AccessDeniedError):
        world.authority.places.retire(place.place_id, NOON, by=tracer)
    with pytest.raises(AccessDeniedError):
        world.authority.stays.of(
            opened(world, world.user()), by=Caller("eve", frozenset({Role.ISSUER}))
        )


# --- whom to warn ---


def test_the_digests_are_of_what_phones_heard_then(world: World) -> None:
    canteen, other = added(world, "Canteen 3"), added(world, "Hall")
    rows = at(world, canteen, MORNING, 120) + at(world, other, MORNING, 120)
    since, until = MORNING + 1_800, MORNING + 3_600
    digests = set(world.authority.places.heard_digests(canteen.place_id, since, until, by=CONSOLE))
    heard_then = {
        row.peer for row in rows[:360] if since <= row.time < until
    }  # windows that the times touch may hold earlier records too
    assert {sha256(token.encode()) for token in heard_then} <= digests
    found = {sha256(row.peer.encode()): row.time for row in rows}
    assert all(since - 900 < found[digest] < until + 900 for digest in digests & set(found))
    assert not digests & {sha256(row.peer.encode()) for row in rows[360:]}
    assert len(digests) <= 4


def test_digests_include_both_batches_where_a_place_fetched_twice(world: World) -> None:
    canteen = added(world, "Canteen 3")
    first = world.authority.places.batch(canteen.user_id, MORNING)
    second = world.authority.places.batch(canteen.user_id, MORNING + 3_600)
    then = MORNING + 2 * SECONDS_PER_HOUR
    shown = [batch.at(then) for batch in (first, second)]
    digests = world.authority.places.heard_digests(canteen.place_id, then, then + 1, by=CONSOLE)
    assert sorted(sha256(tempid.text.encode()) for tempid in shown if tempid) == digests
    assert len(digests) == 2


def test_places_and_their_hours_are_deleted_in_time(world: World) -> None:
    stays, gone = added(world, "A"), added(world, "B")
    for place in (stays, gone):
        world.authority.places.batch(place.user_id, MORNING)
    world.authority.places.retire(gone.place_id, NOON, by=CONSOLE)
    later = NOON + RETENTION.day_keys_days * SECONDS_PER_DAY
    purge: Purge = world.authority.purge
    purge(later, clock_is_right=True)
    assert len(world.store.places.all()) == 2
    assert world.store.places.all_batches(0) == []
    purge(later + 1, clock_is_right=True)
    assert [place.name for place in world.store.places.all()] == ["A"]


def test_a_warned_place_is_found_by_phones_that_heard_it_and_by_no_other(world: World) -> None:
    from tracetogether.presence.matching import heard_places
    from tracetogether.presence.packages import WarningPackage
    from tracetogether.sightings import Sightings

    canteen, other = added(world, "Canteen 3"), added(world, "Hall")
    there, elsewhere = at(world, canteen, MORNING, 40), at(world, other, MORNING, 40)
    tim = Caller("tim", frozenset({Role.TRACER}))
    heard_then = world.authority.places.heard_digests(
        canteen.place_id, MORNING, MORNING + 3_600, by=CONSOLE
    )
    new = world.authority.warnings.warn_place(
        canteen.place_id, MORNING, MORNING + 3_600, NOON, heard=heard_then, reason="x", by=tim
    )
    assert new == len(heard_then)
    package = WarningPackage(0, "", (), tuple(heard_then))
    [found] = heard_places(Sightings.from_rows(there), package)
    assert (found.by, int(found.minutes)) == ("heard", 39)
    assert heard_places(Sightings.from_rows(elsewhere), package) == []
