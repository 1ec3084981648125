"""How right answers about pairs are, over several crowds of a scenario, with intervals.

Pairs of one crowd share phones, places and an evening, so a crowd counts as one observation. The
interval is a jackknife's: each crowd is left out in turn, and the variance of a figure is
(n - 1) / n times the sum of squared deviations of the n figures so found. The central 90 % are then
+- t standard errors, with Student's t of n - 1 degrees of freedom, which makes it wide for few
crowds. A single crowd has no interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from scipy.special import stdtrit

from simulations.scores.intervals import Measured, NoInterval
from simulations.studies.pair_answers import PairAnswers
from tracetogether.evaluation.metrics import (
    NOT_APPLICABLE,
    DurationScores,
    auc,
    calibration_error,
    interval_score,
    precision_recall,
)
from tracetogether.units import Bools, Floats, Interval

_HIGH: Final = 0.95
_SLACK: Final = 1e-6  # of minutes that were added up in another order


@dataclass(frozen=True, slots=True)
class SameAnswer:
    """What can be said of every pair alike, without a reading.

    Attributes:
        minutes: the constant with the least mean error.
        low, high: 5 % and 95 % quantiles of true minutes.
        chance: share of pairs that are contacts.
    """

    minutes: float
    low: float
    high: float
    chance: float

    @classmethod
    def of(cls, scenarios: Sequence[Floats], least_minutes: float) -> Self | None:
        """Return the answer for pairs of these scenarios; every scenario has the same weight.

        Args:
            scenarios: true minutes of the pairs of each scenario; empty ones do not count.
            least_minutes: minutes of a contact.

        Returns:
            None without any pair.
        """
        held = [minutes for minutes in scenarios if len(minutes)]
        if not held:
            return None
        minutes = np.concatenate(held)
        weight = np.concatenate([np.full(len(part), 1 / len(part) / len(held)) for part in held])
        order = np.argsort(minutes, kind="stable")
        below = np.cumsum(weight[order]) - weight[order] / 2
        low, middle, high = np.interp([1 - _HIGH, 0.5, _HIGH], below, minutes[order])
        chance = weight[minutes >= least_minutes - _SLACK].sum()
        return cls(float(middle), float(low), float(high), float(chance))

    def answers(self, count: int) -> PairAnswers:
        """Return this answer for ``count`` pairs."""
        columns = (0.0, self.chance, self.low, self.minutes, self.high)
        return PairAnswers(*(np.full(count, column) for column in columns))


@dataclass(frozen=True, slots=True)
class PairMeasures:
    """Figures of one estimator over pairs; NaN where one does not apply.

    Attributes:
        near: share of pairs that were contacts.
        mean_chance: mean P(contact).
        mae, bias: mean error of minutes without and with its sign.
        mae_none: mean error of the guess that nobody was near.
        mae_same: mean error of the best constant of the other scenarios.
        ece: calibration error of P(contact) in ten bins.
        coverage90: share of true minutes within the 90 % interval.
        winkler: mean score of the 90 % intervals, in minutes; the less, the better.
        winkler_others: that of one interval for all, 5 % to 95 % of the other scenarios' minutes.
        winkler_here: that of 5 % to 95 % of this scenario's own minutes.
        auc: P(a contact ranks above another pair).
        average_precision: mean precision over the contacts as the ranking finds them.
        precision_at_k: share of contacts among the first k, k being the number of contacts.
        precision, recall: of "median >= minutes of a contact".
    """

    near: float
    mean_chance: float
    mae: float
    bias: float
    mae_none: float
    mae_same: float
    ece: float
    coverage90: float
    winkler: float
    winkler_others: float
    winkler_here: float
    auc: float
    average_precision: float
    precision_at_k: float
    precision: float
    recall: float

    @classmethod
    def of(
        cls,
        answers: PairAnswers,
        true: Floats,
        least_minutes: float,
        *,
        others: SameAnswer | None,
        here: SameAnswer | None,
    ) -> Self:
        """Return the figures of p pairs.

        Args:
            answers: about the pairs.
            true: (p,) their true minutes.
            least_minutes: minutes of a contact.
            others: the same answer for all from other scenarios.
            here: the same from this scenario.
        """
        near = true >= least_minutes - _SLACK
        duration = DurationScores.of(answers.low, answers.median, answers.high, true)
        precision, recall = precision_recall(answers.median, true + _SLACK, least_minutes)
        ranks = bool(len(true)) and bool(np.ptp(answers.score) > 0)
        gives_minutes = not np.isnan(answers.median).any()
        return cls(
            near=_mean(near),
            mean_chance=_mean(answers.chance),
            mae=duration.mae,
            bias=duration.bias,
            mae_none=_mean(true),
            mae_same=NOT_APPLICABLE if others is None else _mean(np.abs(true - others.minutes)),
            ece=calibration_error(answers.chance, near),
            coverage90=duration.coverage90,
            winkler=duration.winkler,
            winkler_others=_winkler(others, true),
            winkler_here=_winkler(here, true),
            auc=auc(answers.score, near) if ranks else NOT_APPLICABLE,
            average_precision=average_precision(answers.score, near) if ranks else NOT_APPLICABLE,
            precision_at_k=precision_at_k(answers.score, near) if ranks else NOT_APPLICABLE,
            precision=precision if gives_minutes else NOT_APPLICABLE,
            recall=recall if gives_minutes else NOT_APPLICABLE,
        )


MEASURES: Final = tuple(column.name for column in fields(PairMeasures))
SHARES: Final = frozenset(MEASURES) - {
    "mae",
    "bias",
    "mae_none",
    "mae_same",
    "winkler",
    "winkler_others",
    "winkler_here",
}
"""The figures that lie between 0 and 1."""


def _mean(values: Floats | Bools) -> float:
    return float(np.mean(values)) if len(values) else NOT_APPLICABLE


def _winkler(same: SameAnswer | None, true: Floats) -> float:
    if same is None:
        return NOT_APPLICABLE
    low, high = np.full(len(true), same.low), np.full(len(true), same.high)
    return _mean(interval_score(low, high, true))


def average_precision(score: Floats, near: Bools) -> float:
    """Return the mean precision over the near ones, from the best score down; NaN without any.

    Equal scores are found together, so that their order has no influence.

    >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])), 3)
    0.833
    """
    found, taken = _found_by_rank(score, near)
    if not len(found) or not found[-1]:
        return NOT_APPLICABLE
    return float(np.sum(np.diff(found, prepend=0.0) * found / taken) / found[-1])


def precision_at_k(score: Floats, near: Bools) -> float:
    """Return the share of near ones among the first k, k being their number; NaN without any.

    Of equal scores at the k-th place each is equally likely to be taken.

    >>> precision_at_k(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, False, True, False]))
    0.75
    """
    found, taken = _found_by_rank(score, near)
    if not len(found) or not found[-1]:
        return NOT_APPLICABLE
    at_k = np.interp(found[-1], np.insert(taken, 0, 0.0), np.insert(found, 0, 0.0))
    return float(at_k / found[-1])


def _found_by_rank(score: Floats, near: Bools) -> tuple[Floats, Floats]:
    """Return how many near ones, and how many in all, score at least each distinct score."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))[: len(score)]
    found = np.cumsum(near[order], dtype=np.float64)
    return found[last], (last + 1).astype(np.float64)


def with_intervals(
    answers: Sequence[PairAnswers],
    true: Sequence[Floats],
    least_minutes: float,
    *,
    others: SameAnswer | None,
) -> Mapping[str, Measured]:
    """Return the figures over all crowds of a scenario, with their central 90 %.

    Args:
        answers: of each crowd.
        true: true minutes of each crowd's pairs.
        least_minutes: minutes of a contact.
        others: the same answer for all from other scenarios.
    """
    everything = np.concatenate(true)
    here = SameAnswer.of([everything], least_minutes)
    columns = joined(answers)
    crowd = np.repeat(np.arange(len(true)), [len(minutes) for minutes in true])

    def measured(rows: Bools) -> PairMeasures:
        chosen = np.flatnonzero(rows)
        return PairMeasures.of(
            columns.take(chosen), everything[chosen], least_minutes, others=others, here=here
        )

    whole = measured(np.ones(len(crowd), dtype=np.bool_))
    without = [measured(crowd != left_out) for left_out in range(len(true))]
    return {
        name: jackknifed(
            getattr(whole, name),
            np.array([getattr(part, name) for part in without]),
            share=name in SHARES,
        )
        for name in MEASURES
    }


def joined(answers: Sequence[PairAnswers]) -> PairAnswers:
    """Return the rows of all crowds in one."""
    names = [column.name for column in fields(PairAnswers)]
    parts = [[getattr(part, name) for part in answers] for name in names]
    return PairAnswers(*(np.concatenate(part) for part in parts))


def jackknifed(figure: float, without: Floats, *, share: bool) -> Measured:
    """Return a figure with its central 90 % from the figures that leave one crowd out.

    Args:
        figure: over all n crowds.
        without: (n,) over all but one.
        share: whether it lies between 0 and 1.
    """
    count = len(without)
    if count < 2 or np.isnan(figure) or np.isnan(without).any():
        return NoInterval(figure)
    error = np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2))
    reach = float(stdtrit(count - 1, _HIGH) * error)
    low, high = figure - reach, figure + reach
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Interval(low, figure, high)
