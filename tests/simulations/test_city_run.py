"""Runs of a city: reproducible, and in agreement with theory."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from simulations.city.calibration import attempt_scale
from simulations.city.city_statistics import (
    household_attack,
    offspring_of_first,
    validate_city,
)
from simulations.city.disease import Disease, generation_shares
from simulations.city.hashes import hashed, key_of
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.people import NEVER, NOBODY, People
from simulations.city.results import peak_day
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.city.shard import first_cases
from simulations.city.transmission import PoissonTable

LONELY = {f"contacts.{layer}.number": "0" for layer in ("school", "workplace", "neighbourhood")}
MIXED = {
    **LONELY,
    **{f"people.{role}": "0" for role in ("pupils", "students", "workers", "riders")},
    **{f"people.households.size_{size}": "0" for size in range(2, 9)},
    "people.households.size_1": "1",
    "contacts.city.number": "10",
    "contacts.city.spread": "0",
    "disease.start_cases": "100",
    "disease.spread": "0",
}
"""A city of people who meet ten others at random each day, and nobody else."""


def mixed_city(reproduction: float, count: int, days: int) -> CityScenario:
    settings = {"people.count": str(count), "days": str(days)}
    return load_city(
        "test-town", MIXED | settings | {"disease.reproduction_number": str(reproduction)}
    )


def test_the_digest_depends_on_the_seed_alone() -> None:
    town = load_city("test-town", {"days": "40"})
    scale = attempt_scale(town)
    played = run_city(town, seed=1, scale=scale)
    assert played.digest == run_city(town, seed=1, scale=scale, chunk=777).digest
    assert played.digest != run_city(town, seed=2, scale=scale).digest
    assert attempt_scale(town) == scale


@pytest.mark.parametrize("reproduction", [1.7, 2.5, 3.4])
def test_the_final_size_is_that_of_theory(reproduction: float) -> None:
    """A homogeneous city ends where 1 - z = (1 - z0) exp(-R z), whatever the generation time."""
    sizes = [
        run_city(mixed_city(reproduction, 20_000, 250), seed=seed).new_infections.sum() / 20_000
        for seed in (1, 2)
    ]
    theory = brentq(lambda z: 1 - z - 0.995 * np.exp(-reproduction * z), 0.01, 1)
    assert np.mean(sizes) == pytest.approx(theory, abs=0.015)


def test_everybody_caught_it_from_a_contact_on_that_day() -> None:
    town = load_city("test-town", {"people.count": "2000", "days": "30"})
    people = run_city(town, seed=1).people
    network = Network(town, 1)
    caught = np.flatnonzero(people.source >= 0)
    assert len(caught) > 100
    for person in caught[:200].tolist():
        day, source = int(people.infected_on[person]), int(people.source[person])
        met = network.contacts(np.array([person]), day, [int(people.layer[person])])
        assert source in met.other
        assert 1 <= day - int(people.infected_on[source]) <= 14


def test_without_infectiousness_only_the_first_cases_are_infected() -> None:
    played = run_city(load_city("test-town", {"reproduction_number": "0"}), seed=1)
    assert played.new_infections.tolist() == [20] + [0] * 59
    assert (played.people.source == NOBODY).all()


def test_first_cases_are_different_people() -> None:
    town = load_city("test-town", {"people.count": "60", "disease.start_cases": "60"})
    assert first_cases(town, 1).tolist() == list(range(60))


def test_the_generation_time_has_its_mean_and_spread() -> None:
    shares, days = generation_shares(load_city("test-town").disease), np.arange(1, 15)
    mean = shares @ days
    assert mean == pytest.approx(5.5, abs=0.1)
    assert (shares @ (days - mean) ** 2) ** 0.5 == pytest.approx(2.1, abs=0.1)


def test_poisson_numbers_have_their_distribution() -> None:
    table = PoissonTable()
    for mean in (0.0, 0.37, 5.21, 16.0, 43.3):
        hashes = hashed(key_of(1, "poisson", str(mean)), np.arange(50_000))
        numbers = table.numbers(np.full(50_000, mean), hashes)
        counts = np.bincount(numbers)
        shares = stats.poisson(mean).pmf(np.arange(len(counts)))
        often = shares * 50_000 > 20
        wanted = np.append(shares[often], 1 - shares[often].sum()) * 50_000
        found = np.append(counts[often], counts[~often].sum())
        assert mean == 0 or stats.chisquare(found, wanted / wanted.sum() * 50_000).pvalue > 1e-3
        assert abs(numbers.mean() - mean) <= 4.5 * (mean / 50_000) ** 0.5


def test_infectiousness_and_symptoms_follow_the_keys() -> None:
    town = load_city("test-town")
    disease, people = Disease(town.disease, Network(town, 1), 1), np.arange(10_000)
    loud = ~disease.is_silent(people)
    factor = disease.infectiousness(people[loud]) / 1024
    assert factor.mean() == pytest.approx(1, abs=0.06)
    assert factor.std() == pytest.approx(1.5, abs=0.15)
    old = disease.decade(people) >= 6
    assert loud[old].mean() == pytest.approx(0.8, abs=0.03)
    assert np.median(disease.incubation_days(people)) == 5
    assert (disease.is_severe(people) | ~disease.is_deadly(people)).all()
    assert disease.is_severe(people[old]).mean() == pytest.approx(0.14, abs=0.03)


def test_a_stay_at_home_is_extended_and_counted_once() -> None:
    people = People(10)
    assert people.keep_home(np.array([3, 3, 5]), 4, np.array([8, 10, 6])).tolist() == [6, 2]
    assert people.keep_home(np.array([3]), 6, np.array([12])).tolist() == [2]
    assert people.keep_home(np.array([5]), 9, np.array([9])).tolist() == [0]
    everyone = np.arange(10)
    assert np.flatnonzero(people.is_away(everyone, 11)).tolist() == [3]
    assert np.flatnonzero(people.is_away(everyone, 5)).tolist() == [3, 5]
    assert people.keep_home(np.array([3]), 20, np.array([22])).tolist() == [2]
    assert people.was_away(np.array([3]), np.array([5])).tolist() == [True]
    assert people.was_away(np.array([3]), np.array([15])).tolist() == [False]
    assert people.infected_on[3] == NEVER


def test_every_day_at_home_of_the_look_back_is_remembered() -> None:
    rng = np.random.default_rng(5)
    people, everyone = People(40), np.arange(40)
    truth = np.zeros((40, 200), bool)
    for today in range(120):
        some = rng.integers(0, 40, 6)  # about 18 orders for each person, and some people twice
        until = today + rng.integers(0, 12, 6)
        people.keep_home(some, today, until)
        for person, end in zip(some.tolist(), until.tolist(), strict=True):
            truth[person, today:end] = True
        for day in range(max(0, today - 21), today):
            assert (people.was_away(everyone, day) == truth[:, day]).all()
        assert (people.is_away(everyone, today) == truth[:, today]).all()
    days = rng.integers(99, 120, 40)
    assert (people.was_away(everyone, days) == truth[everyone, days]).all()
    starts = (np.diff(truth[:, :120].astype(int), axis=1, prepend=0) > 0).sum(axis=1)
    assert starts.min() > 2  # more stays than the last two


def test_the_peak_is_the_middle_of_the_worst_week() -> None:
    assert peak_day(np.array([0, 1, 2, 9, 2, 1, 0, 0, 0])) == 3
    assert peak_day(np.array([5])) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seeds"), [("small-town", 2), ("test-town", 1)])
def test_a_town_agrees_with_theory_and_publications(name: str, seeds: int) -> None:
    rows = validate_city(load_city(name), seeds=seeds)
    assert [row.statistic for row in rows if not row.ok] == []


def test_household_attack_counts_those_infected_at_home() -> None:
    town = load_city("test-town", {"people.count": "3000", "days": "16"})
    played = run_city(town, seed=4)
    share = household_attack(played)
    assert 0 < share < 1
    offspring = offspring_of_first(played)
    assert len(offspring) == 20
    assert offspring.sum() <= (played.people.source >= 0).sum()
    none = load_city("test-town", {"people.count": "3000", "reproduction_number": "0"})
    assert household_attack(run_city(none, seed=4)) == 0
