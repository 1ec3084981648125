"""Grouped columns: sums, minima and maxima per group, without a loop over rows."""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from tracetogether.proximity.estimates import Intervals
from tracetogether.units import SECONDS_PER_DAY, Floats, Ints

Column = TypeVar("Column", Floats, Ints)


@dataclass(frozen=True, slots=True)
class Groups:
    """The distinct values of an integer column, and the rows of each.

    Attributes:
        keys: (g,) the values, ascending.
        order: (n,) rows, group by group.
        begins: (g,) where each group begins in ``order``.
    """

    keys: Ints
    order: Ints
    begins: Ints

    @classmethod
    def of(cls, column: Ints) -> Self:
        """Return the groups of equal values."""
        order = np.argsort(column, kind="stable").astype(np.int64)
        sorted_column = column[order]
        begins = np.flatnonzero(np.diff(sorted_column, prepend=sorted_column[:1] - 1))
        return cls(sorted_column[begins], order, begins)

    def over(self, operation: np.ufunc, column: Column) -> Column:
        """Return (g,) ``operation`` over each group of an (n,) column, such as np.add."""
        if not len(self.keys):
            return column[:0]
        found: Column = operation.reduceat(column[self.order], self.begins)
        return found

    def sizes(self) -> Ints:
        """Return (g,) the number of rows of each group."""
        return np.diff(self.begins, append=len(self.order))

    def intervals(self, operation: np.ufunc, intervals: Intervals) -> Intervals:
        """Return (g,) ``operation`` over each group of (n,) spans."""
        columns = (
            self.over(operation, column)
            for column in (intervals.low, intervals.median, intervals.high)
        )
        return Intervals.ordered(*columns)

    def busiest_24h(self, start_s: Floats, minutes: Floats) -> Floats:
        """Return for each group the largest sums of ``minutes`` within 24 hours.

        Args:
            start_s: (n,) when each row begins; it counts fully if it begins within the 24 hours.
            minutes: (n, k) minutes, summed per column.

        Returns:
            (g, k) sums.
        """
        if not len(self.keys):
            return np.empty((0, minutes.shape[1]))
        group = np.repeat(np.arange(len(self.keys)), self.sizes())
        # Shift groups far apart in time, so that one sorted column serves all of them.
        since = start_s - start_s.min()
        apart = float(since.max()) + 2 * SECONDS_PER_DAY
        at = since[self.order] + group * apart
        by_time = np.argsort(at, kind="stable")
        at = at[by_time]
        until = np.searchsorted(at, at + SECONDS_PER_DAY, side="left")
        sums = np.zeros((len(at) + 1, minutes.shape[1]))
        np.cumsum(minutes[self.order][by_time], axis=0, out=sums[1:])
        found = np.maximum.reduceat(sums[until] - sums[:-1], self.begins, axis=0)
        return np.asarray(found, dtype=np.float64)
