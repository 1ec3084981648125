"""What holds for every estimator that can be evaluated, with any logs that it takes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scenes import CALIBRATION, line_scene, standing
from tracetogether.evaluation.alignment import TruePairs, TrueWindows
from tracetogether.evaluation.fittable_posterior import FittablePosterior
from tracetogether.evaluation.metrics import auc
from tracetogether.evaluation.protocols import Fitted, PairMinutes, WindowScores
from tracetogether.evaluation.registry import REGISTRY
from tracetogether.proximity.sampling import Effort
from tracetogether.proximity.scene import LogsUsed, Scene

CASES = [
    (name, logs) for name, make in REGISTRY.items() for logs in LogsUsed if logs in make().logs
]
every_case = pytest.mark.parametrize(("name", "logs"), CASES)

TRAINING = (
    line_scene("one", (0.0, 1.2, 3.0, 7.0), minutes=12.5, noise_db=3.0, seed=11),
    line_scene("two", (0.0, 0.8, 2.2, 4.0), minutes=12.5, noise_db=3.0, seed=12),
)
SCENE = line_scene("scored", (0.0, 1.0, 2.5, 6.0), minutes=12.5, noise_db=3.0, seed=14)


HASTE = Effort(chains=2, approach=30, moves=20)  # three people on a line are soon found


@pytest.fixture(scope="module")
def fitted() -> dict[str, Fitted]:
    estimators = {name: make() for name, make in REGISTRY.items()}
    estimators["posterior"] = FittablePosterior(effort=HASTE)
    return {
        name: estimator.fit(TRAINING, calibration=CALIBRATION)
        for name, estimator in estimators.items()
    }


def windows(estimator: Fitted, scene: Scene, logs: LogsUsed) -> WindowScores:
    return estimator.windows(scene, logs, window_s=300.0, within_m=2.0)


def keyed(found: WindowScores | PairMinutes, *columns: str) -> dict[tuple[object, ...], tuple]:
    number = getattr(found, "window", np.zeros(len(found))).tolist()
    keys = zip(found.observer.to_list(), found.peer.to_list(), number, strict=True)
    values = zip(*(getattr(found, column).tolist() for column in columns), strict=True)
    return dict(zip(keys, values, strict=True))


@every_case
def test_it_is_called_as_it_is_registered(name, logs):
    assert REGISTRY[name]().name == name


@every_case
def test_every_window_has_one_score(name, logs, fitted):
    found = windows(fitted[name], SCENE, logs)
    true = TrueWindows.of(SCENE, logs, 300.0)
    assert len(found) == len(true.windows)
    score, probability = true.scores(found)  # raises if one is missing
    assert np.isfinite(score).all()
    said = probability[~np.isnan(probability)]
    assert len(said) in {0, len(probability)}


@every_case
def test_near_windows_score_higher(name, logs, fitted):
    true = TrueWindows.of(SCENE, logs, 300.0)
    score, _ = true.scores(windows(fitted[name], SCENE, logs))
    if name == "constant":
        assert auc(score, true.near(2.0)) == 0.5
    elif name in {"bucket-immuni", "bucket-arizona"}:  # nearly all lies in one of their buckets
        assert auc(score, true.near(2.0)) > 0.3
    else:
        assert auc(score, true.near(2.0)) > 0.75


@every_case
def test_minutes_are_intervals_within_the_tracked_time(name, logs, fitted):
    found = fitted[name].minutes(SCENE, logs, within_m=2.0)
    true = TruePairs.of(SCENE, logs, 2.0)
    assert len(true.minutes) == (12 if logs is LogsUsed.OWN else 6)
    low, median, high = true.estimates(found)
    weight = 1.75 if name == "bucket-lfph" else 1.0
    assert np.all((median >= 0) & (median <= 13 * weight))
    said = ~np.isnan(low)
    assert np.all(low[said] <= median[said])
    assert np.all(median[said] <= high[said])


@every_case
def test_the_order_of_readings_plays_no_part(name, logs, fitted):
    order = np.random.default_rng(5).permutation(len(SCENE.sightings))
    shuffled = replace(
        SCENE, sightings=SCENE.sightings.take(order), distance_m=SCENE.distance_m[order]
    )
    one = keyed(windows(fitted[name], SCENE, logs), "score")
    other = keyed(windows(fitted[name], shuffled, logs), "score")
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert other[key] == pytest.approx(value, rel=1e-6, abs=1e-9), key
    one = keyed(fitted[name].minutes(SCENE, logs, within_m=2.0), "median")
    other = keyed(fitted[name].minutes(shuffled, logs, within_m=2.0), "median")
    assert one == {key: pytest.approx(value, rel=1e-6, abs=1e-9) for key, value in other.items()}


@every_case
def test_neither_true_distances_nor_positions_of_the_scored_scene_are_used(name, logs, fitted):
    elsewhere = replace(
        SCENE,
        distance_m=np.full(len(SCENE.sightings), 99.0),
        tracks=standing(("a", "b", "c", "d"), (0.0, 50.0, 100.0, 150.0), 12.5),
    )
    for columns in (("score",), ("probability",)):
        one = keyed(windows(fitted[name], SCENE, logs), *columns)
        other = keyed(windows(fitted[name], elsewhere, logs), *columns)
        assert one == {key: pytest.approx(v, nan_ok=True) for key, v in other.items()}
    one = keyed(fitted[name].minutes(SCENE, logs, within_m=2.0), "median")
    other = keyed(fitted[name].minutes(elsewhere, logs, within_m=2.0), "median")
    assert one == {key: pytest.approx(value) for key, value in other.items()}


@every_case
def test_asking_again_gives_the_same(name, logs, fitted):
    first = keyed(windows(fitted[name], SCENE, logs), "score")
    windows(fitted[name], TRAINING[0], logs)
    assert keyed(windows(fitted[name], SCENE, logs), "score") == first
