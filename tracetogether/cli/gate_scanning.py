"""Lines from a hand scanner, which types like a keyboard; bounded, and not shown while typed."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST_LINE: Final = 5_000
"""Bytes of a line that are kept; the longest QR code has 4,296 characters."""


def scanned(descriptor: int, tick_s: float) -> Iterator[str | None]:
    """Yield each line that comes, without its end, and None after ``tick_s`` without one.

    Bytes that are no UTF-8 become replacement characters: such a line is no pass.
    """
    held = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], tick_s)
        if not ready:
            yield None
            continue
        piece = os.read(descriptor, 65_536)
        if not piece:
            if held:
                yield _text(held)
            return
        *whole, rest = (held + piece).split(b"\n")
        for line in whole:
            yield _text(line)
        held = rest[: MOST_LINE + 1]


@contextmanager
def unseen_keys(descriptor: int) -> Iterator[None]:
    """Don't show on the terminal what the scanner types; a pipe or a file needs nothing."""
    if os.name != "posix" or not os.isatty(descriptor):
        yield
        return
    import termios  # noqa: PLC0415 - not there on Windows

    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO  # the local modes
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def clear_screen() -> None:
    """Clear a terminal, also what scrolled out of it; write nothing to a pipe or a file."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")
        sys.stdout.flush()


def _text(line: bytes) -> str:
    return line.rstrip(b"\r")[:MOST_LINE].decode("utf-8", "replace")
