"""Connections: how many there may be, how long each may be silent, and few log lines about it.

uvicorn has no limit until a request's header is complete, and asyncio accepts every connection.
Silent strangers would use up the process's file descriptors.
"""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tracetogether.adapters.http_api.repeated_lines import once_a_minute

ACCEPTED_AT_ONCE: Final = 64
"""How many connections the event loop accepts before it goes on with other work."""
_QUEUE: Final = 1_024  # connections that the system completes and queues; others try again
_OTHER_DESCRIPTORS: Final = 160  # the database, files, and connections that are about to close
_CLOSING_AT_ONCE: Final = 64
_REST_S: Final = 0.5  # asyncio tries again after a second
_LOG: Final = once_a_minute(logging.getLogger("tracetogether.http"))


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a process has, and how long each may keep it waiting.

    Attributes:
        most: at once. One more replaces the one that has been silent for longest.
        header_s: time for a request's header, from the start of the connection or the end of the
            request before; also for the rest of a body that was refused.
        unread_s: time to read on for a client whose answer does not fit into the buffers.
    """

    most: int = 1_000
    header_s: float = 10.0
    unread_s: float = 30.0

    def within_descriptors(self) -> int:
        """Return how many connections the process's descriptors allow, ``most`` at most."""
        try:
            import resource  # noqa: PLC0415 - not on every system
        except ImportError:
            return self.most
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self.most
        return min(self.most, max(soft - _OTHER_DESCRIPTORS, soft // 4))


class Visitor(socket.socket):
    """An accepted connection, known to the listener until it is closed."""

    def __init__(self, listener: "Listener", accepted: socket.socket) -> None:
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self._listener = listener
        self.number = self.fileno()
        self.timer: asyncio.TimerHandle | None = None

    def waits(self) -> None:
        """Note that no request is in progress: the time for the next header runs."""
        if self.timer is None and self.fileno() >= 0:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(self._listener.limits.header_s, self.hang_up)
            self._listener.waiting[self.number] = self

    def is_served(self) -> None:
        """Note that a request's header is complete."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self._listener.waiting.pop(self.number, None)

    def hang_up(self) -> None:
        """End the connection; asyncio notices and closes it."""
        self.is_served()
        self._listener.closing.add(self.number)
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, and make room for another."""
        if self.fileno() >= 0:
            self.is_served()
            self._listener.closing.discard(self.number)
            self._listener.visitors.pop(self.number, None)
        super().close()


class Listener(socket.socket):
    """A listening socket that accepts no more connections than the process can have.

    Attributes:
        limits: how many, and how long they may wait.
        visitors: by descriptor, all that are open.
        waiting: those without a request in progress; the longest wait comes first.
        closing: descriptors of those that were ended and not closed yet.
    """

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.limits = ConnectionLimits()
        self.visitors: dict[int, Visitor] = {}
        self.waiting: dict[int, Visitor] = {}
        self.closing: set[int] = set()
        self._most: int | None = None
        self._rests_until = 0.0

    def listen(self, _: int = 0, /) -> None:
        """Listen with a queue of our own; asyncio passes the number that it accepts at once."""
        super().listen(_QUEUE)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection, as asyncio asks for it.

        Raises:
            ConnectionAbortedError: there was no room for it.
            BlockingIOError: no connection waits, or descriptors were just used up.
            OSError: descriptors are used up; asyncio waits for a second.
        """
        if time.monotonic() < self._rests_until:  # asyncio would go on and log each failure
            raise BlockingIOError
        try:
            accepted, address = super().accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            raise
        except OSError:
            self._rests_until = time.monotonic() + _REST_S
            self._longest_waiting_goes()
            raise
        if self._most is None:  # asked in the process that serves
            self._most = self.limits.within_descriptors()
        if len(self.visitors) - len(self.closing) >= self._most:
            _LOG.warning("all %d connections are in use: silent ones are closed", self._most)
            if len(self.closing) >= _CLOSING_AT_ONCE or not self._longest_waiting_goes():
                accepted.close()
                raise ConnectionAbortedError
        visitor = Visitor(self, accepted)
        self.visitors[visitor.number] = visitor
        visitor.waits()
        return visitor, address

    def _longest_waiting_goes(self) -> bool:
        for visitor in self.waiting.values():
            visitor.hang_up()
            return True
        return False


def protocol_of(listener: Listener) -> type[H11Protocol]:
    """Return uvicorn's protocol for connections that ``listener`` accepts."""

    class Protocol(_Protocol):
        _listener = listener

    return Protocol


class _Protocol(H11Protocol):
    """Tells the listener of each connection whether a request is being served on it."""

    _listener: Listener
    _visitor: Visitor | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        number = transport.get_extra_info("socket").fileno()
        self._visitor = self._listener.visitors.get(number)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            limit_s = self._listener.limits.unread_s
            self._unread = self.loop.call_later(limit_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._all_read()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._all_read()

    def _watch(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if self._visitor is None:
            return
        if cycle is None or cycle.response_complete:
            self._visitor.waits()
        else:
            self._visitor.is_served()

    def _all_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
