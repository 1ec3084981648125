"""What a run says: generations, R, offspring, severe cases, and people at home by day."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from simulations.city.compare import Comparison
from simulations.city.gates import GateCosts
from simulations.city.keys import LAYERS
from simulations.city.many_runs import CityTask, findings_of
from simulations.city.outbreak import (
    Outbreak,
    dispersion,
    measured_days,
    most_infectious_share,
)
from simulations.city.people import NEVER, NOBODY
from simulations.city.results import findings, infections_by_layer, save
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.city.tracing import Named
from simulations.city.tree_table import COLUMNS, save_tree, tree_blocks, tree_columns
from tracetogether.cli.city import city

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


def test_the_tree_has_a_line_for_everybody_infected(outbreak: Outbreak, tmp_path: Path) -> None:
    tree = tree_columns(outbreak)
    people = outbreak.played.people
    assert (tree["source"] == people.source[tree["person"]]).all()
    assert (tree["day"] == people.infected_on[tree["person"]]).all()
    assert tree["infected"].sum() == (tree["source"] >= 0).sum()
    assert set(tree["layer"]) == {"", *LAYERS}
    assert (tree["layer"] == "").sum() == 20
    assert (tree["severe"] | ~tree["died"]).all()
    blocks = list(tree_blocks(outbreak, 100))
    assert len(blocks) == -(-len(tree["person"]) // 100)
    for name in COLUMNS:
        assert (np.concatenate([block[name] for block in blocks]) == tree[name]).all()
    save_tree(outbreak, tmp_path / "tree.csv")
    save_tree(outbreak, tmp_path / "tree.parquet")
    with (tmp_path / "tree.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "tree.parquet")
    for name in COLUMNS:
        assert table[name].to_pylist() == tree[name].tolist()
        texts = [f"{int(value) if value in (True, False) else value}" for value in tree[name]]
        assert [line[name] for line in lines] == texts


def test_people_who_are_named_while_infected_are_marked(played: CityRun) -> None:
    """The marks are those that everybody who was named gives, row by row."""
    rows: list[tuple[str, Named, int]] = []
    again = run_city(
        played.scenario, seed=1, watch=lambda by, named, day: rows.append((by, named, day))
    )
    people = again.people
    by_app, of_source = set(), set()
    for by, named, day in rows:
        if by != "app":
            continue
        for case, other in zip(
            named.case[named.listed].tolist(), named.other[named.listed].tolist(), strict=True
        ):
            since = int(people.infected_on[other])
            if (
                since != NEVER and day - 14 < since < day
            ):  # who catches it today is not infected yet
                by_app.add(other)
                if people.source[other] == case:
                    of_source.add(other)
    tree = tree_columns(Outbreak.of(again))
    assert set(tree["person"][tree["named_by_app"]].tolist()) == by_app
    assert set(tree["person"][tree["app_found_transmission"]].tolist()) == of_source
    assert 0 < len(of_source) < len(by_app)
    figures = findings(again)
    assert figures["infected_named_by_app"] == len(by_app)
    assert figures["transmissions_named_by_app"] == len(of_source)
    tracers = tree["named_by_tracers"]
    assert figures["infected_named_by_tracers"] == tracers.sum() > 0
    assert figures["infected_named"] == (tracers | tree["named_by_app"]).sum()


def test_shards_give_the_same_days_and_tree(played: CityRun, outbreak: Outbreak) -> None:
    parted = run_city(played.scenario, seed=1, bounds=(0, 1_111, 2_500, 4_000))
    for name, column in played.daily.items():
        assert parted.daily[name].tolist() == column.tolist(), name
    assert (Outbreak.of(parted).found == outbreak.found).all()
    assert findings(parted)["digest"] == findings(played)["digest"]


def test_a_folder_keeps_the_tree_if_asked(outbreak: Outbreak, tmp_path: Path) -> None:
    save(outbreak.played, tmp_path, outbreak, tree="parquet")
    assert (tmp_path / "tree.parquet").exists()
    save(outbreak.played, tmp_path, outbreak, tree="csv")
    assert (tmp_path / "tree.csv").exists()
    assert not (tmp_path / "tree.parquet").exists()
    done = CliRunner().invoke(city, ["run", "test-town", "--tree", "csv"])
    assert "--tree needs --out DIR" in done.output


PRICES = ("isolation_day", "quarantine_day", "test", "interview", "call", "upload")


def test_each_price_counts_in_the_cost(played: CityRun) -> None:
    counts = played.costs.to_json()
    wanted = {
        "isolation_day": counts["isolation_days"],
        "quarantine_day": counts["quarantine_days_infected"] + counts["quarantine_days_not"],
        "test": counts["tests"],
        "interview": counts["interviews"],
        "call": counts["calls"],
        "upload": counts["uploads"],
    }
    assert tuple(wanted) == PRICES
    for price, number in wanted.items():
        town = load_city("test-town", {f"prices.{price}": "2"})
        assert town.prices.cost(counts) == 2 * number > 0
    assert findings(played)["cost"] == 0


def row_of(infections: int, days: int, seed: int) -> dict[str, object]:
    """Return findings with what a comparison needs."""
    names = ("quarantine_days_infected", "isolation_days", "interviews", "calls", "uploads")
    return {
        "scenario": "test-town",
        "seed": seed,
        "people": 10_000,
        "days": 60,
        "peak_mb": 1.0,
        "infections": infections,
        "quarantine_days_not": days,
        "tests": infections,
        "severe": infections // 10,
        "deaths": infections // 100,
        "learned_person_contacts": 0,
        "cost": 0.0,
        "early": {"cases": 100, "infected": 90 + seed},
        **dict.fromkeys((*names, "gate_bits", *GateCosts().to_json()), 0),
    }


def compared(rows: list[tuple[int, int]], others: list[tuple[int, int]]) -> Comparison:
    town = load_city("test-town")
    first, second = (
        [row_of(*row, seed) for seed, row in enumerate(side, start=1)] for side in (rows, others)
    )
    return Comparison(town, town, first, second)


def test_what_an_infection_averted_costs() -> None:
    found = compared([(400, 1_210), (500, 1_190), (600, 1_200)], [(700, 0), (800, 0), (900, 0)])
    assert (found.averted.mean, found.averted.low, found.averted.high) == (300, 300, 300)
    ratio = found.per_averted("quarantine_days_not")
    assert ratio.ratio == 4
    assert 3.9 < ratio.low < 4 < ratio.high < 4.1
    said = found.details()
    assert said[1] == "It averts 30 (30 to 30) severe cases and 3 (3 to 3) deaths."
    words = "Each infection averted costs 4 days of quarantine of people who were not infected ("
    assert said[2].startswith(words)
    assert said[3] == "Each infection averted saves 1 tests (1 to 1)."
    assert "averts 300 of 800 infections, 38% (90 % interval 300 to 300, 3 seeds); it costs" in (
        found.answer("a", "b")
    )


def test_an_answer_that_may_be_chance_says_so() -> None:
    unclear = compared([(400, 50), (900, 50)], [(700, 0), (800, 0)])
    assert "so it may be chance" in unclear.answer("a", "b")
    assert unclear.per_averted("quarantine_days_not").low is None
    assert "not clearly above 0" in unclear.details()[-1]
    worse = compared([(900, 0), (905, 0)], [(700, 90), (704, 80)])
    assert (
        " adds 200 of 702 infections, 29% (90 % interval 197 to 204, 2 seeds); it saves 85 days"
        in (worse.answer("a", "b"))
    )
    assert worse.details()[-1] == "It averts no infection, so none has a cost."
    kept_out = {"kept_out_contacts": 50, "kept_out_contacts_infected": 1, "kept_out_days_not": 7}
    fell = [{**row, **kept_out} for row in worse.runs]
    assert Comparison(worse.scenario, worse.other, fell, worse.other_runs).details()[2] == (
        "Of contacts whom gates kept out, 98.0% (98.0% to 98.0%) were not infected and "
        "0.0% (0.0% to 0.0%) met no case: 7 days of people who were not infected."
    )
    single = compared([(400, 50)], [(700, 0)])
    assert "no interval with one seed" in single.answer("a", "b")
    assert json.dumps(single.details())


def test_findings_are_the_same_in_another_process(played: CityRun) -> None:
    """What a worker sends back survives JSON, so a resumed sweep equals one that never stopped."""
    town = load_city("test-town", {"people.count": "1000", "days": "16"})
    found = findings_of(CityTask(town, 1, 0.01))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_r_counts_days_on_which_all_measures_are_in_force() -> None:
    late = {"app.start_day": "12", "masks.end_day": "20", "masks.wearing": "0"}
    town = load_city("test-town", MEASURED | late | {"disease.start_cases": "5"})
    assert measured_days(town) == (12, 20)
    outbreak = Outbreak.of(run_city(town, seed=1))
    cases, infected = outbreak.early()
    within = (outbreak.day >= 12) & (outbreak.day < 20) & (outbreak.generation >= 2)
    total = np.cumsum(outbreak.played.new_infections)
    within &= total[np.minimum(outbreak.day + 14, 44)] <= 400
    assert (cases, infected) == (within.sum(), outbreak.offspring[within].sum())
    assert cases > 0
