"""What is known to be true: how far away a window was, how long people were near by camera."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracetogether.evaluation.presence import Presence, presence
from tracetogether.evaluation.windows import Windows
from tracetogether.labels import Labels
from tracetogether.proximity.scene import Scene, Tracks
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints


@dataclass(frozen=True, slots=True)
class TrueMinutes:
    """True minutes of every pair of tracked people; the same in both directions.

    Attributes:
        names: the people tracked, sorted.
        tracked: (people, people) minutes that both were tracked.
        near: (people, people) minutes of those within the radius.
    """

    names: tuple[str, ...]
    tracked: Floats
    near: Floats

    @classmethod
    def of(cls, tracks: Tracks, within_m: float) -> Self:
        """Return the true minutes within ``within_m`` metres.

        Raises:
            ValueError: there is no sample.
        """
        when = presence(tracks)
        where = _positions(tracks, when)
        count = len(when.names)
        tracked, near = np.zeros((count, count)), np.zeros((count, count))
        for person in range(count):  # of people, to keep memory at (people, samples)
            distance = np.hypot(*(where - where[:, person, None, :]))
            tracked[person] = np.isfinite(distance).sum(axis=1)
            near[person] = (distance <= within_m).sum(axis=1)
        minutes = when.step_s / SECONDS_PER_MINUTE
        return cls(when.names, tracked * minutes, near * minutes)

    def numbers(self, labels: Labels) -> Ints:
        """Return the row of each label; -1 for people who were never tracked."""
        number = {name: n for n, name in enumerate(self.names)}
        table = np.array([*(number.get(name, -1) for name in labels.names), -1], dtype=np.int64)
        return np.asarray(table[labels.codes])


def window_distance_m(scene: Scene, windows: Windows) -> Floats:
    """Return each window's true distance: the mean of its known distances above 0, or NaN."""
    if scene.distance_m is None:
        return np.full(len(windows), np.nan)
    with np.errstate(invalid="ignore"):
        known = scene.distance_m > 0  # NaN, unknown, compares false
    count = windows.total(known.astype(np.float64))
    total = windows.total(np.where(known, scene.distance_m, 0.0))
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return mean


def track_distance_m(tracks: Tracks, sightings: Sightings) -> Floats:
    """Return how far apart the people of each sighting were, NaN where one was not tracked."""
    when = presence(tracks)
    where = _positions(tracks, when)
    at = when.sample(sightings.time)
    first, second = when.numbers(sightings.observer), when.numbers(sightings.peer)
    seen = when.together(first, second, sightings.time)
    at, first, second = (np.where(seen, column, 0) for column in (at, first, second))
    distance = np.hypot(*(where[:, first, at] - where[:, second, at]))
    return np.asarray(np.where(seen, distance, np.nan))


def _positions(tracks: Tracks, when: Presence) -> Floats:
    """Return x and y as (2, people, samples), NaN where not tracked."""
    who = when.numbers(tracks.person)
    at = when.sample(tracks.time)
    where = np.full((2, *when.present.shape), np.nan)
    known = who >= 0
    where[0, who[known], at[known]] = tracks.x_m[known]
    where[1, who[known], at[known]] = tracks.y_m[known]
    return where
