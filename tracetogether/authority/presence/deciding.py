"""What tracers see of the places, visits and trips of a case, and which warnings they let out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import LONGEST_REASON, Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.merged_cases import case_of_person, with_merged
from tracetogether.authority.presence.reported import (
    KeptTrip,
    KeptVisit,
    ReportedVisit,
    WarningState,
)
from tracetogether.authority.presence.sealing import ReportSeals
from tracetogether.authority.presence.store import WarningStore
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.parameters import VISIT_REPORTS, VisitReportRules
from tracetogether.plain_text import hidden_in
from tracetogether.presence.seats import published_band
from tracetogether.presence.trips import MOST_ROW, Trip
from tracetogether.units import SECONDS_PER_DAY

_UNDECIDED: Final = frozenset({WarningState.WAITING, WarningState.RELEASED})


@dataclass(frozen=True, slots=True)
class ShownVisit:
    """A visit as operators see it.

    Attributes:
        kept: the row.
        case_id: whose visit it is now, also if the case that reported it was merged.
        visit: place and time; None once the keys of its day are destroyed.
    """

    kept: KeptVisit
    case_id: str
    visit: ReportedVisit | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShownTrip:
    """A trip as operators see it.

    Attributes:
        kept: the row.
        case_id: whose trip it is now, also if the case that reported it was merged.
        trip: carrier, service, date and car; None once the keys of its day are destroyed.
        first_row, last_row: the band of rows that is published; 0 and 0 if none is.
    """

    kept: KeptTrip
    case_id: str
    trip: Trip | None = field(repr=False)
    first_row: int = 0
    last_row: int = 0


@dataclass(frozen=True, slots=True)
class SeatRow:
    """In which row a case sat. It is not kept: only a band of rows with 20 people or more is.

    Attributes:
        row: the case's, from 1.
        rows: how many rows the car or the aircraft has.
    """

    row: int = field(repr=False)
    rows: int


@dataclass(frozen=True, slots=True)
class CasePlaces:
    """Where a case was: visits by their beginning, trips by their date.

    ``cases`` are the case, and those that were merged into it.
    """

    case: Case
    cases: tuple[Case, ...]
    visits: tuple[ShownVisit, ...]
    trips: tuple[ShownTrip, ...]


@dataclass(frozen=True, slots=True)
class Warnings:
    """What operators do with reported visits and trips.

    A method raises AccessDeniedError if the roles of ``by`` don't allow the action, and
    NotFoundError for a visit or trip of a case that ``by`` does not need to know. A decision needs
    a person, and a reason, which the audit log keeps.
    """

    seals: ReportSeals
    casework: Casework
    store: WarningStore
    audit: Audit
    rules: VisitReportRules = VISIT_REPORTS

    def of_case(self, case_id: str, *, by: Caller) -> CasePlaces:
        """Return the visits and trips of a case, and of those that were merged into it.

        A merged case has none left: they are those of the case that stays.
        """
        by.require(Action.LIST_VISITS)
        case = self.casework.case(case_id, by=by)
        presence, visits, trips = self.store.presence, list[ShownVisit](), list[ShownTrip]()
        cases = tuple(with_merged(self.store, case))
        for each in cases:
            visits += map(self._shown, presence.visits_of(each.case_id))
            trips += map(self._shown_trip, presence.trips_of(each.case_id))
        return CasePlaces(
            case, cases, tuple(sorted(visits, key=_begin_of)), tuple(sorted(trips, key=_date_of))
        )

    def waiting(self, *, by: Caller) -> tuple[Sequence[ShownVisit], Sequence[ShownTrip]]:
        """Return what waits for a decision in cases that ``by`` may see, the oldest first."""
        by.require(Action.LIST_VISITS)
        presence = self.store.presence
        visits = [row for row in presence.waiting_visits() if self._may_see(row.case_id, by)]
        trips = [row for row in presence.waiting_trips() if self._may_see(row.case_id, by)]
        return list(map(self._shown, visits)), list(map(self._shown_trip, trips))

    def visit(self, visit_id: str, *, by: Caller) -> ShownVisit:
        """Return a visit, to ask before something is decided on it."""
        by.require(Action.LIST_VISITS)
        return self._shown(self._kept_visit(visit_id, by))

    def trip(self, trip_id: str, *, by: Caller) -> ShownTrip:
        """Return a trip, to ask before something is decided on it."""
        by.require(Action.LIST_VISITS)
        return self._shown_trip(self._kept_trip(trip_id, by))

    def confirm(self, visit_id: str, reason: str, now: float, *, by: Caller) -> ShownVisit:
        """Let out the warning of a visit that one case alone reported: the next package has it.

        Raises:
            InvalidRequestError: the reason is empty, too long or no plain text.
            ConflictError: the warning is out or kept back already.
        """
        return self._decide(visit_id, WarningState.RELEASED, reason, now, by)

    def refuse(self, visit_id: str, reason: str, now: float, *, by: Caller) -> ShownVisit:
        """Keep back the warning of a visit; it vouches for no other case either.

        Raises: as ``confirm``.
        """
        return self._decide(visit_id, WarningState.REFUSED, reason, now, by)

    def state_aboard(
        self,
        trip_id: str,
        aboard: int,
        reason: str,
        now: float,
        *,
        seat: SeatRow | None = None,
        by: Caller,
    ) -> ShownTrip:
        """Publish a trip of a case, if enough people were aboard.

        Args:
            trip_id: the trip.
            aboard: how many people were in the car, or the aircraft.
            reason: where the number comes from, such as "by the carrier's list".
            now: epoch seconds.
            seat: where the case sat: the list gets a band of rows in which at least 20 people sat,
                if all sat evenly. Without it, or with too few aboard, it gets no rows.
            by: the caller.

        Raises:
            InvalidRequestError: too few were aboard, or the number is impossible; there is no such
                row; or the reason is empty, too long or no plain text.
            ConflictError: the trip is on its list, or kept back, already.
        """
        by.require(Action.DECIDE_WARNING)
        band = self.band_of(aboard, seat)
        return self._decide_trip(trip_id, aboard, reason, now, by, band)

    def band_of(self, aboard: int, seat: SeatRow | None) -> tuple[int, int]:
        """Return the first and last row that would be published; 0 and 0 if none would be.

        Raises:
            InvalidRequestError: there is no such row, or as for ``check_aboard``.
        """
        self.check_aboard(aboard)
        if seat is None:
            return 0, 0
        if not 1 <= seat.row <= seat.rows <= MOST_ROW:
            msg = "give the row of the seat and the number of rows: 1 to {most}, and no row behind"
            raise InvalidRequestError(msg, "seat-rows", most=MOST_ROW)
        return published_band(seat.row, seat.rows, aboard)

    def check_aboard(self, aboard: int) -> None:
        """Return if a trip with this number of people aboard can be published.

        Raises:
            InvalidRequestError: it can't.
        """
        if not 1 <= aboard <= self.rules.most_aboard:
            msg = "the number of people aboard is 1 to {most}"
            raise InvalidRequestError(msg, "aboard-number", most=self.rules.most_aboard)
        if aboard < self.rules.least_aboard:
            msg = "with {aboard} aboard people could be named: at least {least} are needed"
            least = self.rules.least_aboard
            raise InvalidRequestError(msg, "aboard-few", aboard=aboard, least=least)

    def refuse_trip(self, trip_id: str, reason: str, now: float, *, by: Caller) -> ShownTrip:
        """Keep a trip back.

        Raises: as ``confirm``.
        """
        return self._decide_trip(trip_id, None, reason, now, by)

    def warn_place(
        self,
        place: str,
        since: float,
        until: float,
        now: float,
        *,
        heard: Collection[bytes],
        reason: str,
        by: Caller,
    ) -> int:
        """Warn everybody whose phone heard a registered place: the next package has the digests.

        Args:
            place: id of the place, for the audit log.
            since: beginning of the time concerned, epoch seconds.
            until: its end.
            now: epoch seconds.
            heard: SHA-256 of the TempIDs that the place showed then, 32 bytes each.
            reason: why; it is recorded.
            by: the caller.

        Returns:
            How many of the digests were not warned of before.

        Raises:
            InvalidRequestError: the time lies in the future, or is over for 14 days; or the reason
                is empty, too long or no plain text.
            ConflictError: the place showed no TempIDs then, or all are warned of already.
        """
        by.require(Action.WARN_PLACE)
        by.require_person()
        self.check_place(since, until, now, heard=heard, reason=reason)
        why = reason_of(reason)
        with self.audit.atomic():
            self.store.presence.lock()
            new = self.store.presence.add_heard(heard, now)
            if not new:
                raise _nothing_to_warn()
            self.audit.record(
                "place.warned", now, by=by.name, subject=place, tempids=new, reason=why
            )
        return new

    def check_place(
        self, since: float, until: float, now: float, *, heard: Collection[bytes], reason: str
    ) -> None:
        """Return if a place can be warned of like this, to ask before it is done.

        Raises: as ``warn_place``, but it doesn't look whether all are warned of already.
        """
        reason_of(reason)
        if not now - self.rules.reaches_back_s <= since < until <= now + self.rules.ahead_s:
            msg = "a place is warned of for a time within the last {days} days"
            days = self.rules.reaches_back_s // SECONDS_PER_DAY
            raise InvalidRequestError(msg, "warned-time", days=days)
        if not heard:
            raise _nothing_to_warn()

    # --- parts of the above ---

    def _decide(
        self, visit_id: str, state: WarningState, reason: str, now: float, by: Caller
    ) -> ShownVisit:
        by.require(Action.DECIDE_WARNING)
        by.require_person()
        why = reason_of(reason)
        with self.audit.atomic():
            self.store.presence.lock()
            row = self._kept_visit(visit_id, by)
            _check_undecided(row.state, state)
            row = replace(
                row,
                state=state,
                released_at=now if state is WarningState.RELEASED else None,
                decided_by=by.name,
                reason=why,
            )
            self.store.presence.change_visit(row)
            act = "warning.confirmed" if state is WarningState.RELEASED else "warning.refused"
            self.audit.record(
                act,
                now,
                by=by.name,
                subject=self._case_of(row.case_id),
                visit=row.visit_id,
                reason=why,
            )
        return self._shown(row)

    def _decide_trip(
        self,
        trip_id: str,
        aboard: int | None,
        reason: str,
        now: float,
        by: Caller,
        band: tuple[int, int] = (0, 0),
    ) -> ShownTrip:
        by.require(Action.DECIDE_WARNING)
        by.require_person()
        why = reason_of(reason)
        state = WarningState.REFUSED if aboard is None else WarningState.RELEASED
        with self.audit.atomic():
            self.store.presence.lock()
            row = self._kept_trip(trip_id, by)
            if row.state is not WarningState.WAITING:
                raise ConflictError("the trip is decided on already", "warning-decided")
            row = replace(
                self.seals.with_band(row, band) if any(band) else row,
                state=state,
                released_at=None if aboard is None else now,
                aboard=aboard,
                decided_by=by.name,
                reason=why,
            )
            self.store.presence.change_trip(row)
            act = "trip.refused" if aboard is None else "trip.confirmed"
            self.audit.record(
                act,
                now,
                by=by.name,
                subject=self._case_of(row.case_id),
                trip=row.trip_id,
                reason=why,
                aboard=aboard or 0,
                rows=band[1] - band[0] + 1 if any(band) else 0,
            )
        return self._shown_trip(row)

    def _kept_visit(self, visit_id: str, by: Caller) -> KeptVisit:
        row = self.store.presence.visit(visit_id) if visit_id.isascii() else None
        if row is None or not self._may_see(row.case_id, by):
            raise _no_such("visit")
        return row

    def _kept_trip(self, trip_id: str, by: Caller) -> KeptTrip:
        row = self.store.presence.trip(trip_id) if trip_id.isascii() else None
        if row is None or not self._may_see(row.case_id, by):
            raise _no_such("trip")
        return row

    def _may_see(self, case_id: str, by: Caller) -> bool:
        case = case_of_person(self.store, case_id)
        return case is not None and by.needs_to_know(case.assigned_to)

    def _shown(self, row: KeptVisit) -> ShownVisit:
        return ShownVisit(row, self._case_of(row.case_id), self.seals.open_visit(row))

    def _shown_trip(self, row: KeptTrip) -> ShownTrip:
        found = self.seals.open_warning(row)
        rows = (0, 0) if found is None else (found.first_row, found.last_row)
        return ShownTrip(row, self._case_of(row.case_id), self.seals.open_trip(row), *rows)

    def _case_of(self, case_id: str) -> str:
        case = case_of_person(self.store, case_id)
        return case_id if case is None else case.case_id


def reason_of(text: str) -> str:
    """Return a reason as the audit log keeps it.

    Raises:
        InvalidRequestError: it is empty, too long or no plain text.
    """
    given = text.strip()
    if not given or len(given) > LONGEST_REASON or hidden_in(given):
        msg = "give a reason of 1 to {count} characters, in one line of plain text"
        raise InvalidRequestError(msg, "reason-needed", count=LONGEST_REASON)
    return given


def _check_undecided(now: WarningState, wanted: WarningState) -> None:
    """Return if a visit in the state ``now`` may get another one.

    A visit that two cases vouch for can still be kept back until its package is made.

    Raises:
        ConflictError: somebody decided already, or the warning is out.
    """
    if now is WarningState.PUBLISHED:
        raise ConflictError("the warning is out: a package never changes", "warning-out")
    if now not in _UNDECIDED or now is wanted:
        raise ConflictError("somebody decided on this warning already", "warning-decided")


def _nothing_to_warn() -> ConflictError:
    msg = "nothing new to warn of: the place was silent then, or the warning is out"
    return ConflictError(msg, "nothing-to-warn")


def _no_such(what: str) -> NotFoundError:
    msg = "there is no such {what}, or its case is not yours: `authority warnings list` shows all"
    return NotFoundError(msg, "no-such-report", what=what)


def _begin_of(shown: ShownVisit) -> float:
    return shown.kept.received_at if shown.visit is None else shown.visit.start


def _date_of(shown: ShownTrip) -> tuple[int, str]:
    return shown.kept.trip_day, shown.kept.trip_id
