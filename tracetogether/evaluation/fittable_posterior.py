"""The posterior as an evaluated estimator, recalibrated on the training scenes.

Three things are fitted to the training scenes: phone models with level and exponent
(evaluation.phones); how log-odds become probabilities, per window length and radius; and a
recalibration of distances and interval widths per radius, from scenes with tracks. The other
figures stay built in: those fitted to one recording do badly on another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from scipy.special import expit, log_ndtr, logit

from tracetogether.evaluation.log_odds import LogOdds
from tracetogether.evaluation.phones import LearnedPhones, learned_phones
from tracetogether.evaluation.presence import presence
from tracetogether.evaluation.protocols import PairMinutes, WindowScores
from tracetogether.evaluation.truth import TrueMinutes, window_distance_m
from tracetogether.evaluation.windows import Windows
from tracetogether.labels import Labels
from tracetogether.proximity.binned_readings import SLOT_S, BinnedReadings, bin_readings
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import PairDistances, movement_share, pair_distances
from tracetogether.proximity.model import MODEL, PHYSICS, ProximityModel
from tracetogether.proximity.posterior import (
    Posterior,
    Recalibration,
    may_seek_positions,
    of_positions,
    of_signals,
)
from tracetogether.proximity.sampling import EFFORT, Effort
from tracetogether.proximity.scene import LogsUsed, Scene
from tracetogether.units import Floats, Ints

_SIGNAL_SD: Final = (
    0.3  # log10 distance of a window from signals: rooms that the model does not know
)
_POSITION_SD: Final = 0.13  # log10 distance of a window from positions, beside their spread
_SHIFTS: Final = np.linspace(-0.12, 0.12, 7)
_SD_FACTORS: Final = (0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2)
_BELIEF_SCENES: Final = 4.0  # the figures count as much as so many scenes where distances shift
_COVERED: Final = 0.9


@dataclass(slots=True)
class _Known:
    """A scene with what has been inferred of it so far."""

    scene: Scene
    binned: BinnedReadings
    distances: dict[LogsUsed, PairDistances] = field(default_factory=dict)
    posteriors: dict[LogsUsed, Posterior] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FittablePosterior:
    """The posterior: figures from published physics, phones as the training scenes show them.

    Positions of all logs are sought with the figures as they are, for their offsets come from the
    scene itself: so the folds of an evaluation share what takes long.

    Attributes:
        model: figures to be used as they are; None for PHYSICS, and to learn phones.
        effort: how long positions are sought.
        name, logs: as every estimator's.
    """

    model: ProximityModel | None = None
    effort: Effort = EFFORT
    name: str = "posterior"
    logs: frozenset[LogsUsed] = frozenset(LogsUsed)
    _shared: dict[int, _Known] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedPosterior":
        """Return the posterior with what ``scenes`` show, to be recalibrated on them when asked."""
        fitted = FittedPosterior(
            tuple(scenes), calibration, self.model or PHYSICS, self.effort, _shared=self._shared
        )
        if self.model is not None or not self.logs & {LogsUsed.OWN, LogsUsed.PAIR}:
            return fitted
        return replace(fitted, learned=learned_phones(scenes, calibration, PHYSICS), _known={})


@dataclass(frozen=True, slots=True)
class FittedPosterior:
    """A posterior and the scenes it is calibrated on.

    Attributes:
        training: those scenes.
        calibration: what is known of phone models.
        model: the figures.
        effort: how long positions are sought.
        learned: what the training scenes show of phones and figures, for own and paired logs.
    """

    training: tuple[Scene, ...]
    calibration: Calibration
    model: ProximityModel = MODEL
    effort: Effort = EFFORT
    learned: LearnedPhones | None = None
    _shared: dict[int, _Known] = field(default_factory=dict, repr=False, compare=False)
    _known: dict[int, _Known] = field(default_factory=dict, repr=False, compare=False)
    _log_odds: dict[tuple[LogsUsed, float, float], LogOdds] = field(
        default_factory=dict, repr=False, compare=False
    )
    _recalibrations: dict[tuple[LogsUsed, float], Recalibration] = field(
        default_factory=dict, repr=False, compare=False
    )

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score windows by the log-odds of their being near."""
        asked = (logs, window_s, within_m)
        if asked not in self._log_odds:
            self._log_odds[asked] = self._learn_log_odds(*asked)
        windows, features = self._features(scene, logs, window_s, within_m)
        log_odds = self._log_odds[asked]
        return WindowScores(
            observer=windows.observer,
            peer=windows.peer,
            window=windows.window,
            # How common nearness was in training is no evidence about a window.
            score=log_odds.evidence(features),
            probability=np.asarray(expit(log_odds.of(features))),
        )

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> PairMinutes:
        """Return minutes over the time that both of a pair were tracked."""
        asked = (logs, within_m)
        if asked not in self._recalibrations:
            self._recalibrations[asked] = self._learn_recalibration(*asked)
        posterior = self.posterior(scene, logs).recalibrated(self._recalibrations[asked])
        found = posterior.minutes(within_m, tracked_s(posterior, scene))
        first, second = (
            Labels(index.astype(np.int32), posterior.names)
            for index in (posterior.first, posterior.second)
        )
        return PairMinutes(first, second, found.low, found.median, found.high)

    def posterior(self, scene: Scene, logs: LogsUsed) -> Posterior:
        """Return the posterior of a scene, before recalibration."""
        known = self._scene(scene, logs)
        if logs not in known.posteriors:
            known.posteriors[logs] = (
                of_positions(known.binned, self.model, self.effort)
                if logs is LogsUsed.ALL and may_seek_positions(known.binned, self.effort)
                else of_signals(known.binned, self._distances(known, logs), self._model(logs))
            )
        return known.posteriors[logs]

    def _model(self, logs: LogsUsed) -> ProximityModel:
        return self.model if self.learned is None or logs is LogsUsed.ALL else self.learned.model

    def _scene(self, scene: Scene, logs: LogsUsed) -> _Known:
        """Return what is known of a scene so far, at first its binned."""
        learned = None if logs is LogsUsed.ALL else self.learned
        store = self._shared if learned is None else self._known
        found = store.get(id(scene))
        if found is None or found.scene is not scene:
            calibration = self.calibration if learned is None else learned.calibration
            found = _Known(scene, bin_readings(scene.sightings, calibration))
            store[id(scene)] = found
        return found

    def _distances(self, known: _Known, logs: LogsUsed) -> PairDistances:
        if logs not in known.distances:
            known.distances[logs] = pair_distances(known.binned, logs, self._model(logs))
        return known.distances[logs]

    def _features(
        self, scene: Scene, logs: LogsUsed, window_s: float, within_m: float
    ) -> tuple[Windows, Floats]:
        """Return the windows of a scene, and (w, k) log-odds of their being near."""
        known, model = self._scene(scene, logs), self._model(logs)
        binned, distances = known.binned, self._distances(known, logs)
        windows = Windows.of(scene, logs, window_s)
        cell, slots_of_window = _cells(windows, binned)
        stray = binned.level_of_reading_db - binned.pair_levels()[binned.pair_of_reading]
        moved = windows.mean(stray)
        row = _rows(windows, distances.first, distances.second, len(binned.names))
        moving = distances.moving_variance[row]
        share = movement_share(moving, slots_of_window, model)
        log10_m = distances.kept[row] + share * moved / model.slope_db
        spread = np.sqrt(distances.persistent_sd[row] ** 2 + moving * (1 - share) + _SIGNAL_SD**2)
        excess = (np.log10(within_m) - log10_m) / spread
        features = [log_ndtr(excess) - log_ndtr(-excess)]
        if logs is LogsUsed.ALL:
            features.append(features[0])
            if may_seek_positions(binned, self.effort):
                features[1] = self._by_positions(scene, windows, cell, within_m, features[0])
        return windows, np.column_stack(features)

    def _by_positions(
        self,
        scene: Scene,
        windows: Windows,
        cell: tuple[Ints, Ints, Floats],
        within_m: float,
        other: Floats,
    ) -> Floats:
        """Return the log-odds by everybody's positions; ``other`` for people without a name."""
        posterior = self.posterior(scene, LogsUsed.ALL)
        window, slot, readings = cell
        first = windows.observer.codes.astype(np.int64)
        second = windows.peer.codes.astype(np.int64)
        named = (first >= 0) & (second > first)
        row = np.where(named, _pair_number(first, second, len(posterior.names)), 0)
        metres = 10.0 ** posterior.mean_log10_m[row[window], slot].astype(np.float64)
        starts = np.flatnonzero(np.diff(window, prepend=-1))
        total = np.add.reduceat(readings[:, None] * metres, starts, axis=0)
        mean = total / windows.readings[:, None]
        excess = (np.log10(within_m) - np.log10(mean)) / _POSITION_SD
        share = np.clip(np.exp(log_ndtr(excess)).mean(axis=1), 1e-4, 1 - 1e-4)
        return np.where(named, logit(share), other)

    def _learn_log_odds(self, logs: LogsUsed, window_s: float, within_m: float) -> LogOdds:
        columns = []
        for scene in self.training:
            windows, features = self._features(scene, logs, window_s, within_m)
            distance = window_distance_m(scene, windows)
            known = np.isfinite(distance)
            columns.append((features[known], distance[known] <= within_m))
        if not columns:
            return LogOdds.believing(2 if logs is LogsUsed.ALL else 1)
        return LogOdds.fitted(*(np.concatenate(column) for column in zip(*columns, strict=True)))

    def _learn_recalibration(self, logs: LogsUsed, within_m: float) -> Recalibration:
        """Return the shift with the least squared error of minutes and the sd factor for 90 %."""
        parts = []
        for scene in self.training:
            if scene.tracks is None or not len(scene.tracks):
                continue
            posterior = self.posterior(scene, logs)
            true = TrueMinutes.of(scene.tracks, within_m)
            table = Labels(np.arange(-1, len(posterior.names)).astype(np.int32), posterior.names)
            place = true.numbers(table)
            first, second = place[posterior.first + 1], place[posterior.second + 1]
            seen = (first >= 0) & (second >= 0)
            seen &= true.tracked[first, second] > 0
            parts.append((posterior, tracked_s(posterior, scene), seen, true.near[first, second]))
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
        if logs is LogsUsed.ALL:  # a room's positions err together: scenes are counted, not pairs
            sd_factor *= 1 + 1 / len(parts)
        return Recalibration(shift, sd_factor)


def tracked_s(posterior: Posterior, scene: Scene) -> Floats:
    """Return (q, t) for how many seconds of each slot both of each pair were tracked.

    Raises:
        ValueError: the scene has no tracks.
    """
    if scene.tracks is None:
        raise ValueError(f"scene {scene.name!r} has no tracks, so there are no minutes to compare")
    when = presence(scene.tracks)
    table = Labels(np.arange(-1, len(posterior.names)).astype(np.int32), posterior.names)
    place = when.numbers(table)
    samples = when.present.shape[1]
    slot = np.floor((when.start_s + np.arange(samples) * when.step_s) / SLOT_S).astype(np.int64)
    # Before the first reading and after the last one, the first and the last slot stand.
    slot = np.clip(slot - posterior.first_slot, 0, posterior.slots - 1)
    starts = np.flatnonzero(np.diff(slot, prepend=-1))
    first, second = place[posterior.first + 1], place[posterior.second + 1]
    together = when.present[first] & when.present[second]
    together &= ((first >= 0) & (second >= 0))[:, None]
    seconds = np.zeros((len(first), posterior.slots))
    seconds[:, slot[starts]] = np.add.reduceat(together, starts, axis=1, dtype=np.float64)
    return seconds * when.step_s


def _cells(windows: Windows, binned: BinnedReadings) -> tuple[tuple[Ints, Ints, Floats], Floats]:
    """Return window, slot and readings of every slot of every window, and slots per window."""
    slots = max(binned.slots, 1)
    key = windows.row * slots + binned.slot[binned.slot_of_reading]
    if len(windows) * slots <= 8_000_000:
        count = np.bincount(key, minlength=len(windows) * slots)
        cells = np.flatnonzero(count)
        readings = count[cells]
    else:
        cells, readings = np.unique(key, return_counts=True)
    window = cells // slots
    per_window = np.bincount(window, minlength=len(windows)).astype(np.float64)
    return (window, cells % slots, readings.astype(np.float64)), per_window


def _rows(windows: Windows, first: Ints, second: Ints, people: int) -> Ints:
    """Return which of the sorted pairs each window is of."""
    width = people + 1
    key = (first + 1) * width + second + 1
    asked = (windows.observer.codes.astype(np.int64) + 1) * width + windows.peer.codes + 1
    return np.searchsorted(key, asked)


def _pair_number(first: Ints, second: Ints, people: int) -> Ints:
    """Return the place of first < second among all pairs of so many people."""
    return first * (2 * people - first - 1) // 2 + second - first - 1


def _lowest(at: Floats, values: Floats) -> float:
    """Return where the parabola through the least value and its neighbours has its bottom."""
    best = int(values.argmin())
    if not 0 < best < len(at) - 1:
        return float(at[best])
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2 * middle + right
    step = at[1] - at[0]
    return float(at[best] + (0.5 * step * (left - right) / bend if bend > 0 else 0.0))
