"""The posterior P(distance | all readings and all silences), per pair and minute.

From one or two logs, a pair's distance follows from its own signals and its people's offsets
(proximity.distances). From all logs of a scene, everybody's positions are sought together
(proximity.geometry). Both give the same result: for each pair a set of equally likely draws. A draw
holds for the whole scene, and has a normal error per minute beside it. Minutes within a radius with
their interval, the probability of a close contact and the nearest approach follow from the draws.

Evaluations and ``calibrate`` use it; the library's own path is ``proximity.encounters``.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from tracetogether.proximity.binned_readings import BinnedReadings, bin_readings
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import LogsUsed, PairDistances, movement, pair_distances
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.geometry import Geometry
from tracetogether.proximity.grid import PairIndex, TimeGrid
from tracetogether.proximity.model import MODEL, PERSISTENT_SD_FACTOR, ProximityModel
from tracetogether.proximity.sampling import EFFORT, Effort, sample
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats

F32 = npt.NDArray[np.float32]

_DRAWS: Final = 24  # equally likely draws of a pair whose distance comes from its own signals
_GEOMETRY_SD: Final = 0.145  # log10 distance: error of positions beyond the spread of draws
_GEOMETRY_SLOT_SD: Final = 0.1
_SIGNALS_WEIGHT: Final = 0.3  # of a pair's own signals, beside everybody's positions
_GEOMETRY_SHIFT: Final = 0.09  # log10 distance: on exp05, positions come out too far apart by this
_MOST_WORK: Final = (
    40_000_000  # most pairs * slots * (slots + chains) for which positions are sought
)
_MOST_PEOPLE: Final = 30  # of more, chains find no good arrangement in this many moves
_QUANTILES: Final = (0.05, 0.5, 0.95)
_CHUNK: Final = 4_000_000
_SECOND: Final = 1 / SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A correction of a posterior, learned from other scenes.

    Attributes:
        shift_log10_m: subtracted from log10 distances.
        sd_factor: multiplies the spread of draws.
    """

    shift_log10_m: float = 0.0
    sd_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """Distances of q pairs in t slots, as c equally likely draws.

    log10 distance of a pair in a slot, on draw k, is normal with standard deviation ``slot_sd``
    and mean ``mean_log10_m[pair, slot, k or 0] + persistent_sd[pair] * persistent_z[k]``.

    Attributes:
        pairs: (q,) the pairs.
        grid: the slots.
        mean_log10_m: (q, t, c) or (q, t, 1).
        persistent_sd: (q,) standard deviation of the error that lasts through the scene.
        persistent_z: (c,) standard normal quantile of that error in each draw.
        slot_sd: (q, t) standard deviation of the error of each minute.
        heard: (q, t) whether a slot has a reading of the pair.
    """

    pairs: PairIndex
    grid: TimeGrid
    mean_log10_m: F32
    persistent_sd: Floats
    persistent_z: Floats
    slot_sd: Floats
    heard: npt.NDArray[np.bool_]

    @property
    def slots(self) -> int:
        """How many slots."""
        return int(self.mean_log10_m.shape[1])

    @property
    def time_s(self) -> Floats:
        """Middles of the slots, in epoch seconds."""
        return self.grid.middles(self.slots)

    def recalibrated(self, recalibration: Recalibration) -> Self:
        """Return the recalibrated posterior."""
        return replace(
            self,
            mean_log10_m=self.mean_log10_m - np.float32(recalibration.shift_log10_m),
            persistent_sd=self.persistent_sd * recalibration.sd_factor,
        )

    def combined_with(self, signals: Self) -> Self:
        """Return these positions' posterior, drawn to what each pair's own signals say.

        The errors of the two are partly independent, so that their weighted mean is nearer to the
        truth than either. Pairs without a signal stay as they are.
        """
        row = self.pairs.find(signals.pairs)
        known = row >= 0  # people without a name have no position
        mean_log10_m = self.mean_log10_m.copy()
        mean_log10_m[row[known]] *= np.float32(1 - _SIGNALS_WEIGHT)
        mean_log10_m[row[known]] += np.float32(_SIGNALS_WEIGHT) * signals.mean_log10_m[known]
        return replace(self, mean_log10_m=mean_log10_m)

    def within(self, within_m: float, pairs: slice = slice(None)) -> F32:
        """Return (q, t, c) the probability of being within a radius on each draw."""
        mean_log10_m = self.mean_log10_m[pairs]
        spread = np.asarray(self.persistent_sd[pairs, None] * self.persistent_z, dtype=np.float32)
        excess = np.float32(np.log10(within_m)) - mean_log10_m - spread[:, None, :]
        excess /= np.maximum(self.slot_sd[pairs], 1e-3).astype(np.float32)[:, :, None]
        return np.asarray(ndtr(excess), dtype=np.float32)

    def probability(self, within_m: float) -> Floats:
        """Return (q, t) the probability of being within a radius."""
        parts = [
            self.within(within_m, part).mean(axis=2, dtype=np.float64) for part in self._parts()
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.slots))

    def minutes_of_draws(self, within_m: float, time_s: Floats) -> Floats:
        """Return (q, c) minutes within a radius on each draw.

        Args:
            within_m: the radius.
            time_s: (q, t) seconds of each slot that count.
        """
        minutes = np.asarray(time_s, dtype=np.float32) / np.float32(SECONDS_PER_MINUTE)
        parts = [
            np.matmul(minutes[part][:, None, :], self.within(within_m, part))[:, 0]
            for part in self._parts()
        ]
        draws = len(self.persistent_z)
        return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, draws))

    def minutes(self, within_m: float, time_s: Floats) -> Intervals:
        """Return minutes within a radius: median and 5 to 95 %.

        An end within a second of 0 or of the total is set to 0 or the total.
        """
        found = _intervals(self.minutes_of_draws(within_m, time_s))
        total = time_s.sum(axis=1) / SECONDS_PER_MINUTE
        # float32 sums may slightly exceed the total.
        low = np.where(found.low < _SECOND, 0.0, np.minimum(found.low, total))
        high = np.where(found.high > total - _SECOND, total, found.high)
        high = np.maximum(high, low)
        return Intervals(low, np.clip(found.median, low, high), high)

    def close_contact(self, within_m: float, least_minutes: float, time_s: Floats) -> Floats:
        """Return (q,) P(minutes within ``within_m`` >= least_minutes)."""
        draws = self.minutes_of_draws(within_m, time_s)
        return np.asarray((draws >= least_minutes).mean(axis=1))

    def distance_m(self, quantiles: tuple[float, ...] = _QUANTILES) -> Floats:
        """Return (quantiles, q, t) distances: the posterior over time, to plot."""
        spread = np.sqrt(
            self.persistent_sd[:, None] ** 2 + self.slot_sd**2 + self.mean_log10_m.var(axis=2)
        )
        centre_log10_m = self.mean_log10_m.mean(axis=2, dtype=np.float64)
        low, high = (centre_log10_m + side * 8 * spread for side in (-1, 1))
        found = []
        for quantile in quantiles:
            below, above = low.copy(), high.copy()
            for _ in range(30):  # halving: the mixture has no quantile function
                centre = (below + above) / 2
                less = self._below(centre) < quantile
                below, above = np.where(less, centre, below), np.where(less, above, centre)
            found.append(10 ** ((below + above) / 2))
        return np.array(found)

    def nearest_m(self, time_s: Floats) -> Intervals:
        """Return the nearest approach in the time that counts; for a pair without any, overall."""
        counts = (time_s > 0) | ~(time_s > 0).any(axis=1, keepdims=True)
        moves = np.maximum(counts.sum(axis=1), 1)
        # The nearest of several moments is nearer than a typical one: this is its median.
        lower = self.slot_sd * -ndtri(0.5 ** (1 / moves))[:, None]
        draws = (
            self.persistent_sd[:, None, None] * self.persistent_z
            + self.mean_log10_m
            + lower[:, :, None]
        )
        least = np.where(counts[:, :, None], draws, np.inf).min(axis=1)
        return _intervals(10**least)

    def _below(self, log10_m: Floats) -> Floats:
        excess = (
            log10_m[:, :, None]
            - self.mean_log10_m
            - self.persistent_sd[:, None, None] * self.persistent_z
        )
        share: Floats = ndtr(excess / np.maximum(self.slot_sd, 1e-3)[:, :, None])
        return np.asarray(share.mean(axis=2))

    def _parts(self) -> list[slice]:
        """Return slices of pairs, so that each fits into little memory."""
        pairs = len(self.pairs)
        size = max(1, _CHUNK // max(1, self.slots * len(self.persistent_z)))
        return [slice(start, start + size) for start in range(0, pairs, size)]


def _intervals(draws: Floats) -> Intervals:
    low, median, high = np.quantile(draws, _QUANTILES, axis=1)
    return Intervals(low, np.maximum(median, low), np.maximum(high, median))


def _persistent_z(count: int) -> Floats:
    """Return z values of equal probability in a standard normal distribution."""
    z = ndtri((np.arange(count) + 0.5) / count)
    return np.asarray(z / z.std())


def infer(
    sightings: Sightings,
    logs: LogsUsed,
    *,
    calibration: Calibration | None = None,
    model: ProximityModel = MODEL,
    effort: Effort = EFFORT,
) -> Posterior:
    """Return the posterior of every pair's distance in a scene.

    Args:
        sightings: one place and some hours; observer and peer are people.
        logs: which logs each pair's estimate uses. Without a direction (``PAIR``, ``ALL``), the
            name that sorts first is the pair's first.
        calibration: what is known of phone models.
        model: the figures.
        effort: how long to sample positions.
    """
    binned = bin_readings(sightings, calibration or Calibration.prior())
    signals = of_signals(binned, pair_distances(binned, logs, model), model)
    if logs is LogsUsed.ALL and may_seek_positions(binned, effort):
        return of_positions(binned, model, effort).combined_with(signals)
    return signals


def may_seek_positions(binned: BinnedReadings, effort: Effort) -> bool:
    """Return whether positions add information and can be sought in reasonable time.

    There must be as many pairs as people: without a closed triangle, as in one phone's log, each
    pair's distance is independent of the others. In a simulated room of 60 people, positions took
    a minute and ranked at AUC .59, where the pairs' own signals took half a second for .84.
    """
    people, slots = len(binned.pairs.names), binned.slots
    work = people * (people - 1) // 2 * slots * (slots + effort.chains)
    met = binned.pairs.of_pairs(directed=False).named().sum()
    return 3 <= people <= _MOST_PEOPLE and int(met) >= people and work <= _MOST_WORK


def of_signals(
    binned: BinnedReadings, distances: PairDistances, model: ProximityModel
) -> Posterior:
    """Return the posterior of pairs from their own signals."""
    moved, slot_sd = movement(binned, distances, model)
    heard = np.zeros(moved.shape, dtype=np.bool_)
    heard[distances.pairs.row[binned.pair], binned.slot] = True
    return Posterior(
        pairs=distances.pairs,
        grid=binned.grid,
        mean_log10_m=(distances.kept[:, None] + moved).astype(np.float32)[:, :, None],
        persistent_sd=PERSISTENT_SD_FACTOR * distances.persistent_sd,
        persistent_z=_persistent_z(_DRAWS),
        slot_sd=slot_sd,
        heard=heard,
    )


def of_positions(binned: BinnedReadings, model: ProximityModel, effort: Effort) -> Posterior:
    """Return the posterior of all pairs of people with a name, from everybody's positions."""
    geometry = Geometry.of(binned, model)
    kept = sample(geometry.start, geometry.log_probability, geometry.distances_m, effort)
    mean_log10_m = np.log10(np.concatenate(kept, axis=2)) - np.float32(_GEOMETRY_SHIFT)
    count = mean_log10_m.shape[2]
    shuffled = np.random.default_rng(count).permutation(count)  # draws of a chain lie together
    return Posterior(
        pairs=geometry.pairs,
        grid=binned.grid,
        mean_log10_m=mean_log10_m,
        persistent_sd=np.full(len(geometry.pairs), _GEOMETRY_SD),
        persistent_z=_persistent_z(count)[shuffled],
        slot_sd=np.full((len(geometry.pairs), binned.slots), _GEOMETRY_SLOT_SD),
        heard=geometry.heard[:, :, 0] > 0,
    )
