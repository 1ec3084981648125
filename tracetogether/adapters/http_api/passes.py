"""Routes of passes: batches, notices and declarations for phones, lists for everybody."""

import datetime as dt
import os
from base64 import b64encode
from collections.abc import Callable
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from tracetogether.adapters.http_api.described import Answers, refused
from tracetogether.adapters.http_api.editions import EditionAnswer
from tracetogether.adapters.http_api.guard import guarded
from tracetogether.authority.access.limits import DECLARATIONS, PASS_BATCHES, STATUS_ASKED
from tracetogether.authority.cases.case import day_of
from tracetogether.authority.oversight.wall import LISTS_GIVEN
from tracetogether.authority.service import Authority
from tracetogether.errors import InvalidRequestError
from tracetogether.parameters import PASSES
from tracetogether.shapes import passes as shapes

PADDED: Final = {"/v1/passes": 16_384, "/v1/status": 1_024, "/v1/declarations": 1_024}
"""Path -> the answer's length is a multiple of it: a notice is as long as a batch of passes."""
OF_PASSES: Final[Answers] = {
    404: refused("not_found", about="this phone keeps passes for nobody of this number.")
}
_JSON: Final = "application/json"


def lists_for_gates(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the routes that gates fetch their lists from; open to all."""
    router = APIRouter(prefix="/v1", tags=["open to all"])
    made = authority.passes
    trust = EditionAnswer(lambda now: _body("trust", made.trust_list(now)), PASSES.list_every_s)
    process = os.urandom(8)  # several processes count apart

    def count(begin: float, given: int) -> None:
        authority.store.raise_counts([(LISTS_GIVEN, process, int(begin), given)])

    revoked = EditionAnswer(
        lambda now: _body("revocations", made.revocation_list(now)), PASSES.revoked_every_s, count
    )

    @router.get("/trust", response_model=shapes.TrustListShown)
    def trust_list() -> Response:
        """Return the keys that sign passes, as a signed list that holds for 24 hours."""
        return trust.at(clock())

    @router.get("/revocations", response_model=shapes.RevocationListShown)
    def revocation_list() -> Response:
        """Return the numbers of revoked passes that are still valid, as a signed list.

        There is an edition at each full quarter of an hour. It names nobody.
        """
        return revoked.at(clock())

    return router


def passes_for_phones(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return the routes by which a phone gets passes and declares."""
    router = guarded("registration credential", "phones", authority.access.phone)

    @router.post("/passes", response_model=shapes.PassesIssued, responses=OF_PASSES)
    def fetch_passes(request: Request, asked: shapes.PassesAsked | None = None) -> Response:
        """Issue passes: two for each of 24 hours, or a notice that says why there are none.

        They are for the owner of the phone, or for a person without a phone whom it keeps passes
        for. Another request within the same hour returns passes with the same numbers. All answers
        have the same length.
        """
        now, user_id = clock(), request.state.caller
        authority.limits.take(PASS_BATCHES, user_id, now)
        if asked is not None and asked.charge_id is not None:
            user_id = authority.charges.user_of(user_id, asked.charge_id)
        batch = authority.passes.batch(user_id, now)
        answer = {
            "notice": {"notice": batch.notice.code, "parameters": batch.notice.parameters},
            "passes": batch.passes,
            "refresh_time": batch.refresh_at,
        }
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    @router.get("/status")
    def status(request: Request) -> shapes.NoticeShown:
        """Return the notice of this phone's owner about passes, and no passes."""
        now = clock()
        authority.limits.take(STATUS_ASKED, request.state.caller, now)
        return shapes.NoticeShown.of(authority.passes.notice(request.state.caller, now))

    @router.post("/declarations", status_code=201)
    def declare(request: Request, asked: shapes.DeclarationAsked) -> shapes.DeclarationTaken:
        """Store what this phone's owner declares: symptoms or none, and since which day.

        It replaces the earlier declaration, is sealed, and is deleted after 21 days.
        """
        now = clock()
        authority.limits.take(DECLARATIONS, request.state.caller, now)
        authority.declarations.declare(
            request.state.caller, now, symptoms=asked.symptoms, since_day=_day(asked.since)
        )
        return shapes.DeclarationTaken(kept_until=int(now) + PASSES.declared_s)

    return router


def _body(name: str, signed: bytes) -> bytes:
    return msgspec.json.encode({name: b64encode(signed).decode()})


def _day(date: str | None) -> int | None:
    """Return the number of a day that a phone sent as YYYY-MM-DD.

    Raises:
        InvalidRequestError: there is no such day.
    """
    try:
        return None if date is None else day_of(dt.date.fromisoformat(date))
    except ValueError:
        msg = "there is no such date: write one like 2026-11-27"
        raise InvalidRequestError(msg, "no-such-date") from None
