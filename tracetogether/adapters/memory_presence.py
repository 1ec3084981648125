"""Visits, trips and packages of an authority in memory: for short runs that keep nothing."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeVar

from tracetogether.authority.presence.reported import (
    KeptPackage,
    KeptTrip,
    KeptVisit,
    PackageLine,
    WarningState,
)

_Key = TypeVar("_Key")
_Row = TypeVar("_Row")
_KEY: Final = itemgetter(0)


@dataclass(slots=True)
class MemoryPresence:
    """``authority.presence.store.PresenceStore`` in dictionaries; for one thread.

    ``forget_case`` and ``forget_user`` do what foreign keys do in a database.
    """

    _registered: dict[str, int] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)
    _visits: dict[str, KeptVisit] = field(default_factory=dict)
    _trips: dict[str, KeptTrip] = field(default_factory=dict)
    _heard: dict[bytes, tuple[float, int | None]] = field(default_factory=dict)
    _packages: dict[tuple[str, int, int], KeptPackage] = field(default_factory=dict)

    def lock(self) -> None:
        """Do nothing: one thread uses the store."""

    def forget_case(self, case_id: str) -> None:
        """Delete the visits and trips of a case that is gone."""
        _drop(self._visits, lambda visit: visit.case_id == case_id)
        _drop(self._trips, lambda trip: trip.case_id == case_id)

    def forget_user(self, user_id: str) -> None:
        """Delete the note of a user who is gone."""
        self._registered.pop(user_id, None)

    # --- registration ---

    def note_registration(self, user_id: str, day: int) -> None:
        """Store the UTC day on which a user registered; an earlier note stays."""
        self._registered.setdefault(user_id, day)

    def registered_on(self, user_id: str) -> int | None:
        """Return the UTC day on which a user registered; None if it was not noted."""
        return self._registered.get(user_id)

    # --- visits of cases ---

    def use_token(self, token_id: str, at: float) -> bool:  # noqa: ARG002 - kept for one run
        """Note that visits came with an upload token; return False if some did before."""
        new = token_id not in self._tokens
        self._tokens.add(token_id)
        return new

    def add_visits(self, visits: Sequence[KeptVisit]) -> None:
        """Store new visits."""
        self._visits.update((visit.visit_id, visit) for visit in visits)

    def change_visit(self, visit: KeptVisit) -> bool:
        """Store a changed visit; return False if it is gone with its case."""
        return _changed(self._visits, visit.visit_id, visit)

    def visit(self, visit_id: str) -> KeptVisit | None:
        """Return a visit, or None."""
        return self._visits.get(visit_id)

    def visits_of(self, case_id: str) -> Sequence[KeptVisit]:
        """Return a case's visits by arrival."""
        return self._by_arrival(lambda visit: visit.case_id == case_id)

    def visits_at(self, tags: Collection[bytes]) -> Sequence[KeptVisit]:
        """Return the visits that have one of these tags, by arrival."""
        return self._by_arrival(lambda visit: visit.place_tag in tags)

    def waiting_visits(self) -> Sequence[KeptVisit]:
        """Return the visits that wait for a tracer, by arrival."""
        return self._by_arrival(lambda visit: visit.state is WarningState.WAITING)

    def released_visits(self, before: float) -> Sequence[KeptVisit]:
        """Return the visits that were released before that time and are in no package yet."""
        return self._by_arrival(
            lambda visit: (
                visit.state is WarningState.RELEASED and _earlier(visit.released_at, before)
            )
        )

    def drop_visits(self, before_day: int) -> int:
        """Delete visits that arrived before that UTC day; return how many."""
        return _drop(self._visits, lambda visit: visit.day < before_day)

    # --- TempIDs that warned places showed ---

    def add_heard(self, digests: Collection[bytes], at: float) -> int:
        """Store digests that the next package gets; return how many were new."""
        new = set(digests) - self._heard.keys()
        self._heard.update((digest, (at, None)) for digest in new)
        return len(new)

    def released_heard(self, before: float) -> Sequence[bytes]:
        """Return the digests that came before that time and are in no package yet."""
        return sorted(
            digest for digest, (at, hour) in self._heard.items() if hour is None and at < before
        )

    def publish_heard(self, before: float, hour: int) -> None:
        """Note that the package of ``hour`` has what came before that time."""
        for digest in self.released_heard(before):
            self._heard[digest] = (self._heard[digest][0], hour)

    def drop_heard(self, before: float) -> int:
        """Delete digests that came before that time; return how many."""
        return _drop(self._heard, lambda kept: kept[0] < before)

    # --- trips of cases ---

    def add_trips(self, trips: Sequence[KeptTrip]) -> None:
        """Store new trips."""
        self._trips.update((trip.trip_id, trip) for trip in trips)

    def change_trip(self, trip: KeptTrip) -> bool:
        """Store a changed trip; return False if it is gone with its case."""
        return _changed(self._trips, trip.trip_id, trip)

    def trip(self, trip_id: str) -> KeptTrip | None:
        """Return a trip, or None."""
        return self._trips.get(trip_id)

    def trips_of(self, case_id: str) -> Sequence[KeptTrip]:
        """Return a case's trips by arrival."""
        return _arrived(trip for trip in self._trips.values() if trip.case_id == case_id)

    def waiting_trips(self) -> Sequence[KeptTrip]:
        """Return the trips that wait for a tracer, by arrival."""
        waiting = WarningState.WAITING
        return _arrived(trip for trip in self._trips.values() if trip.state is waiting)

    def released_trips(self, since_day: int, before: float) -> Sequence[KeptTrip]:
        """Return the trips of these dates that were released before that time, by date."""
        found = [
            trip
            for trip in self._trips.values()
            if trip.state is WarningState.RELEASED
            and trip.trip_day >= since_day
            and _earlier(trip.released_at, before)
        ]
        return sorted(found, key=lambda trip: (trip.trip_day, trip.trip_id))

    def drop_trips(self, before_day: int) -> int:
        """Delete trips that arrived before that UTC day; return how many."""
        return _drop(self._trips, lambda trip: trip.day < before_day)

    # --- packages ---

    def add_package(self, package: KeptPackage) -> bool:
        """Store a package; return False if there is one of this kind, number and edition."""
        key = (package.kind, package.number, package.edition)
        new = key not in self._packages
        self._packages.setdefault(key, package)
        return new

    def packages(self, kind: str) -> Sequence[PackageLine]:
        """Return the newest edition of each package of a kind, by number."""
        newest = {
            number: PackageLine(number, edition, len(package.body), package.entries)
            for (found, number, edition), package in sorted(self._packages.items(), key=_KEY)
            if found == kind
        }
        return list(newest.values())

    def package(self, kind: str, number: int, edition: int) -> bytes | None:
        """Return a package's message, or None."""
        found = self._packages.get((kind, number, edition))
        return None if found is None else found.body

    def drop_packages(self, kind: str, before: int, edition: int) -> int:
        """Delete packages with numbers below ``before``, and editions below ``edition``."""
        newest: dict[tuple[str, int], int] = {}
        for found, number, made in sorted(self._packages):
            newest[found, number] = made
        old = [
            key
            for key in self._packages
            if key[0].partition("/")[0] == kind
            and (key[1] < before or key[2] < min(edition, newest[key[:2]]))
        ]
        for key in old:
            del self._packages[key]
        return len(old)

    def warning_counts(self) -> Mapping[str, int]:
        """Return how many visits wait, are released, are published and are refused."""
        states = [visit.state for visit in self._visits.values()]
        return {state.value: states.count(state) for state in WarningState}

    def kept_back(self) -> Sequence[str]:
        """Return the ids of the visits and trips that tracers keep back, sorted."""
        refused = WarningState.REFUSED
        visits = [name for name, visit in self._visits.items() if visit.state is refused]
        return sorted(
            visits + [name for name, trip in self._trips.items() if trip.state is refused]
        )

    def _by_arrival(self, wanted: Callable[[KeptVisit], bool]) -> list[KeptVisit]:
        return sorted(
            filter(wanted, self._visits.values()),
            key=lambda visit: (visit.received_at, visit.visit_id),
        )


def _arrived(trips: Iterable[KeptTrip]) -> list[KeptTrip]:
    return sorted(trips, key=lambda trip: (trip.received_at, trip.trip_id))


def _earlier(time: float | None, before: float) -> bool:
    return time is not None and time < before


def _changed(rows: dict[str, _Row], key: str, row: _Row) -> bool:
    if key not in rows:
        return False
    rows[key] = row
    return True


def _drop(rows: dict[_Key, _Row], wanted: Callable[[_Row], bool]) -> int:
    gone = [key for key, row in rows.items() if wanted(row)]
    for key in gone:
        del rows[key]
    return len(gone)
