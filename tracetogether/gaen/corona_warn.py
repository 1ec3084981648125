"""How the Corona-Warn-App (version 1.15, spring 2021) judged exposure windows.

A window has a transmission risk level from its report type and infectiousness, and a value of that
level. Its minutes are weighted by the least attenuation of each scan. A window is low or high by
its own minutes, a day by the sum over its windows.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from tracetogether.gaen.report import MISSING
from tracetogether.gaen.windows import ExposureWindows
from tracetogether.units import SECONDS_PER_MINUTE, Floats, Ints

_REPORT_OFFSET: Final = np.array([0, 6, 4, 2, 0, 0])  # type 1 test, 2 clinical, 3 self, 4 recursive
_LEVEL_VALUE: Final = np.array([0, 0, 0, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])  # of levels 1 to 8
_BOUNDS_DB: Final = (63, 73, 79)
_BOUND_WEIGHTS: Final = np.array([0.8, 1.0, 0.1, 0.0])
_HIGH_MINUTES: Final = 9.0
_LOW_DAY_MINUTES: Final = 5.0
_DIGITS: Final = 9  # 8.9999999999 minutes are 9: sums of .8 and .1 are not exact


class RiskLevel(IntEnum):
    """What the app shows."""

    NONE = 0
    LOW = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class CoronaWarnResult:
    """The judgement of one phone's windows.

    Attributes:
        total: the app's card: HIGH if any day is, else LOW.
        days: (d,) days with a window that counts, ascending.
        minutes: (d,) normalised minutes of each.
        levels: (d,) RiskLevel of each.
        low_encounters, high_encounters: distinct encounters on days of that level or above none.
    """

    total: RiskLevel
    days: Ints
    minutes: Floats
    levels: Ints
    low_encounters: int
    high_encounters: int

    def newest(self, level: RiskLevel) -> int | None:
        """Return the newest day of this level, None without one."""
        days = self.days[self.levels == level]
        return int(days.max()) if days.size else None

    def count(self, level: RiskLevel) -> int:
        """Return how many days have this level."""
        return int((self.levels == level).sum())


def risk_levels(windows: ExposureWindows) -> Ints:
    """Return (m,) transmission risk levels, 1 to 8."""
    report = np.where(windows.report_type == MISSING, 0, windows.report_type)
    return _REPORT_OFFSET[report] + np.clip(windows.infectiousness, 1, 2)


def normalised_minutes(windows: ExposureWindows) -> Floats:
    """Return (m,) minutes of each window, weighted by attenuation and the level's value."""
    weight = _BOUND_WEIGHTS[np.searchsorted(_BOUNDS_DB, windows.least_db, side="right")]
    minutes = windows.sums(np.maximum(windows.seconds, 0) * weight) / SECONDS_PER_MINUTE
    found: Floats = np.round(minutes * _LEVEL_VALUE[risk_levels(windows)], _DIGITS)
    return found


def judge(windows: ExposureWindows) -> CoronaWarnResult:
    """Return what the app of one phone shows for its windows."""
    level = risk_levels(windows)
    minutes = normalised_minutes(windows)
    kept = np.flatnonzero(_LEVEL_VALUE[level] > 0)
    high = minutes[kept] >= _HIGH_MINUTES
    days, group = np.unique(windows.day[kept], return_inverse=True)
    sums = np.bincount(group, minutes[kept], minlength=len(days))
    of_day: Floats = np.array(np.round(sums, _DIGITS), dtype=np.float64)
    levels = (of_day >= _LOW_DAY_MINUTES).astype(np.int64) + (of_day >= _HIGH_MINUTES)
    counts = levels[group] > RiskLevel.NONE
    encounter = np.stack([windows.day[kept], level[kept], windows.confidence[kept]], axis=1)
    low_pairs = {tuple(row) for row in encounter[counts & ~high].tolist()}
    high_pairs = {tuple(row) for row in encounter[counts & high].tolist()}
    total = RiskLevel.HIGH if (levels == RiskLevel.HIGH).any() else RiskLevel.LOW
    return CoronaWarnResult(total, days, of_day, levels, len(low_pairs), len(high_pairs))
