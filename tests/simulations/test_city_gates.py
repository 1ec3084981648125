"""Gates of a city: whom they keep out, whom tracing then does not find, and what they learn."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simulations.city.detection import detection_table
from simulations.city.gates import Gates
from simulations.city.keys import CITY, HOUSEHOLD, NEIGHBOURHOOD, TRANSPORT, CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import open_shares_with
from simulations.city.people import People
from simulations.city.results import summary
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.city.tracing import CityTracing, Named
from simulations.studies.gate_policies import entropy_bits
from tracetogether.units import Ints

SEED = 4
SCALE = 2.5e-4  # about what ``attempt_scale`` returns for this town
PEOPLE = 3_000
TOWN = {
    "people.count": str(PEOPLE),
    "days": "36",
    "tests.share": "0.8",
    "app.adoption": "0.8",
    "quarantine.compliance": "0.3",
}
STRICT = TOWN | {
    "gates.venues": "1",
    "gates.transport": "1",
    "gates.policy": "strict-2020",
}


def town(settings: dict[str, str]) -> CityScenario:
    return load_city("test-town", settings)


@cache
def _played(settings: tuple[tuple[str, str], ...], bounds: tuple[int, ...]) -> CityRun:
    return run_city(town(dict(settings)), seed=SEED, scale=SCALE, bounds=bounds)


def played(settings: dict[str, str], bounds: tuple[int, ...] = (0, PEOPLE)) -> CityRun:
    return _played(tuple(sorted(settings.items())), bounds)


def at_large(run: CityRun) -> Ints:
    """Return (days,) how many people were not at home."""
    names = ("home_isolated", "home_infected", "home_not")
    return np.asarray(PEOPLE - sum(run.daily[name] for name in names))


def gates_with(stays: dict[int, int], settings: dict[str, str] = STRICT) -> Gates:
    """Return gates that keep people out from day 3 on, each for some days."""
    gates = Gates(town(settings), People(PEOPLE), slice(0, PEOPLE), SEED)
    for person, days in stays.items():
        gates._stays.keep_home(np.array([person]), 3, np.array([3 + days]))
    return gates


def test_gates_off_leave_the_digest_and_count_nothing() -> None:
    plain = played(TOWN)
    for off in (
        {"gates.policy": "strict-2020"},
        {"gates.policy": "strict-2020", "gates.venues": "1", "gates.shown": "0"},
    ):
        run = played(TOWN | off)
        assert run.digest == plain.digest
        assert set(run.gates.to_json().values()) == {0}
        assert (run.lessons.showings, run.lessons.bits) == (0, 0)


def test_a_strict_policy_keeps_more_people_out_and_averts_more() -> None:
    advice, strict = played(STRICT | {"gates.policy": "advice"}), played(STRICT)
    assert strict.new_infections.sum() < advice.new_infections.sum()
    assert advice.gates.kept_out_contacts == 0 < strict.gates.kept_out_contacts
    assert advice.gates.kept_out_days_not == 0 < strict.gates.kept_out_days_not
    assert 0 < advice.gates.kept_out_cases == advice.costs.positives
    assert strict.gates.kept_out_contacts > strict.gates.kept_out_contacts_infected > 0
    assert strict.gates.kept_out_contacts > strict.gates.kept_out_contacts_falsely > 0


def test_the_days_kept_out_are_those_of_the_people() -> None:
    run = played(STRICT)
    counts = run.gates
    days = counts.kept_out_days_cases + counts.kept_out_days_infected + counts.kept_out_days_not
    assert run.daily["kept_out"].sum() == days
    assert counts.kept_out_days_not > counts.kept_out_days_infected > 0
    assert (run.daily["kept_out_at_large"] <= run.daily["kept_out"]).all()
    assert run.daily["kept_out_at_large"].sum() > 0


def test_gates_do_not_depend_on_how_people_are_divided() -> None:
    whole, parts = played(STRICT), played(STRICT, (0, 1_177, 2_100, PEOPLE))
    assert parts.digest == whole.digest
    assert parts.gates == whole.gates
    assert (parts.daily["kept_out"] == whole.daily["kept_out"]).all()


def test_a_gate_stops_who_has_no_pass_in_public_places_while_it_lasts() -> None:
    gates = gates_with({7: 4})
    who, other = np.array([7, 8]), np.array([8, 7])
    for layer in (NEIGHBOURHOOD, CITY, TRANSPORT):
        assert gates.stop(who, other, layer, 5).tolist() == [True, False]
    assert not gates.stop(who, other, HOUSEHOLD, 5).any()
    assert not gates.stop(who, other, -1, 5).any()
    for day, stopped in ((2, False), (3, True), (6, True), (7, False)):
        assert gates.stop(who, other, CITY, day)[0] == stopped


def test_a_gate_stops_the_share_of_contacts_that_the_keys_say() -> None:
    some = {"gates.venues": "0.5", "gates.shown": "0.4", "gates.transport": "0"}
    gates = gates_with(dict.fromkeys(range(1_000), 9), STRICT | some)
    who, other = np.arange(1_000), np.arange(1_000, 2_000)
    for layer in (NEIGHBOURHOOD, CITY):
        stopped = [gates.stop(who, other, layer, day).mean() for day in range(3, 12)]
        assert np.mean(stopped) == pytest.approx(0.2, abs=0.02)
    assert not gates.stop(who, other, TRANSPORT, 4).any()


def test_both_sides_of_a_contact_agree_whether_it_is_behind_a_gate() -> None:
    gates = gates_with(dict.fromkeys(range(2_000), 9), STRICT | {"gates.venues": "0.5"})
    who, other = np.arange(1_000), np.arange(1_000, 2_000)
    here, there = gates.stop(who, other, CITY, 5), gates.stop(other, who, CITY, 5)
    assert (here == there).all()
    assert 0 < here.sum() < 1_000


def test_tracing_does_not_find_contacts_that_a_gate_prevented() -> None:
    """Neither the log of a case who was kept out holds them, nor do others' logs."""
    scenario = town(STRICT | {"app.adoption": "1", "app.false_listings": "0"})
    network, people = Network(scenario, SEED), People(PEOPLE)
    gates = Gates(scenario, people, slice(0, PEOPLE), SEED)
    chances = detection_table("bluetrace").drawn(SEED)
    open_shares = open_shares_with(scenario, scenario.days, ())
    tracing = CityTracing(scenario, network, people, chances, open_shares, SEED, gates)
    cases = np.arange(0, PEOPLE, 50)

    def days_in_public(named: Named) -> set[int]:
        found = named.of(~tracing.prevented(named) & ~np.isin(named.other, cases))
        public = np.isin(found.layer, [NEIGHBOURHOOD, CITY, TRANSPORT])
        return set(found.day[public].tolist())

    assert days_in_public(tracing.by_app(cases, 14)) == set(range(14))
    others = np.setdiff1d(np.arange(PEOPLE), cases)
    gates.withhold_from_cases(others, 3)
    assert days_in_public(tracing.by_app(cases, 14)) == {0, 1, 2}
    gates = Gates(scenario, people, slice(0, PEOPLE), SEED)
    gates.withhold_from_cases(cases, 9)
    tracing = CityTracing(scenario, network, people, chances, open_shares, SEED, gates)
    assert days_in_public(tracing.by_app(cases, 14)) == set(range(9))
    assert max(tracing.by_tracers(cases, 14).day.tolist()) == 13  # in class, at work, at home


def test_gates_learn_the_entropy_of_a_yes_or_no() -> None:
    assert entropy_bits(np.array([0.0, 0.5, 1.0])).tolist() == pytest.approx([0, 1, 0])
    run = played(STRICT)
    learned = run.lessons
    assert 0 < learned.refusals < learned.showings
    assert 0 < learned.bits < learned.showings
    twice = replace(run, scenario=town(STRICT | {"gates.visits": "4", "gates.transport": "0"}))
    once = replace(run, scenario=town(STRICT | {"gates.visits": "2", "gates.transport": "0"}))
    assert twice.lessons.bits == pytest.approx(2 * once.lessons.bits)
    assert once.lessons.showings == pytest.approx(2 * at_large(run).sum())


def test_figures_of_gates_are_among_those_of_a_run() -> None:
    found = summary(played(STRICT))
    assert found["kept_out_contacts"] == played(STRICT).gates.kept_out_contacts
    assert found["gate_bits"] == played(STRICT).lessons.bits


def test_riders_pass_gates_on_working_days_alone() -> None:
    only = STRICT | {"gates.venues": "0"}
    run = played(STRICT)
    network = Network(run.scenario, SEED)
    riders = (network.slots[TRANSPORT] > 0).mean()
    working = np.arange(36) % 7 < 5
    expected = 2 * riders * at_large(run)[working].sum()
    assert replace(run, scenario=town(only)).lessons.showings == pytest.approx(expected)
