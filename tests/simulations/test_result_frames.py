"""polars and DuckDB read the simulator's results, and get the rows of their data frames."""

import duckdb
import pandas as pd
import polars as pl
import pytest

import simulations.city
from simulations import Scenario, compare, run, sweep

QUICK = {
    "duration_s": 300,
    "length_m": 12,
    "doors_per_side": 2,
    "standing_places": 12,
    "policy.minutes": 3,
}


@pytest.fixture(scope="module")
def carriage() -> Scenario:
    return Scenario.load("train-carriage").with_(QUICK, count=14, adoption=1.0)


def same(result: object) -> pl.DataFrame:
    """Return what polars reads; it must be what ``to_pandas`` gives."""
    read, frame = pl.DataFrame(result), result.to_pandas()
    assert read.columns == frame.columns.tolist()
    for name in frame:
        wanted = [None if pd.isna(value) else value for value in frame[name]]
        assert read[name].to_list() == wanted, name
    assert "<table>" in result._repr_html_()
    return read


def test_a_run(carriage: Scenario) -> None:
    played = run(carriage, seed=2)
    assert same(played)["true_contact"].dtype == pl.Boolean
    ((minutes,),) = duckdb.sql("select sum(minutes) from played").fetchall()
    assert minutes == pytest.approx(played.contacts["minutes"].sum())


@pytest.mark.slow
def test_a_sweep_and_a_comparison(carriage: Scenario) -> None:
    swept = sweep(carriage, {"adoption": [0.5, 1.0], "phones.ios": [0, 1]}, seeds=1, workers=1)
    assert len(same(swept)) == 4
    assert (
        "found"
        in same(compare(carriage, carriage.with_(adoption=0.5), seeds=1, workers=1))[
            "measure"
        ].to_list()
    )


def test_a_city() -> None:
    town = simulations.city.City.load("test-town", {"people.count": 1000, "days": 12})
    assert len(same(simulations.city.run(town))) == 12
    assert len(same(simulations.city.sweep(town, {"adoption": [0, 0.5]}, seeds=1, workers=1))) == 2
