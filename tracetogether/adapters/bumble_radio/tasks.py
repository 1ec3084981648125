"""Tasks on bumble that always finish, and bumble's many errors turned into two."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tracetogether.errors import LinkError, RadioError

_T = TypeVar("_T")


class ShieldedTasks:
    """Tasks that run to their end, also if the caller stops waiting for them.

    Bumble must not be cancelled between a command and its answer: nobody would take the answer,
    and the next command would fail.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Future[Any]] = set()

    def start(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> asyncio.Future[_T]:
        """Start ``work``; its exception is lost if nobody waits for it."""
        running = asyncio.ensure_future(work())
        self._running.add(running)
        running.add_done_callback(self._done)
        return running

    async def finish(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run ``work`` and return its result."""
        return await asyncio.shield(self.start(work))

    async def end(self, within_s: float) -> None:
        """Wait for all tasks, then cancel those that are left."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=within_s)
            for task in left:
                task.cancel()

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio complains that nobody has looked


@contextmanager
def link_errors(what: str) -> Iterator[None]:
    """Turn any error of bumble about a connection into LinkError."""
    try:
        yield
    except LinkError:
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        msg = f"can't {what}: the connection broke"  # bumble cancels what waits for an answer
        raise LinkError(msg) from None
    except Exception as error:  # noqa: BLE001 - a stack that promises no kinds of error
        msg = f"can't {what}: {reason(error)}"
        raise LinkError(msg) from None


@contextmanager
def radio_errors(what: str) -> Iterator[None]:
    """Turn any error of bumble about the controller into RadioError."""
    try:
        yield
    except RadioError:
        raise
    except Exception as error:  # noqa: BLE001 - a stack that promises no kinds of error
        msg = f"the Bluetooth controller does not {what}: {reason(error)}"
        raise RadioError(msg) from None


def reason(error: BaseException) -> str:
    """Return the error's message, or the name of its class."""
    return str(error) or type(error).__name__
