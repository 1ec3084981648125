"""Which reported visits and trips are believed: a person is at one place at a time.

A false report closes somebody's restaurant, so each report passes these checks, and each refusal
is named, while the other reports of the same message are kept.
"""

import math
from bisect import bisect
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tracetogether.authority.presence.reported import ReportedVisit, VisitRefusal
from tracetogether.parameters import VISIT_REPORTS, VisitReportRules
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_MINUTE, utc_day

_LEAST_S = 10 * SECONDS_PER_MINUTE  # nobody is warned of a shorter stay
_Item = TypeVar("_Item")
_Trip = TypeVar("_Trip", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Believed(Generic[_Item]):
    """What became of the visits, or trips, of one message.

    Attributes:
        kept: those that are believed, in the order of the message.
        refused: the place in the message of each other one -> why.
    """

    kept: tuple[_Item, ...]
    refused: dict[int, VisitRefusal]


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whose reports are checked, and when.

    Attributes:
        now: epoch seconds.
        registered_day: UTC day on which the phone registered; None if it is not known.
    """

    now: float
    registered_day: int | None = None


def believed_visits(
    sent: Sequence[ReportedVisit],
    before: Iterable[ReportedVisit],
    reporter: Reporter,
    rules: VisitReportRules = VISIT_REPORTS,
) -> Believed[ReportedVisit]:
    """Return which visits of a message are kept.

    Of two visits that overlap, the one that begins first is kept; what the same case reported
    before is kept in any case.

    Args:
        sent: the visits of the message.
        before: visits of the same case that were kept earlier; they don't overlap.
        reporter: whose they are.
        rules: the bounds.
    """
    taken = sorted((visit.start, visit.end, visit.location_id) for visit in before)
    a_day = Counter(utc_day(start) for start, _, _ in taken)
    refused: dict[int, VisitRefusal] = {}
    kept: set[int] = set()
    for place, visit in sorted(enumerate(sent), key=lambda entry: (entry[1].start, entry[1].end)):
        why = _refusal_of(visit, reporter, rules) or _overlap_of(visit, taken)
        if why is None and a_day[utc_day(visit.start)] >= rules.a_day:
            why = VisitRefusal.TOO_MANY
        if why is not None:
            refused[place] = why
            continue
        kept.add(place)
        a_day[utc_day(visit.start)] += 1
        row = (visit.start, visit.end, visit.location_id)
        taken.insert(bisect(taken, row), row)
    return Believed(
        tuple(visit for place, visit in enumerate(sent) if place in kept),
        dict(sorted(refused.items())),
    )


def _refusal_of(
    visit: ReportedVisit, reporter: Reporter, rules: VisitReportRules
) -> VisitRefusal | None:
    """Return why a visit is refused whatever else was reported; None if it is not."""
    registered = reporter.registered_day
    slack = rules.outside_window_s
    if not math.isfinite(visit.start) or not visit.start < visit.end < math.inf:
        return VisitRefusal.BACKWARDS
    checks = {
        VisitRefusal.TOO_SHORT: visit.end - visit.start < _LEAST_S,
        VisitRefusal.TOO_LONG: visit.end - visit.start > rules.longest_s,
        VisitRefusal.IN_FUTURE: visit.end > reporter.now + rules.ahead_s,
        VisitRefusal.TOO_OLD: visit.end < reporter.now - rules.reaches_back_s,
        VisitRefusal.BEFORE_REGISTRATION: (
            registered is not None and visit.start < registered * SECONDS_PER_DAY
        ),
        VisitRefusal.OUTSIDE_WINDOW: (
            (visit.opens is not None and visit.start < visit.opens - slack)
            or (visit.closes is not None and visit.end > visit.closes + slack)
        ),
    }
    return next((why for why, is_so in checks.items() if is_so), None)


def _overlap_of(
    visit: ReportedVisit, taken: Sequence[tuple[float, float, bytes]]
) -> VisitRefusal | None:
    """Return the refusal of a visit that overlaps with one of ``taken``, which are sorted."""
    after = bisect(taken, (visit.start, math.inf, b""))
    for start, end, location_id in (*taken[max(after - 1, 0) : after], *taken[after : after + 1]):
        if start < visit.end and visit.start < end:
            same = location_id == visit.location_id
            return VisitRefusal.TWICE if same else VisitRefusal.TWO_PLACES
    return None


def believed_trips(
    sent: Sequence[tuple[int, _Trip]],
    before: Iterable[tuple[int, _Trip]],
    reporter: Reporter,
    rules: VisitReportRules = VISIT_REPORTS,
) -> Believed[_Trip]:
    """Return which trips of a message are kept.

    Args:
        sent: the number of the date, and the trip, of each.
        before: those of the same case that were kept earlier.
        reporter: whose they are.
        rules: the bounds.
    """
    known = list(before)
    seen, a_day = {trip for _, trip in known}, Counter(day for day, _ in known)
    today, oldest = utc_day(reporter.now), utc_day(reporter.now - rules.reaches_back_s)
    registered = reporter.registered_day
    kept: list[_Trip] = []
    refused: dict[int, VisitRefusal] = {}
    for place, (day, trip) in enumerate(sent):
        # A ticket has the date of where it is used, which is a day ahead or behind of UTC's.
        checks = {
            VisitRefusal.IN_FUTURE: day > today + 1,
            VisitRefusal.TOO_OLD: day < oldest,
            VisitRefusal.BEFORE_REGISTRATION: registered is not None and day < registered - 1,
            VisitRefusal.TWICE: trip in seen,
            VisitRefusal.TOO_MANY: a_day[day] >= rules.a_day,
        }
        why = next((why for why, is_so in checks.items() if is_so), None)
        if why is not None:
            refused[place] = why
            continue
        kept.append(trip)
        seen.add(trip)
        a_day[day] += 1
    return Believed(tuple(kept), refused)
