"""The application: routes for everybody, for phones and for uploads, and the middleware."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from tracetogether import __version__
from tracetogether.adapters.http_api.afterwards import Afterwards
from tracetogether.adapters.http_api.bodies import Bounds
from tracetogether.adapters.http_api.charges import charges_for_phones
from tracetogether.adapters.http_api.described import (
    LOG_REQUEST,
    OF_ALL_ROUTES,
    OF_PINS,
    OF_UPLOADS,
    DescribedApp,
)
from tracetogether.adapters.http_api.editions import EditionAnswer
from tracetogether.adapters.http_api.faults import FaultMiddleware, log_fault
from tracetogether.adapters.http_api.forwarded import Forwarded, address_of
from tracetogether.adapters.http_api.guard import guarded
from tracetogether.adapters.http_api.log_bodies import LogsComingIn, ReceivedLog, busy
from tracetogether.adapters.http_api.mounting import BelowRoot
from tracetogether.adapters.http_api.open_data import open_files
from tracetogether.adapters.http_api.operators import for_operators
from tracetogether.adapters.http_api.padding import BUCKET_BYTES, Padding
from tracetogether.adapters.http_api.partners import LIMITS_BELOW, for_partners
from tracetogether.adapters.http_api.passes import PADDED, lists_for_gates, passes_for_phones
from tracetogether.adapters.http_api.presence import (
    MAX_VISITS_BYTES,
    VISITS_BUCKET_BYTES,
    VISITS_PATH,
    visits_for_uploads,
    warnings_for_everybody,
)
from tracetogether.adapters.http_api.readiness import Readiness
from tracetogether.adapters.http_api.refusals import install_error_handlers, no_nul
from tracetogether.adapters.http_api.status import add_appeals_of_phones
from tracetogether.adapters.http_api.team import GivesPasswords
from tracetogether.adapters.http_api.upload_tokens import by_upload_token, checked_sender
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.sources import TrustedProxies
from tracetogether.authority.intake.uploads import CHAFF_CASE, UploadReceipt
from tracetogether.authority.service import Authority
from tracetogether.bounded_pool import BoundedPool
from tracetogether.parameters import MAX_UPLOAD_BYTES, UPLOAD_ANSWER_STEP_S, UPLOAD_TOKEN_LIFETIME_S
from tracetogether.shapes import phones as shapes
from tracetogether.shapes.oversight import Done, Health, Ready
from tracetogether.shapes.status import RestrictionFiguresShape
from tracetogether.units import SECONDS_PER_MINUTE

_UPLOADS: Final = "/v1/uploads"
_PADDED: Final = {
    "/v1/upload-tokens": BUCKET_BYTES,
    _UPLOADS: BUCKET_BYTES,
    VISITS_PATH: VISITS_BUCKET_BYTES,
    **PADDED,
}
_LOGS_AT_ONCE: Final = 1  # unpacked it takes many times its size; two would share the processor
_LOGS_WAITING: Final = 8
_DESCRIPTION: Final = """\
Phones register once, fetch TempIDs, and upload their contact log with a PIN from the health
authority. Operators open cases and list contacts. Times are UTC epoch seconds."""


def create_app(
    authority: Authority,
    *,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    proxies: TrustedProxies | None = None,
    answer_step_s: float = UPLOAD_ANSWER_STEP_S,
    root_path: str = "",
    passwords: GivesPasswords | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        authority: the service.
        clock: returns UTC epoch seconds.
        pause: waits for some seconds, while others are served.
        proxies: proxies whose X-Forwarded-For counts; None: no proxy.
        answer_step_s: uploads are answered at multiples of this time, in seconds; 0: at once.
        root_path: everything is served below this path, such as "/tracing" (``root_path_of``).
        passwords: sets an operator's first password and returns it; None: this server sets none.
    """
    afterwards = Afterwards(lambda: authority.finder.work_off(clock()))
    app = DescribedApp(
        title="TraceTogether authority",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        responses=OF_ALL_ROUTES,
        dependencies=[Depends(no_nul)],
        redirect_slashes=False,  # such a redirect would repeat what the request calls its host
        servers=[{"url": root_path}] if root_path else None,
    )
    app.include_router(_public(authority, clock))
    app.include_router(_for_phones(authority, clock, pause))
    app.include_router(_for_speakers(authority, clock))
    app.include_router(charges_for_phones(authority, clock))
    app.include_router(lists_for_gates(authority, clock))
    app.include_router(open_files(authority, clock))
    app.include_router(passes_for_phones(authority, clock))
    app.include_router(warnings_for_everybody(authority, clock))
    app.include_router(visits_for_uploads(authority, clock))
    app.include_router(_for_uploads(authority, clock, afterwards, answer_step_s))
    app.state.afterwards = afterwards  # the server that runs the application closes it
    app.include_router(for_partners(authority, clock, afterwards))
    app.include_router(for_operators(authority, clock, passwords))
    app.add_middleware(Padding, paths=_PADDED)
    app.add_middleware(
        Bounds,
        limits={_UPLOADS: MAX_UPLOAD_BYTES, VISITS_PATH: MAX_VISITS_BYTES},
        below=LIMITS_BELOW,
    )
    app.add_middleware(Forwarded, proxies=proxies or TrustedProxies())
    app.add_middleware(FaultMiddleware)
    app.add_middleware(BelowRoot, root_path=root_path)
    install_error_handlers(app, log_fault)
    return app


def _public(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["open to all"])

    @router.get("/health")
    def health() -> Health:
        """Check that the service answers and can read its store."""
        authority.store.has_user("")
        return Health(status="ok")

    readiness = Readiness(authority, clock)

    @router.get("/ready", responses={503: {"model": Ready, "description": "Not ready."}})
    def ready(request: Request, response: Response) -> Ready:
        """Check that the service can work: store, disk, today's keys, clock.

        If the last purge was days ago, the clock may be wrong and the service purges nothing.
        The answer is 503 unless everything is ready.
        """
        answer, why = readiness()
        if why:
            response.status_code = 503
            log_fault(request.scope, 503, f"not ready: {why}")
        return answer

    @router.post("/users", status_code=201)
    def register(request: Request) -> shapes.Registered:
        """Register a phone, without any data about its owner."""
        new = authority.issuance.register(clock(), address_of(request))
        return shapes.Registered.of(new)

    figures = EditionAnswer(
        lambda now: (
            RestrictionFiguresShape.of(authority.figures.restriction_figures(now))
            .model_dump_json()
            .encode()
        ),
        SECONDS_PER_MINUTE,
    )

    @router.get("/figures/restrictions", response_model=RestrictionFiguresShape)
    def restriction_figures() -> Response:
        """Count restrictions by ground, those without evidence, and appeals, for everybody.

        These are numbers of people at the last midnight of the authority's zone, cut to full tens:
        10 stands for 10 to 19, and null for 0 to 9.
        """
        return figures.at(clock())

    return router


def _for_phones(
    authority: Authority, clock: Callable[[], float], pause: Callable[[float], Awaitable[None]]
) -> APIRouter:
    router = guarded("registration credential", "phones", authority.access.phone)
    add_appeals_of_phones(router, authority, clock)

    @router.delete("/users/me")
    def withdraw(request: Request) -> Done:
        """Forget this phone's user: credential, PINs, cases and uploads.

        TempIDs that others have recorded no longer lead to anybody.
        """
        authority.issuance.withdraw(request.state.caller, clock())
        return Done(done=True)

    def exchange(
        user_id: str, asked: shapes.PinAndDigest, now: float, address: str, *, chaff: bool
    ) -> str:
        digest = bytes.fromhex(asked.sha256)
        if chaff:
            return authority.intake.pretend_redeem(user_id, digest, now, address=address)
        return authority.intake.redeem_pin(
            user_id, asked.pin, digest, now, attempt=asked.attempt or "", address=address
        )

    @router.post("/upload-tokens", status_code=201, responses=OF_PINS)
    async def redeem_pin(
        request: Request,
        asked: shapes.PinAndDigest,
        x_chaff: Annotated[
            str | None,
            Header(description="Any value: this request only hides those of other phones."),
        ] = None,
    ) -> shapes.UploadTokenIssued:
        """Exchange an upload PIN for permission to upload one log within two hours.

        A user has five attempts. Wrong, expired, used and void PINs and those of other users get
        the same answer. All answers are delayed while somebody guesses from the same address. If
        the answer was lost, ask again with the same `attempt`.
        """
        now = clock()
        user_id, address = request.state.caller, address_of(request)
        chaff = x_chaff is not None
        try:
            token = await run_in_threadpool(exchange, user_id, asked, now, address, chaff=chaff)
        finally:
            await pause(await run_in_threadpool(authority.pins.pause_s, now, address))
        return shapes.UploadTokenIssued(
            upload_token=token, expires_at=now + UPLOAD_TOKEN_LIFETIME_S
        )

    return router


def _for_speakers(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    router = guarded("registration credential", "phones", authority.access.speaker)

    @router.post("/tempids", response_model=shapes.Batch)
    def fetch_batch(request: Request) -> Response:
        """Issue a batch of TempIDs: 100 of 15 minutes each, the first already valid.

        Another request within the same quarter of an hour returns the same batch. The device of a
        place fetches its TempIDs here too.
        """
        now, speaker = clock(), request.state.caller
        authority.limits.take(BATCHES, speaker.user_id, now)
        issued_by = authority.places if speaker.is_place else authority.issuance
        batch = issued_by.batch(speaker.user_id, now)
        return Response(msgspec.json.encode(batch.to_json()), media_type="application/json")

    return router


def _for_uploads(
    authority: Authority,
    clock: Callable[[], float],
    afterwards: Afterwards,
    answer_step_s: float,
) -> APIRouter:
    router = by_upload_token(authority, clock)
    pool = BoundedPool("logs", workers=_LOGS_AT_ONCE, waiting=_LOGS_WAITING, full=busy)
    coming_in = LogsComingIn(pool)

    def check_sender(token: str, credential: str | None) -> str:
        return checked_sender(authority, token, credential, clock())

    def take(token: str, log: ReceivedLog) -> UploadReceipt:
        packed = bytes(log.body) if log.gzip else None
        receipt = authority.intake.take_upload(token, log.unpacked(), clock(), packed=packed)
        if receipt.case_id != CHAFF_CASE:
            afterwards.wake()
        return receipt

    async def step_is_over(began: float) -> None:
        if answer_step_s > 0:
            spent = asyncio.get_running_loop().time() - began
            await asyncio.sleep(answer_step_s - spent % answer_step_s)

    @router.post("/uploads", status_code=201, responses=OF_UPLOADS, openapi_extra=LOG_REQUEST)
    async def upload(
        request: Request,
        # Described by LOG_REQUEST: a request without it is refused like one of another phone.
        x_credential: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> shapes.Receipt:
        """Receive the log that the token is for: OpenTrace's JSON, plain or gzip.

        Only the phone that exchanged the PIN may send it, with its credential and the token.
        At most 16 MB unpacked and 100,000 records. Rejected records are counted by reason. A
        second upload of the same log is a conflict. The answer comes after a multiple of 0.25 s,
        once the log is stored; the contacts in it are found afterwards.
        """
        token = request.state.caller
        sender = await run_in_threadpool(check_sender, token, x_credential)
        began: float | None = None
        try:
            async with coming_in.reading(request, sender) as log:
                began = asyncio.get_running_loop().time()
                receipt = await pool.run(take, token, log)
        finally:
            if began is not None:
                await step_is_over(began)
        return shapes.Receipt.of(receipt)

    return router
