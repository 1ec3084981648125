"""Words for time and uncertainty that every floor shares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
import numpy.typing as npt

SECONDS_PER_MINUTE: Final = 60
SECONDS_PER_HOUR: Final = 3_600
SECONDS_PER_DAY: Final = 86_400

RSSI_UNKNOWN_DBM: Final = -127.0  # the lowest value of the Core Specification; bleak's "not known"
TRANSMIT_LOWEST_DBM: Final = -50.0  # Bluetooth chips go down to -40 dBm
TRANSMIT_HIGHEST_DBM: Final = 20.0  # Core Specification


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


@overload
def is_rssi(rssi_dbm: float) -> bool: ...
@overload
def is_rssi(rssi_dbm: Floats) -> Bools: ...
def is_rssi(rssi_dbm: float | Floats) -> bool | Bools:
    """Return whether a signal strength was measured: above -127 and below 0 dBm.

    Programs write a stand-in where they have none: bleak -127, Bluetooth 127, others 0 or 100.
    NaN is none either.
    """
    return (rssi_dbm > RSSI_UNKNOWN_DBM) & (rssi_dbm < 0)


@overload
def is_transmit_power(power_dbm: float) -> bool: ...
@overload
def is_transmit_power(power_dbm: Floats) -> Bools: ...
def is_transmit_power(power_dbm: float | Floats) -> bool | Bools:
    """Return whether a phone can send at ``power_dbm``: from -50 to 20 dBm.

    127 means "not known". Less than -50 is the level that a beacon measured at 1 m, such as an
    iBeacon's -59: no transmit power. NaN is none either.
    """
    return (power_dbm >= TRANSMIT_LOWEST_DBM) & (power_dbm <= TRANSMIT_HIGHEST_DBM)


def utc_day(time: float) -> int:
    """Return the number of the UTC day that holds ``time`` (epoch seconds)."""
    return int(time // SECONDS_PER_DAY)
