"""A scene: what the phones of a group recorded in one place and time, and what is known of it."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.grid import PairIndex, RowGroups, TimeGrid, distinct_keys
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class Tracks:
    """Where people were, as a camera or a simulator saw it, in columns of equal length.

    Estimators may use when somebody was tracked, and never where.

    Attributes:
        time: (n,) UTC epoch seconds; people's samples lie on a common grid, such as 2 Hz.
        person: (n,) names.
        x_m, y_m: (n,) position in metres.
    """

    time: Floats
    person: Labels
    x_m: Floats
    y_m: Floats

    def __post_init__(self) -> None:
        if len({len(self.time), len(self.person), len(self.x_m), len(self.y_m)}) > 1:
            raise ValueError("the columns of tracks differ in length")
        if not all(np.isfinite(column).all() for column in (self.time, self.x_m, self.y_m)):
            raise ValueError("tracks need finite times and positions")

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One scene of a recording; two scenes are equal only if they are the same object.

    Attributes:
        name: its name in the recording.
        sightings: all logs together; observer and peer are people of the scene.
        distance_m: (n,) true distance of each sighting. NaN, 0 and less mean unknown (0: behind a
            wall). None if no distance is known.
        tracks: where the people were; None if nobody was tracked.
    """

    name: str
    sightings: Sightings
    distance_m: Floats | None = None
    tracks: Tracks | None = None

    def __post_init__(self) -> None:
        if self.distance_m is not None and len(self.distance_m) != len(self.sightings):
            raise ValueError("a scene needs a distance per sighting, or none at all")

    def pairs(self, logs: LogsUsed) -> PairIndex:
        """Return the pairs with a sighting: directed for ``OWN``, else both directions as one."""
        return PairIndex.of_sightings(self.sightings, directed=logs is LogsUsed.OWN)

    def pooled(self, logs: LogsUsed) -> Sightings:
        """Return the sightings under the names of ``pairs(logs)``; phone models stay as they are.

        For ``OWN`` nothing changes; else the name that sorts first is the observer.
        """
        if logs is LogsUsed.OWN:
            return self.sightings
        pairs = self.pairs(logs)
        observer, peer = pairs.labels(pairs.row)
        return self.sightings.replaced(observer=observer, peer=peer)


@dataclass(frozen=True, slots=True)
class SceneWindows(RowGroups):
    """The windows of a scene with a sighting, ordered by pair and time; rows are sightings.

    Attributes:
        pairs: the pairs of the scene.
        pair: (count,) which pair each window is of.
        number: (count,) floor(time / length of a window).
    """

    pairs: PairIndex
    pair: Ints
    number: Ints

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, window_s: float) -> Self:
        """Return the windows of ``scene``, ``window_s`` seconds long.

        Raises:
            ValueError: ``window_s`` is not above 0.
        """
        if not 0 < window_s < np.inf:
            raise ValueError(f"a window must be longer than 0 s, got {window_s}")
        pairs = scene.pairs(logs)
        number = TimeGrid(window_s).cells(scene.sightings.time)
        earliest = int(number.min()) if len(number) else 0
        span = int(number.max(initial=earliest)) - earliest + 1
        key, row = distinct_keys(pairs.row * span + number - earliest, len(pairs) * span)
        return cls(row, len(key), pairs, key // span, key % span + earliest)
