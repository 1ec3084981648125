"""What an estimator needs for an evaluation on recordings: `fit`, then scores and minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tracetogether.evaluation.scene import Scene
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals
from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class WindowScores:
    """An estimator's answer for each window of ``evaluation.scene.SceneWindows``, in their order.

    Attributes:
        score: (windows,) the higher, the nearer; finite.
        probability: (windows,) P(within the radius), NaN if the estimator gives none.

    Raises:
        ValueError: a score is not finite, or a probability is not between 0 and 1.
    """

    score: Floats
    probability: Floats

    def __post_init__(self) -> None:
        if len(self.score) != len(self.probability):
            raise ValueError("scores and probabilities differ in length")
        if not np.isfinite(self.score).all():
            raise ValueError("a window's score must be finite")
        if np.any(self.probability < 0) or np.any(self.probability > 1):
            raise ValueError("a probability must be between 0 and 1")

    @classmethod
    def without_probability(cls, score: Floats) -> "WindowScores":
        """Return scores of an estimator that gives no probabilities."""
        return cls(score, np.full(len(score), np.nan))

    def __len__(self) -> int:
        return len(self.score)


class Fitted(Protocol):
    """A fitted estimator. It is asked for one scene at several windows and radii in a row."""

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Return a score for every window of ``SceneWindows.of(scene, logs, window_s)``."""
        ...

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return minutes within ``within_m`` of every pair of ``scene.pairs(logs)``.

        They count while both people were tracked. ``scene.tracks`` is not None; estimators may use
        when people were tracked, never where. The ends are NaN if the estimator gives no interval.
        """
        ...


class EvaluatedEstimator(Protocol):
    """An estimator that can be evaluated.

    Attributes:
        name: its name on the command line.
        logs: which logs it can use.
        learns: whether fitting changes it; if not, it is fitted once.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  said above

    @property
    def logs(self) -> frozenset[LogsUsed]: ...  # noqa: D102  said above

    @property
    def learns(self) -> bool: ...  # noqa: D102  said above

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> Fitted:
        """Return the estimator fitted to ``scenes`` and nothing else."""
        ...
