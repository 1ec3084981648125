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
    with _flocked(folder, exclusive=True, wait=True):
        yield


@contextmanager
def served_from(folder: Path) -> Iterator[None]:
    """Mark the folder's database as in use while the body runs; others may use it too.

    Raises:
        StoreError: the database is being replaced.
    """
    try:
        with _flocked(_touched(folder), exclusive=False, wait=False):
            yield
    except BlockingIOError:
        msg = f"the database of {folder} is being restored: try again when that is done"
        raise StoreError(msg) from None


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Keep servers and other commands away from the folder's database while the body runs.

    Raises:
        StoreError: another process uses it.
    """
    try:
        with _flocked(_touched(folder), exclusive=True, wait=False):
            yield
    except BlockingIOError:
        msg = f"a server or another command uses {folder}: end it before you replace the database"
        raise StoreError(msg) from None


def _touched(folder: Path) -> Path:
    """Return the file to lock; the folder itself if nothing may be written into it."""
    path = folder / SERVING
    try:
        path.touch(mode=0o600)
    except OSError:
        return path if path.exists() else folder
    return path


@contextmanager
def _flocked(path: Path, *, exclusive: bool, wait: bool) -> Iterator[None]:
    """Hold a lock on a file or folder; do nothing on a system without such locks.

    Raises:
        BlockingIOError: another process holds the lock, and ``wait`` is false.
    """
    if os.name != "posix":
        yield
        return
    import fcntl  # noqa: PLC0415 - not there on Windows

    how = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
