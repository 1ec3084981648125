"""The plainest baseline: mean attenuation below a threshold tuned on other scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from tracetogether.evaluation.baselines.slotwise import (
    OWN_AND_PAIR,
    pairs_of_encounters,
    tracked_share,
)
from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import Presence, TruePairs
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import group_sums
from tracetogether.proximity.slots import fold
from tracetogether.units import SECONDS_PER_MINUTE, Floats

_THRESHOLDS_DB: Final = np.arange(30.0, 90.5, 0.5)
_UNTUNED_DB: Final = 55.0  # where no scene has tracks: the bound that many apps of 2020 began with


@dataclass(frozen=True, slots=True)
class MeanAttenuation:
    """Scores windows by mean attenuation; minutes are slots up to a tuned threshold."""

    name: str = "mean-attenuation"
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = True

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedMeanAttenuation":
        """Keep the scenes that have true minutes: the threshold is tuned for each radius."""
        return FittedMeanAttenuation(
            calibration, tuple(scene for scene in scenes if scene.tracks is not None)
        )


class FittedMeanAttenuation:
    """Mean attenuation with the scenes that its threshold for minutes is tuned on."""

    def __init__(self, calibration: Calibration, training: Sequence[Scene]) -> None:
        self._calibration = calibration
        self._training = training
        self.threshold_db = cache(self._tuned_threshold_db)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score a window by minus the mean attenuation of its readings."""
        del within_m
        level = self._calibration.attenuation(scene.sightings).db
        return WindowScores.without_probability(-SceneWindows.of(scene, logs, window_s).mean(level))

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return the time of slots whose mean attenuation is below the threshold."""
        at = np.searchsorted(_THRESHOLDS_DB, self.threshold_db(logs, within_m))
        minutes = self._minutes(scene, logs)[:, at]
        unknown = np.full(len(minutes), np.nan)
        return Intervals(unknown, minutes, unknown)

    def _tuned_threshold_db(self, logs: LogsUsed, within_m: float) -> float:
        """Return the threshold with the least mean error of minutes on the training scenes."""
        if not self._training:
            return _UNTUNED_DB
        errors = sum(self._errors(scene, logs, within_m) for scene in self._training)
        return float(_THRESHOLDS_DB[np.argmin(errors)])

    def _errors(self, scene: Scene, logs: LogsUsed, within_m: float) -> Floats:
        """Return the sum over pairs of the error of minutes, for each threshold."""
        true = TruePairs.of(scene, logs, within_m)
        error = self._minutes(scene, logs)[true.known] - true.minutes[:, None]
        return np.asarray(np.abs(error).sum(axis=0))

    def _minutes(self, scene: Scene, logs: LogsUsed) -> Floats:
        """Return (pairs, thresholds) minutes of each pair below each threshold."""
        slots = fold(scene.pooled(logs), self._calibration)
        tracked = tracked_share(slots, slots.credit_s, Presence.of_scene(scene))
        pairs, count = pairs_of_encounters(slots), len(_THRESHOLDS_DB)
        above = np.searchsorted(_THRESHOLDS_DB, slots.attenuation_db, side="right")
        cell = pairs.row[slots.encounter] * (count + 1) + above
        parts = group_sums(slots.credit_s * tracked, cell, len(pairs) * (count + 1))
        below = np.cumsum(parts.reshape(len(pairs), count + 1), axis=1)[:, :count]
        return np.asarray(below / SECONDS_PER_MINUTE)
