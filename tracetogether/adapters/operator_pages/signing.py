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
from tracetogether.adapters.operator_pages.forms import given_back, held_form
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.responses import with_retry_after
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.adapters.operator_pages.texts import LANGUAGES
from tracetogether.authority.access.sign_in import new_token
from tracetogether.errors import AccessDeniedError, InvalidRequestError, RateLimitedError
from tracetogether.parameters import PASSWORD_CHARACTERS


def show_sign_in(request: PageRequest) -> Response:
    """Ask for name, password and code."""
    onward = local_path(request.http.query_params.get("next", "/"))
    return request.render("sign_in.html", onward=onward, why="", name="", **_held(request))


def sign_in(request: PageRequest) -> Response:
    """Sign an operator in, or show what was wrong."""
    client = request.http.client
    form, address = request.form, client.host if client else ""
    onward, name = local_path(form.get("onward", "/")), form.get("name", "").strip()
    try:
        token = request.site.sign_in.enter(
            name, form.get("password", ""), form.get("code", ""), request.now, address=address
        )
    except (AccessDeniedError, RateLimitedError) as error:
        status = 429 if isinstance(error, RateLimitedError) else 403
        shown = {
            "onward": onward,
            "why": request.t.error(error.code, **error.figures),
            "name": name,
        }
        page = request.render("sign_in.html", status=status, **shown, **_held(request))
        return with_retry_after(page, error)
    enrolling = request.site.sign_in.who(token, request.now)
    if held_form(request.form) and enrolling and enrolling[1].enrolling:
        answer = _enrolment(replace(request, token=token, operator=enrolling[0]), "", 200)
    else:
        answer = _show_held(request, token) or request.redirect(onward)
    keep(answer, SESSION_COOKIE, token)
    return answer


def sign_out(request: PageRequest) -> Response:
    """End the session."""
    request.site.sign_in.leave(request.token, request.now)
    answer = request.redirect("/sign-in")
    keep(answer, SESSION_COOKIE, new_token())
    return answer


def show_enrolment(request: PageRequest) -> Response:
    """Show the secret of the codes as a picture and as text, and ask for the first code."""
    return _enrolment(request, "", 200)


def enrol(request: PageRequest) -> Response:
    """Take the first code, and a password of the operator's own in place of one that works once."""
    code = request.form.get("code", "")
    try:
        chosen = _chosen_password(request)
        token = request.site.sign_in.enrol(request.token, code, request.now, password=chosen)
    except (AccessDeniedError, InvalidRequestError) as error:
        status = 403 if isinstance(error, AccessDeniedError) else 400
        return _enrolment(request, request.t.error(error.code, **error.figures), status)
    answer = _show_held(request, token) or request.redirect("/")
    keep(answer, SESSION_COOKIE, token)
    return answer


def _chosen_password(request: PageRequest) -> str:
    """Return the password that was typed twice; "" if none was asked for."""
    chosen = request.form.get("password_new", "")
    if chosen != request.form.get("password_again", ""):
        msg = "the two passwords differ: type the same one twice"
        raise InvalidRequestError(msg, "passwords-differ")
    return chosen


def choose_language(request: PageRequest) -> Response:
    """Redirect to the page before, in another language."""
    answer = request.redirect(local_path(request.form.get("back", "/")))
    if request.form.get("language") in LANGUAGES:
        keep_language(answer, request.form["language"])
    return answer


def _show_held(request: PageRequest, token: str) -> Response | None:
    """Return the page that gives a form back after a sign-in; None without a form.

    The server keeps nothing of the form meanwhile: the browser sends it along.
    """
    held = held_form(request.form)
    found = request.site.sign_in.who(token, request.now)
    if held is None or found is None or found[1].enrolling:
        return None
    inside = replace(request, token=token, operator=found[0], session=found[1], page_path="/")
    return inside.render("held.html", given=given_back(held[0]), again=held[1])


def _enrolment(request: PageRequest, why: str, status: int) -> Response:
    secret = request.site.sign_in.secret_of(request.token)
    picture = Markup(enrolment_picture(secret, request.caller.name, request.site.name))  # noqa: S704 - segno draws it, of what it encodes nothing is in the text
    return request.render(
        "enrol.html",
        status=status,
        picture=picture,
        secret=secret_text(secret),
        choose_password=request.site.sign_in.must_choose_password(request.caller.name),
        least=PASSWORD_CHARACTERS,
        why=why,
        **_held(request),
    )


def _held(request: PageRequest) -> dict[str, Any]:
    """Return the form that this sign-in carries along, for the page."""
    held, path = held_form(request.form) or ({}, "")
    return {"given": given_back(held), "held_path": path}


PAGES = (
    Page("GET", "/sign-in", show_sign_in),
    Page("POST", "/sign-in", sign_in, checks_password=True),
    Page("POST", "/sign-out", sign_out),
    Page("GET", "/enrol", show_enrolment),
    Page("POST", "/enrol", enrol, checks_password=True),
    Page("POST", "/language", choose_language),
)
