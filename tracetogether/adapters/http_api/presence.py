"""Routes of visits and trips: what cases report, what tracers decide, what everybody fetches."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response

from tracetogether.adapters.http_api.described import OF_VISITS, refused
from tracetogether.adapters.http_api.guard import By
from tracetogether.adapters.http_api.packages import HELD_BYTES, MEDIA_TYPE, PackageAnswers
from tracetogether.adapters.http_api.upload_tokens import by_upload_token, checked_sender
from tracetogether.authority.cases.case import day_of
from tracetogether.authority.presence.deciding import SeatRow
from tracetogether.authority.presence.publishing import WARNINGS_KIND, trips_kind
from tracetogether.authority.presence.taking import SentTrip, SentVisit
from tracetogether.authority.service import Authority
from tracetogether.parameters import VISIT_REPORTS, VISITS
from tracetogether.shapes import presence as shapes
from tracetogether.shapes.case_days import CaseDaysShape

VISITS_PATH: Final = "/v1/visits"
MAX_VISITS_BYTES: Final = 1_048_576
"""Room for 300 visits with long posters, and for blanks that hide how many there are."""
VISITS_BUCKET_BYTES: Final = 16_384
_MINUTE: Final = "public, max-age=60"
_FOR_EVER: Final = f"public, max-age={VISIT_REPORTS.kept_s}, immutable"
_PART_BYTES: Final = HELD_BYTES // 256
_MOST_HOUR: Final = 2**31 - 1
_PACKAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A COSE_Sign1 message, the same bytes for everybody.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "headers": {"ETag": {"schema": {"type": "string"}, "required": True}},
    },
    304: {"description": "The package that `If-None-Match` names is still the one."},
    404: refused("not_found", about="there is no such package."),
}
_BUNDLE: Final[dict[int | str, dict[str, Any]]] = {code: _PACKAGE[code] for code in (200, 304)}


def warnings_for_everybody(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the routes that phones fetch warnings from; open to all."""
    router = APIRouter(prefix="/v1", tags=["open to all"])
    store = authority.store.presence
    warnings = PackageAnswers(store, WARNINGS_KIND, _FOR_EVER)
    bundles = PackageAnswers(store, WARNINGS_KIND, _MINUTE)
    trips = {
        prefix: PackageAnswers(store, trips_kind(prefix), _MINUTE, held_bytes)
        for prefix, held_bytes in [
            (None, HELD_BYTES),
            *((part, _PART_BYTES) for part in range(256)),
        ]
    }

    @router.get("/warnings")
    def warning_index(response: Response) -> shapes.WarningIndex:
        """List the packages of warnings of the last 14 days, the oldest first."""
        response.headers["Cache-Control"] = _MINUTE
        return shapes.WarningIndex.of({"hours": warnings.index(clock())})

    @router.get("/warnings/{hour}", response_class=Response, responses=_PACKAGE)
    def warning_package(
        request: Request,
        hour: Annotated[int, Path(ge=0, le=_MOST_HOUR, description="As the index names it.")],
    ) -> Response:
        """Return the warnings of an hour: sealed visits, half of them fakes, and digests.

        A phone looks for its own places: nobody learns where it was. A package never
        changes. It is signed by the key that the trust list has for `warnings`.
        """
        return warnings.at(request, hour, clock())

    @router.get("/warnings/{hour}/bundle", response_class=Response, responses=_BUNDLE)
    def warning_bundle(
        request: Request,
        hour: Annotated[int, Path(ge=0, le=_MOST_HOUR, description="The last hour of the bundle.")],
    ) -> Response:
        """Return the packages of the 36 hours that end with this one: a CBOR array of them.

        A phone that checks once a day asks for this alone. The array is empty where there are no
        warnings.
        """
        return bundles.bundle(request, hour, VISITS.bundle_hours, clock())

    @router.get("/trips/{date}", response_class=Response, responses=_PACKAGE)
    def trip_list(
        request: Request,
        date: Annotated[dt.date, Path(examples=["2020-01-25"])],
        prefix: Annotated[
            str | None,
            Query(
                pattern="^[0-9a-f]{2}$",
                description="Of a divided day: the part whose digests begin with this byte.",
            ),
        ] = None,
    ) -> Response:
        """Return the trips of cases on a date: those with at least 20 aboard, without seats.

        A trip has a band of rows where a tracer gave one. A list grows at full hours while trips
        of that date are reported. A day of more than 5 MB is divided into 256 parts: the answer
        without `prefix` then says so, and holds no trips.
        """
        part = None if prefix is None else int(prefix, 16)
        return trips[part].at(request, day_of(date), clock())

    return router


def visits_for_uploads(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the route by which a case's phone reports visits and trips."""
    router = by_upload_token(authority, clock)

    @router.post("/visits", status_code=201, responses=OF_VISITS)
    def report_visits(
        request: Request,
        asked: shapes.VisitsSent,
        x_credential: Annotated[
            str | None, Header(description="The credential of the phone that got the token.")
        ] = None,
    ) -> shapes.VisitsTaken:
        """Receive the visits and trips that a person who tested positive chose to report.

        The bearer is the upload token of the contact log; it lets visits in once. Visits that
        can't be true are refused one by one, with the reason. The answer's length is a multiple
        of 16 KiB.
        """
        now, token = clock(), request.state.caller
        checked_sender(authority, token, x_credential, now)
        receipt = authority.visits.take(
            token,
            [SentVisit(visit.poster, visit.start, visit.end) for visit in asked.visits],
            [SentTrip(trip.service, trip.date, trip.car, trip.carrier) for trip in asked.trips],
            now,
        )
        return shapes.VisitsTaken.of(receipt)

    return router


def add_reports(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add what tracers see and decide to the operators' router."""

    @router.get("/cases/{case_id}/visits")
    def visits_of_case(by: By, case_id: str) -> shapes.ReportLines:
        """List the visits and trips that a case reported. Roles: tracer, supervisor."""
        return shapes.ReportLines.of(authority.warnings.of_case(case_id, by=by))

    @router.get("/cases/{case_id}/days")
    def days_of_case(by: By, case_id: str) -> CaseDaysShape:
        """List what a case did on its date and the 14 days before. Roles: tracer, supervisor.

        For each hour: how many people the phone heard, and no names. Beside them the visits and
        trips that the person reported, and the stays at registered places.
        """
        found = authority.fourteen_days.of(case_id, by=by)
        authority.audit.record("days.listed", clock(), by=by.name, subject=case_id)
        return CaseDaysShape.of(found)

    @router.get("/reports")
    def waiting_reports(by: By) -> shapes.ReportLines:
        """List the visits and trips that wait for a decision. Roles: tracer, supervisor."""
        visits, trips = authority.warnings.waiting(by=by)
        return shapes.ReportLines.of({"visits": visits, "trips": trips})

    @router.post("/reports/visits/{visit_id}/confirm")
    def confirm_visit(by: By, visit_id: str, asked: shapes.WarningDecision) -> shapes.VisitLine:
        """Let out the warning of a visit that one case alone reported. Role: tracer.

        The next package has it, and a package never changes.
        """
        found = authority.warnings.confirm(visit_id, asked.reason, clock(), by=by)
        return shapes.VisitLine.of(found)

    @router.post("/reports/visits/{visit_id}/refuse")
    def refuse_visit(by: By, visit_id: str, asked: shapes.WarningDecision) -> shapes.VisitLine:
        """Keep back the warning of a visit, until its package is made. Role: tracer."""
        found = authority.warnings.refuse(visit_id, asked.reason, clock(), by=by)
        return shapes.VisitLine.of(found)

    @router.post("/reports/trips/{trip_id}/confirm")
    def confirm_trip(by: By, trip_id: str, asked: shapes.TripConfirmation) -> shapes.TripLine:
        """State how many were aboard a trip: with at least 20 it is published. Role: tracer.

        With `row` and `rows` the list gets a band of rows in which at least 20 people sat, if all
        sat evenly. The row itself is not kept.
        """
        seat = None
        if asked.row is not None or asked.rows is not None:
            seat = SeatRow(asked.row or 0, asked.rows or 0)
        found = authority.warnings.state_aboard(
            trip_id, asked.aboard, asked.reason, clock(), seat=seat, by=by
        )
        return shapes.TripLine.of(found)

    @router.post("/reports/trips/{trip_id}/refuse")
    def refuse_trip(by: By, trip_id: str, asked: shapes.WarningDecision) -> shapes.TripLine:
        """Keep a trip back. Role: tracer."""
        found = authority.warnings.refuse_trip(trip_id, asked.reason, clock(), by=by)
        return shapes.TripLine.of(found)
