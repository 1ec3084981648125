"""The truth of a scene: how far apart people were, when they were tracked, how long they were near.

Estimators may ask ``Presence``, which says when people were tracked, and nothing else here.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracetogether.evaluation.scene import Scene, SceneWindows, Tracks
from tracetogether.evaluation.steady import SteadySpans
from tracetogether.labels import Labels
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.grid import PairIndex, RowGroups, group_sums, numbers_in
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Presence:
    """When each person was tracked, on a common grid of samples.

    Attributes:
        names: the people tracked, sorted.
        start_s: epoch seconds of sample 0.
        step_s: seconds that a sample stands for.
        present: (people, samples) True where tracked.
    """

    names: tuple[str, ...]
    start_s: float
    step_s: float
    present: Bools

    @classmethod
    def of(cls, tracks: Tracks) -> Self:
        """Return when each person of ``tracks`` was tracked.

        Raises:
            ValueError: there is no sample.
        """
        if not len(tracks):
            raise ValueError("tracks without a sample")
        names = tuple(sorted(tracks.person.names))
        start, step = float(tracks.time.min()), _step_s(tracks)
        person = numbers_in(names, tracks.person)
        sample = np.rint((tracks.time - start) / step).astype(np.int64)
        present = np.zeros((len(names), int(sample.max()) + 1), dtype=np.bool_)
        known = person >= 0
        present[person[known], sample[known]] = True
        return cls(names, start, step, present)

    @classmethod
    def of_scene(cls, scene: Scene) -> Self:
        """Return when the people of ``scene`` were tracked, or were at a known distance.

        Raises:
            ValueError: nobody was.
        """
        if scene.tracks is not None:
            return cls.of(scene.tracks)
        spans = SteadySpans.of(scene)
        if spans is None:
            raise ValueError(
                f"scene {scene.name!r} has neither tracks nor pairs at a fixed distance, so "
                "minutes can't be compared"
            )
        edges = np.zeros((len(spans.names), int(spans.end.max()) + 1), dtype=np.int32)
        for person in (spans.first, spans.second):
            np.add.at(edges, (person, spans.begin), 1)
            np.add.at(edges, (person, spans.end), -1)
        present = np.cumsum(edges, axis=1)[:, :-1] > 0
        return cls(spans.names, spans.start_s, spans.step_s, present)

    def numbers(self, labels: Labels) -> Ints:
        """Return the row of ``present`` for each label; -1 for people who were never tracked."""
        return numbers_in(self.names, labels)

    def sample(self, time_s: Floats) -> Ints:
        """Return the sample in which each time lies; may be outside the grid."""
        return np.rint((time_s - self.start_s) / self.step_s).astype(np.int64)

    def together(self, first: Ints, second: Ints, time_s: Floats) -> Bools:
        """Return whether both were tracked at a time (columns of equal length, row by row)."""
        at = self.sample(time_s)
        inside = (at >= 0) & (at < self.present.shape[1]) & (first >= 0) & (second >= 0)
        at = np.where(inside, at, 0)
        return np.asarray(inside & self.present[first, at] & self.present[second, at])


def _step_s(tracks: Tracks) -> float:
    """Return the usual time between two samples of a person; 1 s if nobody has two."""
    order = np.lexsort((tracks.time, tracks.person.codes))
    same = np.diff(tracks.person.codes[order]) == 0
    gaps = np.diff(tracks.time[order])[same]
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if gaps.size else 1.0


@dataclass(frozen=True, slots=True)
class TrueMinutes:
    """True minutes of every pair of people; the same in both directions.

    People are tracked by cameras, or are at a fixed distance (``SteadySpans``).

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
        when = Presence.of(tracks)
        where = _positions(tracks, when)
        count = len(when.names)
        tracked, near = np.zeros((count, count)), np.zeros((count, count))
        for person in range(count):  # person by person, to keep memory at (people, samples)
            distance = np.hypot(*(where - where[:, person, None, :]))
            tracked[person] = np.isfinite(distance).sum(axis=1)
            near[person] = (distance <= within_m).sum(axis=1)
        minutes = when.step_s / SECONDS_PER_MINUTE
        return cls(when.names, tracked * minutes, near * minutes)

    @classmethod
    def of_scene(cls, scene: Scene, within_m: float) -> Self | None:
        """Return the true minutes of a scene's tracks, or of its pairs at a fixed distance.

        None if it has neither.
        """
        if scene.tracks is not None:
            return cls.of(scene.tracks, within_m) if len(scene.tracks) else None
        spans = SteadySpans.of(scene)
        if spans is None:
            return None
        count = len(spans.names)
        minutes = (spans.end - spans.begin) * spans.step_s / SECONDS_PER_MINUTE
        tracked, near = (
            group_sums(part, spans.first * count + spans.second, count**2).reshape(count, count)
            for part in (minutes, minutes * (spans.distance_m <= within_m))
        )
        return cls(spans.names, tracked + tracked.T, near + near.T)

    def of_pairs(self, pairs: PairIndex) -> tuple[Floats, Floats]:
        """Return (pairs,) minutes tracked and minutes near; 0 where one was never tracked."""
        first, second = pairs.numbers_in(self.names)
        known = (first >= 0) & (second >= 0)
        tracked, near = (
            np.where(known, minutes[first, second], 0.0) for minutes in (self.tracked, self.near)
        )
        return tracked, near


def mean_distance_m(scene: Scene, groups: RowGroups) -> Floats:
    """Return (groups,) the mean of the known distances of their sightings, NaN without any."""
    if scene.distance_m is None:
        return np.full(len(groups), np.nan)
    with np.errstate(invalid="ignore"):
        known = scene.distance_m > 0  # NaN, unknown, compares false
    count = groups.sum(known.astype(np.float64))
    total = groups.sum(np.where(known, scene.distance_m, 0.0))
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return mean


def track_distance_m(tracks: Tracks, sightings: Sightings) -> Floats:
    """Return how far apart the people of each sighting were, NaN where one was not tracked."""
    when = Presence.of(tracks)
    where = _positions(tracks, when)
    at = when.sample(sightings.time)
    first, second = when.numbers(sightings.observer), when.numbers(sightings.peer)
    seen = when.together(first, second, sightings.time)
    at, first, second = (np.where(seen, column, 0) for column in (at, first, second))
    distance = np.hypot(*(where[:, first, at] - where[:, second, at]))
    return np.asarray(np.where(seen, distance, np.nan))


def _positions(tracks: Tracks, when: Presence) -> Floats:
    """Return x and y as (2, people, samples), NaN where not tracked."""
    person, sample = when.numbers(tracks.person), when.sample(tracks.time)
    where = np.full((2, *when.present.shape), np.nan)
    known = person >= 0
    where[0, person[known], sample[known]] = tracks.x_m[known]
    where[1, person[known], sample[known]] = tracks.y_m[known]
    return where


@dataclass(frozen=True, slots=True)
class TrueWindows:
    """The windows of a scene whose distance is known.

    Attributes:
        known: (windows,) whether the distance of a window is known.
        distance_m: (known windows,) that distance.
    """

    known: Bools
    distance_m: Floats

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, window_s: float) -> Self:
        """Return the windows of ``scene`` and their distances."""
        distance = mean_distance_m(scene, SceneWindows.of(scene, logs, window_s))
        known = np.isfinite(distance)
        return cls(known, distance[known])


@dataclass(frozen=True, slots=True)
class TruePairs:
    """The pairs of a scene that were received and tracked together.

    Attributes:
        known: (pairs,) whether a pair of the scene is of two people tracked together.
        minutes: (known pairs,) true minutes within the radius.
    """

    known: Bools
    minutes: Floats

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, within_m: float) -> Self:
        """Return the pairs of ``scene``; none where nobody has true minutes."""
        pairs = scene.pairs(logs)
        true = TrueMinutes.of_scene(scene, within_m)
        if true is None:
            return cls(np.zeros(len(pairs), dtype=np.bool_), np.empty(0))
        tracked, near = true.of_pairs(pairs)
        known = (tracked > 0) & (pairs.first != pairs.second)
        return cls(known, near[known])
