"""What is stored about a person that decides on passes, read by one statement.

The answer has the same form for everybody, so that reading it takes the same time for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tracetogether.authority.status.declarations import DeclarationStore, SealedDeclaration
from tracetogether.authority.status.store import RestrictingStore


@dataclass(frozen=True, slots=True)
class FactsKept:
    """What is stored about a person, and what all passes follow.

    Attributes:
        case_day: UTC day of the person's open, confirmed case; None without one.
        contact_at: noon of the day of the latest close contact that is under follow-up, epoch
            seconds; None without one.
        declaration: the latest declaration, or None.
        policy: the setting that holds the policy in use, or None.
        retired: the setting that holds the kids that were retired, or None.
    """

    case_day: int | None = field(repr=False)
    contact_at: float | None = field(repr=False)
    declaration: SealedDeclaration | None = field(repr=False)
    policy: str | None
    retired: str | None


class FactsStore(DeclarationStore, Protocol):
    """The part of a store that keeps declarations, and reads all facts at once."""

    def facts_kept(
        self, user_id: str, tags: Sequence[bytes], settings: tuple[str, str]
    ) -> FactsKept:
        """Return what is stored about a user.

        Args:
            user_id: the person.
            tags: the user's tags in follow-up, one for each day.
            settings: names of the settings for policy and retired kids.
        """
        ...


class PassStore(RestrictingStore, Protocol):
    """A store as the issuing of passes uses it."""

    @property
    def declarations(self) -> FactsStore:
        """The part that keeps declarations, and reads all facts."""
        ...
