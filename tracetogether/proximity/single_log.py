"""The default estimator: the smoothed one, after removing the offset that a log shares.

A phone that receives everybody weakly for a while is not far from everybody: it lies in a bag, or
its owner's body is in the way. The mean attenuation that an encounter shares with the phone's
other encounters of about the same time is therefore removed (proximity.offsets does so for a
scene). Part of that mean is the owner's offset and part is the location: in a large office people
sit farther apart than around a table. The variances of the two split it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tracetogether.proximity.calibration import EXPOSURE_NOTIFICATION_TRANSMIT, RECEIVE
from tracetogether.proximity.estimates import Estimates, Intervals
from tracetogether.proximity.model import ONE_LOG, PERSISTENT_SD_FACTOR, REFERENCE_M, ProximityModel
from tracetogether.proximity.offsets import slot_noise_db2
from tracetogether.proximity.pathloss import PathLoss
from tracetogether.proximity.slots import Slots
from tracetogether.proximity.smoothed import LocationPrior, Smoothed
from tracetogether.units import Floats, Ints

_SAME_SCENE_S: Final = 900.0  # encounters within this time share an offset
_USUAL_MINUTES: Final = np.array(30.0)  # assumed length of an encounter
# The receiver's share of what is unknown of a pair of phones.
_RECEIVER_SHARE: Final = RECEIVE.sd_db**2 / (
    RECEIVE.sd_db**2 + EXPOSURE_NOTIFICATION_TRANSMIT.sd_db**2
)


@dataclass(frozen=True, slots=True)
class SingleLogPosterior:
    """The estimator `single-log`; it has parameters and no other state.

    Attributes:
        model: the figures of the posterior.
    """

    model: ProximityModel = ONE_LOG

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` and the nearest distance of each encounter."""
        without_offset, location = self._split_offset(slots)
        return self._smoothed().estimate(without_offset, within_m=within_m, location=location)

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return which share of each slot was spent within ``within_m``."""
        without_offset, location = self._split_offset(slots)
        return self._smoothed().per_slot(without_offset, within_m=within_m, location=location)

    def _smoothed(self) -> Smoothed:
        model = self.model
        at_1m_db = model.level_db - model.slope_db * float(np.log10(REFERENCE_M))
        kept = (model.transmitter_sd_db, model.pair_sd_db, model.direction_sd_db)
        varying = (model.slow_sd_db, model.minute_sd_db, model.single_sd_db)
        return Smoothed(
            path_loss=PathLoss(
                at_1m_db=at_1m_db,
                exponent=model.exponent,
                pair_db=float(np.linalg.norm(kept)),
                within_pair_db=float(np.linalg.norm(varying)),
                correlation_s=60 * model.slow_minutes,
                median_m=model.distance_m,
                kept_decades=float(np.sqrt(model.kept_variance(_USUAL_MINUTES))),
                moving_decades=float(np.sqrt(model.moving_variance(_USUAL_MINUTES))),
            ),
            sd_factor=PERSISTENT_SD_FACTOR,
        )

    def _split_offset(self, slots: Slots) -> tuple[Slots, LocationPrior]:
        """Remove each phone's shared offset; return the slots and the part due to location."""
        model = self.model
        level = slots.total(slots.attenuation_db * slots.credit_s) / slots.total(slots.credit_s)
        mean, count = _around(slots, level - model.typical_db)
        peers = (
            model.slope_db**2 * model.kept_variance(_USUAL_MINUTES)
            + model.transmitter_sd_db**2
            + model.pair_sd_db**2
            + model.direction_sd_db**2
            + (1 - _RECEIVER_SHARE) * slots.phone_variance_db2
            + slot_noise_db2(np.full(len(slots), 10.0), model)
        )
        offset_variance = (
            model.receiver_sd_db**2
            + model.level_sd_db**2
            + _RECEIVER_SHARE * slots.phone_variance_db2
        )
        place_variance = (model.slope_db * model.place_decades) ** 2
        apart = (model.slope_db * model.apart_decades) ** 2 + peers / np.maximum(count, 1)
        common = offset_variance + place_variance
        share = common / (common + apart)
        of_place = place_variance / (common + apart)
        location = LocationPrior(
            shift_log10_m=of_place * mean / model.slope_db,
            sd_log10_m=model.place_decades * np.sqrt(1 - of_place),
        )
        without = replace(
            slots,
            attenuation_db=slots.attenuation_db - (share * mean)[slots.encounter],
            phone_variance_db2=(1 - _RECEIVER_SHARE) * slots.phone_variance_db2 + share * apart,
        )
        return without, location


def _around(slots: Slots, level: Floats) -> tuple[Floats, Floats]:
    """Return the mean ``level`` of each phone's encounters at about the same time, and how many.

    Each encounter counts once, including the encounter itself.
    """
    if not len(slots):
        return level, level
    # Shift the phones far apart in time: two sorted columns then serve all of them.
    begin = float(slots.start_s.min())
    span = float(slots.end_s.max()) - begin + 3 * _SAME_SCENE_S
    base = (slots.observer.codes.astype(np.float64) + 1) * span - begin
    start, end = slots.start_s + base, slots.end_s + base
    by_start, by_end = np.argsort(start, kind="stable"), np.argsort(end, kind="stable")

    def before(
        column: Floats, order: Ints, time: Floats, *, with_equal: bool
    ) -> tuple[Floats, Floats]:
        place = np.searchsorted(column[order], time, side="right" if with_equal else "left")
        sums = np.concatenate([[0.0], np.cumsum(level[order])])
        return sums[place], place.astype(np.float64)

    begun, begun_count = before(start, by_start, end + _SAME_SCENE_S, with_equal=True)
    over, over_count = before(end, by_end, start - _SAME_SCENE_S, with_equal=False)
    count = begun_count - over_count
    return (begun - over) / count, count
