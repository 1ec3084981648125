"""What a run remembers of everybody: who is infected since when and by whom, who stays at home."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Ints

NEVER: Final = 32_000
"""A day after every other."""
NOBODY: Final = -1
BY_APP, BY_TRACERS, BY_MEASURE = 1, 2, 4
OF_SOURCE: Final = 3
DAYS_BEFORE: Final = 32
"""Days before a person's last stay at home that are remembered; look-backs are shorter."""
_DAY_BITS: Final = 16
_START: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "infected_on": ("int16", NEVER),
        "source": ("int32", NOBODY),
        "layer": ("int8", NOBODY),
        "away_from": ("int16", NEVER),
        "away_until": ("int16", -1),
        "before": ("uint32", 0),
        "tested": ("bool", 0),
        "found": ("uint8", 0),
    }
)
"""Type and first value of each column."""
_ALIGNED: Final = 64  # bytes; columns of one block of memory start at multiples of it


class DaysAway:
    """When people were kept from something, such as from leaving their home.

    Args:
        count: number of people.
        own: rows to fill.

    Attributes:
        away_from, away_until: first day of the last stay, and the first day after it.
        before: the days before ``away_from``, one bit each: bit 0 is the day before it.
    """

    away_from: npt.NDArray[np.int16]
    away_until: npt.NDArray[np.int16]
    before: npt.NDArray[np.uint32]

    def __init__(self, count: int, own: slice = slice(None)) -> None:
        for name in ("away_from", "away_until", "before"):
            kind, first = _START[name]
            column = np.empty(count, kind)
            column[own] = first
            setattr(self, name, column)

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


class People(DaysAway):
    """The state of a city's people, in columns of few bytes.

    The columns have a row for everybody, so that a person's number is their row. A shard fills and
    uses the rows of its own people alone; memory that nobody touches costs nothing.

    Args:
        count: number of people.
        own: rows to fill.
        memory: ``memory_for(count)`` bytes for all columns, which may be shared with other
            processes; memory of its own if None.

    Attributes:
        infected_on: day of infection; NEVER before it.
        source: who infected them; NOBODY if nobody did.
        layer: layer of contacts in which it happened; NOBODY likewise.
        away_from, away_until, before: days at home; see ``DaysAway``.
        tested: whether a test was positive.
        found: who named the person while infected: bits of BY_APP, BY_TRACERS and BY_MEASURE, and
            the same ``OF_SOURCE`` bits higher if the contact was with who infected them.
    """

    infected_on: npt.NDArray[np.int16]
    source: npt.NDArray[np.int32]
    layer: npt.NDArray[np.int8]
    tested: Bools
    found: npt.NDArray[np.uint8]

    def __init__(
        self, count: int, own: slice = slice(None), memory: memoryview | None = None
    ) -> None:
        start = 0
        for name, (kind, first) in _START.items():
            if memory is None:
                column = np.empty(count, kind)
            else:
                column = np.frombuffer(memory, kind, count, start)
            column[own] = first
            setattr(self, name, column)
            start += _aligned(column.nbytes)

    @staticmethod
    def memory_for(count: int) -> int:
        """Return how many bytes the columns of ``count`` people have."""
        return sum(_aligned(count * np.dtype(kind).itemsize) for kind, _first in _START.values())

    def rows(self, own: slice) -> dict[str, npt.NDArray[Any]]:
        """Return these rows of all columns, by name."""
        return {name: getattr(self, name)[own] for name in _START}

    def set_rows(self, own: slice, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Replace these rows of columns."""
        for name, column in columns.items():
            getattr(self, name)[own] = column

    def is_susceptible(self, people: Ints) -> Bools:
        """Return who was not infected yet."""
        return np.asarray(self.infected_on[people] == NEVER)

    def infect(
        self, people: Ints, sources: Ints | int, layers: npt.NDArray[np.int8] | int, day: int
    ) -> None:
        """Note who was infected on a day and by whom."""
        self.infected_on[people] = day
        self.source[people] = sources
        self.layer[people] = layers

    def note_found(self, people: Ints, cases: Ints, by: int) -> None:
        """Note that infected people were named by cases, one of each a row; ``by`` is a bit."""
        self.found[people] |= by
        self.found[people[self.source[people] == cases]] |= by << OF_SOURCE

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
            self.found,
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


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
