"""A phone's contact log in one SQLite file."""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from operator import attrgetter
from pathlib import Path
from typing import Final, Self, cast

import numpy as np

from tracetogether.adapters.sqlite_log.aged_rows import AgedRows
from tracetogether.adapters.sqlite_log.phone_file import FileKind, PhoneFile
from tracetogether.contactlog import ContactLog, LogClock, clock_after
from tracetogether.labels import Labels
from tracetogether.parameters import RETENTION
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import is_rssi

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
_COLUMNS: Final = (
    "time, peer, rssi_dbm, tx_power_dbm, peer_model, observer_model, organisation, version,"
    " as_central"
)
_KIND: Final = FileKind(
    what="contact log",
    rows="sightings",
    application=0x54544C47,  # "TTLG"
    version=1,
    schema=_SCHEMA,
    table="sighting",
    columns=("id", *_COLUMNS.split(", ")),
    if_damaged="a node moves its own aside at the next `tracetogether node run`",
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


class SqliteContactLog(AgedRows, ContactLog):
    """A contact log in a file; use it as a context manager, or close it.

    Opened by one process and thread at a time for writing; others may read meanwhile.
    """

    TABLE, BEGINS, ENDS = "sighting", "time", "time"

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
        file = PhoneFile.open(Path(path), _KIND, read_only=read_only, must_exist=must_exist)
        log = cls(file, retention_s)
        if not read_only:
            try:
                log.purge(time.time() if now is None else now)
            except BaseException:
                file.db.close()
                raise
        return log

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write down ``rows``, all or none of them."""
        new = list(rows)
        if not new:
            return
        with self._file.errors(), self._file.transaction():
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

    def _read(self, start: float | None, end: float | None) -> list[_Row]:
        between = (-_EVER if start is None else start, _EVER if end is None else end)
        query = f"SELECT {_COLUMNS} FROM sighting {_BETWEEN}"  # noqa: S608 - constants
        with self._file.errors(), closing(self._db.execute(query, between)) as cursor:
            return cursor.fetchall()

    def _clock(self) -> LogClock:
        """Return the stored clock; without one, a clock that shows the newest sighting's time."""
        clock = self._file.clock()
        if clock is not None:
            return clock
        newest = self._db.execute("SELECT max(time) FROM sighting").fetchone()[0]
        return LogClock() if newest is None else LogClock(newest, newest)


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
