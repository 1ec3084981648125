"""Log-distance path loss, how readings deviate from it, and how far apart people usually are."""

from dataclasses import dataclass

import numpy as np

from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class PathLoss:
    """attenuation = at_1m_db + 10 * exponent * log10(distance in metres) + offset + noise.

    The figures come from the DP-3T recording "exp05" (20 people, five scenes, cameras as truth)
    with Google's calibration table. A pair keeps its offset through a scene (bodies, pockets,
    furniture; measured as 4.8 to 5.8 dB). The noise varies within a pair (4.8 to 5.0 dB) over
    minutes, as people turn: readings closer together than that repeat one another. Packets within
    one scan of 4 s vary by 3.3 to 3.7 dB.

    log10 distance has a normal prior on two levels. In exp05's scenes it had the mean 0.36
    (2.3 m), and sd 0.19 to 0.23 between pairs and 0.08 to 0.15 within a pair. Those are five
    rooms; the spread between pairs is wider here, so that 5 % are within 0.7 m and 95 % within 7 m.

    Attributes:
        at_1m_db: attenuation at 1 m, half-minutes weighted by the time they stand for. A fit to
            readings gives 52.8 dB, because a strong link gives more readings than a weak one.
        exponent: the scenes of exp05 lie between 1.2 and 2.0.
        pair_db: standard deviation of the offset, which no averaging removes.
        within_pair_db: standard deviation of the noise, scan noise included.
        within_scan_db: standard deviation from packet to packet.
        correlation_s: how long the noise stays much the same.
        median_m: prior median distance of people whom a phone receives.
        kept_decades: prior standard deviation of a pair's mean log10 distance.
        moving_decades: prior standard deviation of log10 distance about that mean.

    Raises:
        ValueError: ``at_1m_db`` is not finite, or ``exponent`` is not above 0.
    """

    at_1m_db: float = 54.8
    exponent: float = 1.41
    pair_db: float = 5.3
    within_pair_db: float = 4.9
    within_scan_db: float = 3.5
    correlation_s: float = 180.0
    median_m: float = 2.3
    kept_decades: float = 0.3
    moving_decades: float = 0.12

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
