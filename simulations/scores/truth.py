"""Ground truth from positions: true minutes near and nearest true distance of every pair."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.places.tracks import CrowdTracks
from tracetogether.units import SECONDS_PER_MINUTE, Floats

_CELLS_AT_ONCE: Final = 4_000_000  # bounds memory: people * people * ticks worked on together


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened; P people.

    Attributes:
        within_m: the radius.
        minutes: (P, P) minutes that two people's middles were within the radius; 0 on the diagonal.
        nearest_m: (P, P) their smallest distance; infinite if they were never there together.
    """

    within_m: float
    minutes: Floats
    nearest_m: Floats


def ground_truth(tracks: CrowdTracks, within_m: float) -> Truth:
    """Return the truth about every pair.

    A tick stands for the time until the next, so T ticks are T - 1 steps of time.
    """
    people, steps = tracks.people, tracks.ticks - 1
    near = np.zeros((people, people), dtype=np.int64)
    nearest2 = np.full((people, people), np.inf, dtype=np.float32)
    chunk = max(1, _CELLS_AT_ONCE // max(people, 1) ** 2)
    for begin in range(0, steps, chunk):
        xy = tracks.xy[:, begin : min(begin + chunk, steps)]
        x, y = xy[..., 0], xy[..., 1]
        gap2 = (x[:, None] - x[None]) ** 2 + (y[:, None] - y[None]) ** 2
        near += (gap2 <= within_m**2).sum(axis=2)  # NaN (absent) compares false
        nearest2 = np.fmin(nearest2, np.fmin.reduce(gap2, axis=2))
    np.fill_diagonal(near, 0)
    return Truth(
        within_m=within_m,
        minutes=near.astype(np.float64) * (tracks.tick_s / SECONDS_PER_MINUTE),
        nearest_m=np.sqrt(nearest2.astype(np.float64)),
    )
