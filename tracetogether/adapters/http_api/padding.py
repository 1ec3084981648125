"""Answers whose length tells nothing: filled up with blanks to the next multiple of 1,024 bytes."""

from collections.abc import Set as AbstractSet
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKET_BYTES: Final = 1_024


class Padding:
    """ASGI middleware: pads JSON answers of some paths, refusals too. Blanks after JSON are JSON.

    Args:
        app: what is behind it; answers in one piece.
        paths: whose answers are padded.
    """

    def __init__(self, app: ASGIApp, paths: AbstractSet[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def padded(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                body = message.get("body", b"")
                body += b" " * (-len(body) % BUCKET_BYTES)
                kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", b"%d" % len(body))]})
                start, message = None, {**message, "body": body}
            await send(message)

        await self._app(scope, receive, padded)
