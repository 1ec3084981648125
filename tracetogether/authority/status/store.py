"""What the status room needs of a store: orders, restrictions, appeals."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.cases.store import CaseStore

if TYPE_CHECKING:
    from tracetogether.authority.status.appeal import Appeal
    from tracetogether.authority.status.order import Order
    from tracetogether.authority.status.restriction import Restriction


class RestrictingStore(CaseStore, Protocol):
    """A store as the status room uses it."""

    @property
    def status(self) -> StatusStore:
        """The part that keeps orders, restrictions and appeals."""
        ...


class StatusStore(Protocol):
    """The part of a store that keeps orders, restrictions and appeals."""

    def lock(self) -> None:
        """Let nobody else change orders, restrictions or appeals until the transaction ends.

        Call it first in the transaction, before any other row is locked.
        """
        ...

    # --- orders ---

    def add_order(self, order: Order) -> bool:
        """Store a new order; return False if its id is taken."""
        ...

    def change_order(self, order: Order) -> bool:
        """Store a changed order; return False if there is none with its id."""
        ...

    def order(self, order_id: str) -> Order | None:
        """Return an order, or None."""
        ...

    def orders(self) -> Sequence[Order]:
        """Return all orders, the newest first."""
        ...

    # --- restrictions ---

    def add_restriction(self, restriction: Restriction) -> bool:
        """Store a new restriction; return False if its id is taken."""
        ...

    def change_restriction(self, restriction: Restriction) -> bool:
        """Store a changed restriction; return False if it is gone with its user."""
        ...

    def restriction(self, restriction_id: str) -> Restriction | None:
        """Return a restriction, or None."""
        ...

    def restrictions_of(self, user_id: str) -> Sequence[Restriction]:
        """Return the restrictions of a user, the newest first."""
        ...

    def restrictions_by(self, reference: str) -> Sequence[Restriction]:
        """Return the restrictions that rest on a case or an order, the newest first."""
        ...

    def restrictions_since(self, since: float, set_by: str | None = None) -> Sequence[Restriction]:
        """Return what was set at ``since`` or later, by one operator or (None) by all."""
        ...

    def not_over(self, now: float) -> Sequence[Restriction]:
        """Return the restrictions that have neither ended nor reached their end, newest first."""
        ...

    def drop_restrictions(self, before: float) -> int:
        """Delete restrictions that were over before that time, with their appeals.

        One that rests on an order stays as long as the order. Return how many.
        """
        ...

    def drop_orders(self, before: float) -> int:
        """Delete orders that ended before that time; return how many."""
        ...

    # --- appeals ---

    def add_appeal(self, appeal: Appeal) -> bool:
        """Store a new appeal; return False if its id is taken."""
        ...

    def change_appeal(self, appeal: Appeal) -> bool:
        """Store a changed appeal; return False if it is gone with its user."""
        ...

    def appeal(self, appeal_id: str) -> Appeal | None:
        """Return an appeal, or None."""
        ...

    def appeals_of(self, restriction_id: str) -> Sequence[Appeal]:
        """Return the appeals against a restriction, the newest first."""
        ...

    def appeals(self) -> Sequence[Appeal]:
        """Return all appeals, the oldest first."""
        ...
