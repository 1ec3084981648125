"""The value of a key, such as the adoption of the app, from which R is below 1.

R is known at the values that were tried, with an interval at each. Between them it is interpolated.
A greater value of the key must not raise R: where chance makes it rise, neighbours are averaged
(isotonic regression). A value belongs to the interval of the answer if R there is not clearly
different from 1. So the interval is open on the side where even the last value that was tried
belongs to it, and the answer says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from simulations.city.sweep_points import Findings, early_r, r_text
from tracetogether.errors import ScenarioError
from tracetogether.plain_text import counted
from tracetogether.units import Floats


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which value of a key R is below 1.

    Attributes:
        key: dotted name.
        value: R is 1 there; None if R is above 1, or below 1, at all values that were tried.
        low, high: central 90 % of it; None where the interval is open.
        tried: the values that were tried, rising.
        r: R at these: r, low, high.
        seeds: number of runs at each value.
    """

    key: str
    value: float | None
    low: float | None
    high: float | None
    tried: Sequence[float]
    r: Sequence[Mapping[str, float | None]]
    seeds: int

    @property
    def sentence(self) -> str:
        """Return the answer in one sentence."""
        first, last = self.tried[0], self.tried[-1]
        at_first, at_last = r_text(self.r[0]), r_text(self.r[-1])
        if self.value is not None:
            low = "below what was tried" if self.low is None else f"{self.low:.2f}"
            high = f"more than {last:g}" if self.high is None else f"{self.high:.2f}"
            bounds = (
                "no interval with one seed"
                if self.seeds < 2
                else f"90 % interval {low} to {high}, {self.seeds} seeds"
            )
            return f"R falls below 1 at {self.key} = {self.value:.2f} ({bounds})."
        if (self.r[-1]["r"] or 0) > 1:
            may = "" if self.low is None else f", so {self.low:.2f} may be enough, or no value"
            return (
                f"R does not fall below 1 up to {self.key} = {last:g}, where it is {at_last}{may}."
            )
        return f"R is below 1 already at {self.key} = {first:g}, where it is {at_first}."

    def to_json(self) -> dict[str, Any]:
        """Return the answer for JSON."""
        return {
            "key": self.key,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "r": [{"value": at, **dict(r)} for at, r in zip(self.tried, self.r, strict=True)],
            "answer": self.sentence,
        }


def threshold(key: str, rows: Sequence[Findings]) -> Threshold:
    """Return from which value of ``key`` on R is below 1.

    Args:
        key: the key that was varied; its greater values lower R.
        rows: findings of runs with ``settings``, whose other settings are the same.

    Raises:
        ScenarioError: fewer than two values were tried with early cases.
    """
    by_value: dict[float, list[Findings]] = {}
    for row in rows:
        by_value.setdefault(float(row["settings"][key]), []).append(row)
    known = {
        at: at_it for at in sorted(by_value) if (at_it := early_r(by_value[at]))["r"] is not None
    }
    if len(known) < 2:
        raise ScenarioError(
            f"R is known at {counted(len(known), 'values')} of {key}, and two are needed: vary "
            f"{key} over several values, for 30 days or more, with more people or seeds"
        )
    tried = np.array(list(known))
    weights = np.array([sum(row["early"]["cases"] for row in by_value[at]) for at in known])
    r = np.array([value["r"] for value in known.values()], dtype=np.float64)
    seeds = min(len(by_value[at]) for at in known)
    low = high = None
    if all(value["low"] is not None and value["high"] is not None for value in known.values()):
        lows, highs = (
            np.array([value[name] for value in known.values()], dtype=np.float64)
            for name in ("low", "high")
        )
        low = _crossing(tried, _falling(lows, weights))
        high = _crossing(tried, _falling(highs, weights))
    value = _crossing(tried, _falling(r, weights))
    return Threshold(key, value, low, high, tried.tolist(), list(known.values()), seeds)


def _falling(values: Floats, weights: Floats) -> Floats:
    fitted = isotonic_regression(values, weights=weights, increasing=False)
    return np.asarray(fitted.x, dtype=np.float64)


def _crossing(at: Floats, values: Floats) -> float | None:
    """Return where falling values reach 1; None if they do not, or are below from the start."""
    below = np.flatnonzero(values <= 1)
    if not below.size or below[0] == 0:
        return None
    after = int(below[0])
    share = (values[after - 1] - 1) / (values[after - 1] - values[after])
    return float(at[after - 1] + share * (at[after] - at[after - 1]))
