"""When the cameras saw whom: the time over which minutes are compared. Never where."""

from dataclasses import dataclass

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.scene import Tracks
from tracetogether.units import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Presence:
    """Who was tracked at which sample of a common grid.

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

    def numbers(self, labels: Labels) -> Ints:
        """Return the row of ``present`` for each label; -1 for people who were never tracked."""
        number = {name: n for n, name in enumerate(self.names)}
        table = np.array([*(number.get(name, -1) for name in labels.names), -1], dtype=np.int64)
        return np.asarray(table[labels.codes])

    def sample(self, time_s: Floats) -> Ints:
        """Return the sample in which each time lies; may be outside the grid."""
        return np.rint((time_s - self.start_s) / self.step_s).astype(np.int64)

    def together(self, first: Ints, second: Ints, time_s: Floats) -> Bools:
        """Return whether both were tracked at a time (columns of equal length, row by row)."""
        at = self.sample(time_s)
        samples = self.present.shape[1]
        inside = (at >= 0) & (at < samples) & (first >= 0) & (second >= 0)
        at = np.where(inside, at, 0)
        both = self.present[first, at] & self.present[second, at]
        return np.asarray(inside & both)

    def together_s(self, first: Ints, second: Ints) -> Floats:
        """Return for how many seconds both of each pair were tracked."""
        weights = self.present.astype(np.float32)
        seconds = (weights @ weights.T).astype(np.float64) * self.step_s
        known = (first >= 0) & (second >= 0)
        return np.where(known, seconds[first, second], 0.0)


def presence(tracks: Tracks) -> Presence:
    """Return when each person of ``tracks`` was tracked.

    Raises:
        ValueError: there is no sample.
    """
    if not len(tracks):
        raise ValueError("tracks without a sample")
    step = _step_s(tracks)
    start = float(tracks.time.min())
    names = tuple(sorted(tracks.person.names))
    place = {name: n for n, name in enumerate(names)}
    table = np.array([*(place[name] for name in tracks.person.names), -1], dtype=np.int64)
    person = table[tracks.person.codes]
    sample = np.rint((tracks.time - start) / step).astype(np.int64)
    present = np.zeros((len(names), int(sample.max()) + 1), dtype=np.bool_)
    known = person >= 0
    present[person[known], sample[known]] = True
    return Presence(names, start, step, present)


def _step_s(tracks: Tracks) -> float:
    """Return the usual time between two samples of a person; 1 s if nobody has two."""
    order = np.lexsort((tracks.time, tracks.person.codes))
    same = np.diff(tracks.person.codes[order]) == 0
    gaps = np.diff(tracks.time[order])[same]
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if gaps.size else 1.0
