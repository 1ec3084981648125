"""Orders: registered before anybody is restricted by them, with a bound and an end."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import new_id
from tracetogether.authority.status.attempts import Attempting
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.restriction import Ending
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.parameters import RESTRICTIONS, RestrictionRules
from tracetogether.plain_text import hidden_in
from tracetogether.units import SECONDS_PER_DAY, Entropy

LONGEST_TEXT: Final = 200
"""Characters of a legal basis, and of a place."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Registers, lists and ends orders.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it. The audit log
    records what was done, and what was refused.
    """

    store: RestrictingStore
    attempts: Attempting
    entropy: Entropy = os.urandom
    rules: RestrictionRules = RESTRICTIONS

    def add(
        self,
        kind: OrderKind,
        legal_basis: str,
        place: str,
        window: tuple[float, float],
        ends_at: float,
        most_people: int,
        now: float,
        *,
        by: Caller,
    ) -> Order:
        """Register an order. Who registers it can't restrict anybody by it.

        Args:
            kind: why it restricts people.
            legal_basis: the law or the decision, with its number.
            place: where the people were.
            window: from when to when they were there, in epoch seconds.
            ends_at: when the order ends, in epoch seconds.
            most_people: how many people it may restrict in all.
            now: epoch seconds.
            by: the caller.

        Raises:
            InvalidRequestError: a text is empty, too long or not plain; the times are not in
                order; the order is longer, or for more people, than the rules allow.
        """
        by.require(Action.ADD_ORDER)
        order = Order(
            new_id(self.entropy),
            kind,
            legal_basis.strip(),
            place.strip(),
            *window,
            ends_at,
            most_people,
            by.name,
            now,
        )
        with self.attempts.attempt("order.refused", now, by=by, subject=order.order_id):
            self._check(order, now)
            if not self.store.status.add_order(order):
                raise ConflictError("the new order's id is already taken: try again", "id-taken")
            self.attempts.audit.record(
                "order.registered",
                now,
                by=by.name,
                subject=order.order_id,
                kind=kind.value,
                people=most_people,
                basis=order.legal_basis,
            )
        return order

    def _check(self, order: Order, now: float) -> None:
        for text in (order.legal_basis, order.place):
            if not 0 < len(text) <= LONGEST_TEXT or hidden_in(text):
                msg = "legal basis and place are one line of plain text of 1 to {most} characters"
                raise InvalidRequestError(msg, "order-text", most=LONGEST_TEXT)
        if not order.window_from < order.window_to <= order.ends_at:
            msg = "the window begins before it ends, and ends no later than the order: correct it"
            raise InvalidRequestError(msg, "order-window")
        days = self.rules.order_longest_s // SECONDS_PER_DAY
        if not now < order.ends_at <= now + self.rules.order_longest_s:
            msg = "an order ends in the future, at most {days} days after it is registered"
            raise InvalidRequestError(msg, "order-end", days=days)
        if not 1 <= order.most_people <= self.rules.order_people:
            msg = (
                "an order restricts 1 to {most} people: a larger number would be a list, and "
                "nothing here takes one"
            )
            raise InvalidRequestError(msg, "order-people", most=self.rules.order_people)

    def all(self, *, by: Caller) -> Sequence[Order]:
        """Return all orders that are kept, the newest first."""
        by.require(Action.LIST_ORDERS)
        return self.store.status.orders()

    def end(self, order_id: str, now: float, *, by: Caller) -> int:
        """End an order and all restrictions that rest on it; return how many those were.

        Raises:
            NotFoundError: there is no such order.
            ConflictError: it is over already.
        """
        by.require(Action.END_ORDER)
        with self.attempts.attempt("order.end-refused", now, by=by, subject=order_id):
            order = found_order(self.store, order_id)
            if not order.in_force(now):
                raise ConflictError("the order is over already", "order-over")
            self.store.status.change_order(replace(order, ended_at=now, ended_by=by.name))
            ended = 0
            for restriction in self.store.status.restrictions_by(order_id):
                if restriction.ended_at is None and now < restriction.until:
                    ended += self.store.status.change_restriction(
                        replace(
                            restriction, ended_at=now, ended_by=by.name, ending=Ending.ORDER_ENDED
                        )
                    )
            self.attempts.audit.record(
                "order.ended", now, by=by.name, subject=order_id, restrictions=ended
            )
        return ended


def found_order(store: RestrictingStore, order_id: str) -> Order:
    """Return an order.

    Raises:
        NotFoundError: there is none of this id.
    """
    order = store.status.order(order_id) if order_id.isascii() else None
    if order is None:
        msg = "there is no such order: `authority order list` shows all"
        raise NotFoundError(msg, "no-such-order")
    return order
