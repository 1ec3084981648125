"""One database file takes another's place: after a kill at any moment the old or the new is there.

The new file first gets the name ``*.restored``: from then on it is the database, and whoever opens
the folder next completes the exchange. Before, the old one is.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from tracetogether.whole_file import sync_folder

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps beside a database; of the old one they must not meet the new one."""


def pending(database: Path) -> Path:
    """Return the name of the file that is about to take the place of ``database``."""
    return database.with_name(f"{database.name}.restored")


def swap(stage: Path, database: Path) -> None:
    """Put the file ``stage`` (same disk, closed) in the place of ``database``.

    Raises:
        OSError: it can't be done; the old database is still there.
    """
    with closing(sqlite3.connect(stage)) as file:
        file.execute("PRAGMA journal_mode = WAL")
    with stage.open("rb+") as file:
        os.fsync(file.fileno())
    stage.replace(pending(database))
    sync_folder(database.parent)
    finish_swap(database)


def finish_swap(database: Path) -> bool:
    """Complete an exchange that was begun; return whether there was one."""
    waiting = pending(database)
    if not waiting.exists():
        return False
    for ending in _BESIDE:
        Path(f"{database}{ending}").unlink(missing_ok=True)
    waiting.replace(database)
    sync_folder(database.parent)
    return True


def set_aside(database: Path, marked: str) -> Path:
    """Give a damaged database a second name, ``*.damaged-MARKED``, under which it stays.

    Raises:
        OSError: it can't be done.
    """
    aside = database.with_name(f"{database.name}.damaged-{marked}")
    for ending in ("", *_BESIDE):
        found, name = Path(f"{database}{ending}"), Path(f"{aside}{ending}")
        if found.is_file() and not name.exists():
            try:
                os.link(found, name)
            except OSError:  # a file system without links
                shutil.copyfile(found, name)
                name.chmod(0o600)
    return aside
