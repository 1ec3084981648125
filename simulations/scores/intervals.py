"""Shares and rates over groups, such as runs, with intervals that are wide if groups are few.

Contacts of one group are not independent: one pocket or one phone decides many of them. So a group
counts as one observation. A single group has no interval, since nothing shows how groups vary.

The theory: over n groups, the ratio r = sum(found) / sum(true) has, by linearisation, the variance
V = n / (n - 1) sum((found - r true)^2) / sum(true)^2. It is as precise as r (1 - r) / V independent
observations (for rates: as r^2 / V independent events). The exact interval of a binomial share
(Clopper and Pearson) or of a Poisson rate (Garwood) with that number of observations then stays in
its range, and has a width even if all groups agree. A factor (z / t)^2 reduces the number for few
groups, as V itself is estimated; z and t are the 95 % points of the normal distribution and of
Student's t with n - 1 degrees of freedom (Korn and Graubard, 1998).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, gammaincinv, stdtrit

from tracetogether.proximity.estimates import NORMAL_95
from tracetogether.units import Floats, Interval

_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class NoInterval:
    """A figure of a single group: an ``Interval`` without low and high."""

    median: float
    low: None = None
    high: None = None


Measured = Interval | NoInterval
"""A figure with its central 90 %, where there is more than one group."""


def flat(name: str, value: Measured | None) -> dict[str, float | None]:
    """Return a figure as three columns: ``name``, ``name_low`` and ``name_high``.

    Missing numbers are None, so that all rows of a table have the same columns.
    """
    return {
        name: None if value is None else value.median,
        f"{name}_low": None if value is None else value.low,
        f"{name}_high": None if value is None else value.high,
    }


def share_of_groups(found: Floats, true: Floats) -> Measured | None:
    """Return the share found / true over (n,) groups with its central 90 %.

    Args:
        found: (n,) hits of each group.
        true: (n,) trials of each group.

    Returns:
        Korn and Graubard's interval, inside [0, 1]; None if there was no trial.
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
    size *= _few_groups_factor(groups)
    hits = share * size
    low = float(betaincinv(hits, size - hits + 1, _LOW)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, size - hits, _HIGH)) if share < 1 else 1.0
    return Interval(min(low, share), share, max(high, share))


def mean_of_seeds(values: Floats) -> Measured:
    """Return the mean of (n,) figures, one for each seed, with Student's central 90 %."""
    mean = float(values.mean())
    if len(values) < 2:
        return NoInterval(mean)
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = error * float(stdtrit(len(values) - 1, _HIGH))
    return Interval(mean - half, mean, mean + half)


def rate_of_groups(count: Floats, exposure: Floats) -> Measured | None:
    """Return the rate count / exposure over (n,) groups with its central 90 %.

    Args:
        count: (n,) events of each group, any number.
        exposure: (n,) time or size of each group.

    Returns:
        Garwood's interval for a Poisson count; None without exposure.
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
    fewer = _few_groups_factor(groups)
    events *= fewer
    scale = rate / events if events else 1.0 / (total * fewer)
    low = float(gammaincinv(events, _LOW)) * scale if events else 0.0
    high = float(gammaincinv(events + 1, _HIGH)) * scale
    return Interval(min(low, rate), rate, max(high, rate))


def _variance(found: Floats, true: Floats, ratio: float, groups: int) -> float:
    """Return the variance of a ratio over groups, by linearisation."""
    residual = found - ratio * true
    return float((residual**2).sum() / true.sum() ** 2) * groups / (groups - 1)


def _few_groups_factor(groups: int) -> float:
    """Return the factor by which few groups reduce the number of observations."""
    return float((NORMAL_95 / stdtrit(groups - 1, _HIGH)) ** 2)
