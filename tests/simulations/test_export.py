import csv
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from simulations.scores.intervals import NoInterval
from simulations.settings.scenario import LAYERS, load_scenario, scenario_names, scenario_text
from simulations.studies.export import (
    AGES,
    COVASIM,
    COVASIM_SCRIPT,
    FALSE_CONTACTS,
    NOTE,
    OPENABM,
    Detection,
    export,
)
from simulations.studies.sweep import Point
from tracetogether.cli.simulate import simulate
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.units import Interval

# The names that OpenABM-Covid19 documents (its active_intervention_parameters.md at 263b1d0) and
# that covasim 4.0.1's contact_tracing takes.
OPENABM_NAMES = {
    "traceable_interaction_fraction",
    *(f"app_users_fraction_{age}" for age in AGES),
}
COVASIM_NAMES = {"trace_probs", "trace_time"}

CARRIAGE = Detection(
    "train-carriage",
    "c",
    0.5,
    Interval(0.5, 0.6, 0.7),
    Interval(0.1, 0.15, 0.2),
    Interval(0.2, 0.3, 0.4),
    0.5,
    "2 m, 15 min",
    5,
)
OFFICE = replace(
    CARRIAGE,
    scenario="office-day",
    layer="w",
    both=Interval(0.8, 0.9, 0.95),
    everybody=Interval(0.2, 0.22, 0.25),
    hours=2.0,
)
TRAM = replace(
    CARRIAGE,
    scenario="tram",
    both=Interval(0.3, 0.4, 0.5),
    everybody=Interval(0.0, 0.05, 0.1),
    false_per_person_hour=Interval(0.0, 0.1, 0.2),
)
ONE_RUN = replace(
    TRAM,
    both=NoInterval(0.4),
    everybody=NoInterval(0.05),
    false_per_person_hour=NoInterval(0.1),
    runs=1,
)


def read_openabm(file: Path) -> list[dict[str, str]]:
    """Return the lines of an exported parameter file, name -> text."""
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


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
    assert "train-carriage (layer c): adoption 0.5, 2 m, 15 min, 5 runs" in note
    assert FALSE_CONTACTS in note


def test_what_the_note_for_openabm_says_sets_its_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenABM can't be installed here; its ``set_param_dict`` takes names and numbers."""
    export([OFFICE, CARRIAGE], "openabm", tmp_path)
    note = (tmp_path / NOTE).read_text("utf-8")
    example = [line[2:] for line in note.splitlines() if line.startswith("  ")]
    code = "\n".join(example[: example.index(next(e for e in example if "set_param" in e)) + 1])
    taken: dict[str, float] = {}
    monkeypatch.chdir(tmp_path)
    exec(code, {"params": SimpleNamespace(set_param_dict=taken.update)})  # noqa: S102 - our own
    assert set(taken) == OPENABM_NAMES
    assert taken["traceable_interaction_fraction"] == 0.9


def test_covasim_gets_arguments_by_layer(tmp_path: Path) -> None:
    file = export([CARRIAGE, OFFICE, TRAM], "covasim", tmp_path)
    assert file.name == COVASIM
    said = json.loads(file.read_text("utf-8"))
    for bound in ("median", "low", "high"):
        assert set(said[bound]) == COVASIM_NAMES
        assert set(said[bound]["trace_probs"]) <= set(LAYERS)
    assert said["median"]["trace_probs"] == {"c": pytest.approx(0.1), "w": 0.22}
    assert said["high"]["trace_probs"]["c"] == pytest.approx(0.15)
    assert said["scenarios"] == {"c": ["train-carriage", "tram"], "w": ["office-day"]}
    assert said["false_per_person_hour"]["median"] == {"c": pytest.approx(0.2), "w": 0.3}
    assert said["hours_a_day"] == {"c": 0.5, "w": 2.0}
    note = (tmp_path / NOTE).read_text("utf-8")
    assert "about adoption squared" in note
    assert "0.300 (0.200 - 0.400)" in note


@pytest.mark.parametrize("simulator", ["openabm", "covasim"])
def test_false_contacts_are_exported(tmp_path: Path, simulator: str) -> None:
    export([CARRIAGE, OFFICE], simulator, tmp_path)
    with (tmp_path / FALSE_CONTACTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == ["c"] * 3 + ["w"] * 3
    assert [float(row["false_per_person_hour"]) for row in rows[:3]] == [0.3, 0.2, 0.4]


def test_one_run_gives_no_bounds(tmp_path: Path) -> None:
    said = json.loads(export([ONE_RUN], "covasim", tmp_path / "c").read_text("utf-8"))
    assert "median" in said
    assert not {"low", "high"} & set(said)
    (row,) = read_openabm(export([ONE_RUN], "openabm", tmp_path / "o"))
    assert row["bound"] == "median"
    assert "0.050 (one run: no interval)" in (tmp_path / "c" / NOTE).read_text("utf-8")
    both = json.loads(export([ONE_RUN, CARRIAGE], "covasim", tmp_path / "b").read_text("utf-8"))
    assert not {"low", "high"} & set(both)  # a mean with one of them alone would be no bound


@pytest.mark.slow
@pytest.mark.skipif(find_spec("covasim") is None, reason="needs covasim, of the test extra")
def test_covasim_runs_the_script_as_it_is(tmp_path: Path) -> None:
    export([CARRIAGE, OFFICE], "covasim", tmp_path)
    done = subprocess.run(
        [sys.executable, COVASIM_SCRIPT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["bound"], said["layers"]) == ("median", ["c", "w"])
    assert 0 < said["infections_traced"] < said["infections_without"]
    assert said["averted"] > 0
    assert said["quarantined_as_false_contacts"] > 0


def test_every_shipped_scenario_has_a_layer() -> None:
    assert {load_scenario(name).layer for name in scenario_names()} == set(LAYERS)


def test_what_has_no_layer_is_in_none(tmp_path: Path) -> None:
    for wrong in ("none", "", "x", "C"):
        with pytest.raises(ScenarioError, match="Layers are h household, s school, w work"):
            export([replace(CARRIAGE, layer=wrong)], "covasim", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    export([replace(CARRIAGE, layer="none")], "openabm", tmp_path / "new")  # it has no layers


def test_nothing_is_overwritten_and_nothing_made_of_nothing(tmp_path: Path) -> None:
    export([CARRIAGE], "openabm", tmp_path)
    with pytest.raises(StoreError, match="nothing was overwritten"):
        export([CARRIAGE], "openabm", tmp_path)
    with pytest.raises(StoreError, match="no two people with the app were in contact"):
        Detection.of(
            "lift",
            Point({}, 1, 0, None, None, None, None, None),
            layer="c",
            adoption=0.1,
            policy="x",
        )


def call(*words: str) -> Result:
    return CliRunner().invoke(simulate, ["export", *words])


SHORT = {
    "duration_s": "200",
    "count": "14",
    "length_m": "12",
    "doors_per_side": "2",
    "standing_places": "12",
    "policy.minutes": "2",
    "adoption": "1",
}
WORDS = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]


def test_from_the_command_line(tmp_path: Path) -> None:
    done = call(str(tmp_path / "x"), "--for", "openabm", "--seeds", "2", *WORDS, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    with Path(said["file"]).open(newline="") as lines:
        row = next(csv.DictReader(lines))
    low, median, high = said["scenarios"][0]["both"]
    assert float(row["traceable_interaction_fraction"]) == pytest.approx(median, abs=1e-5)
    assert 0 <= low < median < high <= 1
    assert said["scenarios"][0]["both"] == said["scenarios"][0]["everybody"]  # all have the app
    assert said["scenarios"][0]["layer"] == "c"
    again = call(str(tmp_path / "x"), "--for", "openabm", "--seeds", "1", *WORDS)
    assert isinstance(again.exception, StoreError)
    assert call(str(tmp_path / "y"), "--for", "other").exit_code == 2


def test_a_school_of_ones_own_is_in_the_layer_that_one_names(tmp_path: Path) -> None:
    school = tmp_path / "lift.toml"  # its name is that of a shipped scenario, which is of no weight
    text = scenario_text("train-carriage").text
    school.write_text(text.replace('layer = "c"\n', ""), "utf-8")

    def exported(word: str) -> Result:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        words = ["--for", "covasim", "--scenario", word, "--seeds", "1", *WORDS, "--json"]
        return call(str(folder), *words)

    refused = exported(str(school))
    assert isinstance(refused.exception, ScenarioError)
    assert "no layer is named" in str(refused.exception)
    unknown = exported(f"{school}=school")
    assert "there is no layer 'school'" in str(unknown.exception)
    assert "s school" in str(unknown.exception)
    named = exported(f"{school}=s")
    assert named.exit_code == 0, named.output
    said = json.loads(named.stdout)
    document = json.loads(Path(said["file"]).read_text("utf-8"))
    assert list(document["median"]["trace_probs"]) == ["s"]
    school.write_text(text.replace('layer = "c"', 'layer = "s"'), "utf-8")
    assert json.loads(exported(str(school)).stdout)["scenarios"][0]["layer"] == "s"
    school.write_text(text.replace('layer = "c"', 'layer = "q"'), "utf-8")
    assert "'layer' is one of c, h, none, s, w" in str(exported(str(school)).exception)


def test_a_run_that_fails_exports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr("simulations.studies.sweep.run", fails)
    done = call(str(tmp_path / "x"), "--for", "covasim", "--seeds", "1", *WORDS)
    assert isinstance(done.exception, StoreError)
    assert "1 of 1 run failed" in str(done.exception)
    assert not (tmp_path / "x").exists()


def test_the_remedies_for_no_contact_work(tmp_path: Path) -> None:
    """Each thing that the message proposes, done alone, gives a share to export."""
    short = {"policy.minutes": "9", "adoption": "1", "duration_s": "500"}

    def exported(**more: str) -> Result:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        keys = SHORT | short | {name.replace("__", "."): value for name, value in more.items()}
        words = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
        return call(str(folder), "--for", "openabm", "--seeds", "1", *words)

    refused = exported()
    assert isinstance(refused.exception, StoreError)
    assert "policy.minutes lower or duration_s longer" in str(refused.exception)
    assert exported(policy__minutes="2").exit_code == 0
    assert exported(duration_s="1000").exit_code == 0
    nobody = exported(policy__minutes="2", adoption="0.08")
    assert "people.adoption higher" in str(nobody.exception)
