"""P(distance | everything heard and not heard): per pair and minute, from any number of logs.

Of one log or two, a pair's distance follows from its own signals and its people's offsets
(proximity.distances); of all logs of a scene, everybody's positions are sought together
(proximity.geometry). Both end in the same shape: for each pair a bundle of equally likely
courses, each of which is held for the whole scene, with what is uncertain from minute to
minute beside it. Minutes within any radius, their interval, the probability of a close contact and
the nearest approach are read off the bundle.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.distances import PairDistances, movement, pair_distances
from tracetogether.proximity.estimates import Intervals
from tracetogether.proximity.geometry import Geometry
from tracetogether.proximity.model import MODEL, ProximityModel
from tracetogether.proximity.sampling import EFFORT, Effort, sample
from tracetogether.proximity.scene import Logs
from tracetogether.proximity.soundings import SLOT_S, Soundings, sound
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

F32 = npt.NDArray[np.float32]

_COURSES: Final = 24  # of a pair judged by itself
_SIGNAL_WIDTH: Final = 1.2  # exp05: so wide that 90 % of intervals of minutes are right
_GEOMETRY_SD: Final = 0.145  # log10 distance: what positions are wrong by beside their own spread
_GEOMETRY_SLOT_SD: Final = 0.1
_GEOMETRY_SHIFT: Final = 0.09  # log10 distance: positions come out too far apart by so much, exp05
_MOST_WORK: Final = 40_000_000  # pairs * slots * (slots + chains) that positions are sought for
_QUANTILES: Final = (0.05, 0.5, 0.95)
_CHUNK: Final = 4_000_000
_SECOND: Final = 1 / SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Correction:
    """How a posterior is to be set right, as other scenes showed.

    Attributes:
        shift_decades: taken from log10 distances.
        width: times the spread of courses.
    """

    shift_decades: float = 0.0
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """Distances of q pairs in t slots, as c equally likely courses.

    log10 distance of a pair in a slot, on course k, is normal with the mean
    ``middle[pair, slot, k or 0] + kept_sd[pair] * place[k]`` and the deviation ``slot_sd``.

    Attributes:
        names: the people, sorted.
        first, second: (q,) each pair's people, numbers into ``names`` (-1: no name).
        first_slot: slot 0 begins at this times SLOT_S, in epoch seconds.
        middle: (q, t, c) or (q, t, 1).
        kept_sd: (q,) what stays unknown through the scene.
        place: (c,) where each course lies within that.
        slot_sd: (q, t) what is unknown of each minute beside that.
        heard: (q, t) whether the pair was heard in a slot.
    """

    names: tuple[str, ...]
    first: Ints
    second: Ints
    first_slot: int
    middle: F32
    kept_sd: Floats
    place: Floats
    slot_sd: Floats
    heard: npt.NDArray[np.bool_]

    @property
    def slots(self) -> int:
        """How many slots."""
        return int(self.middle.shape[1])

    @property
    def time_s(self) -> Floats:
        """Middles of the slots, in epoch seconds."""
        return np.asarray(
            (self.first_slot + np.arange(self.slots) + 0.5) * SLOT_S, dtype=np.float64
        )

    def corrected(self, correction: Correction) -> Self:
        """Return it set right."""
        return replace(
            self,
            middle=self.middle - np.float32(correction.shift_decades),
            kept_sd=self.kept_sd * correction.width,
        )

    def within(self, within_m: float, pairs: slice = slice(None)) -> F32:
        """Return (q, t, c) the probability of being within a radius on each course."""
        middle = self.middle[pairs]
        spread = np.asarray(self.kept_sd[pairs, None] * self.place, dtype=np.float32)
        excess = np.float32(np.log10(within_m)) - middle - spread[:, None, :]
        excess /= np.maximum(self.slot_sd[pairs], 1e-3).astype(np.float32)[:, :, None]
        return np.asarray(ndtr(excess), dtype=np.float32)

    def probability(self, within_m: float) -> Floats:
        """Return (q, t) the probability of being within a radius."""
        parts = [
            self.within(within_m, part).mean(axis=2, dtype=np.float64) for part in self._parts()
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.slots))

    def minutes_of_courses(self, within_m: float, time_s: Floats) -> Floats:
        """Return (q, c) minutes within a radius on each course.

        Args:
            within_m: the radius.
            time_s: (q, t) how much of each slot counts, in seconds.
        """
        minutes = np.asarray(time_s, dtype=np.float32) / np.float32(SECONDS_PER_MINUTE)
        parts = [
            np.matmul(minutes[part][:, None, :], self.within(within_m, part))[:, 0]
            for part in self._parts()
        ]
        courses = len(self.place)
        return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, courses))

    def minutes(self, within_m: float, time_s: Floats) -> Intervals:
        """Return minutes within a radius: median and 5 to 95 %.

        Less than a second at either end of what is possible is none, and all.
        """
        found = _intervals(self.minutes_of_courses(within_m, time_s))
        total = time_s.sum(axis=1) / SECONDS_PER_MINUTE
        # Courses are added in single precision, and may exceed the total by a hair.
        low = np.where(found.low < _SECOND, 0.0, np.minimum(found.low, total))
        high = np.where(found.high > total - _SECOND, total, found.high)
        high = np.maximum(high, low)
        return Intervals(low, np.clip(found.median, low, high), high)

    def close_contact(self, within_m: float, least_minutes: float, time_s: Floats) -> Floats:
        """Return (q,) the probability of at least so many minutes within a radius."""
        courses = self.minutes_of_courses(within_m, time_s)
        return np.asarray((courses >= least_minutes).mean(axis=1))

    def distance_m(self, quantiles: tuple[float, ...] = _QUANTILES) -> Floats:
        """Return (quantiles, q, t) distances: the posterior over time, to plot."""
        spread = np.sqrt(self.kept_sd[:, None] ** 2 + self.slot_sd**2 + self.middle.var(axis=2))
        middle = self.middle.mean(axis=2, dtype=np.float64)
        low, high = (middle + side * 8 * spread for side in (-1, 1))
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
        """Return the nearest approach in the time that counts; of a pair without any, overall."""
        counts = (time_s > 0) | ~(time_s > 0).any(axis=1, keepdims=True)
        moves = np.maximum(counts.sum(axis=1), 1)
        # The nearest of several moments is nearer than the middle one: median of the least.
        lower = self.slot_sd * -ndtri(0.5 ** (1 / moves))[:, None]
        courses = self.kept_sd[:, None, None] * self.place + self.middle + lower[:, :, None]
        least = np.where(counts[:, :, None], courses, np.inf).min(axis=1)
        return _intervals(10**least)

    def _below(self, log10_m: Floats) -> Floats:
        excess = log10_m[:, :, None] - self.middle - self.kept_sd[:, None, None] * self.place
        share: Floats = ndtr(excess / np.maximum(self.slot_sd, 1e-3)[:, :, None])
        return np.asarray(share.mean(axis=2))

    def _parts(self) -> list[slice]:
        """Return runs of pairs that fit into little memory."""
        pairs = len(self.first)
        size = max(1, _CHUNK // max(1, self.slots * len(self.place)))
        return [slice(start, start + size) for start in range(0, pairs, size)]


def _intervals(courses: Floats) -> Intervals:
    low, median, high = np.quantile(courses, _QUANTILES, axis=1)
    return Intervals(low, np.maximum(median, low), np.maximum(high, median))


def _places(count: int) -> Floats:
    """Return places of equal probability in a standard normal distribution."""
    places = ndtri((np.arange(count) + 0.5) / count)
    return np.asarray(places / places.std())


def infer(
    sightings: Sightings,
    logs: Logs,
    *,
    calibration: Calibration | None = None,
    model: ProximityModel = MODEL,
    effort: Effort = EFFORT,
) -> Posterior:
    """Return the posterior of every pair's distance in a scene.

    Args:
        sightings: one place and some hours; observer and peer are people.
        logs: which of the logs may be used for each pair. Of a pair both of whose logs count, or
            all, the name that sorts first comes first.
        calibration: what is known of phone models.
        model: the figures.
        effort: how long positions are sought.
    """
    soundings = sound(sightings, calibration or Calibration.prior())
    if logs is Logs.ALL and may_seek_positions(soundings, effort):
        return of_positions(soundings, model, effort)
    return of_signals(soundings, pair_distances(soundings, logs, model), model)


def may_seek_positions(soundings: Soundings, effort: Effort) -> bool:
    """Return whether positions can tell anything, and are not too many for the time there is.

    There must be as many pairs as people: where nobody closes a triangle, as in one phone's log,
    every pair's distance is free of all the others'.
    """
    people, slots = len(soundings.names), soundings.slots
    work = people * (people - 1) // 2 * slots * (slots + effort.chains)
    observer, peer = soundings.observer, soundings.peer
    named = (observer >= 0) & (peer >= 0)
    key = np.minimum(observer, peer) * people + np.maximum(observer, peer)
    return people >= 3 and len(np.unique(key[named])) >= people and work <= _MOST_WORK


def of_signals(soundings: Soundings, distances: PairDistances, model: ProximityModel) -> Posterior:
    """Return the posterior of pairs judged by themselves."""
    moved, slot_sd = movement(soundings, distances, model)
    heard = np.zeros(moved.shape, dtype=np.bool_)
    heard[distances.pair_of_directed[soundings.pair], soundings.slot] = True
    return Posterior(
        names=soundings.names,
        first=distances.first,
        second=distances.second,
        first_slot=soundings.first_slot,
        middle=(distances.kept[:, None] + moved).astype(np.float32)[:, :, None],
        kept_sd=_SIGNAL_WIDTH * distances.kept_sd,
        place=_places(_COURSES),
        slot_sd=slot_sd,
        heard=heard,
    )


def of_positions(soundings: Soundings, model: ProximityModel, effort: Effort) -> Posterior:
    """Return the posterior of all pairs of people with a name, from everybody's positions."""
    geometry = Geometry.of(soundings, model)
    kept = sample(geometry, geometry.distances_m, effort)
    middle = np.log10(np.concatenate(kept, axis=2)) - np.float32(_GEOMETRY_SHIFT)
    count = middle.shape[2]
    shuffled = np.random.default_rng(count).permutation(count)  # courses of a chain lie together
    pairs = len(geometry.first)
    return Posterior(
        names=soundings.names,
        first=geometry.first,
        second=geometry.second,
        first_slot=soundings.first_slot,
        middle=middle,
        kept_sd=np.full(pairs, _GEOMETRY_SD),
        place=_places(count)[shuffled],
        slot_sd=np.full((pairs, soundings.slots), _GEOMETRY_SLOT_SD),
        heard=geometry.heard[:, :, 0] > 0,
    )
