"""What one would try first: one number of the readings, and a threshold tuned on other scenes.

The number is the mean attenuation, the loudest reading, a low quantile of attenuation, or how many
packets were received. It ranks windows as it is. Minutes are the time of the half-minute slots in
which it is below a threshold: the one with the least mean error on the training scenes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from tracetogether.proximity.grid import RowGroups, group_sums
from tracetogether.proximity.slots import fold
from tracetogether.units import SECONDS_PER_MINUTE, Floats

LOW_QUANTILE: Final = 0.1
"""The quantile of attenuation that `lower-quantile` takes: bodies and walls only add to it."""

_ATTENUATIONS_DB: Final = tuple(np.arange(30.0, 90.5, 0.5).tolist())
_UNTUNED_DB: Final = 55.0  # where no scene has minutes: the bound that many apps of 2020 began with
_MOST_PACKETS: Final = 5000  # in half a minute


def _packets() -> tuple[float, ...]:
    """Return thresholds of minus the number of packets, half way between whole numbers."""
    counts = np.unique(np.geomspace(1, _MOST_PACKETS, 100).astype(np.int64))
    return tuple((0.5 - counts[::-1]).tolist())


def mean(level: Floats, groups: RowGroups) -> Floats:
    """Return (groups,) the mean of the levels of each group."""
    return groups.mean(level)


def least(level: Floats, groups: RowGroups) -> Floats:
    """Return (groups,) the least level of each group."""
    return low_quantile(level, groups, 0.0)


def low_quantile(level: Floats, groups: RowGroups, quantile: float = LOW_QUANTILE) -> Floats:
    """Return (groups,) a quantile of the levels of each group, linear between two levels.

    Args:
        level: (n,) levels of the rows.
        groups: the group of each row; none is empty.
        quantile: from 0 to 1.
    """
    order = np.lexsort((level, groups.row))
    ordered = level[order]
    sizes = groups.sizes().astype(np.int64)
    place = (sizes - 1) * quantile
    whole = np.floor(place).astype(np.int64)
    at = np.cumsum(sizes) - sizes + whole
    upper = np.minimum(at + 1, np.cumsum(sizes) - 1)
    return np.asarray(ordered[at] + (place - whole) * (ordered[upper] - ordered[at]))


def minus_count(level: Floats, groups: RowGroups) -> Floats:
    """Return (groups,) minus the number of rows of each group."""
    del level
    return -groups.sizes()


class _SlotMinutes:
    """What no fold changes: scores of windows, and errors of minutes below each threshold."""

    def __init__(self, estimator: "TunedThreshold", calibration: Calibration) -> None:
        self.calibration = calibration
        self.thresholds = np.array(estimator.thresholds)
        self._statistic = estimator.statistic
        self.errors = cache(self._errors)
        self.scores = cache(self._scores)

    def _scores(self, scene: Scene, logs: LogsUsed, window_s: float) -> WindowScores:
        """Return minus the statistic of each window's readings; no fold changes it."""
        level = self.calibration.attenuation(scene.sightings).db
        windows = SceneWindows.of(scene, logs, window_s)
        return WindowScores.without_probability(-self._statistic(level, windows))

    def minutes(self, scene: Scene, logs: LogsUsed) -> Floats:
        """Return (pairs, thresholds) minutes of each pair below each threshold."""
        sightings = scene.pooled(logs)
        slots = fold(sightings, self.calibration)
        level = self.calibration.attenuation(sightings).db
        of_slot = self._statistic(level, RowGroups(slots.of_reading, len(slots.time_s)))
        tracked = tracked_share(slots, slots.credit_s, Presence.of_scene(scene))
        pairs, count = pairs_of_encounters(slots), len(self.thresholds)
        above = np.searchsorted(self.thresholds, of_slot, side="right")
        cell = pairs.row[slots.encounter] * (count + 1) + above
        parts = group_sums(slots.credit_s * tracked, cell, len(pairs) * (count + 1))
        below = np.cumsum(parts.reshape(len(pairs), count + 1), axis=1)[:, :count]
        return np.asarray(below / SECONDS_PER_MINUTE)

    def _errors(self, scene: Scene, logs: LogsUsed, within_m: float) -> Floats | None:
        """Return the sum over pairs of the error of minutes, for each threshold.

        None if no pair of the scene has true minutes.
        """
        true = TruePairs.of(scene, logs, within_m)
        if not true.known.any():
            return None
        error = self.minutes(scene, logs)[true.known] - true.minutes[:, None]
        return np.asarray(np.abs(error).sum(axis=0))


@dataclass(slots=True)
class TunedThreshold:
    """Scores windows by one number of their readings; minutes are slots up to a tuned threshold.

    Attributes:
        name: its name on the command line.
        statistic: from (n,) attenuations in groups, one number per group; the less, the nearer.
        thresholds: ascending; the threshold for minutes is one of these.
        untuned: the threshold where no training scene has true minutes.
        logs: which logs it can use.
        learns: whether fitting changes it.
    """

    name: str
    statistic: Callable[[Floats, RowGroups], Floats]
    thresholds: tuple[float, ...] = _ATTENUATIONS_DB
    untuned: float = _UNTUNED_DB
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = True
    _kept: _SlotMinutes | None = field(default=None, repr=False, compare=False)

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedThreshold":
        """Keep the scenes: the threshold is tuned on them for each radius."""
        if self._kept is None or self._kept.calibration is not calibration:
            self._kept = _SlotMinutes(self, calibration)
        return FittedThreshold(self, self._kept, scenes)


class FittedThreshold:
    """One number of the readings, with the scenes that its threshold for minutes is tuned on."""

    def __init__(
        self, estimator: TunedThreshold, slots: _SlotMinutes, training: Sequence[Scene]
    ) -> None:
        self._untuned = estimator.untuned
        self._slots = slots
        self._training = tuple(training)
        self.threshold = cache(self._tuned_threshold)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score a window by minus the statistic of its readings."""
        del within_m
        return self._slots.scores(scene, logs, window_s)

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return the time of slots whose statistic is below the threshold."""
        at = np.searchsorted(self._slots.thresholds, self.threshold(logs, within_m))
        minutes = self._slots.minutes(scene, logs)[:, at]
        unknown = np.full(len(minutes), np.nan)
        return Intervals(unknown, minutes, unknown)

    def _tuned_threshold(self, logs: LogsUsed, within_m: float) -> float:
        """Return the threshold with the least mean error of minutes on the training scenes."""
        errors = [self._slots.errors(scene, logs, within_m) for scene in self._training]
        known = [of_scene for of_scene in errors if of_scene is not None]
        if not known:
            return self._untuned
        return float(self._slots.thresholds[np.argmin(np.sum(known, axis=0))])


def mean_attenuation() -> TunedThreshold:
    """Return the estimator by mean attenuation."""
    return TunedThreshold("mean-attenuation", mean)


def loudest() -> TunedThreshold:
    """Return the estimator by the strongest reading."""
    return TunedThreshold("loudest", least)


def lower_quantile() -> TunedThreshold:
    """Return the estimator by a low quantile of attenuation."""
    return TunedThreshold("lower-quantile", low_quantile)


def packet_count() -> TunedThreshold:
    """Return the estimator by the number of readings."""
    return TunedThreshold("packet-count", minus_count, _packets(), untuned=-0.5)
