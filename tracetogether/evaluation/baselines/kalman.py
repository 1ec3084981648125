"""The unscented Kalman smoother of the NHS app: Lovett et al., arXiv 2007.05057, 2020.

The state is the distance of a pair in metres, a random walk of 0.1 m per second from 2 m with
variance 10. Observed is the logarithm of the attenuation in dB,

    ln(attenuation) = 0.12705 ln(distance) + 4.23093 + noise of variance 0.49476,

through the unscented transform (three sigma points, kappa = 2); smoothing is backwards as by
Rauch, Tung and Striebel. The loop is over seconds; each step updates all pairs.

The paper's summary leaves some points open; here they are settled as follows. An encounter (no gap
over ten minutes) is one sequence. The n readings of one second are one observation with 1/n of the
variance. A sigma point at or below 0 m is mirrored, and not below 0.1 m, so that the posterior of
the distance is a folded normal. The published level at 1 m, exp(4.23093) = 68.8 dB, belongs to
uncalibrated phones: the level is shifted to the training readings of known distance between phones
whose radios were measured. Without any it stays as published, as slope and noise always do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import ndtr

from tracetogether.evaluation.baselines.slotwise import OWN_AND_PAIR, pairs_of_encounters
from tracetogether.evaluation.protocols import WindowScores
from tracetogether.evaluation.scene import Scene, SceneWindows
from tracetogether.evaluation.truth import Presence
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed
from tracetogether.proximity.estimates import NORMAL_95, Intervals
from tracetogether.proximity.grid import PairIndex, RowGroups
from tracetogether.proximity.slots import fold
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

_KAPPA: Final = 2.0  # one state, so that kappa + 1 = 3 fits a normal's fourth moment
_WEIGHTS: Final = np.array([_KAPPA, 0.5, 0.5]) / (1 + _KAPPA)
_NEAREST_M: Final = 0.1
_LEAST_DB: Final = 1.0  # of attenuation; its logarithm is wanted
_MEASURED_DB2: Final = 1.0  # less is left unknown of a pair of phones if both were measured
_CELLS: Final = 4_000_000  # seconds times encounters smoothed together: 130 MB


@dataclass(frozen=True, slots=True)
class KalmanModel:
    """The published numbers."""

    slope: float = 0.12705
    level: float = 4.23093
    noise_variance: float = 0.49476
    step_sd_m: float = 0.1
    start_m: float = 2.0
    start_variance_m2: float = 10.0

    def observed(self, distance_m: Floats) -> Floats:
        """Return the expected logarithm of attenuation."""
        return self.slope * np.log(np.maximum(np.abs(distance_m), _NEAREST_M)) + self.level


PUBLISHED: Final = KalmanModel()


@dataclass(frozen=True, slots=True)
class Distances:
    """Smoothed distances: mean and variance, (seconds, encounters)."""

    mean_m: Floats
    variance_m2: Floats

    def near(self, within_m: float) -> Floats:
        """Return P(distance <= within_m), the distance being a folded normal."""
        sd = np.sqrt(self.variance_m2)
        nearer, beyond = (within_m - self.mean_m) / sd, (-within_m - self.mean_m) / sd
        return np.asarray(ndtr(nearer) - ndtr(beyond))


def smooth(readings: Ints, mean_observed: Floats, model: KalmanModel = PUBLISHED) -> Distances:
    """Run the filter forwards and the smoother backwards over all encounters at once.

    Args:
        readings: (seconds, encounters) how many there are.
        mean_observed: (seconds, encounters) their mean logarithm of attenuation.
        model: the numbers.
    """
    seconds, encounters = readings.shape
    step = model.step_sd_m**2
    mean, variance = np.empty((seconds, encounters)), np.empty((seconds, encounters))
    now, spread = np.full(encounters, model.start_m), np.full(encounters, model.start_variance_m2)
    for second in range(seconds):
        if second:
            spread = spread + step  # the walk is linear: its prediction is exact
        heard = np.flatnonzero(readings[second])
        if heard.size:
            now, spread = now.copy(), spread.copy()
            now[heard], spread[heard] = _update(
                now[heard],
                spread[heard],
                mean_observed[second, heard],
                model.noise_variance / readings[second, heard],
                model,
            )
        mean[second], variance[second] = now, spread
    for second in range(seconds - 2, -1, -1):
        predicted = variance[second] + step
        gain = variance[second] / predicted
        mean[second] += gain * (mean[second + 1] - mean[second])
        variance[second] += gain**2 * (variance[second + 1] - predicted)
    return Distances(mean, variance)


def _update(
    mean: Floats, variance: Floats, observed: Floats, noise: Floats, model: KalmanModel
) -> tuple[Floats, Floats]:
    """Return mean and variance after an observation, by the unscented transform."""
    reach = np.sqrt((1 + _KAPPA) * variance)
    points = np.array([mean, mean + reach, mean - reach])
    images = model.observed(points)
    expected = _WEIGHTS @ images
    total = noise + _WEIGHTS @ (images - expected) ** 2
    cross = _WEIGHTS @ ((points - mean) * (images - expected))
    gain = cross / total
    return mean + gain * (observed - expected), variance - gain**2 * total


@dataclass(frozen=True, slots=True)
class Kalman:
    """The smoother; its level at 1 m is fitted where that is possible, the rest is as published."""

    model: KalmanModel = PUBLISHED
    name: str = "kalman"
    logs: frozenset[LogsUsed] = OWN_AND_PAIR
    learns: bool = True

    def fit(self, scenes: Sequence[Scene], *, calibration: Calibration) -> "FittedKalman":
        """Return it with its level shifted to the readings of known distance in ``scenes``."""
        total, count = 0.0, 0
        for scene in scenes:
            if scene.distance_m is None:
                continue
            attenuation = calibration.attenuation(scene.sightings)
            known = (scene.distance_m > 0) & (attenuation.phone_variance_db2 < _MEASURED_DB2)
            decibels = np.maximum(attenuation.db[known], _LEAST_DB)
            slope = self.model.slope * np.log(scene.distance_m[known])
            total += float(np.sum(np.log(decibels) - slope))
            count += int(known.sum())
        level = total / count if count else self.model.level
        return FittedKalman(replace(self.model, level=level), calibration)


@dataclass(frozen=True, slots=True)
class _Walks:
    """A scene's smoothed distances, second by second, one encounter after the other.

    Attributes:
        pairs: the pairs of the scene.
        pair: (seconds,) which pair each second is of.
        time_s: (seconds,) epoch seconds.
        distances: of each second.
        of_reading: the second of each sighting.
    """

    pairs: PairIndex
    pair: Ints
    time_s: Floats
    distances: Distances
    of_reading: Ints


class FittedKalman:
    """The smoother with its level fitted."""

    def __init__(self, model: KalmanModel, calibration: Calibration) -> None:
        self.model = model
        self._calibration = calibration
        # Windows and minutes of several lengths and radii are asked of one scene in a row.
        self._walks = lru_cache(maxsize=1)(self._smoothed)

    def windows(
        self, scene: Scene, logs: LogsUsed, *, window_s: float, within_m: float
    ) -> WindowScores:
        """Score windows by the mean over their readings of P(distance <= within_m)."""
        walks: _Walks = self._walks(scene, logs)
        near = walks.distances.near(within_m)[walks.of_reading]
        mean_m = np.abs(walks.distances.mean_m)[walks.of_reading]
        windows = SceneWindows.of(scene, logs, window_s)
        return WindowScores(-windows.mean(mean_m), np.clip(windows.mean(near), 0.0, 1.0))

    def minutes(self, scene: Scene, logs: LogsUsed, *, within_m: float) -> Intervals:
        """Return the sum of P(distance <= within_m) over the seconds that both were tracked.

        Between its first and its last reading an encounter is followed through all silences. The
        interval is that of errors that keep their sign, as they do over minutes.
        """
        walks: _Walks = self._walks(scene, logs)
        when = Presence.of_scene(scene)
        first, second = walks.pairs.numbers_in(when.names)
        tracked = when.together(first[walks.pair], second[walks.pair], walks.time_s)
        mean, sd = walks.distances.mean_m, np.sqrt(walks.distances.variance_m2)
        seconds = RowGroups(walks.pair, len(walks.pairs))

        def minutes(near: Floats) -> Floats:
            return seconds.sum(near * tracked) / SECONDS_PER_MINUTE

        median = minutes(walks.distances.near(within_m))
        low = minutes((np.abs(mean) + NORMAL_95 * sd <= within_m).astype(np.float64))
        high = minutes((np.abs(mean) - NORMAL_95 * sd <= within_m).astype(np.float64))
        return Intervals(np.minimum(low, median), median, np.maximum(high, median))

    def _smoothed(self, scene: Scene, logs: LogsUsed) -> _Walks:
        sightings = scene.pooled(logs)
        slots = fold(sightings, self._calibration)
        encounter = slots.encounter[slots.of_reading]
        second = np.floor(sightings.time - slots.start_s[encounter]).astype(np.int64)
        length = np.floor(slots.end_s - slots.start_s).astype(np.int64) + 1
        begin = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        seconds = RowGroups(begin[encounter] + second, int(begin[-1]))
        level = np.log(np.maximum(self._calibration.attenuation(sightings).db, _LEAST_DB))
        readings = np.bincount(seconds.row, minlength=len(seconds))
        observed = seconds.sum(level) / np.maximum(readings, 1)
        of_second = np.repeat(np.arange(len(length)), length)
        pairs = pairs_of_encounters(slots)
        return _Walks(
            pairs=pairs,
            pair=pairs.row[of_second],
            time_s=slots.start_s[of_second] + np.arange(len(seconds)) - begin[of_second],
            distances=_smooth_ragged(readings, observed, begin, self.model),
            of_reading=seconds.row,
        )


def _smooth_ragged(readings: Ints, observed: Floats, begin: Ints, model: KalmanModel) -> Distances:
    """Smooth encounters of different lengths, which lie one after the other in the columns."""
    length = np.diff(begin)
    mean, variance = np.empty(len(readings)), np.empty(len(readings))
    longest_first = np.argsort(-length, kind="stable")
    done = 0
    while done < len(length):
        seconds = int(length[longest_first[done]])
        chosen = longest_first[done : done + max(1, _CELLS // seconds)]
        done += len(chosen)
        inside = np.arange(seconds)[:, None] < length[chosen]
        rows = (begin[chosen] + np.arange(seconds)[:, None])[inside]
        count = np.zeros(inside.shape, dtype=np.int64)
        level = np.zeros(inside.shape)
        count[inside], level[inside] = readings[rows], observed[rows]
        smoothed = smooth(count, level, model)
        mean[rows], variance[rows] = smoothed.mean_m[inside], smoothed.variance_m2[inside]
    return Distances(mean, variance)
