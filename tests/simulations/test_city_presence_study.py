"""The study of check-in and places in a city, its page, and the command."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulations.city.presence_study import WAYS, CityPresenceRow
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from tracetogether.cli.city import city
from tracetogether.errors import ScenarioError, StoreError

DOCS = Path(__file__).parents[2] / "docs" / "explanation"
SETTINGS = {"people.count": "800", "days": "26", "tests.share": "0.8"}
WORDS = [f"--set={key}={value}" for key, value in SETTINGS.items()]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    picture = tmp_path_factory.mktemp("study") / "city.svg"
    asked = ["presence", "test-town", *WORDS, "--adoption", "0.8", "--seeds", "2", "--workers", "1"]
    done = CliRunner().invoke(city, [*asked, "--json", "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), picture.read_text("utf-8")


def test_the_ways_are_compared_with_bluetooth_alone(study: tuple[dict[str, Any], str]) -> None:
    rows = {row["way"]: row for row in study[0]["rows"]}
    assert tuple(rows) == WAYS
    alone = [
        run_city(load_city("test-town", SETTINGS | {"app.adoption": "0.8"}), seed=seed)
        for seed in (1, 2)
    ]
    infections = [int(run.new_infections.sum()) for run in alone]
    assert rows["Bluetooth"]["infections"]["mean"] == sum(infections) / 2
    assert rows["Bluetooth"]["averted"]["ratio"] is None
    for way in WAYS[1:]:
        fewer = sum(infections) / 2 - rows[way]["infections"]["mean"]
        assert rows[way]["averted"]["ratio"] == pytest.approx(fewer / (sum(infections) / 2))
        assert rows[way]["found_of_air"]["ratio"] > rows["Bluetooth"]["found_of_air"]["ratio"]
    assert rows["and check-in"]["stays_per_case"]["ratio"] == 0
    assert rows["and places"]["published_per_case"]["ratio"] == 0
    assert min(rows["and both"][f"{name}_per_case"]["ratio"] for name in ("published", "stays")) > 0


def test_rows_come_back_from_json(study: tuple[dict[str, Any], str]) -> None:
    for row in study[0]["rows"]:
        assert CityPresenceRow.from_json(row).to_json() == row
    assert study[1].count('class="dot') == len(WAYS) + len(WAYS) - 1


def test_the_page_shows_what_was_kept() -> None:
    writer = runpy.run_path(str(DOCS / "write_visits_city.py"))
    kept = json.loads((DOCS / "visits-city.json").read_text("utf-8"))
    page = (DOCS / "visits.md").read_text("utf-8")
    assert writer["with_block"](page, kept) == page, "python docs/explanation/write_visits_city.py"
    assert (DOCS / "visits-city.svg").read_text("utf-8") == writer["picture"](kept)
    assert kept["seeds"] >= 5


def test_what_goes_wrong(tmp_path: Path) -> None:
    done = CliRunner().invoke(city, ["presence", "test-town", "--seeds", "1"])
    assert isinstance(done.exception, ScenarioError)
    assert "nobody is tested" in str(done.exception)
    done = CliRunner().invoke(city, ["presence", "test-town", "--picture", str(tmp_path / "a.png")])
    assert isinstance(done.exception, StoreError)
    assert "end its name in .svg" in str(done.exception)
