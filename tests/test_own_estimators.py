"""An estimator of one's own goes wherever the shipped ones go."""

import importlib
import pkgutil

import numpy as np
import polars as pl
import pytest

import tracetogether
from tracetogether import ShareEstimator, Sightings, encounters, encounters_by_time, evaluation
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation import evaluate_recording, read_recording
from tracetogether.evaluation.report import JSON_KEYS

NEAR = ShareEstimator("near", lambda slots, within_m: slots.attenuation_db < 20 * within_m)
HEARD = Sightings.from_columns(
    time=np.tile(np.arange(0.0, 1200.0, 20.0), 2),
    peer=["ben"] * 60 + ["cem"] * 60,
    rssi_dbm=np.repeat([-50.0, -80.0], 60),
    tx_power_dbm=np.full(120, -21.0),
)


@pytest.fixture
def recording(tmp_path):
    lines = [
        f"{t},{scene},ann{scene},{peer}{scene},{level - t % 3},{metres}"
        for scene in (1, 2, 3)
        for peer, level, metres in (("ben", -50, 1.0), ("cem", -80, 5.0))
        for t in range(0, 1200, 20)
    ]
    path = tmp_path / "recording.csv"
    path.write_text("\n".join(["t,scene,rx,tx,rssi,distance", *lines]))
    return read_recording(str(path), "time=t[s]")


def test_it_counts_the_time_of_the_slots_that_it_calls_near():
    everything = ShareEstimator("all", lambda slots, _: np.ones(len(slots.time_s)))
    nothing = ShareEstimator("none", lambda slots, _: np.zeros(len(slots.time_s), dtype=bool))
    whole, none = (encounters(HEARD, estimator=own).minutes for own in (everything, nothing))
    assert (whole.median > 19).all()
    assert (whole.low <= whole.median).all()
    assert (whole.median < whole.high).all()
    assert none.high.tolist() == [0.0, 0.0]
    narrow, wide = (encounters(HEARD, estimator=NEAR, within_m=m) for m in (2.0, 6.0))
    assert (narrow.minutes.median > 0).tolist() == [True, False]
    assert (wide.minutes.median > 0).tolist() == [True, True]
    moments = encounters_by_time(HEARD, estimator=NEAR, within_m=2.0)
    assert set(moments[moments.peer == "ben"].chance.tolist()) == {1.0}
    assert set(moments[moments.peer == "cem"].chance.tolist()) == {0.0}


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (lambda _slots, _: np.ones(3), r"own: .*shape \(3,\).* for each of the \d+ slots"),
        (lambda slots, _: np.full(len(slots.time_s), 1.5), "own: each share .* from 0 to 1"),
        (lambda slots, _: np.full(len(slots.time_s), np.nan), "own: each share .* from 0 to 1"),
    ],
    ids=["too few", "above 1", "NaN"],
)
def test_a_wrong_answer_is_refused_by_name(share, message):
    with pytest.raises(ValueError, match=message):
        encounters(HEARD, estimator=ShareEstimator("own", share))


def test_it_is_scored_beside_the_shipped_ones(recording):
    asked = {"radii_m": [2.0], "windows_s": [300.0, 900.0]}
    rows = evaluate_recording(recording, ["constant", "single-log", NEAR], **asked)
    frame = pl.DataFrame(rows)
    assert frame.columns == list(JSON_KEYS[:-1])
    assert len(frame) == len(rows) == 2 * (3 + 2 + 2)  # logs: own, pair, and all for the constant
    by_name = {(row.estimator, row.logs): row for row in rows if row.window_s == 300.0}
    assert by_name["near", "own"].auc == 1.0
    assert by_name["near", "own"].ndcf == 0.0
    assert by_name["near", "pair"].ece == 0.0
    assert by_name["constant", "own"].auc == 0.5
    assert frame["readings_per_s"].is_null().all()  # no clock was given
    beside = rows.to_pandas().set_index(["estimator", "logs", "window_s"])["auc"]
    assert beside["near", "own", 300.0] == 1.0
    assert "single-log" in rows._repr_html_()
    assert rows[0] is next(iter(rows))


def test_wrong_questions_are_refused(recording):
    with pytest.raises(InvalidReadingsError, match="did you mean 'single-log'"):
        evaluate_recording(recording, ["singlelog"])
    with pytest.raises(ValueError, match="'near'"):
        evaluate_recording(recording, [NEAR, NEAR])
    with pytest.raises(ValueError, match="radius must be above 0"):
        evaluate_recording(recording, [NEAR], radii_m=[0.0])
    with pytest.raises(ValueError, match="window must be above 0"):
        evaluate_recording(recording, [NEAR], windows_s=[])


def test_it_may_be_fitted_on_another_recording(recording):
    (row,) = [
        row
        for row in evaluate_recording(
            recording, ["constant"], radii_m=[2.0], windows_s=[300.0], fit_on=recording
        )
        if row.logs == "own"
    ]
    assert row.ece == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("package", [tracetogether, evaluation])
def test_completion_lists_the_public_names_alone(package):
    listed = set(dir(package))
    modules = {info.name for info in pkgutil.iter_modules(package.__path__)}
    assert set(package.__all__) <= listed
    assert (listed - set(package.__all__)) <= {"__version__"}
    assert not listed & (modules - set(package.__all__))
    for name in package.__all__:
        assert getattr(package, name).__module__.startswith("tracetogether") or name.isupper()
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module(package.__name__).nothing  # noqa: B018
