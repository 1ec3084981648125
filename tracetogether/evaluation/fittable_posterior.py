"""The posterior as an evaluated estimator, recalibrated on the training scenes.

Three things are fitted to the training scenes: phone models with level and exponent
(evaluation.phones); how log-odds become probabilities, per window length and radius; and a
recalibration of distances and interval widths per radius, from scenes with tracks. The other
figures stay built in: those fitted to one recording do badly on another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from scipy.special import expit, log_ndtr, logit

from tracetogether.evaluation.phones import learned_phones
from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import Presence, TrueMinutes, TrueWindows
from tracetogether.proximity.binned_readings import BinnedReadings, bin_readings
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import (
    LogsUsed,
    PairDistances,
    movement_share,
    pair_distances,
)
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.grid import RowGroups, distinct_keys
from tracetogether.proximity.model import PHYSICS, ProximityModel
from tracetogether.proximity.posterior import (
    Posterior,
    Recalibration,
    may_seek_positions,
    of_positions,
    of_signals,
)
from tracetogether.proximity.sampling import EFFORT, Effort
from tracetogether.units import Bools, Floats

_SIGNAL_SD: Final = (
    0.15  # log10 distance of a window from signals: rooms that the model does not know
)
_POSITION_SD: Final = 0.13  # log10 distance of a window from positions, beside their spread
_SHIFTS: Final = np.linspace(-0.12, 0.12, 7)
_SD_FACTORS: Final = (0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2)
_BELIEF_SCENES: Final = 4.0  # weight of a shift of 0 and a factor of 1, in scenes
_COVERED: Final = 0.9
_INTERCEPT_SD: Final = 1.0
_SLOPE_SD: Final = 0.3
_BELIEF_INTERCEPT: Final = 1.0  # weight of an intercept of 0, in scenes
_TOGETHER: Final = 5.0  # windows of one pair repeat each other: five count as one
_MOST: Final = 8.0


class _Inference:
    """What given phones and figures say of scenes; each answer is computed once and kept."""

    def __init__(self, calibration: Calibration, model: ProximityModel, effort: Effort) -> None:
        self.calibration = calibration
        self.model = model
        self.effort = effort
        self.binned = cache(self._binned)
        self.distances = cache(self._distances)
        self.positions = cache(self._positions)
        self.posterior = cache(self._posterior)

    def _binned(self, scene: Scene) -> BinnedReadings:
        return bin_readings(scene.sightings, self.calibration)

    def _distances(self, scene: Scene, logs: LogsUsed) -> PairDistances:
        return pair_distances(self.binned(scene), logs, self.model)

    def _positions(self, scene: Scene) -> Posterior:
        return of_positions(self.binned(scene), self.model, self.effort)

    def _posterior(self, scene: Scene, logs: LogsUsed) -> Posterior:
        signals = of_signals(self.binned(scene), self.distances(scene, logs), self.model)
        if self.by_positions(scene, logs):
            return self.positions(scene).combined_with(signals)
        return signals

    def by_positions(self, scene: Scene, logs: LogsUsed) -> bool:
        """Return whether everybody's positions are sought."""
        return logs is LogsUsed.ALL and may_seek_positions(self.binned(scene), self.effort)


@dataclass(slots=True)
class FittablePosterior:
    """The posterior: figures from published physics, phones as the training scenes show them.

    With the logs of everybody the figures stay as they are, because offsets come from the scene
    itself. All folds of an evaluation therefore share that inference, which takes longest.

    Attributes:
        model: figures to be used as they are; None for PHYSICS, and to learn phones.
        effort: how long positions are sought.
        name: its name on the command line.
        logs: which logs it can use.
        learns: whether fitting changes it.
    """

    model: ProximityModel | None = None
    effort: Effort = EFFORT
    name: str = "posterior"
    logs: frozenset[LogsUsed] = frozenset(LogsUsed)
    learns: bool = True
    _unfitted: _Inference | None = field(default=None, repr=False, compare=False)

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedPosterior":
        """Return the posterior with what ``scenes`` show; it is recalibrated on them on demand."""
        if self._unfitted is None or self._unfitted.calibration is not calibration:
            self._unfitted = _Inference(calibration, self.model or PHYSICS, self.effort)
        fitted = self._unfitted
        if self.model is None and self.logs & {LogsUsed.OWN, LogsUsed.PAIR}:
            learned = learned_phones(scenes, calibration, PHYSICS)
            fitted = _Inference(learned.calibration, learned.model, self.effort)
        return FittedPosterior(scenes, fitted, self._unfitted)


class FittedPosterior:
    """A posterior and the scenes it is calibrated on.

    Args:
        training: those scenes.
        fitted: with what they show of phones and figures, for own and paired logs.
        unfitted: with figures as they are, for everybody's logs.
    """

    def __init__(self, training: Sequence[Scene], fitted: _Inference, unfitted: _Inference) -> None:
        self._training = tuple(training)
        self._fitted, self._unfitted = fitted, unfitted
        self._log_odds = cache(self._learn_log_odds)
        self._recalibration = cache(self._learn_recalibration)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score windows by the log-odds of their being near."""
        log_odds: LogOdds = self._log_odds(logs, window_s, within_m)
        features = self._features(scene, logs, window_s, within_m)
        # How common nearness was in training is no evidence about a window.
        return WindowScores(log_odds.evidence(features), np.asarray(expit(log_odds.of(features))))

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return minutes over the time that both of a pair were tracked."""
        posterior = self.posterior(scene, logs).recalibrated(self._recalibration(logs, within_m))
        found = posterior.minutes(within_m, tracked_s(posterior, scene))
        row = posterior.pairs.find(scene.pairs(logs))  # -1, somebody without a name: 0 minutes
        low, median, high = (
            np.append(column, 0.0)[row] for column in (found.low, found.median, found.high)
        )
        return Intervals(low, median, high)

    def posterior(self, scene: Scene, logs: LogsUsed) -> Posterior:
        """Return the posterior of a scene before recalibration."""
        return self._inference(logs).posterior(scene, logs)

    def _inference(self, logs: LogsUsed) -> _Inference:
        return self._unfitted if logs is LogsUsed.ALL else self._fitted

    def _features(self, scene: Scene, logs: LogsUsed, window_s: float, within_m: float) -> Floats:
        """Return (windows, k) log-odds of the windows' being near."""
        inference = self._inference(logs)
        binned, distances = inference.binned(scene), inference.distances(scene, logs)
        windows = SceneWindows.of(scene, logs, window_s)
        slots = max(binned.slots, 1)
        key = windows.row * slots + binned.slot[binned.of_reading.row]
        cells, cell_of_reading = distinct_keys(key, len(windows) * slots)
        of_cell = RowGroups(cells // slots, len(windows))
        stray = binned.level_of_reading_db - binned.pair_levels()[binned.pairs.row]
        moving = distances.moving_variance[windows.pair]
        share = movement_share(moving, of_cell.sizes(), inference.model)
        log10_m = distances.kept[windows.pair]
        log10_m = log10_m + share * windows.mean(stray) / inference.model.slope_db
        persistent_sd = distances.persistent_sd[windows.pair]
        spread = np.sqrt(persistent_sd**2 + moving * (1 - share) + _SIGNAL_SD**2)
        excess = (np.log10(within_m) - log10_m) / spread
        by_signal = log_ndtr(excess) - log_ndtr(-excess)
        if logs is not LogsUsed.ALL:
            return np.column_stack([by_signal])
        if not inference.by_positions(scene, logs):
            return np.column_stack([by_signal, by_signal])
        posterior = inference.positions(scene)
        row = posterior.pairs.find(windows.pairs)[windows.pair]
        readings = np.bincount(cell_of_reading, minlength=len(cells)).astype(np.float64)
        by_cell = posterior.mean_log10_m[row[of_cell.row], cells % slots]
        metres = readings[:, None] * 10.0 ** by_cell.astype(np.float64)
        starts = np.flatnonzero(np.diff(of_cell.row, prepend=-1))
        mean_m = np.add.reduceat(metres, starts, axis=0) / windows.sizes()[:, None]
        excess = (np.log10(within_m) - np.log10(mean_m)) / _POSITION_SD
        share = np.clip(np.exp(log_ndtr(excess)).mean(axis=1), 1e-4, 1 - 1e-4)
        # People without a name have no position.
        return np.column_stack([by_signal, np.where(row >= 0, logit(share), by_signal)])

    def _learn_log_odds(self, logs: LogsUsed, window_s: float, within_m: float) -> "LogOdds":
        columns = []
        for scene in self._training:
            features = self._features(scene, logs, window_s, within_m)
            true = TrueWindows.of(scene, logs, window_s)
            columns.append((features[true.known], true.distance_m <= within_m))
        if not columns:
            return LogOdds.believing(2 if logs is LogsUsed.ALL else 1)
        features, near = (np.concatenate(column) for column in zip(*columns, strict=True))
        scenes = sum(len(of_scene) > 0 for _, of_scene in columns)
        return LogOdds.fitted(features, near, scenes=scenes)

    def _learn_recalibration(self, logs: LogsUsed, within_m: float) -> Recalibration:
        """Return the shift with the least squared error of minutes and the sd factor for 90 %."""
        parts = []
        for scene in self._training:
            true = TrueMinutes.of_scene(scene, within_m)
            if true is None:
                continue
            posterior = self.posterior(scene, logs)
            tracked, near = true.of_pairs(posterior.pairs)
            parts.append((posterior, tracked_s(posterior, scene), tracked > 0, near))
        if not parts:
            return Recalibration()

        def outcome(recalibration: Recalibration) -> tuple[float, float]:
            errors, inside = [], []
            for posterior, time_s, seen, near in parts:
                found = posterior.recalibrated(recalibration).minutes(within_m, time_s)
                errors.append(np.square(found.median - near)[seen])
                inside.append(((found.low <= near + 1e-9) & (near <= found.high + 1e-9))[seen])
            return float(np.concatenate(errors).mean()), float(np.concatenate(inside).mean())

        losses = [outcome(Recalibration(float(shift)))[0] for shift in _SHIFTS]
        shift = _lowest(_SHIFTS, np.array(losses)) * len(parts) / (len(parts) + _BELIEF_SCENES)
        covered = [outcome(Recalibration(shift, factor))[1] for factor in _SD_FACTORS]
        sd_factor = float(np.interp(_COVERED, np.maximum.accumulate(covered), _SD_FACTORS))
        sd_factor **= len(parts) / (len(parts) + _BELIEF_SCENES)
        if logs is LogsUsed.ALL:  # a room's positions err together: scenes are counted, not pairs
            sd_factor *= 1 + 1 / len(parts)
        return Recalibration(shift, sd_factor)


def tracked_s(posterior: Posterior, scene: Scene) -> Floats:
    """Return (q, t) for how many seconds of each slot both of each pair were tracked.

    Raises:
        ValueError: the scene has no tracks.
    """
    when = Presence.of_scene(scene)
    sample = np.arange(when.present.shape[1], dtype=np.float64)
    slot = posterior.grid.cells(when.start_s + sample * when.step_s)
    # Before the first reading and after the last one, the first and the last slot stand.
    slot = np.clip(slot, 0, posterior.slots - 1)
    starts = np.flatnonzero(np.diff(slot, prepend=-1))
    first, second = posterior.pairs.numbers_in(when.names)
    together = when.present[first] & when.present[second]
    together &= ((first >= 0) & (second >= 0))[:, None]
    seconds = np.zeros((len(first), posterior.slots))
    seconds[:, slot[starts]] = np.add.reduceat(together, starts, axis=1, dtype=np.float64)
    return seconds * when.step_s


@dataclass(frozen=True, slots=True)
class LogOdds:
    """A logistic fit: log-odds = b0 + b1 * x1 + b2 * x2 ...

    A priori b0 is 0 and the others share 1 among them: without scenes to learn from, the given
    log-odds (or their mean) stay as they are, and few windows move them little. Places differ in
    how common nearness is by about as much as b0 is unknown. b0 is therefore known from as many
    observations as there are scenes, however many their windows, and is shrunk accordingly.

    Attributes:
        coefficients: (k + 1,) the intercept first.
    """

    coefficients: Floats

    @classmethod
    def believing(cls, features: int) -> "LogOdds":
        """Return the prior's."""
        return cls(np.concatenate([[0.0], np.full(features, 1 / features)]))

    @classmethod
    def fitted(cls, features: Floats, near: Bools, *, scenes: int) -> "LogOdds":
        """Return the most probable coefficients.

        Args:
            features: (n, k) log-odds.
            near: (n,) what was true.
            scenes: how many scenes they come from.
        """
        prior = cls.believing(features.shape[1]).coefficients
        precision = np.diag(
            np.concatenate([[_INTERCEPT_SD**-2], np.full(features.shape[1], _SLOPE_SD**-2)])
        )
        design = np.column_stack([np.ones(len(features)), np.clip(features, -_MOST, _MOST)])
        beta = prior
        for _ in range(25):  # Newton's method; the function is convex
            share = expit(design @ beta)
            slope = design.T @ (near - share) / _TOGETHER - precision @ (beta - prior)
            weight = share * (1 - share) / _TOGETHER
            change = np.linalg.solve(design.T @ (weight[:, None] * design) + precision, slope)
            beta = beta + change
            if np.abs(change).max() < 1e-9:
                break
        beta[0] *= scenes / (scenes + _BELIEF_INTERCEPT)
        return cls(beta)

    def evidence(self, features: Floats) -> Floats:
        """Return (n,) log-odds without the intercept, on the scale of one of the features."""
        slopes = self.coefficients[1:] / self.coefficients[1:].sum()
        return np.asarray(np.clip(features, -_MOST, _MOST) @ slopes)

    def of(self, features: Floats) -> Floats:
        """Return (n,) log-odds."""
        trimmed = np.clip(features, -_MOST, _MOST)
        return np.asarray(self.coefficients[0] + trimmed @ self.coefficients[1:])


def _lowest(at: Floats, values: Floats) -> float:
    """Return where the parabola through the least value and its neighbours has its bottom."""
    best = int(values.argmin())
    if not 0 < best < len(at) - 1:
        return float(at[best])
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2 * middle + right
    step = at[1] - at[0]
    return float(at[best] + (0.5 * step * (left - right) / bend if bend > 0 else 0.0))
