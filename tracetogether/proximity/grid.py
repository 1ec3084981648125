"""Rows in groups: pairs of people and cells of a time grid, with sums, means and maxima.

A reading belongs to a pair of people and to a cell of time. Each of the two is found once, as the
number of the group of each row; columns of readings are then reduced group by group.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Bools, Floats, Ints

_DENSE: Final = 8_000_000  # up to this many possible keys, an array of flags is faster than sorting


def group_sums(values: Floats, group: Ints, count: int) -> Floats:
    """Return the sum of ``values`` over each of ``count`` groups; 0 for an empty one."""
    # With weights bincount counts in float64, which its type does not say.
    return np.bincount(group, weights=values, minlength=count).astype(np.float64, copy=False)


def distinct_keys(key: Ints, bound: int, *, dense: int = _DENSE) -> tuple[Ints, Ints]:
    """Return the distinct keys in ascending order, and (n,) which of them each key is.

    Args:
        key: (n,) from 0 to ``bound`` - 1.
        bound: how many keys are possible.
        dense: the largest bound at which flags are used instead of sorting.
    """
    if bound > dense:
        distinct, row = np.unique(key, return_inverse=True)
        return distinct, row.reshape(-1).astype(np.int64)
    present = np.zeros(bound, dtype=np.bool_)
    present[key] = True
    rank = np.cumsum(present) - 1
    return np.flatnonzero(present), rank[key]


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """Cells of equal length in absolute time; cell 0 begins at ``origin * step_s``.

    Attributes:
        step_s: the length of a cell in seconds.
        origin: the number of cell 0, counted from the epoch.
    """

    step_s: float
    origin: int = 0

    def cells(self, time_s: Floats) -> Ints:
        """Return the cell of each time (epoch seconds)."""
        return np.floor(time_s / self.step_s).astype(np.int64) - self.origin

    def middles(self, count: int) -> Floats:
        """Return the middles of the first ``count`` cells, in epoch seconds."""
        return np.asarray((self.origin + np.arange(count) + 0.5) * self.step_s, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class RowGroups:
    """Rows in groups.

    Attributes:
        row: (n,) the group of each row.
        count: the number of groups.
    """

    row: Ints
    count: int

    def sum(self, values: Floats) -> Floats:
        """Return (count,) the sum of a column of rows over each group."""
        return group_sums(values, self.row, self.count)

    def mean(self, values: Floats) -> Floats:
        """Return (count,) the mean of a column of rows over each group; no group is empty."""
        return self.sum(values) / self.sizes()

    def max(self, values: Floats) -> Floats:
        """Return (count,) the greatest value in each group, at least 0."""
        found = np.zeros(self.count)
        if len(values) and values.max() > 0:
            np.maximum.at(found, self.row, values)
        return found

    def sizes(self) -> Floats:
        """Return (count,) the number of rows in each group."""
        return np.bincount(self.row, minlength=self.count).astype(np.float64)

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class PairIndex(RowGroups):
    """The distinct pairs of some rows (readings, encounters), ordered by first and second.

    Attributes:
        names: the people, sorted; -1 stands for everybody whose name is unknown.
        first, second: (count,) the two people, numbers into ``names``. In a directed pair the
            first is the observer; else the name that sorts first is the first.
        directed: whether (a, b) and (b, a) are two pairs.
    """

    names: tuple[str, ...]
    first: Ints
    second: Ints
    directed: bool

    @classmethod
    def of(cls, names: tuple[str, ...], first: Ints, second: Ints, *, directed: bool) -> Self:
        """Return the pairs of rows whose people are numbers into ``names``."""
        if not directed:
            first, second = np.minimum(first, second), np.maximum(first, second)
        width = len(names) + 1
        key, row = distinct_keys((first + 1) * width + second + 1, width * width)
        return cls(row, len(key), names, key // width - 1, key % width - 1, directed)

    @classmethod
    def of_sightings(cls, sightings: Sightings, *, directed: bool) -> Self:
        """Return the pairs of ``sightings``, whose rows are the readings."""
        names = tuple(sorted({*sightings.observer.names, *sightings.peer.names}))
        first, second = (
            numbers_in(names, labels) for labels in (sightings.observer, sightings.peer)
        )
        return cls.of(names, first, second, directed=directed)

    @classmethod
    def all_of(cls, names: tuple[str, ...]) -> Self:
        """Return every undirected pair of two different people; it has no rows."""
        first, second = (index.astype(np.int64) for index in np.triu_indices(len(names), 1))
        return cls(np.empty(0, dtype=np.int64), len(first), names, first, second, directed=False)

    def of_pairs(self, *, directed: bool) -> "PairIndex":
        """Return the distinct pairs of these pairs, whose rows are these pairs."""
        return PairIndex.of(self.names, self.first, self.second, directed=directed)

    def named(self) -> Bools:
        """Return (count,) whether both people have a name."""
        return np.asarray((self.first >= 0) & (self.second >= 0))

    def numbers_in(self, names: tuple[str, ...]) -> tuple[Ints, Ints]:
        """Return (count,) first and (count,) second as numbers into other names; -1 if absent."""
        everybody = Labels(np.arange(-1, len(self.names)).astype(np.int32), self.names)
        table = numbers_in(names, everybody)
        return table[self.first + 1], table[self.second + 1]

    def labels(self, rows: Ints | slice = slice(None)) -> tuple[Labels, Labels]:
        """Return the names of first and second, for some pairs or all."""
        return (
            Labels(self.first[rows].astype(np.int32), self.names),
            Labels(self.second[rows].astype(np.int32), self.names),
        )

    def find(self, other: "PairIndex") -> Ints:
        """Return (count of other,) which of these pairs each pair of ``other`` is; -1 if none.

        Both have the same names.
        """
        width = len(self.names) + 1
        have = (self.first + 1) * width + self.second + 1
        wanted = (other.first + 1) * width + other.second + 1
        if not len(have):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(have, wanted), len(have) - 1)
        return np.where(have[at] == wanted, at, -1)


def numbers_in(names: tuple[str, ...], labels: Labels) -> Ints:
    """Return (n,) the number of each label's name in ``names``; -1 for other names and none."""
    number = {name: place for place, name in enumerate(names)}
    table = np.array([*(number.get(name, -1) for name in labels.names), -1], dtype=np.int64)
    return np.asarray(table[labels.codes])  # code -1 picks the last entry
