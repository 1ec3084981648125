"""What charges need of a store: codes that nobody has used, and who keeps passes for whom."""

from __future__ import annotations  # the module that defines these types imports this one

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.intake.store import IntakeStore

if TYPE_CHECKING:
    from tracetogether.authority.status.charges import Charge, KeptConsent


class ChargingStore(IntakeStore, Protocol):
    """A store as charges use it."""

    @property
    def charges(self) -> ChargeStore:
        """The part that keeps charges and their codes."""
        ...


class ChargeStore(Protocol):
    """The part of a store that keeps charges and their codes."""

    def lock(self, guardian: str) -> None:
        """Let nobody else add a charge to this phone until the transaction ends."""
        ...

    def add_consent(self, consent: KeptConsent) -> bool:
        """Store a code that was given out; return False if there is the same one."""
        ...

    def take_consent(self, digest: bytes) -> KeptConsent | None:
        """Delete and return the consent with this digest, or None."""
        ...

    def drop_consent(self, charge_id: str) -> int:
        """Delete the unused code of a charge; return how many there were."""
        ...

    def drop_consents(self, now: float) -> int:
        """Delete codes that have expired; return how many."""
        ...

    def add_charge(self, charge: Charge) -> bool:
        """Store a charge; return False if its id is taken."""
        ...

    def all(self) -> Sequence[Charge]:
        """Return all charges, the oldest first."""
        ...

    def consents(self) -> Sequence[KeptConsent]:
        """Return all codes that nobody has used yet, by their charges."""
        ...

    def of(self, guardian: str) -> Sequence[Charge]:
        """Return the charges of a phone, the oldest first."""
        ...

    def drop_charge(self, charge_id: str) -> bool:
        """Delete a charge, and note that no backup may bring it back; return False without one."""
        ...
