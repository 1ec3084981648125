"""Places: devices that phones hear at a fixed spot; whether they work, and the end of one."""

import json
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.listing import rows_at
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import time_text
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.authority.places.registry import LONGEST_NAME

_ROWS_A_PAGE: Final = 25


def show_places(request: PageRequest) -> Response:
    """Show all places, those in service first, and the form for a new one."""
    found = request.authority.places.all(request.now, by=request.caller)
    rows, offset = rows_at(found, request.number("offset", 0), _ROWS_A_PAGE)
    return request.render(
        "places.html",
        rows=rows,
        offset=offset,
        limit=_ROWS_A_PAGE,
        total=len(found),
        longest=LONGEST_NAME,
        may_add=request.may("POST", "/places"),
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
PAGES: Final = (
    Page("GET", "/places", show_places),
    Page("POST", "/places", add_place, show_places, _BLAMES),
    Page("POST", "/places/{place_id}/retire", retire_place, show_places),
)
