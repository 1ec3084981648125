"""Ground truth of large crowds: only pairs that were ever near each other are held."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from simulations.places.tracks import CrowdTracks
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

_PAIRS_AT_ONCE: Final = 4096  # bounds memory
_SLACK: Final = 1.0 + 1e-5


@dataclass(frozen=True, slots=True)
class PairTruth:
    """What really happened in a crowd of P people, where ``truth.Truth`` would not fit.

    Attributes:
        within_m: the radius.
        tracks: where everybody was.
        code: (n,) ``low * P + high`` of the pairs that were ever within the radius, ascending.
        minutes: (n,) how long each of them was.
    """

    within_m: float
    tracks: CrowdTracks = field(repr=False)
    code: Ints
    minutes: Floats

    def minutes_of(self, one: Ints, other: Ints) -> Floats:
        """Return (n,) minutes within the radius of n pairs; 0 of a person with himself."""
        if not len(self.code):
            return np.zeros(len(one))
        code = pair_codes(one, other, self.tracks.people)
        at = np.minimum(np.searchsorted(self.code, code), len(self.code) - 1)
        return np.where(self.code[at] == code, self.minutes[at], 0.0)

    def nearest_m_of(self, one: Ints, other: Ints) -> Floats:
        """Return (n,) the smallest distances of n pairs; infinite if they never met."""
        found = np.full(len(one), np.inf)
        xy = self.tracks.xy[:, : max(self.tracks.ticks - 1, 1)]
        for begin in range(0, len(one), _PAIRS_AT_ONCE):
            rows = slice(begin, begin + _PAIRS_AT_ONCE)
            gap = xy[one[rows]] - xy[other[rows]]
            gap2 = gap[..., 0] ** 2 + gap[..., 1] ** 2
            found[rows] = np.sqrt(np.fmin.reduce(gap2, axis=1, initial=np.inf).astype(np.float64))
        return found

    def pairs_of(self, least_minutes: float, among: Ints) -> tuple[Ints, Ints]:
        """Return (one, other) of the pairs near for so long, both of them in ``among``."""
        one, other = np.divmod(self.code[self.minutes >= least_minutes], self.tracks.people)
        there = np.zeros(self.tracks.people, dtype=np.bool_)
        there[among] = True
        both: Bools = there[one] & there[other]
        return one[both], other[both]


def pair_codes(one: Ints, other: Ints, people: int) -> Ints:
    """Return one number per pair, the same both ways."""
    return np.asarray(np.minimum(one, other) * people + np.maximum(one, other), dtype=np.int64)


def pair_truth(tracks: CrowdTracks, within_m: float) -> PairTruth:
    """Return the truth about every pair that was ever within ``within_m``.

    As in ``truth.ground_truth`` a tick stands for the time until the next.
    """
    found: list[Ints] = []
    for tick in range(tracks.ticks - 1):
        here = np.flatnonzero(~np.isnan(tracks.xy[:, tick, 0])).astype(np.int64)
        if len(here) < 2:
            continue
        xy = tracks.xy[here, tick]
        tree = cKDTree(xy, balanced_tree=False)
        pairs = tree.query_pairs(within_m * _SLACK, output_type="ndarray")
        gap = xy[pairs[:, 0]] - xy[pairs[:, 1]]
        near = gap[:, 0] ** 2 + gap[:, 1] ** 2 <= within_m**2
        found.append(pair_codes(here[pairs[near, 0]], here[pairs[near, 1]], tracks.people))
    code, ticks = np.unique(
        np.concatenate([*found, np.empty(0, dtype=np.int64)]), return_counts=True
    )
    minutes = ticks.astype(np.float64) * (tracks.tick_s / SECONDS_PER_MINUTE)
    return PairTruth(within_m, tracks, code, minutes)
