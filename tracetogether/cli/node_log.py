"""A node's contact log: a damaged file is set aside, and the node continues with a new one."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from tracetogether.adapters.sqlite_log import SqliteContactLog, salvage
from tracetogether.contactlog import ContactLog
from tracetogether.errors import DamagedLogError, StoreError
from tracetogether.parameters import RETENTION
from tracetogether.plain_text import counted
from tracetogether.sightings import Sighting, Sightings

_ASIDE: Final = ".damaged-"
_SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")
_T = TypeVar("_T")


class NodeLog(ContactLog):
    """The contact log at ``path``, opened for a node that must not stop.

    A damaged file is renamed, at the start or later. Rows that can still be read are copied into a
    new file, and the event ``log_damaged`` reports it. Renamed files are deleted when they are 21
    days old by a clock that the authority confirmed.

    Args:
        path: the file.
        report: called with the event ``log_damaged`` and a text about it.
        written: called with each sighting after it is written.
        now: epoch seconds at the start; the system's clock by default.

    Raises:
        StoreError: the file can't be opened or renamed.
    """

    def __init__(
        self,
        path: Path,
        report: Callable[[str, str], None],
        written: Callable[[Sighting], None] = lambda _: None,
        *,
        now: float | None = None,
    ) -> None:
        self._path = path
        self._now = now
        self._report = report
        self._written = written
        self._log = self._opened()

    def append(self, rows: Iterable[Sighting]) -> None:
        """Write ``rows``, then report each."""
        new = list(rows)
        self._with_retry(lambda log: log.append(new))
        for row in new:
            self._written(row)

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        """Return the sightings in [start, end)."""
        return self._with_retry(lambda log: log.rows(start, end))

    def sightings(self, start: float | None = None, end: float | None = None) -> Sightings:
        """Return the sightings in [start, end) as columns."""
        return self._with_retry(lambda log: log.sightings(start, end))

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Drop what is older than the retention."""
        if confirmed:
            self._forget_old_files(now)
        return self._with_retry(lambda log: log.purge(now, confirmed=confirmed))

    def set_aside(self) -> int:
        """Return how many sightings are too old by a clock that may be wrong."""
        return self._with_retry(SqliteContactLog.set_aside)

    def __len__(self) -> int:
        return self._with_retry(len)

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _with_retry(self, work: Callable[[SqliteContactLog], _T]) -> _T:
        """Call ``work`` with the log, and again with a new log if the file is damaged."""
        try:
            return work(self._log)
        except DamagedLogError as error:
            with suppress(StoreError):
                self._log.close()
            self._log = self._renewed(error)
            return work(self._log)

    def _opened(self) -> SqliteContactLog:
        try:
            with SqliteContactLog.open(self._path, read_only=True, must_exist=True) as log:
                log.check()
            return SqliteContactLog.open(self._path, now=self._now)
        except DamagedLogError as error:
            return self._renewed(error)

    def _renewed(self, why: DamagedLogError) -> SqliteContactLog:
        aside = self._put_aside()
        kept = [] if aside is None else salvage(aside)
        log = SqliteContactLog.open(self._path, now=self._now)
        if kept:
            log.append(kept)
        was = "" if aside is None else f"The file is kept as {aside}, and "
        self._report("log_damaged", f"{why}. {was}a new one has {counted(len(kept), 'sightings')}")
        return log

    def _put_aside(self) -> Path | None:
        """Rename the file and its side files; return its new path, None without a file."""
        stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%SZ")
        base = f"{self._path.name}{_ASIDE}{stamp}"
        names = [base, *(f"{base}.{number}" for number in range(1, 1000))]
        name = next(name for name in names if not self._path.with_name(name).exists())
        moved = None
        for ending in _SIDE_FILES:
            old = self._path.with_name(self._path.name + ending)
            try:
                old.rename(self._path.with_name(name + ending))
            except FileNotFoundError:
                continue
            except OSError as error:
                msg = f"{old} is damaged and can't be renamed ({error.strerror}): rename it"
                raise StoreError(msg) from None
            if not ending:
                moved = self._path.with_name(name)
        return moved

    def _forget_old_files(self, now: float) -> None:
        for old in self._path.parent.glob(f"{self._path.name}{_ASIDE}*"):
            with suppress(OSError):
                if old.stat().st_mtime < now - RETENTION.log_s:
                    old.unlink()
