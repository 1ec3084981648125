"""Where everybody is at every tick, in columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulations.places.venue import Posture
from tracetogether.units import Bools, Floats, Ints

Floats32 = npt.NDArray[np.float32]
SmallCodes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CrowdTracks:
    """People over time; P people, T ticks, tick k at ``k * tick_s`` seconds after the start.

    Attributes:
        xy: (P, T, 2) float32 metres; NaN while absent.
        facing: (P, T) float32 radians.
        posture: (P, T) codes of Posture.
        carry: (P, T) codes of bodies.Carry: where the phone is.
        tick_s: seconds between ticks.
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
        """Return the tick that holds each time."""
        index = np.floor(np.asarray(time_s) / self.tick_s).astype(np.int64)
        return np.clip(index, 0, self.ticks - 1)

    def position(self, person: Ints, time_s: Floats) -> Floats:
        """Return the (n, 2) positions between ticks; NaN where absent."""
        at = self.tick(time_s)
        after = np.minimum(at + 1, self.ticks - 1)
        part = np.clip(np.asarray(time_s) / self.tick_s - at, 0.0, 1.0)[:, None]
        here = self.xy[person, at].astype(np.float64)
        there = self.xy[person, after].astype(np.float64)
        there = np.where(np.isnan(there), here, there)  # about to leave
        return np.asarray(here + (there - here) * part)

    def present(self) -> Bools:
        """Return (P, T): who is there when."""
        return np.asarray(self.posture != Posture.ABSENT)
