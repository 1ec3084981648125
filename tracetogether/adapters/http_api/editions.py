"""Answers for everybody that are computed once an edition, however many strangers ask."""

import itertools
import threading
from collections.abc import Callable

from fastapi import Response


class EditionAnswer:
    """A JSON answer that is computed once an edition.

    An edition lasts ``every_s`` and begins at a full multiple of it. When the next one is made,
    ``over`` is called with the beginning of the last one, and how often this process gave it out.
    """

    def __init__(
        self,
        make: Callable[[float], bytes],
        every_s: float,
        over: Callable[[float, int], None] | None = None,
    ) -> None:
        self._make = make
        self._every_s = every_s
        self._over = over
        self._lock = threading.Lock()
        self._made: tuple[float, bytes] | None = None
        self._asked = itertools.count()
        self._asked_before = 0

    def at(self, now: float) -> Response:
        """Return the answer at ``now`` (epoch seconds).

        While one thread computes the next edition, the others return the last one: requests of
        strangers don't occupy all threads. If there is none, or an older one, they wait.
        """
        edition, made = now // self._every_s, self._made
        asked = next(self._asked)
        if made is None or made[0] != edition:
            recent = made is not None and made[0] == edition - 1
            if self._lock.acquire(blocking=not recent):
                try:
                    made = self._made
                    if made is None or made[0] != edition:
                        last, made = made, (edition, self._make(now))
                        self._made = made
                        if self._over is not None and last is not None:
                            self._over(last[0] * self._every_s, asked - self._asked_before)
                        self._asked_before = asked
                finally:
                    self._lock.release()
        if made is None:
            raise AssertionError(self._every_s)
        return Response(made[1], media_type="application/json")
