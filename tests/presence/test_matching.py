"""What a phone finds: the same place for ten minutes or more, each warning once, and no more."""

import os
from dataclasses import replace
from itertools import pairwise

import pytest

from tracetogether.crypto import sha256
from tracetogether.errors import InvalidRequestError, StoreError, UnreadableMessageError
from tracetogether.presence.asking import ask_for_warnings
from tracetogether.presence.matching import heard_places, same_places
from tracetogether.presence.packages import WarningPackage, heard_digest
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.seats import published_band, row_of, rows_apart
from tracetogether.presence.trip_notes import TripNote, TripNotes, same_trips
from tracetogether.presence.trips import Trip, TripWarning, day_number
from tracetogether.presence.visits import Visit, by_day
from tracetogether.sightings import Sighting, Sightings

DAY = 86_400
NOON = 1_600_000_000.0 // DAY * DAY + DAY / 2
PLACE, OTHER = bytes(range(32)), bytes(32)
VISIT = Visit(PLACE, "Bar", "Pier 1", NOON, NOON + 3_600)


def sealed(start_min: int, minutes: int, place: bytes = PLACE) -> SealedVisit:
    first = int(NOON + 60 * start_min) // 600
    return SealedVisit.seal(place, WarnedTime(first, minutes // 10), os.urandom)


def package(*visits: SealedVisit, heard: tuple[bytes, ...] = ()) -> WarningPackage:
    return WarningPackage(int(NOON) // 3600, "", visits, heard)


def minutes_found(*visits: SealedVisit, held: tuple[Visit, ...] = (VISIT,)) -> list[int]:
    return [found.minutes for found in same_places(held, package(*visits))]


def test_ten_minutes_at_the_same_place_are_found() -> None:
    assert minutes_found(sealed(50, 60)) == [10]
    assert minutes_found(sealed(50, 60), sealed(-120, 180), sealed(0, 60)) == [60, 60, 10]
    late = replace(VISIT, start=NOON + 1)
    assert minutes_found(sealed(-50, 60), held=(late,)) == []


def test_another_place_a_fake_and_a_forged_warning_are_not_found() -> None:
    forged = replace(sealed(0, 60), mac=bytes(32))
    fake = SealedVisit.fake(os.urandom)
    of_place = replace(fake, place=sha256(PLACE))
    long = SealedVisit.seal(PLACE, WarnedTime(int(NOON) // 600, 2_000), os.urandom)
    assert minutes_found(sealed(0, 60, OTHER), forged, fake, of_place, long) == []


def test_a_visit_over_midnight_is_compared_as_one() -> None:
    over = Visit(PLACE, "Bar", "", NOON + DAY / 2 - 300, NOON + DAY / 2 + 300)
    parts = by_day(over)
    assert len(parts) == 2
    assert minutes_found(sealed(600, 300), held=tuple(parts)) == [10]


def test_a_finding_has_place_and_time_and_no_more() -> None:
    (found,) = same_places([VISIT], package(sealed(20, 20)))
    assert (found.description, found.start, found.end) == ("Bar", NOON + 1_200, NOON + 2_400)
    assert "marks" not in repr(found)
    with pytest.raises(AttributeError):
        _ = found.level  # type: ignore[attr-defined]


# --- places that speak ---


def heard(*minutes: float, tokens: str = "T") -> Sightings:
    rows = [
        Sighting(NOON + 60 * minute, f"{tokens}{int(minute // 15)}", -60.0) for minute in minutes
    ]
    return Sightings.from_rows([Sighting(NOON, "nobody", -50.0), *rows])


def warned(*numbers: int) -> WarningPackage:
    return package(heard=tuple(heard_digest(f"T{number}") for number in numbers))


def test_a_warned_place_is_found_in_the_contact_log() -> None:
    log = heard(1, 6, 11, 14, 16, 29, 70, 75)
    (found,) = heard_places(log, warned(0, 1, 2, 4))
    assert (found.minutes, found.by, found.description) == (28, "heard", "")
    assert found.marks == {heard_digest("T0"), heard_digest("T1")}
    assert [row.minutes for row in heard_places(log, warned(0))] == [13]
    assert heard_places(log, warned(4)) == []  # five minutes
    assert heard_places(log, warned()) == []
    assert heard_places(Sightings.from_rows([]), warned(0)) == []
    assert len(heard_places(heard(1, 12, 61, 74), warned(0, 4))) == 2


# --- which packages are asked for ---


def test_a_check_asks_for_the_newest_package_and_what_it_missed() -> None:
    now = 450_000 * 3_600 + 60.0
    for asked_hour, days, wanted in [
        (None, 0, [449_999]),
        (449_980, 0, [449_999]),
        (449_999, 0, [449_999]),
        (449_964, 0, [449_999]),
        (449_963, 0, [449_999, 449_963]),
        (None, 3, [449_999, 449_963]),
        (1, 0, [449_999 - 36 * number for number in range(10)]),
        (450_010, 0, [449_999]),  # the clock went back
    ]:
        asked: list[int] = []

        def fetch(hour: int, asked: list[int] = asked) -> list[WarningPackage]:
            asked.append(hour)
            return [WarningPackage(hour - 35), WarningPackage(hour, hours=2)]

        found = ask_for_warnings(fetch, asked_hour, now, days)
        assert asked == wanted
        assert found.hour == 449_999
        assert found.since == wanted[-1] - 35
        assert len(found.packages) == 2 * len(wanted)


def test_a_package_of_another_hour_is_refused() -> None:
    with pytest.raises(UnreadableMessageError, match="another hour"):
        ask_for_warnings(lambda hour: [WarningPackage(hour - 36)], None, NOON)
    with pytest.raises(UnreadableMessageError, match="another hour"):
        ask_for_warnings(lambda hour: [WarningPackage(hour, hours=37)], None, NOON)


# --- trips ---

TRAIN = Trip.of("G1234", "2020-01-25", "5")


@pytest.mark.parametrize(
    "words",
    [("g1234", "2020-01-25", "05"), (" G 1234", "20200125", "5"), ("G01234", "2020-01-25", "5")],
)
def test_a_trip_has_one_form(words: tuple[str, str, str]) -> None:
    assert Trip.of(*words) == TRAIN
    assert TRAIN.carrier == "CR"


def test_a_flight_is_named_by_its_airline() -> None:
    flight = Trip.of("sq 0322", "2020-03-01")
    assert (flight.carrier, flight.service, flight.car) == ("SQ", "SQ322", "")
    assert not flight.is_train
    assert TRAIN.is_train
    assert flight.location_id != Trip.of("SQ323", "2020-03-01").location_id


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("", "2020-01-25"), "trip-service"),
        (("G1/2", "2020-01-25"), "trip-service"),
        (("ICEX599", "2020-01-25"), "trip-service"),
        (("G100000", "2020-01-25"), "trip-service"),
        (("ICE599", "2020-01-25"), "trip-carrier"),
        (("G1", "25.01.2020"), "trip-day"),
        (("G1", "2020-01-25", "x/y"), "trip-car"),
        (("G1", "2020-01-25", "5", "a/b"), "trip-carrier"),
    ],
)
def test_what_is_no_trip_is_refused_by_name(words: tuple[str, ...], code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Trip.of(*words)
    assert caught.value.code == code


def test_how_far_from_a_case_somebody_sat() -> None:
    band = published_band(12, rows=18, aboard=85)
    assert band == (7, 12)
    assert {published_band(row, rows=18, aboard=85) for row in range(7, 13)} == {band}
    warning = TripWarning.of(TRAIN, *band)
    found = {row: rows_apart(TRAIN, row, warning) for row in (1, 4, 9, 10, 12, 16)}
    assert {row: (apart.least, apart.most, apart.near) for row, apart in found.items()} == {
        1: (6, 11, "no"),
        4: (3, 8, "maybe"),
        9: (0, 3, "yes"),
        10: (0, 3, "yes"),
        12: (0, 5, "maybe"),
        16: (4, 9, "no"),
    }
    assert rows_apart(TRAIN, 5, TripWarning.of(TRAIN)) is None
    assert row_of(" 05f") == 5
    for wrong in ("", "A", "0A", "12I", "1000A", "12AA"):
        with pytest.raises(InvalidRequestError):
            row_of(wrong)


@pytest.mark.parametrize(
    ("rows", "aboard"), [(18, 85), (18, 20), (18, 39), (18, 40), (31, 180), (3, 999), (999, 20)]
)
def test_every_band_of_rows_holds_twenty_people_who_sit_evenly(rows: int, aboard: int) -> None:
    bands = [published_band(row, rows, aboard) for row in range(1, rows + 1)]
    if (0, 0) in bands:
        assert set(bands) == {(0, 0)}
        assert rows // 2 * aboard < 20 * rows  # half of the rows would hold fewer
        return
    for row, (first, last) in enumerate(bands, 1):
        assert first <= row <= last <= rows
        assert (last - first + 1) * aboard >= 20 * rows
    ordered = sorted(set(bands))
    assert [ordered[0][0], ordered[-1][1]] == [1, rows]
    assert all(this[1] + 1 == then[0] for this, then in pairwise(ordered))


def test_noted_trips_are_kept_21_days_and_compared_on_the_phone() -> None:
    begin = day_number("2020-01-25") * DAY + 3_600.0
    notes = TripNotes().added(TripNote(TRAIN, "12A"), begin).added(TripNote(TRAIN, "10A"), begin)
    notes = notes.added(TripNote(Trip.of("SQ322", "2020-01-26")), begin)
    assert [note.seat for note in notes.notes] == ["10A", ""]
    assert TripNotes.from_json(notes.to_json()) == notes
    published = [TripWarning.of(TRAIN, 9, 12), TripWarning.of(Trip.of("G9", "2020-01-25"))]
    (found,) = same_trips(notes.notes, published)
    assert (found.note.trip, found.apart and found.apart.near) == (TRAIN, "yes")
    kept = notes
    for day in range(1, 24):
        kept = kept.at(begin + day * DAY)
    assert [note.trip.service for note in kept.notes] == []
    leapt = notes.at(begin + 60 * DAY).at(begin + DAY)
    assert leapt.notes == notes.notes
    assert notes.without(TRAIN, begin).notes == notes.notes[1:]
    with pytest.raises(StoreError):
        TripNotes.from_json({"trips": [{}], "clock": [None, 0, 0]})
