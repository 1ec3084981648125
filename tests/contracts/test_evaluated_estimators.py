"""What holds for every estimator that can be evaluated, with any logs that it takes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scenes import CALIBRATION, line_scene, standing
from tracetogether.evaluation.fittable_posterior import FittablePosterior
from tracetogether.evaluation.metrics import auc
from tracetogether.evaluation.protocols import Fitted, WindowScores
from tracetogether.evaluation.registry import REGISTRY
from tracetogether.evaluation.scene import Scene
from tracetogether.evaluation.truth import TruePairs, TrueWindows
from tracetogether.labels import Labels
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.encounters import ESTIMATORS, encounters
from tracetogether.proximity.sampling import Effort

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


@every_case
def test_it_is_called_as_it_is_registered(name, logs):
    assert REGISTRY[name]().name == name


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_name_means_one_model_in_estimate_and_in_evaluate(name):
    """Minutes of an evaluation are those of `encounters`, as far as both people were tracked."""
    found = REGISTRY[name]().fit((), calibration=CALIBRATION)
    evaluated = found.minutes(SCENE, LogsUsed.OWN, within_m=2.0).median
    listed = encounters(SCENE.sightings, estimator=name, calibration=CALIBRATION)
    assert len(listed) == len(evaluated)
    assert evaluated == pytest.approx(listed.minutes.median, abs=0.3)


@every_case
def test_every_window_has_one_score(name, logs, fitted):
    found = windows(fitted[name], SCENE, logs)
    true = TrueWindows.of(SCENE, logs, 300.0)
    assert len(found) == len(true.known)
    assert np.isfinite(found.score).all()
    given = found.probability[~np.isnan(found.probability)]
    assert len(given) in {0, len(found)}


@every_case
def test_near_windows_score_higher(name, logs, fitted):
    true = TrueWindows.of(SCENE, logs, 300.0)
    score, near = windows(fitted[name], SCENE, logs).score[true.known], true.distance_m <= 2.0
    if name in {"constant", "packet-count"}:  # everybody is received every ten seconds
        assert auc(score, near) == 0.5
    elif name in {"bucket-immuni", "bucket-arizona"}:  # nearly all lies in one of their buckets
        assert auc(score, near) > 0.3
    else:
        assert auc(score, near) > 0.75


@every_case
def test_minutes_are_intervals_within_the_tracked_time(name, logs, fitted):
    found = fitted[name].minutes(SCENE, logs, within_m=2.0)
    true = TruePairs.of(SCENE, logs, 2.0)
    assert len(true.minutes) == (12 if logs is LogsUsed.OWN else 6)
    assert len(found.median) == len(true.known)
    low, median, high = (column[true.known] for column in (found.low, found.median, found.high))
    weight = 1.75 if name == "bucket-lfph" else 1.0
    assert np.all((median >= 0) & (median <= 13 * weight))
    said = ~np.isnan(low)
    assert np.all(low[said] <= median[said])
    assert np.all(median[said] <= high[said])


@every_case
def test_the_order_of_readings_has_no_effect(name, logs, fitted):
    order = np.random.default_rng(5).permutation(len(SCENE.sightings))
    shuffled = replace(
        SCENE, sightings=SCENE.sightings.take(order), distance_m=SCENE.distance_m[order]
    )
    before, after = (windows(fitted[name], scene, logs).score for scene in (SCENE, shuffled))
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)
    before, after = (
        fitted[name].minutes(scene, logs, within_m=2.0).median for scene in (SCENE, shuffled)
    )
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)


@every_case
def test_the_order_of_names_plays_no_part(name, logs, fitted):
    """A table may name its people in any order: who comes first in it has no influence."""

    def turned(labels: Labels) -> Labels:
        return Labels((len(labels.names) - 1 - labels.codes).astype(np.int32), labels.names[::-1])

    heard = SCENE.sightings
    other = replace(
        SCENE, sightings=heard.replaced(observer=turned(heard.observer), peer=turned(heard.peer))
    )
    before, after = (windows(fitted[name], scene, logs).score for scene in (SCENE, other))
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)
    before, after = (
        fitted[name].minutes(scene, logs, within_m=2.0).median for scene in (SCENE, other)
    )
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)


@every_case
def test_neither_true_distances_nor_positions_of_the_scored_scene_are_used(name, logs, fitted):
    elsewhere = replace(
        SCENE,
        distance_m=np.full(len(SCENE.sightings), 99.0),
        tracks=standing(("a", "b", "c", "d"), (0.0, 50.0, 100.0, 150.0), 12.5),
    )
    before, after = (windows(fitted[name], scene, logs) for scene in (SCENE, elsewhere))
    assert after.score == pytest.approx(before.score)
    assert after.probability == pytest.approx(before.probability, nan_ok=True)
    before, after = (
        fitted[name].minutes(scene, logs, within_m=2.0).median for scene in (SCENE, elsewhere)
    )
    assert after == pytest.approx(before)


@every_case
def test_asking_again_gives_the_same(name, logs, fitted):
    first = windows(fitted[name], SCENE, logs).score.tolist()
    windows(fitted[name], TRAINING[0], logs)
    assert windows(fitted[name], SCENE, logs).score.tolist() == first
