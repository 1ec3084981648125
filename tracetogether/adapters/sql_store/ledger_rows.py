"""Counts, notes by name and the audit log in tables."""

from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.audit_rows import read_entries, write_entry
from tracetogether.adapters.sql_store.databases import remedy
from tracetogether.adapters.sql_store.row_counts import count_everything
from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.adapters.sql_store.tables import AUDIT, COUNTS, SETTINGS
from tracetogether.authority.access.audit import START, AuditEntry
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.errors import StoreError

_PROBE: Final = "probe"
_ENTRIES_AT_ONCE: Final = 1_000  # the log only grows: it is never read as a whole
_MOST_ENTRIES: Final = 2**63


class LedgerRows(Rows):
    """What is counted and written down of everything that is done."""

    # --- counts and notes (limits.LimitStore, retention.AgeingStore) ---

    def count_up(self, name: str, subject: bytes, window_s: int) -> int:
        """Add one to the count of a window (named by its start) and return it."""
        row = self._database.insert(COUNTS).values(
            name=name, subject=subject, window_s=window_s, count=1
        )
        counting = row.on_conflict_do_update(
            index_elements=["name", "subject", "window_s"],
            set_={"count": COUNTS.c.count + 1},
        ).returning(COUNTS.c.count)
        with self._transactions.writing(relaxed_durability=True) as connection:
            return int(connection.execute(counting).scalar_one())

    def count_down(self, name: str, subject: bytes, window_s: int) -> None:
        """Take one from the count of a window, unless it is 0."""
        which = (COUNTS.c.name == name, COUNTS.c.subject == subject, COUNTS.c.window_s == window_s)
        change = COUNTS.update().where(*which, COUNTS.c.count > 0)
        with self._transactions.writing(relaxed_durability=True) as connection:
            connection.execute(change.values(count=COUNTS.c.count - 1))

    def count_up_each(
        self, name: str, windows: Mapping[bytes, int], over: int
    ) -> Mapping[bytes, int]:
        """Add one to the count of each subject in its window; return counts above ``over``."""
        with self._transactions.writing() as connection:
            return self._database.count_up_each(connection, name, windows, over)

    def counted(self, name: str, subject: bytes, window_s: int) -> int:
        """Return the count of a window."""
        wanted = sa.select(COUNTS.c.count).where(
            COUNTS.c.name == name, COUNTS.c.subject == subject, COUNTS.c.window_s == window_s
        )
        with self._transactions.reading() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def drop_counts(self, before: float) -> int:
        """Forget windows that began before that time; return how many went."""
        return self._drop(COUNTS, COUNTS.c.window_s < before)

    def note(self, name: str, value: str) -> None:
        """Write down a value under a name."""
        row = self._database.insert(SETTINGS).values(name=name, value=value)
        with self._transactions.writing() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"value": value})
            )

    def noted(self, name: str) -> str | None:
        """Return the value that was written down last under a name."""
        wanted = sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name)
        with self._transactions.reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
        return found

    # --- the audit log (audit.AuditStore) ---

    def last_audit(self) -> tuple[int, bytes]:
        """Return number and digest of the newest entry, (0, START) if there is none."""
        newest = sa.select(AUDIT.c.number, AUDIT.c.digest).order_by(AUDIT.c.number.desc()).limit(1)
        if self._transactions.within:
            with self._transactions.writing() as connection:
                self._database.lock_audit(connection)
                row = connection.execute(newest).first()
        else:
            with self._transactions.reading() as connection:
                row = connection.execute(newest).first()
        return (0, START) if row is None else (row[0], row[1])

    def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""
        with self._transactions.writing() as connection:
            write_entry(connection, entry)

    def audit(self, after: int = 0, limit: int | None = None) -> Iterable[tuple[AuditEntry, bytes]]:
        """Yield entries with a number beyond ``after``, and the digests they were kept with."""
        left = _MOST_ENTRIES if limit is None else limit
        while left > 0:
            page = min(_ENTRIES_AT_ONCE, left)
            with self._transactions.reading() as connection:
                found = read_entries(connection, after, page)
            yield from found
            if len(found) < page:
                return
            after, left = found[-1][0].number, left - page

    def audit_times(self, after: float, until: float) -> Iterable[float]:
        """Return the times of entries later than ``after`` and up to ``until``, ascending."""
        wanted = sa.select(AUDIT.c.time_s).where(AUDIT.c.time_s > after, AUDIT.c.time_s <= until)
        with self._transactions.reading() as connection:
            return list(connection.execute(wanted.order_by(AUDIT.c.time_s)).scalars())

    # --- counts of everything (statistics.CountedStore) ---

    def counts(self, now: float) -> Counts:
        """Return how much of everything is kept at ``now``."""
        with self._transactions.reading() as connection:
            return count_everything(connection, now)

    def probe(self, *, write: bool) -> None:
        """Return if the database can be read and has room, and, if ``write``, can be written.

        Raises:
            StoreError: it can't. That somebody else is writing is no reason.
        """
        self._database.check_room()
        self.noted(_PROBE)
        if not write:
            return
        row = self._database.insert(SETTINGS).values(name=_PROBE, value="written")
        same = row.on_conflict_do_update(index_elements=["name"], set_={"value": "written"})
        try:
            with self._transactions.writing(wait=False) as connection:
                connection.execute(same)
        except StoreError as error:
            if remedy("locked") not in str(error):
                raise
