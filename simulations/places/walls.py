"""Straight walls seen from above: how many of them lie between two points.

All walls are parallel to x or to y. Between walls the floor is made of rectangles, the rooms, and a
door is a gap in a wall. A line through a door crosses no wall.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from tracetogether.units import Bools, Floats, Ints

Piece = tuple[float, float, float]
"""A wall x = at from y = low to y = high, or a wall y = at from x = low to x = high; m."""
Rectangle = tuple[float, float, float, float]
"""Least x, greatest x, least y, greatest y, m."""

_END_M: Final = (
    1e-3  # a line this near to a wall's end does not cross it; another wall begins there
)
NOWHERE: Final = -1
"""The number that stands for a point outside all rooms."""


class Walls:
    """Walls and the rooms between them.

    Args:
        across: walls with one x.
        along: walls with one y.
        rooms: rectangles without a wall within, which do not overlap.

    Attributes:
        across, along: (w, 3) at, low and high of each wall, m.
        rooms: (r, 4) rectangles, m.
        tests: how many pairs of a line and a wall were compared so far, a measure of the work.

    >>> walls = Walls.right_across(np.array([0.0]))
    >>> walls.between(np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [2.0, 0.0]]))
    array([1, 0])
    """

    def __init__(
        self, across: Sequence[Piece], along: Sequence[Piece], rooms: Sequence[Rectangle]
    ) -> None:
        self.across = np.array(across, dtype=np.float64).reshape(-1, 3)
        self.along = np.array(along, dtype=np.float64).reshape(-1, 3)
        self.rooms = np.array(rooms, dtype=np.float64).reshape(-1, 4)
        self.tests = 0
        # The edges of all rooms cut the floor into cells, each in one room or in none.
        self._x, self._y = (np.unique(self.rooms[:, side]) for side in (slice(0, 2), slice(2, 4)))
        self._room = np.full((len(self._x) + 1, len(self._y) + 1), NOWHERE)
        for number, (low_x, high_x, low_y, high_y) in enumerate(self.rooms):
            columns = slice(*(np.searchsorted(self._x, (low_x, high_x)) + 1).tolist())
            rows = slice(*(np.searchsorted(self._y, (low_y, high_y)) + 1).tolist())
            self._room[columns, rows] = number

    @classmethod
    def right_across(cls, at_x: Floats) -> "Walls":
        """Return walls without doors and without ends, at each x."""
        edges = [-np.inf, *np.sort(at_x).tolist(), np.inf]
        pieces = [(at, -np.inf, np.inf) for at in edges[1:-1]]
        rooms = [(low, high, -np.inf, np.inf) for low, high in pairwise(edges)]
        return cls(pieces, [], rooms if pieces else [])

    def __len__(self) -> int:
        """Return the number of walls."""
        return len(self.across) + len(self.along)

    def rooms_at(self, xy: Floats) -> Ints:
        """Return (...) the room of each of the (..., 2) points; NOWHERE outside all rooms."""
        column = np.searchsorted(self._x, xy[..., 0])
        return np.asarray(self._room[column, np.searchsorted(self._y, xy[..., 1])])

    def between(self, a: Floats, b: Floats) -> Ints:
        """Return (n,) how many walls the straight lines from a to b, (n, 2) points, cross.

        A rectangle is convex. So a line between two points of one room crosses no wall, and only
        lines between rooms are compared with the walls.
        """
        count = np.zeros(len(a), dtype=np.int64)
        room = self.rooms_at(a)
        rows = np.flatnonzero((room != self.rooms_at(b)) | (room == NOWHERE))
        self.tests += len(rows) * len(self)
        begin, end = a[rows].astype(np.float64), b[rows].astype(np.float64)
        for axis, pieces in enumerate((self.across, self.along)):
            for at, low, high in pieces:
                found = np.flatnonzero((begin[:, axis] > at) != (end[:, axis] > at))
                step = end[found] - begin[found]
                part = (at - begin[found, axis]) / step[:, axis]
                other = begin[found, 1 - axis] + part * step[:, 1 - axis]
                count[rows[found]] += (low + _END_M < other) & (other < high - _END_M)
        return count

    def apart(self, a: Floats, b: Floats) -> Bools:
        """Return (n,) whether a wall lies between a and b, (n, 2) points."""
        return self.between(a, b) > 0


NO_WALLS: Final = Walls([], [], [])
"""The walls of an open floor."""
