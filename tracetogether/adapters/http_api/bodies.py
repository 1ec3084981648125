"""Reading what is sent, within bounds: bytes on the wire, and bytes after decompression."""

import sys
import zlib
from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracetogether.adapters.http_api.refusals import RefusedError, refusal
from tracetogether.parameters import MAX_UPLOAD_BYTES

MAX_SMALL_BODY_BYTES: Final = 32_768
"""Room for a note of 2,000 characters in any script: JSON may write each in twelve bytes."""
_API: Final = "/v1/"
_GZIP: Final = 16 + zlib.MAX_WBITS


async def read_log(request: Request) -> tuple[bytes, bytes | None]:
    """Return the log that a request carries, unpacked, and the gzip it came in, if it did.

    Never holds more than the limit of either.

    Raises:
        RefusedError: larger than 16 MB (413), no gzip though called so (400), or packed in
            another way (415).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise RefusedError(415, "unsupported_encoding", "send the log as it is or with gzip")
    inflater = None if encoding == "identity" else zlib.decompressobj(_GZIP)
    log, packed = bytearray(), bytearray()
    async for chunk in request.stream():
        if inflater is not None:
            packed += chunk
        room = MAX_UPLOAD_BYTES - len(log) + 1  # one more than fits, to tell full from over
        log += chunk[:room] if inflater is None else _inflated(inflater, chunk, room)
        if len(log) > MAX_UPLOAD_BYTES:
            raise _too_large(MAX_UPLOAD_BYTES)
    if inflater is not None and not inflater.eof:
        raise RefusedError(400, "invalid_upload", "the gzip data end too early")
    return bytes(log), None if inflater is None else bytes(packed)


def _inflated(inflater: "zlib._Decompress", chunk: bytes, room: int) -> bytes:
    try:
        unpacked = inflater.decompress(chunk, room)
    except zlib.error:
        raise RefusedError(400, "invalid_upload", "the log is not gzip, as it says") from None
    if inflater.unused_data:
        raise RefusedError(400, "invalid_upload", "there is more after the gzip data")
    return unpacked


def _too_large(limit: int) -> RefusedError:
    return RefusedError(413, "too_large", f"at most {limit:,} bytes are accepted here")


class Bounds:
    """ASGI middleware: refuses bodies over the limit, and keeps answers out of caches.

    Args:
        app: what is behind it.
        limits: path -> most bytes on the wire; MAX_SMALL_BODY_BYTES for every other path of the
            API. Pages bound their forms themselves, and refuse them with a page.
    """

    def __init__(self, app: ASGIApp, limits: Mapping[str, int]) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MAX_SMALL_BODY_BYTES if _API in scope["path"] else sys.maxsize
        limit = self._limits.get(scope["path"], most)
        seen = 0
        refused = False

        async def private(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        async def refuse() -> None:
            nonlocal refused
            refused = True
            error = _too_large(limit)
            await refusal(error.status, error.code, error.message)(scope, receive, private)

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen <= limit:
                return message
            if not refused:
                await refuse()
            return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            if not refused:
                await private(message)

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await refuse()
            return
        await self._app(scope, counted, unless_refused)
