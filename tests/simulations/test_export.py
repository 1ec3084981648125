import csv
import inspect
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulations.settings.scenario import scenario_names
from simulations.studies.export import (
    AGES,
    COVASIM,
    LAYERS,
    NOTE,
    OPENABM,
    Detection,
    export,
    read_openabm,
)
from simulations.studies.sweep import Point
from tracetogether.cli.simulate import simulate
from tracetogether.errors import StoreError
from tracetogether.units import Interval

# The names that OpenABM-Covid19 documents (its active_intervention_parameters.md at 263b1d0) and
# that covasim 4.0.1's contact_tracing takes.
OPENABM_NAMES = {
    "traceable_interaction_fraction",
    *(f"app_users_fraction_{age}" for age in AGES),
}
COVASIM_NAMES = {"trace_probs", "trace_time"}
COVASIM_LAYERS = {"h", "s", "w", "c"}

CARRIAGE = Detection(
    "train-carriage", 0.5, Interval(0.5, 0.6, 0.7), Interval(0.1, 0.15, 0.2), "2 m, 15 min", 5
)
OFFICE = Detection(
    "office-day", 0.5, Interval(0.8, 0.9, 0.95), Interval(0.2, 0.22, 0.25), "2 m, 15 min", 5
)
TRAM = Detection("tram", 0.5, Interval(0.3, 0.4, 0.5), Interval(0.0, 0.05, 0.1), "2 m, 15 min", 5)


def test_openabm_gets_a_parameter_file(tmp_path: Path) -> None:
    file = export([CARRIAGE, OFFICE], "openabm", tmp_path / "new")
    assert file.name == OPENABM
    rows = read_openabm(file)
    assert set(rows[0]) - {"scenario", "bound"} == OPENABM_NAMES
    assert [(row["scenario"], row["bound"]) for row in rows[:3]] == [
        ("train-carriage", "median"),
        ("train-carriage", "low"),
        ("train-carriage", "high"),
    ]
    read = [float(row["traceable_interaction_fraction"]) for row in rows]
    assert read == [0.6, 0.5, 0.7, 0.9, 0.8, 0.95]
    assert {float(row[f"app_users_fraction_{age}"]) for row in rows for age in AGES} == {0.5}
    note = (tmp_path / "new" / NOTE).read_text("utf-8")
    assert "if both users have the" in note
    assert "train-carriage: adoption 0.5, 2 m, 15 min, 5 runs" in note


def test_covasim_gets_arguments_by_layer(tmp_path: Path) -> None:
    file = export([CARRIAGE, OFFICE, TRAM], "covasim", tmp_path)
    assert file.name == COVASIM
    said = json.loads(file.read_text("utf-8"))
    for bound in ("median", "low", "high"):
        assert set(said[bound]) == COVASIM_NAMES
        assert set(said[bound]["trace_probs"]) <= COVASIM_LAYERS
    assert said["median"]["trace_probs"] == {"c": pytest.approx(0.1), "w": 0.22}
    assert said["high"]["trace_probs"]["c"] == pytest.approx(0.15)
    assert said["scenarios"] == {"c": ["train-carriage", "tram"], "w": ["office-day"]}
    assert "about adoption squared" in (tmp_path / NOTE).read_text("utf-8")


def test_covasim_itself_takes_them(tmp_path: Path) -> None:
    """Wherever covasim is installed; it was tried with 4.0.1."""
    covasim = pytest.importorskip("covasim", reason="covasim is not installed")
    said = json.loads(export([CARRIAGE], "covasim", tmp_path).read_text("utf-8"))
    assert set(said["median"]) <= set(inspect.signature(covasim.contact_tracing).parameters)
    covasim.contact_tracing(**said["median"])


def test_every_scenario_has_a_layer() -> None:
    assert set(LAYERS) == set(scenario_names())
    assert set(LAYERS.values()) == COVASIM_LAYERS


def test_nothing_is_overwritten_and_nothing_made_of_nothing(tmp_path: Path) -> None:
    export([CARRIAGE], "openabm", tmp_path)
    with pytest.raises(StoreError, match="nothing was overwritten"):
        export([CARRIAGE], "openabm", tmp_path)
    with pytest.raises(StoreError, match="no two people with the app were in contact"):
        Detection.of(
            "lift", Point({}, 1, 0, None, None, None, None, None), adoption=0.1, policy="x"
        )


def call(*words: str) -> Result:
    return CliRunner().invoke(simulate, ["export", *words])


def test_from_the_command_line(tmp_path: Path) -> None:
    settings = {"duration_s": "200", "count": "14", "length_m": "12", "doors_per_side": "2"}
    settings |= {"standing_places": "12", "policy.minutes": "2", "adoption": "1"}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = call(str(tmp_path / "x"), "--for", "openabm", "--seeds", "1", *words, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    with Path(said["file"]).open(newline="") as lines:
        row = next(csv.DictReader(lines))
    low, median, high = said["scenarios"][0]["both"]
    assert float(row["traceable_interaction_fraction"]) == pytest.approx(median, abs=1e-5)
    assert 0 <= low <= median <= high <= 1
    assert said["scenarios"][0]["both"] == said["scenarios"][0]["everybody"]  # all have the app
    again = call(str(tmp_path / "x"), "--for", "openabm", "--seeds", "1", *words)
    assert isinstance(again.exception, StoreError)
    assert call(str(tmp_path / "y"), "--for", "other").exit_code == 2
