"""What every estimator returns for encounters: minutes near and nearest distance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, overload

import numpy as np
from scipy.special import ndtr

from tracetogether.proximity.grid import group_sums
from tracetogether.units import Bools, Floats, Interval, Ints

NORMAL_95: Final = 1.6448536269514722
"""The 95 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Quantities with their uncertainty, in columns: the median and the central 90 %.

    The ends are NaN where no interval is known.

    Raises:
        ValueError: a low is above its median, or a median above its high.
    """

    low: Floats
    median: Floats
    high: Floats

    def __post_init__(self) -> None:
        if np.any(self.low > self.median) or np.any(self.median > self.high):
            raise ValueError("an interval needs low <= median <= high")

    @classmethod
    def ordered(cls, low: Floats, median: Floats, high: Floats) -> Self:
        """Return columns with low <= median <= high, in spite of rounding errors of sums."""
        return cls(np.minimum(low, median), median, np.maximum(high, median))

    def mean(self) -> Floats:
        """Return the means, closely: 0.63 of the median and 0.185 of each end.

        Source: Keefer and Bodily, Management Science 29 (1983), p. 595.
        """
        return np.asarray(0.63 * self.median + 0.185 * (self.low + self.high))

    def take(self, rows: Ints | Bools | slice) -> Self:
        """Return the chosen rows."""
        return type(self)(self.low[rows], self.median[rows], self.high[rows])

    @overload
    def __getitem__(self, rows: int) -> Interval: ...
    @overload
    def __getitem__(self, rows: Ints | Bools | slice) -> Self: ...
    def __getitem__(self, rows: int | Ints | Bools | slice) -> Interval | Self:
        if isinstance(rows, int | np.integer):
            return Interval(*(float(end[rows]) for end in (self.low, self.median, self.high)))
        return self.take(rows)

    def __len__(self) -> int:
        return len(self.median)

    def summed(self, group: Ints, count: int) -> Self:
        """Return the sums over each of ``count`` groups; ``group`` has the group of each row."""
        columns = (self.low, self.median, self.high)
        return self.ordered(*(group_sums(column, group, count) for column in columns))

    def __iter__(self) -> Iterator[Interval]:
        return map(Interval, self.low.tolist(), self.median.tolist(), self.high.tolist())


OFFSET_QUANTILES: Final = np.linspace(-3.2, 3.2, 17)
"""Standard normal quantiles at which minutes are given: the k-th minutes are exceeded with the
probability ``ndtr(OFFSET_QUANTILES[k])``, so that they fall from the first to the last. Most of
what is unknown of a pair is an offset that it keeps (pockets, bodies, phones); hence the name."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """One entry per encounter.

    Attributes:
        minutes: time near, in minutes.
        nearest_m: nearest distance, in metres.
        at_offset_quantiles: (m, 17) minutes near at each of OFFSET_QUANTILES; None if the
            estimator gives ``minutes`` alone.
    """

    minutes: Intervals
    nearest_m: Intervals
    at_offset_quantiles: Floats | None = None

    def minutes_at_offset_quantiles(self) -> Floats:
        """Return (m, 17) minutes at each of OFFSET_QUANTILES, if need be from the intervals.

        Between the interval's ends they are interpolated, beyond them they stay.
        """
        if self.at_offset_quantiles is not None:
            return self.at_offset_quantiles
        side = np.clip(OFFSET_QUANTILES / NORMAL_95, -1.0, 1.0)
        low, median, high = (
            column[:, None] for column in (self.minutes.low, self.minutes.median, self.minutes.high)
        )
        return np.asarray(median + np.where(side > 0, low - median, median - high) * side)


def at_offset_quantile(minutes: Floats, z: float) -> Floats:
    """Return (m,) minutes at one more quantile, interpolated between OFFSET_QUANTILES.

    Args:
        minutes: (m, 17) minutes at OFFSET_QUANTILES.
        z: the standard normal quantile.
    """
    after = int(np.clip(np.searchsorted(OFFSET_QUANTILES, z), 1, len(OFFSET_QUANTILES) - 1))
    low, high = OFFSET_QUANTILES[after - 1], OFFSET_QUANTILES[after]
    share = (z - low) / (high - low)
    return np.asarray((1 - share) * minutes[:, after - 1] + share * minutes[:, after])


def chance_of(minutes: Floats, least_minutes: float) -> float:
    """Return P(minutes >= least_minutes), given the minutes at OFFSET_QUANTILES.

    Args:
        minutes: (17,) of one encounter, or of several of the same pair added up.
        least_minutes: the minutes to reach.
    """
    return float(chances_of(minutes[None, :], least_minutes)[0])


def chances_of(minutes: Floats, least_minutes: float) -> Floats:
    """Return (n,) P(minutes >= least_minutes) of several pairs.

    Between quantiles it interpolates; beyond them it stays at the outermost (0.07 % and 99.93 %).

    Args:
        minutes: (n, 17) minutes at OFFSET_QUANTILES.
        least_minutes: the minutes to reach.
    """
    few = minutes < least_minutes
    after = np.where(few.any(axis=1), few.argmax(axis=1), len(OFFSET_QUANTILES))
    quantile = np.where(after > 0, OFFSET_QUANTILES[-1], OFFSET_QUANTILES[0])
    (rows,) = np.nonzero((after > 0) & (after < len(OFFSET_QUANTILES)))
    ends = after[rows]
    more, less = minutes[rows, ends - 1], minutes[rows, ends]
    share = (more - least_minutes) / (more - less)
    step = OFFSET_QUANTILES[ends] - OFFSET_QUANTILES[ends - 1]
    quantile[rows] = OFFSET_QUANTILES[ends - 1] + share * step
    return np.asarray(ndtr(quantile))
