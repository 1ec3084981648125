"""Replaces a database file. After a kill at any moment, either the old or the new file is there.

The new file first gets the name ``*.restored``. From then on it is the database: the next program
that opens the folder completes the replacement. Before that, the old file is the database.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from tracetogether.whole_file import sync_folder

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""Endings of files that SQLite keeps beside a database; those of the old one must go first."""


def pending(database: Path) -> Path:
    """Return the name of the file that is about to replace ``database``."""
    return database.with_name(f"{database.name}.restored")


def swap(stage: Path, database: Path) -> None:
    """Replace ``database`` by the closed file ``stage`` on the same disk.

    Raises:
        OSError: a file can't be written; the old database is still there.
    """
    with closing(sqlite3.connect(stage)) as file:
        file.execute("PRAGMA journal_mode = WAL")
    with stage.open("rb+") as file:
        os.fsync(file.fileno())
    stage.replace(pending(database))
    sync_folder(database.parent)
    finish_swap(database)


def finish_swap(database: Path) -> bool:
    """Complete a replacement that was begun; return whether there was one."""
    waiting = pending(database)
    if not waiting.exists():
        return False
    for ending in _BESIDE:
        Path(f"{database}{ending}").unlink(missing_ok=True)
    waiting.replace(database)
    sync_folder(database.parent)
    return True


def set_aside(database: Path, marked: str) -> Path:
    """Keep a damaged database under a second name, ``*.damaged-MARKED``; return that.

    Raises:
        OSError: the second name can't be written.
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
