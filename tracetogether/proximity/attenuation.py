"""The bucket rules of 2020's exposure-notification apps: weighted minutes by attenuation.

Minutes = sum over slots of (time credited) * (weight of the bucket of the slot's mean attenuation).
The rules have no radius: their authors chose thresholds for roughly 1.5 to 2 m. They give no
interval either. Here the interval is the rule's result with the pair's offset at its 5 % and 95 %
quantile instead of 0, with thresholds blurred by the scan noise, and with the least and the
greatest time credited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.special import ndtr

from tracetogether.proximity.estimates import NORMAL_95, Estimates, Intervals
from tracetogether.proximity.pathloss import PathLoss
from tracetogether.proximity.slots import Slots
from tracetogether.proximity.smoothed import Smoothed
from tracetogether.units import SECONDS_PER_MINUTE, Floats


@dataclass(frozen=True, slots=True)
class BucketRule:
    """Thresholds in dB, ascending, and one more weight than thresholds, never rising nor below 0.

    A slot at attenuation a has the weight ``weights[i]`` of the first threshold above a:
    bucket i is [thresholds_db[i - 1], thresholds_db[i]).

    Raises:
        ValueError: the thresholds don't ascend, the weights rise or fall below 0, or their numbers
            don't fit.
    """

    name: str
    thresholds_db: tuple[float, ...]
    weights: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.thresholds_db) + 1:
            raise ValueError(f"{self.name}: a rule wants one more weight than thresholds")
        if any(low >= high for low, high in pairwise(self.thresholds_db)):
            raise ValueError(f"{self.name}: thresholds must ascend")
        if any(near < far for near, far in pairwise(self.weights)) or self.weights[-1] < 0:
            raise ValueError(f"{self.name}: weights must not rise with attenuation or fall below 0")

    def weight(self, attenuation_db: Floats) -> Floats:
        """Return the weight of each attenuation."""
        bucket = np.searchsorted(self.thresholds_db, attenuation_db, side="right")
        return np.array(self.weights)[bucket]

    def blurred(self, attenuation_db: Floats, sd_db: float) -> Floats:
        """Return the expected weight where attenuation has a normal error."""
        expected = np.full(len(attenuation_db), self.weights[-1])
        drops = [near - far for near, far in pairwise(self.weights)]
        for threshold, drop in zip(self.thresholds_db, drops, strict=True):
            expected += drop * ndtr((threshold - attenuation_db) / sd_db)
        return expected


CWA: Final = BucketRule(
    "bucket-cwa",
    (55.0, 63.0),
    (1.0, 0.5, 0.0),
    "Corona-Warn-App, Germany, the rule of its launch in June 2020 (not the minimum-attenuation "
    "rule of version 2)",
)
SWISSCOVID: Final = BucketRule(
    "bucket-swisscovid",
    (53.0, 60.0),
    (1.0, 0.5, 0.0),
    "SwissCovid, Switzerland, thresholds of summer 2020",
)
LFPH: Final = BucketRule(
    "bucket-lfph",
    (55.0, 67.0, 75.0),
    (1.75, 1.0, 0.33, 0.0),
    "Linux Foundation Public Health, risk score symposium, narrow version 2",
)

IMMUNI: Final = BucketRule(
    "bucket-immuni",
    (73.0,),
    (1.0, 0.0),
    "Immuni, Italy, the single threshold of 2020",
)
# Expected particles per minute in the configuration of the Covid Watch app for Arizona,
# June 2020: 2.0182978 up to 50 dB, 1.1507629 up to 70 dB and 0.6651614 beyond.
ARIZONA: Final = BucketRule(
    "bucket-arizona",
    (50.0, 70.0),
    (1.0, 1.1507629 / 2.0182978, 0.6651614 / 2.0182978),
    "Covid Watch, Arizona, dose per minute relative to the nearest bucket, June 2020",
)

RULES: Final[Mapping[str, BucketRule]] = MappingProxyType(
    {rule.name: rule for rule in (CWA, SWISSCOVID, IMMUNI, LFPH, ARIZONA)}
)
"""Name -> rule."""


@dataclass(frozen=True, slots=True)
class Bucketed:
    """A bucket rule as an estimator.

    Attributes:
        rule: which.
        path_loss: how far readings deviate from it.
        distances: gives the nearest distance, which no rule speaks of.
        surprise: probability that a moment is not as its signal says.
    """

    rule: BucketRule
    path_loss: PathLoss = PathLoss()  # noqa: RUF009  frozen, so sharing one is safe
    distances: Smoothed = Smoothed()  # noqa: RUF009  frozen, so sharing one is safe
    surprise: float = 0.02

    def estimate(self, slots: Slots, *, within_m: float) -> Estimates:
        """Return the rule's minutes, whatever ``within_m``, and the nearest distance."""
        weights = self.per_slot(slots, within_m=within_m)
        minutes = Intervals(
            low=slots.total(slots.credit_low_s * weights.low) / SECONDS_PER_MINUTE,
            median=slots.total(slots.credit_s * weights.median) / SECONDS_PER_MINUTE,
            high=slots.total(slots.credit_high_s * weights.high) / SECONDS_PER_MINUTE,
        )
        return Estimates(minutes, self.distances.nearest_m(slots))

    def per_slot(self, slots: Slots, *, within_m: float) -> Intervals:
        """Return the weight of each slot, whatever ``within_m``."""
        del within_m  # the thresholds stand for the distance
        level = slots.attenuation_db
        shift = NORMAL_95 * np.sqrt(self.path_loss.pair_db**2 + slots.phone_variance_db2)
        at = shift[slots.encounter]
        blur = self.path_loss.within_scan_db
        exact = self.rule.weight(level)
        most = self.rule.weights[0]
        far = self.rule.blurred(level + at, blur) - self.surprise * most
        near = (1 - self.surprise) * self.rule.blurred(level - at, blur) + self.surprise * most
        # Blurring may lift a weight above the rule's own, and lower it below: keep the order.
        least = np.clip(far / (1 - self.surprise), 0.0, exact)
        greatest = np.maximum(near, exact)
        return Intervals(least, exact, greatest)
