"""Log-distance path loss, its inverse, and how far readings stray from it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class LogDistance:
    """attenuation = at_1m_db + 10 * exponent * log10(distance in metres).

    The default was fitted to the readings of the DP-3T recording "exp05" (20 people, five
    scenes, cameras as truth) with Google's calibration table; its scenes lie between exponents
    1.2 and 2.0.
    """

    at_1m_db: float = 52.8
    exponent: float = 1.41

    def __post_init__(self) -> None:
        if not (np.isfinite(self.at_1m_db) and 0 < self.exponent < np.inf):
            raise ValueError(f"path loss needs a finite level and an exponent above 0, got {self}")

    @property
    def slope_db(self) -> float:
        """Decibels per factor of ten in distance."""
        return 10 * self.exponent

    def attenuation_db(self, distance_m: Floats) -> Floats:
        """Return the mean attenuation at each distance (above 0)."""
        return np.asarray(self.at_1m_db + self.slope_db * np.log10(distance_m))

    def distance_m(self, attenuation_db: Floats) -> Floats:
        """Return the distance whose mean attenuation this is: the plain inverse.

        Noise makes it an overestimate of far and an underestimate of near distances;
        ``proximity.smoothed`` therefore weighs it against a prior.
        """
        return np.asarray(10 ** ((attenuation_db - self.at_1m_db) / self.slope_db))


@dataclass(frozen=True, slots=True)
class Spreads:
    """Standard deviations around the path-loss model, in dB.

    From exp05 with calibrated phones. An offset that a pair of people keeps through a scene
    (bodies, pockets, furniture) was measured as 4.8 to 5.8 dB, what varies within a pair as 4.8
    to 5.0 dB, packets within one scan of 4 s as 3.3 to 3.7 dB. What varies within a pair does so
    over minutes, as people turn: readings closer together than that repeat one another.

    Attributes:
        pair_db: offset of a pair that does not average out.
        within_pair_db: variation within a pair, scan noise included.
        within_scan_db: variation from packet to packet.
        correlation_s: how long the variation within a pair stays much the same.
    """

    pair_db: float = 5.3
    within_pair_db: float = 4.9
    within_scan_db: float = 3.5
    correlation_s: float = 180.0


@dataclass(frozen=True, slots=True)
class DistancePrior:
    """How far away people are whom a phone hears, before their signal is looked at.

    Log-normal on two levels. In the five scenes of exp05 log10 distance had the mean 0.36
    (2.3 m), differed between pairs by sd 0.19 to 0.23 and within a pair by 0.08 to 0.15. Those are
    five rooms; the spread between pairs is taken wider here, so that 5 % are within 0.7 m and
    95 % within 7 m.

    Attributes:
        median_m: half are nearer.
        kept_decades: standard deviation of the log10 distance that a pair keeps.
        moving_decades: standard deviation of how it moves about that.
    """

    median_m: float = 2.3
    kept_decades: float = 0.3
    moving_decades: float = 0.12


LOG_DISTANCE: Final = LogDistance()
"""Per reading."""

LOG_DISTANCE_OF_TIME: Final = LogDistance(at_1m_db=54.8)
"""Per moment. A strong link gives more readings than a weak one, so that a fit to readings
overlooks weak moments: at the same exponent, exp05 has 54.8 dB at 1 m when half-minutes are
counted by the time they stand for."""

SPREADS: Final = Spreads()
DISTANCE_PRIOR: Final = DistancePrior()
