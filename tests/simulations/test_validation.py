import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from simulations.people.trajectories import load_tracks
from simulations.places.venue import Posture
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from simulations.studies.channel_statistics import channel_spread_db, quantiles, turning_db
from simulations.studies.replay import load_readings
from simulations.studies.validation import MEASURED, ComparedStatistic, validate_channel
from tracetogether.cli.simulate import simulate
from tracetogether.errors import InvalidReadingsError, TraceTogetherError
from tracetogether.evaluation.metrics import auc


def call(*words: str | Path, fails: type[TraceTogetherError] | None = None) -> Result:
    done = CliRunner().invoke(simulate, ["validate", *(str(word) for word in words)])
    if fails is None:
        assert done.exit_code == 0, done.output
    else:
        assert isinstance(done.exception, fails), done.output
    return done


@pytest.fixture(scope="module")
def rows(carriage: Scenario) -> dict[str, ComparedStatistic]:
    return {row.statistic: row for row in validate_channel(carriage, seeds=(0, 1))}


@pytest.mark.parametrize("statistic", [name for name, *_ in MEASURED])
def test_the_channel_lies_in_the_measured_ranges(
    rows: dict[str, ComparedStatistic], statistic: str
) -> None:
    row = rows[statistic]
    assert row.ok, row
    assert row.low < row.high
    assert row.to_json()["ok"] is True


def test_the_channel_command_prints_what_it_found(rows: dict[str, ComparedStatistic]) -> None:
    said = json.loads(call("channel", "--seeds", "1", "--json").stdout)
    assert [row["statistic"] for row in said] == list(rows)
    assert set(said[0]) >= {"statistic", "simulated", "measured", "low", "high", "ok"}


def test_a_row_out_of_its_range_is_not_ok() -> None:
    assert not ComparedStatistic("x", 3.0, 1.0, 0.0, 2.0, "s").ok
    assert not ComparedStatistic("x", float("nan"), 1.0, 0.0, 2.0, "s").ok
    assert ComparedStatistic("x", 2.0, 1.0, 0.0, 2.0, "s").ok


def test_statistics_by_hand() -> None:
    level = np.array([1.0, 3.0, 10.0, 5.0, 0.0, 0.0])
    channel, group = np.array([0, 0, 1, 2, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    assert channel_spread_db(level, channel, group) == 8.0  # 2, 10 and 5; group 1 lacks one
    assert turning_db(np.array([1.0, 2.0, 7.0]), np.array([0, 0, 3])) == 5.5
    assert auc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])) == 0.875
    assert quantiles(np.arange(11.0)) == (1.0, 5.0, 9.0)
    assert np.isnan(quantiles(np.empty(0))).all()


def write(path: Path, header: str, lines: list[str]) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """Six people: one walks by, the others stand 0.7 m apart, for twenty minutes."""
    lines = []
    for half in range(2400):
        t = 1000 + half / 2
        lines += [f"hall,{t},p{person},{0.7 * person},0" for person in range(5)]
        lines.append(f"hall,{t},walker,{0.5 * half / 2 - 60},2")
    return write(tmp_path / "tracks.csv", "scenario,t,id,x,y", lines)


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    chance = np.random.Generator(np.random.Philox(1))
    lines = []
    for _ in range(4000):
        tx, rx = chance.choice(5, 2, replace=False)
        d = 0.7 * abs(tx - rx)
        rssi = round(-80 - 15 * np.log10(d) + 6 * chance.normal())
        lines.append(f"hall,{1000 + 1199 * chance.random():.2f},p{rx},p{tx},{rssi},{d:.2f}")
    lines += ["hall,1001,p0,p1,127,0.7", "hall,1001,p0,p1,-60,", "hall,1001,p0,p1,-60,-1"]
    return write(tmp_path / "readings.csv", "scenario,t,rx,tx,rssi,dist_m", lines)


def test_tracks_from_a_table(tracks: Path, carriage: Scenario) -> None:
    (hall,) = load_tracks(tracks, {}, carriage.people, Streams(0))
    assert (hall.scene, hall.begin_s) == ("hall", 1000.0)
    assert sorted(hall.names) == ["p0", "p1", "p2", "p3", "p4", "walker"]
    assert hall.tracks.ticks == 1201
    walker = hall.names.index("walker")
    assert np.allclose(np.diff(hall.tracks.xy[walker, :299, 0]), 0.5, atol=1e-5)
    assert (hall.tracks.posture[walker, 1:298] == Posture.WALKING).all()
    assert np.allclose(hall.tracks.facing[walker, 1:298], 0.0, atol=1e-3)
    assert (hall.tracks.posture[hall.names.index("p0"), :299] == Posture.STANDING).all()


def test_a_gap_in_a_track_is_an_absence(tmp_path: Path, carriage: Scenario) -> None:
    lines = [f"{t},a,0,0" for t in (0, 1, 2, 30, 31)]
    file = write(tmp_path / "gap.csv", "t,id,x,y", lines)
    (scene,) = load_tracks(file, {}, carriage.people, Streams(0))
    there = scene.tracks.present()[0]
    assert there[[0, 1, 2, 30, 31]].all()
    assert not there[3:30].any()


def test_readings_without_truth_are_left_out(readings: Path) -> None:
    found = load_readings(readings, {})
    assert len(found.rssi_dbm) == 4000
    assert found.distance_m.min() > 0
    assert found.rssi_dbm.max() < 0


def test_replay_compares_by_distance(tracks: Path, readings: Path) -> None:
    words = ("replay", "--trajectories", tracks, "--readings", readings, "--seeds", "1")
    said = {row["statistic"]: row for row in json.loads(call(*words, "--json").stdout)}
    near, far = said["rssi_q50_0_1m_dbm"], said["rssi_q50_2_3m_dbm"]
    assert near["measured"] == pytest.approx(-78, abs=1)
    assert near["simulated"] > far["simulated"]
    assert said["threshold_auc_2m"]["measured"] > 0.6
    assert "threshold_auc_2m" in call(*words, "--columns", "scene=scenario,t=t,id=id").stdout


def test_what_goes_wrong(tracks: Path, readings: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "o.csv", "scenario,t,rx,tx,rssi,dist_m", ["x,1,a,b,-60,1"] * 3)
    words = ("replay", "--trajectories", tracks, "--readings")
    done = call(*words, other, "--seeds", "1", fails=InvalidReadingsError)
    assert "in common" in str(done.exception)
    call(*words, tracks, fails=InvalidReadingsError)
    empty = write(tmp_path / "e.csv", "t,id,x,y", [])
    call("replay", "--trajectories", empty, "--readings", readings, fails=InvalidReadingsError)
    wrong = ["validate", *(str(word) for word in words), str(readings), "--columns", "scen=x"]
    done = CliRunner().invoke(simulate, wrong)
    assert done.exit_code == 2
    assert "did you mean 'scene'?" in done.output


@pytest.mark.slow
def test_exp05_through_the_channel(recordings: Path) -> None:
    """Twenty people's recorded tracks; nothing in the channel was fitted to these readings."""
    table = recordings / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    folder = recordings / "dp3t_epfl"
    words = (
        *("replay", "--trajectories", folder / "traj_exp05_2hz.csv.gz"),
        *("--readings", folder / "readings_exp05.csv.gz", "--calibration", table, "--json"),
    )
    said = {row["statistic"]: row for row in json.loads(call(*words).stdout)}
    medians = [row for name, row in said.items() if name.startswith("rssi_q50")]
    assert len(medians) == 6
    assert all(row["ok"] for row in medians), medians
    rule = said["threshold_auc_2m"]
    assert rule["measured"] == pytest.approx(0.735, abs=0.005)
    assert rule["ok"], rule


def test_a_recording_takes_the_place_of_the_published_figures(recordings: Path) -> None:
    file = recordings / "dp3t_epfl" / "readings_exp05.csv.gz"
    said = json.loads(call("channel", "--seeds", "1", "--readings", file, "--json").stdout)
    row = next(row for row in said if row["statistic"] == "exponent")
    assert row["source"] == str(file)
    assert 0.97 < row["measured"] < 1.98


def test_people_who_stand_together_face_each_other(tmp_path: Path, carriage: Scenario) -> None:
    """No camera saw where people looked; who stands a metre from another looks that way."""
    places = {"a": (0, 0), "b": (1, 0), "c": (30, 0)}
    lines = [f"{t},{who},{x},{y}" for t in range(300) for who, (x, y) in places.items()]
    (scene,) = load_tracks(
        write(tmp_path / "talk.csv", "t,id,x,y", lines), {}, carriage.people, Streams(0)
    )
    facing = {who: scene.tracks.facing[scene.names.index(who)] for who in places}
    assert np.cos(facing["a"]).min() > 0.8
    assert np.cos(facing["b"] - np.pi).min() > 0.8
    assert np.ptp(facing["c"]) > 0.4  # alone, it looks about
