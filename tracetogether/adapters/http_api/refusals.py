"""Answers to errors over HTTP: a code, a sentence and whether to retry, without the input."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    KeyRingError,
    NotFoundError,
    RateLimitedError,
    StaleError,
    StoreError,
    TraceTogetherError,
)
from tracetogether.shapes.oversight import ErrorCode


class RefusedError(Exception):
    """A refusal for a reason that only HTTP knows, such as an unknown Content-Encoding."""

    def __init__(
        self, status: int, code: ErrorCode, message: str, *, retry_after_s: int = 1
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


_STATUS: Final[Mapping[type[TraceTogetherError], tuple[int, ErrorCode]]] = {
    AccessDeniedError: (403, "denied"),
    ConflictError: (409, "conflict"),
    InvalidRequestError: (400, "invalid_request"),
    InvalidUploadError: (400, "invalid_upload"),
    NotFoundError: (404, "not_found"),
}
_OWN_FAULT: Final = "the service has a fault of its own; the operator finds it in the log"
_UNAVAILABLE: Final = "the service can't read or write its store or keys now; try again later"
_HTTP: Final[Mapping[int, tuple[ErrorCode, str]]] = {
    400: ("invalid_request", "the body can't be read as JSON"),
    404: ("not_found", "there is nothing at this address: /openapi.json lists what there is"),
    405: ("method_not_allowed", "this address does not take that method"),
}


async def no_nul(request: Request) -> None:
    """Refuse a path or query with a NUL character, which PostgreSQL can't store in a text.

    Raises:
        RefusedError: there is one (400).
    """
    given = [*request.path_params.values(), *request.query_params.values()]
    if any("\0" in str(text) for text in given):
        raise RefusedError(400, "invalid_request", "remove the NUL character from the address")


def refusal(
    status: int,
    code: ErrorCode,
    message: str,
    *,
    retry_after_s: int = 1,
    more: Mapping[str, object] = MappingProxyType({}),
) -> Response:
    """Return the answer for a refused request; ``more`` is added to its error."""
    retry = status in {429, 503}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if retry:
        headers["Retry-After"] = str(retry_after_s)
    return Response(
        json.dumps({"error": {"code": code, "message": message, "retry": retry, **more}}),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def error_response(error: Exception) -> Response:
    """Return the answer to an error.

    A message goes out only if it was written for strangers: no path, no key's day, no traceback.
    """
    match error:
        case RefusedError():
            return refusal(
                error.status, error.code, error.message, retry_after_s=error.retry_after_s
            )
        case StoreError() | KeyRingError():
            return refusal(503, "unavailable", _UNAVAILABLE)  # the message can name paths and days
        case RateLimitedError():
            return refusal(429, "rate_limited", str(error), retry_after_s=error.retry_after_s)
        case StaleError():
            seen = {name: error.figures[name] for name in ("version",) if name in error.figures}
            return refusal(409, "stale", str(error), more=seen)  # roles have no version
        case TraceTogetherError() if type(error) in _STATUS:
            return refusal(*_STATUS[type(error)], str(error))
        case RequestValidationError():
            return refusal(400, "invalid_request", _what_is_wrong(error))
        case ClientDisconnect():
            return refusal(400, "invalid_request", "the connection ended before the request did")
        case HTTPException():
            code, message = _HTTP.get(error.status_code, ("invalid_request", str(error.detail)))
            return refusal(error.status_code, code, message)
        case _:
            return refusal(500, "internal", _OWN_FAULT)


def install_error_handlers(app: FastAPI, log: Callable[[Scope, int, Exception], None]) -> None:
    """Answer all errors of ``app`` by ``error_response``.

    Args:
        app: the service.
        log: called with the request's scope, the status and the error for each answer from 500 on.
    """

    async def handler(request: Request, error: Exception) -> Response:
        answer = error_response(error)
        if answer.status_code >= 500:
            log(request.scope, answer.status_code, error)
        return answer

    for kind in (
        TraceTogetherError,
        RefusedError,
        RequestValidationError,
        ClientDisconnect,
        HTTPException,
    ):
        app.add_exception_handler(kind, handler)


def _what_is_wrong(error: RequestValidationError) -> str:
    """Return which fields are wrong and how, without the values that were sent."""
    found = []
    for problem in error.errors():
        match problem["type"]:
            case "extra_forbidden":  # its name can be any text of the sender's
                found.append("there is a field that does not belong here")
            case "json_invalid":
                found.append("the body is not JSON")
            case "missing" if problem["loc"] == ("body",):
                found.append("a JSON body is needed, with Content-Type: application/json")
            case _:
                place = ".".join(str(part) for part in problem["loc"] if part != "body")
                found.append(f"{place or 'body'}: {problem['msg']}")
    return "; ".join(dict.fromkeys(found))
