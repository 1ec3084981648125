"""An event loop whose time leaps to the next timer instead of waiting for it.

A day of a node, bumble's stack included, takes as long as its work does. For programs whose every
wait is a timer of the loop's own: no threads, no sockets, no other processes.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class LeapingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a clock of its own, which begins at nought."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        look = self._selector.select  # type: ignore[attr-defined]  # asyncio's own

        def select(timeout: float | None = None) -> Any:
            ready = look(0)
            if not ready:
                if timeout is None:
                    raise RuntimeError("nothing will ever happen: all wait, and there is no timer")
                self._now_s += timeout
            return ready

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        """Return seconds since the loop was made."""
        return self._now_s


def leap(work: Coroutine[Any, Any, _T]) -> _T:
    """Run ``work`` to its end on a leaping clock."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(work)
