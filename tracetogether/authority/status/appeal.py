"""An appeal as a value: a restricted person asks, and somebody else decides within 48 hours."""

from dataclasses import dataclass
from enum import Enum

from tracetogether.parameters import RESTRICTIONS, RestrictionRules


class AppealState(Enum):
    """How far an appeal has come."""

    OPEN = "open"
    LIFTED = "lifted"  # the restriction ended
    CORRECTED = "corrected"  # the restriction ends earlier
    UPHELD = "upheld"  # the restriction stays


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal against one restriction. It has no text: the person is heard, not stored.

    Attributes:
        appeal_id: random, ten characters.
        restriction_id: against which restriction.
        opened_at: epoch seconds.
        state: how far it has come.
        decided_at: epoch seconds; None while it is open.
        decided_by: name of the operator, or "".
    """

    appeal_id: str
    restriction_id: str
    opened_at: float
    state: AppealState = AppealState.OPEN
    decided_at: float | None = None
    decided_by: str = ""

    def overdue(self, now: float, rules: RestrictionRules = RESTRICTIONS) -> bool:
        """Return whether it is undecided for so long that the restriction is suspended."""
        return self.state is AppealState.OPEN and now > self.opened_at + rules.appeal_s
