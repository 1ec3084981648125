"""What the OpenAPI document says beyond the routes: refusals, headers, the log's schema."""

import itertools
import re
from typing import Any, Final

from fastapi import FastAPI

from tracetogether.parameters import MAX_UPLOAD_BYTES
from tracetogether.shapes.logs import ContactLogBody
from tracetogether.shapes.oversight import ErrorAnswer, ErrorCode

Answers = dict[int | str, dict[str, Any]]

_CODE: Final = re.compile(r"`(\w+)`")
_SCHEMAS: Final = "#/components/schemas/"
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before the same request is sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_BEARER: Final = {
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}}
}


def refused(*codes: ErrorCode, about: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of an answer of one status, which has one of ``codes``."""
    named = ", ".join(f"`{code}`" for code in codes)
    answer: dict[str, Any] = {"model": ErrorAnswer, "description": f"{named}: {about}"}
    return answer if headers is None else {**answer, "headers": headers}


OF_ALL_ROUTES: Final[Answers] = {
    400: refused("invalid_request", about="the request has another form than described here."),
    408: refused("too_slow", about="the body did not come in time."),
    413: refused("too_large", about="the body is too long."),
    429: refused(
        "rate_limited",
        about="too many requests of this kind. Send the same one after the time given.",
        headers=_RETRY_AFTER,
    ),
    500: refused("internal", about="a fault of the service."),
    503: refused(
        "unavailable",
        about="store or keys can't be used now. Send the same request after the time given.",
        headers=_RETRY_AFTER,
    ),
    "4XX": {"model": ErrorAnswer, "description": "Refused; nothing was changed."},
    "5XX": {"model": ErrorAnswer, "description": "A fault here; see `retry`."},
}
OF_GUARDED_ROUTES: Final[Answers] = {
    401: refused("unauthorized", about="the bearer is missing, wrong or expired.", headers=_BEARER),
    403: refused("denied", about="this caller may not do this."),
}
OF_OPERATORS: Final[Answers] = {
    404: refused("not_found", about="there is nothing of this name that the caller may see."),
    409: refused(
        "conflict", "stale", about="this does not fit what is stored; `version` is the current one."
    ),
}
OF_PINS: Final[Answers] = {
    400: refused(
        "invalid_request", "invalid_upload", about="a value has another form than described here."
    ),
    403: refused(
        "denied",
        about="the PIN is not accepted. Wrong, expired, used and void PINs and those of other "
        "people get the same answer.",
    ),
    409: refused("conflict", about="a log was already received with this PIN."),
}
OF_UPLOADS: Final[Answers] = {
    400: refused(
        "invalid_request",
        "invalid_upload",
        about="another log than the token's, no contact log, or damaged gzip.",
    ),
    403: refused("denied", about="the token belongs to another phone than `X-Credential` names."),
    404: refused("not_found", about="the case was closed meanwhile."),
    409: refused("conflict", about="this log was already received: nothing is left to do."),
    415: refused("unsupported_encoding", about="packed in another way than gzip."),
    429: refused(
        "busy",
        "rate_limited",
        about="too many logs come in. Send the same one after the time given.",
        headers=_RETRY_AFTER,
    ),
}
OF_VISITS: Final[Answers] = {
    400: refused("invalid_request", "invalid_upload", about="the request has another form."),
    403: refused("denied", about="the token belongs to another phone than `X-Credential` names."),
    404: refused("not_found", about="the case was closed meanwhile."),
    409: refused("conflict", about="visits were already received: nothing is left to do."),
}

_TEXT: Final = {"type": "string"}
LOG_REQUEST: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "X-Credential",
            "in": "header",
            "required": True,
            "description": "The registration credential of the phone that exchanged the PIN.",
            "schema": _TEXT,
        },
        {
            "name": "Content-Encoding",
            "in": "header",
            "required": False,
            "description": "How the body is packed. The bytes on the wire, and those of the log "
            f"once unpacked, are at most {MAX_UPLOAD_BYTES:,}.",
            "schema": {"type": "string", "enum": ["identity", "gzip"], "default": "identity"},
        },
    ],
    "requestBody": {
        "content": {"application/json": {"schema": {"$ref": _SCHEMAS + ContactLogBody.__name__}}},
        "required": True,
    },
}
"""What FastAPI can't read from the route's signature, since it reads the body itself."""


class DescribedApp(FastAPI):
    """An application whose OpenAPI document has the log's schema, and each refusal once."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            log = ContactLogBody.model_json_schema(ref_template=_SCHEMAS + "{model}")
            schemas.update(log.pop("$defs"))
            schemas[ContactLogBody.__name__] = log
            document["components"]["responses"] = _shared_refusals(document)
        return self.openapi_schema or {}


def _shared_refusals(document: dict[str, Any]) -> dict[str, Any]:
    """Replace the answers from 400 on by references, and return what these lead to, by name."""
    shared: dict[str, Any] = {}
    for operation in (way for ways in document["paths"].values() for way in ways.values()):
        for status, answer in operation["responses"].items():
            if status >= "400":
                name = _name(status, answer, shared)
                shared[name] = answer
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def _name(status: str, answer: dict[str, Any], shared: dict[str, Any]) -> str:
    """Return the name of an answer: its status and codes, and a number where others have both."""
    codes = _CODE.findall(answer["description"].partition(":")[0])
    name = "_".join([status, *codes])
    others = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
    return next(other for other in others if shared.get(other, answer) == answer)
