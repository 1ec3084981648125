"""A short queue for password checks, which are slow on purpose."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from tracetogether.errors import RateLimitedError

_Answer = TypeVar("_Answer")
AT_ONCE: Final = max(1, min(2, (os.cpu_count() or 1) // 2))  # half the cores stay free
WAITING: Final = 64  # a whole office may sign in at eight o'clock
_RETRY_AFTER_S: Final = 10


class Queue:
    """A few threads of its own, and a bounded number of calls that wait for one.

    Quick pages and routes keep the server's threads.

    Args:
        at_once: threads.
        waiting: calls that may wait for a thread.
    """

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(at_once, "passwords")
        self._most = at_once + waiting
        self._inside = 0
        self._count = threading.Lock()

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """Return what ``work`` returns.

        Raises:
            RateLimitedError: too many wait already: ``work`` was not called.
        """
        with self._count:
            if self._inside >= self._most:
                raise RateLimitedError(_RETRY_AFTER_S)
            self._inside += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._left)  # also if the caller has gone
        return await asyncio.wrap_future(future)

    def _left(self, _: Future[_Answer]) -> None:
        with self._count:
            self._inside -= 1
