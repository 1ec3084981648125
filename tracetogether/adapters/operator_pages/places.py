"""Places: devices that phones hear at a fixed spot; whether they work, warnings, the end of one."""

import json
import math
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.dates import clock_needed, day_needed, time_on
from tracetogether.adapters.operator_pages.listing import rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.access.audit import LONGEST_REASON
from tracetogether.authority.places.registry import LONGEST_NAME
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

_ROWS_A_PAGE: Final = 25
_LATEST: Final = 2**33


def show_places(request: PageRequest) -> Response:
    """Show all places, those in service first, and the forms for a new one and for a warning."""
    found = request.authority.places.all(request.now, by=request.caller)
    days = request.authority.days
    since, until = (request.number(name, 0, at_most=_LATEST) for name in ("since", "until"))
    until = math.ceil(until / SECONDS_PER_MINUTE) * SECONDS_PER_MINUTE
    rows, offset = rows_at(found, request.number("offset", 0), _ROWS_A_PAGE)
    return request.render(
        "places.html",
        rows=rows,
        offset=offset,
        limit=_ROWS_A_PAGE,
        total=len(found),
        longest=LONGEST_NAME,
        may_add=request.may("POST", "/places"),
        may_warn=request.may("POST", "/places/warn"),
        heard=[row.place for row in found if row.place.seen_at is not None],
        asked_for=request.http.query_params.get("place", ""),
        since=days.moment(since) if since else None,
        until=days.moment(until) if since < until else None,
        longest_reason=LONGEST_REASON,
        may_retire=request.may("POST", "/places/{place_id}/retire"),
    )


def add_place(request: PageRequest) -> Response:
    """Register a place, and show the credential for its device, this once."""
    form = request.form
    place, credential = request.authority.places.add(
        form.get("place_name", ""), form.get("site", ""), request.now, by=request.caller
    )
    line = json.dumps({"user_id": place.user_id, "credential": credential})
    return request.render("place_added.html", place=place, line=line)


def warn_place(request: PageRequest) -> Response:
    """Warn everybody whose phone heard a place in some hours, after a question."""
    form, t, days, by = request.form, request.t, request.authority.days, request.caller
    place = request.authority.places.found(form.get("warned_place", ""))
    day, reason = day_needed(form, "warn_day"), form.get("warn_reason", "")
    begins, ends = clock_needed(form, "warn_from"), clock_needed(form, "warn_to")
    since = time_on(day, begins, days)
    until = time_on(day if ends > begins else day + 1, ends, days)
    heard = request.authority.places.heard_digests(place.place_id, since, until, by=by)
    warnings = request.authority.warnings
    warnings.check_place(since, until, request.now, heard=heard, reason=reason)
    if not request.confirmed:
        out = (request.now // SECONDS_PER_HOUR + 1) * SECONDS_PER_HOUR
        rows = [
            (t("Place"), place.name),
            (t("Site"), place.site or "–"),
            (t("From"), time_text(since, days)),
            (t("To"), time_text(until, days)),
            (t("Hours"), f"{(until - since) / SECONDS_PER_HOUR:.3g}"),
            (t("Phones can see it from"), time_text(out, days)),
            (t("Reason"), reason.strip()),
        ]
        why = t(
            "Every phone that heard this place then shows a warning: the same place, no close "
            "contact. Phones look once a day. You can’t take it back."
        )
        return request.ask(t("Warn everybody who was at this place?"), why, rows, t("Warn"))
    warnings.warn_place(
        place.place_id, since, until, request.now, heard=heard, reason=reason, by=by
    )
    return request.redirect("/places")


def retire_place(request: PageRequest) -> Response:
    """End the credential of a place, after a question."""
    place_id = str(request.http.path_params["place_id"])
    if not request.confirmed:
        t, place = request.t, request.authority.places.found(place_id)
        seen = t("never") if place.seen_at is None else time_text(
            place.seen_at, request.authority.days
        )  # fmt: skip
        rows = [(t("Place"), place.name), (t("Site"), place.site), (t("Last seen"), seen)]
        why = t(
            "Its device gets no TempIDs any more, and what phones hear of it counts for nothing. "
            "You can’t undo this."
        )
        return request.ask(t("Retire this place now?"), why, rows, t("Retire the place"))
    request.authority.places.retire(place_id, request.now, by=request.caller)
    return request.redirect("/places")


_BLAMES: Final[Blames] = {"place-name": "place_name", "place-name-taken": "place_name"}
_WARN_BLAMES: Final[Blames] = {
    **dict.fromkeys(("no-such-place", "nothing-to-warn"), "warned_place"),
    **dict.fromkeys(("date-needed", "date-form", "warned-time"), "warn_day"),
    **dict.fromkeys(("clock-needed", "time-form"), "warn_from"),
    "reason-needed": "warn_reason",
}
PAGES: Final = (
    Page("GET", "/places", show_places),
    Page("POST", "/places", add_place, show_places, _BLAMES),
    Page("POST", "/places/warn", warn_place, show_places, _WARN_BLAMES),
    Page("POST", "/places/{place_id}/retire", retire_place, show_places),
)
