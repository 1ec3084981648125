"""A project of somebody else that uses the library passes `mypy --strict`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tracetogether

PROJECT = """
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from tracetogether import (
    Encounter,
    Encounters,
    Interval,
    Labels,
    Moments,
    ShareEstimator,
    Sighting,
    Sightings,
    Slots,
    encounters,
    encounters_by_time,
)
from tracetogether.evaluation import EvaluationRows, evaluate_recording, read_recording


def near(slots: Slots, within_m: float) -> npt.NDArray[np.float64]:
    return (slots.attenuation_db < 20 * within_m).astype(np.float64)


def minutes(table: pd.DataFrame) -> pd.DataFrame:
    heard = Sightings.from_columns(
        time=table["t"], peer=table["tx"].to_numpy(), rssi_dbm=table["rssi"].tolist()
    )
    first: Sighting = heard[0]
    strong: Sightings = heard[heard.rssi_dbm > first.rssi_dbm]
    peers: Labels = strong.peer[strong.peer == "ben"]
    name: str | None = peers[0]
    found: Encounters = encounters(strong, estimator=ShareEstimator("own", near))
    moments: Moments = encounters_by_time(heard[:10], estimator=ShareEstimator("own", near))
    spans: list[Interval] = [encounter.minutes for encounter in found]
    last: Encounter = found[-1]
    print(name, spans, last, moments[np.array([0])].chance.mean(), list(peers))
    return found[found.minutes.median > 5].to_pandas()


def compared(path: Path) -> EvaluationRows:
    own = ShareEstimator("own", near)
    return evaluate_recording(read_recording(path, "scene=room"), ["all", own])


auc: list[float] = [row.auc for row in compared(Path("readings.csv"))]
"""

MISUSE = """
from tracetogether import Sightings, Sightngs, encounters

found = encounters(Sightings.from_columns(time=[0.0], peer=["ben"], rssi_dbm=[-60]), within_m="2")
found[0].minuts
"""


@pytest.mark.slow  # mypy reads numpy and pandas first
def test_an_outside_project_is_checked_strictly(tmp_path: Path) -> None:
    assert Path(tracetogether.__file__).with_name("py.typed").is_file()
    (tmp_path / "project.py").write_text(PROJECT)
    (tmp_path / "misuse.py").write_text(MISUSE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull,
         "--python-executable", sys.executable, "project.py", "misuse.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    faults = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[0] for line in faults] == ["misuse.py"] * 3, done.stdout + done.stderr
    assert 'has no attribute "Sightngs"' in faults[0]
    assert "[arg-type]" in faults[1]
    assert '"Encounter" has no attribute "minuts"' in faults[2]
