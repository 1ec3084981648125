"""Merges of cases and contacts in a table, and what undoing one changes in others."""

from collections.abc import Sequence
from dataclasses import astuple

import sqlalchemy as sa

from tracetogether.adapters.sql_store.desk_tables import MERGES, NOTES, OUTCOMES
from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.authority.cases.merges import SealedMerge


class MergeRows(Rows):
    """The desk's merges (merges.MergeStore)."""

    def put_merge(self, merge: SealedMerge) -> None:
        """Keep a merge in place of an earlier one of the same ``gone``."""
        with self._transactions.writing() as connection:
            connection.execute(MERGES.delete().where(MERGES.c.gone == merge.gone))
            connection.execute(MERGES.insert().values(astuple(merge)))

    def merge_of(self, gone: str) -> SealedMerge | None:
        """Return how a case or contact was merged."""
        with self._transactions.reading() as connection:
            row = connection.execute(MERGES.select().where(MERGES.c.gone == gone)).first()
        return None if row is None else SealedMerge(*row)

    def merges_into(self, stays: str) -> Sequence[SealedMerge]:
        """Return what was merged into a case or contact, the oldest first."""
        wanted = MERGES.select().where(MERGES.c.stays == stays)
        with self._transactions.reading() as connection:
            rows = connection.execute(wanted.order_by(MERGES.c.at_s, MERGES.c.gone)).all()
        return [SealedMerge(*row) for row in rows]

    def drop_merge(self, gone: str) -> None:
        """Forget a merge."""
        with self._transactions.writing() as connection:
            connection.execute(MERGES.delete().where(MERGES.c.gone == gone))

    def drop_merges(self, before_day: int) -> int:
        """Forget merges of days before that one; return how many went."""
        with self._transactions.writing() as connection:
            gone = connection.execute(MERGES.delete().where(MERGES.c.day < before_day)).rowcount
            self._transactions.settle_after(gone)
        return gone

    def move_note(self, note_id: str, case_id: str, contact_id: str) -> None:
        """Say on what a note is."""
        change = NOTES.update().where(NOTES.c.note_id == note_id)
        with self._transactions.writing() as connection:
            connection.execute(change.values(case_id=case_id, contact_id=contact_id))

    def drop_outcome(self, contact_id: str, day: int) -> None:
        """Forget a day's outcome."""
        which = sa.and_(OUTCOMES.c.contact_id == contact_id, OUTCOMES.c.day == day)
        with self._transactions.writing() as connection:
            connection.execute(OUTCOMES.delete().where(which))
