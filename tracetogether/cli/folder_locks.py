"""Locks on an authority's folder, for serving, for changing keys and for replacing data."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tracetogether.errors import StoreError

SERVING: Final = "serving.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the keys and lists in a folder."""
    with _flocked(folder, exclusive=True):
        yield


@contextmanager
def shared_use(folder: Path) -> Iterator[None]:
    """Mark the folder's database as in use while the body runs; others may use it too.

    Raises:
        StoreError: the database is being replaced.
    """
    busy = f"the database of {folder} is being restored: try again when that is done"
    with _flocked(_touched(folder), exclusive=False, busy=busy):
        yield


@contextmanager
def exclusive_use(folder: Path) -> Iterator[None]:
    """Keep servers and other commands away from the folder's database while the body runs.

    Raises:
        StoreError: another process uses it.
    """
    busy = f"a server or another command uses {folder}: end it before you replace the database"
    with _flocked(_touched(folder), exclusive=True, busy=busy):
        yield


def _touched(folder: Path) -> Path:
    """Return the file to lock; the folder itself if nothing may be written into it."""
    path = folder / SERVING
    try:
        path.touch(mode=0o600)
    except OSError:
        return path if path.exists() else folder
    return path


@contextmanager
def _flocked(path: Path, *, exclusive: bool, busy: str = "") -> Iterator[None]:
    """Hold a lock on a file or folder; do nothing on a system without such locks.

    Raises:
        StoreError: another process holds the lock; ``busy`` is the message. Without it, wait.
    """
    if os.name != "posix":
        yield
        return
    import fcntl  # noqa: PLC0415 - not there on Windows

    how = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (fcntl.LOCK_NB if busy else 0)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            raise StoreError(busy) from None
        yield
    finally:
        os.close(descriptor)
