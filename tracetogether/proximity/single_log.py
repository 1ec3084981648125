"""The default estimator of one phone's log: a prior that knows the room, and minutes with it.

    attenuation of an encounter = level + slope * log10(distance / 2 m) + owner + rest

One signal says little about distance, so what is usual decides much. How far people usually are
from each other differs between a bus and an office; the owner's offset (the phone, a bag, the body
beside it) differs between logs. For each encounter both are found from all encounters of the log at
about the same time:

- **Area of the room.** Its prior follows from how many others are heard at once (see rooms).
- **The owner's offset**: normal, with the spread of owners and of unknown phones as receivers.
- **Evidence**: each encounter's mean attenuation, whatever its distance, for every area and offset.
  An attenuation high for everybody is a large room or a bag; the two share it by their spreads.
- **The encounter itself**: area and offset as the other encounters show them, times its own signal,
  give the probability of each distance that it keeps.

Distances, areas and offsets are small grids, so no distribution has to be normal. People also move
about the distance that they keep. The share of time near is therefore a random number itself: its
mean follows from the kept distance and, slot by slot, from how the attenuation strays from its
mean; its spread about that from how long movement lasts (a beta distribution with the variance of
the mean of an exponentially correlated process that is 0 or 1). The time together is uncertain as
well (see presence). Minutes near are the product. P(minutes >= a policy's) and the interval both
come from this one distribution.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import betainc, ndtr, ndtri

from tracetogether.proximity.estimates import (
    NORMAL_95,
    OFFSET_QUANTILES,
    Estimates,
    Intervals,
    at_offset_quantile,
)
from tracetogether.proximity.lasting_offsets import (
    OffsetSpreads,
    lasting_offsets,
    levels_of,
)
from tracetogether.proximity.model import ONE_LOG, REFERENCE_M, ProximityModel
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.proximity.presence import SAME_SCENE_S, Overlaps
from tracetogether.proximity.rooms import (
    LOG10_M,
    LOG10_M2,
    distances_in_rooms,
    log_probability_of_areas,
)
from tracetogether.proximity.slots import Slots
from tracetogether.units import SECONDS_PER_MINUTE, Floats

_OWNER_DB: Final = np.arange(-15.0, 15.1, 1.5)
_LEVEL_DB: Final = np.arange(20.0, 120.0, 1.0)
_SMOOTHED_S: Final = 180.0  # a slot's movement is seen in the slots up to half of this away
_FARTHEST_DECADES: Final = 1.0
_AT_ONCE: Final = 4096  # encounters; bounds the memory of many logs
_LEAST: Final = 1e-30
_SURPRISE: Final = 0.025
"""Probability that the model is wrong about a moment. It keeps intervals open however clear a
signal is: their ends have this share of the time on the other side of the radius."""

# Shares of time near are given at these values, times together at these quantiles.
_SHARES: Final = np.concatenate([[0.0], np.geomspace(0.02, 0.6, 12), np.linspace(0.7, 1.0, 6)])
_SHARE_MEANS: Final = np.linspace(0.0, 1.0, 41)
_KEPT_SHARES: Final = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.55, 0.75, 0.95])
_TIME_Z: Final = np.array([-2.2, -1.4, -0.8, -0.25, 0.25, 0.8, 1.4, 2.2])


@dataclass(frozen=True, slots=True)
class SingleLogPosterior:
    """The estimator `single-log`; it has parameters and no other state.

    Attributes:
        model: the figures of the posterior.
        lasting: whether to learn each owner's offset from all days of all given logs together
            (see lasting_offsets). In a simulated day of twelve phones in six places it lowered the
            mean error of minutes from 5.2 to 4.7. From one log alone it raised it to 5.6: one log
            can't separate its owner's offset from how far apart people usually are.
    """

    model: ProximityModel = ONE_LOG
    lasting: bool = False

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` and the nearest distance of each encounter."""
        kept = self._kept(slots)
        quantiles = np.empty((len(slots), len(OFFSET_QUANTILES)))
        moved = _Movement.of(slots, self.model)
        together_s = slots.total(slots.credit_s)
        near_s = self._near_s(slots, moved, within_m)
        share = near_s / together_s[:, None]
        lasting = self.model.movement_kept(together_s / SECONDS_PER_MINUTE)
        for part in _parts(len(slots)):
            spread = _spread_shares(kept[part], share[part], lasting[part])
            quantiles[part] = _quantiles_of_minutes(
                spread,
                [
                    slots.total(credit_s)[part] / SECONDS_PER_MINUTE
                    for credit_s in (slots.credit_low_s, slots.credit_s, slots.credit_high_s)
                ],
            )
        nearest = moved.nearest(slots, _quantiles(kept, [0.05, 0.5, 0.95]))
        middle = len(OFFSET_QUANTILES) // 2
        return Estimates(
            Intervals.ordered(
                at_offset_quantile(quantiles, NORMAL_95),
                quantiles[:, middle],
                at_offset_quantile(quantiles, -NORMAL_95),
            ),
            nearest,
            quantiles,
        )

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return which share of each slot was spent within ``within_m``.

        The shares are expected ones, at the 95 %, 50 % and 5 % quantile of the distance that the
        encounter keeps.
        """
        log10_m = _quantiles(self._kept(slots), [0.95, 0.5, 0.05])
        moved = _Movement.of(slots, self.model)
        low, median, high = (
            moved.near(log10_m[slots.encounter, column], within_m) for column in range(3)
        )
        return Intervals.ordered(low, median, high)

    def _near_s(self, slots: Slots, moved: "_Movement", within_m: float) -> Floats:
        """Return (m, distances) expected seconds near, if the encounter keeps each distance."""
        seconds = np.empty((len(slots), len(LOG10_M)))
        # Nobody moves by more than a decade: far from the radius all of the time is near, or none.
        sure = np.abs(LOG10_M - np.log10(within_m)) > _FARTHEST_DECADES
        whole_s = slots.total(slots.credit_s)
        for column, log10_m in enumerate(LOG10_M.tolist()):
            if sure[column]:
                seconds[:, column] = whole_s if log10_m < np.log10(within_m) else 0.0
                continue
            near = moved.near(np.full(len(slots.time_s), log10_m), within_m)
            seconds[:, column] = slots.total(slots.credit_s * near)
        return seconds

    def _kept(self, slots: Slots) -> Floats:
        """Return (m, distances) the probability of each distance that an encounter keeps.

        It takes most of the time and does not depend on the radius. A list asks for minutes and for
        slots, a picture for many radii: the answer is kept as long as the slots are.
        """
        of_slots = _KEPT.setdefault(slots, {})
        if self not in of_slots:
            of_slots[self] = self._weighed(slots)
        return of_slots[self]

    def _weighed(self, slots: Slots) -> Floats:
        """Compute what ``_kept`` returns."""
        model = self.model
        kept = np.empty((len(slots), len(LOG10_M)))
        if not len(slots):
            return kept
        level = slots.mean_level()
        rooms = distances_in_rooms(model.separation_m)
        expected = model.level_db + model.slope_db * (LOG10_M - np.log10(REFERENCE_M))
        # The level of each distance and offset, as a column of _LEVEL_DB.
        column = np.rint(expected[:, None] + _OWNER_DB - _LEVEL_DB[0]).astype(np.int64)
        column = np.clip(column, 0, len(_LEVEL_DB) - 1)
        given = np.zeros((len(_LEVEL_DB), len(LOG10_M2), len(_OWNER_DB)))
        for owner in range(len(_OWNER_DB)):
            np.add.at(given[:, :, owner], column[:, owner], rooms.T)
        at_once = _overlaps(slots, slice(None), 0.0).counts()
        of_area = log_probability_of_areas(at_once + 1, model.density_per_m2, model.density_decades)
        usual = np.exp(of_area)
        usual_db = (usual @ (rooms @ expected)) / usual.sum(axis=1)
        owner_db, owner_db2 = self._owners(slots, level - usual_db)
        for part in _whole_logs(slots):
            of_peer = self._error_db2(slots)[part]
            stray = (level[part, None] - _LEVEL_DB) ** 2 / (2 * of_peer[:, None])
            # Relative to the likeliest, so that a level that no distance explains keeps a sum.
            signal = np.exp(stray.min(axis=1, keepdims=True) - stray)
            each = signal @ given.reshape(len(_LEVEL_DB), -1)
            scenes = _overlaps(slots, part, SAME_SCENE_S)
            scene = scenes.sums(np.log(each + _LEAST)).reshape(-1, len(LOG10_M2), len(_OWNER_DB))
            scene += of_area[part, :, None]
            off = _OWNER_DB - owner_db[part, None]
            scene -= (off**2 / (2 * owner_db2[part, None]))[:, None]
            weight = np.exp(scene - scene.max(axis=(1, 2), keepdims=True))
            # The encounter's own signal is in the scene's sum: take it out, to count it once.
            weight /= each.reshape(weight.shape) + _LEAST
            by_owner = np.einsum("mab,ax->mbx", weight, rooms, optimize=True)
            joint = np.zeros((len(weight), len(LOG10_M)))
            for owner in range(len(_OWNER_DB)):
                joint += by_owner[:, owner] * signal[:, column[:, owner]]
            kept[part] = joint / joint.sum(axis=1, keepdims=True)
        return kept

    def _owners(self, slots: Slots, stray_db: Floats) -> tuple[Floats, Floats]:
        """Return (m,) means and (m,) variances of the owner's offset, before a scene shows it."""
        model = self.model
        if not self.lasting:
            spread_db2 = model.receiver_sd_db**2 + model.level_sd_db**2
            return np.zeros(len(slots)), spread_db2 + slots.receive_variance_db2
        spreads = OffsetSpreads(
            owner_db=model.receiver_sd_db, place_db=model.slope_db * model.density_decades / 2
        )
        shown = lasting_offsets(replace(levels_of(slots, model), stray_db=stray_db), spreads)
        return shown.db, shown.variance_db2

    def _error_db2(self, slots: Slots) -> Floats:
        """Return (m,) error variance of an encounter's mean level, the owner's offset apart."""
        model, minutes = self.model, slots.total(slots.credit_s) / SECONDS_PER_MINUTE
        return np.asarray(
            model.transmitter_sd_db**2
            + model.pair_sd_db**2
            + model.direction_sd_db**2
            + (slots.phone_variance_db2 - slots.receive_variance_db2)
            + model.slow_sd_db**2 / (1 + minutes / (2 * model.slow_minutes))
            + (model.minute_sd_db**2 + model.single_sd_db**2) / slots.counts()
        )


_KEPT: Final[WeakKeyDictionary[Slots, dict[SingleLogPosterior, Floats]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Movement:
    """How log10 distance moves about the one that an encounter keeps.

    Attributes:
        moved: (s,) its expected value in each slot.
        sd: (s,) its standard deviation.
    """

    moved: Floats
    sd: Floats

    @classmethod
    def of(cls, slots: Slots, model: ProximityModel) -> "_Movement":
        """Return the movement that strays of the attenuation show, shrunk by its noise."""
        level = slots.attenuation_db - slots.mean_level()[slots.encounter]
        stray, window_s = slots.mean_around(level, _SMOOTHED_S)
        noise = slot_noise_db2(window_s / SECONDS_PER_MINUTE, model)
        signal = (model.slope_db * model.moving_decades) ** 2
        share = signal / (signal + noise)
        return cls(share * stray / model.slope_db, model.moving_decades * np.sqrt(1 - share))

    def near(self, log10_m: Floats, within_m: float) -> Floats:
        """Return (s,) P(distance <= within_m) in each slot, given (s,) kept distances."""
        return np.asarray(ndtr((np.log10(within_m) - log10_m - self.moved) / self.sd))

    def nearest(self, slots: Slots, log10_m: Floats) -> Intervals:
        """Return the nearest distance of each encounter, given (m, 3) quantiles of the kept one.

        It is the least of as many moves as there are slots that movement tells apart: the median
        of the greatest of k normal numbers is at the quantile 0.5^(1/k).
        """
        moves = 1 + slots.total(slots.credit_s) / _SMOOTHED_S
        reach = ndtri(0.5 ** (1 / moves))[slots.encounter]
        least = slots.smallest(self.moved - reach * self.sd)
        # The nearest moment strays from that median by about half a slot's deviation.
        sd = slots.total(self.sd) / slots.counts() / 2
        low, median, high = (
            10 ** (log10_m[:, column] + least + z * sd)
            for column, z in enumerate((-NORMAL_95, 0.0, NORMAL_95))
        )
        return Intervals.ordered(low, median, high)


@cache
def _share_table() -> Floats:
    """Return (kept shares, means, shares) probabilities of shares of time near.

    A beta distribution with the given mean and the variance mean * (1 - mean) * kept share.
    """
    edges = np.concatenate([[0.0], (_SHARES[1:] + _SHARES[:-1]) / 2, [1.0]])
    table = np.zeros((len(_KEPT_SHARES), len(_SHARE_MEANS), len(_SHARES)))
    for row, kept in zip(table, _KEPT_SHARES, strict=True):
        strength = 1 / kept - 1
        mean = np.clip(_SHARE_MEANS, 1e-4, 1 - 1e-4)[:, None]
        row[:] = np.diff(betainc(mean * strength, (1 - mean) * strength, edges), axis=1)
        row[0], row[-1] = np.eye(len(_SHARES))[[0, -1]]
    return table


def _spread_shares(kept: Floats, mean: Floats, lasting: Floats) -> Floats:
    """Return (m, shares) the probability of each share of time near.

    Args:
        kept: (m, distances) probability of each kept distance.
        mean: (m, distances) expected share near at each.
        lasting: (m,) which share of the variance of a moment a mean over the encounter keeps.
    """
    table = _share_table()
    row = np.clip(np.searchsorted(_KEPT_SHARES, lasting), 0, len(_KEPT_SHARES) - 1)[:, None]
    place = np.clip(mean, 0.0, 1.0) * (len(_SHARE_MEANS) - 1)
    below = np.minimum(place.astype(np.int64), len(_SHARE_MEANS) - 2)
    above = kept * (place - below)
    spread = np.einsum("mx,mxs->ms", kept - above, table[row, below])
    return np.asarray(spread + np.einsum("mx,mxs->ms", above, table[row, below + 1]))


def _quantiles_of_minutes(spread: Floats, minutes: list[Floats]) -> Floats:
    """Return (m, quantiles) minutes near at each of OFFSET_QUANTILES, falling.

    Args:
        spread: (m, shares) the probability of each share of time near.
        minutes: (m,) the least, median and greatest time together.
    """
    low, median, high = (column[:, None] for column in minutes)
    edge = np.where(_TIME_Z < 0, median - low, high - median)
    # The greatest time is all that is possible: nothing lies beyond it.
    together = np.maximum(median + np.minimum(_TIME_Z / NORMAL_95, 1.0) * edge, 0.0)
    middles = np.concatenate([[-np.inf], (_TIME_Z[1:] + _TIME_Z[:-1]) / 2, [np.inf]])
    value = (together[:, :, None] * _SHARES).reshape(len(spread), -1)
    weight = (np.diff(ndtr(middles))[:, None] * spread[:, None, :]).reshape(len(spread), -1)
    order = np.argsort(-value, axis=1)
    value = np.take_along_axis(value, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    rows = np.arange(len(spread))
    found = []
    for z in OFFSET_QUANTILES.tolist():
        at = np.minimum((reached < ndtr(z)).sum(axis=1), value.shape[1] - 1)
        near, side = value[rows, at], min(abs(z) / NORMAL_95, 1.0)
        wrong = side * _SURPRISE
        other = (median + side * (high - median))[:, 0] if z < 0 else 0.0
        found.append(near + wrong * (other - near))
    return np.column_stack(found)


def _quantiles(kept: Floats, levels: list[float]) -> Floats:
    """Return (m, quantiles) log10 distances at quantile levels, between grid points."""
    reached = np.cumsum(kept, axis=1)
    rows, step = np.arange(len(kept)), LOG10_M[1] - LOG10_M[0]
    found = []
    for level in levels:
        cell = np.minimum((reached < level).sum(axis=1), len(LOG10_M) - 1)
        over = (reached[rows, cell] - level) / np.maximum(kept[rows, cell], _LEAST)
        found.append(LOG10_M[cell] + step * (0.5 - np.clip(over, 0.0, 1.0)))
    return np.column_stack(found)


def _overlaps(slots: Slots, part: slice, margin_s: float) -> Overlaps:
    """Return which encounters of one log are at most ``margin_s`` apart."""
    return Overlaps.of(slots.observer.codes[part], slots.start_s[part], slots.end_s[part], margin_s)


def _parts(count: int) -> list[slice]:
    return [slice(begin, begin + _AT_ONCE) for begin in range(0, count, _AT_ONCE)]


def _whole_logs(slots: Slots) -> list[slice]:
    """Return slices of encounters, each of some whole logs."""
    codes = slots.observer.codes
    begins = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    chosen = [0]
    for begin in begins[1:].tolist():
        if begin - chosen[-1] >= _AT_ONCE:
            chosen.append(begin)
    ends = [*chosen[1:], len(codes)]
    return [slice(begin, end) for begin, end in zip(chosen, ends, strict=True)]
