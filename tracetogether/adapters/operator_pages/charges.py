"""Charges at the desk: a code for a person without a phone, in their language; and the end."""

from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.errors import InvalidRequestError, NotFoundError
from tracetogether.healthcode import notices


def show_charges(request: PageRequest) -> Response:
    """Show the two forms; who keeps passes for whom is in no list."""
    own = request.t.tag if request.t.tag in notices.LANGUAGES else "en"
    return request.render("charges.html", tongues=notices.LANGUAGES, own=own)


def give_code(request: PageRequest) -> Response:
    """Show a new code once, with what the person should know, in the person's language."""
    asked = request.form.get("spoken", "")
    language = asked if asked in notices.LANGUAGES else "en"
    given = request.authority.charges.consent(request.now, by=request.caller)
    said = notices.text(
        "charge.code",
        language,
        days=request.authority.days,
        code=given.code,
        until=given.expiry,
        number=given.charge_id,
    )
    return request.render("charge_code.html", given=given, said=said, tongue=language)


def end_charge(request: PageRequest) -> Response:
    """End a charge for the person without a phone."""
    number = request.form.get("number", "")
    request.authority.charges.end_at_desk(
        number, request.form.get("reason", ""), request.now, by=request.caller
    )
    return request.redirect("/charges?ended=1")


PAGES: Final = (
    Page("GET", "/charges", show_charges),
    Page("POST", "/charges", give_code, show_charges),
    Page(
        "POST",
        "/charges/end",
        end_charge,
        show_charges,
        {InvalidRequestError: "reason", NotFoundError: "number"},
    ),
)
