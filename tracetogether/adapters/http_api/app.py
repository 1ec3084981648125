"""The routes: who may call each, what it is given, what it answers."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from tracetogether import __version__
from tracetogether.adapters.http_api import shapes
from tracetogether.adapters.http_api.bodies import Bounds, read_log
from tracetogether.adapters.http_api.refusals import RefusedError, tell_errors
from tracetogether.authority.casework import Case, day_of
from tracetogether.authority.contacts import pseudonym
from tracetogether.authority.service import Authority
from tracetogether.authority.tracing import policy_named
from tracetogether.errors import AccessDeniedError, InvalidUploadError
from tracetogether.parameters import (
    MAX_UPLOAD_BYTES,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_TOKEN_LIFETIME_S,
)

_UPLOADS: Final = "/v1/uploads"
_UPLOADS_AT_ONCE: Final = 2  # unpacking a log takes many times its size
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": shapes.ErrorAnswer, "description": "Refused; nothing was changed."},
    "5XX": {"model": shapes.ErrorAnswer, "description": "A fault here; see `retry`."},
}
_DESCRIPTION: Final = """\
Phones register once, fetch TempIDs, and upload their contact log with a PIN that the health
authority gives out. Operators open cases and list contacts. Times are UTC epoch seconds."""

Check = Callable[[str | None], object]


def create_app(authority: Authority, *, clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the application.

    Args:
        authority: the service.
        clock: returns UTC epoch seconds.
    """
    app = FastAPI(
        title="TraceTogether authority",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        responses=_ANSWERS,
    )
    app.include_router(_public(authority))
    app.include_router(_for_phones(authority, clock))
    app.include_router(_for_uploads(authority, clock))
    app.include_router(_for_operators(authority, clock))
    app.add_middleware(Bounds, limits={_UPLOADS: MAX_UPLOAD_BYTES})
    tell_errors(app)
    return app


def _public(authority: Authority) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["open to all"])

    @router.get("/health")
    def health() -> shapes.Health:
        """Tell whether the service answers and can read its store."""
        authority.access.users.has_user("")
        return shapes.Health(status="ok")

    @router.post("/users", status_code=201)
    def register() -> shapes.Registered:
        """Register a phone. Nothing about its owner is asked."""
        new = authority.issuance.register()
        return shapes.Registered(user_id=new.user_id, credential=new.credential)

    return router


def _for_phones(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    router = _guarded("registration credential", "phones", authority.access.phone)

    @router.post("/tempids", response_model=shapes.Batch)
    def fetch_batch(request: Request) -> Response:
        """Issue a batch of TempIDs: 100 of 15 minutes each, the first already begun."""
        batch = authority.issuance.batch(request.state.caller, clock())
        return Response(msgspec.json.encode(batch.to_json()), media_type="application/json")

    @router.post("/upload-tokens", status_code=201)
    def redeem_pin(request: Request, asked: shapes.PinAndDigest) -> shapes.UploadTokenIssued:
        """Exchange an upload PIN for leave to upload one log within two hours.

        Five numbers may be tried. A wrong PIN, an expired, used or void one and another
        user's are answered alike.
        """
        now = clock()
        token = authority.intake.redeem_pin(
            request.state.caller, asked.pin, bytes.fromhex(asked.sha256), now
        )
        return shapes.UploadTokenIssued(
            upload_token=token, expires_at=now + UPLOAD_TOKEN_LIFETIME_S
        )

    return router


def _for_uploads(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    def check(token: str | None) -> str:
        try:
            authority.intake.check_token(token or "", clock())
        except InvalidUploadError as error:
            raise AccessDeniedError(str(error)) from None
        return token or ""

    router = _guarded("upload token", "phones", check)
    turn = asyncio.Semaphore(_UPLOADS_AT_ONCE)
    body = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}

    @router.post("/uploads", status_code=201, openapi_extra={"requestBody": body})
    async def upload(request: Request) -> shapes.Receipt:
        """Take in the log that the token was given for: OpenTrace's JSON, as it is or gzip.

        At most 16 MB unpacked and 100,000 records. Records that can't be believed are counted
        by reason. A second upload of the same log is a conflict: the first one stands.
        """
        log = await read_log(request)
        async with turn:
            receipt = await run_in_threadpool(
                authority.intake.take_upload, request.state.caller, log, clock()
            )
        return shapes.Receipt(
            records=receipt.records,
            accepted=receipt.accepted,
            rejected={reason.value: count for reason, count in receipt.rejected.items()},
        )

    return router


def _for_operators(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    router = _guarded("operator token", "operators", authority.access.operator)

    @router.post("/cases", status_code=201)
    def open_case(asked: shapes.NewCase) -> shapes.CaseLine:
        """Open a case for a registered user."""
        day = None if asked.date is None else day_of(asked.date)
        return _line(authority.casework.open_case(asked.user_id, clock(), day))

    @router.get("/cases")
    def list_cases() -> shapes.Cases:
        """List all cases, the newest first."""
        return shapes.Cases(cases=[_line(case) for case in authority.casework.cases()])

    @router.post("/cases/{case_id}/pin", status_code=201)
    def issue_pin(case_id: str) -> shapes.UploadPinIssued:
        """Issue an upload PIN for the case's user: valid 24 hours, once. It replaces earlier ones.

        It is shown this once; only its HMAC is kept.
        """
        now = clock()
        pin = authority.pins.issue(authority.casework.case(case_id), now)
        return shapes.UploadPinIssued(
            case_id=case_id, upload_pin=pin, expires_at=now + UPLOAD_PIN_LIFETIME_S
        )

    @router.get("/cases/{case_id}/contacts", response_model=shapes.Contacts)
    def list_contacts(
        case_id: str,
        policy: Annotated[str, Query(description="`singapore` or `2m-15min`.")] = "singapore",
    ) -> Response:
        """List who was near in the 14 days before the case's date, in order of concern."""
        traced = authority.tracing.contacts(authority.casework.case(case_id), policy_named(policy))
        return Response(msgspec.json.encode(traced.to_json()), media_type="application/json")

    return router


def _guarded(scheme: str, tag: str, check: Check) -> APIRouter:
    """Return a router whose every route asks ``check`` about the bearer first.

    Before the body is read, so that a stranger learns nothing from how it is judged. What
    ``check`` returns is ``request.state.caller``.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def handle_if_allowed(request: Request) -> Response:
                try:
                    request.state.caller = await run_in_threadpool(check, _bearer(request))
                except AccessDeniedError as error:
                    raise RefusedError(401, "unauthorized", str(error)) from None
                answer: Response = await handle(request)
                return answer

            return handle_if_allowed

    described = HTTPBearer(scheme_name=scheme, auto_error=False)  # for the OpenAPI document
    return APIRouter(
        prefix="/v1", tags=[tag], route_class=Guarded, dependencies=[Security(described)]
    )


def _bearer(request: Request) -> str | None:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def _line(case: Case) -> shapes.CaseLine:
    return shapes.CaseLine(
        case_id=case.case_id,
        pseudonym=pseudonym(case.user_id),
        date=case.date,
        opened_at=case.opened_at,
    )
