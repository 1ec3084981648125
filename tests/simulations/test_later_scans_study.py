"""The comparison of ways to record: equal crowds, and costs that count what they say."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from simulations.studies.later_scans import WAYS, WayFigures, compare_ways

DOCS = Path(__file__).parents[2] / "docs" / "explanation"
SETTINGS = {"duration_s": "700", "count": "14", "length_m": "12", "doors_per_side": "2"}
SETTINGS |= {"standing_places": "12", "ios": "0.5", "stay_median_s": "3600"}


@pytest.fixture(scope="module")
def ways() -> dict[str, WayFigures]:
    return {row.way: row for row in compare_ways("train-carriage", (1, 2), settings=SETTINGS)}


@pytest.mark.slow
def test_later_scans_add_records_and_no_connection(ways: dict[str, WayFigures]) -> None:
    alone, later, seldom = (ways[way] for way in WAYS)
    assert later.costs["connections_per_hour"] == alone.costs["connections_per_hour"]
    assert later.costs["android_percent_per_hour"] == alone.costs["android_percent_per_hour"]
    assert seldom.costs["connections_per_hour"] < alone.costs["connections_per_hour"]
    assert later.costs["readings_per_pair"] > 1.2 * alone.costs["readings_per_pair"]
    assert later.pairs == alone.pairs
    assert alone.costs["rejected"] <= later.costs["rejected"] < 0.05


@pytest.mark.slow
def test_the_bytes_are_those_of_the_upload_file(ways: dict[str, WayFigures]) -> None:
    costs = [row.costs for row in ways.values()]
    for cost in costs:
        assert 150 < cost["bytes_per_hour"] / cost["records_per_hour"] < 250


@pytest.mark.slow
def test_a_change_is_against_the_first_way(ways: dict[str, WayFigures]) -> None:
    alone, later, _ = (ways[way] for way in WAYS)
    assert {figure.median for figure in alone.change.values() if not np.isnan(figure.median)} == {0}
    change = later.change["winkler"]
    assert change.low < change.median < change.high
    assert change.median != 0


def test_the_table_of_the_docs_has_every_scenario_and_way() -> None:
    writer = runpy.run_path(str(DOCS / "write_later_scans.py"))
    page = (DOCS / "simulation.md").read_text("utf-8")
    table = page.split(writer["BEGIN"])[1].split(writer["END"])[0].strip().splitlines()
    header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    assert tuple(header) == writer["HEADER"]
    assert [row[:2] for row in rows] == [[scene, way] for scene in writer["SCENES"] for way in WAYS]
    for scene in range(0, len(rows), len(WAYS)):
        alone, later, seldom = rows[scene : scene + len(WAYS)]
        assert float(alone[2]) < float(later[2])
        assert float(seldom[-1]) <= float(later[-1]) == float(alone[-1])
