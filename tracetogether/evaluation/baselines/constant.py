"""What one knows without listening: how often pairs are near, from other scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tracetogether.evaluation.baselines.slotwise import distinct_pairs
from tracetogether.evaluation.protocols import Fitted, PairMinutes, WindowScores
from tracetogether.evaluation.truth import TrueMinutes, window_distance_m
from tracetogether.evaluation.windows import Windows, pooled
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.units import Floats

_QUANTILES: Final = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Constant:
    """Gives every window the same score, and every pair the training fraction of its time."""

    name: str = "constant"
    logs: frozenset[LogsUsed] = frozenset(LogsUsed)

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> Fitted:
        """Keep the scenes to take fractions from; the calibration is of no use."""
        del calibration
        return FittedConstant(tuple(scenes))


@dataclass(frozen=True, slots=True)
class FittedConstant:
    """The scenes that fractions are taken from, and the fractions once they were asked for."""

    training: tuple[Scene, ...]
    _prevalence: dict[tuple[LogsUsed, float, float], float] = field(
        default_factory=dict, repr=False
    )
    _fractions: dict[tuple[LogsUsed, float], tuple[float, float, float]] = field(
        default_factory=dict, repr=False
    )

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Give every window the share of training windows that were near."""
        windows = Windows.of(scene, logs, window_s)
        asked = (logs, window_s, within_m)
        if asked not in self._prevalence:
            self._prevalence[asked] = self._share(logs, window_s, within_m)
        probability = np.full(len(windows), self._prevalence[asked])
        score = np.zeros(len(windows))
        return WindowScores(windows.observer, windows.peer, windows.window, score, probability)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> PairMinutes:
        """Give every pair that was heard the training fraction of the time it was tracked.

        The interval is that of the pairs' own fractions in training.
        """
        sightings = pooled(scene, logs)
        observer, peer, _ = distinct_pairs(sightings.observer, sightings.peer)
        asked = (logs, within_m)
        if asked not in self._fractions:
            self._fractions[asked] = self._training_fractions(logs, within_m)
        low, mean, high = self._fractions[asked]
        tracked = np.zeros(len(observer))
        if scene.tracks is not None:
            true = TrueMinutes.of(scene.tracks, within_m)  # of which only the time is looked at
            first, second = true.numbers(observer), true.numbers(peer)
            known = (first >= 0) & (second >= 0)
            tracked = np.where(known, true.tracked[first, second], 0.0)
        return PairMinutes(observer, peer, low * tracked, mean * tracked, high * tracked)

    def _share(self, logs: LogsUsed, window_s: float, within_m: float) -> float:
        distances = [
            window_distance_m(scene, Windows.of(scene, logs, window_s)) for scene in self.training
        ]
        distance = np.concatenate(distances) if distances else np.empty(0)
        known = distance[np.isfinite(distance)]
        return float(np.mean(known <= within_m)) if known.size else float("nan")

    def _training_fractions(self, logs: LogsUsed, within_m: float) -> tuple[float, float, float]:
        """Return the fraction of tracked time near: 5 %, mean and 95 % over pairs."""
        tracked: list[Floats] = []
        near: list[Floats] = []
        for scene in self.training:
            if scene.tracks is None:
                continue
            true = TrueMinutes.of(scene.tracks, within_m)
            sightings = pooled(scene, logs)
            observer, peer, _ = distinct_pairs(sightings.observer, sightings.peer)
            first, second = true.numbers(observer), true.numbers(peer)
            known = (first >= 0) & (second >= 0)
            tracked.append(true.tracked[first[known], second[known]])
            near.append(true.near[first[known], second[known]])
        times = np.concatenate(tracked) if tracked else np.empty(0)
        if not times.any():
            return 0.0, 0.0, 0.0
        nears = np.concatenate(near)[times > 0]
        times = times[times > 0]
        mean = float(nears.sum() / times.sum())
        low, high = np.quantile(nears / times, _QUANTILES)
        return min(float(low), mean), mean, max(float(high), mean)
