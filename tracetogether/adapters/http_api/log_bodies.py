"""Reading uploaded logs: bounded memory for all of them together, packed until they are used."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.adapters.http_api.repeated_lines import once_a_minute
from tracetogether.bounded_pool import BoundedPool
from tracetogether.parameters import MAX_UPLOAD_BYTES

HELD_BYTES: Final = 3 * MAX_UPLOAD_BYTES
"""Most bytes, as sent, of all logs that are being received."""
LOGS_AT_ONCE: Final = 64
_GRACE_S: Final = 5.0  # a log younger than this is not dropped for another
_STEP: Final = 65_536  # bytes that are looked into, and unpacked, at once
_GZIP: Final = 16 + zlib.MAX_WBITS
_RETRY_AFTER_S: Final = 15
_LOG: Final = once_a_minute(logging.getLogger(__name__))


def busy() -> RefusedError:
    """Return the refusal of a log for which there is no room; it is logged once a minute.

    The status is 429, not 503: the service works, and strangers can cause this at will.
    """
    _LOG.warning("logs are refused (429): too many come in at once")
    msg = "too many logs come in at this moment: try again in a while"
    return RefusedError(429, "busy", msg, retry_after_s=_RETRY_AFTER_S)


@dataclass(eq=False, slots=True)
class ReceivedLog:
    """A log as it was sent.

    Attributes:
        sender: user id of the phone.
        began: the event loop's time of its first byte.
        gzip: whether it is packed.
        body: the bytes so far.
        giving_way: timeout that ends its reading; None once it is read.
    """

    sender: str = field(repr=False)
    began: float
    gzip: bool
    body: bytearray = field(default_factory=bytearray, repr=False)
    giving_way: asyncio.Timeout | None = field(default=None, repr=False)

    def unpacked(self) -> bytes:
        """Return the log unpacked. That takes time: call it in a thread.

        Raises:
            RefusedError: larger than 16 MB (413), or said to be gzip and not (400).
        """
        if not self.gzip:
            return bytes(self.body)
        inflater = zlib.decompressobj(_GZIP)
        log = _inflated(inflater, bytes(self.body), MAX_UPLOAD_BYTES + 1)
        if len(log) > MAX_UPLOAD_BYTES:
            raise _too_large()
        if not inflater.eof:
            raise RefusedError(400, "invalid_upload", "the gzip data end too early")
        if inflater.unused_data:
            raise RefusedError(400, "invalid_upload", "there is more after the gzip data")
        return log


class LogsComingIn:
    """Reads logs from requests: one per sender, with a bound on the bytes of all of them.

    Without room for more, the slowest log is dropped. A newer log of the same sender replaces the
    one before, because the server may not have noticed that its connection was lost.

    Args:
        pool: threads that unpack logs to measure them.
        held_bytes: most bytes of all logs together.
        at_once: most logs at a time.
    """

    def __init__(
        self, pool: BoundedPool, *, held_bytes: int = HELD_BYTES, at_once: int = LOGS_AT_ONCE
    ) -> None:
        self._pool = pool
        self._at_once = at_once
        self._limit = held_bytes
        self._held = 0
        self._logs: dict[str, ReceivedLog] = {}

    @property
    def held(self) -> int:
        """Bytes of all logs that are being received or processed."""
        return self._held

    @asynccontextmanager
    async def reading(self, request: Request, sender: str) -> AsyncIterator[ReceivedLog]:
        """Read the log that a request carries; it is held while the body runs.

        Raises:
            RefusedError: packed in another way than gzip (415), larger than 16 MB (413), said to
                be gzip and not (400), another log of this sender is being processed (429), or
                there is no room for it (429).
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise RefusedError(415, "unsupported_encoding", "send the log as it is or with gzip")
        log = ReceivedLog(sender, asyncio.get_running_loop().time(), encoding != "identity")
        self._add(log)
        try:
            await self._read(request, log)
            yield log
        finally:
            self._remove(log)

    def _add(self, log: ReceivedLog) -> None:
        before = self._logs.get(log.sender)
        if before is not None and not self._give_way(before):
            msg = "a log of this phone is being taken in: wait for the answer"
            raise RefusedError(429, "rate_limited", msg, retry_after_s=_RETRY_AFTER_S)
        if len(self._logs) >= self._at_once and not self._slowest_gives_way(log):
            raise busy()
        self._logs[log.sender] = log

    def _remove(self, log: ReceivedLog) -> None:
        if self._logs.get(log.sender) is log:
            del self._logs[log.sender]
            self._held -= len(log.body)
        log.body.clear()

    def _give_way(self, log: ReceivedLog) -> bool:
        """End the reading of a log; False if it has been read."""
        if log.giving_way is None:
            return False
        log.giving_way.reschedule(asyncio.get_running_loop().time())
        self._remove(log)
        return True

    def _slowest_gives_way(self, to: ReceivedLog) -> bool:
        now = asyncio.get_running_loop().time()
        old = [
            log
            for log in self._logs.values()
            if log is not to and log.giving_way is not None and now - log.began > _GRACE_S
        ]
        old.sort(key=lambda log: len(log.body) / (now - log.began))
        return any(self._give_way(log) for log in old)

    async def _read(self, request: Request, log: ReceivedLog) -> None:
        counter = _Counter() if log.gzip else None
        looked_into = 0
        try:
            async with asyncio.timeout(None) as log.giving_way:
                async for chunk in request.stream():
                    if self._logs.get(log.sender) is not log:  # it gave way a moment ago
                        raise busy()
                    if len(log.body) + len(chunk) > MAX_UPLOAD_BYTES:
                        raise _too_large()
                    while self._held + len(chunk) > self._limit:
                        if not self._slowest_gives_way(log):
                            raise busy()
                    self._held += len(chunk)
                    log.body += chunk
                    if counter is not None and len(log.body) - looked_into >= _STEP:
                        piece = bytes(memoryview(log.body)[looked_into:])
                        looked_into = len(log.body)
                        await self._pool.run(counter.look_into, piece)
        except TimeoutError:
            raise busy() from None
        finally:
            log.giving_way = None


class _Counter:
    """Measures packed data by unpacking them; keeps none of the result."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)
        self._length = 0

    def look_into(self, piece: bytes) -> None:
        """Measure the next piece.

        Raises:
            RefusedError: the data are too long (413), or not gzip (400).
        """
        while piece:
            self._length += len(_inflated(self._inflater, piece, _STEP))
            if self._length > MAX_UPLOAD_BYTES:
                raise _too_large()
            piece = self._inflater.unconsumed_tail


def _inflated(inflater: "zlib._Decompress", packed: bytes, room: int) -> bytes:
    try:
        return inflater.decompress(packed, room)
    except zlib.error:
        raise RefusedError(400, "invalid_upload", "the log is not gzip, as it says") from None


def _too_large() -> RefusedError:
    return RefusedError(413, "too_large", f"at most {MAX_UPLOAD_BYTES:,} bytes are accepted here")
