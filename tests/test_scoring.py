"""Folds, alignment and measures: known answers, and no look at the scored scene."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from tests.scenes import CALIBRATION, line_scene
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.folds import MOST_FOLDS, fit_on, leave_scenes_out
from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.registry import REGISTRY, chosen_estimators
from tracetogether.evaluation.report import JSON_KEYS, json_rows
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.scoring import Question, evaluate
from tracetogether.evaluation.truth import TrueMinutes, mean_distance_m
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals
from tracetogether.units import Floats

SCENES = tuple(line_scene(f"s{n}", (0.0, 1.0, 3.0), minutes=16, seed=n) for n in range(3))


def ticking() -> float:
    ticking.now += 0.5
    return ticking.now


ticking.now = 0.0


@dataclass
class Oracle:
    """Knows the truth of every scene, and writes down what it was fitted on."""

    name: str = "oracle"
    logs: frozenset[LogsUsed] = frozenset(LogsUsed)
    learns: bool = True
    sign: float = 1.0
    fitted_on: list[tuple[str, ...]] = field(default_factory=list)
    scored: list[tuple[str, ...]] = field(default_factory=list)

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "Oracle":
        assert calibration is CALIBRATION
        self.fitted_on.append(tuple(scene.name for scene in scenes))
        return self

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        self.scored.append((self.fitted_on[-1], scene.name))
        distance = mean_distance_m(scene, SceneWindows.of(scene, logs, window_s))
        return WindowScores(-self.sign * distance, (distance <= within_m).astype(float))

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        _, near = TrueMinutes.of(scene.tracks, within_m).of_pairs(scene.pairs(logs))
        return Intervals(near - 1, near, near + 1)


def test_an_oracle_is_perfect():
    estimator = Oracle()
    rows = evaluate(
        [estimator], leave_scenes_out(SCENES), Question(), calibration=CALIBRATION, clock=ticking
    )
    assert [(row.logs, row.radius_m, row.window_s) for row in rows] == [
        (logs, radius, window)
        for logs in ("own", "pair", "all")
        for radius in (1.5, 2.0)
        for window in (300.0, 900.0)
    ]
    for row in rows:
        assert row.auc == 1.0
        assert row.ndcf == 0.0
        assert row.ece == 0.0
        assert row.minutes_mae == row.minutes_bias == 0.0
        assert row.minutes_r == pytest.approx(1.0)
        assert row.coverage90 == 1.0
        assert row.precision_15min == row.recall_15min == 1.0
        assert np.isnan(row.precision_policy)  # nobody was near for half an hour
    own = rows[1]
    # Six directed pairs, two of them within 1.5 m (a and b), over three scenes of 16 minutes.
    windows = len(np.unique(np.floor(SCENES[0].sightings.time / 900)))
    assert own.n == 3 * 6 * windows
    assert own.prevalence == pytest.approx(1 / 3)
    assert own.pairs == 18
    assert rows[5].pairs == 9


def test_nothing_is_fitted_on_a_scene_that_is_scored_by_it():
    estimator = Oracle()
    evaluate(
        [estimator], leave_scenes_out(SCENES), Question(), calibration=CALIBRATION, clock=ticking
    )
    assert estimator.fitted_on == [("s1", "s2"), ("s0", "s2"), ("s0", "s1")]


def test_thresholds_come_from_the_training_scenes():
    """Where the scored scene's levels are shifted, an honest threshold fails and AUC does not."""
    louder = line_scene("loud", (0.0, 1.0, 3.0), minutes=16)
    louder = Scene(
        "loud",
        louder.sightings.replaced(rssi_dbm=louder.sightings.rssi_dbm + 30),
        louder.distance_m,
        louder.tracks,
    )
    (row,) = evaluate(
        chosen_estimators(["bucket-cwa"]),
        fit_on(SCENES, (louder,)),
        Question((2.0,), (900.0,)),
        calibration=CALIBRATION,
        clock=ticking,
    )[:1]
    assert row.ndcf == pytest.approx(1.0, abs=0.3)
    (row,) = evaluate(
        chosen_estimators(["mean-attenuation"]),
        fit_on(SCENES, (louder,)),
        Question((2.0,), (900.0,)),
        calibration=CALIBRATION,
        clock=ticking,
    )[:1]
    assert row.auc == 1.0
    assert row.ndcf == 1.0  # everybody seems near


def test_a_wrong_way_round_estimator_is_worse_than_nothing():
    estimator = Oracle(sign=-1.0)
    row = evaluate(
        [estimator], leave_scenes_out(SCENES), Question(), calibration=CALIBRATION, clock=ticking
    )[0]
    assert row.auc == 0.0
    assert row.ndcf >= 1.0


def test_speed_is_readings_over_the_time_of_scoring_each_scene_once_more():
    rows = evaluate(
        [Oracle()],
        leave_scenes_out(SCENES),
        Question((2.0,), (900.0,)),
        calibration=CALIBRATION,
        clock=ticking,
    )
    assert rows[0].readings_per_s == pytest.approx(len(SCENES[0].sightings) / 0.5)


@pytest.mark.slow
def test_all_estimators_stand_side_by_side_with_exactly_these_keys():
    rows = evaluate(
        chosen_estimators(
            [name for name in REGISTRY if name != "posterior"]
        ),  # the command's test has it
        leave_scenes_out(SCENES),
        Question((2.0,), (900.0,)),
        calibration=CALIBRATION,
        clock=ticking,
    )
    plain = json_rows(rows)
    assert {row["estimator"] for row in plain} == set(REGISTRY) - {"posterior"}
    assert all(tuple(row) == JSON_KEYS for row in plain)
    by_name = {(row["estimator"], row["logs"]): row for row in plain}
    assert by_name["mean-attenuation", "own"]["ece"] is None
    assert by_name["mean-attenuation", "own"]["auc"] == 1.0
    assert by_name["constant", "all"]["ndcf"] == 1.0
    assert by_name["kalman", "pair"]["minutes_mae"] is not None


def without_tracks(scene: Scene, distance_m: Floats) -> Scene:
    return Scene(scene.name, scene.sightings, distance_m)


def test_people_who_move_without_tracks_have_no_minutes():
    """Their distance is another one at each reading: nobody knows how long it lasted."""
    chance = np.random.default_rng(4)
    moving = [
        without_tracks(scene, scene.distance_m * chance.uniform(0.9, 1.1, len(scene.distance_m)))
        for scene in SCENES
    ]
    rows = evaluate(
        chosen_estimators(["constant", "smoothed"]),
        leave_scenes_out(moving),
        Question((2.0,), (900.0,)),
        calibration=CALIBRATION,
        clock=ticking,
    )
    for row in json_rows(rows):
        assert row["minutes_mae"] is row["coverage90"] is row["recall_15min"] is None
        assert row["auc"] is not None


def test_at_fixed_distances_the_minutes_are_those_of_tracks_without_any():
    """All who can be evaluated get the same truth, and nearly the same errors."""
    names = ["constant", "mean-attenuation", "smoothed", "posterior", "kalman", "robert"]
    errors = []
    for scenes in (SCENES, [without_tracks(scene, scene.distance_m) for scene in SCENES]):
        rows = evaluate(
            [replace(made, logs=frozenset({LogsUsed.OWN})) for made in chosen_estimators(names)],
            leave_scenes_out(scenes),
            Question((2.0,), (900.0,)),
            calibration=CALIBRATION,
            clock=ticking,
        )
        assert {row.pairs for row in rows} == {18}
        errors.append([row.minutes_mae for row in rows])
    assert errors[1] == pytest.approx(errors[0], abs=0.4)


def test_a_window_without_a_score_is_refused():
    class Short(Oracle):
        def windows(self, scene, logs, *, window_s, within_m):
            found = super().windows(scene, logs, window_s=window_s, within_m=within_m)
            return WindowScores(found.score[1:], found.probability[1:])

    with pytest.raises(ValueError, match="oracle gives 11 scores for 12 windows"):
        evaluate(
            [Short(logs=frozenset({LogsUsed.PAIR}))],
            leave_scenes_out(SCENES),
            Question((2.0,), (300.0,)),
            calibration=CALIBRATION,
            clock=ticking,
        )


def test_many_scenes_are_left_out_in_tenths():
    scenes = [Scene(str(n), SCENES[0].sightings) for n in range(MOST_FOLDS + 5)]
    folds = leave_scenes_out(scenes)
    assert len(folds) == 10
    scored = [scene.name for fold in folds for scene in fold.scored]
    assert sorted(scored) == sorted(scene.name for scene in scenes)
    for fold in folds:
        assert not set(fold.scored) & set(fold.training)
        assert len(fold.scored) + len(fold.training) == len(scenes)


def test_one_scene_alone_is_refused():
    with pytest.raises(InvalidReadingsError, match="--fit-on"):
        leave_scenes_out(SCENES[:1])


def test_unknown_estimators_are_refused():
    assert [estimator.name for estimator in chosen_estimators(["robert", "kalman", "robert"])] == [
        "robert",
        "kalman",
    ]
    with pytest.raises(InvalidReadingsError, match="did you mean 'kalman'"):
        chosen_estimators(["calman"])
