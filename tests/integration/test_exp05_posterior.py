"""The posterior on the DP-3T recording exp05, each scene scored by a fit to the others."""

from pathlib import Path
from time import perf_counter

import pytest

from tracetogether.evaluation.fittable_posterior import FittablePosterior
from tracetogether.evaluation.folds import fit_on, leave_scenes_out
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.evaluation.recordings import read_recording
from tracetogether.evaluation.scoring import Question, evaluate
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed

pytestmark = pytest.mark.slow

QUESTION = Question((2.0,), (900.0,))
ONE_OR_TWO = frozenset({LogsUsed.OWN, LogsUsed.PAIR})


@pytest.fixture(scope="module")
def scenes(recordings: Path):
    folder = recordings / "dp3t_epfl"
    return read_recording(
        folder / "readings_exp05.csv.gz",
        RecordingLayout.parse("distance=dist_m,scene=scenario"),
        tracks=folder / "traj_exp05_2hz.csv.gz",
    ).scenes


def measured(recordings: Path, folds):
    table = recordings / "google_en_calibration" / "en-calibration-2020-12-14_measured.csv"
    rows = evaluate(
        [FittablePosterior(logs=ONE_OR_TWO)],
        folds,
        QUESTION,
        calibration=Calibration.load(table),
        clock=perf_counter,
    )
    return {row.logs: row for row in rows}


def test_one_log_and_two_rank_windows_and_tell_minutes(recordings, scenes):
    found = measured(recordings, leave_scenes_out(scenes))
    print({logs: (row.auc, row.ndcf, row.ece, row.minutes_mae) for logs, row in found.items()})
    assert found["own"].auc > 0.82
    assert found["own"].ndcf < 0.51
    assert found["own"].minutes_mae < 3.85
    assert found["pair"].auc > 0.845
    assert found["pair"].ndcf < 0.51
    assert found["pair"].minutes_mae < 3.65
    for row in found.values():
        assert row.ece < 0.035
        assert 0.86 < row.coverage90 < 0.94
        assert row.winkler < 15.3


def test_figures_built_in_tell_minutes_without_training(recordings, scenes):
    found = measured(recordings, fit_on((), scenes))
    assert found["own"].minutes_mae < 4.0
    assert found["pair"].minutes_mae < 3.6
    for row in found.values():
        assert abs(row.minutes_bias) < 0.7
        assert row.ece < 0.13
