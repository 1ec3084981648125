"""A phone's visits in one SQLite file."""

import time
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self

from tracetogether.adapters.sqlite_log.aged_rows import AgedRows
from tracetogether.adapters.sqlite_log.phone_file import FileKind, PhoneFile
from tracetogether.contactlog import LogClock
from tracetogether.parameters import VISITS
from tracetogether.presence.visits import Visit, VisitChange, VisitLog

_SCHEMA: Final = """
CREATE TABLE visit (
    id INTEGER PRIMARY KEY,
    location_id BLOB NOT NULL,
    description TEXT NOT NULL,
    address TEXT NOT NULL,
    start REAL NOT NULL,           -- UTC epoch seconds
    end REAL NOT NULL,
    default_s INTEGER NOT NULL,
    open INTEGER NOT NULL,
    note TEXT NOT NULL,
    poster TEXT NOT NULL
) STRICT;
CREATE INDEX visit_by_start ON visit (start);
CREATE TABLE seen (
    mark BLOB PRIMARY KEY,         -- digest of a warning
    time REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE asked (
    hour INTEGER NOT NULL          -- one row at most
) STRICT
"""
_COLUMNS: Final = "location_id, description, address, start, end, default_s, open, note, poster"
_KIND: Final = FileKind(
    what="visit log",
    rows="visits",
    application=0x54545653,  # "TTVS"
    version=1,
    schema=_SCHEMA,
    table="visit",
    columns=("id", *_COLUMNS.split(", ")),
    if_damaged="move it away to begin a new one",
)
_fields = attrgetter(*_COLUMNS.split(", "))


def _visit(*row: Any) -> Visit:  # noqa: ANN401 - a row of the table, which is strict about types
    values: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return Visit(**values | {"open": bool(values["open"])})


class SqliteVisitLog(AgedRows, VisitLog):
    """Visits in a file; use it as a context manager, or close it.

    Opened by one thread at a time; two processes that change it come one after the other.
    """

    TABLE, BEGINS, ENDS = "visit", "start", "end"

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        now: float | None = None,
        retention_s: int = VISITS.kept_s,
    ) -> Self:
        """Open or create the log at ``path`` and drop what ended longer ago than the retention.

        Args:
            path: the file; only the owner can read it.
            now: epoch seconds; the system's clock by default.
            retention_s: how long visits are kept after their end.

        Raises:
            StoreError: the file can't be opened or written.
            DamagedLogError: it is damaged, or not a visit log.
        """
        file = PhoneFile.open(Path(path), _KIND, read_only=False, must_exist=False)
        log = cls(file, retention_s)
        try:
            log.purge(time.time() if now is None else now)
        except BaseException:
            file.db.close()
            raise
        return log

    def visits(self) -> list[Visit]:
        """Return all visits by their start."""
        with self._file.errors():
            return [visit for _, visit in self._rows()]

    def update(self, rule: Callable[[list[Visit]], VisitChange], now: float) -> VisitChange:
        """Apply a rule to the visits, whole or not at all, and return what it did."""
        with self._file.errors(), self._file.transaction():
            rows = self._rows()
            change = rule([visit for _, visit in rows])
            left = list(change.gone)
            for number, visit in rows:
                if visit in left:
                    left.remove(visit)
                    self._db.execute("DELETE FROM visit WHERE id = ?", (number,))
            self._db.executemany(
                f"INSERT INTO visit ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 - constant
                map(_fields, change.new),
            )
            gone = self._drop_by(self._clock().after(now, self._retention_s))
        if gone or change.gone:
            self._file.overwrite_gone()
        return change

    def seen(self) -> frozenset[bytes]:
        """Return the digests of warnings that the owner has seen."""
        with self._file.errors():
            return frozenset(row[0] for row in self._db.execute("SELECT mark FROM seen"))

    def remember(self, seen: Iterable[bytes], asked_hour: int, now: float) -> None:
        """Note what the owner has seen, and up to which hour was asked."""
        with self._file.errors(), self._file.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO seen (mark, time) VALUES (?, ?)",
                ((mark, now) for mark in seen),
            )
            self._db.execute("DELETE FROM asked")
            self._db.execute("INSERT INTO asked (hour) VALUES (?)", (asked_hour,))
            self._drop_by(self._clock().after(now, self._retention_s))

    def asked_hour(self) -> int | None:
        """Return the last hour whose warnings were asked for; None if none were."""
        with self._file.errors():
            row = self._db.execute("SELECT hour FROM asked").fetchone()
        return None if row is None else int(row[0])

    def _rows(self) -> list[tuple[int, Visit]]:
        query = f"SELECT id, {_COLUMNS} FROM visit ORDER BY start, end, id"  # noqa: S608 - constant
        return [(number, _visit(*row)) for number, *row in self._db.execute(query)]

    def _drop_by(self, clock: LogClock) -> int:
        """Store the clock, delete what is too old by it, and return how many visits went."""
        self._db.execute("DELETE FROM seen WHERE time < ?", (clock.cutoff(self._retention_s),))
        return super()._drop_by(clock)
