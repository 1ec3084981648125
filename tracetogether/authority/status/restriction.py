"""A restriction as a value: one person gets no passes for a time, on a ground, by two people."""

from dataclasses import dataclass, field
from enum import Enum

from tracetogether.parameters import RESTRICTIONS, RestrictionRules


class Ground(Enum):
    """What a restriction rests on; ``reference`` names it."""

    CASE = "case"  # the person's own case, open and confirmed
    ORDER = "order"  # an order that was registered beforehand


class RestrictionEvidence(Enum):
    """What two people saw before they restricted somebody."""

    DIAGNOSIS = "diagnosis"  # a positive test: the person's own case
    CONTACT_LINE = "contact-line"  # a line of a contact list, after a tracer spoke to the person
    VISIT = "visit"  # a visit to the place of the order
    OWN_DECLARATION = "own-declaration"  # symptoms that the person declared
    NONE = "none"  # only within an order of kind border


class Ending(Enum):
    """Why a restriction ended before its time."""

    NOT_ENDED = ""
    REJECTED = "rejected"  # before anybody confirmed it
    LIFTED = "lifted"
    APPEAL = "appeal"  # a reviewer decided so
    NEGATIVE_TEST = "negative-test"
    ORDER_ENDED = "order-ended"
    CASE_CLOSED = "case-closed"  # or deleted


class RestrictionState(Enum):
    """What a restriction does at a moment."""

    WAITING = "waiting"  # for its confirmation; passes go on
    LAPSED = "lapsed"  # nobody confirmed it in time
    LATER = "later"  # confirmed, and it has not begun
    IN_FORCE = "in-force"  # no passes
    SUSPENDED = "suspended"  # an appeal waits for too long; passes go on
    OVER = "over"


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

    def state(self, now: float, rules: RestrictionRules = RESTRICTIONS) -> RestrictionState:
        """Return what it does at ``now`` (epoch seconds), as far as this row says it."""
        if now >= self.until or (self.ended_at is not None and now >= self.ended_at):
            return RestrictionState.OVER
        if self.confirmed_at is None or now < self.confirmed_at:
            waits = now <= self.set_at + rules.confirmed_within_s
            return RestrictionState.WAITING if waits else RestrictionState.LAPSED
        if now < self.begins_at:
            return RestrictionState.LATER
        if self.suspends_at is not None and now > self.suspends_at:
            return RestrictionState.SUSPENDED
        return RestrictionState.IN_FORCE

    def in_force(self, now: float) -> bool:
        """Return whether the person gets no passes at ``now`` (epoch seconds)."""
        return self.state(now) is RestrictionState.IN_FORCE
