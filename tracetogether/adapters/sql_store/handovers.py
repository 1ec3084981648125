"""Records that go to partners and come from them, in tables."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.cases import CASE
from tracetogether.adapters.sql_store.handover_tables import ANSWERS, HANDOVERS, OUTGOING, TAKEN
from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import CASES, USERS
from tracetogether.authority.cases.case import OPEN_STATES, Case
from tracetogether.authority.handover.rows import (
    AnswerCount,
    BatchState,
    Handover,
    OutgoingBatch,
    TakenBatch,
)
from tracetogether.units import SECONDS_PER_HOUR, utc_day

_HANDOVER: Final = RowFormat(HANDOVERS, Handover)
_OUTGOING: Final = RowFormat(OUTGOING, OutgoingBatch, read={"state": BatchState})
_TAKEN: Final = RowFormat(TAKEN, TakenBatch)
_ANSWER: Final = RowFormat(ANSWERS, AnswerCount)
_KEY: Final = ("organisation", "day", "ours", "reason")


class HandoverTables(TableAccess):
    """``handover.store.HandoverStore`` in SQL."""

    # --- what goes ---

    def add_handover(self, handover: Handover) -> None:
        """Store which records of a log are a partner's."""
        self._put(HANDOVERS, _HANDOVER.values(handover))

    def handovers(self, case_id: str) -> Sequence[Handover]:
        """Return those of a case, by partner and hour."""
        wanted = HANDOVERS.select().where(HANDOVERS.c.case_id == case_id)
        return self._handovers(wanted)

    def due_handovers(self, before_hour: int) -> Sequence[Handover]:
        """Return those of earlier hours that are in no batch yet."""
        due = sa.and_(HANDOVERS.c.packed_at_s.is_(None), HANDOVERS.c.hour < before_hour)
        return self._handovers(HANDOVERS.select().where(due))

    def _handovers(self, wanted: sa.Select[tuple[object, ...]]) -> list[Handover]:
        order = (HANDOVERS.c.organisation, HANDOVERS.c.hour, HANDOVERS.c.token_id)
        return [_HANDOVER.item(row) for row in self._all(wanted.order_by(*order))]

    def mark_packed(self, organisation: str, hour: int, now: float) -> int:
        """Mark the handovers of a partner and hour as packed; return how many were not yet."""
        which = sa.and_(
            HANDOVERS.c.organisation == organisation,
            HANDOVERS.c.hour == hour,
            HANDOVERS.c.packed_at_s.is_(None),
        )
        with self._transactions.writing() as connection:
            change = HANDOVERS.update().where(which).values(packed_at_s=now)
            return connection.execute(change).rowcount

    def add_outgoing(self, batch: OutgoingBatch) -> bool:
        """Store a batch to send; return False if it is there."""
        return self._added(OUTGOING, _OUTGOING.values(batch))

    def outgoing(self, organisation: str | None = None) -> Sequence[OutgoingBatch]:
        """Return the batches of a partner or of all, the oldest first."""
        wanted = OUTGOING.select().order_by(OUTGOING.c.made_at_s, OUTGOING.c.digest)
        if organisation is not None:
            wanted = wanted.where(OUTGOING.c.organisation == organisation)
        return [_OUTGOING.item(row) for row in self._all(wanted)]

    def put_outgoing(self, batch: OutgoingBatch) -> None:
        """Store a changed batch."""
        self._put(OUTGOING, _OUTGOING.values(batch))

    # --- what comes ---

    def add_taken(self, batch: TakenBatch) -> bool:
        """Store that a batch came; return False if it came before."""
        return self._added(TAKEN, _TAKEN.values(batch))

    def taken(self, organisation: str | None = None) -> Sequence[TakenBatch]:
        """Return the batches that came from a partner or from all, the oldest first."""
        wanted = TAKEN.select().order_by(TAKEN.c.received_at_s, TAKEN.c.digest)
        if organisation is not None:
            wanted = wanted.where(TAKEN.c.organisation == organisation)
        return [_TAKEN.item(row) for row in self._all(wanted)]

    def was_taken(self, digest: str) -> bool:
        """Return whether a batch came before."""
        return self._first(TAKEN.select().where(TAKEN.c.digest == digest)) is not None

    def case_of(self, organisation: str, day: int) -> Case | None:
        """Return the open case of a day that holds a partner's records, or None."""
        states = [state.value for state in OPEN_STATES]
        wanted = CASES.select().where(
            CASES.c.origin == organisation, CASES.c.day == day, CASES.c.state.in_(states)
        )
        row = self._first(wanted.order_by(CASES.c.opened_at_s, CASES.c.case_id).limit(1))
        return None if row is None else CASE.item(row)

    # --- answers ---

    def count_answers(self, counts: Sequence[AnswerCount]) -> None:
        """Add to the counts that are there."""
        insert = self._database.insert(ANSWERS)
        more = insert.on_conflict_do_update(
            index_elements=list(_KEY),
            set_={"count": ANSWERS.c["count"] + insert.excluded["count"]},
        )
        with self._transactions.writing() as connection:
            for count in counts:
                connection.execute(more, _ANSWER.values(count))

    def put_answers(self, counts: Sequence[AnswerCount]) -> None:
        """Store counts in place of those that are there."""
        with self._transactions.writing():
            for count in counts:
                self._put(ANSWERS, _ANSWER.values(count))

    def answers(self, organisation: str | None = None) -> Sequence[AnswerCount]:
        """Return the counts of a partner or of all, by partner, day and reason."""
        wanted = ANSWERS.select().order_by(*(ANSWERS.c[name] for name in _KEY))
        if organisation is not None:
            wanted = wanted.where(ANSWERS.c.organisation == organisation)
        return [_ANSWER.item(row) for row in self._all(wanted)]

    # --- deletion by age ---

    def drop_old(self, before: float) -> int:
        """Delete what is of earlier than that time (epoch seconds); return how many batches."""
        with self._transactions.writing():
            self._drop(HANDOVERS, HANDOVERS.c.hour < int(before) // SECONDS_PER_HOUR)
            self._drop(ANSWERS, ANSWERS.c.day < utc_day(before))
            gone = self._drop(OUTGOING, OUTGOING.c.made_at_s < before)
            return gone + self._drop(TAKEN, TAKEN.c.received_at_s < before)

    def drop_users_of_partners(self, before: float) -> int:
        """Delete the cases of partners that nobody worked on since then, and their users."""
        old = sa.select(CASES.c.user_id).where(CASES.c.origin != "", CASES.c.active_at_s < before)
        return self._drop(USERS, USERS.c.user_id.in_(old))
