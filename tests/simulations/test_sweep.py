import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulations import provenance as provenance_module
from simulations.pages.adoption_curve import adoption_curve
from simulations.settings.scenario import scenario_text
from simulations.studies import sweep as module
from simulations.studies.sweep import Part, SweepRow, digest, plan, play, points, sweep, values_of
from simulations.studies.sweep_folder import SweepFolder, results_written_alone
from simulations.studies.sweep_tables import save_tables
from tracetogether.cli.simulate import simulate
from tracetogether.errors import MissingExtraError, ScenarioError, StoreError

ROOT = Path(__file__).parent.parent.parent
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
def rows() -> list[SweepRow]:
    return sweep(parts(adoption=["0.5", "1"]))


def test_values() -> None:
    assert values_of("0.1:1.0:10") == [f"{tenths / 10:g}" for tenths in range(1, 11)]
    assert values_of("1, 2,x") == ["1", "2", "x"]
    for wrong in ("1:2", "", ",", "0:1:0", "0:1:-1"):
        with pytest.raises(ScenarioError, match="neither LOW:HIGH:COUNT"):
            values_of(wrong)


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
    for vary in ({"ios": ["0"]}, {"adoption": ["0"], "people.adoption": ["1"]}):
        with pytest.raises(ScenarioError, match="is given twice"):
            plan("lift", vary, seeds=1, settings={"phones.ios": "1"})
    words = ["sweep", "lift", "--vary", "ios=0", "--vary", "ios=1"]
    assert "ios is given twice" in CliRunner().invoke(simulate, words).output
    words = ["run", "lift", "--set", "adoption=0.5", "--set", "people.adoption=0.6"]
    assert "people.adoption is given twice" in CliRunner().invoke(simulate, words).output


def test_rows_say_what_happened(rows: list[SweepRow]) -> None:
    assert [row["seed"] for row in rows] == [1, 2, 1, 2]
    half, whole = rows[0], rows[2]
    assert (half["with_app"], whole["with_app"]) == (7, 14)
    assert half["contacts"] == whole["contacts"] > half["contacts_with_app"]
    assert whole["contacts"] == whole["contacts_with_app"]
    assert 0 < half["recorded"] <= half["contacts_with_app"]


@pytest.mark.slow
def test_two_workers_give_the_same_rows(rows: list[SweepRow]) -> None:
    assert sweep(parts(adoption=["0.5", "1"]), workers=2) == rows


def test_columns_and_objects_give_the_same_digests(rows: list[SweepRow]) -> None:
    made = plan(
        "train-carriage",
        {"adoption": ["1"]},
        seeds=2,
        settings=SHORT,
        cases=3,
        fidelity="vectorized",
    )
    assert sweep(made) == rows[2:]
    with pytest.raises(ScenarioError, match="no fidelity"):
        plan("train-carriage", {"adoption": ["1"]}, seeds=2, settings=SHORT, fidelity="coarse")


STOPPING = """
import sys, threading
from pathlib import Path
from simulations import provenance as provenance_module
from simulations.pages.adoption_curve import adoption_curve
from simulations.settings.scenario import scenario_text
from simulations.studies import sweep as module
played = []
play = module.play
def stopping(part):
    if len(played) == 2:
        threading.Event().wait()  # in the middle of the third, until it is killed
    played.append(part)
    return play(part)
module.play = stopping
settings = dict(word.split("=") for word in sys.argv[2:])
vary = {"adoption": ["0.5", "1"]}
parts = module.plan("train-carriage", vary, seeds=2, settings=settings, cases=3)
module.sweep(parts, folder=Path(sys.argv[1]))
"""


def test_a_killed_sweep_goes_on(
    rows: list[SweepRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed by the system in the middle of a part, with no chance to tidy up."""
    folder = tmp_path / "sweep"
    words = [f"{key}={value}" for key, value in SHORT.items()]
    child = subprocess.Popen([sys.executable, "-c", STOPPING, str(folder), *words])
    try:
        deadline = time.monotonic() + 300
        while len(list(folder.glob("part-*.json"))) < 2:
            assert child.poll() is None, "it ended before it was stopped"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.kill()
        assert child.wait() == -signal.SIGKILL
    rest = []
    monkeypatch.setattr(module, "play", lambda part: (rest.append(part), play(part))[1])
    steps: list[tuple[int, int]] = []
    again = sweep(
        parts(adoption=["0.5", "1"]), folder=folder, on_progress=lambda *step: steps.append(step)
    )
    assert again == rows
    assert digest(again) == digest(rows)
    assert len(rest) == 2
    assert steps == [(3, 4), (4, 4)]


def test_rows_and_points_as_tables(rows: list[SweepRow], tmp_path: Path) -> None:
    broken = [*rows, {"settings": {"people.adoption": "7"}, "seed": 1, "error": "ScenarioError: x"}]
    made = save_tables(broken, points(broken), tmp_path)
    assert {file.name for file in made} >= {"rows.csv", "points.csv"}
    with (tmp_path / "rows.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["digest"] for line in lines] == [*(row["digest"] for row in rows), ""]
    assert lines[0]["people.adoption"] == "0.5"
    assert int(lines[2]["recorded"]) == rows[2]["recorded"]
    assert float(lines[2]["battery_percent_per_hour_android"]) > 0
    assert int(lines[2]["by_systems_android-android_windows"]) > 0
    assert lines[4]["error"] == "ScenarioError: x"
    with (tmp_path / "points.csv").open(newline="") as file:
        half, whole, seven = csv.DictReader(file)
    assert float(half["recorded_low"]) <= float(half["recorded"]) < float(whole["recorded"])
    assert (seven["runs"], seven["failed"], seven["recorded"]) == ("1", "1", "")


def test_the_same_tables_as_parquet(rows: list[SweepRow], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the parquet extra")
    save_tables(rows, points(rows), tmp_path)
    table = parquet.read_table(tmp_path / "rows.parquet").to_pydict()
    assert table["digest"] == [row["digest"] for row in rows]
    assert table["recorded"] == [row["recorded"] for row in rows]
    assert parquet.read_table(tmp_path / "points.parquet").num_rows == 2


def test_without_pyarrow_there_is_csv_alone(
    rows: list[SweepRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    made = save_tables(rows, points(rows), tmp_path)
    assert [file.name for file in made] == ["rows.csv", "points.csv"]


def test_failures_are_data(rows: list[SweepRow]) -> None:
    made = [*parts(adoption=["0.5"]), *parts(adoption=["7"])]
    found = sweep(made)
    assert found[:2] == rows[:2]
    assert all(
        "ScenarioError" in row["error"] and "from 0 to 1" in row["error"] for row in found[2:]
    )
    good, bad = points(found)
    assert (good.runs, good.failed) == (2, 0)
    assert (bad.runs, bad.failed, bad.found) == (2, 2, None)


def test_points_are_shares_of_all_contacts(rows: list[SweepRow]) -> None:
    half, whole = points(rows)
    assert half.recorded is not None
    assert whole.recorded is not None
    total = sum(row["contacts"] for row in rows[:2])
    assert half.recorded.median == sum(row["recorded"] for row in rows[:2]) / total
    assert half.recorded.median < 0.5 * whole.recorded.median
    assert whole.found is not None
    assert whole.tif is not None
    assert whole.found.median == pytest.approx(whole.tif.median, abs=0.05)  # all have the app
    assert whole.with_app is not None
    assert (whole.with_app.low, whole.with_app.high) == (1.0, 1.0)
    assert half.with_app is not None
    assert half.kept is not None
    assert half.with_app.median * half.kept.median == pytest.approx(half.recorded.median)


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


@pytest.mark.parametrize("text", ['{"part": "x", "ro', "[]", '{"part": "another", "row": {}}'])
def test_a_damaged_run_is_named_with_the_remedy(school: Path, tmp_path: Path, text: str) -> None:
    (part,) = quick(school)
    folder = tmp_path / "kept"
    row = sweep([part], folder=folder)
    (file,) = folder.glob("part-*.json")
    file.write_text(text, "utf-8")
    with pytest.raises(StoreError, match=rf"{file.name} is damaged .*: delete it, and the same"):
        sweep([part], folder=folder)
    file.unlink()
    assert sweep([part], folder=folder) == row


def test_a_sweep_without_dask_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="cluster"):
        sweep(parts(adoption=["0.5"]), cluster="tcp://127.0.0.1:1")


def test_from_the_command_line(rows: list[SweepRow], tmp_path: Path) -> None:
    settings = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    words = ["sweep", "train-carriage", "--vary", "adoption=0.5:1:2", "--seeds", "2", *settings]
    folder = tmp_path / "kept"
    done = CliRunner().invoke(simulate, [*words, "--cases", "3", "--out", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["digest"] == digest(rows)
    assert [point["settings"]["people.adoption"] for point in said["points"]] == ["0.5", "1"]
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "points.csv").read_text("utf-8").count("\n") == 3
    shown = CliRunner().invoke(simulate, [*words, "--cases", "3", "--out", str(folder)])
    assert said["digest"] in shown.stdout


def test_a_dask_cluster_gives_the_same_rows(rows: list[SweepRow]) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the cluster extra")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert sweep(parts(adoption=["0.5", "1"]), cluster=cluster.scheduler_address) == rows


@pytest.fixture
def school(tmp_path: Path) -> Path:
    file = tmp_path / "school.toml"
    file.write_text(scenario_text("train-carriage").text, "utf-8")
    return file


def quick(school: Path, *, adoption: str = "1") -> list[Part]:
    settings = SHORT | {"duration_s": "60", "policy.minutes": "0.5"}
    return plan(str(school), {"adoption": [adoption]}, seeds=1, settings=settings, cases=2)


def test_an_edited_scenario_is_played_again_in_the_same_folder(
    school: Path, tmp_path: Path
) -> None:
    """Its name and its settings are as before; what it says is not."""
    folder = tmp_path / "kept"
    before = sweep(quick(school), folder=folder)
    save_tables(before, points(before), folder)
    (folder / "picture.png").write_bytes(b"a picture of the runs before")
    text = school.read_text("utf-8")
    school.write_text(text.replace("ios = 0.35", "ios = 0.9"), "utf-8")
    fresh = sweep(quick(school))
    assert fresh != before
    assert sweep(quick(school), folder=folder) == fresh
    assert not (folder / "picture.png").exists()
    assert not (folder / "points.csv").exists()
    school.write_text("# a comment\n" + text, "utf-8")
    steps: list[tuple[int, int]] = []
    assert (
        sweep(quick(school), folder=folder, on_progress=lambda *step: steps.append(step)) == before
    )
    assert steps == []  # the same keys: nothing is played


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("tracetogether.__version__", "99.0"),
        ("tracetogether.parameters.MAX_PEOPLE_A_MINUTE", 3),
        ("simulations.phones.phones._CHANNEL_SD_DB", 7.0),
        ("tracetogether.proximity.calibration.BLUETRACE_TRANSMIT", None),
    ],
)
def test_another_version_or_table_is_played_again(
    school: Path, monkeypatch: pytest.MonkeyPatch, place: str, value: object
) -> None:
    (before,) = quick(school)
    monkeypatch.setattr(place, value)
    (after,) = quick(school)
    assert after.name != before.name
    refused = play(before)  # as a worker of another version would
    assert "this worker would not play the same" in refused["error"]
    assert place.rpartition(".")[0].removesuffix("__version__") in refused["error"]


def test_changed_code_is_another_part(school: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = quick(school)
    code = dict(provenance_module._code()) | {"simulations/radio": "0" * 16}
    monkeypatch.setattr(provenance_module, "_code", lambda: code)
    (after,) = quick(school)
    assert after.name != before.name
    assert "code of simulations/radio" in play(before)["error"]


def test_all_code_that_a_sweep_imports_is_part_of_its_provenance() -> None:
    script = (
        "import sys, simulations.studies.sweep\n"
        "print(*(m for m in sys.modules if m.partition('.')[0] in ('simulations','tracetogether')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    modules = set(done.stdout.split())
    assert "simulations.radio.channel" in modules
    counted = [name.removesuffix(".py").replace("/", ".") for name, _ in provenance_module._parts()]
    left = {
        module
        for module in modules
        if not any(module == part or module.startswith(f"{part}.") for part in counted)
    }
    assert left == {
        "simulations",  # nothing but a docstring
        "simulations.studies",
        "tracetogether",
        "tracetogether.authority",
        "tracetogether.authority.places",  # a docstring; its spans count
        "simulations.studies.executors",  # where a row is made and kept, not what it holds
        "simulations.studies.sweep_folder",
    }


def test_a_run_that_failed_is_played_again_and_is_no_result(
    school: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"

    def fails(*_: object, **__: object) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr(module, "run", fails)
    (row,) = sweep(quick(school), folder=folder)
    assert row["error"] == "MemoryError: no memory left"
    assert list(folder.glob("part-*.json")) == []
    monkeypatch.undo()
    (row,) = sweep(quick(school), folder=folder)
    assert row["digest"]


def test_a_worker_that_dies_is_a_run_that_failed(
    school: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "play", dies)
    (row,) = sweep(quick(school), workers=2)
    assert row["error"].startswith("BrokenProcessPool")


def dies(part: Part) -> SweepRow:
    os._exit(7)


def test_a_part_under_another_name_is_refused(school: Path, tmp_path: Path) -> None:
    """A file that was copied over another one, or an old one that was renamed."""
    folder = tmp_path / "kept"
    parts = quick(school)
    sweep(parts, folder=folder)
    (file,) = folder.glob("part-*.json")
    kept = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(kept | {"part": "other"}), "utf-8")
    with pytest.raises(StoreError, match="the run of another part"):
        sweep(parts, folder=folder)
    (folder / "sweep.json").write_text(json.dumps({"parts": [], "first": {}}), "utf-8")
    with pytest.raises(StoreError, match="by an earlier version"):
        sweep(parts, folder=folder)


def test_a_sweep_with_failures_ends_with_1_and_draws_nothing(school: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    words = ["sweep", str(school), "--vary", "adoption=1,7", "--seeds", "1", "--out", str(folder)]
    for key, value in (SHORT | {"duration_s": "60", "policy.minutes": "0.5"}).items():
        words += ["--set", f"{key}={value}"]
    done = CliRunner().invoke(simulate, words)
    assert done.exit_code == 1
    assert "1 of 2 runs failed" in str(done.exception)
    assert "people.adoption=7" in done.stderr
    assert "from 0 to 1" in done.stderr
    assert "Digest" not in done.stdout
    assert not (folder / "picture.png").exists()
    said = json.loads(CliRunner().invoke(simulate, [*words, "--json"]).stdout)
    assert said["digest"] is None
    with pytest.raises(StoreError, match="1 of its runs failed"):
        adoption_curve(folder)


def test_a_sweep_without_any_contact_draws_nothing(school: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    words = ["sweep", str(school), "--vary", "adoption=0.5,1", "--seeds", "1", "--out", str(folder)]
    done = CliRunner().invoke(simulate, [*words, "--set", "duration_s=10", "--set", "count=2"])
    assert done.exit_code == 0, done.output
    assert "No picture: nobody was in contact" in done.stderr
    assert not (folder / "picture.png").exists()


def test_the_table_shows_each_setting_whole(school: Path) -> None:
    words = ["sweep", str(school), "--vary", "adoption=0.123456,0.654321", "--seeds", "1"]
    done = CliRunner().invoke(simulate, [*words, "--set", "duration_s=10", "--set", "count=2"])
    assert "…" not in done.stdout
    first = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert {"adoption", "0.123456", "0.654321"} <= set(first)


def test_two_processes_do_not_play_into_one_folder(tmp_path: Path) -> None:
    place, busy = tmp_path / "sweep", "another process plays a sweep in"
    place.mkdir()

    def locked_by_another() -> int:
        descriptor = os.open(place, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor

    other = locked_by_another()
    with pytest.raises(StoreError, match=busy):
        SweepFolder(place).open({"a": 1}, ["part"])
    with pytest.raises(StoreError, match=busy), results_written_alone(place):
        pass
    os.close(other)
    first = SweepFolder(place)
    first.open({"a": 1}, ["part"])
    with pytest.raises(BlockingIOError):
        locked_by_another()
    # A notebook that stopped a sweep holds the old one still, and may go on.
    assert SweepFolder(place).open({"a": 1}, ["part"]) == {}
    with results_written_alone(place):
        del first
        with pytest.raises(BlockingIOError):
            locked_by_another()
    os.close(locked_by_another())
    assert [file.name for file in place.iterdir()] == ["sweep.json"]
