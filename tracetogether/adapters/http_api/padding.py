"""Answers whose length reveals nothing: blanks fill them up to a multiple of some bytes."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKET_BYTES: Final = 1_024


class Padding:
    """ASGI middleware: pads JSON answers of some paths, also refusals, with blanks after the JSON.

    Body, headers and status line count together: "Created" and "Forbidden" have other lengths.

    Args:
        app: the application; answers in one piece.
        paths: path whose answers are padded -> bytes that the length is a multiple of.
    """

    def __init__(self, app: ASGIApp, paths: Mapping[str, int]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        bucket = self._paths[scope["path"]]
        start: Message | None = None

        async def padded(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                body = message.get("body", b"")
                kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
                body = body.ljust(_filled(len(body), _before(start["status"], kept), bucket))
                await send({**start, "headers": [*kept, (b"content-length", b"%d" % len(body))]})
                start, message = None, {**message, "body": body}
            await send(message)

        await self._app(scope, receive, padded)


def _before(status: int, headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how many bytes stand before the body; what a server adds is as long for all."""
    return len(HTTPStatus(status).phrase) + sum(
        len(name) + len(value) + 4 for name, value in headers
    )


def _filled(body: int, before: int, bucket: int) -> int:
    """Return the body's length, so that body, Content-Length and all before fill buckets."""
    size = body
    while rest := (before + len(str(size)) + size) % bucket:
        size += max(bucket - rest - 8, 1)  # less: a longer size needs more digits
    return size
