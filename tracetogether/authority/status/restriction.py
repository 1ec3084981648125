"""A restriction as a value: one person gets no passes for a time, on a ground, by two people."""

from dataclasses import dataclass, field
from enum import Enum


class Ground(Enum):
    """What a restriction rests on; ``reference`` names it."""

    CASE = "case"  # an open, confirmed case
    ORDER = "order"  # an order that was registered beforehand


class RestrictionEvidence(Enum):
    """What two people saw before they restricted somebody."""

    DIAGNOSIS = "diagnosis"  # the person's own case
    CONTACT_LINE = "contact-line"  # a line of a contact list, after a tracer spoke to the person
    VISIT = "visit"  # a visit to the place of the order
    OWN_DECLARATION = "own-declaration"  # what the person declared
    NONE = "none"  # only within an order of kind border


class Ending(Enum):
    """Why a restriction ended before its time."""

    NOT_ENDED = ""
    REJECTED = "rejected"  # nobody confirmed it, and somebody refused it
    LIFTED = "lifted"
    APPEAL_LIFTED = "appeal-lifted"
    APPEAL_CORRECTED = "appeal-corrected"
    NEGATIVE_TEST = "negative-test"
    ORDER_ENDED = "order-ended"


@dataclass(frozen=True, slots=True)
class Restriction:
    """One person who gets no passes for a time.

    Attributes:
        restriction_id: random, ten characters.
        user_id: who is restricted.
        ground: what it rests on.
        reference: id of the case or of the order.
        begins_at, until: epoch seconds; it is not in force any more at ``until``.
        evidence: what the two people saw.
        notice: code of the text that the person reads.
        set_by: name of the operator who set it.
        set_at: epoch seconds.
        confirmed_by: name of the other operator who confirmed it, or "".
        confirmed_at: when it was confirmed; None before.
        suspends_at: from after this moment on an undecided appeal suspends it; None without one.
        ended_at: when it ended before ``until``; None if it did not.
        ended_by: who ended it, or "".
        ending: why it ended before ``until``.
    """

    restriction_id: str
    user_id: str = field(repr=False)
    ground: Ground
    reference: str
    begins_at: float
    until: float
    evidence: RestrictionEvidence
    notice: str
    set_by: str
    set_at: float
    confirmed_by: str = ""
    confirmed_at: float | None = None
    suspends_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""
    ending: Ending = Ending.NOT_ENDED

    def suspended(self, now: float) -> bool:
        """Return whether an appeal has waited too long for its decision at ``now``."""
        return self.suspends_at is not None and now > self.suspends_at

    def in_force(self, now: float) -> bool:
        """Return whether the person gets no passes at ``now`` (epoch seconds)."""
        return (
            self.confirmed_at is not None
            and self.ended_at is None
            and self.begins_at <= now < self.until
            and not self.suspended(now)
        )
