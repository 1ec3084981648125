"""What calling needs of a store: who is due next, who calls whom now, shifts, drafts."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.cases.store import CaseStore

if TYPE_CHECKING:
    from tracetogether.authority.cases.calls import CallShift, PeopleQuery, Reservation, SealedDraft
    from tracetogether.authority.cases.followed import KeptContact
    from tracetogether.authority.cases.team import TracerDay


class CallingStore(CaseStore, Protocol):
    """A store as the calling page uses it."""

    @property
    def calls(self) -> CallStore:
        """The part that keeps who calls whom."""
        ...


class CallStore(Protocol):
    """The part of a store that keeps who calls whom."""

    def next_due(
        self,
        day: int,
        now: float,
        operator: str,
        *,
        without: Collection[bytes] = (),
        since_day: int = 0,
    ) -> KeptContact | None:
        """Return the line of the person whom an operator is to call next, or None.

        The person is due on ``day`` for a case that is assigned to the operator or to nobody, and
        nobody else has reserved the person. Agreed times that have come are first, then urgency.

        Args:
            day: number of the day in the authority's time zone.
            now: epoch seconds.
            operator: the caller's name.
            without: people to leave out (``KeptContact.who``).
            since_day: leave out lines of earlier UTC days, whose keys are destroyed.
        """
        ...

    def ready(
        self, day: int, now: float, operator: str, *, since_day: int = 0, most: int
    ) -> tuple[int, bool]:
        """Return how many people ``next_due`` could give, and whether there may be more.

        At most ``most`` lines are counted: the cost doesn't grow with the number of people.
        """
        ...

    def people(
        self, query: PeopleQuery, spoken: Sequence[bytes] | None = None
    ) -> tuple[Sequence[Sequence[KeptContact]], int]:
        """Return a page of people, each with all lines in order of urgency, and their number.

        Args:
            query: which people, and which page; its language is not looked at.
            spoken: digests of the language that they speak, one for each day; None for any.
        """
        ...

    def team(self, day: int, now: float) -> tuple[Sequence[TracerDay], int]:
        """Return the day of each operator with work, and how many people are due in all.

        The number of queries does not depend on the number of operators, cases or people.
        """
        ...

    def due_by_case(self, case_ids: Collection[str], day: int) -> dict[str, int]:
        """Return how many people of some cases are to be called on a day; 0 is left out."""
        ...

    def reserve(self, who: bytes, operator: str, now: float, until: float) -> bool:
        """Reserve a person for an operator; return False if another one has the person."""
        ...

    def assignees(self, case_ids: Collection[str]) -> dict[str, str]:
        """Return to whom cases are assigned, "" for nobody."""
        ...

    def reservations(self, people: Collection[bytes], now: float) -> dict[bytes, str]:
        """Return the names of the operators who have reserved some people at ``now``."""
        ...

    def reserved_by(self, operator: str, now: float) -> Sequence[Reservation]:
        """Return whom an operator has reserved at ``now``."""
        ...

    def release(self, operator: str) -> int:
        """End all reservations of an operator; return how many."""
        ...

    def drop_reservations(self, now: float) -> int:
        """Delete reservations that have ended; return how many."""
        ...

    def put_shift(self, shift: CallShift) -> None:
        """Store an operator's shift; it replaces the earlier one."""
        ...

    def shift(self, operator: str) -> CallShift | None:
        """Return an operator's latest shift, or None."""
        ...

    def drop_shifts(self, now: float) -> int:
        """Delete shifts that have ended; return how many."""
        ...

    def put_draft(self, draft: SealedDraft) -> None:
        """Store a draft; it replaces the operator's earlier one about that person."""
        ...

    def draft(self, operator: str, who: bytes) -> SealedDraft | None:
        """Return an operator's draft about a person, or None."""
        ...

    def drop_draft(self, operator: str, who: bytes) -> None:
        """Delete a draft."""
        ...

    def drop_drafts(self, before_day: int) -> int:
        """Delete drafts of days before this one; return how many."""
        ...

    def found(
        self, who: bytes, digests: Mapping[str, Sequence[bytes]], limit: int
    ) -> Sequence[Sequence[KeptContact]]:
        """Return people, each with all lines in order of urgency.

        A line that was merged into another one leads to that one's person.

        Args:
            who: ``KeptContact.who`` of one person.
            digests: field of a line -> its digests; a line with any of them is found.
            limit: the most people to return.
        """
        ...

    def unindexed(self, limit: int) -> Sequence[KeptContact]:
        """Return lines of earlier releases, which a search by number or name doesn't find yet."""
        ...
