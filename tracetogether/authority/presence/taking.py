"""How visits and trips of a case come in: with the upload token of its log, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import Limits
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.merged_cases import case_of_person, with_merged
from tracetogether.authority.intake.uploads import CHAFF_CASE
from tracetogether.authority.presence.plausibility import (
    Reporter,
    believed_trips,
    believed_visits,
)
from tracetogether.authority.presence.reported import (
    KeptVisit,
    ReportedVisit,
    VisitRefusal,
    WarningState,
)
from tracetogether.authority.presence.sealing import ReportSeals
from tracetogether.authority.presence.store import WarningStore
from tracetogether.bluetrace.upload_token import UploadToken, UploadTokens
from tracetogether.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    UnreadableMessageError,
)
from tracetogether.parameters import (
    RETENTION,
    UPLOAD_TOKEN_LIFETIME_S,
    VISIT_REPORTS,
    VisitReportRules,
)
from tracetogether.presence.posters import read_poster
from tracetogether.presence.trips import Trip
from tracetogether.units import SECONDS_PER_DAY, utc_day

_PRETENDED: Final = "visits-pretended"
_VOUCHES: Final = frozenset({WarningState.WAITING, WarningState.RELEASED, WarningState.PUBLISHED})


@dataclass(frozen=True, slots=True)
class SentVisit:
    """A visit as a phone sends it.

    Attributes:
        poster: text of the poster's code.
        start, end: epoch seconds.
    """

    poster: str = field(repr=False)
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SentTrip:
    """A trip as a phone sends it, without a seat: see ``presence.trips.Trip.of``."""

    service: str = field(repr=False)
    date: str
    car: str = field(default="", repr=False)
    carrier: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class VisitsReceipt:
    """What became of a message.

    Attributes:
        visits, trips: how many were kept.
        refused_visits, refused_trips: the place in the message of each other one -> why.
    """

    visits: int
    trips: int
    refused_visits: Mapping[int, VisitRefusal]
    refused_trips: Mapping[int, VisitRefusal]


@dataclass(frozen=True, slots=True)
class VisitIntake:
    """Takes in what a phone reports of visits and trips.

    Visits of a place that two people report, at most a day apart, are released for the next
    package. All others wait for a tracer.
    """

    seals: ReportSeals
    tokens: UploadTokens
    store: WarningStore
    audit: Audit
    limits: Limits
    rules: VisitReportRules = VISIT_REPORTS

    def take(
        self,
        token: str,
        visits: Sequence[SentVisit],
        trips: Sequence[SentTrip],
        now: float,
    ) -> VisitsReceipt:
        """Take in the visits and trips that a person chose, once for each token.

        Args:
            token: the upload token of the case's log, from ``Intake.redeem_pin``.
            visits: in any order.
            trips: in any order.
            now: epoch seconds.

        Raises:
            InvalidUploadError: the token is not good.
            InvalidRequestError: there are too many of them.
            NotFoundError: the case was deleted meanwhile.
            ConflictError: visits came with this token before; there is nothing left to do.
        """
        leave = self.tokens.open(token, now)
        if max(len(visits), len(trips)) > self.rules.most_sent:
            msg = "at most {most} visits, and at most {most} trips, come in one message"
            raise InvalidRequestError(msg, "visits-too-many", most=self.rules.most_sent)
        if leave.case_id == CHAFF_CASE:
            return self._pretend(leave, visits, trips, now)
        case = self.store.case(leave.case_id)
        if case is None:
            msg = "the case was closed meanwhile: ask the health authority"
            raise NotFoundError(msg, "case-closed-meanwhile")
        with self.audit.atomic():
            self.store.presence.lock()
            if not self.store.presence.use_token(leave.token_id, now):
                raise _received()
            receipt, new_visits, new_trips = self._believed(leave, visits, trips, now)
            rows = [self.seals.seal_visit(visit, case.case_id, now) for visit in new_visits]
            self.store.presence.add_visits(rows)
            self.store.presence.add_trips(
                [self.seals.seal_trip(trip, case.case_id, now) for trip in new_trips]
            )
            vouched = sum(
                self._vouch(row, visit, case, now)
                for row, visit in zip(rows, new_visits, strict=True)
            )
            self.audit.record(
                "visits.taken",
                now,
                by="phone",
                subject=case.case_id,
                visits=receipt.visits,
                trips=receipt.trips,
                refused=len(receipt.refused_visits) + len(receipt.refused_trips),
                vouched=vouched,
            )
        return receipt

    def _believed(
        self,
        leave: UploadToken,
        visits: Sequence[SentVisit],
        trips: Sequence[SentTrip],
        now: float,
    ) -> tuple[VisitsReceipt, Sequence[ReportedVisit], Sequence[Trip]]:
        presence, case_id = self.store.presence, leave.case_id
        reporter = Reporter(now, presence.registered_on(leave.user_id))
        case = case_of_person(self.store, case_id)
        own = [] if case is None else [each.case_id for each in with_merged(self.store, case)]
        read, bad_posters = _read_visits(visits)
        told, bad_trips = _read_trips(trips)
        places, dates = list(read), list(told)
        kept_visits = believed_visits(
            list(read.values()),
            [
                visit
                for each in own
                for visit in map(self.seals.open_visit, presence.visits_of(each))
                if visit is not None
            ],
            reporter,
            self.rules,
        )
        kept_trips = believed_trips(
            [(trip.day, trip) for trip in told.values()],
            [
                (trip.day, trip)
                for each in own
                for trip in filter(None, map(self.seals.open_trip, presence.trips_of(each)))
            ],
            reporter,
            self.rules,
        )
        refused_visits = {places[n]: why for n, why in kept_visits.refused.items()} | bad_posters
        refused_trips = {dates[n]: why for n, why in kept_trips.refused.items()} | bad_trips
        receipt = VisitsReceipt(
            len(kept_visits.kept), len(kept_trips.kept), refused_visits, refused_trips
        )
        return receipt, kept_visits.kept, kept_trips.kept

    def _vouch(self, row: KeptVisit, visit: ReportedVisit, case: Case, now: float) -> bool:
        """Release a new visit and those that it vouches for; return whether there are any.

        Visits that wait come first, and the search ends at one that was released before: a place
        with thousands of visits costs no more than one with two.
        """
        today = utc_day(now)
        days = range(today - RETENTION.uploads_s // SECONDS_PER_DAY, today + 1)
        found = self.store.presence.visits_at(self.seals.tags(visit.location_id, days))
        person = case_of_person(self.store, case.case_id) or case
        vouched = False
        waiting_first = sorted(found, key=lambda other: other.state is not WarningState.WAITING)
        for other in waiting_first:
            if other.state not in _VOUCHES or not self._another_person(other, case, person):
                continue
            if vouched and other.state is not WarningState.WAITING:
                break
            opened = self.seals.open_visit(other)
            if opened is None or not self._together(opened, visit):
                continue
            vouched = True
            if other.state is WarningState.WAITING:
                self._release(other, now)
        if vouched:
            self._release(row, now)
        return vouched

    def _another_person(self, other: KeptVisit, case: Case, person: Case) -> bool:
        if other.case_id == case.case_id:
            return False
        reported = self.store.case(other.case_id)
        theirs = case_of_person(self.store, other.case_id)
        if reported is None or theirs is None or theirs.case_id == person.case_id:
            return False
        return {reported.user_id, theirs.user_id}.isdisjoint({case.user_id, person.user_id})

    def _together(self, one: ReportedVisit, other: ReportedVisit) -> bool:
        """Return whether two visits to one place lie near enough in time to vouch for it."""
        gap = max(one.start, other.start) - min(one.end, other.end)
        return one.location_id == other.location_id and gap <= self.rules.together_s

    def _release(self, row: KeptVisit, now: float) -> None:
        released = replace(row, state=WarningState.RELEASED, released_at=now)
        self.store.presence.change_visit(released)

    def _pretend(
        self,
        leave: UploadToken,
        visits: Sequence[SentVisit],
        trips: Sequence[SentTrip],
        now: float,
    ) -> VisitsReceipt:
        """Check what a phone sends that only hides which phones report; keep nothing of it."""
        with self.audit.atomic():
            issued = leave.expiry - UPLOAD_TOKEN_LIFETIME_S
            if not self.limits.first(_PRETENDED, leave.token_id, since=issued, until=leave.expiry):
                raise _received()
            receipt, new_visits, _ = self._believed(leave, visits, trips, now)
            for visit in new_visits:
                self.seals.seal_visit(visit, CHAFF_CASE, now)
            self.audit.rehearse("visits.taken", now, by="phone")
        return receipt


def _received() -> ConflictError:
    msg = "visits were already received with this upload token: there is nothing more to do"
    return ConflictError(msg, "visits-received")


def _read_visits(
    sent: Sequence[SentVisit],
) -> tuple[dict[int, ReportedVisit], dict[int, VisitRefusal]]:
    """Return the visits whose poster can be read, by their places in the message, and the rest.

    Posters of the NHS and of New Zealand count as unreadable: their places have numbers that can
    be guessed, and somebody who tries all of them could read where cases were.
    """
    read: dict[int, ReportedVisit] = {}
    refused: dict[int, VisitRefusal] = {}
    for place, visit in enumerate(sent):
        try:
            poster = read_poster(visit.poster)
        except UnreadableMessageError:
            refused[place] = VisitRefusal.UNREADABLE_POSTER
            continue
        read[place] = ReportedVisit(
            poster.location_id,
            visit.start,
            visit.end,
            poster.description,
            poster.address,
            poster.start,
            poster.end,
        )
    return read, refused


def _read_trips(sent: Sequence[SentTrip]) -> tuple[dict[int, Trip], dict[int, VisitRefusal]]:
    """Return the trips that can be read, by their places in the message, and the rest."""
    read: dict[int, Trip] = {}
    refused: dict[int, VisitRefusal] = {}
    for place, trip in enumerate(sent):
        try:
            read[place] = Trip.of(trip.service, trip.date, trip.car, trip.carrier)
        except InvalidRequestError:
            refused[place] = VisitRefusal.UNREADABLE_TRIP
    return read, refused
