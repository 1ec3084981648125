"""The contact log: sightings kept for 21 days, rolling, on the phone."""

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, Self

from tracetogether.parameters import RETENTION
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import SECONDS_PER_DAY

CLOCK_LEAP_S: Final = 180 * SECONDS_PER_DAY
"""A step ahead of this length is a wrong clock."""


class ContactLog(Protocol):
    """Where a phone writes down what it heard.

    Every log keeps the 21-day rule by itself: an append drops what lies more than the retention
    before the newest of its sightings, and so does ``purge`` relative to the given time. A
    sighting half a year and more ahead of all that is held drops nothing: that is a wrong
    clock's, which must not empty the log. (A clock wrong by less can't be told from a silence.)
    """

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write down ``rows``, all or none of them."""
        ...

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end) by time."""
        ...

    def purge(self, now: float) -> int:
        """Drop everything older than the retention; return how many sightings went."""
        ...

    def __len__(self) -> int:
        """Return how many sightings are held."""
        ...

    def add(
        self,
        *,
        time: float,
        peer: str,
        rssi_dbm: float,
        tx_power_dbm: float | None = None,
        peer_model: str | None = None,
    ) -> None:
        """Write down one sighting."""
        self.append([Sighting(time, peer, rssi_dbm, tx_power_dbm, peer_model)])

    def sightings(self, start: float | None = None, end: float | None = None) -> Sightings:
        """Return the sightings in [start, end) as columns."""
        return Sightings.from_rows(self.rows(start, end))


def cutoff_on_append(oldest: float | None, times: Sequence[float], retention_s: int) -> float:
    """Return the time before which an append of sightings at ``times`` drops old ones.

    Args:
        oldest: time of the oldest sighting held, None for an empty log.
        times: times being appended; at least one.
        retention_s: how long sightings are kept.
    """
    first = min(times) if oldest is None else min(oldest, *times)
    believable = first + retention_s + CLOCK_LEAP_S
    return max((time for time in times if time <= believable), default=-math.inf) - retention_s


class MemoryContactLog(ContactLog):
    """A contact log that lives as long as the process: for tests and simulated phones."""

    def __init__(self, retention_s: int = RETENTION.log_s) -> None:
        self._retention_s = retention_s
        self._rows: list[Sighting] = []

    @classmethod
    def of(cls, rows: Iterable[Sighting]) -> Self:
        """Return a log that holds ``rows``."""
        log = cls()
        log.append(rows)
        return log

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write down ``rows``."""
        new = list(rows)
        if not new:
            return
        oldest = self._rows[0].time if self._rows else None
        cutoff = cutoff_on_append(oldest, [row.time for row in new], self._retention_s)
        for row in new:
            insort(self._rows, row, key=_time)
        self._drop_before(cutoff)

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end) by time."""
        first = 0 if start is None else bisect_left(self._rows, start, key=_time)
        last = len(self._rows) if end is None else bisect_left(self._rows, end, key=_time)
        return self._rows[first:last]

    def purge(self, now: float) -> int:
        """Drop everything older than the retention; return how many sightings went."""
        return self._drop_before(now - self._retention_s)

    def _drop_before(self, cutoff: float) -> int:
        count = bisect_left(self._rows, cutoff, key=_time)
        del self._rows[:count]
        return count

    def __len__(self) -> int:
        return len(self._rows)


def _time(row: Sighting) -> float:
    return row.time
