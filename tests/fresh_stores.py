"""SQLite stores for tests: each is a copy of a template file that a process makes once."""

import atexit
import shutil
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.databases import Database
from tracetogether.adapters.sql_store.transactions import Transactions


@cache
def _template() -> tuple[Path, SqlStore]:
    """Return an empty store's file, and the store; all migrations run once, in 26 ms."""
    folder = mkdtemp(prefix="tracetogether-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "template.db"
    store = SqlStore.create(path, name="SG_MOH")
    store.close()
    return path, store


_SHM: Final = Path("/dev/shm")  # noqa: S108 - a folder of a name that nobody guesses is made in it
_RAM_DISK: Final = _SHM if _SHM.is_dir() else None
"""Where files need no syncing: a disk takes 3 ms for each write that the store syncs."""


def _discard(close: Callable[[], None], folder: str) -> None:
    close()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Inside:
    """The private parts of a store."""

    database: Database
    transactions: Transactions


def inside(store: object) -> Inside:
    """Return the private parts of an SQL store.

    Tests read rows as they are stored, damage them, and count statements. No public method of a
    store does that, on purpose: a service must not.
    """
    assert isinstance(store, SqlStore)
    return Inside(store._database, store._transactions)


def share_compiled_statements(first: SqlStore, store: SqlStore) -> None:
    """Let all stores of a process use the statements that the first one has compiled.

    SQLAlchemy compiles statements again for each engine, which takes longer than running them
    in most tests. No public argument shares them, so private parts are used here.
    """
    database, known = inside(store).database, inside(first).database.engine
    for engine in (database.engine, database.relaxed_durability, database.no_wait):
        engine.dialect, engine._compiled_cache = known.dialect, known._compiled_cache


def fresh_store(path: Path | None = None) -> SqlStore:
    """Return an open, empty store of the authority SG_MOH.

    Args:
        path: the file to make. Without it, the file lies in a temporary folder, and both go
            when the store is no longer used: the caller need not close it.
    """
    folder = None if path is not None else mkdtemp(prefix="tracetogether-store-", dir=_RAM_DISK)
    path = Path(folder or "") / "a.db" if path is None else path
    template, first = _template()
    shutil.copy(template, path)
    store = SqlStore.open(path)
    share_compiled_statements(first, store)
    if folder is not None:  # `store.close` itself would keep the store in use
        weakref.finalize(store, _discard, inside(store).database.close, folder)
    return store
