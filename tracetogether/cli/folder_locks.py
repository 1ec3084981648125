"""Locks on an authority's folder: who serves from it, who changes its keys, who replaces it."""

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
    """Say that the folder's database is in use while the body runs; others may use it as well.

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
        StoreError: one of them uses it.
    """
    try:
        with _flocked(_touched(folder), exclusive=True, wait=False):
            yield
    except BlockingIOError:
        msg = (
            f"a server runs on {folder}, or another command: end it before the database is "
            "replaced under it"
        )
        raise StoreError(msg) from None


def _touched(folder: Path) -> Path:
    """Return the file that is locked; the folder itself where nothing may be written."""
    path = folder / SERVING
    try:
        path.touch(mode=0o600)
    except OSError:
        return path if path.exists() else folder
    return path


@contextmanager
def _flocked(path: Path, *, exclusive: bool, wait: bool) -> Iterator[None]:
    """Hold a lock on a file or folder; where the system has no such locks, do without.

    Raises:
        BlockingIOError: another process holds it, and we don't wait.
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
