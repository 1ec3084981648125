"""P(near) and distance by time: what they add up to, and how the command prints and draws them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tracetogether import Sightings, encounters, encounters_by_time
from tracetogether.cli.estimate import estimate
from tracetogether.proximity.encounters import ESTIMATORS
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import Slots
from tracetogether.units import Floats

START = 1_600_000_000.0


def approach() -> Sightings:
    """Half an hour with ben: far, then near, then far again; and a single reading of cat."""
    minutes = np.arange(0, 30, 0.5)
    level = np.where((minutes >= 10) & (minutes < 20), -52.0, -88.0)
    return Sightings.from_columns(
        time=np.append(START + 60 * minutes, START + 30),
        observer=["anna"] * 61,
        peer=["ben"] * 60 + ["cat"],
        rssi_dbm=np.append(level, -80.0),
    )


def test_near_is_likelier_while_the_signal_is_strong() -> None:
    moments = encounters_by_time(approach())
    ben = moments.encounter == 0
    minute = (moments.start_s[ben] - START) / 60
    close = (minute >= 12) & (minute < 18)
    away = (minute < 7) | (minute > 23)
    chance, median = moments.chance[ben], moments.distance_m.median[ben]
    assert chance[close].min() > chance[away].max() + 0.1
    assert median[close].max() < median[away].min()
    assert len(moments) == 61
    assert [moment.peer for moment in moments][-1] == "cat"


@pytest.mark.parametrize("name", ["single-log", "smoothed"])
def test_chance_and_distance_are_of_one_distribution(name: str) -> None:
    for radius in (0.7, 2.0, 5.0):
        moments = encounters_by_time(approach(), within_m=radius, estimator=name)
        low, median, high = (getattr(moments.distance_m, end) for end in ("low", "median", "high"))
        assert np.all((low < median) & (median < high))
        assert np.all(
            (moments.chance >= 0.5)[np.abs(moments.chance - 0.5) > 0.02]
            == (median <= radius)[np.abs(moments.chance - 0.5) > 0.02]
        )


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_moments_are_the_half_minutes_of_the_encounters(name: str) -> None:
    found = encounters(approach(), estimator=name)
    moments = encounters_by_time(approach(), estimator=name)
    for row in range(len(found)):
        which = moments.encounter == row
        assert moments.start_s[which].min() == found.start_s[row]
        assert moments.start_s[which].max() <= found.end_s[row]
        assert np.all(np.diff(moments.start_s[which]) >= 30)
        minutes = float((moments.seconds * moments.chance)[which].sum()) / 60
        assert found.minutes.low[row] - 1e-9 <= minutes <= found.minutes.high[row] + 1e-9
    assert np.all((moments.chance >= 0) & (moments.chance <= 1))
    assert np.isnan(moments.distance_m.median).any() == name.startswith("bucket-")


def test_no_sightings_give_no_moments() -> None:
    nothing = approach().take(slice(0, 0))
    assert len(encounters_by_time(nothing)) == 0


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    file, log = tmp_path / "readings.csv", approach()
    rows = zip(log.time.tolist(), log.peer.to_list(), log.rssi_dbm.tolist(), strict=True)
    lines = "".join(f"{time:.0f},anna,{peer},{level:g}\n" for time, peer, level in rows)
    file.write_text("t,rx,tx,rssi\n" + lines)
    return file


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(estimate, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


def test_the_command_prints_every_half_minute(readings: Path) -> None:
    rows = json.loads(run(readings, "--by-time", "--json").stdout)
    lines = list(csv.DictReader(io.StringIO(run(readings, "--by-time").stdout)))
    assert len(rows) == len(lines) == 61
    assert [float(line["chance_near"]) for line in lines] == [row["chance_near"] for row in rows]
    assert (
        list(rows[0])
        == list(lines[0])
        == [
            *("observer", "peer", "start_s", "seconds", "chance_near"),
            *("distance_m", "distance_low_m", "distance_high_m"),
        ]
    )
    rule = json.loads(run(readings, "--by-time", "--json", "--estimator", "bucket-cwa").stdout)
    assert {row["distance_m"] for row in rule} == {None}


def test_the_command_draws_p_near_over_time(readings: Path, tmp_path: Path) -> None:
    picture = tmp_path / "near.svg"
    assert "encounters" in run(readings, "--plot", picture).stdout
    text = picture.read_text()
    assert "anna – ben" in text
    assert "likely within 2 m for 15 min or more" in text
    assert "anna – cat" in text
    done = CliRunner().invoke(estimate, [str(readings), "--plot", str(tmp_path / "near.doc")])
    assert "end its name in" in str(done.exception)


def test_the_distances_of_encounters_are_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances need P(near) at many radii; what an encounter keeps does not depend on them."""
    weighed = []
    weigh = SingleLogPosterior._weighed

    def counted(self: SingleLogPosterior, slots: Slots) -> Floats:
        weighed.append(len(slots))
        return weigh(self, slots)

    monkeypatch.setattr(SingleLogPosterior, "_weighed", counted)
    encounters_by_time(approach())
    assert weighed == [2]
