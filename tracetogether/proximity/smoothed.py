"""The smoothed log-distance estimator: minutes near by inverse regression.

A pair keeps an offset d (bodies, pockets, phones) that no averaging removes, so

    attenuation of a slot = A + B * log10(distance) + d + noise.

Given d, the distance in each slot follows from the attenuation, smoothed over some minutes,
weighed against a broad prior: the plain inverse of the formula would take noise for movement
(regression dilution). d itself is normal, narrowed by the encounter's mean. The minutes near,
sum of credit * P(distance <= radius | d), only grow with d, so that their quantiles are exactly
those minutes at the quantiles of d. The low end counts the least time credited and the high
end the greatest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tracetogether.proximity.estimates import NORMAL_95, Estimates, Intervals
from tracetogether.proximity.pathloss import (
    DISTANCE_PRIOR,
    LOG_DISTANCE,
    SPREADS,
    DistancePrior,
    LogDistance,
    Spreads,
)
from tracetogether.proximity.slots import Slots
from tracetogether.units import SECONDS_PER_MINUTE, Floats


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Parameters of the estimator; it has no other state.

    Attributes:
        path_loss: the mean attenuation at a distance.
        spreads: how far readings stray from it.
        prior: how far away heard people are.
        window_s: slots within this many seconds around one are averaged with it.
        surprise: probability that the model is wrong about a moment; keeps the interval open
            where the signal is far from the radius.
    """

    path_loss: LogDistance = LOG_DISTANCE
    spreads: Spreads = SPREADS
    prior: DistancePrior = DISTANCE_PRIOR
    window_s: float = 180.0
    surprise: float = 0.02

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` and the nearest distance of each encounter."""
        beyond, distance_sd, weight = self._distances(slots)
        offset, offset_sd = self._offsets(slots)

        def near(at_sd: float) -> Floats:
            """Return P(distance <= within_m) in each slot at a quantile of the offset."""
            at = (offset + at_sd * offset_sd)[slots.encounter]
            mean = np.log10(self.prior.median_m) + weight * (beyond - at) / self.path_loss.slope_db
            return np.asarray(ndtr((np.log10(within_m) - mean) / distance_sd))

        open_ = 1 - self.surprise
        minutes = Intervals(
            low=slots.total(slots.credit_low_s * open_ * near(-NORMAL_95)) / SECONDS_PER_MINUTE,
            median=slots.total(slots.credit_s * near(0.0)) / SECONDS_PER_MINUTE,
            high=slots.total(slots.credit_high_s * (self.surprise + open_ * near(NORMAL_95)))
            / SECONDS_PER_MINUTE,
        )
        return Estimates(minutes, self.nearest_m(slots))

    def nearest_m(self, slots: Slots) -> Intervals:
        """Return the nearest distance of each encounter: the nearest of its slots."""
        beyond, distance_sd, weight = self._distances(slots)
        offset, offset_sd = self._offsets(slots)
        slope = self.path_loss.slope_db
        mean = np.log10(self.prior.median_m) + weight * (beyond - offset[slots.encounter]) / slope
        sd = np.hypot(distance_sd, weight * offset_sd[slots.encounter] / slope)
        return Intervals(
            low=10 ** slots.smallest(mean - NORMAL_95 * sd),
            median=10 ** slots.smallest(mean),
            high=10 ** slots.smallest(mean + NORMAL_95 * sd),
        )

    def _distances(self, slots: Slots) -> tuple[Floats, Floats, Floats]:
        """Return, per slot, what log10 distance follows from if the offset were known.

        Three columns: smoothed attenuation above that of the prior's median; standard deviation
        of log10 distance; the weight of the signal against the prior.
        """
        smooth, heard_s = self._smoothed(slots)
        noise = self.spreads.within_pair_db**2 / (1 + heard_s / self.spreads.correlation_s)
        signal = (self.path_loss.slope_db * self.prior.spread_decades) ** 2
        weight = signal / (signal + noise)
        expected = self.path_loss.attenuation_db(np.array(self.prior.median_m))
        return smooth - expected, self.prior.spread_decades * np.sqrt(1 - weight), weight

    def _smoothed(self, slots: Slots) -> tuple[Floats, Floats]:
        """Return attenuation averaged over the window, and the time that its slots stand for."""
        # Encounters are set apart, so that one sorted column of times serves all of them.
        since = slots.time_s - slots.start_s[slots.encounter]
        length = slots.end_s - slots.start_s
        apart = np.cumsum(length + self.window_s) - length
        at = since + apart[slots.encounter]
        first = np.searchsorted(at, at - self.window_s / 2, side="left")
        last = np.searchsorted(at, at + self.window_s / 2, side="right")
        # Sums are over differences from 52.8 dB and the like, small enough to stay exact to 1e-9.
        level = np.concatenate([[0.0], np.cumsum(slots.attenuation_db * slots.credit_s)])
        time = np.concatenate([[0.0], np.cumsum(slots.credit_s)])
        heard_s = time[last] - time[first]
        return (level[last] - level[first]) / heard_s, heard_s

    def _offsets(self, slots: Slots) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of each encounter's offset, given its mean level."""
        duration = slots.total(slots.credit_s)
        mean = slots.total(slots.attenuation_db * slots.credit_s) / duration
        offset = self.spreads.pair_db**2 + slots.phone_variance_db2
        signal = (self.path_loss.slope_db * self.prior.spread_decades) ** 2
        noise = self.spreads.within_pair_db**2 / (1 + duration / self.spreads.correlation_s)
        weight = offset / (offset + signal + noise)
        expected = self.path_loss.attenuation_db(np.array(self.prior.median_m))
        return weight * (mean - expected), np.sqrt(offset * (1 - weight))
