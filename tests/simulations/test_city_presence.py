"""Check-in and places of a city: who was in a room together, whom each way finds, and no digest."""

from functools import cache

import numpy as np
import pytest

from simulations.city.keys import CITY, NEIGHBOURHOOD, CityScenario
from simulations.city.network import COMPANY, Network
from simulations.city.own_measures import open_shares_with
from simulations.city.people import People
from simulations.city.presence import PresenceCosts, heard_by_a_phone
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.city.venues import Venues, heard_minutes, overlaps, warned_minutes
from tracetogether.cli.city_scenario import _presence_shown
from tracetogether.errors import ScenarioError
from tracetogether.presence.sealed import WarnedTime

SEED, SCALE, PEOPLE, FRIDAY = 4, 2.5e-4, 3_000, 4
TOWN = {
    "people.count": str(PEOPLE),
    "days": "36",
    "tests.share": "0.8",
    "app.adoption": "0.8",
    "isolation.compliance": "0.5",
}
CHECK_IN = TOWN | {"presence.check_in": "0.6"}
EVERYBODY = CHECK_IN | {"app.adoption": "1", "app.consent": "1", "presence.check_in": "1"}
DEVICES = TOWN | {f"presence.places_{kind}": "1" for kind in ("shops", "halls", "vehicles")}


def town(settings: dict[str, str]) -> CityScenario:
    return load_city("test-town", settings)


@cache
def _played(settings: tuple[tuple[str, str], ...], bounds: tuple[int, ...]) -> CityRun:
    return run_city(town(dict(settings)), seed=SEED, scale=SCALE, bounds=bounds)


def played(settings: dict[str, str], bounds: tuple[int, ...] = (0, PEOPLE)) -> CityRun:
    return _played(tuple(sorted(settings.items())), bounds)


def venues_of(scenario: CityScenario) -> tuple[Network, Venues]:
    network, shares = Network(scenario, SEED), open_shares_with(scenario, scenario.days, ())
    return network, Venues(scenario, network, People(PEOPLE), shares, SEED)


@pytest.mark.parametrize("count", [777, 6_500])
@pytest.mark.parametrize("layer", COMPANY)
def test_company_is_mutual_and_holds_those_who_meet(layer: int, count: int) -> None:
    network = Network(town({"people.count": str(count)}), SEED)
    people = np.flatnonzero(network.slots[layer][network.place(np.arange(count))] > 0)
    of, days = np.arange(len(people)), np.full(len(people), FRIDAY)
    visit = np.zeros(len(people), dtype=np.int64)
    place, company, own = network.company(layer, people, visit, days, of)
    assert (company[of, own] == people).all()
    met = network.partner(layer, people, visit, days)
    beside = company[of, own ^ 1]
    assert (met == np.where(beside == people, -1, beside)).all()
    seen = dict(zip(place.tolist(), company.tolist(), strict=True))
    for number, there in zip(place.tolist(), company.tolist(), strict=True):
        assert seen[number] == there  # the same for all who are there


def test_two_people_see_the_same_of_each_other() -> None:
    _, venues = venues_of(town(TOWN | {"presence.visits": "1", "closures.city": "0.4"}))
    rows: set[tuple[int, ...]] = set()
    for rooms in venues.rooms(np.arange(PEOPLE), np.array([FRIDAY])):
        some = np.flatnonzero(rooms.shared & ((rooms.case + rooms.other) % 40 == 0))
        columns = (rooms.case, rooms.other, rooms.place, rooms.begin, rooms.end, rooms.came,
                   rooms.left)  # fmt: skip
        rows |= set(zip(*(column[some].tolist() for column in columns), strict=True))
    assert len(rows) > 500
    assert {(b, a, at, c, d, e, f) for a, b, at, e, f, c, d in rows} == rows


def test_those_who_meet_stay_at_least_as_long_as_their_contact() -> None:
    network, venues = venues_of(
        town(TOWN | {"presence.visits": "50", "presence.visit_minutes": "4"})
    )
    cases, checked = np.arange(0, PEOPLE, 40), 0
    for rooms in venues.rooms(cases, np.array([FRIDAY])):
        together = np.minimum(rooms.end, rooms.left) - np.maximum(rooms.begin, rooms.came)
        longest: dict[tuple[int, int], int] = {}
        columns = (rooms.case.tolist(), rooms.other.tolist(), together.tolist())
        for case, other, time in zip(*columns, strict=True):
            longest[case, other] = max(longest.get((case, other), 0), time)
        met = network.contacts(cases, FRIDAY, [rooms.layer])
        found = network.intensity(rooms.layer, cases[met.of], met.other, FRIDAY)
        minutes = found * venues._minutes[rooms.layer]
        contacts = zip(cases[met.of].tolist(), met.other.tolist(), minutes.tolist(), strict=True)
        for case, other, needed in contacts:
            if needed >= 1 and case in cases:
                checked += 1
                assert longest[case, other] >= needed
    assert checked > 300


def test_what_is_warned_of_is_what_phones_publish() -> None:
    chance = np.random.default_rng(3)
    begin = chance.integers(0, 60, 1_000)
    end = begin + chance.integers(0, 200, 1_000)
    first, last = warned_minutes(begin, end)
    for row in range(len(begin)):
        time = WarnedTime.of_stay(60.0 * begin[row], 60.0 * end[row])
        wanted = (0, 0) if time is None else (time.start_s // 60, time.end_s // 60)
        assert (first[row], last[row]) == wanted
    came, left = np.array([0, 31, 49]), np.array([9, 60, 90])
    said = overlaps(np.array([0, 40, 50]), np.array([50, 50, 59]), came, left)
    assert said.tolist() == [False, True, False]
    assert [part.tolist() for part in heard_minutes(np.array([16]), np.array([31]))] == [[15], [45]]


def test_presence_off_leaves_the_digest_and_counts_nothing() -> None:
    plain = played(TOWN)
    assert plain.presence == PresenceCosts()
    for off in ({"presence.posters_halls": "0.5"}, {"presence.tested": "1"}):
        assert played(TOWN | off).digest == plain.digest
    nobody = CHECK_IN | {"app.adoption": "0"}
    assert played(nobody).digest == played(TOWN | {"app.adoption": "0"}).digest


def test_presence_does_not_depend_on_how_people_are_divided() -> None:
    both = CHECK_IN | DEVICES
    whole, parts = played(both), played(both, (0, 1_177, 2_100, PEOPLE))
    assert min(whole.presence.pairs_warned_by_check_in, whole.presence.pairs_warned_by_places) > 0
    assert parts.presence == whole.presence
    assert parts.digest == whole.digest


def test_more_check_in_finds_more() -> None:
    some, all_of = played(CHECK_IN).presence, played(EVERYBODY).presence
    assert 0 < some.contacts_by_check_in < some.contacts_at_places < some.contacts
    assert some.contacts_by_any > max(some.contacts_by_check_in, some.contacts_by_bluetooth)
    assert some.air_by_check_in / some.air < all_of.air_by_check_in / all_of.air
    assert 0 < some.pairs_warned_infected < some.pairs_warned
    assert some.pairs_warned_no_contact > 0.5 * some.pairs_warned
    # With the app, a poster and a report everywhere, check-in misses only some of those who shared
    # just 15 minutes: warned times are whole tens of minutes, and may begin later than the stay.
    assert all_of.air > all_of.air_by_check_in > 0.995 * all_of.air
    assert all_of.contacts_by_check_in > 0.99 * all_of.contacts_at_places
    assert all_of.pairs_warned > all_of.air  # the air after a case, and overlaps of 10 minutes


def test_devices_of_places_find_what_phones_noted() -> None:
    found = played(DEVICES).presence
    assert (found.air_by_check_in, found.published) == (0, 0)
    assert 0 < found.air_by_places < found.air
    assert found.stays_learned > 0
    shops = {"presence.places_halls": "0", "presence.places_vehicles": "0"}
    few = played(DEVICES | shops).presence
    assert 0 < few.pairs_warned / few.reports < 0.5 * found.pairs_warned / found.reports


def test_who_is_warned_takes_tests_and_stays_at_home() -> None:
    found = played(CHECK_IN | {"presence.stay_home": "0.5"})
    counts = found.presence
    assert 0 < counts.positives_of_warned < counts.tests_of_warned < counts.alerted
    assert counts.warned_home_days_not > counts.warned_home_days_infected > 0
    assert found.costs.quarantine_days_not > counts.warned_home_days_not
    assert found.costs.tests > counts.tests_of_warned
    none = played(CHECK_IN | {"presence.tested": "0", "presence.stay_home": "0"}).presence
    assert (none.tests_of_warned, none.warned_home_days_not) == (0, 0)
    assert none.alerted > 0


def test_phones_note_a_device_as_often_as_in_crowds() -> None:
    assert heard_by_a_phone(CITY, 0.8) ** 2 == pytest.approx(0.13)
    assert heard_by_a_phone(CITY, 0.55) ** 2 == pytest.approx(0.36)
    assert heard_by_a_phone(NEIGHBOURHOOD, 0.05) == 1


def test_devices_need_bluetrace() -> None:
    with pytest.raises(
        ScenarioError, match=r"presence\.places_halls needs app\.protocol = bluetrace"
    ):
        town({"presence.places_halls": "1", "app.protocol": "gaen"})


def test_the_command_says_what_was_found() -> None:
    words = " ".join(_presence_shown(played(CHECK_IN).presence.to_json()))
    assert "cases reported visits. For each, " in words
    assert "places 0%, all together" in words
    assert _presence_shown(PresenceCosts().to_json()) == []
