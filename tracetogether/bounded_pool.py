"""Threads of one kind of work: few workers, a short queue, and a refusal beyond it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class BoundedPool:
    """Runs work in threads of its own, so that the event loop and other work go on.

    Args:
        name: of the threads.
        workers: how many threads.
        waiting: how many calls may wait for one.
        full: returns the error to raise while all threads work and the queue is full.
    """

    def __init__(
        self, name: str, *, workers: int, waiting: int, full: Callable[[], Exception]
    ) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._room = workers + waiting
        self._full = full
        self._lock = threading.Lock()

    async def run(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Return what ``work`` returns, and raise what it raises, or the error of a full queue."""
        with self._lock:
            if not self._room:
                raise self._full()
            self._room -= 1
        running = self._threads.submit(work, *args, **kwargs)
        running.add_done_callback(self._done)  # also of work whose caller has gone
        return await asyncio.wrap_future(running)

    def _done(self, _: "Future[_R]") -> None:
        with self._lock:
            self._room += 1
