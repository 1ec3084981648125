"""Which estimators are best on a recording, and which are level with the best.

Two estimators are compared on the same windows and pairs, so that what is hard for both cancels.
The difference gets an interval by the jackknife over groups: it is taken again with each group
left out. Windows of one scene are not independent, and groups are few; Student's t with one degree
of freedom less than groups admits that (Efron and Tibshirani, An Introduction to the Bootstrap,
chapter 11).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.stats import t as student

from tracetogether.evaluation.metrics import (
    COVERAGE,
    DurationScores,
    auc,
    calibration_error,
    ndcf,
    precision_recall,
)
from tracetogether.evaluation.scoring import CONTACT_MINUTES, EstimatorScores
from tracetogether.parameters import SINGAPORE_POLICY
from tracetogether.units import Bools, Floats, Ints

MOST_BLOCKS: Final = 30
"""More groups than this are left out several at a time."""

_CONFIDENCE: Final = 0.95


_Loss = Callable[[EstimatorScores, Bools], float]


def _duration(row: EstimatorScores, kept: Bools) -> DurationScores:
    columns = (row.minutes.low, row.minutes.estimated, row.minutes.high, row.minutes.true)
    return DurationScores.of(*(column[kept] for column in columns))


def _ndcf(row: EstimatorScores, kept: Bools) -> float:
    if np.isnan(row.ndcf):  # no threshold could be chosen
        return np.nan
    return ndcf(row.windows.chosen[kept], row.windows.near[kept])


def _named(row: EstimatorScores, kept: Bools, least: float) -> tuple[float, float]:
    """Return precision and recall of "at least ``least`` minutes"."""
    return precision_recall(row.minutes.estimated[kept], row.minutes.true[kept], least)


# Each returns a loss: the less, the better.
_OF_WINDOWS: Final[Mapping[str, _Loss]] = MappingProxyType(
    {
        "auc": lambda row, kept: -auc(row.windows.score[kept], row.windows.near[kept]),
        "ndcf": _ndcf,
        "ece": lambda row, kept: calibration_error(
            row.windows.probability[kept], row.windows.near[kept]
        ),
    }
)
_OF_MINUTES: Final[Mapping[str, _Loss]] = MappingProxyType(
    {
        "minutes_mae": lambda row, kept: _duration(row, kept).mae,
        "minutes_bias": lambda row, kept: abs(_duration(row, kept).bias),
        "minutes_r": lambda row, kept: -_duration(row, kept).r,
        "coverage90": lambda row, kept: abs(_duration(row, kept).coverage90 - COVERAGE),
        "winkler": lambda row, kept: _duration(row, kept).winkler,
        "precision_15min": lambda row, kept: -_named(row, kept, CONTACT_MINUTES)[0],
        "recall_15min": lambda row, kept: -_named(row, kept, CONTACT_MINUTES)[1],
        "precision_policy": lambda row, kept: -_named(row, kept, SINGAPORE_POLICY.minutes)[0],
        "recall_policy": lambda row, kept: -_named(row, kept, SINGAPORE_POLICY.minutes)[1],
    }
)

COMPARED: Final = frozenset({*_OF_WINDOWS, *_OF_MINUTES})
"""The measures in which estimators are compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much worse one estimator is than another in one measure, with its 95 % interval.

    Attributes:
        estimator, logs, radius_m, window_s: of the one.
        measure: one of COMPARED.
        worse_by: by how much its loss is greater: below 0, it is better. The loss is the measure
            where less is better (nDCF, ECE, MAE, Winkler), minus the measure where more is (AUC,
            correlation, precision, recall), the size of a bias, and the distance of a coverage
            from 90 %.
        low, high: the interval; NaN with one group.
    """

    estimator: str
    logs: str
    radius_m: float
    window_s: float
    measure: str
    worse_by: float
    low: float
    high: float


def best_or_level(rows: Sequence[EstimatorScores]) -> tuple[frozenset[str], ...]:
    """Return for each row the measures in which it is best, or level with the best.

    Rows are compared that share logs, radius and window. A row is level with the best if the 95 %
    interval of their difference has 0 in it. With one group there is no interval: then none is
    marked.
    """
    found: list[set[str]] = [set() for _ in rows]
    for numbers in _sections(rows):
        section = [rows[number] for number in numbers]
        for measure, loss, group in _measures(section[0]):
            for number in _not_beaten(section, loss, group):
                found[numbers[number]].add(measure)
    return tuple(frozenset(measures) for measures in found)


def differences(rows: Sequence[EstimatorScores], against: str) -> tuple[Difference, ...]:
    """Return how much worse each row is than that of the estimator ``against`` it.

    Rows are compared that share logs, radius and window.
    """
    found = []
    for numbers in _sections(rows):
        section = [rows[number] for number in numbers]
        target = next((row for row in section if row.estimator == against), None)
        if target is None:
            continue
        for measure, loss, group in _measures(target):
            whole_target, left_target = _with_each_left_out(target, loss, group)
            for row in section:
                if row is target:
                    continue
                whole, left = _with_each_left_out(row, loss, group)
                difference = whole - whole_target
                reach = _reach(left - left_target)
                found.append(
                    Difference(
                        row.estimator,
                        row.logs,
                        row.radius_m,
                        row.window_s,
                        measure,
                        difference,
                        difference - reach,
                        difference + reach,
                    )
                )
    return tuple(found)


def _sections(rows: Sequence[EstimatorScores]) -> Sequence[list[int]]:
    """Return the numbers of the rows that share logs, radius and window."""
    sections: dict[tuple[str, float, float], list[int]] = {}
    for number, row in enumerate(rows):
        sections.setdefault((row.logs, row.radius_m, row.window_s), []).append(number)
    return list(sections.values())


def _measures(row: EstimatorScores) -> Iterator[tuple[str, _Loss, Ints]]:
    """Yield each measure, its loss, and the group of each window or pair."""
    for losses, group in (
        (_OF_WINDOWS, row.windows.group),
        (_OF_MINUTES, row.minutes.group),
    ):
        for measure, loss in losses.items():
            yield measure, loss, group


def _with_each_left_out(row: EstimatorScores, loss: _Loss, group: Ints) -> tuple[float, Floats]:
    """Return the loss over all groups, and (groups,) with each of them left out."""
    blocks = np.unique(group, return_inverse=True)[1].reshape(-1) % MOST_BLOCKS
    whole = loss(row, np.ones(len(group), np.bool_))
    count = int(blocks.max(initial=-1)) + 1
    if not np.isfinite(whole):
        return whole, np.full(count, np.nan)
    return whole, np.array([loss(row, blocks != block) for block in range(count)])


def _not_beaten(section: Sequence[EstimatorScores], loss: _Loss, group: Ints) -> Sequence[int]:
    """Return the rows whose loss is the least, or not above it beyond the interval."""
    losses = [_with_each_left_out(row, loss, group) for row in section]
    whole = np.array([total for total, _ in losses])
    known_rows = np.flatnonzero(np.isfinite(whole))
    if not len(known_rows) or len(losses[0][1]) < 2:
        return ()
    best = int(known_rows[np.argmin(whole[known_rows])])
    return [
        number
        for number in known_rows.tolist()
        if whole[number] <= whole[best]
        or whole[number] - whole[best] <= _reach(losses[number][1] - losses[best][1])
    ]


def _reach(without: Floats) -> float:
    """Return how far the interval of a difference reaches to either side.

    Args:
        without: (groups,) the difference with each group left out; NaN where it can't be taken.
    """
    known = without[np.isfinite(without)]
    count = len(known)
    if count < 2:
        return float("nan")
    error = np.sqrt((count - 1) / count * np.sum((known - known.mean()) ** 2))
    return float(student.ppf((1 + _CONFIDENCE) / 2, count - 1) * error)
