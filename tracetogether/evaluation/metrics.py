"""Measures of scores, probabilities and minutes against the truth."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.stats import rankdata

from tracetogether.units import Bools, Floats

NOT_APPLICABLE: Final = float("nan")
"""The value of a measure that does not apply."""

_BINS: Final = 10

COVERAGE: Final = 0.9
"""The share of true values that an interval from 5 to 95 % should cover."""


def auc(score: Floats, near: Bools) -> float:
    """Return P(a near one scores above a far one), ties half; NaN without both kinds.

    The area under the ROC curve, from ranks (Mann and Whitney).
    """
    positives = int(near.sum())
    negatives = len(near) - positives
    if not (positives and negatives):
        return NOT_APPLICABLE
    ranks = rankdata(score)
    return float((ranks[near].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def best_threshold(score: Floats, near: Bools) -> float:
    """Return the threshold with the least nDCF of "near if score >= threshold".

    NaN without both kinds. Between neighbouring scores it is their middle.
    """
    if near.all() or not near.any():
        return NOT_APPLICABLE
    order = np.argsort(-score, kind="stable")
    score, near = score[order], near[order]
    cost = 1 - np.cumsum(near) / near.sum() + np.cumsum(~near) / (~near).sum()
    distinct = np.append(np.diff(score) != 0, True)  # equal scores are chosen all or none
    at = int(np.flatnonzero(distinct)[np.argmin(cost[distinct])])
    if cost[at] >= 1.0:  # choosing none, or all, is no worse
        return float("inf")
    return float((score[at] + score[at + 1]) / 2) if at + 1 < len(score) else float(score[at])


def ndcf(chosen: Bools, near: Bools) -> float:
    """Return P(miss) + P(false alarm): 0 is perfect, 1 useless; NaN without both kinds."""
    if near.all() or not near.any():
        return NOT_APPLICABLE
    return float(1 - chosen[near].mean() + chosen[~near].mean())


def calibration_error(probability: Floats, near: Bools) -> float:
    """Return the expected calibration error over ten bins of equal width; NaN if any is NaN.

    The mean, weighted by their number, of |mean probability - share that was near|.
    """
    if not len(probability) or np.isnan(probability).any():
        return NOT_APPLICABLE
    mean, share, count = reliability(probability, near)
    return float(np.sum(count * np.abs(mean - share)) / count.sum())


def reliability(probability: Floats, near: Bools) -> tuple[Floats, Floats, Floats]:
    """Return mean probability, share near and number in each bin that holds any."""
    at = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(at, minlength=_BINS).astype(np.float64)
    used = count > 0
    mean = np.bincount(at, weights=probability, minlength=_BINS)[used] / count[used]
    share = np.bincount(at, weights=near, minlength=_BINS)[used] / count[used]
    return mean, share, count[used]


@dataclass(frozen=True, slots=True)
class DurationScores:
    """How good minutes are, one entry per pair and scene; NaN where a measure does not apply.

    Attributes:
        n: how many pairs.
        mae, bias: mean error without and with its sign, in minutes.
        r: correlation.
        coverage90: share of true minutes within the 90 % interval.
        winkler: mean score of the 90 % intervals, in minutes: their width, and 20 times the
            distance of a true value outside. The less, the better: it rewards intervals that are
            narrow and right (Winkler, JASA 67, 1972).
    """

    n: int
    mae: float
    bias: float
    r: float
    coverage90: float
    winkler: float

    @classmethod
    def of(cls, low: Floats, estimated: Floats, high: Floats, true: Floats) -> Self:
        """Return the scores of columns of minutes."""
        if not len(true):
            return cls(0, *[NOT_APPLICABLE] * 5)
        vary = np.ptp(estimated) > 0 and np.ptp(true) > 0
        has_intervals = not (np.isnan(low).any() or np.isnan(high).any())
        slack = 1e-9  # of sums in another order
        covered = (low <= true + slack) & (true <= high + slack)
        return cls(
            n=len(true),
            mae=float(np.abs(estimated - true).mean()),
            bias=float((estimated - true).mean()),
            r=float(np.corrcoef(estimated, true)[0, 1]) if vary else NOT_APPLICABLE,
            coverage90=float(covered.mean()) if has_intervals else NOT_APPLICABLE,
            winkler=float(interval_score(low, high, true).mean())
            if has_intervals
            else NOT_APPLICABLE,
        )


def interval_score(low: Floats, high: Floats, true: Floats) -> Floats:
    """Return the Winkler score of each 90 % interval: the less, the better."""
    outside = np.maximum(low - true, 0) + np.maximum(true - high, 0)
    return np.asarray(high - low + 2 / (1 - COVERAGE) * outside)


def precision_recall(estimated: Floats, true: Floats, least: float) -> tuple[float, float]:
    """Return precision and recall of ``minutes >= least``; NaN if nobody has that many."""
    chosen, meant = estimated >= least, true >= least
    right = float((chosen & meant).sum())
    precision = right / float(chosen.sum()) if chosen.any() else NOT_APPLICABLE
    return precision, right / float(meant.sum()) if meant.any() else NOT_APPLICABLE
