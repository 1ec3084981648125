"""A grid index of places on the floor: finds neighbours without trying all pairs.

The floor is cut into rows (strips of equal y), and each row into cells by x. Places are sorted by
(layer, row, cell). So the places near a point, or along a line, are one run of neighbouring cells
per row. A run's bounds come from arithmetic, not from a search, and no place is found twice. The
result may hold places that are a little too far: the caller computes exact distances.

A layer is the same floor at another tick.
"""

from typing import Final

import numpy as np

from tracetogether.units import Floats, Ints

_LEVEL: Final = 1e-9  # m; a line with less rise in y counts as parallel to x
_SLACK_M: Final = 1e-6  # room for rounding where a line or a circle meets a row


class Cells:
    """n places, sorted by (layer, row, cell).

    Args:
        xy: (n, 2) places, m.
        layer: (n,) index of each place's layer.
        frame: least x, greatest x, least y, greatest y of all places, m.
        row_m: extent of a row in y, m.
        cell_m: extent of a cell in x, m.
        layers: number of layers.

    Attributes:
        order: (n,) index of each sorted place among the given ones.
        x, y: (n,) coordinates of the sorted places, m.

    >>> xy = np.array([[0.0, 0.0], [3.0, 0.0], [0.4, 0.2]])
    >>> cells = Cells(xy, np.zeros(3, int), (0, 3, 0, 1), row_m=1.0, cell_m=0.5, layers=1)
    >>> _, place = cells.near(np.array([[0.0, 0.0]]), 0.5, np.array([0]))
    >>> cells.order[place].tolist()
    [0, 2]
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

        In each row a circle spans x ± sqrt(reach² - d²), where d is the distance in y from the
        point to the row.

        Args:
            xy: (n, 2) points, m.
            reach_m: radius, m.
            layer: (n,) layer to search.

        Returns:
            Two (k,) columns: the index of the point, and the index of a sorted place.
        """
        reach_m += _SLACK_M
        x, y = xy.T
        query, row = _runs(self._row(y - reach_m), self._row(y + reach_m))
        below = self._low_y + row * self._row_m - y[query]
        off = np.maximum(np.maximum(below, -below - self._row_m), 0.0)
        half = np.sqrt(np.maximum(reach_m**2 - off**2, 0.0))
        return self._between(query, layer[query], row, x[query] - half, x[query] + half)

    def along(self, a: Floats, b: Floats, reach_m: float, layer: Ints) -> tuple[Ints, Ints]:
        """Return (line, place) of all places that may lie within ``reach_m`` of n line segments.

        Args:
            a: (n, 2) first end of each segment, m.
            b: (n, 2) second end, m.
            reach_m: largest distance from the segment, m.
            layer: (n,) layer to search.

        Returns:
            Two (k,) columns: the index of the line, and the index of a sorted place.
        """
        reach_m += _SLACK_M
        begin_x, begin_y = a.T
        step_x, step_y = (b - a).T
        slope = step_x / np.where(np.abs(step_y) < _LEVEL, _LEVEL, step_y)
        # x at which the line enters and leaves the lowest row; each higher row adds row_m * slope.
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
        """Return (which, place) for all places in n runs of cells, from left_m to right_m."""
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
    """Return (run, number) for all numbers from first to last (inclusive) of n runs."""
    return _runs_of(np.arange(len(first)), first, last - first + 1)


def _runs_of(which: Ints, start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return (which, number) for ``count`` numbers from ``start`` in each of n runs.

    >>> _runs_of(np.array([7, 8]), np.array([10, 20]), np.array([2, 1]))[1].tolist()
    [10, 11, 20]
    """
    number = np.repeat(start - (np.cumsum(count) - count), count)
    number += np.arange(len(number))
    return np.repeat(which, count), number
