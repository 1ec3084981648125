"""What a run remembers of everybody: who is infected since when and by whom, who stays at home."""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Ints

NEVER: Final = 32_000
"""A day after every other."""
NOBODY: Final = -1
DAYS_BEFORE: Final = 32
"""Days before a person's last stay at home that are remembered; look-backs are shorter."""
_DAY_BITS: Final = 16


class People:
    """The state of a city's people, in columns of few bytes.

    Args:
        count: number of people.

    Attributes:
        infected_on: day of infection; NEVER before it.
        source: who infected them; NOBODY if nobody did.
        layer: layer of contacts in which it happened; NOBODY likewise.
        away_from, away_until: first day at home, and the first day out again.
        before: the days before ``away_from``, one bit each: bit 0 is the day before it.
        tested: whether a test was positive.
    """

    def __init__(self, count: int) -> None:
        self.infected_on = np.full(count, NEVER, np.int16)
        self.source = np.full(count, NOBODY, np.int32)
        self.layer = np.full(count, NOBODY, np.int8)
        self.away_from = np.full(count, NEVER, np.int16)
        self.away_until = np.full(count, -1, np.int16)
        self.before = np.zeros(count, np.uint32)
        self.tested = np.zeros(count, bool)

    def is_susceptible(self, people: Ints) -> Bools:
        """Return who was not infected yet."""
        return np.asarray(self.infected_on[people] == NEVER)

    def is_away(self, people: Ints, days: int | Ints) -> Bools:
        """Return who stays at home on a day from now on."""
        return np.asarray(self.away_until[people] > days)  # a stay begins when it is ordered

    def was_away(self, people: Ints, days: int | Ints) -> Bools:
        """Return who stayed at home on a day from 32 days ago on, whatever came after it."""
        ago = self.away_from[people].astype(np.int32)
        ago -= 1
        ago -= np.asarray(days, np.int32)  # days from that day to the one before the last stay
        away = np.zeros(len(ago), bool)
        now = np.flatnonzero(ago < 0)
        away[now] = self.away_until[people[now]] > _at(days, now)
        old = np.flatnonzero((ago >= 0) & (ago < DAYS_BEFORE))
        away[old] = (self.before[people[old]] >> ago[old].astype(np.uint32)) & np.uint32(1)
        return away

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
        people, until = longest(people, until)
        until = np.maximum(until, day)
        known = np.maximum(self.away_until[people], day)
        longer = np.flatnonzero(until > known)
        chosen = people[longer]
        fresh = chosen[self.away_until[chosen] < day]
        self.before[fresh] = self._days_before(fresh, day)
        self.away_from[fresh] = day
        self.away_until[chosen] = until[longer]
        return np.maximum(until - known, 0)

    def _days_before(self, people: Ints, day: int) -> npt.NDArray[np.uint32]:
        """Return a bit for each of the days before ``day``; bit 0 is the day before it."""
        # 63 and not 64: a shift by the width of a number is not defined.
        since = np.minimum(day - self.away_from[people].astype(np.int64), 63)
        since[since < 0] = 0  # they stayed at home for the first time
        over = np.clip(day - self.away_until[people].astype(np.int64), 0, since)
        one = np.uint64(1)
        last = (one << since.astype(np.uint64)) - (one << over.astype(np.uint64))
        earlier = self.before[people].astype(np.uint64) << since.astype(np.uint64)
        return np.asarray((last | earlier) & np.uint64(0xFFFFFFFF), np.uint32)

    def digest(self) -> str:
        """Return a digest of everything, as hex digits."""
        found = hashlib.sha256()
        for column in (
            self.infected_on,
            self.source,
            self.layer,
            self.away_from,
            self.away_until,
            self.before,
            self.tested,
        ):
            # Little-endian bytes on every machine.
            found.update(column.astype(column.dtype.newbyteorder("<"), copy=False).data)
        return found.hexdigest()[:32]


def longest(people: Ints, until: Ints) -> tuple[Ints, Ints]:
    """Return the sorted unique people, and the largest ``until`` >= 0 of each."""
    packed = people << _DAY_BITS
    packed |= until
    packed.sort()  # of one whole number each, which is faster than a sort by two columns
    people = packed >> _DAY_BITS
    last = np.ones(len(people), bool)
    np.not_equal(people[1:], people[:-1], out=last[:-1])
    return people[last], packed[last] & ((1 << _DAY_BITS) - 1)


def _at(days: int | Ints, rows: Ints) -> int | Ints:
    return days if isinstance(days, int) else days[rows]
