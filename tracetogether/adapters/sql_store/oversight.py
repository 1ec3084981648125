"""Counts of everything, whether the database works, and what a restored backup must not undo."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.rows import TableAccess
from tracetogether.adapters.sql_store.tables import (
    AUDIT,
    CASES,
    CONTACT_LISTS,
    CONTACTS,
    COUNTS,
    OPERATORS,
    PINS,
    SESSIONS,
    SETTINGS,
    UPLOADS,
    USED_TOKENS,
    USERS,
    WITHDRAWALS,
)
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.tallies import PINS_REFUSED, TOLD_UNTIL
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.errors import BusyError
from tracetogether.units import SECONDS_PER_DAY, utc_day

_PROBE: Final = "probe"


class OversightTables(TableAccess):
    """What ``oversight.store.AuthorityStore`` adds to a store of intake."""

    def counts(self, now: float) -> Counts:
        """Return how many rows of each kind there are at ``now``."""
        with self._transactions.reading() as connection:
            return _count_everything(connection, now)

    def probe(self, *, write: bool) -> None:
        """Return if the database can be read, has room and, with ``write``, can be written.

        Raises:
            StoreError: it can't. A lock that somebody else holds is no reason.
        """
        self._database.check_room()
        self._first(SETTINGS.select().where(SETTINGS.c.name == _PROBE))
        if not write:
            return
        with suppress(BusyError), self._transactions.writing(wait=False):
            self._put(SETTINGS, {"name": _PROBE, "value": "written"})

    def drop_counts(self, before: float) -> int:
        """Delete counts of windows that began before that time; return how many."""
        return self._drop(COUNTS, COUNTS.c.window_s < before)

    # --- restoring: rows that are carried over from the present database ---

    def withdrawals(self) -> Sequence[tuple[bytes, float]]:
        """Return the digest of each user who withdrew, and when."""
        return [(row["digest"], row["at_s"]) for row in self._all(WITHDRAWALS.select())]

    def drop_withdrawals(self, before: float) -> int:
        """Delete withdrawals before that time; return how many."""
        return self._drop(WITHDRAWALS, WITHDRAWALS.c.at_s < before)

    def all_users(self) -> Iterable[str]:
        """Return all user ids."""
        return [row["user_id"] for row in self._all(sa.select(USERS.c.user_id))]

    def drop_all_pins(self) -> int:
        """Delete every PIN, open or not; return how many."""
        return self._drop(PINS, sa.true())

    def drop_all_sessions(self) -> int:
        """Delete every operator's session; return how many."""
        return self._drop(SESSIONS, sa.true())

    def used_tokens(self) -> Sequence[tuple[str, float]]:
        """Return the ids of used upload tokens, and when each was used."""
        return [(row["token_id"], row["used_at_s"]) for row in self._all(USED_TOKENS.select())]

    def add_used_tokens(self, used: Iterable[tuple[str, float]]) -> int:
        """Store used upload tokens; return how many were new."""
        rows = ({"token_id": token_id, "used_at_s": at} for token_id, at in used)
        return sum(self._added(USED_TOKENS, row) for row in rows)

    def all_counts(self) -> Sequence[tuple[str, bytes, int, int]]:
        """Return name, subject, window and count of everything that is counted."""
        rows = self._all(COUNTS.select())
        return [(row["name"], row["subject"], row["window_s"], row["count"]) for row in rows]

    def raise_counts(self, counts: Sequence[tuple[str, bytes, int, int]]) -> None:
        """Raise counts to those given, where they are lower."""
        insert = self._database.insert(COUNTS)
        higher = insert.excluded["count"]
        change = insert.on_conflict_do_update(
            index_elements=["name", "subject", "window_s"],
            set_={"count": higher},
            where=COUNTS.c.count < higher,
        )
        with self._transactions.writing() as connection:
            for part in parts_of(counts):
                rows = [
                    {"name": name, "subject": subject, "window_s": window_s, "count": count}
                    for name, subject, window_s, count in part
                ]
                connection.execute(change, rows)

    def settings(self) -> dict[str, str]:
        """Return all settings: name -> value."""
        return {row["name"]: row["value"] for row in self._all(SETTINGS.select())}


def _count_everything(connection: sa.Connection, now: float) -> Counts:
    def rows(table: sa.Table, *which: sa.ColumnElement[bool]) -> int:
        return total(sa.select(sa.func.count()).select_from(table).where(*which))

    def total(wanted: sa.Select[Any]) -> int:
        return int(connection.execute(wanted).scalar() or 0)

    yesterday = (utc_day(now) - 1) * SECONDS_PER_DAY
    batches = sa.select(sa.func.sum(COUNTS.c.count)).where(
        COUNTS.c.name == BATCHES.name,
        COUNTS.c.window_s >= yesterday,
        COUNTS.c.window_s < yesterday + 2 * SECONDS_PER_DAY,
    )
    return Counts(
        users=rows(USERS),
        operators=rows(OPERATORS),
        cases=rows(CASES),
        open_pins=rows(PINS, ~PINS.c.used, PINS.c.tries_left > 0, PINS.c.expiry_s > now),
        uploads=rows(UPLOADS),
        sealed_bytes=total(sa.select(sa.func.sum(sa.func.length(UPLOADS.c.sealed)))),
        contact_lists=rows(CONTACT_LISTS),
        contacts=rows(CONTACTS),
        audit_entries=rows(AUDIT),
        pin_failures=rows(AUDIT, AUDIT.c.act == "pin.refused") + _refused_by_the_hour(connection),
        batches=total(batches),
    )


def _refused_by_the_hour(connection: sa.Connection) -> int:
    """Return how many refused PINs are counted: in audit entries of an hour, and since the last."""
    entries = sa.select(AUDIT.c.details).where(AUDIT.c.act == PINS_REFUSED.name)
    until = sa.select(SETTINGS.c.value).where(SETTINGS.c.name == TOLD_UNTIL)
    since = sa.select(sa.func.sum(COUNTS.c.count)).where(
        COUNTS.c.name == PINS_REFUSED.name,
        COUNTS.c.window_s >= int(connection.execute(until).scalar() or 0),
    )
    recorded = sum(
        int(json.loads(details)["count"]) for details in connection.execute(entries).scalars()
    )
    return recorded + int(connection.execute(since).scalar() or 0)
