"""A line that shows how far a long call is: on a terminal and in a notebook."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OnProgress = Callable[[int, int], None]
"""Called with (what is done, what there is to do)."""


class ProgressLine:
    """One line on stderr that is written over, with what is done in per cent.

    Args:
        what: what is done, in a few words.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` is done."""
        percent = 100 * done // max(total, 1)
        if percent != self._last:
            self._last = percent
            sys.stderr.write(f"\r{self._what}: {percent} %")
            sys.stderr.flush()

    @classmethod
    @contextmanager
    def unless(cls, given: OnProgress | None, what: str) -> Iterator[OnProgress | None]:
        """Yield ``given`` if there is one; else a line where somebody looks; else None."""
        if given is not None or not _somebody_looks():
            yield given
            return
        try:
            yield cls(what)
        finally:
            sys.stderr.write("\r\x1b[K" if sys.stderr.isatty() else "\n")
            sys.stderr.flush()


def _somebody_looks() -> bool:
    """Return whether stderr is a terminal or a notebook's cell."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
