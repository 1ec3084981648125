"""The crowd simulator from Python: what the public names return, and what they refuse."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import simulations
from simulations import CrowdRun, CrowdSweep, Scenario, compare, run, sweep
from simulations.studies.sweep import digest
from tracetogether.cli.simulate import simulate
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError

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


@pytest.fixture(scope="module")
def played(carriage: Scenario) -> CrowdRun:
    return run(carriage, seed=2)


@pytest.fixture(scope="module")
def swept(carriage: Scenario) -> CrowdSweep:
    return sweep(carriage, {"adoption": np.array([0.5, 1.0]), "phones.ios": [0, 1]}, seeds=2)


def test_a_scenario_with_other_values(carriage: Scenario) -> None:
    assert (carriage.people.count, carriage.duration_s, carriage.policy.minutes) == (14, 300, 3)
    assert carriage.with_(adoption=np.float64(0.25)).people.adoption == 0.25
    assert carriage.people.adoption == 1.0
    with pytest.raises(ScenarioError, match=r"adopton.*'people.adoption'"):
        carriage.with_(adopton=0.3)
    with pytest.raises(
        ScenarioError, match=r"train-carriage: 'people.adoption' is from 0 to 1, not 7"
    ):
        carriage.with_(adoption=7)
    with pytest.raises(ScenarioError, match="given twice"):
        carriage.with_({"people.adoption": 0.5}, adoption=0.6)


@pytest.mark.parametrize("name", simulations.scenario_names())
def test_a_saved_scenario_is_the_same_scenario(name: str, tmp_path: Path) -> None:
    scenario = Scenario.load(name)
    assert Scenario.load(scenario.save(tmp_path / f"{name}.toml")) == scenario


def test_a_run_is_that_of_the_command(played: CrowdRun, carriage: Scenario, tmp_path: Path) -> None:
    file = carriage.save(tmp_path / "carriage.toml")
    done = CliRunner().invoke(simulate, ["run", str(file), "--seed", "2", "--json"])
    said = json.loads(done.stdout)
    assert said["digest"] == played.digest
    assert said["scores"]["found"] == played.scores.found
    assert said["digest"][:12] in repr(played)


def test_the_columns_of_a_run(played: CrowdRun) -> None:
    frame = played.to_pandas()
    assert len(frame) > 0
    found = frame[frame.close_contact & frame.true_contact]
    assert len(found) == played.scores.found
    assert (frame.minutes_low <= frame.minutes).all()
    assert (frame.case != frame.person).all()
    person = int(played.run.app[0])
    assert len(played.log(person)) == len(played.run.logs[person])
    with pytest.raises(ScenarioError, match="person 99 has no app; people with it: 0, 1"):
        played.log(99)


def test_a_setting_in_words_keeps_its_words(carriage: Scenario) -> None:
    few = carriage.with_({"people.count": 2}, duration_s=10)
    found = sweep(few, {"protocol": ["bluetrace", "gaen"]}, seeds=1)
    assert list(found.to_pandas()["phones.protocol"]) == ["bluetrace", "gaen"]


def test_readings_have_the_true_distances_of_their_times(played: CrowdRun) -> None:
    frame = pd.DataFrame(played.readings)
    assert len(frame) == sum(len(log) for log in played.run.logs.values()) > 100
    tracks, start = played.run.tracks, pd.Timestamp(played.run.start, unit="s")
    for row in frame.sample(20, random_state=1).itertuples():
        second = (row.time - start).total_seconds()
        east, north = (
            tracks.position(np.array([row.observer]), np.array([second]))
            - tracks.position(np.array([row.peer]), np.array([second]))
        )[0]
        assert row.distance_m == pytest.approx(np.hypot(east, north), abs=0.01)
    own = frame[frame.observer == frame.observer[0]]
    log = played.log(int(frame.observer[0]))
    assert sorted(own.rssi_dbm) == sorted(log.rssi_dbm)


def test_a_run_is_drawn_and_kept(played: CrowdRun, tmp_path: Path) -> None:
    assert played.plot().get_axes()
    with pytest.raises(ScenarioError, match="no case 99"):
        played.plot(99)
    folder = played.save(tmp_path / "kept")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["digest"] == played.digest
    picture = (folder / "picture.png").read_bytes()
    assert b"digest " in picture
    (folder / "manifest.json").unlink()
    with pytest.raises(StoreError, match="nothing was overwritten"):
        played.save(folder)


def test_a_sweep_has_points_and_runs(swept: CrowdSweep, tmp_path: Path) -> None:
    assert len(swept.rows) == 8
    assert not swept.failed
    frame = swept.to_pandas()
    assert list(frame["people.adoption"]) == [0.5, 0.5, 1.0, 1.0]
    assert swept.to_pandas(runs=True)["phones.ios"].sum() == 4  # numbers in both tables
    assert {"found", "found_low", "found_high"} <= set(frame.columns)
    assert len(swept.to_pandas(runs=True)) == 8
    folder = swept.save(tmp_path / "swept")
    assert pd.read_csv(folder / "points.csv").shape[0] == 4
    assert f"digest {swept.digest}".encode() in (folder / "picture.png").read_bytes()


def test_a_sweep_does_not_depend_on_its_workers(swept: CrowdSweep, carriage: Scenario) -> None:
    again = sweep(carriage, {"adoption": [0.5], "phones.ios": [1]}, seeds=2, workers=2)
    kept = [row for row in swept.rows if row["settings"] == again.rows[0]["settings"]]
    assert digest(again.rows) == digest(kept)
    assert len(kept) == 2


def test_a_sweep_refuses_what_is_no_list(carriage: Scenario) -> None:
    with pytest.raises(ScenarioError, match="adoption needs a list of values"):
        sweep(carriage, {"adoption": "0.5"})
    with pytest.raises(ScenarioError, match="adoption needs a list of values"):
        sweep(carriage, {"adoption": []})


def test_a_value_that_is_named_twice_is_played_once(carriage: Scenario) -> None:
    few = carriage.with_({"people.count": 2}, duration_s=10)
    found = sweep(few, {"adoption": [1, 1, 0.5]}, seeds=1)
    assert [point.runs for point in found.points] == [1, 1]
    with pytest.raises(ScenarioError, match="seeds is 1 or more, not 0"):
        sweep(few, {"adoption": [1]}, seeds=0)


def test_a_failed_run_is_a_row(carriage: Scenario) -> None:
    found = sweep(carriage, {"adoption": [1, 7]}, seeds=1)
    assert [row["settings"] for row in found.failed] == [{"people.adoption": "7"}]
    assert found.why_no_picture == "runs failed"


def test_more_adoption_finds_more(carriage: Scenario) -> None:
    found = compare(carriage, carriage.with_(adoption=0.5), seeds=2)
    change = found.difference["recorded"]
    assert change.low is not None
    assert change.low > 0
    assert found.answer.startswith(f"The first {carriage.name} finds ")
    assert "points more of all true contacts than the second (" in found.answer
    frame = found.to_pandas().set_index("measure")
    assert frame.loc["recorded", "difference"] == pytest.approx(change.median)


def test_a_comparison_with_itself_says_so(carriage: Scenario) -> None:
    found = compare(carriage, carriage, seeds=2)
    assert found.difference["found"].median == 0
    assert "do not tell them apart" in found.answer


def test_a_comparison_with_a_failed_run_is_refused(
    carriage: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ScenarioError("boom")

    monkeypatch.setattr("simulations.studies.sweep.run", fails)
    with pytest.raises(ScenarioError, match=r"a run of train-carriage failed: .*boom"):
        compare(carriage, carriage)


def test_progress_is_reported(carriage: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[int, int]] = []
    run(carriage, on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (300, 300)
    run(carriage)
    assert capsys.readouterr().err == ""  # nobody looks


def test_progress_is_one_line_on_a_terminal(
    carriage: Scenario, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    run(carriage)
    shown = capsys.readouterr().err
    assert shown.endswith("\rtrain-carriage: 100 %\n")
    assert shown.count("\n") == 1


def test_without_pandas_the_extra_is_named(
    played: CrowdRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pandas"):
        played.to_pandas()


def test_without_matplotlib_the_numbers_are_kept(
    played: CrowdRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    folder = played.save(tmp_path / "kept")
    assert not (folder / "picture.png").exists()
    assert (folder / "manifest.json").exists()
    assert played.why_no_picture
    assert "plot" in played.why_no_picture


def test_the_package_shows_its_public_names_and_loads_little() -> None:
    assert dir(simulations) == simulations.__all__
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        simulations.simulate  # noqa: B018
    script = (
        "import sys; from simulations import Scenario; Scenario.load('lift');"
        "print(sorted({'simpy', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
