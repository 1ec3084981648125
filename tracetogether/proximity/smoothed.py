"""The smoothed log-distance estimator: minutes near by inverse regression on two levels.

    attenuation of a slot = A + B * (X + w) + d + noise

X is the log10 distance that a pair keeps through an encounter (people sit, queue, walk
together), w how they move about it, d an offset that the pair keeps as well (bodies, pockets,
phones) and no averaging removes. The plain inverse (attenuation - A) / B would take offset and
noise for distance, so both levels are weighed against a broad prior: X by the encounter's mean
attenuation, w by how the attenuation, smoothed over some minutes, strays from that mean.

What stays unknown of X is kept through the encounter; the minutes near,

    M(u) = sum of credit * P(X + u + w <= log10 radius),

only fall with u, so that their quantiles are exactly M at the quantiles of u. The low end
counts the least time credited and the high end the greatest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from tracetogether.proximity.estimates import NORMAL_95, OFFSET_QUANTILES, Estimates, Intervals
from tracetogether.proximity.pathloss import PathLoss
from tracetogether.proximity.slots import Slots
from tracetogether.units import SECONDS_PER_MINUTE, Floats


@dataclass(frozen=True, slots=True)
class _Distances:
    """Log10 distance in metres: per slot, and what is unknown of it.

    Attributes:
        mean: (s,) most likely value.
        persistent_sd: (m,) standard deviation that an encounter's slots share.
        slot_sd: (s,) standard deviation of each slot beside that.
    """

    mean: Floats
    persistent_sd: Floats
    slot_sd: Floats


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Parameters of the estimator; it has no other state.

    Attributes:
        path_loss: its figures, and the prior of distances.
        window_s: a slot is averaged with those up to half of this away.
        surprise: probability that the model is wrong about a moment; keeps the interval open
            where the signal is far from the radius.
        sd_factor: multiplies the standard deviation of the persistent part.
    """

    path_loss: PathLoss = PathLoss()  # noqa: RUF009  frozen, so sharing one is safe
    window_s: float = 180.0
    surprise: float = 0.02
    sd_factor: float = 1.0

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` and the nearest distance of each encounter."""
        distances = self._distances(slots)

        def minutes(persistent_z: float) -> Floats:
            return self._minutes(slots, distances, within_m, persistent_z)

        return Estimates(
            Intervals(low=minutes(NORMAL_95), median=minutes(0.0), high=minutes(-NORMAL_95)),
            self._nearest(slots, distances),
            np.column_stack([minutes(z) for z in OFFSET_QUANTILES.tolist()]),
        )

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return which share of each slot was spent within ``within_m``."""
        distances = self._distances(slots)

        def near(persistent_z: float) -> Floats:
            return self._near(slots, distances, within_m, persistent_z)

        return Intervals(near(NORMAL_95), near(0.0), near(-NORMAL_95))

    def _minutes(
        self, slots: Slots, distances: _Distances, within_m: float, persistent_z: float
    ) -> Floats:
        """Return minutes near at a place of what is kept, more credit being given to the near."""
        edge = slots.credit_low_s if persistent_z > 0 else slots.credit_high_s
        share = min(abs(persistent_z) / NORMAL_95, 1.0)
        credit = slots.credit_s + share * (edge - slots.credit_s)
        near = self._near(slots, distances, within_m, persistent_z)
        return slots.total(credit * near) / SECONDS_PER_MINUTE

    def _near(
        self, slots: Slots, distances: _Distances, within_m: float, persistent_z: float
    ) -> Floats:
        """Return P(distance <= within_m) in each slot, at a place of what is kept.

        The farther out that place, the more may a moment be other than it seems.
        """
        mean = distances.mean + persistent_z * distances.persistent_sd[slots.encounter]
        near = ndtr((np.log10(within_m) - mean) / distances.slot_sd)
        surprise = self.surprise * min(abs(persistent_z) / NORMAL_95, 1.0)
        if persistent_z > 0:
            return np.asarray(np.maximum(near - surprise, 0.0) / (1 - surprise))
        return np.asarray(surprise + (1 - surprise) * near)

    def nearest_m(self, slots: Slots) -> Intervals:
        """Return the nearest distance of each encounter, in metres."""
        return self._nearest(slots, self._distances(slots))

    def _nearest(self, slots: Slots, distances: _Distances) -> Intervals:
        # The nearest moment is the least of many moves that averages don't show: about as many
        # as the variation within a pair renews itself.
        moves = 1 / self._share(slots.total(slots.credit_s))
        least = ndtri(0.5 ** (1 / moves))[
            slots.encounter
        ]  # median of the greatest of ``moves`` normals
        mean = distances.mean - least * distances.slot_sd
        sd = np.hypot(distances.persistent_sd[slots.encounter], distances.slot_sd)
        return Intervals(
            low=10 ** slots.smallest(mean - NORMAL_95 * sd),
            median=10 ** slots.smallest(mean),
            high=10 ** slots.smallest(mean + NORMAL_95 * sd),
        )

    def _distances(self, slots: Slots) -> _Distances:
        """Return log10 distances, given the attenuation of the slots."""
        slope, noise = self.path_loss.slope_db, self.path_loss.within_pair_db**2
        kept, moving = slope * self.path_loss.kept_decades, slope * self.path_loss.moving_decades
        level = slots.attenuation_db - self.path_loss.attenuation_db(
            np.array(self.path_loss.median_m)
        )

        heard_s = slots.total(slots.credit_s)
        mean_level = slots.total(level * slots.credit_s) / heard_s
        disturbance = (
            self.path_loss.pair_db**2
            + slots.phone_variance_db2
            + (noise + moving**2) * self._share(heard_s)
        )
        weight = kept**2 / (kept**2 + disturbance)

        strays, window_s = slots.mean_around(level - mean_level[slots.encounter], self.window_s)
        slot_weight = moving**2 / (moving**2 + noise * self._share(window_s))
        kept_decades = np.log10(self.path_loss.median_m) + weight * mean_level / slope
        persistent_sd = self.path_loss.kept_decades * np.sqrt(1 - weight)
        return _Distances(
            mean=kept_decades[slots.encounter] + slot_weight * strays / slope,
            persistent_sd=self.sd_factor * persistent_sd,
            slot_sd=self.path_loss.moving_decades * np.sqrt(1 - slot_weight),
        )

    def _share(self, heard_s: Floats) -> Floats:
        """Return which share of the variation within a pair a mean over this time leaves."""
        return 1 / (1 + heard_s / self.path_loss.correlation_s)
