"""An authority whose operators restrict people: orders, people with cases, and who does what."""

import os
from collections.abc import Callable

import pytest

from tests.authority_world import NOON, World
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionEvidence
from tracetogether.errors import AuthorityError
from tracetogether.units import SECONDS_PER_DAY, Entropy

MEI = Caller("mei", frozenset({Role.SUPERVISOR}))
RAVI = Caller("ravi", frozenset({Role.RESTRICTOR}))
SITI = Caller("siti", frozenset({Role.RESTRICTOR}))
ROSA = Caller("rosa", frozenset({Role.REVIEWER}))
TOM = Caller("tom", frozenset({Role.REVIEWER}))
BOTH = Caller("both", frozenset({Role.RESTRICTOR, Role.REVIEWER, Role.SUPERVISOR}))
LABORATORY = Caller("desk-one", frozenset({Role.ISSUER}))
WEEK = 7 * SECONDS_PER_DAY


class StatusWorld(World):
    """An authority with orders and restrictions."""

    @classmethod
    def new(
        cls, store: AuthorityStore | None = None, entropy: Entropy = os.urandom
    ) -> "StatusWorld":
        """Return a new authority."""
        return cls.of(entropy, store=store)

    def order(
        self,
        kind: OrderKind = OrderKind.CONTACT,
        *,
        people: int = 30,
        ends_at: float = NOON + 4 * WEEK,
        by: Caller = MEI,
    ) -> Order:
        """Register an order."""
        return self.authority.orders.add(
            kind,
            "Infectious Diseases Act, section 15",
            "Canteen 3",
            (NOON - SECONDS_PER_DAY, NOON),
            ends_at,
            people,
            NOON,
            by=by,
        )

    def set(
        self,
        order: Order,
        user_id: str = "",
        now: float = NOON,
        *,
        evidence: RestrictionEvidence = RestrictionEvidence.VISIT,
        until: float | None = None,
        by: Caller = RAVI,
    ) -> Restriction:
        """Set a restriction on one person by an order."""
        return self.authority.restrictions.set(
            user_id or self.user(),
            Ground.ORDER,
            order.order_id,
            evidence,
            now + WEEK if until is None else until,
            now,
            by=by,
        )

    def restricted(self, order: Order, user_id: str = "", now: float = NOON) -> Restriction:
        """Set a restriction, and confirm it."""
        found = self.set(order, user_id, now)
        return self.authority.restrictions.confirm(found.restriction_id, now, by=ROSA)

    def acts(self) -> list[tuple[str, str, str]]:
        """Return act, operator and reason of the entries of the audit log about this."""
        entries = self.authority.audit.entries(by=CONSOLE)
        kinds = ("order.", "restriction.", "appeal.", "test.")
        return [
            (entry.act, entry.by, str(entry.details.get("reason", "")))
            for entry in entries
            if entry.act.startswith(kinds)
        ]


def refused(world: StatusWorld, code: str, act: Callable[[], object]) -> tuple[str, str, str]:
    """Return the newest audit entry after an act that is refused with ``code``."""
    before = len(world.acts())
    with pytest.raises(AuthorityError) as error:
        act()
    assert error.value.code == code
    (entry,) = world.acts()[before:]
    return entry
