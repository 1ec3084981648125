"""Visits and trips of cases, and packages of warnings, in tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import (
    HEARD_AT_PLACES,
    PACKAGES,
    REGISTRATIONS,
    REPORTED_TRIPS,
    REPORTED_VISITS,
    USED_TOKENS,
)
from tracetogether.authority.presence.reported import (
    KeptPackage,
    KeptTrip,
    KeptVisit,
    PackageLine,
    WarningState,
)

_VISIT: Final = RowFormat(REPORTED_VISITS, KeptVisit, read={"state": WarningState})
_TRIP: Final = RowFormat(REPORTED_TRIPS, KeptTrip, read={"state": WarningState})
_PACKAGE: Final = RowFormat(PACKAGES, KeptPackage)
_VISITS_BY_ARRIVAL: Final = REPORTED_VISITS.select().order_by(
    REPORTED_VISITS.c.received_at_s, REPORTED_VISITS.c.visit_id
)
_TRIPS_BY_ARRIVAL: Final = REPORTED_TRIPS.select().order_by(
    REPORTED_TRIPS.c.received_at_s, REPORTED_TRIPS.c.trip_id
)
_WAITING: Final = WarningState.WAITING.value
_RELEASED: Final = WarningState.RELEASED.value


class PresenceTables(TableAccess):
    """``authority.presence.store.PresenceStore`` in SQL."""

    def lock(self) -> None:
        """Let nobody else change visits, trips or packages until the transaction ends."""
        with self._transactions.writing() as connection:
            self._database.lock_presence(connection)

    # --- registration ---

    def note_registration(self, user_id: str, day: int) -> None:
        """Store the UTC day on which a user registered; an earlier note stays."""
        self._added(REGISTRATIONS, {"user_id": user_id, "day": day})

    def registered_on(self, user_id: str) -> int | None:
        """Return the UTC day on which a user registered; None if it was not noted."""
        row = self._first(REGISTRATIONS.select().where(REGISTRATIONS.c.user_id == user_id))
        return None if row is None else int(row["day"])

    # --- visits of cases ---

    def use_token(self, token_id: str, at: float) -> bool:
        """Note that visits came with an upload token; return False if some did before."""
        return self._added(USED_TOKENS, {"token_id": f"visits/{token_id}", "used_at_s": at})

    def add_visits(self, visits: Sequence[KeptVisit]) -> None:
        """Store new visits."""
        self._insert(REPORTED_VISITS, [_VISIT.values(visit) for visit in visits])

    def change_visit(self, visit: KeptVisit) -> bool:
        """Store a changed visit; return False if it is gone with its case."""
        which = REPORTED_VISITS.c.visit_id == visit.visit_id
        change = REPORTED_VISITS.update().where(which).values(**_VISIT.values(visit))
        return self._decided(change, visit.visit_id, visit.state)

    def visit(self, visit_id: str) -> KeptVisit | None:
        """Return a visit, or None."""
        found = self._visits(REPORTED_VISITS.c.visit_id == visit_id)
        return found[0] if found else None

    def visits_of(self, case_id: str) -> Sequence[KeptVisit]:
        """Return a case's visits by arrival."""
        return self._visits(REPORTED_VISITS.c.case_id == case_id)

    def visits_at(self, tags: Collection[bytes]) -> Sequence[KeptVisit]:
        """Return the visits that have one of these tags, by arrival."""
        rows = self._all_in(_VISITS_BY_ARRIVAL, REPORTED_VISITS.c.place_tag, list(tags))
        found = [_VISIT.item(row) for row in rows]
        return sorted(found, key=lambda visit: (visit.received_at, visit.visit_id))

    def waiting_visits(self) -> Sequence[KeptVisit]:
        """Return the visits that wait for a tracer, by arrival."""
        return self._visits(REPORTED_VISITS.c.state == _WAITING)

    def released_visits(self, before: float) -> Sequence[KeptVisit]:
        """Return the visits that were released before that time and are in no package yet."""
        released = REPORTED_VISITS.c.state == _RELEASED
        return self._visits(sa.and_(released, REPORTED_VISITS.c.released_at_s < before))

    def drop_visits(self, before_day: int) -> int:
        """Delete visits that arrived before that UTC day; return how many."""
        return self._drop(REPORTED_VISITS, REPORTED_VISITS.c.day < before_day)

    # --- TempIDs that warned places showed ---

    def add_heard(self, digests: Collection[bytes], at: float) -> int:
        """Store digests that the next package gets; return how many were new."""
        new = {"released_at_s": at, "hour": None}
        with self._transactions.writing():
            return sum(
                self._added(HEARD_AT_PLACES, {"digest": digest, **new})
                for digest in sorted(set(digests))
            )

    def released_heard(self, before: float) -> Sequence[bytes]:
        """Return the digests that came before that time and are in no package yet."""
        wanted = sa.select(HEARD_AT_PLACES.c.digest).where(_not_out(before))
        found = self._all(wanted.order_by(HEARD_AT_PLACES.c.digest))
        return [bytes(row["digest"]) for row in found]

    def publish_heard(self, before: float, hour: int) -> None:
        """Note that the package of ``hour`` has what came before that time."""
        with self._transactions.writing() as connection:
            connection.execute(HEARD_AT_PLACES.update().where(_not_out(before)).values(hour=hour))

    def drop_heard(self, before: float) -> int:
        """Delete digests that came before that time; return how many."""
        return self._drop(HEARD_AT_PLACES, HEARD_AT_PLACES.c.released_at_s < before)

    # --- trips of cases ---

    def add_trips(self, trips: Sequence[KeptTrip]) -> None:
        """Store new trips."""
        self._insert(REPORTED_TRIPS, [_TRIP.values(trip) for trip in trips])

    def change_trip(self, trip: KeptTrip) -> bool:
        """Store a changed trip; return False if it is gone with its case."""
        which = REPORTED_TRIPS.c.trip_id == trip.trip_id
        change = REPORTED_TRIPS.update().where(which).values(**_TRIP.values(trip))
        return self._decided(change, trip.trip_id, trip.state)

    def trip(self, trip_id: str) -> KeptTrip | None:
        """Return a trip, or None."""
        found = self._trips(REPORTED_TRIPS.c.trip_id == trip_id)
        return found[0] if found else None

    def trips_of(self, case_id: str) -> Sequence[KeptTrip]:
        """Return a case's trips by arrival."""
        return self._trips(REPORTED_TRIPS.c.case_id == case_id)

    def waiting_trips(self) -> Sequence[KeptTrip]:
        """Return the trips that wait for a tracer, by arrival."""
        return self._trips(REPORTED_TRIPS.c.state == _WAITING)

    def released_trips(self, since_day: int, before: float) -> Sequence[KeptTrip]:
        """Return the trips of these dates that were released before that time, by date."""
        row = REPORTED_TRIPS.c
        found = self._trips(
            sa.and_(row.state == _RELEASED, row.trip_day >= since_day, row.released_at_s < before)
        )
        return sorted(found, key=lambda trip: (trip.trip_day, trip.trip_id))

    def drop_trips(self, before_day: int) -> int:
        """Delete trips that arrived before that UTC day; return how many."""
        return self._drop(REPORTED_TRIPS, REPORTED_TRIPS.c.day < before_day)

    # --- packages ---

    def add_package(self, package: KeptPackage) -> bool:
        """Store a package; return False if there is one of this kind, number and edition."""
        return self._added(PACKAGES, _PACKAGE.values(package))

    def packages(self, kind: str) -> Sequence[PackageLine]:
        """Return the newest edition of each package of a kind, by number."""
        row = PACKAGES.c
        wanted = (
            sa.select(
                row.number, row.edition, sa.func.length(row.body).label("length"), row.entries
            )
            .where(row.kind == kind)
            .order_by(row.number, row.edition)
        )
        newest = {found["number"]: PackageLine(**found) for found in self._all(wanted)}
        return list(newest.values())

    def package(self, kind: str, number: int, edition: int) -> bytes | None:
        """Return a package's message, or None."""
        row = PACKAGES.c
        which = (row.kind == kind, row.number == number, row.edition == edition)
        found = self._first(sa.select(row.body).where(*which))
        return None if found is None else bytes(found["body"])

    def drop_packages(self, kind: str, before: int, edition: int) -> int:
        """Delete packages with numbers below ``before``, and editions below ``edition``."""
        row, newer = PACKAGES.c, PACKAGES.alias()
        same = sa.and_(newer.c.kind == row.kind, newer.c.number == row.number)
        replaced = sa.exists().where(same, newer.c.edition > row.edition)
        old = sa.or_(row.number < before, sa.and_(row.edition < edition, replaced))
        of_kind = sa.or_(row.kind == kind, row.kind.startswith(f"{kind}/"))
        return self._drop(PACKAGES, sa.and_(of_kind, old))

    def warning_counts(self) -> Mapping[str, int]:
        """Return how many visits wait, are released, are published and are refused."""
        row = REPORTED_VISITS.c
        wanted = sa.select(row.state, sa.func.count().label("visits")).group_by(row.state)
        found = {line["state"]: int(line["visits"]) for line in self._all(wanted)}
        return {state.value: found.get(state.value, 0) for state in WarningState}

    def kept_back(self) -> Sequence[str]:
        """Return the ids of the visits and trips that tracers keep back, sorted."""
        refused, visit, trip = WarningState.REFUSED.value, REPORTED_VISITS.c, REPORTED_TRIPS.c
        both = sa.union_all(
            sa.select(visit.visit_id.label("id")).where(visit.state == refused),
            sa.select(trip.trip_id.label("id")).where(trip.state == refused),
        )
        with self._transactions.reading() as connection:
            return sorted(connection.execute(both).scalars())

    # --- parts of the above ---

    def _decided(self, change: sa.Update, reported: str, state: WarningState) -> bool:
        with self._transactions.writing():
            changed = self._changed(change)
            if changed and state is WarningState.REFUSED:
                self._transactions.revoked("kept-back", reported)
        return changed

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self._transactions.writing() as connection:
                connection.execute(table.insert(), rows)

    def _visits(self, which: sa.ColumnElement[bool]) -> list[KeptVisit]:
        return [_VISIT.item(row) for row in self._all(_VISITS_BY_ARRIVAL.where(which))]

    def _trips(self, which: sa.ColumnElement[bool]) -> list[KeptTrip]:
        return [_TRIP.item(row) for row in self._all(_TRIPS_BY_ARRIVAL.where(which))]


def _not_out(before: float) -> sa.ColumnElement[bool]:
    row = HEARD_AT_PLACES.c
    return sa.and_(row.hour.is_(None), row.released_at_s < before)
