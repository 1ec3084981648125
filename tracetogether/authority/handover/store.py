"""What the exchange of records needs of a store."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.intake.store import IntakeStore

if TYPE_CHECKING:
    from tracetogether.authority.cases.case import Case
    from tracetogether.authority.handover.rows import (
        AnswerCount,
        Handover,
        OutgoingBatch,
        TakenBatch,
    )


class HandoverStore(Protocol):
    """The part of a store that keeps what goes to partners and comes from them."""

    # --- what goes ---

    def add_handover(self, handover: Handover) -> None:
        """Store which records of a log are a partner's."""
        ...

    def handovers(self, case_id: str) -> Sequence[Handover]:
        """Return those of a case, by partner and hour."""
        ...

    def due_handovers(self, before_hour: int) -> Sequence[Handover]:
        """Return those of earlier hours that are in no batch yet."""
        ...

    def mark_packed(self, organisation: str, hour: int, now: float) -> int:
        """Mark the handovers of a partner and hour as packed; return how many were not yet."""
        ...

    def add_outgoing(self, batch: OutgoingBatch) -> bool:
        """Store a batch to send; return False if it is there."""
        ...

    def outgoing(self, organisation: str | None = None) -> Sequence[OutgoingBatch]:
        """Return the batches of a partner or of all, the oldest first."""
        ...

    def put_outgoing(self, batch: OutgoingBatch) -> None:
        """Store a changed batch."""
        ...

    # --- what comes ---

    def add_taken(self, batch: TakenBatch) -> bool:
        """Store that a batch came; return False if it came before."""
        ...

    def taken(self, organisation: str | None = None) -> Sequence[TakenBatch]:
        """Return the batches that came from a partner or from all, the oldest first."""
        ...

    def was_taken(self, digest: str) -> bool:
        """Return whether a batch came before."""
        ...

    def case_of(self, organisation: str, day: int) -> Case | None:
        """Return the open case of a day that holds a partner's records, or None."""
        ...

    # --- answers ---

    def count_answers(self, counts: Sequence[AnswerCount]) -> None:
        """Add to the counts that are there."""
        ...

    def put_answers(self, counts: Sequence[AnswerCount]) -> None:
        """Store counts in place of those that are there."""
        ...

    def answers(self, organisation: str | None = None) -> Sequence[AnswerCount]:
        """Return the counts of a partner or of all, by partner, day and reason."""
        ...

    # --- deletion by age ---

    def drop_old(self, before: float) -> int:
        """Delete what is of earlier than that time (epoch seconds); return how many batches."""
        ...

    def drop_users_of_partners(self, before: float) -> int:
        """Delete the cases of partners that nobody worked on since then, and their users."""
        ...


class HandingStore(IntakeStore, Protocol):
    """A store as the exchange of records uses it."""

    @property
    def handing(self) -> HandoverStore:
        """The part that keeps what goes to partners and comes from them."""
        ...
