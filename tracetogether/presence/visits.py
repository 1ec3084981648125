"""Visits as a phone keeps them: 21 days, on the phone only.

A scan begins a visit. Scanning the same poster again prolongs it, another poster ends it, and else
it ends after the poster's time. A visit that ended is kept by UTC days, as warnings are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Protocol

from tracetogether.contactlog import CLOCK_STEP_S, LogClock
from tracetogether.parameters import VISITS
from tracetogether.presence.posters import Poster
from tracetogether.units import SECONDS_PER_DAY, utc_day


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody's stay at a place. The texts are a stranger's.

    Attributes:
        location_id: the place's id, 32 bytes; secret.
        description: the place's name.
        address: where it is.
        start: epoch seconds.
        end: when it ended; of an open visit, when it will end without another scan.
        default_s: after how long it ends if nobody scans again.
        open: it has not ended yet.
        note: the owner's own words.
        poster: the poster's code, as it was read; secret, as the id is.
    """

    location_id: bytes = field(repr=False)
    description: str
    address: str
    start: float
    end: float
    default_s: int = VISITS.default_s
    open: bool = False
    note: str = ""
    poster: str = field(default="", repr=False)

    @property
    def minutes(self) -> int:
        """Whole minutes from start to end."""
        return int((self.end - self.start) // 60)


@dataclass(frozen=True, slots=True)
class VisitChange:
    """What a scan or a check-out does to a log.

    Attributes:
        gone: visits that leave the log.
        new: visits that take their places.
        current: the visit that goes on, or that has just ended; None if there is none.
    """

    gone: tuple[Visit, ...] = ()
    new: tuple[Visit, ...] = ()
    current: Visit | None = None


class VisitLog(Protocol):
    """Where a phone keeps its visits, and what it knows of warnings.

    Every log keeps the 21-day rule itself: a visit leaves 21 days after its end, whenever the log
    is changed or purged. While the clock is doubted (see LogClock) nothing is dropped.
    """

    def visits(self) -> list[Visit]:
        """Return all visits by their start."""
        ...

    def update(self, rule: Callable[[list[Visit]], VisitChange], now: float) -> VisitChange:
        """Apply a rule to the visits, whole or not at all, and return what it did.

        Two programs that do so at the same time come one after the other.

        Args:
            rule: takes all visits by their start.
            now: epoch seconds.
        """
        ...

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop what ended longer ago than the retention; return how many visits went.

        Args:
            now: epoch seconds.
            confirmed: the authority's clock shows the same, so that there is no doubt. Then visits
                that begin days ahead of ``now`` go as well: a wrong clock wrote them.
        """
        ...

    def set_aside(self) -> int:
        """Return how many visits are too old by a clock that is doubted."""
        ...

    def seen(self) -> frozenset[bytes]:
        """Return the digests of warnings that the owner has seen."""
        ...

    def remember(self, seen: Iterable[bytes], asked_hour: int, now: float) -> None:
        """Note, whole or not at all, what the owner has seen, and up to which hour was asked.

        Args:
            seen: digests of warnings, 32 bytes each; kept as long as visits.
            asked_hour: number of the last hour whose warnings were asked for.
            now: epoch seconds.
        """
        ...

    def asked_hour(self) -> int | None:
        """Return the last hour whose warnings were asked for; None if none were."""
        ...

    def __len__(self) -> int:
        """Return how many visits are held."""
        ...


def settled(visits: Iterable[Visit], now: float) -> VisitChange:
    """Return what ends without a scan until ``now`` (epoch seconds)."""
    ended = [visit for visit in visits if visit.open and visit.end <= now]
    return VisitChange(tuple(ended), tuple(part for visit in ended for part in by_day(visit)))


def scanned(visits: Iterable[Visit], poster: Poster, now: float, note: str = "") -> VisitChange:
    """Return what the scan of a poster at ``now`` changes.

    A clock that went back behind the start of an open visit can't end it: then it ends as planned.
    """
    held = list(visits)
    change = settled(held, now)
    for visit in held:
        if not visit.open or visit in change.gone:
            continue
        inside = visit.start <= now
        until = now + poster.default_s
        if (
            inside
            and visit.location_id == poster.location_id
            and until <= visit.start + VISITS.longest_s
        ):
            longer = replace(visit, end=max(visit.end, until), note=note or visit.note)
            return _joined(change, VisitChange((visit,), (longer,), longer))
        ended = replace(visit, end=now) if inside else visit
        change = _joined(change, VisitChange((visit,), tuple(by_day(ended))))
    begun = Visit(
        location_id=poster.location_id,
        description=poster.description,
        address=poster.address,
        start=now,
        end=now + poster.default_s,
        default_s=poster.default_s,
        open=True,
        note=note,
        poster=poster.text,
    )
    return _joined(change, VisitChange((), (begun,), begun))


def noted_later(
    visits: Iterable[Visit], poster: Poster, start: float, now: float, note: str = ""
) -> VisitChange:
    """Return what a visit changes that began earlier, at ``start``, and is noted ``now``.

    It ends at the poster's time, or where a visit begins that was noted already; nothing of that
    visit changes.
    """
    held = list(visits)
    change = scanned([visit for visit in held if visit.start <= start], poster, start, note)
    begun = change.current
    if begun is None:
        return change
    later = [visit.start for visit in held if visit.start > start]
    whole = replace(begun, end=min([begun.end, *later]))
    parts = by_day(whole) if later or whole.end <= now else [whole]
    kept = tuple(visit for visit in change.new if visit is not begun)
    return VisitChange(change.gone, (*kept, *parts), replace(whole, open=parts == [whole]))


def checked_out(visits: Iterable[Visit], now: float) -> VisitChange:
    """Return what a check-out at ``now`` changes; its ``current`` is the visit that ended."""
    held = list(visits)
    change = settled(held, now)
    for visit in held:
        if visit.open and visit not in change.gone:
            ended = replace(visit, end=now) if visit.start <= now else visit
            ended = replace(ended, open=False)
            change = _joined(change, VisitChange((visit,), tuple(by_day(ended)), ended))
    return change


def forgotten(visits: Iterable[Visit], which: Callable[[Visit], bool]) -> VisitChange:
    """Return the change by which the visits go for which ``which`` is true."""
    return VisitChange(tuple(visit for visit in visits if which(visit)))


def by_day(visit: Visit) -> list[Visit]:
    """Return a visit that ended, divided at midnight UTC."""
    days = range(utc_day(visit.start) + 1, utc_day(visit.end) + 1)
    cuts = [visit.start, *(float(day * SECONDS_PER_DAY) for day in days), visit.end]
    parts = [(start, end) for start, end in pairwise(cuts) if end > start]
    return [
        replace(visit, start=start, end=end, open=False)
        for start, end in parts or [(visit.start, visit.end)]
    ]


def _joined(first: VisitChange, second: VisitChange) -> VisitChange:
    return VisitChange(first.gone + second.gone, first.new + second.new, second.current)


class MemoryVisitLog(VisitLog):
    """A visit log that lives as long as the process: for tests and simulated phones."""

    def __init__(self, retention_s: int = VISITS.kept_s) -> None:
        self._retention_s = retention_s
        self._visits: list[Visit] = []
        self._seen: dict[bytes, float] = {}
        self._asked_hour: int | None = None
        self._clock = LogClock()

    def visits(self) -> list[Visit]:
        """Return all visits by their start."""
        return list(self._visits)

    def update(self, rule: Callable[[list[Visit]], VisitChange], now: float) -> VisitChange:
        """Apply a rule to the visits, whole or not at all, and return what it did."""
        change = rule(self.visits())
        kept = list(self._visits)
        for visit in change.gone:
            kept.remove(visit)
        self._visits = sorted([*kept, *change.new], key=_START)
        self._advance(now)
        return change

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop what ended longer ago than the retention; return how many visits went."""
        held = len(self._visits)
        if confirmed:
            self._clock = LogClock(now, now)
            self._visits = [row for row in self._visits if row.start < now + CLOCK_STEP_S]
        self._advance(now)
        return held - len(self._visits)

    def set_aside(self) -> int:
        """Return how many visits are too old by a clock that is doubted."""
        if not self._clock.doubted_s:
            return 0
        return sum(row.end < self._clock.latest - self._retention_s for row in self._visits)

    def seen(self) -> frozenset[bytes]:
        """Return the digests of warnings that the owner has seen."""
        return frozenset(self._seen)

    def remember(self, seen: Iterable[bytes], asked_hour: int, now: float) -> None:
        """Note what the owner has seen, and up to which hour was asked."""
        self._seen |= dict.fromkeys(seen, now)
        self._asked_hour = asked_hour
        self._advance(now)

    def asked_hour(self) -> int | None:
        """Return the last hour whose warnings were asked for; None if none were."""
        return self._asked_hour

    def _advance(self, now: float) -> None:
        self._clock = self._clock.after(now, self._retention_s)
        cutoff = self._clock.cutoff(self._retention_s)
        self._visits = [row for row in self._visits if row.end >= cutoff]
        self._seen = {mark: time for mark, time in self._seen.items() if time >= cutoff}

    def __len__(self) -> int:
        return len(self._visits)


_START: Final = lambda visit: (visit.start, visit.end)  # noqa: E731 - a key for sorting
