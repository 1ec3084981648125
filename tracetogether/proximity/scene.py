"""A scene: what the phones of a group heard in one place and time, and what is known of it."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints


class LogsUsed(Enum):
    """Which logs an estimate of a pair uses.

    OWN: the observer's own log, with everybody it heard. PAIR: the logs of both, each whole.
    ALL: every log of the scene.
    """

    OWN = "own"
    PAIR = "pair"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Tracks:
    """Where people were, as a camera or a simulator saw it, in columns of equal length.

    Estimators may use when somebody was tracked, and never where.

    Attributes:
        time: (n,) UTC epoch seconds; people's samples lie on a common grid, such as 2 Hz.
        person: who.
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
            raise ValueError("tracks want finite times and positions")

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class People:
    """The people of some sightings under one numbering.

    Attributes:
        names: sorted; somebody whose name is unknown has the number -1.
        observer, peer: (n,) who heard whom in each sighting.
    """

    names: tuple[str, ...]
    observer: Ints
    peer: Ints


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of a recording.

    Attributes:
        name: as the recording calls it.
        sightings: all logs together; observer and peer are people of the scene.
        distance_m: (n,) true distance of each sighting: NaN where unknown, and what is not above 0
            stands for no distance either (behind a wall). None where nothing is known.
        tracks: where the people were, None where nobody watched.
    """

    name: str
    sightings: Sightings
    distance_m: Floats | None = None
    tracks: Tracks | None = None

    def __post_init__(self) -> None:
        if self.distance_m is not None and len(self.distance_m) != len(self.sightings):
            raise ValueError("a distance per sighting is wanted, or none at all")


def people(sightings: Sightings) -> People:
    """Return the people of ``sightings``, whether they heard or were heard."""
    names = sorted({*sightings.observer.names, *sightings.peer.names})
    number = {name: n for n, name in enumerate(names)}

    def numbers(labels: Labels) -> Ints:
        table = np.array([*(number[name] for name in labels.names), -1], dtype=np.int64)
        return np.asarray(table[labels.codes])  # code -1 picks the last entry: unknown

    return People(tuple(names), numbers(sightings.observer), numbers(sightings.peer))
