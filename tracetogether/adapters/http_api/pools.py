"""Threads of one kind of work: few workers, a short queue, and a refusal beyond it."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.adapters.http_api.repeated_lines import once_a_minute

_P = ParamSpec("_P")
_R = TypeVar("_R")
_RETRY_AFTER_S: Final = 15
_LOG: Final = once_a_minute(logging.getLogger(__name__))


def busy() -> RefusedError:
    """Return the refusal of a log for which there is no room; it is logged once a minute.

    The status is 429, not 503: the service works, and strangers can cause this at will.
    """
    _LOG.warning("logs are refused (429): too many come in at once")
    msg = "too many logs come in at this moment: try again in a while"
    return RefusedError(429, "busy", msg, retry_after_s=_RETRY_AFTER_S)


class BoundedPool:
    """Runs work in threads of its own, so that the event loop and other work go on.

    Args:
        name: of the threads.
        workers: how many threads.
        waiting: how many calls may wait for one.
    """

    def __init__(self, name: str, *, workers: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._room = workers + waiting
        self._lock = threading.Lock()

    async def run(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Return what ``work`` returns, and raise what it raises.

        Raises:
            RefusedError: the queue is full (429).
        """
        with self._lock:
            if not self._room:
                raise busy()
            self._room -= 1
        running = self._threads.submit(work, *args, **kwargs)
        running.add_done_callback(self._done)  # also of work whose caller has gone
        return await asyncio.wrap_future(running)

    def _done(self, _: "Future[_R]") -> None:
        with self._lock:
            self._room += 1
