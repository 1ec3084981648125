"""What all logs of a phone in SQLite share: rows grow old by a clock that may be wrong."""

from typing import ClassVar, Self

from tracetogether.adapters.sqlite_log.phone_file import PhoneFile
from tracetogether.contactlog import CLOCK_STEP_S, LogClock


class AgedRows:
    """Rows of one table that are deleted at the end of their retention.

    Attributes:
        TABLE: name of the table.
        BEGINS: the column with the time at which a row begins, epoch seconds.
        ENDS: the column with the time from which a row grows old, epoch seconds.
    """

    TABLE: ClassVar[str]
    BEGINS: ClassVar[str]
    ENDS: ClassVar[str]

    def __init__(self, file: PhoneFile, retention_s: int) -> None:
        self._file = file
        self._db = file.db
        self._retention_s = retention_s

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        """Delete what is older than the retention; return how many rows went.

        Args:
            now: epoch seconds.
            confirmed: ``now`` is right: what begins later is deleted too.
        """
        with self._file.errors(), self._file.transaction():
            gone = 0
            if confirmed:
                clock = LogClock(now, now)
                ahead = self._db.execute(
                    f"DELETE FROM {self.TABLE} WHERE {self.BEGINS} >= ?",  # noqa: S608 - constants
                    (now + CLOCK_STEP_S,),
                )
                gone = ahead.rowcount
            else:
                clock = self._clock().after(now, self._retention_s)
            gone += self._drop_by(clock)
        if gone:
            self._file.overwrite_gone()
        return gone

    def set_aside(self) -> int:
        """Return how many rows are too old by a clock that is doubted."""
        with self._file.errors():
            clock = self._clock()
            if not clock.doubted_s:
                return 0
            count: int = self._db.execute(
                f"SELECT count(*) FROM {self.TABLE} WHERE {self.ENDS} < ?",  # noqa: S608 - constants
                (clock.latest - self._retention_s,),
            ).fetchone()[0]
        return count

    def check(self) -> None:
        """Read the whole file once.

        Raises:
            DamagedLogError: it is damaged.
        """
        self._file.check()

    def __len__(self) -> int:
        with self._file.errors():
            count: int = self._db.execute(
                f"SELECT count(*) FROM {self.TABLE}"  # noqa: S608 - a constant
            ).fetchone()[0]
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _clock(self) -> LogClock:
        """Return the stored clock; without one, a clock that shows no time yet."""
        return self._file.clock() or LogClock()

    def _drop_by(self, clock: LogClock) -> int:
        """Store the clock, delete what is too old by it, and return how many rows went."""
        self._file.keep_clock(clock)
        cutoff = clock.cutoff(self._retention_s)
        return self._db.execute(
            f"DELETE FROM {self.TABLE} WHERE {self.ENDS} < ?",  # noqa: S608 - constants
            (cutoff,),
        ).rowcount
