"""Log lines that strangers can cause: each kind once a minute, with a count of the others."""

import logging
import time
from typing import Final

from tracetogether.units import SECONDS_PER_MINUTE

_ACCEPT: Final = "socket.accept()"


class _OnceAMinute(logging.Filter):
    """Passes the first line of a kind, then one a minute; tracebacks of faults always pass.

    A kind is the text before arguments are filled in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = str(record.msg).partition("\n")[0]
        if record.levelno >= logging.ERROR and not kind.startswith(_ACCEPT):
            return True
        now = time.monotonic()
        if now - self._last.get(kind, -SECONDS_PER_MINUTE) < SECONDS_PER_MINUTE:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._last[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{kind} ({left_out} more like it since the last such line)"
        return True


_FILTER: Final = _OnceAMinute()


def once_a_minute(logger: logging.Logger) -> logging.Logger:
    """Return the logger, which passes each kind of line once a minute from now on."""
    logger.addFilter(_FILTER)  # a second time changes nothing
    return logger
