"""Measures of a city: each has an effect in its direction, and none when it is off."""

from functools import cache

import numpy as np
import pytest

from simulations.city.calibration import attempt_scale
from simulations.city.detection import (
    BANDS,
    SETTINGS,
    SYSTEMS,
    TABLES,
    DetectionChances,
    band_of,
    detection_table,
    read_table,
)
from simulations.city.effects import effect_on
from simulations.city.hashes import ONE, chances
from simulations.city.keys import HOUSEHOLD, LAYERS, NEIGHBOURHOOD, CityScenario
from simulations.city.measure_keys import FOREVER
from simulations.city.network import Network
from simulations.city.own_measures import open_shares_with
from simulations.city.people import People
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import city_keys, load_city
from simulations.city.tracing import CityTracing, adoption_by_decade

TESTED = {"isolation.compliance": "0.5", "tests.share": "0.8", "days": "50"}
"""A town where people with symptoms are tested, which all tracing needs."""
TRACED = TESTED | {"app.adoption": "0.8"}
CALLED = TESTED | {"tracers.cases_per_100k": "500"}
GATED = TRACED | {"gates.venues": "1", "gates.policy": "strict-2020"}
GATED |= {"quarantine.compliance": "0.1"}  # most contacts go out, unless a gate keeps them out
CHECKED_IN = TRACED | {"presence.check_in": "0.9", "presence.tested": "0.9"}
PLACED = TRACED | {"presence.places_shops": "1", "presence.tested": "0.9"}
PLACED |= {"presence.places_halls": "1", "presence.places_vehicles": "1"}
HOME = TESTED | {"household_quarantine.compliance": "0.9"}
SEED = 2


def town(settings: dict[str, str]) -> CityScenario:
    return load_city("test-town", {"people.count": "6000"} | settings)


@cache
def scale() -> float:
    return attempt_scale(town({}))


@cache
def _played(settings: tuple[tuple[str, str], ...]) -> CityRun:
    return run_city(town(dict(settings)), seed=SEED, scale=scale())


def played(settings: dict[str, str]) -> CityRun:
    return _played(tuple(sorted(settings.items())))


def infections(settings: dict[str, str]) -> int:
    return int(played(settings).new_infections.sum())


OFF = {
    "isolation": ({"days": "50"}, {"isolation.compliance": "0.5"}),
    "tests": ({"days": "50", "isolation.compliance": "0.5"}, {"tests.share": "0.8"}),
    "household_quarantine": (TESTED, {"household_quarantine.compliance": "0.9"}),
    "app": (TESTED, {"app.adoption": "0.8"}),
    "tracers": (TESTED, {"tracers.cases_per_100k": "500"}),
    "closures": (TESTED, {"closures.work": "0.9"}),
    "masks": (TESTED, {"masks.wearing": "0.9"}),
    "gates": (TRACED, {"gates.venues": "1", "gates.policy": "strict-2020"}),
    "presence": (TRACED, {"presence.check_in": "0.9"}),
}
"""Measure -> the town without it, and what switches it on."""


@pytest.mark.parametrize("measure", OFF)
def test_a_measure_changes_the_town_in_its_direction(measure: str) -> None:
    before, on = OFF[measure]
    with_it = played(before | on)
    assert infections(before | on) < infections(before)
    assert with_it.digest != played(before).digest


@pytest.mark.slow
@pytest.mark.parametrize("measure", OFF)
@pytest.mark.parametrize("off", [{"start_day": str(FOREVER)}, {"end_day": "0"}])
def test_a_measure_that_is_off_changes_nothing(measure: str, off: dict[str, str]) -> None:
    before, on = OFF[measure]
    days = {f"{measure}.{key}": value for key, value in off.items()}
    assert played(before | on | days).digest == played(before).digest


def test_a_town_with_all_measures_off_is_the_town_without_them() -> None:
    on = {key: value for _, switch in OFF.values() for key, value in switch.items()}
    later = {f"{measure}.start_day": str(FOREVER) for measure in OFF}
    over = {f"{measure}.end_day": "0" for measure in OFF}
    plain = played({"days": "50"}).digest
    assert played(on | later | {"days": "50"}).digest == plain
    assert played(on | over | {"days": "50"}).digest == plain


FEWER = {
    "compliance of contacts": (TRACED, {"quarantine.compliance": "0.1"}),
    "no consent": (TRACED, {"app.consent": "0.2"}),
    "a slow PIN": (TRACED, {"app.pin_delay_days": "7"}),
    "a short look-back": (TRACED, {"app.look_back_days": "1"}),
    "a short quarantine": (TRACED, {"app.quarantine_days": "4"}),
    "slow tests": (TRACED, {"tests.delay_days": "8"}),
    "few tests": (TRACED, {"tests.daily_per_100k": "30"}),
    "few tracers": (CALLED, {"tracers.cases_per_100k": "20"}),
    "slow tracers": (CALLED, {"tracers.delay_days": "9"}),
    "tracers who look back a day": (CALLED, {"tracers.look_back_days": "1"}),
    "cases who name nobody of home": (CALLED, {"tracers.recall_home": "0"}),
    "cases who name no friend": (CALLED, {"tracers.recall_known": "0"}),
    "cases who name no face": (CALLED, {"tracers.recall_seen": "0"}),
    "only long contacts": (CALLED, {"tracers.least_minutes": "300"}),
    "short tracing quarantine": (CALLED, {"tracers.quarantine_days": "3"}),
    "short isolation": (TESTED, {"isolation.days": "2"}),
    "short home quarantine": (HOME, {"household_quarantine.days": "2"}),
    "masks that do little": (
        TESTED | {"masks.wearing": "0.9", "masks.efficacy": "0.5"},
        {"masks.efficacy": "0.02"},
    ),
    "adoption": (TRACED, {"app.adoption": "0.2"}),
    "alarms that wear out": (TRACED, {"quarantine.lost_per_false_alarm": "0.9"}),
    "gates that let most people in": (GATED, {"gates.shown": "0.1"}),
    "gates at few places": (GATED, {"gates.venues": "0.1"}),
    "gates that advise contacts alone": (GATED, {"gates.policy": "advice"}),
    "few who check in": (CHECKED_IN, {"presence.check_in": "0.2"}),
    "slow warnings": (CHECKED_IN, {"presence.delay_days": "9"}),
    "few tests of those warned": (CHECKED_IN, {"presence.tested": "0.1"}),
    "late tests of those warned": (CHECKED_IN, {"presence.test_from_day": "12"}),
    "few visits": (CHECKED_IN, {"presence.visits": "0.2"}),
    "no posters in shops": (CHECKED_IN, {"presence.posters_shops": "0"}),
    "no posters in halls": (CHECKED_IN, {"presence.posters_halls": "0"}),
    "no posters in vehicles": (CHECKED_IN, {"presence.posters_vehicles": "0"}),
    "no devices": (PLACED, dict.fromkeys((key for key in PLACED if "places" in key), "0")),
    "people who stay": (CHECKED_IN | {"presence.stay_home": "0.9"}, {"presence.stay_home": "0"}),
    "a short stay": (
        CHECKED_IN | {"presence.stay_home": "0.9", "presence.tested": "0"},
        {"presence.home_days": "1"},
    ),
    "no gates in transport": (GATED | {"gates.transport": "1"}, {"gates.transport": "0"}),
}
"""A key's change -> the town before it, and a setting with more infections."""


@pytest.mark.slow
@pytest.mark.parametrize("change", FEWER)
def test_a_weaker_measure_averts_less(change: str) -> None:
    before, weaker = FEWER[change]
    assert infections(before | weaker) > infections(before)


CHANGED = {
    "app.young_weight": "2",
    "app.old_weight": "3",
    "app.ios": "0.9",
    "app.protocol": "gaen",
    "app.second_degree": "true",
    "app.false_listings": "0",
    "app.hours_home": "2",
    "app.hours_school": "1",
    "app.hours_work": "1",
    "app.hours_transport": "9",
    "app.hours_city": "9",
    "tracers.recall_strangers": "0.9",
    "presence.visit_minutes": "120",
    "presence.ride_minutes": "90",
}


@pytest.mark.slow
@pytest.mark.parametrize("key", CHANGED)
def test_every_other_key_changes_the_town(key: str) -> None:
    before = {"tracers": CALLED, "presence": CHECKED_IN}.get(key.partition(".")[0], TRACED)
    assert played(before | {key: CHANGED[key]}).digest != played(before).digest


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["school", "work", "transport", "neighbourhood", "city"])
def test_every_closure_lowers_infections_of_its_layer(layer: str) -> None:
    of = {"school": ("classroom", "school"), "work": ("team", "workplace")}.get(layer, (layer,))
    closed = played(TESTED | {f"closures.{layer}": "1"}).people.layer
    numbers = [LAYERS.index(name) for name in of]
    assert np.isin(played(TESTED).people.layer, numbers).any()
    assert not np.isin(closed, numbers).any()


def test_every_key_of_a_measure_is_tried_here() -> None:
    tables = ("isolation.", "tests.", "quarantine.", "household_quarantine.", "app.")
    tables += ("tracers.", "closures.", "masks.", "gates.", "presence.")
    keys = {key.name for key in city_keys() if key.name.startswith(tables)}
    tried = {f"closures.{layer}" for layer in ("school", "transport", "neighbourhood", "city")}
    tried |= {*CHANGED, "gates.visits"}  # which only says how much gates learn
    for measure, (before, on) in OFF.items():
        tried |= {f"{measure}.start_day", f"{measure}.end_day", *before, *on}
    for before, weaker in FEWER.values():
        tried |= {*before, *weaker}
    assert keys - tried == set()


def test_costs_are_counted() -> None:
    costs = played(TRACED).costs
    assert costs.tests >= costs.positives > costs.uploads > 0
    assert costs.warned > costs.warned_falsely > 0
    assert costs.calls == costs.warned  # tracers call everybody on the lists
    assert costs.learned_person_contacts > costs.warned
    assert costs.quarantine_days_not > costs.quarantine_days_infected > 0
    assert played(TESTED).costs.learned_person_contacts == 0
    silent = played(TRACED | {"app.protocol": "gaen"}).costs
    assert (silent.calls, silent.learned_person_contacts) == (0, 0)
    called = played(CALLED).costs
    assert called.calls > called.interviews > 0


def test_isolation_days_are_those_of_the_people() -> None:
    one = town({"days": "50", "isolation.compliance": "0.5"})
    run = run_city(one, seed=SEED, scale=scale())
    stays = np.maximum(run.people.away_until.astype(int) - run.people.away_from, 0)
    assert run.costs.isolation_days == stays[run.people.away_until >= 0].sum()


def test_results_do_not_depend_on_the_order_of_work() -> None:
    scenario = town(TRACED | {"tracers.cases_per_100k": "100"})
    whole = run_city(scenario, seed=SEED, scale=scale())
    assert run_city(scenario, seed=SEED, scale=scale(), chunk=501).digest == whole.digest


def detection(listed: float, false_per_hour: float) -> DetectionChances:
    shape = (len(LAYERS), len(SYSTEMS), len(BANDS))
    everything = chances(np.full(shape, listed))
    return DetectionChances(everything, everything, np.full(len(SETTINGS), false_per_hour))


def test_nobody_is_named_without_a_contact_unless_listed_falsely() -> None:
    scenario = town(TRACED | {"app.adoption": "1"})
    network, people = Network(scenario, SEED), People(6_000)
    shares = open_shares_with(scenario, 50, ())
    tracing = CityTracing(scenario, network, people, detection(1.0, 0.2), shares, SEED)
    cases = np.arange(0, 6_000, 97)
    named = tracing.by_app(cases, 20)
    assert named.false.any()
    met = set()
    for day in range(6, 20):
        found = network.contacts(cases, day)
        met |= {
            (case, other, day)
            for case, other in zip(cases[found.of].tolist(), found.other.tolist(), strict=True)
        }
    true = named.of(~named.false)
    rows = list(zip(true.case.tolist(), true.other.tolist(), true.day.tolist(), strict=True))
    assert set(rows) <= met
    assert len(rows) > 0.8 * len(met)  # contacts of less than a minute are in no log


def test_contacts_at_home_are_not_named() -> None:
    scenario = town(TRACED | {"app.adoption": "1"})
    network, people = Network(scenario, SEED), People(6_000)
    shares = open_shares_with(scenario, 50, ())
    tracing = CityTracing(scenario, network, people, detection(1.0, 0.0), shares, SEED)
    cases = np.arange(100)
    people.keep_home(np.arange(6_000), 0, np.full(6_000, 15))
    named = tracing.by_app(cases, 10)
    layers = network.contacts(cases, 5, [HOUSEHOLD]).other
    assert set(named.other.tolist()) <= set(layers.tolist())
    assert named.other.size > 0


def test_adoption_has_its_mean_whatever_the_weights() -> None:
    for adoption in (0.1, 0.5, 0.9, 1.0):
        scenario = town({"app.adoption": str(adoption), "app.old_weight": "2"})
        network = Network(scenario, SEED)
        share = adoption_by_decade(scenario, network)
        people = np.bincount(np.minimum(network.tables.age // 10, 8), minlength=9)
        assert share @ people / people.sum() == pytest.approx(adoption, abs=1e-6)
        assert share.max() <= 1


def test_closures_and_masks_leave_what_they_say() -> None:
    scenario = town(
        {"closures.neighbourhood": "0.25", "closures.start_day": "3", "masks.wearing": "0.5"}
        | {"masks.efficacy": "0.4", "masks.end_day": "9"}
    )
    assert effect_on(scenario, 2).open_share.tolist() == [ONE] * len(LAYERS)
    assert effect_on(scenario, 3).open_share[NEIGHBOURHOOD] == 0.75 * ONE
    hazard = effect_on(scenario, 3).hazard_share / ONE
    assert hazard[HOUSEHOLD] == 1
    assert hazard[NEIGHBOURHOOD] == pytest.approx(0.64)
    assert (effect_on(scenario, 9).hazard_share == ONE).all()
    network, people = Network(scenario, 1), np.arange(6_000)
    met = network.contacts(people, 4, [NEIGHBOURHOOD])
    left = network.intensity(NEIGHBOURHOOD, people[met.of], met.other, 4, 3 * ONE // 4)
    assert (left > 0).mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("protocol", sorted(set(TABLES.values())))
def test_the_shipped_tables_say_how_they_were_made(protocol: str) -> None:
    table = detection_table(protocol)
    assert table.protocol == protocol
    assert {row["setting"] for row in table.shares} == set(SETTINGS)
    assert {run["setting"] for run in table.manifest["runs"]} == set(SETTINGS)
    assert all(len(run["digest"]) == 64 for run in table.manifest["runs"])
    for row in table.shares:
        if row["pairs"]:
            assert 0 <= row["listed"] <= row["kept"] <= 1
    drawn = table.drawn(1)
    assert (drawn.listed <= drawn.kept).all()
    assert drawn.listed.max() > drawn.listed.min()
    assert (table.drawn(2).listed != drawn.listed).any()
    assert (table.drawn(1).listed == drawn.listed).all()


def test_a_band_without_pairs_takes_the_nearest_one() -> None:
    text = """{"protocol": "bluetrace", "digest": "d", "manifest": {}, "false": [
      {"setting": "home", "hours": 10, "per_hour": 0.5, "size_hours": 10},
      {"setting": "school", "hours": 0}, {"setting": "work", "hours": 0},
      {"setting": "transport", "hours": 0}, {"setting": "city", "hours": 0}], "shares": [
      {"setting": "home", "systems": "ios-ios", "from_minutes": 15.0, "pairs": 90, "listed": 0.5,
       "listed_size": 1e6, "kept": 0.75, "kept_size": 1e6}]}"""
    drawn = read_table(text).drawn(3)
    assert drawn.listed[HOUSEHOLD, 2] / ONE == pytest.approx([0.5] * len(BANDS), abs=0.01)
    assert drawn.kept[HOUSEHOLD, 2] / ONE == pytest.approx([0.75] * len(BANDS), abs=0.01)
    assert drawn.listed[HOUSEHOLD, 0].tolist() == [0] * len(BANDS)
    assert drawn.false_per_hour[0] == pytest.approx(0.5, abs=0.5)
    assert drawn.false_per_hour[1:].tolist() == [0, 0, 0, 0]


def test_bands_of_minutes() -> None:
    assert band_of(np.array([0.5, 1, 14.9, 15, 500])).tolist() == [-1, 0, 1, 2, 4]
