"""Packages of warnings: made once an hour, signed, with a fake beside each real visit.

A package never changes once it is out, so that everybody downloads the same bytes. It covers what
was released before the end of its hour: it doesn't show at which minute somebody decided.

A fake must look like a real visit, also beside others: places come up several times, in one
package or in several. So each real place has a twin, a place that nobody knows, which gets as many
sealed visits at the same times, in the same packages. The twin's id is a keyed digest of the real
one. Who knows neither place sees pairs, and can't tell which of a pair is real. Visits to one place
that overlap are published as one, so that nobody counts the cases there.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.presence.reported import (
    KeptPackage,
    ReportedVisit,
    WarningState,
)
from tracetogether.authority.presence.sealing import ReportSeals
from tracetogether.authority.presence.store import WarningStore
from tracetogether.crypto import SigningKey, hmac_sha256
from tracetogether.keyring import KeyRing
from tracetogether.parameters import VISIT_REPORTS, VISITS, VisitReportRules
from tracetogether.presence.packages import WarningPackage, hour_of, write_package
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.trips import TripDay, TripWarning, divided_trips, write_trips
from tracetogether.units import SECONDS_PER_HOUR, Entropy, utc_day

WARNINGS_KIND: Final = "warnings"
TRIPS_KIND: Final = "trips"
_SIGNING: Final = "warnings-signing"
_TWIN: Final = "warnings-twin"
_DIGEST_BYTES: Final = 32
_MOST_PERIOD: Final = VISITS.longest_s // VISITS.interval_s


def warning_key(keys: KeyRing) -> SigningKey:
    """Return the key that signs packages; it follows from the authority's own and never changes.

    Raises:
        KeyRingError: the ring has no own key.
    """
    return SigningKey.from_secret(keys.own_key(_SIGNING))


@dataclass(frozen=True, slots=True)
class Publishing:
    """Makes packages of warnings and lists of trips.

    Args:
        seals: opens visits and trips.
        organisation: the authority's code, which the packages name.
        store: keeps all of it.
        audit: records each package.
        entropy: source of IVs, and of fakes.
        whole_day_bytes: a day of trips that takes more is divided into 256 parts.
    """

    seals: ReportSeals
    organisation: str
    store: WarningStore
    audit: Audit
    entropy: Entropy = os.urandom
    rules: VisitReportRules = VISIT_REPORTS
    whole_day_bytes: int = VISITS.whole_day_bytes

    def publish(self, now: float) -> int:
        """Make the package of the last whole hour, and lists of trips; return how many were due.

        A second call within the hour makes nothing, in any process. Where there is nothing to
        warn of there is no package.
        """
        hour = hour_of(now) - 1
        begin = float((hour + 1) * SECONDS_PER_HOUR)
        presence = self.store.presence
        if not self._due(begin):  # asked each minute: no lock, nothing written
            return 0
        with self.audit.atomic():
            presence.lock()
            return self._warn(hour, begin, now) + self._list_trips(hour, begin, now)

    def _due(self, begin: float) -> bool:
        presence = self.store.presence
        return bool(
            presence.released_visits(begin)
            or presence.released_heard(begin)
            or self._changed_lists(begin)
        )

    # --- warnings ---

    def _warn(self, hour: int, begin: float, now: float) -> int:
        presence = self.store.presence
        rows, heard = presence.released_visits(begin), presence.released_heard(begin)
        if not rows and not heard:
            return 0
        opened = [(row, self.seals.open_visit(row)) for row in rows]
        oldest = begin - self.rules.reaches_back_s
        fresh = [visit for _, visit in opened if visit is not None and visit.end >= oldest]
        visits = tuple(sealed_with_twins(fresh, self.seals.keys, self.entropy))
        fakes = [self.entropy(_DIGEST_BYTES) for _ in heard]
        package = WarningPackage(
            hour=hour,
            visits=visits,
            heard=(*heard, *fakes),
            organisation=self.organisation,
            issued=int(begin),
        )
        if not self._keep(
            KeptPackage(WARNINGS_KIND, hour, hour, self._signed(package), len(visits))
        ):
            return 0
        for row, _ in opened:
            presence.change_visit(replace(row, state=WarningState.PUBLISHED, hour=hour))
        presence.publish_heard(begin, hour)
        self.audit.record(
            "warnings.published",
            now,
            by="clock",
            subject=str(hour),
            visits=len(visits),
            tempids=len(heard),
        )
        return 1

    def _signed(self, package: WarningPackage) -> bytes:
        key = warning_key(self.seals.keys)
        return write_package(package, key, key.public.kid)

    # --- trips ---

    def _list_trips(self, hour: int, begin: float, now: float) -> int:
        key, made = warning_key(self.seals.keys), 0
        for day, trips in self._changed_lists(begin).items():
            found = TripDay(day=day, trips=trips, organisation=self.organisation, issued=int(begin))
            parts = dict(divided_trips(found, self.whole_day_bytes))
            bodies = {at: write_trips(part, key, key.public.kid) for at, part in parts.items()}
            first = bodies.pop(None)  # names the parts if the day is divided
            if self._keep(KeptPackage(TRIPS_KIND, day, hour, first, len(trips))):
                for prefix, body in bodies.items():
                    entries = len(parts[prefix].trips)
                    self._keep(KeptPackage(trips_kind(prefix), day, hour, body, entries))
                made += 1
                self.audit.record(
                    "trips.published", now, by="clock", subject=str(day), trips=len(trips)
                )
        return made

    def _changed_lists(self, begin: float) -> dict[int, tuple[TripWarning, ...]]:
        """Return the dates whose lists are to be made again, each with all of its trips.

        A list is made again where it lacks a trip, or holds one whose case was deleted.
        """
        since = utc_day(begin - self.rules.kept_s)
        wanted: defaultdict[int, set[TripWarning]] = defaultdict(set)
        newest: defaultdict[int, float] = defaultdict(float)
        for row in self.store.presence.released_trips(since, begin):
            warning = self.seals.open_warning(row)
            if warning is not None:
                wanted[row.trip_day].add(warning)
                newest[row.trip_day] = max(newest[row.trip_day], row.released_at or 0.0)
        out = {line.number: line for line in self.store.presence.packages(TRIPS_KIND)}
        due = {
            day
            for day, trips in wanted.items()
            if day not in out
            or newest[day] >= (out[day].edition + 1) * SECONDS_PER_HOUR
            or out[day].entries != len(trips)
        }
        gone = {day for day, line in out.items() if day not in wanted and line.entries}
        return {
            day: tuple(sorted(wanted[day], key=lambda trip: (trip.place, trip.first_row)))
            for day in sorted(due | gone)
        }

    def _keep(self, package: KeptPackage) -> bool:
        return self.store.presence.add_package(package)


def trips_kind(prefix: int | None) -> str:
    """Return the kind of a list of trips: of a whole day, or of one part of a divided day."""
    return TRIPS_KIND if prefix is None else f"{TRIPS_KIND}/{prefix:02x}"


def sealed_with_twins(
    visits: Iterable[ReportedVisit], keys: KeyRing, entropy: Entropy
) -> Iterator[SealedVisit]:
    """Yield sealed visits, and those of the places' twins, which nobody can open.

    Args:
        visits: of all cases.
        keys: hold the key by which a place's twin is found.
        entropy: source of IVs.
    """
    twin_key = keys.own_key(_TWIN)
    for location_id, times in warned_times(visits).items():
        twin = hmac_sha256(twin_key, location_id)
        for time in times:
            yield SealedVisit.seal(location_id, time, entropy)
            yield SealedVisit.seal(twin, time, entropy)


def warned_times(visits: Iterable[ReportedVisit]) -> dict[bytes, list[WarnedTime]]:
    """Return what is warned of at each place: times that don't overlap, of a day at most each."""
    stays: defaultdict[bytes, list[WarnedTime]] = defaultdict(list)
    for visit in visits:
        time = WarnedTime.of_stay(visit.start, visit.end)
        if time is not None:
            stays[visit.location_id].append(time)
    return {location_id: list(_joined(times)) for location_id, times in stays.items()}


def _joined(times: Sequence[WarnedTime]) -> Iterator[WarnedTime]:
    """Yield times as one where they touch, in parts of a day: phones read no longer ones."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted((time.start, time.start + time.period) for time in times):
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    for first, last in spans:
        for start in range(first, last, _MOST_PERIOD):
            yield WarnedTime(start, min(_MOST_PERIOD, last - start))
