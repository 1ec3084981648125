"""The plainest baseline: mean attenuation below a threshold tuned on other scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tracetogether.evaluation.baselines.slotwise import (
    OWN_AND_PAIR,
    distinct_pairs,
    presence_of,
    tracked_share,
)
from tracetogether.evaluation.protocols import Fitted, PairMinutes, WindowScores
from tracetogether.evaluation.truth import TrueMinutes
from tracetogether.evaluation.windows import Windows, pooled
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.proximity.slots import fold
from tracetogether.proximity.sums import group_sums
from tracetogether.units import SECONDS_PER_MINUTE, Floats

_THRESHOLDS_DB: Final = np.arange(30.0, 90.5, 0.5)
_UNTUNED_DB: Final = 55.0  # where no scene has tracks: the bound that many apps of 2020 began with


@dataclass(frozen=True, slots=True)
class MeanAttenuation:
    """Scores windows by mean attenuation; minutes are slots up to a tuned threshold."""

    name: str = "mean-attenuation"
    logs: frozenset[LogsUsed] = OWN_AND_PAIR

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> Fitted:
        """Keep the scenes that have true minutes: the threshold is tuned for each radius."""
        return FittedMeanAttenuation(
            calibration, tuple(scene for scene in scenes if scene.tracks is not None)
        )


@dataclass(frozen=True, slots=True)
class FittedMeanAttenuation:
    """Mean attenuation with the scenes that its threshold for minutes is tuned on."""

    calibration: Calibration
    training: tuple[Scene, ...]
    _tuned: dict[tuple[LogsUsed, float], float] = field(default_factory=dict, repr=False)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score a window by minus the mean attenuation of its readings."""
        del within_m
        windows = Windows.of(scene, logs, window_s)
        score = -windows.mean(self.calibration.attenuation(scene.sightings).db)
        unsaid = np.full(len(windows), np.nan)
        return WindowScores(windows.observer, windows.peer, windows.window, score, unsaid)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> PairMinutes:
        """Return the time of slots whose mean attenuation is below the threshold."""
        observer, peer, by_threshold = self._minutes(scene, logs)
        at = np.searchsorted(_THRESHOLDS_DB, self.threshold_db(logs, within_m))
        unsaid = np.full(len(observer), np.nan)
        return PairMinutes(observer, peer, unsaid, by_threshold[:, at], unsaid)

    def threshold_db(self, logs: LogsUsed, within_m: float) -> float:
        """Return the threshold with the least mean error of minutes on the training scenes."""
        known = self._tuned.get((logs, within_m))
        if known is None:
            known = _UNTUNED_DB
            if self.training:
                errors = sum(self._errors(scene, logs, within_m) for scene in self.training)
                known = float(_THRESHOLDS_DB[np.argmin(errors)])
            self._tuned[logs, within_m] = known
        return known

    def _errors(self, scene: Scene, logs: LogsUsed, within_m: float) -> Floats:
        """Return the sum over pairs of the error of minutes, for each threshold."""
        observer, peer, by_threshold = self._minutes(scene, logs)
        if scene.tracks is None:
            return np.zeros(len(_THRESHOLDS_DB))
        true = TrueMinutes.of(scene.tracks, within_m)
        first, second = true.numbers(observer), true.numbers(peer)
        tracked = (first >= 0) & (second >= 0) & (true.tracked[first, second] > 0)
        error = by_threshold[tracked] - true.near[first, second][tracked, None]
        return np.asarray(np.abs(error).sum(axis=0))

    def _minutes(self, scene: Scene, logs: LogsUsed) -> tuple[Labels, Labels, Floats]:
        """Return pairs, and the minutes (pairs, thresholds) that each has below a threshold."""
        slots = fold(pooled(scene, logs), self.calibration)
        seconds = slots.credit_s * tracked_share(slots, slots.credit_s, presence_of(scene))
        observer, peer, pair = distinct_pairs(slots.observer, slots.peer)
        count = len(_THRESHOLDS_DB)
        above = np.searchsorted(_THRESHOLDS_DB, slots.attenuation_db, side="right")
        cell = pair[slots.encounter] * (count + 1) + above
        parts = group_sums(seconds, cell, len(observer) * (count + 1))
        below = np.cumsum(parts.reshape(len(observer), count + 1), axis=1)[:, :count]
        return observer, peer, below / SECONDS_PER_MINUTE
