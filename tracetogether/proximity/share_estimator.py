"""Your own estimator, from one function that says which share of each half minute is near."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tracetogether.proximity.estimates import Estimates, Intervals
from tracetogether.proximity.slots import Slots
from tracetogether.proximity.smoothed import Smoothed
from tracetogether.units import SECONDS_PER_MINUTE, Floats


@dataclass(frozen=True, slots=True)
class ShareEstimator:
    """An estimator for ``encounters``, ``encounters_by_time`` and evaluations, from one function.

    Its minutes are the sum over half-minute slots of time times share. Its interval covers what is
    uncertain of the time alone. Its nearest distance is that of the estimator `smoothed`.

    >>> import numpy as np
    >>> from tracetogether import Sightings, encounters
    >>> own = ShareEstimator("own", lambda slots, within_m: np.ones(len(slots.time_s)))
    >>> walk = Sightings.from_columns(time=[0.0, 60.0], peer=["ben"] * 2, rssi_dbm=[-60.0] * 2)
    >>> encounters(walk, estimator=own)[0].minutes.median > 1
    True

    Attributes:
        name: its name in tables.
        share: from the slots and the radius in metres to (s,) shares from 0 to 1.
    """

    name: str
    share: Callable[[Slots, float], Floats]

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return the share of each slot that is near.

        Raises:
            ValueError: the function returns another number of shares, or one outside 0 to 1.
        """
        share = np.asarray(self.share(slots, within_m), dtype=np.float64)
        if share.shape != slots.time_s.shape:
            raise ValueError(
                f"{self.name}: the function returns shares of shape {share.shape}; it must return "
                f"one for each of the {len(slots.time_s)} slots"
            )
        if not np.all((share >= 0) & (share <= 1)):
            raise ValueError(f"{self.name}: each share of a slot must be from 0 to 1")
        return Intervals(share, share, share)

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return minutes within ``within_m`` and the nearest distance of each encounter."""
        share = self.per_slot(slots, within_m=within_m).median
        low, median, high = (
            slots.total(credit_s * share) / SECONDS_PER_MINUTE
            for credit_s in (slots.credit_low_s, slots.credit_s, slots.credit_high_s)
        )
        return Estimates(Intervals.ordered(low, median, high), Smoothed().nearest_m(slots))
