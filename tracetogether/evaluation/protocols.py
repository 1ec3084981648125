"""What an estimator needs for an evaluation on recordings: `fit`, then scores and minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.units import Floats, Ints


@dataclass(frozen=True, slots=True)
class WindowScores:
    """An estimator's answer per window, in columns of equal length.

    One row per window of ``evaluation.windows.Windows`` that holds a reading, in any order.

    Attributes:
        observer, peer: who; for more than one log the name that sorts first is the observer.
        window: floor(time / window_s).
        score: the higher, the nearer; finite.
        probability: P(within the radius), NaN where the estimator says none.
    """

    observer: Labels
    peer: Labels
    window: Ints
    score: Floats
    probability: Floats

    def __post_init__(self) -> None:
        _check_lengths(self.observer, self.peer, self.window, self.score, self.probability)
        if not np.isfinite(self.score).all():
            raise ValueError("a window's score must be finite")
        said = self.probability[~np.isnan(self.probability)]
        if said.size and not (said.min() >= 0 and said.max() <= 1):
            raise ValueError("a probability lies between 0 and 1")

    def __len__(self) -> int:
        return len(self.window)


@dataclass(frozen=True, slots=True)
class PairMinutes:
    """Minutes within a radius per pair of a scene, over the time both are tracked.

    Directed pairs for a log of one's own; else one row per pair, the name that sorts first as the
    observer. A pair without a row stands for 0 minutes.

    Attributes:
        observer, peer: who.
        low, median, high: minutes, 5 to 95 %; low and high NaN where the estimator says none.
    """

    observer: Labels
    peer: Labels
    low: Floats
    median: Floats
    high: Floats

    def __post_init__(self) -> None:
        _check_lengths(self.observer, self.peer, self.low, self.median, self.high)
        if not np.isfinite(self.median).all():
            raise ValueError("minutes must be finite")
        if np.any(self.low > self.median) or np.any(self.median > self.high):
            raise ValueError("an interval wants low <= median <= high")

    def __len__(self) -> int:
        return len(self.median)


class Fitted(Protocol):
    """An estimator, fitted. It is asked the same scene for several windows and radii in a row."""

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Return a score for every window of ``scene`` that holds a reading."""
        ...

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> PairMinutes:
        """Return minutes within ``within_m`` over the time that both of a pair were tracked.

        ``scene.tracks`` is not None; only when people were tracked may be used, never where.
        """
        ...


class EvaluatedEstimator(Protocol):
    """An estimator that can be evaluated.

    Attributes:
        name: as the command line calls it.
        logs: which logs it can use.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  said above

    @property
    def logs(self) -> frozenset[LogsUsed]: ...  # noqa: D102  said above

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> Fitted:
        """Return the estimator with all that is fitted, fitted to ``scenes`` and nothing else."""
        ...


def _check_lengths(*columns: Labels | Floats | Ints) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"columns differ in length: {[len(column) for column in columns]}")
