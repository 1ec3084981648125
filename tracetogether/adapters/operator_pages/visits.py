"""Places and visits of a case: its fourteen days as a picture, and which warnings are published."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.cases import case_to_show, head_of
from tracetogether.adapters.operator_pages.days_picture import days_picture
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import day_text, time_text
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.presence.deciding import (
    CasePlaces,
    SeatRow,
    ShownTrip,
    ShownVisit,
    reason_of,
)
from tracetogether.authority.presence.reported import WarningState
from tracetogether.errors import InvalidRequestError, NotFoundError

_OPEN: Final = frozenset({WarningState.WAITING, WarningState.RELEASED})
_CONFIRM: Final = "confirm"
_REFUSE: Final = "refuse"


def show_visits(request: PageRequest) -> Response:
    """Show where a case was, day by day, and the forms for what waits."""
    case = request.authority.casework.case(request.http.path_params["case_id"], by=request.caller)
    days = request.authority.fourteen_days.of(case.case_id, by=request.caller)
    found = days.reported
    request.authority.audit.record(
        "days.listed", request.now, by=request.caller.name, subject=case.case_id
    )
    return request.render(
        "visits.html",
        **head_of(request, case),
        days_picture=days_picture(days.days, request.authority.days, request.t),
        case_days=days.days,
        found=found,
        undecided=[shown for shown in found.visits if shown.kept.state in _OPEN],
        waiting_trips=[shown for shown in found.trips if shown.kept.state is WarningState.WAITING],
        rules=request.authority.warnings.rules,
        may_decide=request.may("POST", "/cases/{case_id}/visits/decide"),
    )


def decide_visit(request: PageRequest) -> Response:
    """Publish the warning of a visit, or keep it back, after a question."""
    form, t, warnings = request.form, request.t, request.authority.warnings
    shown = _visit(_found(request), form.get("visit", ""))
    act = _act(request)
    reason_of(form.get("visit_reason", ""))
    if not request.confirmed:
        if act == _CONFIRM:
            title, yes = t("Publish this warning?"), t("Publish")
            why = t("Everybody who was there gets the warning. It is never changed.")
        else:
            title, yes = t("Publish no warning of this visit?"), t("Don’t publish")
            why = t("Nobody gets a warning of this visit. You can’t undo this.")
        return request.ask(title, why, _visit_facts(request, shown), yes)
    decide = warnings.confirm if act == _CONFIRM else warnings.refuse
    decide(shown.kept.visit_id, form.get("visit_reason", ""), request.now, by=request.caller)
    return request.redirect(f"/cases/{shown.case_id}/visits#visits")


def decide_trip(request: PageRequest) -> Response:
    """Publish a trip, or keep it back, after a question."""
    form, t, warnings = request.form, request.t, request.authority.warnings
    shown = _trip(_found(request), form.get("trip", ""))
    act, why_given = _act(request), form.get("trip_reason", "")
    aboard, seat = _number(form.get("aboard", "")), _seat(form)
    reason_of(why_given)
    band = warnings.band_of(aboard, seat) if act == _CONFIRM else (0, 0)
    if not request.confirmed:
        if act == _CONFIRM:
            title, yes = t("Publish this trip?"), t("Publish")
            why = t("The list of that day names train or flight and car, and no seat.")
            if any(band):
                why = t(
                    "The list of that day names train or flight, car and rows {first} to {last}, "
                    "and no seat.",
                    first=band[0],
                    last=band[1],
                )
        else:
            title, yes = t("Don’t publish this trip?"), t("Don’t publish")
            why = t("You can’t undo this.")
        return request.ask(title, why, _trip_facts(request, shown), yes)
    if act == _CONFIRM:
        warnings.state_aboard(
            shown.kept.trip_id, aboard, why_given, request.now, seat=seat, by=request.caller
        )
    else:
        warnings.refuse_trip(shown.kept.trip_id, why_given, request.now, by=request.caller)
    return request.redirect(f"/cases/{shown.case_id}/visits#trips")


def _found(request: PageRequest) -> CasePlaces:
    case = case_to_show(request)
    return request.authority.warnings.of_case(case.case_id, by=request.caller)


def _visit(found: CasePlaces, visit_id: str) -> ShownVisit:
    for shown in found.visits:
        if shown.kept.visit_id == visit_id:
            return shown
    raise NotFoundError("choose a visit", "choose-visit")


def _trip(found: CasePlaces, trip_id: str) -> ShownTrip:
    for shown in found.trips:
        if shown.kept.trip_id == trip_id:
            return shown
    raise NotFoundError("choose a trip", "choose-trip")


def _act(request: PageRequest) -> str:
    act = request.form.get("act", "")
    if act not in {_CONFIRM, _REFUSE}:
        raise InvalidRequestError("choose whether to publish", "choose-act")
    return act


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _seat(form: Mapping[str, str]) -> SeatRow | None:
    row, rows = form.get("seat_row", "").strip(), form.get("seat_rows", "").strip()
    return SeatRow(_number(row), _number(rows)) if row or rows else None


def _visit_facts(request: PageRequest, shown: ShownVisit) -> list[tuple[str, str]]:
    t, days, visit = request.t, request.authority.days, shown.visit
    if visit is None:
        return []
    return [
        (t("Place"), visit.description),
        (t("Address"), visit.address or "–"),
        (t("From"), time_text(visit.start, days)),
        (t("To"), time_text(visit.end, days)),
        (t("Reason"), request.form.get("visit_reason", "").strip()),
    ]


def _trip_facts(request: PageRequest, shown: ShownTrip) -> list[tuple[str, str]]:
    t, trip = request.t, shown.trip
    return [
        (t("Day"), day_text(shown.kept.trip_day)),
        (t("Train or flight"), "–" if trip is None else f"{trip.carrier} {trip.service}"),
        (t("Car"), "–" if trip is None or not trip.car else trip.car),
        (t("People aboard"), request.form.get("aboard", "").strip() or "–"),
        (t("Reason"), request.form.get("trip_reason", "").strip()),
    ]


_AT: Final = "/cases/{case_id}/visits"
_VISIT_BLAMES: Final[Blames] = {
    **dict.fromkeys(("choose-visit", "warning-decided", "warning-out"), "visit"),
    "reason-needed": "visit_reason",
}
_TRIP_BLAMES: Final[Blames] = {
    **dict.fromkeys(("choose-trip", "warning-decided"), "trip"),
    **dict.fromkeys(("aboard-number", "aboard-few"), "aboard"),
    "seat-rows": "seat_row",
    "reason-needed": "trip_reason",
}
PAGES: Final = (
    Page("GET", _AT, show_visits),
    Page("POST", f"{_AT}/decide", decide_visit, show_visits, _VISIT_BLAMES),
    Page("POST", f"{_AT}/decide-trip", decide_trip, show_visits, _TRIP_BLAMES),
)
