"""Pages that refuse: each error as a status and a page that gives back what was typed."""

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from tracetogether.adapters.operator_pages.cookies import local_path
from tracetogether.adapters.operator_pages.forms import given_back, held_form, same_site
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import BASE
from tracetogether.adapters.operator_pages.roles import ENROLLING, OPEN
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    KeyRingError,
    NotFoundError,
    RateLimitedError,
    StoreError,
    TraceTogetherError,
)
from tracetogether.reasons_of_faults import reason_of

_STATUS: Final[Mapping[type[TraceTogetherError], int]] = {
    AccessDeniedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    InvalidRequestError: 400,
    RateLimitedError: 429,
    StoreError: 503,
    KeyRingError: 503,
}
_SENT_AGAIN: Final = frozenset({400, 403, 409, 413, 429, 500, 503})
"""Statuses after which a form may be sent again."""
_LOG: Final = logging.getLogger(__name__)


def error_response(request: PageRequest, error: TraceTogetherError) -> Response:
    """Return the page for an error; paths and days of the store go to the log alone."""
    status = status_of(error)
    if status >= 500:
        _LOG.error("%s %s answered %d: %s", request.http.method, BASE, status, reason_of(error))
        answer = refusal(request, status, "unavailable")
    else:
        answer = refusal(request, status, error.code, **error.figures)
    return with_retry_after(answer, error)


def refusal(request: PageRequest, status: int, reason: str, **figures: object) -> Response:
    """Return a page that refuses, says why, and gives back all that was typed.

    The form can be sent again from that page, after a sign-in if need be.

    Args:
        request: the request that is refused.
        status: HTTP status.
        reason: the code of the text that says why.
        figures: the values in that text.
    """
    # A stranger whose browser names no site may come from any site.
    signed_in = request.operator is not None and same_site(request.http) is None
    path = local_path(quote(request.http.url.path))
    lost, path = held_form(request.form) or (request.form, path)
    given = given_back(lost) if request.own_form or signed_in else ()
    asks_who = ("POST", path) in OPEN or ("POST", path) in ENROLLING
    sent_again = request.own_form and bool(given) and not asks_who
    known = request.operator is not None or status >= 500
    shown = request.http.method == "GET"
    return request.render(
        "refused.html",
        status=status,
        why=request.t.error(reason, **figures),
        code=status,
        expired=reason == "form-expired",
        given=given,
        typed_some=any(field.typed for field in given),
        again=path if sent_again and known and status in _SENT_AGAIN else "",
        held_path=path if sent_again and not known else "",
        onward=request.page_path,
        back_to=path_and_query(request.http) if shown else request.page_path,
        name=request.form.get("name", "") if lost is not request.form else "",
    )


def path_and_query(http: Request) -> str:
    """Return path and query of a page, below the base."""
    query = f"?{http.url.query}" if http.url.query else ""
    return local_path(quote(http.url.path) + query)


def status_of(error: TraceTogetherError) -> int:
    """Return the HTTP status of an error; 400 for those that have none of their own."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def with_retry_after(answer: Response, error: TraceTogetherError) -> Response:
    """Return ``answer``; with a Retry-After header if the error is a rate limit."""
    if isinstance(error, RateLimitedError):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer
