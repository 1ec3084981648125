"""Work on bumble that runs to its end, and bumble's many errors made two."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tracetogether.errors import LinkError, RadioError

_T = TypeVar("_T")


class Errands:
    """Work that runs to its end, whoever gives up waiting for it.

    Bumble can't be stopped between a command and its answer: the answer then meets nobody,
    which breaks the next command.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Future[Any]] = set()

    def begin(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> asyncio.Future[_T]:
        """Begin it; what it raises is lost if nobody waits."""
        running = asyncio.ensure_future(work())
        self._running.add(running)
        running.add_done_callback(self._done)
        return running

    async def whole(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do it and return what it returns."""
        return await asyncio.shield(self.begin(work))

    async def end(self, within_s: float) -> None:
        """Wait for all of it, then cancel what is left."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=within_s)
            for one in left:
                one.cancel()

    def _done(self, one: asyncio.Future[Any]) -> None:
        self._running.discard(one)
        if not one.cancelled():
            one.exception()  # else asyncio complains that nobody has looked


@contextmanager
def broken(what: str) -> Iterator[None]:
    """Turn whatever bumble raises about a connection into LinkError."""
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
def refused(what: str) -> Iterator[None]:
    """Turn whatever bumble raises about the controller into RadioError."""
    try:
        yield
    except RadioError:
        raise
    except Exception as error:  # noqa: BLE001 - a stack that promises no kinds of error
        msg = f"the Bluetooth controller does not {what}: {reason(error)}"
        raise RadioError(msg) from None


def reason(error: BaseException) -> str:
    """Return what an error says, or at least its name."""
    return str(error) or type(error).__name__
