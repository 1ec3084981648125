"""Which phones are near enough to receive each other, and which bodies are in a link's way.

Beyond the horizon the level is so low that no packet is received. The simulator skips such pairs,
so its work grows with the number of near pairs, not with that of all pairs.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulations.people.bodies import BODY_REACH_M, body_units, obstruction_of
from simulations.places.cells import Cells
from simulations.places.tracks import CrowdTracks, Floats32
from tracetogether.units import Bools, Floats, Ints

_LINES_AT_ONCE: Final = 2048
_ROW_M: Final = 1.0
_CELL_M: Final = 0.5
_EDGE_M: Final = 0.01


def meeting_places(tracks: CrowdTracks, people: Ints, begin: int, end: int) -> Floats:
    """Return (n, 2) positions at tick ``begin``, m; of absent people those at ``end``, or NaN."""
    return _first_known(tracks.xy[people, begin], tracks.xy[people, end])


def places_at(tracks: CrowdTracks, begin: Ints, end: Ints) -> Floats:
    """Return (n, P, 2) positions of everybody for n pairs of ticks, as ``meeting_places`` does."""
    by_tick = tracks.xy.transpose(1, 0, 2)
    return _first_known(by_tick[begin], by_tick[end])


def _first_known(first: Floats32, later: Floats32) -> Floats:
    return np.where(np.isnan(first), later, first).astype(np.float64)


def within_reach(a: Sequence[Floats], b: Sequence[Floats], reach_m: float) -> Bools:
    """Return (n,) whether a and b, (x, y) columns in m, are within ``reach_m``; False at NaN.

    >>> within_reach((np.zeros(2), np.zeros(2)), (np.array([3, np.nan]), np.zeros(2)), 3.0).tolist()
    [True, False]
    """
    return np.asarray((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 <= reach_m**2)


def frame_of(tracks: CrowdTracks) -> tuple[float, float, float, float]:
    """Return least x, greatest x, least y, greatest y of all tracks with a margin of 1 cm, m."""
    by_tick = tracks.xy.transpose(1, 0, 2)
    xy = by_tick[~np.isnan(by_tick[..., 0])]
    if not len(xy):
        return (0.0, 1.0, 0.0, 1.0)
    (low_x, low_y), (high_x, high_y) = xy.min(axis=0).tolist(), xy.max(axis=0).tolist()
    return (low_x - _EDGE_M, high_x + _EDGE_M, low_y - _EDGE_M, high_y + _EDGE_M)


class Bystanders:
    """An index of all bodies by tick, to find those in the way of links.

    The result is the same as over all bodies, bit by bit.

    Args:
        tracks: where everybody is; at the end, maybe devices that nobody carries.
        people: how many of the tracks are people's; None: all.
    """

    def __init__(self, tracks: CrowdTracks, people: int | None = None) -> None:
        self._tracks = tracks
        self._people = tracks.people if people is None else people
        self._frame = frame_of(tracks)
        self._ticks = range(0)
        self._cells = self._sorted(np.empty((0, 2)), np.empty(0, dtype=np.int64))

    def blocked_db(
        self, phone_a: Floats, phone_b: Floats, a: Ints, b: Ints, tick: Ints, loss_db: float
    ) -> Floats:
        """Return (n,) the loss of the direct wave by other people's bodies, dB.

        Args:
            phone_a: (n, 2) first end of each link, m; NaN for no link.
            phone_b: (n, 2) second end, m.
            a: (n,) owner of the phone at the first end.
            b: (n,) owner of the phone at the second end.
            tick: (n,) tick of each link.
            loss_db: loss of one body exactly on the line.
        """
        if not len(tick):
            return np.empty(0)
        bodies, layer = self._bodies(tick)
        known = np.flatnonzero(~np.isnan(phone_a[:, 0] + phone_b[:, 0]))
        units = np.zeros(len(tick))
        for begin in range(0, len(known), _LINES_AT_ONCE):  # so that a part fits into the cache
            rows = known[begin : begin + _LINES_AT_ONCE]
            from_x, from_y = phone_a[rows].T
            along_x, along_y = (phone_b[rows] - phone_a[rows]).T
            length2 = np.maximum(along_x**2 + along_y**2, 1e-6)
            line, body = bodies.along(phone_a[rows], phone_b[rows], BODY_REACH_M, layer[rows])
            every = body_units(
                bodies.x[body] - from_x[line],
                bodies.y[body] - from_y[line],
                along_x[line],
                along_y[line],
                length2[line],
            )
            units[rows] = np.bincount(line, every, minlength=len(rows))
            # Units are whole numbers, so subtracting the owners' own bodies leaves no rounding.
            for owner in (a, b):
                place = self._tracks.xy[owner[rows], tick[rows]].astype(np.float64)
                place[owner[rows] >= self._people] = np.nan
                x, y = place.T
                own = body_units(x - from_x, y - from_y, along_x, along_y, length2)
                units[rows] -= np.where(np.isnan(own), 0.0, own)
        return obstruction_of(units, loss_db)

    def _bodies(self, tick: Ints) -> tuple[Cells, Ints]:
        """Return the index of all bodies at these ticks, and (n,) the layer of each tick in it."""
        first, last = int(tick.min()), int(tick.max())
        if not self._ticks.start <= first <= last < self._ticks.stop:
            self._ticks = range(first, last + 1)
            xy = self._tracks.xy[: self._people, first : last + 1].transpose(1, 0, 2)
            layer, person = np.nonzero(~np.isnan(xy[..., 0]))
            self._cells = self._sorted(xy[layer, person].astype(np.float64), layer)
        return self._cells, tick - self._ticks.start

    def _sorted(self, xy: Floats, layer: Ints) -> Cells:
        layers = len(self._ticks)
        return Cells(xy, layer, self._frame, row_m=_ROW_M, cell_m=_CELL_M, layers=layers)
