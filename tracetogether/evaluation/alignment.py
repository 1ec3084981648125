"""An estimator's answers set beside the truth, row by row."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tracetogether.evaluation.protocols import PairMinutes, WindowScores
from tracetogether.evaluation.truth import TrueMinutes, window_distance_m
from tracetogether.evaluation.windows import Windows
from tracetogether.labels import Labels
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.units import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class TrueWindows:
    """The windows of a scene whose distance is known.

    Attributes:
        windows: all windows of the scene.
        known: (w,) whether the distance is known.
        distance_m: (w,) the distance, NaN where it is not.
    """

    windows: Windows
    known: Bools
    distance_m: Floats

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, window_s: float) -> Self:
        """Return the windows of ``scene`` and their distances."""
        windows = Windows.of(scene, logs, window_s)
        distance = window_distance_m(scene, windows)
        return cls(windows, np.isfinite(distance), distance)

    def near(self, within_m: float) -> Bools:
        """Return whether each window of known distance was within ``within_m``."""
        return np.asarray(self.distance_m[self.known] <= within_m)

    def scores(self, given: WindowScores) -> tuple[Floats, Floats]:
        """Return score and probability of each window of known distance.

        Raises:
            ValueError: the estimator left a window out.
        """
        mine = self.windows
        row = _places(
            (mine.observer, mine.peer, mine.window), (given.observer, given.peer, given.window)
        )[self.known]
        if (row < 0).any():
            raise ValueError(f"{int((row < 0).sum())} windows with a reading have no score")
        return given.score[row], given.probability[row]


@dataclass(frozen=True, slots=True)
class TruePairs:
    """The pairs of a scene that were heard and tracked together, with their true minutes."""

    observer: Labels
    peer: Labels
    minutes: Floats

    @classmethod
    def of(cls, scene: Scene, logs: LogsUsed, within_m: float) -> Self:
        """Return the pairs of ``scene``; none where nobody was tracked."""
        heard = Windows.of(scene, logs, _EVER_S)
        if scene.tracks is None:
            none = np.zeros(len(heard), dtype=np.bool_)
            return cls(heard.observer.take(none), heard.peer.take(none), np.empty(0))
        true = TrueMinutes.of(scene.tracks, within_m)
        _, first = np.unique(_pair_keys(heard.observer, heard.peer), return_index=True)
        one, other = true.numbers(heard.observer)[first], true.numbers(heard.peer)[first]
        tracked = (one >= 0) & (other >= 0) & (one != other)
        tracked &= true.tracked[one, other] > 0
        rows = first[tracked]
        return cls(heard.observer.take(rows), heard.peer.take(rows), true.near[one, other][tracked])

    def estimates(self, given: PairMinutes) -> tuple[Floats, Floats, Floats]:
        """Return low, median and high minutes of each pair; 0 for one without an answer."""
        nothing = np.zeros(len(self.minutes), dtype=np.int64)
        others = np.zeros(len(given), dtype=np.int64)
        row = _places((self.observer, self.peer, nothing), (given.observer, given.peer, others))
        unsaid = np.isnan(given.low).any()

        def column(values: Floats, missing: float) -> Floats:
            padded = np.append(values, missing)  # row -1 picks the last
            return np.asarray(padded[row])

        edge = np.nan if unsaid else 0.0
        return column(given.low, edge), column(given.median, 0.0), column(given.high, edge)


_EVER_S = 1e9  # a window longer than any scene; one that straddles its end is folded again


def _pair_keys(observer: Labels, peer: Labels) -> Ints:
    return (observer.codes.astype(np.int64) + 1) * (len(peer.names) + 1) + peer.codes + 1


def _places(mine: tuple[Labels, Labels, Ints], given: tuple[Labels, Labels, Ints]) -> Ints:
    """Return the row of ``given`` that has the names and number of each row of ``mine``, or -1."""
    names = {name: n for n, name in enumerate(sorted({*mine[0].names, *mine[1].names}))}
    numbers = np.concatenate([mine[2], given[2]])
    least = int(numbers.min()) if len(numbers) else 0
    span = int(numbers.max()) - least + 1 if len(numbers) else 1

    def keys(columns: tuple[Labels, Labels, Ints]) -> Ints:
        first, second = (
            np.array([*(names.get(name, len(names)) for name in labels.names), -1])[labels.codes]
            for labels in columns[:2]
        )
        pair = (first + 1) * (len(names) + 2) + second + 1
        return np.asarray(pair.astype(np.int64) * span + columns[2] - least)

    wanted, have = keys(mine), keys(given)
    if len(wanted) == len(have) and np.array_equal(wanted, have):
        return np.arange(len(wanted))
    if not len(have):
        return np.full(len(wanted), -1)
    order = np.argsort(have, kind="stable")
    at = np.minimum(np.searchsorted(have[order], wanted), len(have) - 1)
    return np.where(have[order][at] == wanted, order[at], -1)
