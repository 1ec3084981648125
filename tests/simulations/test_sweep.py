import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations import sweep as module
from simulations.sweep import Part, Row, digest, plan, play, points, sweep, values_of
from tracetogether.cli.simulate import simulate
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError

SHORT = {
    "duration_s": "300",
    "count": "14",
    "length_m": "12",
    "doors_per_side": "2",
    "standing_places": "12",
    "policy.minutes": "3",
}


def parts(**vary: list[str]) -> list[Part]:
    return plan("train-carriage", vary, seeds=2, settings=SHORT, cases=3)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return sweep(parts(adoption=["0.5", "1"]))


def test_values() -> None:
    assert values_of("0.1:1.0:10") == [f"{one / 10:g}" for one in range(1, 11)]
    assert values_of("1, 2,x") == ["1", "2", "x"]
    with pytest.raises(ScenarioError, match="neither LOW:HIGH:COUNT"):
        values_of("1:2")


def test_a_plan_is_every_combination_with_every_seed() -> None:
    made = plan("lift", {"ios": ["0", "1"], "adoption": ["0.5"]}, seeds=3, settings={"count": "9"})
    assert len(made) == 6
    assert made[0].settings == (
        ("people.adoption", "0.5"),
        ("people.count", "9"),
        ("phones.ios", "0"),
    )
    assert [part.seed for part in made[:3]] == [1, 2, 3]
    assert len({part.name for part in made}) == 6
    with pytest.raises(ScenarioError, match="no scenario key"):
        plan("lift", {"io": ["0"]}, seeds=1, settings={})


def test_rows_say_what_happened(rows: list[Row]) -> None:
    assert [row["seed"] for row in rows] == [1, 2, 1, 2]
    half, whole = rows[0], rows[2]
    assert (half["with_app"], whole["with_app"]) == (7, 14)
    assert half["contacts"] == whole["contacts"] > half["contacts_with_app"]
    assert whole["contacts"] == whole["contacts_with_app"]
    assert 0 < half["recorded"] <= half["contacts_with_app"]


def test_two_workers_give_the_same_rows(rows: list[Row]) -> None:
    assert sweep(parts(adoption=["0.5", "1"]), workers=2) == rows


def test_a_killed_sweep_goes_on(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, played = tmp_path / "sweep", []

    def killed(part: Part) -> Row:
        if len(played) == 2:
            raise KeyboardInterrupt
        played.append(part)
        return play(part)

    monkeypatch.setattr(module, "play", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep(parts(adoption=["0.5", "1"]), folder=folder)
    rest = []
    monkeypatch.setattr(module, "play", lambda part: (rest.append(part), play(part))[1])
    told: list[tuple[int, int]] = []
    again = sweep(
        parts(adoption=["0.5", "1"]), folder=folder, on_progress=lambda *one: told.append(one)
    )
    assert again == rows
    assert digest(again) == digest(rows)
    assert len(rest) == 2
    assert told == [(3, 4), (4, 4)]


def test_failures_are_data(rows: list[Row]) -> None:
    made = [*parts(adoption=["0.5"]), *parts(adoption=["7"])]
    found = sweep(made)
    assert found[:2] == rows[:2]
    assert all(
        "ScenarioError" in row["error"] and "from 0 to 1" in row["error"] for row in found[2:]
    )
    good, bad = points(found)
    assert (good.runs, good.failed) == (2, 0)
    assert (bad.runs, bad.failed, bad.found) == (2, 2, None)


def test_points_are_shares_of_all_contacts(rows: list[Row]) -> None:
    half, whole = points(rows)
    assert half.recorded is not None
    assert whole.recorded is not None
    total = sum(row["contacts"] for row in rows[:2])
    assert half.recorded.median == sum(row["recorded"] for row in rows[:2]) / total
    assert half.recorded.median < 0.5 * whole.recorded.median
    assert whole.found is not None
    assert whole.tif is not None
    assert whole.found.median == pytest.approx(whole.tif.median, abs=0.05)  # all have the app


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="no sweep"):
        sweep(parts(adoption=["7"]), folder=tmp_path)
    mine = tmp_path / "mine"
    sweep(parts(adoption=["7"]), folder=mine)
    with pytest.raises(StoreError, match="another sweep"):
        sweep(parts(adoption=["8"]), folder=mine)
    (mine / "sweep.json").write_text("[")
    with pytest.raises(StoreError, match="damaged"):
        sweep(parts(adoption=["7"]), folder=mine)


def test_without_dask_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="cluster"):
        sweep(parts(adoption=["0.5"]), cluster="tcp://127.0.0.1:1")


def test_from_the_command_line(rows: list[Row], tmp_path: Path) -> None:
    settings = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    words = ["sweep", "train-carriage", "--vary", "adoption=0.5:1:2", "--seeds", "2", *settings]
    folder = tmp_path / "kept"
    done = CliRunner().invoke(simulate, [*words, "--cases", "3", "--out", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["digest"] == digest(rows)
    assert [point["settings"]["people.adoption"] for point in said["points"]] == ["0.5", "1"]
    assert (folder / "adoption.png").read_bytes().startswith(b"\x89PNG")
    shown = CliRunner().invoke(simulate, [*words, "--cases", "3", "--out", str(folder)])
    assert said["digest"] in shown.stdout


def test_a_dask_cluster_gives_the_same_rows(rows: list[Row]) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the cluster extra")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert sweep(parts(adoption=["0.5", "1"]), cluster=cluster.scheduler_address) == rows
