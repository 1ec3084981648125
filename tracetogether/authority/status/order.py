"""An order as a value: what the law lets the authority restrict people for, and how many."""

from dataclasses import dataclass
from enum import Enum


class OrderKind(Enum):
    """Why an order restricts people."""

    CONTACT = "contact"  # they were near a case, or at its place; a negative test ends it
    BORDER = "border"  # they arrived from elsewhere


@dataclass(frozen=True, slots=True)
class Order:
    """A registered order; restrictions refer to it.

    Attributes:
        order_id: random, ten characters.
        kind: why it restricts people.
        legal_basis: the law or the decision, with its number.
        place: where the people were.
        window_from, window_to: when they were there, in epoch seconds.
        ends_at: epoch seconds; nobody is restricted by it any more from then on.
        most_people: how many people it may restrict in all.
        people: how many were restricted by it so far, those who are free again included.
        registered_by: name of the operator.
        registered_at: epoch seconds.
        ended_at: when somebody ended it early; None if nobody did.
        ended_by: who did, or "".
    """

    order_id: str
    kind: OrderKind
    legal_basis: str
    place: str
    window_from: float
    window_to: float
    ends_at: float
    most_people: int
    registered_by: str
    registered_at: float
    people: int = 0
    ended_at: float | None = None
    ended_by: str = ""

    def in_force(self, now: float) -> bool:
        """Return whether people can be restricted by it at ``now`` (epoch seconds)."""
        return self.ended_at is None and now < self.ends_at

    @property
    def full(self) -> bool:
        """Whether as many people as it allows were restricted by it."""
        return self.people >= self.most_people
