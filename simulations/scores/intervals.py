"""Shares and rates over groups, such as runs, with intervals that are wide where groups are few.

What belongs to one group stands or falls together, so a group counts as one observation. Of a
single group there is no interval: nothing says what another one would have given.
"""

from dataclasses import dataclass
from typing import Final

from scipy.special import betaincinv, gammaincinv, stdtrit

from tracetogether.units import Floats, Interval

_LOW, _HIGH = 0.05, 0.95
_NORMAL: Final = 1.6448536269514722  # the normal distribution's 95 % point


@dataclass(frozen=True, slots=True)
class NoInterval:
    """A figure of a single group; it reads as an ``Interval`` without ends."""

    median: float
    low: None = None
    high: None = None


Measured = Interval | NoInterval
"""A figure with its central 90 %, where there is more than one group."""


def flat(name: str, value: Measured | None) -> dict[str, float | None]:
    """Return a figure as three columns: itself, ``_low`` and ``_high``; None where there is none.

    A column is there in any case, so that all rows of a table have the same.
    """
    return {
        name: None if value is None else value.median,
        f"{name}_low": None if value is None else value.low,
        f"{name}_high": None if value is None else value.high,
    }


def share_of_groups(found: Floats, true: Floats) -> Measured | None:
    """Return found / true over (n,) groups with its central 90 %; None with nothing to find.

    The interval is Korn and Graubard's (1998): Clopper and Pearson's of as many independent
    observations as tell as much as these groups do, fewer still by Student's t for few groups. It
    stays between 0 and 1, and has a width also where every group gave 0 or every group gave 1.
    """
    total = float(true.sum())
    if not total:
        return None
    share = float(found.sum()) / total
    groups = int((true > 0).sum())
    if groups == 1:
        return NoInterval(share)
    variance = _variance(found, true, share, groups)
    size = min(share * (1 - share) / variance, total) if variance > 0 else total
    size *= _fewer(groups)
    hits = share * size
    low = float(betaincinv(hits, size - hits + 1, _LOW)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, size - hits, _HIGH)) if share < 1 else 1.0
    return Interval(min(low, share), share, max(high, share))


def rate_of_groups(count: Floats, exposure: Floats) -> Measured | None:
    """Return count / exposure over (n,) groups with its central 90 %; None without exposure.

    As ``share_of_groups``, for events that can be any number: the interval is Garwood's for a
    Poisson count of as many independent events as tell as much.
    """
    total = float(exposure.sum())
    if not total:
        return None
    rate = float(count.sum()) / total
    groups = int((exposure > 0).sum())
    if groups == 1:
        return NoInterval(rate)
    variance = _variance(count, exposure, rate, groups)
    events = min(rate**2 / variance, rate * total) if variance > 0 else rate * total
    fewer = _fewer(groups)
    events *= fewer
    scale = rate / events if events else 1.0 / (total * fewer)
    low = float(gammaincinv(events, _LOW)) * scale if events else 0.0
    high = float(gammaincinv(events + 1, _HIGH)) * scale
    return Interval(min(low, rate), rate, max(high, rate))


def _variance(found: Floats, true: Floats, ratio: float, groups: int) -> float:
    """Return the variance of a ratio over groups, by linearisation."""
    apart = found - ratio * true
    return float((apart**2).sum() / true.sum() ** 2) * groups / (groups - 1)


def _fewer(groups: int) -> float:
    """Return what part of the observations remains because the variance itself is estimated."""
    return float((_NORMAL / stdtrit(groups - 1, _HIGH)) ** 2)
