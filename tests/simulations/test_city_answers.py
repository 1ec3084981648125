"""What a run says: generations, R, offspring, severe cases, and people at home by day."""

import numpy as np
import pytest

from simulations.city.outbreak import Outbreak, dispersion, most_infectious_share
from simulations.city.people import NOBODY
from simulations.city.results import findings, infections_by_layer
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city

MEASURED = {
    "people.count": "4000",
    "days": "45",
    "tests.share": "0.8",
    "isolation.compliance": "0.6",
    "app.adoption": "0.7",
    "household_quarantine.compliance": "0.5",
    "tracers.cases_per_100k": "100",
}


@pytest.fixture(scope="module")
def played() -> CityRun:
    return run_city(load_city("test-town", MEASURED), seed=1)


@pytest.fixture(scope="module")
def outbreak(played: CityRun) -> Outbreak:
    return Outbreak.of(played)


def test_everybody_infected_is_a_row_with_its_source(played: CityRun, outbreak: Outbreak) -> None:
    people = played.people
    assert len(outbreak.person) == played.new_infections.sum()
    assert (np.diff(outbreak.day) >= 0).all()
    caught = np.flatnonzero(outbreak.source >= 0)
    source = outbreak.source[caught]
    assert (outbreak.person[source] == people.source[outbreak.person[caught]]).all()
    assert (outbreak.generation[caught] == outbreak.generation[source] + 1).all()
    first = np.flatnonzero(outbreak.source < 0)
    assert (people.source[outbreak.person[first]] == NOBODY).all()
    assert (outbreak.generation[first] == 0).all()
    for row in caught[:50].tolist():
        assert outbreak.offspring[row] == (people.source == outbreak.person[row]).sum()


def test_r_by_day_and_by_generation_count_the_same_people(outbreak: Outbreak) -> None:
    new = outbreak.played.new_infections
    r = outbreak.r_of_cases()
    whole = outbreak.last_whole_day + 1
    assert np.isnan(r[whole:]).all()
    caused = np.nansum(r[:whole] * new[:whole])
    cases, infected = outbreak.generations()
    assert infected.sum() == pytest.approx(caused)
    assert cases.sum() == new[:whole].sum()
    assert infected[0] == cases[1] or outbreak.day[outbreak.generation == 1].max() >= whole


def test_the_instantaneous_r_of_steady_growth_is_what_makes_it(played: CityRun) -> None:
    """With as many infections on each day, each infection causes one other."""
    steady = Outbreak.of(played)
    steady.played.new_infections.setflags(write=True)
    kept = steady.played.new_infections.copy()
    steady.played.new_infections[:] = 70
    r = steady.r_instant()
    steady.played.new_infections[:] = kept
    assert np.isnan(r[0])
    assert r[14:] == pytest.approx(1)


def test_dispersion_finds_the_k_of_negative_binomial_numbers() -> None:
    random = np.random.default_rng(2)
    numbers = random.negative_binomial(0.4, 0.4 / (0.4 + 2.5), 20_000)
    assert dispersion(np.bincount(numbers)) == pytest.approx(0.4, rel=0.05)
    assert dispersion(np.bincount(random.poisson(2.5, 1_000) * 0 + 2)) is None
    assert dispersion(np.array([7])) is None


def test_the_share_that_infects_most() -> None:
    assert most_infectious_share(np.array([80, 0, 0, 0, 0, 20])) == pytest.approx(0.16)
    assert most_infectious_share(np.array([0, 10])) == pytest.approx(0.8)
    assert most_infectious_share(np.array([10])) is None


def test_severe_cases_and_deaths_are_those_of_the_ages(outbreak: Outbreak) -> None:
    ages = outbreak.by_age()
    played = outbreak.played
    assert sum(row["people"] for row in ages) == 4_000
    assert sum(row["infections"] for row in ages) == len(outbreak.person)
    assert all(row["deaths"] <= row["severe"] <= row["infections"] for row in ages)
    infected = outbreak.person.astype(np.int64)
    assert sum(row["severe"] for row in ages) == played.disease.is_severe(infected).sum() > 0
    assert sum(row["deaths"] for row in ages) == played.disease.is_deadly(infected).sum()


def test_people_at_home_on_each_day_are_the_days_that_were_counted(played: CityRun) -> None:
    found = findings(played)
    curves = found["curves"]
    for column, figure in (
        ("home_isolated", "isolation_days"),
        ("home_infected", "quarantine_days_infected"),
        ("home_not", "quarantine_days_not"),
        ("tests", "tests"),
        ("uploads", "uploads"),
        ("calls", "calls"),
        ("learned_person_contacts", "learned_person_contacts"),
    ):
        assert sum(curves[column]) == found[figure] > 0, column
    at_home = played.people.is_away(np.arange(4_000), 44).sum()
    assert at_home == sum(curves[f"home_{who}"][44] for who in ("isolated", "infected", "not"))
    assert sum(found["by_layer"].values()) + 20 == found["infections"]
    assert found["by_layer"] == infections_by_layer(played)


def test_early_cases_leave_out_the_first_ones(outbreak: Outbreak) -> None:
    cases, infected = outbreak.early()
    rows = outbreak.generation >= 2
    assert 0 < cases < rows.sum()
    total = np.cumsum(outbreak.played.new_infections)
    last = outbreak.day[np.flatnonzero(rows)[cases - 1]]
    assert total[last + 14] <= 400
    assert infected == outbreak.offspring[np.flatnonzero(rows)[:cases]].sum()
