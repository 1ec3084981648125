"""Windows of absolute time per pair: what estimators score, and what truth is set beside."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.scene import LogsUsed, People, Scene, people
from tracetogether.proximity.sums import group_sums
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints

_DENSE: int = 4_000_000  # so many possible windows are counted in an array, more are sorted


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a scene that hold a sighting, ordered by observer, peer and window.

    One per directed pair and window for a log of one's own; for more logs one per pair and window
    with the sightings of both directions in it, the name that sorts first as the observer.

    Attributes:
        observer, peer: (w,) who.
        window: (w,) floor(time / window_s).
        row: (n,) the window of each sighting, an index into the columns above.
        readings: (w,) how many sightings it holds.
    """

    observer: Labels
    peer: Labels
    window: Ints
    row: Ints
    readings: Ints

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, window_s: float) -> Self:
        """Return the windows of ``scene``, ``window_s`` seconds long.

        Raises:
            ValueError: ``window_s`` is not above 0.
        """
        if not 0 < window_s < np.inf:
            raise ValueError(f"a window must be longer than 0 s, got {window_s}")
        who = _pairs(scene.sightings, logs)
        first, second = who.observer, who.peer
        width = len(who.names) + 1
        number = np.floor(scene.sightings.time / window_s).astype(np.int64)
        earliest = int(number.min()) if len(number) else 0
        spans = int(number.max(initial=earliest)) - earliest + 1
        key = ((first + 1) * width + second + 1) * spans + (number - earliest)
        distinct, row = _distinct(key, width * width * spans)
        pair = distinct // spans
        return cls(
            observer=Labels((pair // width - 1).astype(np.int32), who.names),
            peer=Labels((pair % width - 1).astype(np.int32), who.names),
            window=distinct % spans + earliest,
            row=row,
            readings=np.bincount(row, minlength=len(distinct)).astype(np.int64),
        )

    def mean(self, per_sighting: Floats) -> Floats:
        """Return the mean over each window's sightings of a column of sightings."""
        return self.total(per_sighting) / self.readings

    def total(self, per_sighting: Floats) -> Floats:
        """Return the sum over each window's sightings of a column of sightings."""
        return group_sums(per_sighting, self.row, len(self))

    def __len__(self) -> int:
        return len(self.window)


def pooled(scene: Scene, logs: LogsUsed) -> Sightings:
    """Return the scene's sightings by evaluated pair.

    As they are for a log of one's own; else both directions of a pair under one name, the one that
    sorts first as the observer. The phone models stay with each sighting.
    """
    if logs is LogsUsed.OWN:
        return scene.sightings
    who = _pairs(scene.sightings, logs)
    return scene.sightings.replaced(
        observer=Labels(who.observer.astype(np.int32), who.names),
        peer=Labels(who.peer.astype(np.int32), who.names),
    )


def _pairs(sightings: Sightings, logs: LogsUsed) -> People:
    who = people(sightings)
    if logs is LogsUsed.OWN:
        return who
    return People(who.names, np.minimum(who.observer, who.peer), np.maximum(who.observer, who.peer))


def _distinct(key: Ints, bound: int) -> tuple[Ints, Ints]:
    """Return the distinct keys, sorted, and which of them each key is."""
    if bound > _DENSE:
        distinct, row = np.unique(key, return_inverse=True)
        return distinct, row.reshape(-1).astype(np.int64)
    present = np.zeros(bound, dtype=np.bool_)
    present[key] = True
    place = np.cumsum(present) - 1
    return np.flatnonzero(present), place[key]
