"""The position of every person at every tick, in columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulations.places.venue import Posture
from tracetogether.units import Bools, Floats, Ints

Floats32 = npt.NDArray[np.float32]
SmallCodes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CrowdTracks:
    """P people at T ticks; tick k is ``k * tick_s`` seconds after the start.

    Attributes:
        xy: (P, T, 2) float32 positions of body centres, m; NaN while absent.
        facing: (P, T) float32 directions of view, radians from +x.
        posture: (P, T) codes of Posture.
        carry: (P, T) codes of bodies.Carry: where the phone is.
        tick_s: seconds between ticks.

    >>> walk = np.array([[[0, 0], [1, 0]]], np.float32)  # one person, two ticks
    >>> code = np.ones((1, 2), np.int8)
    >>> CrowdTracks(walk, walk[..., 0], code, code).position(np.array([0]), np.array([0.5]))
    array([[0.5, 0. ]])
    """

    xy: Floats32
    facing: Floats32
    posture: SmallCodes
    carry: SmallCodes
    tick_s: float = 1.0

    @property
    def people(self) -> int:
        """Return the number of people."""
        return len(self.xy)

    @property
    def ticks(self) -> int:
        """Return the number of ticks."""
        return int(self.posture.shape[1])

    def tick(self, time_s: Floats) -> Ints:
        """Return the index of the tick at or before each time (s); times outside are clipped."""
        index = np.floor(np.asarray(time_s) / self.tick_s).astype(np.int64)
        return np.clip(index, 0, self.ticks - 1)

    def position(self, person: Ints, time_s: Floats) -> Floats:
        """Return (n, 2) positions in m, linear between ticks; NaN where the person is absent.

        Args:
            person: (n,) indices of people.
            time_s: (n,) seconds after the start.
        """
        at = self.tick(time_s)
        after = np.minimum(at + 1, self.ticks - 1)
        part = np.clip(np.asarray(time_s) / self.tick_s - at, 0.0, 1.0)[:, None]
        here = self.xy[person, at].astype(np.float64)
        there = self.xy[person, after].astype(np.float64)
        there = np.where(np.isnan(there), here, there)  # absent at the next tick
        return np.asarray(here + (there - here) * part)

    def present(self) -> Bools:
        """Return (P, T) whether each person is present at each tick."""
        return np.asarray(self.posture != Posture.ABSENT)
