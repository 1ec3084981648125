"""Which estimators are best on a recording, and which are level with the best.

Two estimators are compared on the same windows and pairs, so that what is hard for both cancels.
The difference gets an interval by the jackknife over groups: it is taken again with each group
left out. Windows of one scene are not independent, and groups are few; Student's t with one degree
of freedom less than groups admits that (Efron and Tibshirani, An Introduction to the Bootstrap,
chapter 11).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.stats import t as student

from tracetogether.evaluation.metrics import (
    DurationScores,
    auc,
    calibration_error,
    ndcf,
)
from tracetogether.evaluation.scoring import EstimatorScores
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
        "winkler": lambda row, kept: _duration(row, kept).winkler,
    }
)

COMPARED: Final = frozenset({*_OF_WINDOWS, *_OF_MINUTES})
"""The measures in which estimators are compared."""


def best_or_level(rows: Sequence[EstimatorScores]) -> tuple[frozenset[str], ...]:
    """Return for each row the measures in which it is best, or level with the best.

    Rows are compared that share logs, radius and window. A row is level with the best if the 95 %
    interval of their difference has 0 in it. With one group there is no interval: then none is
    marked.
    """
    found: list[set[str]] = [set() for _ in rows]
    sections: dict[tuple[str, float, float], list[int]] = {}
    for number, row in enumerate(rows):
        sections.setdefault((row.logs, row.radius_m, row.window_s), []).append(number)
    for numbers in sections.values():
        section = [rows[number] for number in numbers]
        windows, minutes = section[0].windows.group, section[0].minutes.group
        for losses, group in ((_OF_WINDOWS, windows), (_OF_MINUTES, minutes)):
            for measure, loss in losses.items():
                for number in _not_beaten(section, loss, group):
                    found[numbers[number]].add(measure)
    return tuple(frozenset(measures) for measures in found)


def _not_beaten(section: Sequence[EstimatorScores], loss: _Loss, group: Ints) -> Sequence[int]:
    """Return the rows whose loss is the least, or not above it beyond the interval."""
    blocks = np.unique(group, return_inverse=True)[1] % MOST_BLOCKS
    count = int(blocks.max(initial=-1)) + 1
    everything = np.ones(len(group), np.bool_)
    whole = np.array([loss(row, everything) for row in section])
    known_rows = np.flatnonzero(np.isfinite(whole))
    if count < 2 or not len(known_rows):
        return ()
    best = int(known_rows[np.argmin(whole[known_rows])])
    without = {
        number: np.array([loss(section[number], blocks != block) for block in range(count)])
        for number in known_rows.tolist()
    }
    return [
        number
        for number, left in without.items()
        if _reaches_zero(float(whole[number] - whole[best]), left - without[best])
    ]


def _reaches_zero(difference: float, without: Floats) -> bool:
    """Return whether the interval of a difference begins at 0 or below.

    Args:
        difference: over all groups.
        without: (groups,) the same with each group left out; NaN where it can't be taken.
    """
    if difference <= 0:
        return True
    known = without[np.isfinite(without)]
    if len(known) < 2:
        return False
    count = len(known)
    error = np.sqrt((count - 1) / count * np.sum((known - known.mean()) ** 2))
    reach = float(student.ppf((1 + _CONFIDENCE) / 2, count - 1))
    return bool(difference - reach * error <= 0)
