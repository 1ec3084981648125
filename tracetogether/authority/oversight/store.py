"""What the authority as a whole needs of a store: also counts, deletion by age, and restoring."""

from __future__ import annotations  # the module that defines Counts imports this one

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.handover.store import HandingStore
from tracetogether.authority.open_data.store import OpenStore
from tracetogether.authority.places.store import PlacingStore
from tracetogether.authority.presence.store import WarningStore
from tracetogether.authority.status.charge_store import ChargingStore
from tracetogether.authority.status.facts import PassStore

if TYPE_CHECKING:
    from tracetogether.authority.access.operators import Operator
    from tracetogether.authority.oversight.statistics import Counts
    from tracetogether.authority.oversight.wall import Counted
    from tracetogether.local_days import LocalDays


class AuthorityStore(
    CallingStore,
    ChargingStore,
    PassStore,
    WarningStore,
    OpenStore,
    HandingStore,
    PlacingStore,
    Protocol,
):
    """The whole store of an authority; ``SqlStore`` is one."""

    @property
    def name(self) -> str:
        """The authority's organisation code."""
        ...

    def counts(self, now: float) -> Counts:
        """Return how many rows of each kind there are at ``now``."""
        ...

    def count_for_wall(self, now: float, days: LocalDays, appeal_s: float) -> Counted:
        """Return the counts of the wall; an open appeal is overdue after ``appeal_s``."""
        ...

    def counts_since(self, name: str, begins: Sequence[float]) -> tuple[int, ...]:
        """Return the sums of a count in the windows from each of these times on."""
        ...

    def count_changed_people(self, at_most: int, *, wait: bool) -> int:
        """Count again people whose lines have changed; return how many these were.

        Raises:
            BusyError: others write, and ``wait`` is False.
        """
        ...

    def sum_up_counts(self) -> None:
        """Add up the kept counts of people, which then cost less to read."""
        ...

    def probe(self, *, write: bool) -> None:
        """Return if the store can be read, has room and, with ``write``, can be written.

        Raises:
            StoreError: it can't. A lock that somebody else holds is no reason.
        """
        ...

    # --- deletion by age ---

    def drop_cases(self, before: float) -> int:
        """Delete cases that nobody worked on since ``before``; return how many."""
        ...

    def drop_pins(self, now: float) -> int:
        """Delete PINs that can't be used any more; return how many."""
        ...

    def drop_uploads(self, before: float) -> int:
        """Delete uploads received before that time; return how many."""
        ...

    def drop_contact_lists(self, before: float) -> int:
        """Delete contact lists of days that ended before that time; return how many."""
        ...

    def drop_tokens(self, before: float) -> int:
        """Delete the ids of upload tokens used before that time; return how many."""
        ...

    def drop_counts(self, before: float) -> int:
        """Delete counts of windows that began before that time; return how many."""
        ...

    def drop_withdrawals(self, before: float) -> int:
        """Delete withdrawals before that time; return how many."""
        ...

    # --- restoring: what a backup must not undo ---

    def withdrawals(self) -> Sequence[tuple[bytes, float]]:
        """Return the digest of each user who withdrew, and when."""
        ...

    def all_users(self) -> Iterable[str]:
        """Return all user ids."""
        ...

    def put_operator(self, operator: Operator) -> None:
        """Store an operator; it replaces the one with that name."""
        ...

    def drop_all_pins(self) -> int:
        """Delete every PIN, open or not; return how many."""
        ...

    def drop_all_sessions(self) -> int:
        """Delete every operator's session; return how many."""
        ...

    def used_tokens(self) -> Sequence[tuple[str, float]]:
        """Return the ids of used upload tokens, and when each was used."""
        ...

    def add_used_tokens(self, used: Iterable[tuple[str, float]]) -> int:
        """Store used upload tokens; return how many were new."""
        ...

    def all_counts(self) -> Sequence[tuple[str, bytes, int, int]]:
        """Return name, subject, window and count of everything that is counted."""
        ...

    def raise_counts(self, counts: Sequence[tuple[str, bytes, int, int]]) -> None:
        """Raise counts to those given, where they are lower."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Return all settings: name -> value."""
        ...
