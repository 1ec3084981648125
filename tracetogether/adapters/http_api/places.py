"""Routes of places, and of the stays of a case."""

from collections.abc import Callable

from fastapi import APIRouter

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.service import Authority
from tracetogether.shapes import places as shapes
from tracetogether.shapes.oversight import Done


def add_places(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""

    @router.get("/places")
    def list_places(by: By) -> shapes.PlaceLines:
        """List all places: those in service by name, then retired ones.

        Roles: tracer, supervisor, auditor.
        """
        found = authority.places.all(clock(), by=by)
        return shapes.PlaceLines(places=[shapes.PlaceLine.of(place) for place in found])

    @router.post("/places", status_code=201)
    def add_place(by: By, asked: shapes.NewPlace) -> shapes.PlaceAdded:
        """Register a place, and return the credential for its device. Role: supervisor.

        The device fetches TempIDs with it as a phone does. The credential opens nothing else.
        """
        place, credential = authority.places.add(asked.name, asked.site, clock(), by=by)
        return shapes.PlaceAdded(
            place_id=place.place_id,
            name=place.name,
            site=place.site,
            user_id=place.user_id,
            credential=credential,
        )

    @router.post("/places/{place_id}/retire")
    def retire_place(by: By, place_id: str) -> Done:
        """End the credential of a place at once. Role: supervisor.

        What phones hear of it from then on is no stay.
        """
        authority.places.retire(place_id, clock(), by=by)
        return Done(done=True)

    @router.post("/places/{place_id}/warn", status_code=201)
    def warn_place(by: By, place_id: str, asked: shapes.PlaceWarning) -> shapes.PlaceWarned:
        """Warn everybody whose phone heard a place in some hours. Role: tracer.

        The next package of warnings has SHA-256 of the TempIDs that the place had then. Phones look
        them up in their own logs, so nobody learns who was warned.
        """
        heard = authority.places.heard_digests(place_id, asked.since, asked.until, by=by)
        new = authority.warnings.warn_place(
            place_id,
            asked.since,
            asked.until,
            clock(),
            heard=heard,
            reason=asked.reason,
            by=by,
        )
        return shapes.PlaceWarned(tempids=len(heard), new=new)

    @router.get("/cases/{case_id}/stays")
    def list_stays(by: By, case_id: str) -> shapes.StayLines:
        """List at which places a case's phone was in the 14 days before the case's date.

        A stay is no contact with anybody. Roles: tracer (of assigned cases), supervisor. The audit
        log records the request.
        """
        case = authority.casework.case(case_id, by=by)
        stays = authority.stays.of(case, by=by)
        authority.audit.record("stays.listed", clock(), by=by.name, subject=case.case_id)
        return shapes.StayLines(
            case_id=case.case_id, stays=[shapes.StayLine.of(stay) for stay in stays]
        )
