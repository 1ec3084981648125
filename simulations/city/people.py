"""What a run remembers of everybody: who is infected since when and by whom, who stays at home."""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Ints

NEVER: Final = 32_000
"""A day after every other."""
NOBODY: Final = -1


class People:
    """The state of a city's people, in columns of few bytes.

    Args:
        count: number of people.

    Attributes:
        infected_on: day of infection; NEVER before it.
        source: who infected them; NOBODY if nobody did.
        layer: layer of contacts in which it happened; NOBODY likewise.
        away_from, away_until: first day at home, and the first day out again.
        before_from, before_until: the same of the stay before that.
        tested: whether a test was positive.
    """

    def __init__(self, count: int) -> None:
        self.infected_on = np.full(count, NEVER, np.int16)
        self.source = np.full(count, NOBODY, np.int32)
        self.layer = np.full(count, NOBODY, np.int8)
        self.away_from = np.full(count, NEVER, np.int16)
        self.away_until = np.full(count, -1, np.int16)
        self.before_from = np.full(count, NEVER, np.int16)
        self.before_until = np.full(count, -1, np.int16)
        self.tested = np.zeros(count, bool)

    def is_susceptible(self, people: Ints) -> Bools:
        """Return who was not infected yet."""
        return np.asarray(self.infected_on[people] == NEVER)

    def is_away(self, people: Ints, days: int | Ints) -> Bools:
        """Return who stays at home on a day from now on."""
        return np.asarray((self.away_from[people] <= days) & (self.away_until[people] > days))

    def was_away(self, people: Ints, days: int | Ints) -> Bools:
        """Return who stayed at home on a past day, by their last two stays."""
        before = (self.before_from[people] <= days) & (self.before_until[people] > days)
        return np.asarray(before | self.is_away(people, days))

    def infect(
        self, people: Ints, sources: Ints | int, layers: npt.NDArray[np.int8] | int, day: int
    ) -> None:
        """Note who was infected on a day and by whom."""
        self.infected_on[people] = day
        self.source[people] = sources
        self.layer[people] = layers

    def keep_home(self, people: Ints, day: int, until: Ints) -> Ints:
        """Keep people at home from ``day``, and return for how many more days than already known.

        Args:
            people: may hold a person several times; the longest stay counts.
            day: today.
            until: the first day out again for each.

        Returns:
            The days that are added for each of the sorted unique people.
        """
        order = np.lexsort((until, people))
        people, until = people[order], until[order]
        last = np.ones(len(people), bool)
        last[:-1] = people[1:] != people[:-1]
        people, until = people[last], np.maximum(until[last], day)
        known = np.maximum(self.away_until[people], day)
        longer = np.flatnonzero(until > known)
        chosen = people[longer]
        fresh = chosen[self.away_until[chosen] < day]
        self.before_from[fresh] = self.away_from[fresh]
        self.before_until[fresh] = self.away_until[fresh]
        self.away_from[fresh] = day
        self.away_until[chosen] = until[longer]
        return np.maximum(until - known, 0)

    def digest(self) -> str:
        """Return a digest of everything, as hex digits."""
        found = hashlib.sha256()
        for column in (
            self.infected_on,
            self.source,
            self.layer,
            self.away_from,
            self.away_until,
            self.tested,
        ):
            # Little-endian bytes on every machine.
            found.update(column.astype(column.dtype.newbyteorder("<"), copy=False).data)
        return found.hexdigest()[:32]
