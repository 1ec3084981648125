"""Routes between authorities: records that a partner sends, signed; and partners for operators."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from tracetogether.adapters.http_api.afterwards import Afterwards
from tracetogether.adapters.http_api.described import Answers, refused
from tracetogether.adapters.http_api.forwarded import address_of
from tracetogether.adapters.http_api.guard import By
from tracetogether.adapters.http_api.log_bodies import busy
from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.authority.partners.batches import MOST_MESSAGE
from tracetogether.authority.service import Authority
from tracetogether.bounded_pool import BoundedPool
from tracetogether.errors import TrustError
from tracetogether.shapes.partners import PartnerLine, PartnerLines, RecordsTaken

BELOW: Final = "/v1/partners/"
"""Paths that begin so take bodies of ``MOST_MESSAGE`` bytes."""
MEDIA_TYPE: Final = "application/cose"
_READ_AT_ONCE: Final = 16  # of half a megabyte each, before it is known who sends them
_JUDGED_AT_ONCE: Final = 1
_WAITING: Final = 8
OF_RECORDS: Final[Answers] = {
    400: refused(
        "invalid_request",
        about="the batch is for another authority, too old, or sealed to another key.",
    ),
    401: refused("unauthorized", about="no partner signed this."),
}
_REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "required": True,
    }
}


def for_partners(
    authority: Authority, clock: Callable[[], float], afterwards: Afterwards
) -> APIRouter:
    """Return the route that other authorities send records to."""
    router = APIRouter(prefix="/v1", tags=["partners"])
    pool = BoundedPool("records", workers=_JUDGED_AT_ONCE, waiting=_WAITING, full=busy)
    reading = asyncio.Semaphore(_READ_AT_ONCE)

    def take(organisation: str, body: bytes, address: str) -> RecordsTaken:
        now, taking = clock(), authority.record_taking
        try:
            taken = taking.from_partner(organisation, body, now, address=address)
        except TrustError as error:
            raise RefusedError(401, "unauthorized", str(error)) from None
        if taken.accepted:
            afterwards.wake()
        answers = taking.answers_for(organisation, now)
        return RecordsTaken(already=taken.already, answers=b64encode(answers).decode())

    @router.post("/partners/{organisation}/records", responses=OF_RECORDS, openapi_extra=_REQUEST)
    async def records(organisation: str, request: Request) -> RecordsTaken:
        """Take a batch of records, or answers, that the partner `organisation` signed.

        There is no bearer: the signature says who sends it. A batch that comes twice changes
        nothing. The answer holds counts by day, and nothing about this batch.
        """
        address = address_of(request)
        await run_in_threadpool(authority.record_taking.check_address, address, clock())
        if reading.locked():
            raise busy()
        async with reading:
            body = await request.body()
            return await pool.run(take, organisation, body, address)

    return router


def add_partners(router: APIRouter, authority: Authority) -> None:
    """Add the operators' route about partners."""

    @router.get("/partners")
    def partners(by: By) -> PartnerLines:
        """List the authorities that are recognised, and what was exchanged with each in 25 days.

        Roles: keyholder, supervisor, auditor.
        """
        found = authority.partners_overview.all(by=by)
        return PartnerLines(partners=[PartnerLine.of(shown) for shown in found])


LIMITS_BELOW: Final = {BELOW: MOST_MESSAGE}
"""Beginning of a path -> most bytes of a body."""
