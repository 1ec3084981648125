"""A phone's contact log in one SQLite file: what is committed survives a kill at any moment."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Final, Self, cast

import numpy as np

from tracetogether.contactlog import CLOCK_STEP_S, ContactLog, LogClock, clock_after
from tracetogether.errors import DamagedLogError, StoreError
from tracetogether.labels import Labels
from tracetogether.parameters import RETENTION
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import is_rssi

_APPLICATION: Final = 0x54544C47  # "TTLG": marks the file as one of this program
_VERSION: Final = 1
_BUSY_S: Final = 5.0

_SCHEMA: Final = """
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,            -- UTC epoch seconds
    peer TEXT NOT NULL,            -- the token heard
    rssi_dbm REAL NOT NULL,
    tx_power_dbm REAL,
    peer_model TEXT,
    observer_model TEXT,
    organisation TEXT NOT NULL,
    version INTEGER NOT NULL,
    as_central INTEGER NOT NULL
) STRICT;
CREATE INDEX sighting_by_time ON sighting (time);
"""
# Files of earlier versions lack it; those versions do not look at it. It holds one row at most.
_CLOCK_TABLE: Final = """
CREATE TABLE IF NOT EXISTS clock (
    believed REAL,
    latest REAL NOT NULL,
    doubted_s REAL NOT NULL
) STRICT
"""
_COLUMNS: Final = (
    "time, peer, rssi_dbm, tx_power_dbm, peer_model, observer_model, organisation, version,"
    " as_central"
)
_BETWEEN: Final = "WHERE time >= ? AND time < ? ORDER BY time, id"
_EVER: Final = 1e300
_WHOLE: Final = (
    "WHERE typeof(time) = 'real' AND typeof(rssi_dbm) = 'real' AND typeof(peer) = 'text'"
    " AND typeof(organisation) = 'text' AND typeof(version) = 'integer'"
)


_fields = attrgetter(*_COLUMNS.split(", "))
_Row = tuple[float, str, float, float | None, str | None, str | None, str, int, int]


def _sighting(row: _Row) -> Sighting:
    return Sighting(*row[:-1], bool(row[-1]))


class SqliteContactLog(ContactLog):
    """A contact log in a file; use it as a context manager, or close it.

    Opened by one process and thread at a time for writing; others may read meanwhile.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, retention_s: int) -> None:
        self._db = connection
        self._path = path
        self._retention_s = retention_s

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        now: float | None = None,
        read_only: bool = False,
        must_exist: bool = False,
        retention_s: int = RETENTION.log_s,
    ) -> Self:
        """Open or create the log at ``path`` and drop what is older than the retention.

        Args:
            path: the file.
            now: epoch seconds; the system's clock by default.
            read_only: change nothing, not even by the retention; the file must exist.
            must_exist: the file was made before, so that an empty or missing one is damage.
            retention_s: how long sightings are kept.

        Raises:
            StoreError: the file can't be opened or written.
            DamagedLogError: it is damaged, or not a contact log.
        """
        path = Path(path)
        if must_exist and not (path.exists() and path.stat().st_size):
            msg = f"contact log {path}: the file is empty or missing, though it existed before"
            raise DamagedLogError(msg)
        mode = "ro" if read_only else "rwc"
        with _clear_errors(path):
            if not read_only and not path.exists():
                path.touch(0o600)  # SQLite gives its journals the same mode
            db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,  # this class begins and ends transactions
            )
        log = cls(db, path, retention_s)
        try:
            with _clear_errors(path):
                log._prepare(read_only=read_only)
            if not read_only:
                log.purge(time.time() if now is None else now)
        except BaseException:
            db.close()
            raise
        return log

    def _prepare(self, *, read_only: bool) -> None:
        application = self._pragma("application_id")
        version = self._pragma("user_version")
        if not read_only and self._is_blank():
            self._db.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                if self._is_blank():  # no other process was faster
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._db.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION:
            msg = f"{self._path} is a database, but not a contact log: name another file"
            raise DamagedLogError(msg)
        elif version != _VERSION:
            msg = f"{self._path} has log format {version}; this program reads {_VERSION}: update it"
            raise StoreError(msg)
        found = tuple(row[1] for row in self._db.execute("PRAGMA table_info(sighting)"))
        if found != ("id", *_COLUMNS.split(", ")):
            msg = (
                f"contact log {self._path}: its table of sightings is missing or has other columns"
            )
            raise DamagedLogError(msg)
        if not read_only and not self._has_clock():
            with self._transaction():
                self._db.execute(_CLOCK_TABLE)
        # A commit is on the disk when append returns: a phone's battery may end at any moment.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")  # what is purged is overwritten

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            DamagedLogError: it is damaged.
        """
        with _clear_errors(self._path):
            (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            msg = f"contact log {self._path}: it is damaged ({found})"
            raise DamagedLogError(msg)

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write down ``rows``, all or none of them."""
        new = list(rows)
        if not new:
            return
        with _clear_errors(self._path), self._transaction():
            clock = clock_after(self._clock(), new, self._retention_s)
            self._db.executemany(
                f"INSERT INTO sighting ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 - constant
                map(_fields, new),
            )
            self._drop_by(clock)

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end) by time."""
        return [_sighting(row) for row in self._read(start, end)]

    def sightings(self, start: float | None = None, end: float | None = None) -> Sightings:
        """Return the sightings in [start, end) as columns."""
        rows = self._read(start, end)
        if not rows:
            return Sightings.from_rows([])
        times, peers, rssi, power, peer_models, models, *_ = zip(*rows, strict=True)
        return Sightings.from_log(
            time=np.array(times, dtype=np.float64),
            peer=Labels.encode(peers),
            rssi_dbm=np.array(rssi, dtype=np.float64),
            tx_power_dbm=np.array(power, dtype=np.float64),  # None becomes NaN
            observer_model=Labels.encode(models),
            peer_model=Labels.encode(peer_models),
        )

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop everything older than the retention; return how many sightings went."""
        with _clear_errors(self._path), self._transaction():
            gone = 0
            if confirmed:
                clock = LogClock(now, now)
                ahead = self._db.execute(
                    "DELETE FROM sighting WHERE time >= ?", (now + CLOCK_STEP_S,)
                )
                gone = ahead.rowcount
            else:
                clock = self._clock().after(now, self._retention_s)
            gone += self._drop_by(clock)
        if gone:
            with _clear_errors(self._path):  # the write-ahead log still holds the old pages
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return gone

    def set_aside(self) -> int:
        """Return how many sightings are too old by a clock that is doubted."""
        with _clear_errors(self._path):
            clock = self._clock()
            if not clock.doubted_s:
                return 0
            count: int = self._db.execute(
                "SELECT count(*) FROM sighting WHERE time < ?",
                (clock.latest - self._retention_s,),
            ).fetchone()[0]
        return count

    def __len__(self) -> int:
        with _clear_errors(self._path):
            count: int = self._db.execute("SELECT count(*) FROM sighting").fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file."""
        with _clear_errors(self._path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _read(self, start: float | None, end: float | None) -> list[_Row]:
        between = (-_EVER if start is None else start, _EVER if end is None else end)
        query = f"SELECT {_COLUMNS} FROM sighting {_BETWEEN}"  # noqa: S608 - constants
        with _clear_errors(self._path), closing(self._db.execute(query, between)) as cursor:
            return cursor.fetchall()

    def _has_clock(self) -> bool:
        found = self._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'clock'")
        return bool(found.fetchone()[0])

    def _clock(self) -> LogClock:
        """Return the stored clock; without one, a clock that shows the newest sighting's time."""
        if self._has_clock():
            row = self._db.execute("SELECT believed, latest, doubted_s FROM clock").fetchone()
            if row is not None:
                return LogClock(*row)
        newest = self._db.execute("SELECT max(time) FROM sighting").fetchone()[0]
        return LogClock() if newest is None else LogClock(newest, newest)

    def _drop_by(self, clock: LogClock) -> int:
        """Store the clock, delete what is too old by it, and return how many sightings went."""
        self._db.execute("DELETE FROM clock")
        self._db.execute(
            "INSERT INTO clock (believed, latest, doubted_s) VALUES (?, ?, ?)",
            (clock.believed, clock.latest, clock.doubted_s),
        )
        cutoff = clock.cutoff(self._retention_s)
        return self._db.execute("DELETE FROM sighting WHERE time < ?", (cutoff,)).rowcount

    def _is_blank(self) -> bool:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return tables == 0 and self._pragma("application_id") == 0

    def _pragma(self, name: str) -> int:
        value: int = self._db.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def salvage(path: Path) -> list[Sighting]:
    """Return what can still be read of a damaged contact log; the file stays as it is."""
    found: dict[int, Sighting] = {}
    columns = f"id, {_COLUMNS}"
    for order in ("", "DESC"):  # from either end, up to what can't be read
        query = f"SELECT {columns} FROM sighting {_WHOLE} ORDER BY id {order}"  # noqa: S608 - constants
        with suppress(sqlite3.Error):
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            with closing(db):
                db.execute("PRAGMA writable_schema = ON")  # else SQLite refuses a file cut short
                for number, *row in db.execute(query):
                    if number in found:
                        break
                    found[number] = _sighting(cast("_Row", tuple(row)))
    return [found[number] for number in sorted(found) if is_rssi(found[number].rssi_dbm)]


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ones that say what is wrong, where, and what to do."""
    try:
        yield
    except (OverflowError, UnicodeError):
        msg = f"contact log {path}: a sighting has a number or a text that SQLite can't store"
        raise StoreError(msg) from None
    except OSError as error:
        msg = f"contact log {path}: it can't be created ({error.strerror}): check that the folder "
        msg += "exists and that you may write to it"
        raise StoreError(msg) from None
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        match name.split("_")[:2]:
            case ["SQLITE", "FULL"]:
                msg = "the disk is full: free some space; all earlier sightings are kept"
            case ["SQLITE", "READONLY"]:
                msg = "the file is read-only: make it and its folder writable"
            case ["SQLITE", "CANTOPEN"]:
                msg = (
                    "it can't be opened: check that the folder exists and that you may write to it"
                )
            case ["SQLITE", "BUSY"]:
                msg = "another program is writing to it: end that one, then try again"
            case ["SQLITE", "NOTADB"] | ["SQLITE", "CORRUPT"]:
                msg = (
                    "it is damaged or not an SQLite file: name another file; a node moves its own "
                    "aside at the next `tracetogether node run`"
                )
                raise DamagedLogError(f"contact log {path}: {msg}") from None
            case _:
                msg = str(error)
        complaint = f"contact log {path}: {msg}"
        raise StoreError(complaint) from None
