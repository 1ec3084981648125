"""Signing in and out, setting up the codes, and choosing a language."""

from dataclasses import replace
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from tracetogether.adapters.operator_pages.cookies import (
    SESSION_COOKIE,
    keep,
    keep_language,
    local_path,
)
from tracetogether.adapters.operator_pages.credentials import enrolment_picture, secret_text
from tracetogether.adapters.operator_pages.doors import (
    Door,
    Visit,
    patient,
)
from tracetogether.adapters.operator_pages.forms import given_back, held_form
from tracetogether.adapters.operator_pages.words import LANGUAGES
from tracetogether.authority.access.sign_in import new_token
from tracetogether.errors import AccessDeniedError, RateLimitedError


def show_sign_in(visit: Visit) -> Response:
    """Ask for name, password and code."""
    onward = local_path(visit.request.query_params.get("next", "/"))
    return visit.page("sign_in.html", onward=onward, why="", name="", **_held(visit))


def sign_in(visit: Visit) -> Response:
    """Let somebody in, or say that something was wrong."""
    client = visit.request.client
    form, address = visit.form, client.host if client else ""
    onward, name = local_path(form.get("onward", "/")), form.get("name", "").strip()
    try:
        token = visit.desk.sign_in.enter(
            name, form.get("password", ""), form.get("code", ""), visit.now, address=address
        )
    except (AccessDeniedError, RateLimitedError) as error:
        status = 429 if isinstance(error, RateLimitedError) else 403
        shown = {"onward": onward, "why": visit.advice(str(error)), "name": name}
        page = visit.page("sign_in.html", status=status, **shown, **_held(visit))
        return patient(page, error)
    enrolling = visit.desk.sign_in.who(token, visit.now)
    if held_form(visit.form) and enrolling and enrolling[1].enrolling:
        answer = _enrolment(replace(visit, token=token, operator=enrolling[0]), "", 200)
    else:
        answer = _show_held(visit, token) or visit.went(onward)
    keep(answer, SESSION_COOKIE, token)
    return answer


def sign_out(visit: Visit) -> Response:
    """End the session."""
    visit.desk.sign_in.leave(visit.token, visit.now)
    answer = visit.went("/sign-in")
    keep(answer, SESSION_COOKIE, new_token())
    return answer


def show_enrolment(visit: Visit) -> Response:
    """Show the secret of the codes as a picture and as text, and ask for the first code."""
    return _enrolment(visit, "", 200)


def enrol(visit: Visit) -> Response:
    """Take the first code."""
    try:
        token = visit.desk.sign_in.enrol(visit.token, visit.form.get("code", ""), visit.now)
    except AccessDeniedError as error:
        return _enrolment(visit, visit.advice(str(error)), 403)
    answer = _show_held(visit, token) or visit.went("/")
    keep(answer, SESSION_COOKIE, token)
    return answer


def choose_language(visit: Visit) -> Response:
    """Show the page that one comes from in another language."""
    answer = visit.went(local_path(visit.form.get("back", "/")))
    if visit.form.get("language") in LANGUAGES:
        keep_language(answer, visit.form["language"])
    return answer


def _show_held(visit: Visit, token: str) -> Response | None:
    """Return the page that gives a form back after a sign-in; None if there was none.

    Nothing of it was kept here meanwhile: the browser brought it along.
    """
    held = held_form(visit.form)
    found = visit.desk.sign_in.who(token, visit.now)
    if held is None or found is None or found[1].enrolling:
        return None
    inside = replace(visit, token=token, operator=found[0], session=found[1], page_path="/")
    return inside.page("held.html", given=given_back(held[0]), again=held[1])


def _enrolment(visit: Visit, why: str, status: int) -> Response:
    secret = visit.desk.sign_in.secret_of(visit.token)
    picture = Markup(enrolment_picture(secret, visit.caller.name, visit.desk.name))  # noqa: S704 - segno draws it, of what it encodes nothing is in the text
    return visit.page(
        "enrol.html",
        status=status,
        picture=picture,
        secret=secret_text(secret),
        why=why,
        **_held(visit),
    )


def _held(visit: Visit) -> dict[str, Any]:
    """Return the form that this sign-in carries along, for the page."""
    held, path = held_form(visit.form) or ({}, "")
    return {"given": given_back(held), "held_path": path}


DOORS = (
    Door("GET", "/sign-in", show_sign_in),
    Door("POST", "/sign-in", sign_in, checks_password=True),
    Door("POST", "/sign-out", sign_out),
    Door("GET", "/enrol", show_enrolment),
    Door("POST", "/enrol", enrol),
    Door("POST", "/language", choose_language),
)
