"""Words for time and uncertainty that every floor shares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

SECONDS_PER_MINUTE: Final = 60
SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 86_400


Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bytes2D = npt.NDArray[np.uint8]

Entropy = Callable[[int], bytes]
"""A source of secret bytes: the operating system's outside tests and simulations."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A quantity with its uncertainty: the median and the central 90 % (5 % to 95 %)."""

    low: float
    median: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.median <= self.high:
            msg = f"an interval wants low <= median <= high, got {self}"
            raise ValueError(msg)


def utc_day(time: float) -> int:
    """Return the number of the UTC day that holds ``time`` (epoch seconds)."""
    return int(time // SECONDS_PER_DAY)
