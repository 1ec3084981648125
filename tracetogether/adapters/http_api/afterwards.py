"""Work after an answer, in a thread of its own."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tracetogether.errors import TraceTogetherError

_LOG: Final = logging.getLogger("tracetogether.http")


class Afterwards:
    """Runs one piece of work each time it is woken; several calls meanwhile count as one.

    Args:
        work: finds on each run what is left to do, also what failed the last time.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="afterwards")
        self._asked = threading.Event()

    def wake(self) -> None:
        """Run the work soon."""
        if not self._asked.is_set():
            self._asked.set()
            self._thread.submit(self._run)

    def settle(self) -> None:
        """Wait until all work requested so far is done."""
        self._thread.submit(int).result()

    def close(self) -> None:
        """Wait for the work in progress, and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self) -> None:
        self._asked.clear()  # before the work, which may miss what comes from now on
        try:
            self._work()
        except TraceTogetherError as error:
            _LOG.error("contact lists were not found (%s): this is tried again", error)
        except BaseException:
            _LOG.exception("contact lists were not found: this is tried again")
            raise
