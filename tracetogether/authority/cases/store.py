"""What the rooms of cases and desk need of a store: cases, followed contacts, notes, merges."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.access.store import AccessStore
from tracetogether.authority.contacts.lists import ListStore
from tracetogether.local_days import UTC_DAYS, LocalDays

if TYPE_CHECKING:
    from tracetogether.authority.cases.case import Case, CasePage, CaseQuery
    from tracetogether.authority.cases.case_person import CasePerson
    from tracetogether.authority.cases.followed import ContactQuery, DayOutcome, KeptContact
    from tracetogether.authority.cases.indicators import Dashboard
    from tracetogether.authority.cases.merges import SealedMerge
    from tracetogether.authority.cases.notes import SealedNote


class CaseStore(AccessStore, ListStore, Protocol):
    """A store as casework uses it."""

    @property
    def desk(self) -> DeskStore:
        """The part that keeps what tracers work on."""
        ...

    def add_case(self, case: Case) -> bool:
        """Add a case; return False if its id is taken, or the user has an open case."""
        ...

    def case(self, case_id: str) -> Case | None:
        """Return a case, or None."""
        ...

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        ...

    def confirm_case(self, case_id: str) -> bool:
        """Mark a case as confirmed; return False if there is none that is unconfirmed."""
        ...

    def touch_case(self, case_id: str, now: float) -> bool:
        """Store that somebody works on the case; return False if there is none."""
        ...


class DeskStore(Protocol):
    """The part of a store that keeps what tracers work on."""

    # --- cases ---

    def locked_case(self, case_id: str) -> Case | None:
        """Return a case that nobody else changes until the open transaction ends."""
        ...

    def put_case(self, case: Case) -> None:
        """Store the fields of a case that can change; cases merged into it follow its assignee."""
        ...

    def open_cases_of(self, user_id: str) -> Sequence[Case]:
        """Return a user's open cases, the newest first.

        Inside a transaction nobody else opens a case for that user until it ends.
        """
        ...

    def cases_page(self, query: CaseQuery, today: int) -> CasePage:
        """Return a page with counts; ``today`` is the day that contacts are due on."""
        ...

    def cases_named(self, case_ids: Collection[str]) -> Sequence[Case]:
        """Return the cases that have one of these ids, in the order of ids."""
        ...

    def cases_of_users(self, user_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return user id and case id of all cases of some users."""
        ...

    def cases_merged_into(self, case_id: str) -> Sequence[Case]:
        """Return the cases that were merged into this one, the newest first."""
        ...

    # --- who a case is ---

    def put_case_person(self, person: CasePerson) -> None:
        """Store name and telephone number of a case; they replace the earlier ones."""
        ...

    def case_person(self, case_id: str) -> CasePerson | None:
        """Return name and telephone number of a case, sealed; None if nothing is stored."""
        ...

    def drop_case_person(self, case_id: str) -> None:
        """Delete name and telephone number of a case."""
        ...

    def drop_case_people(self, before_day: int) -> int:
        """Delete names and telephone numbers sealed before this day; return how many."""
        ...

    def cases_by_person(
        self, user_id: str, digests: Mapping[str, Sequence[bytes]], limit: int
    ) -> Sequence[Case]:
        """Return cases of a user, or with one of the digests, the newest first.

        Args:
            user_id: whose cases.
            digests: field of ``CasePerson`` -> digests; other fields are left out.
            limit: the most cases to return.
        """
        ...

    # --- followed contacts and the outcomes of their days ---

    def put_contacts(self, contacts: Sequence[KeptContact]) -> None:
        """Store contacts; each replaces the one with its id."""
        ...

    def contact(self, contact_id: str) -> KeptContact | None:
        """Return a contact; inside a transaction nobody else changes it until that ends."""
        ...

    def contacts_page(self, query: ContactQuery) -> tuple[Sequence[KeptContact], int]:
        """Return a page in order of priority, and the number of contacts on all pages."""
        ...

    def contacts_of(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return all contacts of some cases, in order of priority.

        Inside a transaction nobody else changes them until that ends.
        """
        ...

    def contacts_after(self, contact_id: str, limit: int) -> Sequence[tuple[KeptContact, str]]:
        """Return contacts with ids above this one ("" for the first), each with its case's date."""
        ...

    def tagged(self, tags: Sequence[bytes]) -> Sequence[KeptContact]:
        """Return all contacts that have one of ``tags``."""
        ...

    def lines_that_became(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return the contacts that became one of these cases, the most urgent first."""
        ...

    def lines_of(self, *people: bytes) -> Sequence[KeptContact]:
        """Return all contacts of some people (``KeptContact.who``), the most urgent first.

        Inside a transaction nobody else changes them until that ends.
        """
        ...

    def put_outcome(self, contact_id: str, outcome: DayOutcome) -> None:
        """Store the outcome of a day; it replaces an earlier one."""
        ...

    def outcomes(self, contact_ids: Sequence[str]) -> dict[str, tuple[DayOutcome, ...]]:
        """Return the outcomes of some contacts by id, each in the order of days."""
        ...

    def drop_outcome(self, contact_id: str, day: int) -> None:
        """Delete the outcome of a day."""
        ...

    def drop_tagged(self, tags: Sequence[bytes]) -> int:
        """Delete contacts that have one of ``tags``, and notes on them; return how many."""
        ...

    def drop_contacts(self, before_day: int) -> int:
        """Delete contacts of days before this one; return how many."""
        ...

    def end_follow_ups(self, today: int, now: float) -> int:
        """End calls whose last day has passed, as completed or lost; return how many."""
        ...

    def dashboard(
        self, now: float, assigned_to: str | None, days: LocalDays = UTC_DAYS
    ) -> Dashboard:
        """Return the counts at ``now``, of one operator's cases or (None) of all, by ``days``."""
        ...

    # --- notes ---

    def add_note(self, note: SealedNote) -> None:
        """Store a note."""
        ...

    def notes(self, case_id: str) -> Sequence[SealedNote]:
        """Return the notes on a case and its contacts, the oldest first."""
        ...

    def move_note(self, note_id: str, case_id: str, contact_id: str) -> None:
        """Attach a note to another case or contact."""
        ...

    def drop_notes(self, before_day: int) -> int:
        """Delete notes of days before this one; return how many."""
        ...

    # --- merges ---

    def put_merge(self, merge: SealedMerge) -> None:
        """Store a merge; it replaces an earlier one of the same ``gone``."""
        ...

    def merge_of(self, gone: str) -> SealedMerge | None:
        """Return the merge in which this case or contact went, or None."""
        ...

    def merges_into(self, stays: str) -> Sequence[SealedMerge]:
        """Return what was merged into a case or contact, the oldest first."""
        ...

    def drop_merge(self, gone: str) -> None:
        """Delete a merge."""
        ...

    def drop_merges(self, before_day: int) -> int:
        """Delete merges of days before this one; return how many."""
        ...
