"""Orders, restrictions and appeals in tables."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import APPEALS, ORDERS, RESTRICTIONS
from tracetogether.authority.status.appeal import Appeal, AppealState
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    Restriction,
    RestrictionEvidence,
)

_ORDER: Final = RowFormat(ORDERS, Order, read={"kind": OrderKind})
_RESTRICTION: Final = RowFormat(
    RESTRICTIONS,
    Restriction,
    read={"ground": Ground, "evidence": RestrictionEvidence, "ending": Ending},
)
_APPEAL: Final = RowFormat(APPEALS, Appeal, read={"state": AppealState})


class StatusTables(TableAccess):
    """``status.store.StatusStore`` in SQL."""

    def lock(self) -> None:
        """Let nobody else change orders, restrictions or appeals until the transaction ends."""
        with self._transactions.writing() as connection:
            self._database.lock_status(connection)

    # --- orders ---

    def add_order(self, order: Order) -> bool:
        """Store a new order; return False if its id is taken."""
        return self._added(ORDERS, _ORDER.values(order))

    def change_order(self, order: Order) -> bool:
        """Store a changed order; return False if there is none with its id."""
        which = ORDERS.c.order_id == order.order_id
        return self._changed(ORDERS.update().where(which).values(**_ORDER.values(order)))

    def order(self, order_id: str) -> Order | None:
        """Return an order, or None."""
        row = self._first(ORDERS.select().where(ORDERS.c.order_id == order_id))
        return None if row is None else _ORDER.item(row)

    def orders(self) -> Sequence[Order]:
        """Return all orders, the newest first."""
        wanted = ORDERS.select().order_by(ORDERS.c.registered_at_s.desc(), ORDERS.c.order_id)
        return [_ORDER.item(row) for row in self._all(wanted)]

    # --- restrictions ---

    def add_restriction(self, restriction: Restriction) -> bool:
        """Store a new restriction; return False if its id is taken."""
        return self._added(RESTRICTIONS, _RESTRICTION.values(restriction))

    def change_restriction(self, restriction: Restriction) -> bool:
        """Store a changed restriction; return False if it is gone with its user."""
        which = RESTRICTIONS.c.restriction_id == restriction.restriction_id
        values = _RESTRICTION.values(restriction)
        return self._changed(RESTRICTIONS.update().where(which).values(**values))

    def restriction(self, restriction_id: str) -> Restriction | None:
        """Return a restriction, or None."""
        found = self._restrictions(RESTRICTIONS.c.restriction_id == restriction_id)
        return found[0] if found else None

    def restrictions_of(self, user_id: str) -> Sequence[Restriction]:
        """Return the restrictions of a user, the newest first."""
        return self._restrictions(RESTRICTIONS.c.user_id == user_id)

    def restrictions_by(self, reference: str) -> Sequence[Restriction]:
        """Return the restrictions that rest on a case or an order, the newest first."""
        return self._restrictions(RESTRICTIONS.c.reference == reference)

    def restrictions_since(self, since: float, set_by: str | None = None) -> Sequence[Restriction]:
        """Return what was set at ``since`` or later, by one operator or (None) by all."""
        which = RESTRICTIONS.c.set_at_s >= since
        if set_by is not None:
            which = sa.and_(RESTRICTIONS.c.set_by == set_by, which)
        return self._restrictions(which)

    def not_over(self, now: float) -> Sequence[Restriction]:
        """Return the restrictions that have neither ended nor reached their end, newest first."""
        ended = RESTRICTIONS.c.ended_at_s
        open_yet = sa.or_(ended.is_(None), ended > now)
        return self._restrictions(sa.and_(open_yet, RESTRICTIONS.c.until_s > now))

    def drop_restrictions(self, before: float) -> int:
        """Delete restrictions that were over before that time, unless their order is kept."""
        kept = sa.select(ORDERS.c.order_id)
        over = sa.func.coalesce(RESTRICTIONS.c.ended_at_s, RESTRICTIONS.c.until_s) < before
        free = sa.or_(
            RESTRICTIONS.c.ground != Ground.ORDER.value, RESTRICTIONS.c.reference.not_in(kept)
        )
        return self._drop(RESTRICTIONS, sa.and_(over, free))

    def drop_orders(self, before: float) -> int:
        """Delete orders that ended before that time; return how many."""
        over = sa.func.coalesce(ORDERS.c.ended_at_s, ORDERS.c.ends_at_s) < before
        return self._drop(ORDERS, over)

    def _restrictions(self, which: sa.ColumnElement[bool]) -> list[Restriction]:
        wanted = RESTRICTIONS.select().where(which)
        newest = RESTRICTIONS.c.set_at_s.desc(), RESTRICTIONS.c.restriction_id
        return [_RESTRICTION.item(row) for row in self._all(wanted.order_by(*newest))]

    # --- appeals ---

    def add_appeal(self, appeal: Appeal) -> bool:
        """Store a new appeal; return False if its id is taken."""
        return self._added(APPEALS, _APPEAL.values(appeal))

    def change_appeal(self, appeal: Appeal) -> bool:
        """Store a changed appeal; return False if it is gone with its user."""
        which = APPEALS.c.appeal_id == appeal.appeal_id
        return self._changed(APPEALS.update().where(which).values(**_APPEAL.values(appeal)))

    def appeal(self, appeal_id: str) -> Appeal | None:
        """Return an appeal, or None."""
        found = self._appeals(APPEALS.select().where(APPEALS.c.appeal_id == appeal_id))
        return found[0] if found else None

    def appeals_of(self, restriction_id: str) -> Sequence[Appeal]:
        """Return the appeals against a restriction, the newest first."""
        wanted = APPEALS.select().where(APPEALS.c.restriction_id == restriction_id)
        return self._appeals(wanted.order_by(APPEALS.c.opened_at_s.desc(), APPEALS.c.appeal_id))

    def appeals(self) -> Sequence[Appeal]:
        """Return all appeals, the oldest first."""
        return self._appeals(APPEALS.select().order_by(APPEALS.c.opened_at_s, APPEALS.c.appeal_id))

    def _appeals(self, wanted: sa.Select[Any]) -> list[Appeal]:
        return [_APPEAL.item(row) for row in self._all(wanted)]
