"""From a case's visits to the packages that everybody downloads: who decides, and what shows."""

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.presence_world import BAR, CAFE, DAY, HOUR, MEI, NOON, RAVI, PresenceWorld, sent
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.presence.deciding import SeatRow
from tracetogether.authority.presence.publishing import trips_kind, warned_times
from tracetogether.authority.presence.reported import ReportedVisit
from tracetogether.authority.presence.taking import SentTrip, SentVisit
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    NotFoundError,
)
from tracetogether.presence.matching import same_places
from tracetogether.presence.packages import WarningPackage
from tracetogether.presence.posters import Poster, make_poster
from tracetogether.presence.sealed import SealedVisit
from tracetogether.presence.trips import Trip, read_trips
from tracetogether.presence.visits import Visit
from tracetogether.units import SECONDS_PER_DAY

NEXT = NOON + HOUR


def guest(poster: Poster, start: float, minutes: float = 60) -> Visit:
    return Visit(
        poster.location_id, poster.description, poster.address, start, start + minutes * 60
    )


def acts(world: PresenceWorld, *kinds: str) -> list[tuple[str, str]]:
    entries = world.authority.audit.entries(by=CONSOLE)
    return [(entry.act, entry.by) for entry in entries if entry.act.startswith(kinds)]


def test_a_place_of_one_case_waits_and_a_tracers_word_lets_the_warning_out() -> None:
    world = PresenceWorld.new()
    case = world.case_of()
    receipt = world.report(case, [sent(CAFE, NOON - 3 * HOUR), SentVisit("no poster", 0, 1)])
    assert (receipt.visits, dict(receipt.refused_visits)) == (
        1,
        {1: next(iter(receipt.refused_visits.values()))},
    )
    assert receipt.refused_visits[1].value == "unreadable_poster"
    assert world.states(case) == ["waiting"]
    assert world.authority.publishing.publish(NEXT) == 0
    (shown,) = world.authority.warnings.waiting(by=MEI)[0]
    assert shown.visit is not None
    assert (shown.visit.description, shown.visit.address) == ("Café", "Lane 1")
    confirmed = world.authority.warnings.confirm(
        shown.kept.visit_id, "called the owner", NOON + 60, by=MEI
    )
    assert confirmed.kept.decided_by == "mei"
    assert world.authority.publishing.publish(NOON + 120) == 0, "not within the same hour"
    assert world.authority.publishing.publish(NEXT) == 1
    assert world.authority.publishing.publish(NEXT + 60) == 0
    assert world.states(case) == ["published"]
    (package,) = world.packages(NEXT)
    assert (package.hour, package.organisation) == (int(NOON // HOUR), "SG_MOH")
    (found,) = same_places([guest(CAFE, NOON - 2.5 * HOUR, 120)], package)
    assert found.minutes == 60  # half an hour with the case, half an hour of its air
    assert same_places([guest(BAR, NOON - 3 * HOUR)], package) == []
    assert acts(world, "visits.", "warning") == [
        ("visits.taken", "phone"),
        ("warning.confirmed", "mei"),
        ("warnings.published", "clock"),
    ]


def test_two_cases_of_a_day_vouch_for_each_other_and_two_of_a_week_do_not() -> None:
    world = PresenceWorld.new()
    first, second, third = (world.case_of() for _ in range(3))
    world.report(first, [sent(CAFE, NOON - 30 * HOUR), sent(BAR, NOON - 20 * HOUR)])
    world.report(second, [sent(CAFE, NOON - 30 * HOUR - 6 * 24 * HOUR)])
    assert world.states(first) == ["waiting", "waiting"]
    world.report(third, [sent(CAFE, NOON - 6 * HOUR)])
    assert world.states(first) == ["released", "waiting"]
    assert world.states(second) == ["waiting"]
    assert world.states(third) == ["released"]
    assert world.authority.publishing.publish(NEXT) == 1
    assert world.states(third) == ["published"]
    late = world.case_of()
    world.report(late, [sent(CAFE, NOON - 2 * HOUR)], now=NEXT + 60)
    assert world.states(late) == ["released"], "a published visit vouches too"


def test_one_person_never_vouches_twice() -> None:
    world = PresenceWorld.new()
    case = world.case_of()
    world.report(case, [sent(CAFE, NOON - 9 * HOUR)])
    world.report(case, [sent(CAFE, NOON - 5 * HOUR)], now=NOON + 60)
    assert world.states(case) == ["waiting", "waiting"]
    world.authority.casework.close(case.case_id, NOON + 70, by=CONSOLE)
    again = world.authority.casework.open_case(case.user_id, NOON + 80, by=CONSOLE)
    world.report(again, [sent(CAFE, NOON - 2 * HOUR)], now=NOON + 90)
    assert world.states(case) + world.states(again) == ["waiting"] * 3


def test_a_visit_that_a_tracer_kept_back_vouches_for_nobody() -> None:
    world = PresenceWorld.new()
    first, second = world.case_of(), world.case_of()
    world.report(first, [sent(CAFE, NOON - 5 * HOUR)])
    (shown,) = world.authority.warnings.waiting(by=MEI)[0]
    world.authority.warnings.refuse(shown.kept.visit_id, "was at home that day", NOON, by=MEI)
    world.report(second, [sent(CAFE, NOON - 4 * HOUR)])
    assert (world.states(first), world.states(second)) == (["refused"], ["waiting"])
    with pytest.raises(ConflictError):
        world.authority.warnings.confirm(shown.kept.visit_id, "after all", NOON, by=MEI)


def test_what_two_cases_released_can_be_kept_back_until_it_is_out() -> None:
    world = PresenceWorld.new()
    first, second = world.case_of(), world.case_of()
    for case in (first, second):
        world.report(case, [sent(CAFE, NOON - 5 * HOUR)])
    (shown,) = world.authority.warnings.of_case(first.case_id, by=MEI).visits
    world.authority.warnings.refuse(shown.kept.visit_id, "both are lying", NOON, by=MEI)
    world.authority.publishing.publish(NEXT)
    assert (world.states(first), world.states(second)) == (["refused"], ["published"])
    (other,) = world.authority.warnings.of_case(second.case_id, by=MEI).visits
    with pytest.raises(ConflictError, match="never changes"):
        world.authority.warnings.refuse(other.kept.visit_id, "too late", NEXT, by=MEI)


def test_only_the_cases_tracer_decides_by_name_and_with_a_reason() -> None:
    world = PresenceWorld.new()
    mine, theirs = world.case_of(assigned_to="ravi"), world.case_of()
    for case, poster in ((mine, CAFE), (theirs, BAR)):
        world.report(case, [sent(poster, NOON - 3 * HOUR)])
    warnings = world.authority.warnings
    (shown,) = warnings.waiting(by=RAVI)[0]
    (hidden,) = warnings.of_case(theirs.case_id, by=MEI).visits
    with pytest.raises(NotFoundError):
        warnings.of_case(theirs.case_id, by=RAVI)
    with pytest.raises(NotFoundError):
        warnings.confirm(hidden.kept.visit_id, "not mine", NOON, by=RAVI)
    with pytest.raises(AccessDeniedError):
        warnings.confirm(shown.kept.visit_id, "no person", NOON, by=CONSOLE)
    supervisor = Caller("su", frozenset({Role.SUPERVISOR}))
    with pytest.raises(AccessDeniedError):
        warnings.confirm(shown.kept.visit_id, "not her task", NOON, by=supervisor)
    for reason in ("", " ", "x" * 201, "two\nlines"):
        with pytest.raises(InvalidRequestError):
            warnings.confirm(shown.kept.visit_id, reason, NOON, by=RAVI)
    assert world.states(mine) == ["waiting"]
    warnings.confirm(shown.kept.visit_id, "many guests", NOON, by=RAVI)
    assert world.states(mine) == ["released"]


def test_a_token_lets_visits_in_once_and_a_pretended_one_leaves_nothing() -> None:
    world = PresenceWorld.new()
    case = world.case_of()
    token = world.token(case, b"log", NOON)
    take = world.authority.visits.take
    take(token, [sent(CAFE, NOON - 3 * HOUR)], [], NOON)
    with pytest.raises(ConflictError):
        take(token, [sent(BAR, NOON - HOUR)], [], NOON)
    with pytest.raises(InvalidUploadError):
        take("forged", [], [], NOON)
    with pytest.raises(InvalidRequestError):
        take(world.token(case, b"more", NOON), [sent(CAFE, NOON)] * 301, [], NOON)
    chaff = world.authority.intake.pretend_redeem(world.user(), bytes(32), NOON)
    before = list(world.authority.audit.entries(by=CONSOLE))
    receipt = take(chaff, [sent(CAFE, NOON - 3 * HOUR), sent(BAR, NOON - 3 * HOUR)], [], NOON)
    assert (receipt.visits, len(receipt.refused_visits)) == (1, 1)
    assert len(world.store.presence.waiting_visits()) == 1
    assert list(world.authority.audit.entries(by=CONSOLE)) == before
    with pytest.raises(ConflictError):
        take(chaff, [], [], NOON)


def test_visits_before_the_phone_registered_are_refused() -> None:
    world = PresenceWorld.new()
    case = world.case_of(registered_at=NOON - SECONDS_PER_DAY)
    receipt = world.report(case, [sent(CAFE, NOON - 40 * HOUR), sent(CAFE, NOON - 3 * HOUR)])
    assert {n: why.value for n, why in receipt.refused_visits.items()} == {0: "before_registration"}


def test_a_withdrawal_takes_back_what_is_not_out() -> None:
    world = PresenceWorld.new()
    first, second = world.case_of(), world.case_of()
    for case in (first, second):
        world.report(case, [sent(CAFE, NOON - 5 * HOUR)], [SentTrip("G1234", "2020-05-03", "5")])
    (trip, *_) = world.authority.warnings.of_case(first.case_id, by=MEI).trips
    world.authority.warnings.state_aboard(trip.kept.trip_id, 80, "full car", NOON, by=MEI)
    world.authority.publishing.publish(NEXT)
    assert len(world.trip_lists(NEXT)[DAY - 1].trips) == 1
    world.authority.issuance.withdraw(first.user_id, NEXT)
    assert world.store.presence.visits_of(first.case_id) == []
    assert world.store.presence.trips_of(first.case_id) == []
    assert len(world.packages(NEXT)) == 1, "a package never changes"
    world.authority.publishing.publish(NEXT + HOUR)
    assert world.trip_lists(NEXT + HOUR)[DAY - 1].trips == ()
    assert world.authority.publishing.publish(NEXT + 2 * HOUR) == 0


def test_everything_goes_on_time() -> None:
    world = PresenceWorld.new()
    first, second = world.case_of(), world.case_of()
    for case in (first, second):
        world.report(case, [sent(CAFE, NOON - 5 * HOUR)], [SentTrip("G1234", "2020-05-03", "5")])
    (trip, *_) = world.authority.warnings.of_case(first.case_id, by=MEI).trips
    world.authority.warnings.state_aboard(trip.kept.trip_id, 80, "full car", NOON, by=MEI)
    world.authority.warnings.warn_place(
        "P1", NOON - HOUR, NOON, NOON, heard=[b"h" * 32], reason="outbreak", by=MEI
    )
    world.authority.publishing.publish(NEXT)
    kept = world.store.presence
    world.authority.purge(NEXT + 13 * SECONDS_PER_DAY, clock_is_right=True)
    assert (len(kept.packages("warnings")), len(kept.packages("trips"))) == (1, 1)
    world.authority.purge(NEXT + 14 * SECONDS_PER_DAY + HOUR, clock_is_right=True)
    assert (kept.packages("warnings"), kept.packages("trips")) == ([], [])
    assert kept.drop_heard(NEXT + 99 * SECONDS_PER_DAY) == 0
    assert len(kept.visits_of(first.case_id)) == 1
    world.authority.purge(NOON + 22 * SECONDS_PER_DAY, clock_is_right=True)
    assert list(kept.visits_of(first.case_id)) + list(kept.trips_of(first.case_id)) == []


def test_many_who_report_a_flight_do_not_publish_it() -> None:
    """How many were aboard is what a tracer heard of the carrier, not how many phones say so."""
    world = PresenceWorld.new()
    for _ in range(21):
        world.report(world.case_of(), trips=[SentTrip("SQ322", "2020-05-02")])
    assert len(world.authority.warnings.waiting(by=MEI)[1]) == 21
    assert world.authority.publishing.publish(NEXT) == 0
    assert world.trip_lists(NEXT) == {}


def test_trips_are_listed_with_twenty_aboard_and_without_seats() -> None:
    world = PresenceWorld.new()
    case = world.case_of()
    receipt = world.report(
        case,
        trips=[
            SentTrip("g 1234", "2020-05-02", "05"),
            SentTrip("G1234", "2020-05-02", "5"),
            SentTrip("SQ322", "2020-05-02"),
            SentTrip("?", "2020-05-02"),
        ],
    )
    assert {n: why.value for n, why in receipt.refused_trips.items()} == {
        1: "twice",
        3: "unreadable_trip",
    }
    warnings = world.authority.warnings
    train, flight = sorted(
        warnings.of_case(case.case_id, by=MEI).trips,
        key=lambda shown: "" if shown.trip is None else shown.trip.carrier,
    )
    with pytest.raises(InvalidRequestError, match="at least 20"):
        warnings.state_aboard(train.kept.trip_id, 19, "counted", NOON, by=MEI)
    with pytest.raises(InvalidRequestError):
        warnings.state_aboard(train.kept.trip_id, 10_001, "counted", NOON, by=MEI)
    warnings.state_aboard(train.kept.trip_id, 20, "by the carrier's list", NOON, by=MEI)
    warnings.refuse_trip(flight.kept.trip_id, "flew a day later", NOON, by=MEI)
    with pytest.raises(ConflictError):
        warnings.state_aboard(flight.kept.trip_id, 200, "after all", NOON, by=MEI)
    assert world.authority.publishing.publish(NOON + 60) == 0
    assert world.authority.publishing.publish(NEXT) == 1
    (listed,) = world.trip_lists(NEXT).values()
    (row,) = listed.trips
    trip = Trip.of("G1234", "2020-05-02", "5")
    assert (row.place, row.first_row, row.last_row) == (sha256(trip.location_id), 0, 0)
    other = world.case_of()
    world.report(other, trips=[SentTrip("G1234", "2020-05-02", "5")], now=NEXT)
    (same,) = warnings.of_case(other.case_id, by=MEI).trips
    warnings.state_aboard(same.kept.trip_id, 30, "counted", NEXT, by=MEI)
    world.authority.publishing.publish(NEXT + HOUR)
    assert world.trip_lists(NEXT + HOUR)[DAY - 2].trips == (row,), "two cases, one trip"


def test_a_list_names_a_band_of_rows_and_the_row_is_kept_nowhere() -> None:
    world = PresenceWorld.new()
    case, warnings = world.case_of(), world.authority.warnings
    world.report(case, trips=[SentTrip("G1234", "2020-05-02", str(car)) for car in (5, 6)])
    full, half = (shown.kept.trip_id for shown in warnings.of_case(case.case_id, by=MEI).trips)
    for wrong in (SeatRow(0, 18), SeatRow(19, 18), SeatRow(1, 1_000)):
        with pytest.raises(InvalidRequestError) as caught:
            warnings.state_aboard(full, 85, "counted", NOON, seat=wrong, by=MEI)
        assert caught.value.code == "seat-rows"
    told = warnings.state_aboard(full, 85, "counted", NOON, seat=SeatRow(11, 18), by=MEI)
    assert (told.first_row, told.last_row) == (7, 12)
    told = warnings.state_aboard(half, 39, "counted", NOON, seat=SeatRow(11, 18), by=MEI)
    assert (told.first_row, told.last_row) == (0, 0), "half a car would hold fewer than 20"
    world.authority.publishing.publish(NEXT)
    (listed,) = world.trip_lists(NEXT).values()
    assert sorted((row.first_row, row.last_row) for row in listed.trips) == [(0, 0), (7, 12)]
    same = warnings.state_aboard
    with pytest.raises(ConflictError):
        same(full, 85, "counted", NOON, seat=SeatRow(1, 18), by=MEI)
    entries = world.authority.audit.entries(by=CONSOLE)
    told_rows = [entry.details["rows"] for entry in entries if entry.act == "trip.confirmed"]
    assert told_rows == [6, 0]


def test_a_day_of_very_many_trips_is_published_in_256_parts() -> None:
    world = PresenceWorld.new()
    case, warnings = world.case_of(), world.authority.warnings
    world.report(case, trips=[SentTrip("G1234", "2020-05-02", str(car)) for car in range(1, 6)])
    for shown in warnings.of_case(case.case_id, by=MEI).trips:
        warnings.state_aboard(shown.kept.trip_id, 85, "counted", NOON, by=MEI)
    publishing = replace(world.authority.publishing, whole_day_bytes=5 * 36 - 1)
    assert publishing.publish(NEXT) == 1
    assert publishing.publish(NEXT + HOUR) == 0, "nothing changed"
    (day,) = world.trip_lists(NEXT).values()
    assert (day.divided, day.trips) == (True, ())
    kept = world.store.presence
    (line,) = kept.packages("trips")
    parts = [
        read_trips(
            kept.package(trips_kind(at), line.number, line.edition) or b"", world.trust(NEXT)
        )
        for at in range(256)
    ]
    assert [part.prefix for part in parts] == list(range(256))
    assert all(row.place[0] == part.prefix for part in parts for row in part.trips)
    assert {row.place for part in parts for row in part.trips} == {
        sha256(Trip.of("G1234", "2020-05-02", str(car)).location_id) for car in range(1, 6)
    }
    world.authority.purge(NOON + 30 * SECONDS_PER_DAY, clock_is_right=True)
    assert [kept.packages(trips_kind(at)) for at in (None, 0, 255)] == [[], [], []]


def test_a_warned_place_adds_the_digests_of_its_tempids_and_as_many_fakes() -> None:
    world = PresenceWorld.new()
    warn = world.authority.warnings.warn_place
    real = [bytes([n]) * 32 for n in range(1, 9)]
    assert warn("P1", NOON - HOUR, NOON, NOON, heard=real, reason="outbreak", by=MEI) == 8
    with pytest.raises(ConflictError):
        warn("P1", NOON - HOUR, NOON, NOON, heard=real[:3], reason="again", by=MEI)
    with pytest.raises(InvalidRequestError):
        warn("P1", NOON, NOON + HOUR, NOON, heard=[b"x" * 32], reason="future", by=MEI)
    with pytest.raises(AccessDeniedError):
        warn("P1", NOON - HOUR, NOON, NOON, heard=[b"x" * 32], reason="who", by=CONSOLE)
    assert world.authority.publishing.publish(NEXT) == 1
    (package,) = world.packages(NEXT)
    assert set(real) < set(package.heard)
    assert len(package.heard) == 16
    assert world.authority.publishing.publish(NEXT + HOUR) == 0


def test_visits_that_overlap_are_warned_of_as_one_and_never_longer_than_a_day() -> None:
    def stay(start: float, minutes: float) -> ReportedVisit:
        return ReportedVisit(b"A" * 32, start, start + minutes * 60)

    (times,) = warned_times([stay(NOON, 60), stay(NOON + 1_800, 90)]).values()
    assert [(time.start_s, time.end_s) for time in times] == [(NOON, NOON + 9_000)]
    (long,) = warned_times([stay(NOON, 1_440), stay(NOON + 86_400, 1_440)]).values()
    assert all(time.period <= 144 for time in long)
    assert (long[0].start_s, long[-1].end_s) == (NOON, NOON + 2 * 86_400 + 1_800)
    assert warned_times([stay(NOON, 9)]) == {}


# --- the attacker: which of the sealed visits are real? ---


@cache
def many_packages() -> tuple[list[WarningPackage], set[bytes]]:
    """Return packages of three hours of many cases, and the real places' digests."""
    world = PresenceWorld.new()
    draw = np.random.default_rng(5)
    posters = [make_poster(f"Place {n}", entropy=counted_entropy(100 + n)) for n in range(12)]
    popular = [0] * 8 + [1] * 4 + list(range(12))
    for hour in range(3):
        now = NOON + hour * HOUR
        for _ in range(10):
            case = world.case_of()
            chosen = {int(n) for n in draw.choice(popular, 3)}
            world.report(
                case,
                [sent(posters[n], now - (4 + 3 * k) * HOUR) for k, n in enumerate(sorted(chosen))],
                now=now,
            )
        for shown in world.authority.warnings.waiting(by=MEI)[0]:
            world.authority.warnings.confirm(shown.kept.visit_id, "yes", now, by=MEI)
        world.authority.publishing.publish(now + HOUR)
    return world.packages(NOON + 3 * HOUR), {sha256(poster.location_id) for poster in posters}


def test_who_knows_no_poster_can_not_tell_real_visits_from_fakes() -> None:
    packages, real = many_packages()
    rows = [row for package in packages for row in package.visits]
    is_real = np.array([row.place in real for row in rows])
    assert len(packages) == 3
    assert is_real.sum() * 2 == len(rows) > 60
    assert {len(row.to_columns()) for row in rows} == {96}
    # How often a place comes up, in all and by package, tells nothing: each has a twin.
    for part in (rows, *(package.visits for package in packages)):
        seen = Counter(row.place for row in part)
        assert sorted(seen[place] for place in seen if place in real) == sorted(
            seen[place] for place in seen if place not in real
        )
    # Nor do order and bytes: a guess by each is right about half the time.
    for package in packages:
        assert list(package.visits) == sorted(package.visits, key=SealedVisit.to_columns)
    guesses = {
        "first half": np.concatenate(
            [np.arange(len(package.visits)) < len(package.visits) / 2 for package in packages]
        ),
        **{
            f"byte {at}": np.array([row.to_columns()[at] < 128 for row in rows])
            for at in range(0, 96, 8)
        },
    }
    # Rows of one place share their first 32 bytes, so the score is by place, not by row.
    by_place = {row.place: n for n, row in enumerate(rows)}
    once = np.array(sorted(by_place.values()))
    right = {name: float(np.mean(guess[once] == is_real[once])) for name, guess in guesses.items()}
    # 24 places, 13 guesses: five standard deviations of a fair coin are 0.51.
    assert all(abs(share - 0.5) <= 0.5 * 5 / np.sqrt(len(once)) for share in right.values()), right


def test_fakes_without_twins_would_give_the_real_visits_away() -> None:
    """The attack of the test above finds fakes that are drawn at random for each visit."""
    packages, real = many_packages()
    entropy = counted_entropy(9)
    rows = [
        row if row.place in real else SealedVisit.fake(entropy)
        for package in packages
        for row in package.visits
    ]
    seen = Counter(row.place for row in rows)
    twice = [place for place, times in seen.items() if times > 1]
    assert twice
    assert set(twice) <= real


def test_within_a_package_nothing_says_which_visits_are_of_one_case() -> None:
    """Rows of one case are no nearer to each other than rows of two."""
    world = PresenceWorld.new()
    posters = [make_poster(f"Place {n}", entropy=counted_entropy(200 + n)) for n in range(24)]
    of_case = {}
    for n in range(6):
        case = world.case_of()
        mine = posters[4 * n : 4 * n + 4]
        of_case.update({sha256(poster.location_id): n for poster in mine})
        world.report(
            case, [sent(poster, NOON - (9 - 2 * k) * HOUR) for k, poster in enumerate(mine)]
        )
    for shown in world.authority.warnings.waiting(by=MEI)[0]:
        world.authority.warnings.confirm(shown.kept.visit_id, "yes", NOON, by=MEI)
    world.authority.publishing.publish(NEXT)
    (package,) = world.packages(NEXT)
    places = [of_case[row.place] for row in package.visits if row.place in of_case]
    gaps = {
        same: np.mean(
            [
                abs(first - second)
                for first, second in combinations(range(24), 2)
                if (places[first] == places[second]) is same
            ]
        )
        for same in (True, False)
    }
    assert len(places) == 24
    assert gaps[True] > 0.6 * gaps[False], gaps


def test_the_trust_list_names_the_key_of_warnings() -> None:
    world = PresenceWorld.new()
    rows = [row for row in world.trust(NOON).keys if "warnings" in row.purposes]
    assert [row.purposes for row in rows] == [frozenset({"warnings"})]
    assert rows[0].organisation == "SG_MOH"
