"""Places on the floor sorted into cells, so that what is near is found without trying all pairs.

A row of cells is a strip across the room; within it cells lie in order of x. What lies near a point
or along a line is one run of neighbouring cells in each row, found without any search, and no place
is found twice. Layers lie on top of each other: the same floor at several ticks.
"""

from typing import Final

import numpy as np

from tracetogether.units import Floats, Ints

_LEVEL: Final = 1e-9  # a line that rises less across the room lies along it
_SLACK_M: Final = 1e-6  # where a line or a circle meets a row is rounded


class Cells:
    """n places in order of (layer, row, cell).

    Args:
        xy: (n, 2) m.
        layer: (n,) index of each one's layer.
        frame: least x, greatest x, least y, greatest y of any place.
        row_m: height of a row.
        cell_m: width of a cell.
        layers: how many there are.

    Attributes:
        order: (n,) which of the given places each is.
        x, y: (n,) m.
    """

    def __init__(
        self,
        xy: Floats,
        layer: Ints,
        frame: tuple[float, float, float, float],
        *,
        row_m: float,
        cell_m: float,
        layers: int,
    ) -> None:
        self._low_x, high_x, self._low_y, high_y = frame
        self._row_m, self._cell_m = row_m, cell_m
        self._columns = int((high_x - self._low_x) / cell_m) + 1
        self._rows = int((high_y - self._low_y) / row_m) + 1
        cell = (layer * self._rows + self._row(xy[:, 1])) * self._columns + self._column(xy[:, 0])
        self.order = np.argsort(cell, kind="stable").astype(np.int64)
        self.x, self.y = xy[self.order, 0], xy[self.order, 1]
        self._first = np.zeros(layers * self._rows * self._columns + 1, dtype=np.int64)
        np.cumsum(np.bincount(cell, minlength=len(self._first) - 1), out=self._first[1:])

    def near(self, xy: Floats, reach_m: float, layer: Ints) -> tuple[Ints, Ints]:
        """Return (query, place) of all places that may lie within ``reach_m`` of n points.

        Args:
            xy: (n, 2) m.
            reach_m: how far off.
            layer: (n,) the layer to look in.
        """
        reach_m += _SLACK_M
        x, y = xy.T
        query, row = _runs(self._row(y - reach_m), self._row(y + reach_m))
        below = self._low_y + row * self._row_m - y[query]
        off = np.maximum(np.maximum(below, -below - self._row_m), 0.0)
        half = np.sqrt(np.maximum(reach_m**2 - off**2, 0.0))
        return self._between(query, layer[query], row, x[query] - half, x[query] + half)

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
        into = begin_x + (self._low_y - reach_m - begin_y) * slope
        out_of = into + (self._row_m + 2 * reach_m) * slope
        least, most = np.minimum(begin_x, b[:, 0]), np.maximum(begin_x, b[:, 0])
        lowest = self._row(np.minimum(begin_y, b[:, 1]) - reach_m)
        line, row = _runs(lowest, self._row(np.maximum(begin_y, b[:, 1]) + reach_m))
        further, least, most = (row * self._row_m) * slope[line], least[line], most[line]
        left = np.clip(np.minimum(into, out_of)[line] + further, least, most) - reach_m
        right = np.clip(np.maximum(into, out_of)[line] + further, least, most) + reach_m
        return self._between(line, layer[line], row, left, right)

    def _between(
        self, which: Ints, layer: Ints, row: Ints, left_m: Floats, right_m: Floats
    ) -> tuple[Ints, Ints]:
        """Return ``which`` and place of all places in n runs of cells."""
        base = (layer * self._rows + row) * self._columns
        start = self._first[base + self._column(left_m)]
        return _runs_of(which, start, self._first[base + self._column(right_m) + 1] - start)

    def _row(self, y: Floats) -> Ints:
        row = ((y - self._low_y) / self._row_m).astype(np.int64)
        return np.minimum(np.maximum(row, 0), self._rows - 1)

    def _column(self, x: Floats) -> Ints:
        column = ((x - self._low_x) / self._cell_m).astype(np.int64)
        return np.minimum(np.maximum(column, 0), self._columns - 1)


def _runs(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Return the numbers from first to last of n runs: each one's run, and themselves."""
    return _runs_of(np.arange(len(first)), first, last - first + 1)


def _runs_of(which: Ints, start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return ``count`` numbers from ``start`` on of n runs: each one's ``which``, and they."""
    number = np.repeat(start - (np.cumsum(count) - count), count)
    number += np.arange(len(number))
    return np.repeat(which, count), number
