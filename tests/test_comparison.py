"""Which estimators are best, or level with the best."""

from dataclasses import replace

import numpy as np
import pytest

from tests.scenes import line_scene
from tracetogether.errors import InvalidReadingsError
from tracetogether.evaluation.comparison import COMPARED, best_or_level, differences
from tracetogether.evaluation.folds import connected_groups, leave_groups_out, leave_scenes_out
from tracetogether.evaluation.metrics import DurationScores, auc, calibration_error, ndcf
from tracetogether.evaluation.scoring import EstimatorScores, MinutesOutcome, WindowOutcome
from tracetogether.labels import Labels

GROUPS = 8


def row(name: str, noise: float, *, groups: int = GROUPS, seed: int = 0) -> EstimatorScores:
    """Return a row whose scores are the truth with some noise."""
    chance = np.random.default_rng([seed, len(name)])
    shared = np.random.default_rng(99)
    group = np.repeat(np.arange(groups), 60)
    near = shared.random(len(group)) < 0.4
    hard = shared.normal(size=groups)[group]  # a scene is hard for everybody
    score = near + 0.6 * hard + noise * chance.normal(size=len(group))
    probability = np.clip(0.5 + (score - 0.5) / 4, 0, 1)
    true = 30 * near.astype(float)
    said = true + 5 * noise * chance.normal(size=len(group))
    low, high = said - 4, said + 4
    windows = WindowOutcome(score, probability, score > 0.5, near, group)
    minutes = MinutesOutcome(low, said, high, true, group)
    scores = DurationScores.of(low, said, high, true)
    return EstimatorScores(
        estimator=name,
        logs="own",
        radius_m=2.0,
        window_s=900.0,
        n=len(near),
        prevalence=0.4,
        auc=auc(score, near),
        ndcf=ndcf(score > 0.5, near),
        ece=calibration_error(probability, near),
        coverage90=scores.coverage90,
        minutes_mae=scores.mae,
        minutes_bias=scores.bias,
        minutes_r=scores.r,
        precision_15min=1.0,
        recall_15min=1.0,
        readings_per_s=1.0,
        precision_policy=1.0,
        recall_policy=1.0,
        winkler=scores.winkler,
        pairs=len(near),
        windows=windows,
        minutes=minutes,
    )


def test_a_clear_winner_stands_alone_and_an_equal_one_is_level() -> None:
    good, equal, bad = row("good", 0.3), row("equal", 0.3), row("much worse", 3.0)
    marks = best_or_level([good, equal, bad])
    for measure in ("auc", "ndcf", "minutes_mae", "winkler"):
        assert measure in marks[0], measure
        assert measure in marks[1], measure
        assert measure not in marks[2], measure


def test_every_column_of_a_measure_is_marked() -> None:
    """Of a good and a bad row, the good one is best in all that tells them apart."""
    marks = best_or_level([row("good", 0.3), row("much worse", 3.0)])
    assert marks[0] >= COMPARED - {"minutes_bias", "coverage90"}
    assert not marks[1] & {"minutes_r", "precision_15min", "recall_15min"}


def test_a_difference_has_the_sign_and_the_interval_of_a_loss() -> None:
    rows = [row("good", 0.3), row("equal", 0.3, seed=5), row("much worse", 3.0)]
    found = {(part.estimator, part.measure): part for part in differences(rows, "good")}
    assert {estimator for estimator, _ in found} == {"equal", "much worse"}
    assert {measure for _, measure in found} == COMPARED
    for measure, sign in (("auc", -1), ("ndcf", 1), ("minutes_mae", 1), ("winkler", 1)):
        worse = found["much worse", measure]
        bad, good = (getattr(of, measure) for of in (rows[2], rows[0]))
        assert worse.worse_by == pytest.approx(sign * (bad - good))
        assert 0 < worse.low < worse.worse_by < worse.high
        assert found["equal", measure].low < 0 < found["equal", measure].high
    # The jackknife by hand: Student's t with seven degrees of freedom, of eight groups.
    errors = [np.abs(of.minutes.estimated - of.minutes.true) for of in (rows[2], rows[0])]
    kept = [rows[0].minutes.group != group for group in range(GROUPS)]
    left = np.array([errors[0][rest].mean() - errors[1][rest].mean() for rest in kept])
    reach = 2.3646 * np.sqrt(7 / 8 * np.sum((left - left.mean()) ** 2))
    part = found["much worse", "minutes_mae"]
    assert part.high - part.worse_by == pytest.approx(reach, rel=1e-4)


def test_nobody_is_compared_with_an_estimator_of_other_logs() -> None:
    both = replace(row("good", 0.3), logs="pair")
    assert differences([both, row("equal", 0.3)], "good") == ()


def test_only_rows_of_the_same_question_are_compared() -> None:
    far = replace(row("much worse", 3.0), radius_m=1.5)
    assert "auc" in best_or_level([row("good", 0.3), far])[1]


def test_one_group_marks_nothing() -> None:
    assert best_or_level([row("good", 0.3, groups=1), row("bad", 3.0, groups=1)]) == (
        frozenset(),
        frozenset(),
    )


@pytest.mark.slow
def test_a_level_estimator_is_rarely_called_worse() -> None:
    """Of two estimators of equal worth one is marked worse in about one case of twenty."""
    missed = 0
    for seed in range(100):
        marks = best_or_level([row("one", 0.5, seed=seed), row("another", 0.5, seed=seed)])
        missed += not all("minutes_mae" in mark for mark in marks)
    assert missed <= 12  # P(more) is below 1 % if the rate is 5 %


def test_the_winkler_score_by_hand() -> None:
    low, high = np.array([0.0, 5.0]), np.array([10.0, 6.0])
    true = np.array([4.0, 8.0])  # inside: the width; 2 above: 1 + 20 * 2
    scores = DurationScores.of(low, (low + high) / 2, high, true)
    assert scores.winkler == pytest.approx((10 + 1 + 40) / 2)


def test_scenes_that_share_anything_are_one_group() -> None:
    scene = np.array([0, 0, 1, 2, 3, 4])
    phones = Labels.encode(["a", "b", "b", "c", "d", None])
    homes = Labels.encode(["x", "x", "y", "z", "z", None])
    assert connected_groups(scene, [phones]).tolist() == [0, 0, 1, 2, 3]
    assert connected_groups(scene, [homes]).tolist() == [0, 1, 2, 2, 3]
    assert connected_groups(scene, [phones, homes]).tolist() == [0, 0, 1, 1, 2]
    assert connected_groups(scene, []).tolist() == [0, 1, 2, 3, 4]


def test_a_group_is_left_out_as_a_whole() -> None:
    scenes = [line_scene(f"s{number}", (0.0, 1.0), minutes=2, seed=number) for number in range(45)]
    groups = np.arange(45) // 3
    for fold in leave_groups_out(scenes, groups):
        left_out = {scene.name for scene in fold.scored}
        assert len(left_out) == 3
        assert len({int(name[1:]) // 3 for name in left_out}) == 1
        assert set(fold.groups) == {int(next(iter(left_out))[1:]) // 3}
        assert not left_out & {scene.name for scene in fold.training}
    many = leave_scenes_out(scenes)
    assert len(many) == 10
    with pytest.raises(InvalidReadingsError, match="all scenes are connected"):
        leave_groups_out(scenes, np.zeros(45, np.int64))
