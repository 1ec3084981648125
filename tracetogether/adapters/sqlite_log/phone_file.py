"""One SQLite file of a phone: opened, checked, changed whole or not at all, with clear errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tracetogether.contactlog import LogClock
from tracetogether.errors import DamagedLogError, StoreError

_BUSY_S: Final = 5.0
# Contact logs of earlier versions lack it. It holds one row at most.
_CLOCK_TABLE: Final = """
CREATE TABLE IF NOT EXISTS clock (
    believed REAL,
    latest REAL NOT NULL,
    doubted_s REAL NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file holds, and how errors name it.

    Attributes:
        what: "contact log".
        rows: what its rows are: "sightings".
        application: SQLite's application id: marks the file as one of this program.
        version: of the schema.
        schema: statements that make the tables.
        table: the table of the rows.
        columns: its columns, as the schema has them.
        if_damaged: what to do with a damaged file.
    """

    what: str
    rows: str
    application: int
    version: int
    schema: str
    table: str
    columns: tuple[str, ...]
    if_damaged: str


class PhoneFile:
    """An open file. Opened by one process and thread at a time for writing; others may read."""

    def __init__(self, db: sqlite3.Connection, path: Path, kind: FileKind) -> None:
        self.db = db
        self.path = path
        self.kind = kind

    @classmethod
    def open(cls, path: Path, kind: FileKind, *, read_only: bool, must_exist: bool) -> Self:
        """Open or create a file.

        Args:
            path: where it is.
            kind: what it holds.
            read_only: change nothing; the file must exist.
            must_exist: the file was made before, so that an empty or missing one is damage.

        Raises:
            StoreError: the file can't be opened or written.
            DamagedLogError: it is damaged, or of another kind.
        """
        if must_exist and not (path.exists() and path.stat().st_size):
            msg = f"{kind.what} {path}: the file is empty or missing, though it existed before"
            raise DamagedLogError(msg)
        mode = "ro" if read_only else "rwc"
        with clear_errors(path, kind):
            if not read_only and not path.exists():
                path.touch(0o600)  # SQLite gives its journals the same mode
            db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,  # this class begins and ends transactions
            )
        found = cls(db, path, kind)
        try:
            with found.errors():
                found._prepare(read_only=read_only)
        except BaseException:
            db.close()
            raise
        return found

    def _prepare(self, *, read_only: bool) -> None:
        kind = self.kind
        application, version = self._pragma("application_id"), self._pragma("user_version")
        if not read_only and self._is_blank():
            self.db.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                if self._is_blank():  # no other process was faster
                    for statement in kind.schema.split(";"):
                        self.db.execute(statement)
                    self.db.execute(f"PRAGMA application_id = {kind.application}")
                    self.db.execute(f"PRAGMA user_version = {kind.version}")
        elif application != kind.application:
            msg = f"{self.path} is a database, but not a {kind.what}: name another file"
            raise DamagedLogError(msg)
        elif version != kind.version:
            msg = (
                f"{self.path} has log format {version}; this program reads {kind.version}: "
                "update it"
            )
            raise StoreError(msg)
        found = tuple(row[1] for row in self.db.execute(f"PRAGMA table_info({kind.table})"))
        if found != kind.columns:
            msg = (
                f"{kind.what} {self.path}: its table of {kind.rows} is missing or has other columns"
            )
            raise DamagedLogError(msg)
        if not read_only and not self._has_clock():
            with self.transaction():
                self.db.execute(_CLOCK_TABLE)
        # A commit is on the disk when a change returns: a phone's battery may end at any moment.
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA secure_delete = ON")  # what is purged is overwritten

    def errors(self) -> AbstractContextManager[None]:
        """Return a context that turns SQLite's errors into clear ones."""
        return clear_errors(self.path, self.kind)

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            DamagedLogError: it is damaged.
        """
        with self.errors():
            (found,) = self.db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            msg = f"{self.kind.what} {self.path}: it is damaged ({found})"
            raise DamagedLogError(msg)

    def clock(self) -> LogClock | None:
        """Return the stored clock; None if none was stored."""
        if self._has_clock():
            row = self.db.execute("SELECT believed, latest, doubted_s FROM clock").fetchone()
            if row is not None:
                return LogClock(*row)
        return None

    def keep_clock(self, clock: LogClock) -> None:
        """Store the clock, within a transaction."""
        self.db.execute("DELETE FROM clock")
        self.db.execute(
            "INSERT INTO clock (believed, latest, doubted_s) VALUES (?, ?, ?)",
            (clock.believed, clock.latest, clock.doubted_s),
        )

    def overwrite_gone(self) -> None:
        """Overwrite what was deleted: the write-ahead log still holds the old pages."""
        with self.errors():
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        with self.errors():
            self.db.close()

    def _has_clock(self) -> bool:
        found = self.db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'clock'")
        return bool(found.fetchone()[0])

    def _is_blank(self) -> bool:
        tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return tables == 0 and self._pragma("application_id") == 0

    def _pragma(self, name: str) -> int:
        value: int = self.db.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what the body does whole or not at all; other writers wait."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise


@contextmanager
def clear_errors(path: Path, kind: FileKind) -> Iterator[None]:
    """Turn SQLite's errors into ones that say what is wrong, where, and what to do."""
    try:
        yield
    except (OverflowError, UnicodeError):
        msg = f"{kind.what} {path}: one of the {kind.rows} has a value that SQLite can't store"
        raise StoreError(msg) from None
    except OSError as error:
        msg = f"{kind.what} {path}: it can't be created ({error.strerror}): check that the folder "
        msg += "exists and that you may write to it"
        raise StoreError(msg) from None
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        match name.split("_")[:2]:
            case ["SQLITE", "FULL"]:
                msg = f"the disk is full: free some space; all earlier {kind.rows} are kept"
            case ["SQLITE", "READONLY"]:
                msg = "the file is read-only: make it and its folder writable"
            case ["SQLITE", "CANTOPEN"]:
                msg = (
                    "it can't be opened: check that the folder exists and that you may write to it"
                )
            case ["SQLITE", "BUSY"]:
                msg = "another program is writing to it: end that one, then try again"
            case ["SQLITE", "NOTADB"] | ["SQLITE", "CORRUPT"]:
                msg = f"it is damaged or not an SQLite file: name another file; {kind.if_damaged}"
                raise DamagedLogError(f"{kind.what} {path}: {msg}") from None
            case _:
                msg = str(error)
        complaint = f"{kind.what} {path}: {msg}"
        raise StoreError(complaint) from None
