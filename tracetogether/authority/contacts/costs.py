"""Whom to call, by cost: how many contacts are found by how many calls, by the lists' own chances.

Call everybody whose chance p of being a contact is at least c. Of those called, sum(p) are expected
to be contacts; the rest of the sum over everybody is missed. A call costs ``cost``, whether or not
anybody answers, and a found contact is worth ``value``: a call of chance p gains p * value - cost
on average. So the best c is cost / value: every call with p above it gains, every other one loses.

The sums are as right as the chances are; ``docs/explanation/costs.md`` compares them with the truth
of simulated crowds.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from tracetogether.errors import InvalidRequestError
from tracetogether.units import Floats

SHOWN_CHANCES: Final = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)
"""Least chances that tables show."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What comes of calling everybody from one chance on.

    Attributes:
        least_chance: everybody who has it or more is called.
        calls: how many people that is.
        found: expected number of contacts among them.
        missed: expected number of contacts among everybody else on the lists.
    """

    least_chance: float
    calls: int
    found: float
    missed: float

    @property
    def precision(self) -> float | None:
        """Expected share of contacts among those called; None without a call."""
        return self.found / self.calls if self.calls else None

    @property
    def recall(self) -> float | None:
        """Expected share of all contacts that is found; None if none is expected."""
        expected = self.found + self.missed
        return self.found / expected if expected else None

    def gain(self, cost: float, value: float) -> float:
        """Return the expected gain: the value of contacts found, less the cost of the calls."""
        return value * self.found - cost * self.calls


@dataclass(frozen=True, slots=True)
class CostCurve:
    """Calls against expected contacts, over all least chances.

    Attributes:
        chance: (n,) of everybody on the lists, the greatest first.
        found: (n,) expected contacts among the first 1, 2, ..., n of them.
    """

    chance: Floats
    found: Floats

    @classmethod
    def of(cls, chances: Floats) -> Self:
        """Return the curve of the chances of everybody on some lists, in any order."""
        chance = np.sort(np.asarray(chances, dtype=np.float64))[::-1]
        return cls(chance, np.cumsum(chance))

    @property
    def expected(self) -> float:
        """Expected number of contacts on the lists."""
        return float(self.found[-1]) if len(self.found) else 0.0

    def cut(self, least_chance: float) -> Cut:
        """Return what comes of calling everybody whose chance is at least ``least_chance``."""
        calls = int(np.count_nonzero(self.chance >= least_chance))
        found = float(self.found[calls - 1]) if calls else 0.0
        return Cut(least_chance, calls, found, max(self.expected - found, 0.0))

    def cuts(self, *more: float) -> tuple[Cut, ...]:
        """Return the cuts at SHOWN_CHANCES and ``more``, the fewest calls first."""
        return tuple(self.cut(least) for least in sorted({*SHOWN_CHANCES, *more}, reverse=True))


_MOST: Final = 1e9  # a cost or a value; sums of them stay numbers


def chance_to_call(cost: float, value: float) -> float:
    """Return the chance from which on a call is worth its cost: cost / value, 1 at most.

    Args:
        cost: of one call.
        value: of one contact found, in the same unit.

    Raises:
        InvalidRequestError: one of them is not above 0, or above a thousand million.
    """
    if not (0 < cost <= _MOST and 0 < value <= _MOST):
        msg = (
            "the cost of a call and the value of a contact found must be numbers above 0 "
            "and at most 1,000,000,000"
        )
        raise InvalidRequestError(msg, "no-such-cost")
    return min(cost / value, 1.0)


def checked_chance(least_chance: float) -> float:
    """Return a least chance.

    Raises:
        InvalidRequestError: it is not from 0.01 to 0.99.
    """
    if not 0.01 <= least_chance <= 0.99:  # the estimators say no less and no more
        msg = "the least chance must be a number from 0.01 to 0.99"
        raise InvalidRequestError(msg, "no-such-chance")
    return least_chance
