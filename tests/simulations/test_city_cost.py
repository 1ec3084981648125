"""What a city costs by size: the command, and the page with its table."""

import json
import runpy
from pathlib import Path

from click.testing import CliRunner

from simulations.city.cost_by_size import SPREADS, CostOfSize, city_of_cost
from tracetogether.cli.city import city

FOLDER = Path(__file__).parents[2] / "docs" / "explanation"
SCRIPT = runpy.run_path(str(FOLDER / "write_city_cost.py"))
PAGE = (FOLDER / "city-cost.md").read_text("utf-8")


def lines() -> list[list[str]]:
    table = PAGE.split(SCRIPT["BEGIN"])[1].split(SCRIPT["END"])[0]
    rows = [text.strip("| ").split(" | ") for text in table.splitlines()]
    return [row for row in rows if row[0][:1].isdigit()]


def test_the_page_has_a_line_for_each_planned_run() -> None:
    planned = {
        (f"{people:,}", str(processes), spread)
        for people, processes, spreads in SCRIPT["PLAN"]
        for spread in spreads
    }
    assert planned <= {(row[0], row[1], row[2]) for row in lines()}


def test_digests_on_the_page_do_not_depend_on_processes() -> None:
    digests: dict[tuple[str, str], set[str]] = {}
    for row in lines():
        digests.setdefault((row[0], row[2]), set()).add(row[7])
    assert len(digests) > 10
    assert [key for key, found in digests.items() if len(found) > 1] == []


def test_a_line_replaces_the_line_of_the_same_run_and_size() -> None:
    first = CostOfSize("wave", 5_000, 120, 1, 2.0, 50.0, 0.25, 3e5, "0123456789abcdef")
    again = CostOfSize("wave", 5_000, 120, 1, 3.0, 60.0, 0.25, 2e5, "0123456789abcdef")
    two = CostOfSize("suppressed", 5_000, 120, 2, 4.0, 90.0, 0.5, 1e5, "fedcba9876543210")
    rewritten = SCRIPT["rewritten"]
    page = f"before {SCRIPT['BEGIN']}\n{SCRIPT['END']} after"
    once = rewritten(page, [two, first])
    table = rewritten(once, [again]).splitlines()
    assert [text for text in table if text.startswith("| 5,000")] == [
        "| 5,000 | 1 | wave | 25.0% | 3.0 | 60 | 0 | `0123456789ab` |",
        "| 5,000 | 2 | suppressed | 50.0% | 4.0 | 90 | 0 | `fedcba987654` |",
    ]
    assert table[0].startswith("before")
    assert table[-1].endswith("after")


def test_runs_of_all_kinds_differ_in_what_the_page_says() -> None:
    cities = {spread: city_of_cost(spread, 40_000, 90) for spread in SPREADS}
    assert {(c.people.count, c.days) for c in cities.values()} == {(40_000, 90)}
    assert [c.app.adoption for c in cities.values()] == [0.3, 0.3, 0.3, 0.0]
    assert [c.disease.reproduction_number for c in cities.values()] == [2.0, 2.5, 2.8, 1.3]
    assert cities["wave"].tests.share == 0


def test_the_command_measures_a_run() -> None:
    words = ["cost", "--people", "300", "--days", "6", "--spread", "held back", "--json"]
    done = CliRunner().invoke(city, words)
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["people"], row["days"], row["processes"]) == (300, 6, 1)
    assert row["peak_mb"] > 50
    assert row["attack_rate"] >= 20 / 300
    assert row["agent_days_per_cpu_s"] == 300 * 6 / row["cpu_s"]
