"""Restrictions: who gets no passes at a time."""

from dataclasses import dataclass

from tracetogether.authority.status.restriction import Restriction
from tracetogether.authority.status.store import RestrictingStore


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What operators do with restrictions, and what the issuing of passes asks."""

    store: RestrictingStore

    def in_force(self, user_id: str, now: float) -> Restriction | None:
        """Return the restriction for which a user gets no passes at ``now``, or None.

        If there are several, it is the one that ends last.
        """
        found = [
            restriction
            for restriction in self.store.status.restrictions_of(user_id)
            if restriction.in_force(now)
        ]
        return max(found, key=lambda restriction: restriction.until, default=None)
