"""The contact log: the sightings of the last 21 days, on the phone."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Protocol, Self

from tracetogether.parameters import RETENTION
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import SECONDS_PER_DAY

CLOCK_STEP_S: Final = 2 * SECONDS_PER_DAY
"""A clock that moves further in one step is doubted; a log is purged once a day."""
_BEGUN_S: Final = 1e-3
_SPACINGS_S: Final = (120.0, 300.0, 900.0)  # the last is the life of a TempID
_EARLIEST: Final = 1_577_836_800.0  # 2020-01-01: no phone traced contacts before


@dataclass(frozen=True, slots=True)
class LogClock:
    """A log's view of the time, from the times that it was given.

    A clock that leaps, ahead or back, is doubted, and nothing is deleted by it. It is trusted
    again when it comes back, when the authority confirms it, or when it has run on long enough:
    after a leap ahead for the retention, so that every earlier sighting is that old by then.

    Attributes:
        believed: the latest time that is believed, None before the first.
        latest: the time given last.
        doubted_s: how long the clock ran on since it leapt, 0 while it is believed.
    """

    believed: float | None = None
    latest: float = 0.0
    doubted_s: float = 0.0

    def after(self, time: float, retention_s: float) -> "LogClock":
        """Return this after ``time`` (epoch seconds) was given."""
        believed = self.believed
        if believed is None or believed < _EARLIEST <= time:
            return LogClock(time, time)
        if abs(time - believed) <= CLOCK_STEP_S:
            return LogClock(max(believed, time), time)
        # A phone that is on for an hour a week must come to an end too: a long step counts in part.
        ran_s = min(max(time - self.latest, 0.0), SECONDS_PER_DAY)
        doubted_s = self.doubted_s + ran_s if self.doubted_s else _BEGUN_S
        # To go back to an earlier time drops nothing, so that it takes less.
        if doubted_s > (retention_s if time > believed else CLOCK_STEP_S):
            return LogClock(time, time)
        return replace(self, latest=time, doubted_s=doubted_s)

    def cutoff(self, retention_s: float) -> float:
        """Return the time before which sightings are dropped; none are while it is doubted."""
        if self.believed is None or self.doubted_s:
            return -inf
        return min(self.believed, self.latest) - retention_s


class ContactLog(Protocol):
    """Where a phone writes down what it heard.

    Every log keeps the 21-day rule itself: an append drops what lies more than the retention
    before the newest sighting, and so does ``purge`` relative to the given time. While the clock
    is doubted (see LogClock) nothing is dropped: what is too old by it is set aside. That stays in
    the log, as before the leap, and leaves when the clock is believed again.
    """

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write down ``rows``, all or none of them."""
        ...

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end) by time."""
        ...

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop everything older than the retention; return how many sightings went.

        Args:
            now: epoch seconds.
            confirmed: the authority's clock shows the same, so that there is no doubt. Then what
                lies days ahead of ``now`` goes as well: a wrong clock wrote it.
        """
        ...

    def set_aside(self) -> int:
        """Return how many sightings are too old by a clock that is doubted."""
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


def clock_after(clock: LogClock, rows: Iterable[Sighting], retention_s: float) -> LogClock:
    """Return what a log believes of the time once ``rows`` are appended."""
    for time in sorted(row.time for row in rows):
        clock = clock.after(time, retention_s)
    return clock


def thinned(rows: Sequence[Sighting], most: int) -> list[Sighting]:
    """Return ``rows`` with at most ``most`` of them, if a spacing of a token's rows can bring that.

    A row goes if the same phone heard the same token less than a spacing before: first 2 minutes,
    then 5, then 15. With each spacing the oldest rows go first, and only as many as have to. So
    recent meetings keep their detail, and every token keeps a row of each direction.

    Args:
        rows: in order of time.
        most: how many may stay; more stay if tokens are too many.
    """
    kept = list(rows)
    for spacing_s in _SPACINGS_S:
        surplus = len(kept) - most
        if surplus <= 0:
            break
        left: list[Sighting] = []
        last: dict[tuple[str, bool], float] = {}
        for row in kept:
            heard = row.peer, row.as_central
            if surplus > 0 and row.time - last.get(heard, -inf) < spacing_s:
                surplus -= 1
                continue
            last[heard] = row.time
            left.append(row)
        kept = left
    return kept


class MemoryContactLog(ContactLog):
    """A contact log that lives as long as the process: for tests and simulated phones."""

    def __init__(self, retention_s: int = RETENTION.log_s) -> None:
        self._retention_s = retention_s
        self._rows: list[Sighting] = []
        self._clock = LogClock()

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
        self._clock = clock_after(self._clock, new, self._retention_s)
        for row in new:
            insort(self._rows, row, key=_time)
        self._drop_before(self._clock.cutoff(self._retention_s))

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end) by time."""
        first = 0 if start is None else bisect_left(self._rows, start, key=_time)
        last = len(self._rows) if end is None else bisect_left(self._rows, end, key=_time)
        return self._rows[first:last]

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop everything older than the retention; return how many sightings went."""
        held = len(self._rows)
        if confirmed:
            self._clock = LogClock(now, now)
            del self._rows[bisect_left(self._rows, now + CLOCK_STEP_S, key=_time) :]
        else:
            self._clock = self._clock.after(now, self._retention_s)
        self._drop_before(self._clock.cutoff(self._retention_s))
        return held - len(self._rows)

    def set_aside(self) -> int:
        """Return how many sightings are too old by a clock that is doubted."""
        if not self._clock.doubted_s:
            return 0
        return bisect_left(self._rows, self._clock.latest - self._retention_s, key=_time)

    def _drop_before(self, cutoff: float) -> None:
        del self._rows[: bisect_left(self._rows, cutoff, key=_time)]

    def __len__(self) -> int:
        return len(self._rows)


def _time(row: Sighting) -> float:
    return row.time
