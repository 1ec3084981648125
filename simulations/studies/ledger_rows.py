"""Rows of the ledger: what each feature tells each actor, in bits, beside the budget."""

from dataclasses import dataclass
from typing import Any, Final

from simulations.studies.linking import LinkedActs
from tracetogether.parameters import CHANCE_BITS

MOST_ADVANTAGE: Final = 0.01
"""Largest advantage over a guess in a link that must not be better than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What one feature tells one actor.

    Attributes:
        feature: what was used.
        actor: who looks at it.
        learns: what the actor learns, in words.
        bits: how much, about what ``learns`` names.
        budget: the most bits that are accepted.
        accepted: whether the budget accepts that the actor learns this: because the feature is for
            it, or because nothing here stops it. Otherwise the budget is near 0.
        score, low, high: share of right answers with its central 90 %; None without a guess.
        chance: share of right answers of a guess; None without one.
        played: how it was played: what is the input, what is guessed, by which signal.
    """

    feature: str
    actor: str
    learns: str
    bits: float
    budget: float
    accepted: bool
    played: str
    score: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None

    @classmethod
    def of_link(
        cls,
        feature: str,
        actor: str,
        learns: str,
        linked: LinkedActs,
        *,
        played: str,
        budget: float = CHANCE_BITS,
        accepted: bool = False,
    ) -> "LedgerRow":
        """Return the row of a linking attack."""
        return cls(
            feature=feature,
            actor=actor,
            learns=learns,
            bits=linked.bits,
            budget=budget,
            accepted=accepted,
            played=f"{played} Best signal of {len(linked.signals)}: {linked.signal}.",
            score=linked.score,
            low=linked.low,
            high=linked.high,
            chance=0.5,
        )

    @property
    def within_budget(self) -> bool:
        """Whether the actor learns no more than is accepted."""
        advantage = 0.0 if self.score is None or self.chance is None else self.score - self.chance
        return self.bits <= self.budget and (self.accepted or advantage < MOST_ADVANTAGE)

    def to_json(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return {
            "feature": self.feature,
            "actor": self.actor,
            "learns": self.learns,
            "bits": self.bits,
            "budget": self.budget,
            "within_budget": self.within_budget,
            "accepted": self.accepted,
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "chance": self.chance,
            "played": self.played,
        }
