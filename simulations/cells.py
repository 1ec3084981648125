"""Places on the floor sorted into cells, one layer per tick, so that those along a line are runs.

A row of cells is a strip across the room; within it cells lie in order of x. What lies along a
line is one run of neighbouring cells in each row that the line passes, found without any search.
"""

from typing import Final, Self

import numpy as np

from simulations.strips import runs, runs_of
from tracetogether.units import Floats, Ints

_ROW_M: Final = 1.0
_CELL_M: Final = 0.5
_LEVEL: Final = 1e-9  # a line that rises less across the room lies along it
_SLACK_M: Final = 1e-6  # where a line enters and leaves a row is rounded


class Cells:
    """Places in order of (layer, row, cell).

    Attributes:
        x, y: (n,) m.
        first: where the places of each cell begin, and one more: where the last one's end.
        frame: least x, greatest x, least y, greatest y of any place.
    """

    def __init__(self, x: Floats, y: Floats, first: Ints, frame: tuple[float, ...]) -> None:
        self.x, self.y = x, y
        self.first = first
        self.frame = frame
        low_x, high_x, low_y, high_y = frame
        self._columns = int((high_x - low_x) / _CELL_M) + 1
        self._rows = int((high_y - low_y) / _ROW_M) + 1

    @classmethod
    def of(cls, xy: Floats, frame: tuple[float, float, float, float]) -> Self:
        """Sort n places (n, 2), m, into one layer."""
        empty = cls(xy[:0, 0], xy[:0, 1], np.zeros(1, dtype=np.int64), frame)
        cell = empty._row(xy[:, 1]) * empty._columns + empty._column(xy[:, 0])
        order = np.argsort(cell, kind="stable")
        count = np.bincount(cell, minlength=empty._rows * empty._columns)
        first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return cls(xy[order, 0], xy[order, 1], first, frame)

    @classmethod
    def layered(cls, layers: list[Self]) -> Self:
        """Lay several with the same frame on top of each other."""
        before = np.cumsum([0, *(len(one.x) for one in layers)])
        starts = [one.first[:-1] + upto for one, upto in zip(layers, before.tolist(), strict=False)]
        return cls(
            np.concatenate([one.x for one in layers]),
            np.concatenate([one.y for one in layers]),
            np.concatenate([*starts, before[-1:]]).astype(np.int64),
            layers[0].frame,
        )

    def along(self, a: Floats, b: Floats, reach_m: float, layer: Ints) -> tuple[Ints, Ints]:
        """Return (line, place) of all places that may lie within ``reach_m`` of n lines.

        Args:
            a: (n, 2) one end of each, m.
            b: (n, 2) the other.
            reach_m: how far off the line.
            layer: (n,) the layer to look in.
        """
        reach_m += _SLACK_M
        begin_x, begin_y = a.T
        step_x, step_y = (b - a).T
        slope = step_x / np.where(np.abs(step_y) < _LEVEL, _LEVEL, step_y)
        # Where the line enters and leaves the lowest row, and by how much further on per row.
        into = begin_x + (self.frame[2] - reach_m - begin_y) * slope
        out_of = into + (_ROW_M + 2 * reach_m) * slope
        least, most = np.minimum(begin_x, b[:, 0]), np.maximum(begin_x, b[:, 0])
        lowest = self._row(np.minimum(begin_y, b[:, 1]) - reach_m)
        highest = self._row(np.maximum(begin_y, b[:, 1]) + reach_m)
        line, row = runs(lowest, highest + 1)
        further, least, most = (row * _ROW_M) * slope[line], least[line], most[line]
        left = np.clip(np.minimum(into, out_of)[line] + further, least, most) - reach_m
        right = np.clip(np.maximum(into, out_of)[line] + further, least, most) + reach_m
        base = ((layer * self._rows)[line] + row) * self._columns
        start = self.first[base + self._column(left)]
        count = self.first[base + self._column(right) + 1] - start
        return runs_of(line, start, count)

    def _row(self, y: Floats) -> Ints:
        row = ((y - self.frame[2]) / _ROW_M).astype(np.int64)
        return np.minimum(np.maximum(row, 0), self._rows - 1)

    def _column(self, x: Floats) -> Ints:
        column = ((x - self.frame[0]) / _CELL_M).astype(np.int64)
        return np.minimum(np.maximum(column, 0), self._columns - 1)
