"""Means and ratios over seeds with intervals that are wide if seeds are few.

A seed is one observation. The interval of a mean is Student's. The interval of a ratio of two means
is Fieller's: the ratios r for which the mean of (numerator - r * denominator) is not clearly
different from 0. It has no upper end if the denominator itself is not clearly different from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import stdtrit

from tracetogether.units import Floats

_HIGH: Final = 0.95


@dataclass(frozen=True, slots=True)
class SeedMean:
    """A figure over seeds with its central 90 %.

    Attributes:
        mean: over seeds.
        low, high: bounds; None with one seed.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(
        cls, values: Sequence[float], *, least: float = -np.inf, most: float = np.inf
    ) -> "SeedMean":
        """Return the mean of values, one for each seed.

        Args:
            values: of seeds.
            least: the least value that is possible; the interval does not go below.
            most: the greatest value that is possible; the interval does not go above.
        """
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None, None)
        half = half_width(np.asarray(values, dtype=np.float64)[:, None])[0]
        return cls(mean, float(max(mean - half, least)), float(min(mean + half, most)))

    def to_json(self) -> dict[str, float | None]:
        """Return the figures for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def half_width(values: Floats) -> Floats:
    """Return half of the width of Student's interval of each column of (seeds, n) values."""
    seeds = len(values)
    error = values.std(axis=0, ddof=1) / seeds**0.5
    return np.asarray(error * float(stdtrit(seeds - 1, _HIGH)), dtype=np.float64)


def curve_means(curves: Floats) -> dict[str, list[Any]]:
    """Return the mean of (seeds, days) curves on each day with its central 90 %.

    NaN means that a seed has no value on a day: then the others count. Bounds do not go below 0,
    which is right for counts and for R. A day with one value has no bounds.

    Returns:
        ``mean``, ``low`` and ``high``: (days,) numbers, None where there is none.
    """
    known = ~np.isnan(curves)
    number = known.sum(axis=0)
    filled = np.where(known, curves, 0.0)
    mean = filled.sum(axis=0) / np.maximum(number, 1)
    squares = (np.where(known, curves - mean, 0.0) ** 2).sum(axis=0)
    several = number > 1
    freedom = np.maximum(number - 1, 1)
    half = np.sqrt(squares / freedom / np.maximum(number, 1)) * stdtrit(freedom, _HIGH)
    return {
        "mean": _listed(mean, number > 0),
        "low": _listed(np.maximum(mean - half, 0.0), several),
        "high": _listed(mean + half, several),
    }


def _listed(values: Floats, known: np.ndarray) -> list[float | None]:
    return [value if there else None for value, there in zip(values.tolist(), known, strict=True)]


@dataclass(frozen=True, slots=True)
class SeedRatio:
    """A ratio of two means over seeds with Fieller's central 90 %.

    Attributes:
        ratio: mean of the numerator over the mean of the denominator; None if that is 0 or less.
        low, high: bounds; both None if the denominator is not clearly above 0.
    """

    ratio: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(
        cls, over: Sequence[float], under: Sequence[float], *, most: float = np.inf
    ) -> "SeedRatio":
        """Return the ratio of paired values, one pair for each seed.

        Args:
            over: numerators.
            under: denominators.
            most: the greatest ratio that is possible; the interval does not go above.
        """
        top, bottom = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
        if bottom.mean() <= 0:
            return cls(None, None, None)
        ratio = float(top.mean() / bottom.mean())
        seeds = len(top)
        if seeds < 2:
            return cls(ratio, None, None)
        # (top - r bottom)^2 <= t^2 (v_top - 2 r v_both + r^2 v_bottom) / seeds, solved for r.
        spread = np.cov(top, bottom) / seeds * float(stdtrit(seeds - 1, _HIGH)) ** 2
        square = bottom.mean() ** 2 - spread[1, 1]
        if square <= 0:
            return cls(ratio, None, None)
        linear = top.mean() * bottom.mean() - spread[0, 1]
        rest = top.mean() ** 2 - spread[0, 0]
        root = max(linear**2 - square * rest, 0.0) ** 0.5
        low, high = (linear - root) / square, (linear + root) / square
        return cls(ratio, float(low), float(min(high, most)))

    def to_json(self) -> dict[str, float | None]:
        """Return the figures for JSON."""
        return {"ratio": self.ratio, "low": self.low, "high": self.high}
