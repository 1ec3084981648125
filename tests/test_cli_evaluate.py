"""`tracetogether evaluate`: one table or one JSON list, everything else on stderr."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.scenes import line_scene
from tracetogether.cli.evaluate import evaluate
from tracetogether.errors import InvalidReadingsError, MissingExtraError
from tracetogether.evaluation.registry import REGISTRY
from tracetogether.evaluation.report import JSON_KEYS

COLUMNS = "distance=dist_m,scene=scenario"


def run(*arguments: str | Path | float) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def write_scenes(readings: Path, tracks: Path, seed: int) -> None:
    """Write three scenes of three people each, as two tables."""
    lines = ["scenario,t,rx,tx,rx_model,tx_model,rssi,tx_power,dist_m"]
    tracked = ["scenario,t,id,x,y"]
    for name, gap in (("hall", 1.0), ("yard", 1.4), ("train", 0.8)):
        seed += 1
        scene = line_scene(name, (0.0, gap, 4.0), minutes=16, noise_db=2.0, seed=seed)
        heard = scene.sightings
        rows = zip(
            heard.time.tolist(),
            heard.observer.to_list(),
            heard.peer.to_list(),
            heard.rssi_dbm.tolist(),
            scene.distance_m.tolist(),
            strict=True,
        )
        lines += [f"{name},{t:.3f},{a},{b},known,known,{r:.1f},,{d:.2f}" for t, a, b, r, d in rows]
        seen = zip(
            scene.tracks.time.tolist(),
            scene.tracks.person.to_list(),
            scene.tracks.x_m.tolist(),
            strict=True,
        )
        tracked += [f"{name},{t:.1f},{who},{x},0" for t, who, x in seen]
    readings.write_text("\n".join(lines) + "\n")
    tracks.write_text("\n".join(tracked) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recording")
    write_scenes(path / "readings.csv", path / "tracks.csv", seed=1)
    write_scenes(path / "other.csv", path / "other_tracks.csv", seed=7)
    table = "oem,device,model,rssi_correction,tx_power,confidence\nx,y,known,0,0,3\n"
    (path / "calibration.csv").write_text(table)
    return path


def measured(folder: Path, *options: str | Path | float) -> list[dict[str, object]]:
    result = run(
        folder / "readings.csv",
        "--columns",
        COLUMNS,
        "--tracks",
        folder / "tracks.csv",
        "--calibration",
        folder / "calibration.csv",
        "--json",
        *options,
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_json_has_a_row_for_each_estimator_logs_radius_and_window(folder):
    rows = measured(folder)
    assert all(list(row) == list(JSON_KEYS) for row in rows)
    assert {row["estimator"] for row in rows} == set(REGISTRY)
    asked = {(row["radius_m"], row["window_s"]) for row in rows}
    assert asked == {(1.5, 300.0), (1.5, 900.0), (2.0, 300.0), (2.0, 900.0)}
    assert len(rows) == 4 * sum(len(make().logs) for make in REGISTRY.values())
    by = {(r["estimator"], r["logs"], r["radius_m"], r["window_s"]): r for r in rows}
    near = by["mean-attenuation", "pair", 2.0, 900.0]
    assert near["auc"] == 1.0
    assert near["prevalence"] == pytest.approx(1 / 3)
    assert near["minutes_mae"] < 1.0
    assert near["precision_15min"] == 1.0
    assert near["recall_15min"] >= 2 / 3
    assert near["readings_per_s"] > 0
    for key in ("minutes_mae", "coverage90", "readings_per_s"):
        assert near[key] == by["mean-attenuation", "pair", 2.0, 300.0][key], key


def test_the_table_shows_all_of_them_whole(folder):
    names = ["constant", "mean-attenuation", "kalman", "bucket-swisscovid"]
    result = run(
        folder / "readings.csv",
        *("--columns", COLUMNS, "--tracks", folder / "tracks.csv"),
        *("--estimators", ",".join(names)),
    )
    assert result.exit_code == 0, result.output
    assert "…" not in result.stdout
    for name in names:
        assert result.stdout.count(f" {name} ") == 4 * len(REGISTRY[name]().logs)
    assert "3 scenes, each fitted on the others (3 folds)" in result.stdout


def test_a_choice_of_estimators_radii_and_windows(folder):
    options = ("--estimators", "robert, bucket-cwa", "--radius", 1.2, "--window", 60)
    rows = measured(folder, *options)
    assert [(row["estimator"], row["logs"]) for row in rows] == [
        ("robert", "own"),
        ("robert", "pair"),
        ("bucket-cwa", "own"),
        ("bucket-cwa", "pair"),
    ]
    assert {(row["radius_m"], row["window_s"]) for row in rows} == {(1.2, 60.0)}


def test_intervals_stand_beside_the_constants_whichever_estimators_are_chosen(folder):
    options = ("--radius", 2, "--window", 900)
    rows = measured(folder, "--estimators", "smoothed,constant", *options)
    constant = {row["logs"]: row["winkler"] for row in rows if row["estimator"] == "constant"}
    assert all(row["winkler_constant"] == constant[row["logs"]] > 0 for row in rows)
    (own, pair) = measured(folder, "--estimators", "smoothed", *options)
    assert own["winkler_constant"] == constant["own"]
    assert pair["winkler_constant"] == constant["pair"]
    assert own["winkler"] > 0


def test_by_how_much_others_are_worse_is_printed_and_in_json(folder):
    words = (folder / "readings.csv", "--columns", COLUMNS, "--tracks", folder / "tracks.csv")
    asked = ("--estimators", "constant,mean-attenuation", "--radius", 2, "--window", 900)
    result = run(*words, *asked, "--against", "mean-attenuation")
    assert result.exit_code == 0, result.output
    assert "Worse than mean-attenuation by (95 % interval)" in result.stdout
    found = json.loads(run(*words, *asked, "--against", "mean-attenuation", "--json").stdout)
    assert list(found) == ["rows", "worse_by"]
    by = {(part["logs"], part["measure"]): part for part in found["worse_by"]}
    rows = {(row["estimator"], row["logs"]): row for row in found["rows"]}
    errors = [rows[name, "own"]["minutes_mae"] for name in ("constant", "mean-attenuation")]
    assert by["own", "minutes_mae"]["worse_by"] == pytest.approx(errors[0] - errors[1])
    assert by["own", "winkler"]["worse_by"] is None  # mean attenuation has no intervals
    refused = run(*words, *asked, "--against", "kalman")
    assert refused.exit_code == 2
    assert "not among the estimators constant, mean-attenuation" in refused.stderr


def test_fitting_on_another_recording(folder):
    options = ("--estimators", "mean-attenuation", "--radius", 2, "--window", 900)
    fit = ("--fit-on", folder / "other.csv", "--fit-tracks", folder / "other_tracks.csv")
    for row in measured(folder, *options, *fit):
        assert row["ndcf"] == 0.0
        assert row["minutes_mae"] < 1.0
    fit = ("--fit-on", folder / "other.csv", "--fit-columns", "distance=dist_m")
    for row in measured(folder, *options, *fit):
        assert row["ndcf"] == 0.0


def test_a_recording_of_one_pair_per_file(tmp_path):
    chance = np.random.default_rng(0)
    lines, files = ["file_id,t,rssi,range_ft"], ["file_id,rx_model,n"]
    for number in range(6):
        feet = 4 if number % 2 else 14
        files.append(f"{number},Phone {number % 3},3")
        lines += [
            f"{number},{t},{-50 - 2 * feet + chance.integers(-3, 3)},{feet}"
            for t in range(0, 60, 2)
        ]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    (tmp_path / "f.csv").write_text("\n".join(files))
    result = run(
        tmp_path / "r.csv",
        "--columns",
        "scene=file_id,distance=range_ft[ft],observer=rx_model,observer_model=rx_model",
        "--join",
        f"{tmp_path / 'f.csv'}:file_id",
        *("--window", 60, "--radius", 2, "--estimators", "mean-attenuation", "--json"),
    )
    assert result.exit_code == 0, result.output
    row, _ = json.loads(result.stdout)
    assert row["n"] == 6
    assert row["auc"] == 1.0
    # Files last 58 s at one distance: the minutes within 2 m are those, or none.
    assert 0 <= row["minutes_mae"] < 0.2


def test_pictures(folder, tmp_path):
    result = run(
        folder / "readings.csv",
        *("--columns", COLUMNS, "--tracks", folder / "tracks.csv"),
        *("--estimators", "smoothed,mean-attenuation", "--radius", 2, "--window", 900),
        *("--pictures", tmp_path / "new" / "pictures"),
    )
    assert result.exit_code == 0, result.output
    drawn = sorted(path.name for path in (tmp_path / "new" / "pictures").iterdir())
    assert drawn == [
        f"{kind}-{logs}-2m.png"
        for kind in ("minutes", "reliability", "roc")
        for logs in ("own", "pair")
    ]
    assert "reliability-own-2m.png" in result.stdout.replace("\n", "")


def test_pictures_without_matplotlib_say_what_to_install(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(
        folder / "readings.csv",
        *("--columns", COLUMNS, "--estimators", "constant", "--pictures", tmp_path),
    )
    assert isinstance(result.exception, MissingExtraError)
    assert "tracetogether[plot]" in str(result.exception)


def test_troubles_go_to_stderr(folder, tmp_path):
    text = (folder / "readings.csv").read_text()
    broken = tmp_path / "broken.csv"
    broken.write_text(text + "hall,1600000000,a,b,m,m,127,,1\nhall,soon,a,b,m,m,-60,,1\n")
    result = run(broken, "--columns", COLUMNS, "--estimators", "constant", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)
    assert "dropped 1 readings: 1 with a stand-in for an unknown signal strength" in result.stderr
    assert "'soon'" in result.stderr
    strict = run(broken, "--columns", COLUMNS, "--estimators", "constant", "--strict")
    assert isinstance(strict.exception, InvalidReadingsError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "distanc=d"], "did you mean 'distance'"),
        (["--columns", "distance=d[yard]"], "no unit 'yard'"),
        (["--join", "files.csv"], "not FILE.csv:KEY"),
        (["--radius", "0"], "not above 0"),
        (["--window", "-5"], "not above 0"),
        (["--estimators", "kalmann"], "did you mean 'kalman'"),
        (["--fit-tracks", "t.csv"], "--fit-on, which is not given"),
        (["--track-columns", "x=x_m"], "--tracks, which is not given"),
    ],
)
def test_wrong_use(folder, options, message):
    result = run(folder / "readings.csv", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_what_cannot_be_done_says_what_and_how_to(folder):
    result = run(folder / "readings.csv")
    assert isinstance(result.exception, InvalidReadingsError)
    assert "--columns distance=" in str(result.exception)
    result = run(folder / "readings.csv", "--columns", "distance=dist_m")
    assert isinstance(result.exception, InvalidReadingsError)
    assert "--columns scene=" in str(result.exception)


def homes(path: Path) -> Path:
    """Write six files of one pair each: two homes, and a phone that was in both of them."""
    lines, files = ["id,t,rx,tx,rssi,dist_m"], ["id,file,home,phone"]
    for number in range(6):
        people = (f"a{number}", f"b{number}")
        scene = line_scene(str(number), (0.0, 1.0 + number % 2 * 3), minutes=4, seed=number)
        names = dict(zip(scene.sightings.observer.names, people, strict=True))
        rows = zip(
            scene.sightings.time.tolist(),
            scene.sightings.observer.to_list(),
            scene.sightings.peer.to_list(),
            scene.sightings.rssi_dbm.tolist(),
            scene.distance_m.tolist(),
            strict=True,
        )
        lines += [f"{number},{t:.1f},{names[a]},{names[b]},{r:.0f},{d}" for t, a, b, r, d in rows]
        phone = "lent" if number in {1, 2} else f"phone {number}"
        files.append(f"{number},logs/home{number // 2}/{number}.txt,home {number // 2},{phone}")
    (path / "pairs.csv").write_text("\n".join(lines))
    (path / "files.csv").write_text("\n".join(files))
    return path


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        # The numbers tell the homes' folders apart, and the lent phone connects two of them.
        ((), "file[folder] or home or rx or tx or phone (2 groups)."),
        (("--leave-out", "home"), "6 scenes, each fitted on the other of 3 groups (3 folds)"),
        (("--leave-out", "file[folder]"), "each fitted on the other of 3 groups (3 folds)"),
        (("--leave-out", "phone"), "each fitted on the other of 5 groups (5 folds)"),
        # The lent phone connects two of the homes.
        (("--leave-out", "home,phone"), "each fitted on the other of 2 groups (2 folds)"),
        (("--leave-out", "scene"), "each fitted on the others (6 folds)"),
        (("--leave-out", "observer"), "each fitted on the others (6 folds)"),
    ],
)
def test_scenes_that_share_a_column_are_left_out_together(tmp_path, left_out, said):
    folder = homes(tmp_path)
    result = run(
        folder / "pairs.csv",
        "--columns",
        "scene=id,distance=dist_m",
        "--join",
        f"{folder / 'files.csv'}:id",
        *left_out,
        "--estimators",
        "mean-attenuation",
        "--window",
        60,
    )
    assert result.exit_code == 0, result.output
    assert said in result.output
    assert "same people" not in result.output


def test_people_who_are_in_all_scenes_are_warned_of(folder):
    words = ("--columns", COLUMNS, "--estimators", "constant", "--radius", 2)
    assert "same people or phones" in run(folder / "readings.csv", *words).stderr
    named = run(folder / "readings.csv", *words, "--leave-out", "scenario")
    assert named.exit_code == 0
    assert "same people" not in named.stderr


def test_columns_that_connect_everything_or_do_not_exist_are_one_line(folder):
    words = (folder / "readings.csv", "--columns", COLUMNS, "--estimators", "constant")
    joined = run(*words, "--leave-out", "rx_model")
    assert "all scenes are connected" in str(joined.exception)
    missing = run(*words, "--leave-out", "hoem")
    said = str(missing.exception)
    assert "no column 'hoem'; it has: " in said
    assert said.endswith("name another with --leave-out COLUMN")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--join", "{}:hoem"), "--join FILE.csv:KEY"),
        (("--fit-on", "{}", "--fit-join", "{}:hoem"), "--fit-join FILE.csv:KEY"),
        (("--fit-on", "{}", "--fit-columns", "distance=hoem"), "--fit-columns distance=..."),
        (("--tracks", "{}", "--track-columns", "x=hoem"), "--track-columns x=..."),
    ],
)
def test_the_error_for_a_missing_column_names_the_option(folder, options, remedy):
    table = folder / "readings.csv"
    failure = run(table, "--columns", COLUMNS, *(word.format(table) for word in options)).exception
    assert isinstance(failure, InvalidReadingsError)
    assert "no column 'hoem'" in str(failure)
    assert str(failure).endswith(f"name another with {remedy}")
