"""Bounds on request bodies: bytes on the wire, and time."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracetogether.adapters.http_api.refusals import refusal
from tracetogether.shapes.oversight import ErrorCode

MAX_SMALL_BODY_BYTES: Final = 32_768
"""Room for a note of 2,000 characters in any script: JSON may write each in twelve bytes."""
_API: Final = "/v1/"
_AT_MOST: Final = "at most {:,} bytes are accepted here"


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may come; a slower sender loses the connection.

    Attributes:
        grace_s: before the rate counts.
        bytes_a_s: on average.
        silence_s: between two pieces.
        total_s: for all of it.
    """

    grace_s: float = 10.0
    bytes_a_s: float = 4_000.0
    silence_s: float = 20.0
    total_s: float = 300.0

    def deadline(self, began: float, now: float, seen: int) -> float:
        """Return the loop's time by which the next piece must come."""
        allowed = self.grace_s + seen / self.bytes_a_s
        return min(began + min(allowed, self.total_s), now + self.silence_s)


class Bounds:
    """ASGI middleware: refuses bodies that are too long or too slow; keeps answers out of caches.

    Args:
        app: what is behind it.
        limits: path -> most bytes on the wire; MAX_SMALL_BODY_BYTES for every other path of the
            API. Pages bound their forms themselves, and refuse them with a page.
        below: beginning of a path -> most bytes, for paths that hold a name.
        pace: how slowly a body may come.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Mapping[str, int],
        pace: Pace = Pace(),
        below: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._limits = limits
        self._pace = pace
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        clock = asyncio.get_running_loop().time
        began = clock()
        seen = 0
        refused = complete = False

        async def private(message: Message) -> None:
            await send(_private(message))

        async def refuse(status: int, code: ErrorCode, message: str) -> None:
            nonlocal refused
            refused = True
            await refusal(status, code, message)(scope, receive, private)

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:  # after the body only a disconnection can come
                return await receive()
            try:
                async with asyncio.timeout_at(self._pace.deadline(began, clock(), seen)):
                    message = await receive()
            except TimeoutError:
                await refuse(408, "too_slow", "the body did not come in time: send it again")
                return {"type": "http.disconnect"}
            seen += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if seen <= limit:
                return message
            if not refused:
                await refuse(413, "too_large", _AT_MOST.format(limit))
            return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            if not refused:
                await private(message)

        if _declared(scope) > limit:
            await refuse(413, "too_large", _AT_MOST.format(limit))
            return
        await self._app(scope, counted, unless_refused)

    def _limit(self, path: str) -> int:
        most = MAX_SMALL_BODY_BYTES if _API in path else sys.maxsize
        for beginning, limit in self._below.items():
            most = limit if path.startswith(beginning) else most
        return self._limits.get(path, most)


def _declared(scope: Scope) -> int:
    """Return the body's length by its header; 0 without one."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


def _private(message: Message) -> Message:
    """Return a message whose answer no browser reinterprets.

    No cache keeps it, unless the route says that it is the same for everybody.
    """
    if message["type"] != "http.response.start":
        return message
    headers = list(message.get("headers", []))
    if not any(name == b"cache-control" and b"public" in value for name, value in headers):
        headers.append((b"cache-control", b"no-store"))
    return {**message, "headers": [*headers, (b"x-content-type-options", b"nosniff")]}
