"""What every estimator says of encounters: minutes near and nearest distance, as intervals."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.units import Floats

NORMAL_95: Final = 1.6448536269514722
"""95 % of a normal distribution lie below this many standard deviations above the mean."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Quantities with their uncertainty, in columns: the median and the central 90 %."""

    low: Floats
    median: Floats
    high: Floats

    def __post_init__(self) -> None:
        if not (np.all(self.low <= self.median) and np.all(self.median <= self.high)):
            raise ValueError("an interval wants low <= median <= high")


@dataclass(frozen=True, slots=True)
class Estimates:
    """One entry per encounter.

    Attributes:
        minutes: time near, in minutes.
        nearest_m: nearest distance, in metres.
    """

    minutes: Intervals
    nearest_m: Intervals
