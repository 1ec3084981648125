"""What is known without any signal: how often pairs are near, from other scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import TrueMinutes, mean_distance_m
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals

_QUANTILES: Final = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Constant:
    """Gives every window the same score, and every pair the training fraction of its time."""

    name: str = "constant"
    logs: frozenset[LogsUsed] = frozenset(LogsUsed)
    learns: bool = True

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedConstant":
        """Keep the scenes to take fractions from; the calibration is not needed."""
        del calibration
        return FittedConstant(scenes)


class FittedConstant:
    """The scenes that fractions are taken from."""

    def __init__(self, training: Sequence[Scene]) -> None:
        self._training = tuple(training)
        self._near_share = cache(self._share_of_windows)
        self._near_fractions = cache(self._fractions_of_time)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Give every window the share of training windows that were near."""
        count = len(SceneWindows.of(scene, logs, window_s))
        probability = np.full(count, self._near_share(logs, window_s, within_m))
        return WindowScores(np.zeros(count), probability)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Give every pair the training fraction of the time that it was tracked.

        The interval is that of the pairs' own fractions in training.
        """
        low, mean, high = self._near_fractions(logs, within_m)
        pairs = scene.pairs(logs)
        tracked = np.zeros(len(pairs))
        if (true := TrueMinutes.of_scene(scene, within_m)) is not None:
            tracked, _ = true.of_pairs(pairs)  # only the time is used
        return Intervals(low * tracked, mean * tracked, high * tracked)

    def _share_of_windows(self, logs: LogsUsed, window_s: float, within_m: float) -> float:
        distances = [
            mean_distance_m(scene, SceneWindows.of(scene, logs, window_s))
            for scene in self._training
        ]
        distance = np.concatenate([*distances, np.empty(0)])
        known = distance[np.isfinite(distance)]
        return float(np.mean(known <= within_m)) if known.size else float("nan")

    def _fractions_of_time(self, logs: LogsUsed, within_m: float) -> tuple[float, float, float]:
        """Return the fraction of tracked time near: 5 %, mean and 95 % over pairs."""
        columns = [
            true.of_pairs(scene.pairs(logs))
            for scene in self._training
            if (true := TrueMinutes.of_scene(scene, within_m)) is not None
        ]
        tracked, near = (
            np.concatenate([*(column[part] for column in columns), np.empty(0)]) for part in (0, 1)
        )
        if not tracked.any():
            return 0.0, 0.0, 0.0
        tracked, near = tracked[tracked > 0], near[tracked > 0]
        mean = float(near.sum() / tracked.sum())
        low, high = np.quantile(near / tracked, _QUANTILES)
        return min(float(low), mean), mean, max(float(high), mean)
