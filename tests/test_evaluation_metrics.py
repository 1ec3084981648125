"""Measures against their definitions, by brute force and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracetogether.evaluation.metrics import (
    DurationScores,
    auc,
    best_threshold,
    calibration_error,
    ndcf,
    precision_recall,
)
from tracetogether.evaluation.pictures import roc

cases = st.lists(
    st.tuples(st.integers(-3, 3).map(float), st.booleans()), min_size=2, max_size=30
).filter(lambda rows: 0 < sum(near for _, near in rows) < len(rows))


def columns(rows):
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(rows=cases)
def test_auc_is_the_chance_to_rank_a_near_one_first(rows):
    near = [score for score, is_near in rows if is_near]
    far = [score for score, is_near in rows if not is_near]
    wins = sum((a > b) + 0.5 * (a == b) for a in near for b in far)
    assert auc(*columns(rows)) == pytest.approx(wins / len(near) / len(far))


@given(rows=cases)
def test_the_roc_has_that_area_under_it(rows):
    alarms, hits = roc(*columns(rows))
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(hits, alarms) == pytest.approx(auc(*columns(rows)))


@given(rows=cases)
def test_no_threshold_costs_less_than_the_best(rows):
    score, near = columns(rows)
    best = ndcf(score >= best_threshold(score, near), near)
    for threshold in [*score.tolist(), np.inf]:
        assert best <= ndcf(score >= threshold, near) + 1e-12


def test_ndcf_by_hand():
    near = np.array([True, True, True, True, False, False])
    chosen = np.array([True, True, True, False, True, False])
    assert ndcf(chosen, near) == pytest.approx(1 / 4 + 1 / 2)
    assert ndcf(near, near) == 0
    assert np.isnan(ndcf(chosen, np.ones(6, dtype=bool)))


def test_a_threshold_lies_between_the_scores_that_it_parts():
    assert best_threshold(np.array([1.0, 2.0]), np.array([False, True])) == 1.5
    assert best_threshold(np.array([1.0, 2.0]), np.array([True, False])) == np.inf
    assert np.isnan(best_threshold(np.array([1.0]), np.array([True])))
    assert np.isnan(auc(np.array([1.0]), np.array([True])))


def test_calibration_error_by_hand():
    # Bin 0.2-0.3: mean .25, all near: off by .75. Bin 0.9-1: mean .975, half near: off by .475.
    probability = np.array([0.25, 0.25, 0.95, 1.0])
    near = np.array([True, True, True, False])
    assert calibration_error(probability, near) == pytest.approx((2 * 0.75 + 2 * 0.475) / 4)
    assert np.isnan(calibration_error(np.array([0.5, np.nan]), near[:2]))
    assert np.isnan(calibration_error(np.empty(0), np.empty(0, dtype=bool)))


def test_durations_by_hand():
    true = np.array([0.0, 10.0, 20.0, 30.0])
    estimated = np.array([1.0, 10.0, 16.0, 31.0])
    low, high = estimated - 1, estimated + 1
    found = DurationScores.of(low, estimated, high, true)
    assert found.n == 4
    assert found.mae == pytest.approx(1.5)
    assert found.bias == pytest.approx(-0.5)
    assert found.r == pytest.approx(np.corrcoef(true, estimated)[0, 1])
    assert found.coverage90 == 0.75
    silent = DurationScores.of(low * np.nan, estimated * 0, high * np.nan, true)
    assert np.isnan(silent.coverage90)
    assert np.isnan(silent.r)
    assert np.isnan(DurationScores.of(*[np.empty(0)] * 4).mae)


def test_precision_and_recall_by_hand():
    true = np.array([20.0, 15.0, 30.0, 14.9, 0.0])
    estimated = np.array([15.0, 2.0, 40.0, 15.1, 0.0])
    assert precision_recall(estimated, true, 15.0) == (2 / 3, 2 / 3)
    precision, recall = precision_recall(estimated * 0, true, 15.0)
    assert np.isnan(precision)
    assert recall == 0
