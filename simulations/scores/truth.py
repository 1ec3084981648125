"""Ground truth from positions: true minutes near and nearest true distance of pairs of people.

People with a wall between them are not near each other, however short the distance is.

A tick of the tracks stands for the time until the next, so T ticks are T - 1 steps of time.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from simulations.places.tracks import CrowdTracks
from simulations.places.walls import NO_WALLS, Walls
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

ALL_PAIRS_UP_TO: Final = 200
"""Largest crowd in which every pair is measured; in larger ones a k-d tree finds near pairs."""
_CELLS_AT_ONCE: Final = 4_000_000  # bounds memory: people * people * ticks worked on together
_PAIRS_AT_ONCE: Final = 4096  # bounds memory
_SLACK: Final = 1.0 + 1e-5  # the tree's rounding differs from ours


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What really happened in a crowd of P people.

    Attributes:
        within_m: the radius, metres.
        tracks: where everybody was.
        code: (n,) ``low * P + high`` of each pair that was ever near, ascending: within the radius
            and without a wall in between.
        minutes: (n,) how long each of these pairs was near.
    """

    within_m: float
    tracks: CrowdTracks = field(repr=False)
    code: Ints
    minutes: Floats

    def minutes_of(self, first: Ints, second: Ints) -> Floats:
        """Return (n,) minutes within the radius of n pairs; 0 of a person with themselves."""
        return minutes_at(self.code, self.minutes, pair_codes(first, second, self.tracks.people))

    def nearest_m_of(self, first: Ints, second: Ints) -> Floats:
        """Return (n,) smallest distances of n pairs, metres, measured through walls as well.

        They are infinite for people who were never there at the same time.
        """
        found = np.full(len(first), np.inf)
        xy = self.tracks.xy[:, : max(self.tracks.ticks - 1, 1)]
        for begin in range(0, len(first), _PAIRS_AT_ONCE):
            rows = slice(begin, begin + _PAIRS_AT_ONCE)
            gap = xy[first[rows]] - xy[second[rows]]
            gap2 = gap[..., 0] ** 2 + gap[..., 1] ** 2
            found[rows] = np.sqrt(np.fmin.reduce(gap2, axis=1, initial=np.inf).astype(np.float64))
        return found

    def pairs_of(self, least_minutes: float, among: Ints | None = None) -> tuple[Ints, Ints]:
        """Return the pairs near for at least ``least_minutes``, both people in ``among``."""
        first, second = np.divmod(self.code[self.minutes >= least_minutes], self.tracks.people)
        if among is None:
            return first, second
        counted = np.zeros(self.tracks.people, dtype=np.bool_)
        counted[among] = True
        both = counted[first] & counted[second]
        return first[both], second[both]

    def pairs_together(self) -> tuple[Ints, Ints]:
        """Return the pairs that were ever there at the same time, near or not."""
        there = self.tracks.present()[:, : self.tracks.ticks - 1].astype(np.float32)
        first, second = np.nonzero(np.triu(there @ there.T, k=1))
        return first, second

    def table(self) -> Floats:
        """Return (P, P) minutes within the radius; 0 on the diagonal. For small crowds."""
        first, second = np.divmod(self.code, self.tracks.people)
        minutes = np.zeros((self.tracks.people, self.tracks.people))
        minutes[first, second] = minutes[second, first] = self.minutes
        return minutes


def ground_truth(
    tracks: CrowdTracks,
    within_m: float,
    *,
    walls: Walls = NO_WALLS,
    all_pairs_up_to: int = ALL_PAIRS_UP_TO,
) -> GroundTruth:
    """Return the truth about every pair that was ever near: within ``within_m``, without a wall.

    Args:
        tracks: where everybody was.
        within_m: the radius, metres.
        walls: of the venue (``run.venue.walls``). Two people with one between them have no contact.
        all_pairs_up_to: size of the largest crowd in which every pair is measured.
    """
    near = _all_pairs if tracks.people <= all_pairs_up_to else _near_pairs
    code, ticks = near(tracks, within_m, walls)
    minutes = ticks.astype(np.float64) * (tracks.tick_s / SECONDS_PER_MINUTE)
    return GroundTruth(within_m, tracks, code, minutes)


def pair_codes(first: Ints, second: Ints, people: int) -> Ints:
    """Return one number per pair, the same both ways."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.asarray(low * people + high, dtype=np.int64)


def minutes_at(code: Ints, minutes: Floats, wanted: Ints) -> Floats:
    """Return the minutes of each wanted code, 0 where ``code`` (ascending) does not hold it."""
    if not len(code):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    return np.where(code[at] == wanted, minutes[at], 0.0)


def _all_pairs(tracks: CrowdTracks, within_m: float, walls: Walls) -> tuple[Ints, Ints]:
    """Return codes of pairs and their ticks within the radius, by measuring every pair."""
    people, steps = tracks.people, tracks.ticks - 1
    near = np.zeros((people, people), dtype=np.int64)
    chunk = max(1, _CELLS_AT_ONCE // max(people, 1) ** 2)
    for begin in range(0, steps, chunk):
        x, y = np.moveaxis(tracks.xy[:, begin : min(begin + chunk, steps)], 2, 0)
        gap2 = (x[:, None] - x[None]) ** 2 + (y[:, None] - y[None]) ** 2
        here = gap2 <= within_m**2  # NaN (absent) compares false
        near += here.sum(axis=2)
        if len(walls):
            first, second, tick = np.nonzero(here & _upper(people))
            xy = np.stack([x, y], axis=-1)
            apart = walls.apart(xy[first, tick], xy[second, tick])
            np.subtract.at(near, (first[apart], second[apart]), 1)
    ticks = np.triu(near, k=1).ravel()
    code = np.flatnonzero(ticks)
    return code, ticks[code]


def _upper(people: int) -> Bools:
    """Return (people, people, 1) True for each pair once."""
    return np.asarray(np.triu(np.ones((people, people), dtype=np.bool_), k=1)[..., None])


def _near_pairs(tracks: CrowdTracks, within_m: float, walls: Walls) -> tuple[Ints, Ints]:
    """Return the same as ``_all_pairs``, tick by tick from pairs that a k-d tree finds near."""
    found: list[Ints] = [np.empty(0, dtype=np.int64)]
    for tick in range(tracks.ticks - 1):
        here = np.flatnonzero(~np.isnan(tracks.xy[:, tick, 0])).astype(np.int64)
        if len(here) < 2:
            continue
        xy = tracks.xy[here, tick]
        tree = cKDTree(xy, balanced_tree=False)
        pairs = tree.query_pairs(within_m * _SLACK, output_type="ndarray")
        gap = xy[pairs[:, 0]] - xy[pairs[:, 1]]
        pairs = pairs[gap[:, 0] ** 2 + gap[:, 1] ** 2 <= within_m**2]
        if len(walls):
            pairs = pairs[~walls.apart(xy[pairs[:, 0]], xy[pairs[:, 1]])]
        found.append(pair_codes(here[pairs[:, 0]], here[pairs[:, 1]], tracks.people))
    code, ticks = np.unique(np.concatenate(found), return_counts=True)
    return code, ticks
