"""Who is near enough to whom: the radio's horizon, and bodies in the way of a link."""

from typing import Final

import numpy as np

from simulations.bodies import BODY_REACH_M, body_units, obstruction_of
from simulations.strips import Strips
from simulations.tracks import Tracks
from tracetogether.units import Bools, Floats, Ints

_BODY_STRIP_M: Final = 2.5
_LAYERS_KEPT: Final = 64  # ticks; a scan's packets lie within a few
_EDGE_M: Final = 0.01


def meeting_places(tracks: Tracks, people: Ints, begin: Ints | int, end: Ints | int) -> Floats:
    """Return (n, 2) where people are at tick ``begin``; at ``end`` who is absent then; or NaN."""
    first = tracks.xy[people, begin].astype(np.float64)
    later = tracks.xy[people, end].astype(np.float64)
    return np.asarray(np.where(np.isnan(first), later, first), dtype=np.float64)


def within_reach(one: Floats, other: Floats, reach_m: float) -> Bools:
    """Return which of n pairs of places (n, 2) lie within ``reach_m``; not where one is NaN."""
    gap = one - other
    return np.asarray(gap[..., 0] ** 2 + gap[..., 1] ** 2 <= reach_m**2)


def frame_of(tracks: Tracks) -> tuple[float, float, float, float]:
    """Return least x, greatest x, least y and greatest y of all tracks, with a little edge."""
    if not tracks.present().any():
        return (0.0, 1.0, 0.0, 1.0)
    x, y = tracks.xy[..., 0], tracks.xy[..., 1]
    return (
        float(np.nanmin(x)) - _EDGE_M,
        float(np.nanmax(x)) + _EDGE_M,
        float(np.nanmin(y)) - _EDGE_M,
        float(np.nanmax(y)) + _EDGE_M,
    )


class Bystanders:
    """The bodies of a large crowd, tick by tick: which of them stand in the way of links.

    The same to the bit as trying everybody (``bodies.obstruction_db``).
    """

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._frame = frame_of(tracks)
        self._layers: dict[int, Strips] = {}
        self._there = np.ascontiguousarray(~np.isnan(tracks.xy[:, :, 0].T))  # by (tick, person)

    def blocked_db(
        self, phone_a: Floats, phone_b: Floats, a: Ints, b: Ints, tick: Ints, loss_db: float
    ) -> Floats:
        """Return the loss of the direct wave by other people's bodies, dB.

        Args:
            phone_a: (n, 2) one end of the links, m; NaN where there is none.
            phone_b: (n, 2) the other.
            a: (n,) the owner of the phone at the one end.
            b: (n,) at the other.
            tick: (n,) when.
            loss_db: loss of one body exactly in the way.
        """
        if not len(tick):
            return np.empty(0)
        ticks, layer = np.unique(tick, return_inverse=True)
        bodies = Strips.layered([self._layer(one) for one in ticks.tolist()])
        known = np.flatnonzero(~np.isnan(phone_a[:, 0] + phone_b[:, 0]))
        line, body = bodies.along(
            phone_a[known], phone_b[known], BODY_REACH_M, layer.reshape(-1)[known]
        )
        line = known[line]
        who = bodies.who[body]
        other = (who != a[line]) & (who != b[line])
        line, body = line[other], body[other]
        along = phone_b - phone_a
        length2 = np.maximum((along**2).sum(axis=-1), 1e-6)
        units = body_units(
            bodies.x[body] - phone_a[:, 0][line],
            bodies.y[body] - phone_a[:, 1][line],
            along[:, 0][line],
            along[:, 1][line],
            length2[line],
        )
        total = np.bincount(line, units, minlength=len(a)).astype(np.float64)
        return obstruction_of(total, loss_db)

    def _layer(self, tick: int) -> Strips:
        if tick not in self._layers:
            while len(self._layers) >= _LAYERS_KEPT:
                del self._layers[next(iter(self._layers))]
            here = np.flatnonzero(self._there[tick]).astype(np.int64)
            xy = self._tracks.xy[here, tick].astype(np.float64)
            self._layers[tick] = Strips.of(here, xy, height_m=_BODY_STRIP_M, frame=self._frame)
        return self._layers[tick]
