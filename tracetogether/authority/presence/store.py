"""What the presence room needs of a store: visits and trips of cases, packages for everybody."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.intake.store import IntakeStore

if TYPE_CHECKING:
    from tracetogether.authority.presence.reported import (
        KeptPackage,
        KeptTrip,
        KeptVisit,
        PackageLine,
    )


class WarningStore(IntakeStore, Protocol):
    """A store as the presence room uses it."""

    @property
    def presence(self) -> PresenceStore:
        """The part that keeps visits, trips and packages."""
        ...


class PresenceStore(Protocol):
    """The part of a store that keeps visits, trips and packages."""

    def lock(self) -> None:
        """Let nobody else change visits, trips or packages until the transaction ends.

        Call it first in the transaction.
        """
        ...

    # --- registration ---

    def note_registration(self, user_id: str, day: int) -> None:
        """Store the UTC day on which a user registered; an earlier note stays."""
        ...

    def registered_on(self, user_id: str) -> int | None:
        """Return the UTC day on which a user registered; None if it was not noted."""
        ...

    # --- visits of cases ---

    def use_token(self, token_id: str, at: float) -> bool:
        """Note that visits came with an upload token; return False if some did before."""
        ...

    def add_visits(self, visits: Sequence[KeptVisit]) -> None:
        """Store new visits."""
        ...

    def change_visit(self, visit: KeptVisit) -> bool:
        """Store a changed visit; return False if it is gone with its case."""
        ...

    def visit(self, visit_id: str) -> KeptVisit | None:
        """Return a visit, or None."""
        ...

    def visits_of(self, case_id: str) -> Sequence[KeptVisit]:
        """Return a case's visits by arrival."""
        ...

    def visits_at(self, tags: Collection[bytes]) -> Sequence[KeptVisit]:
        """Return the visits that have one of these tags, by arrival."""
        ...

    def waiting_visits(self) -> Sequence[KeptVisit]:
        """Return the visits that wait for a tracer, by arrival."""
        ...

    def released_visits(self, before: float) -> Sequence[KeptVisit]:
        """Return the visits that were released before that time and are in no package yet."""
        ...

    def drop_visits(self, before_day: int) -> int:
        """Delete visits that arrived before that UTC day; return how many."""
        ...

    # --- TempIDs that warned places showed ---

    def add_heard(self, digests: Collection[bytes], at: float) -> int:
        """Store digests that the next package gets; return how many were new."""
        ...

    def released_heard(self, before: float) -> Sequence[bytes]:
        """Return the digests that came before that time and are in no package yet."""
        ...

    def publish_heard(self, before: float, hour: int) -> None:
        """Note that the package of ``hour`` has what came before that time."""
        ...

    def drop_heard(self, before: float) -> int:
        """Delete digests that came before that time; return how many."""
        ...

    # --- trips of cases ---

    def add_trips(self, trips: Sequence[KeptTrip]) -> None:
        """Store new trips."""
        ...

    def change_trip(self, trip: KeptTrip) -> bool:
        """Store a changed trip; return False if it is gone with its case."""
        ...

    def trip(self, trip_id: str) -> KeptTrip | None:
        """Return a trip, or None."""
        ...

    def trips_of(self, case_id: str) -> Sequence[KeptTrip]:
        """Return a case's trips by arrival."""
        ...

    def waiting_trips(self) -> Sequence[KeptTrip]:
        """Return the trips that wait for a tracer, by arrival."""
        ...

    def released_trips(self, since_day: int, before: float) -> Sequence[KeptTrip]:
        """Return the trips of these dates that were released before that time, by date."""
        ...

    def drop_trips(self, before_day: int) -> int:
        """Delete trips that arrived before that UTC day; return how many."""
        ...

    def kept_back(self) -> Sequence[str]:
        """Return the ids of the visits and trips that tracers keep back, sorted."""
        ...

    # --- packages ---

    def add_package(self, package: KeptPackage) -> bool:
        """Store a package; return False if there is one of this kind, number and edition."""
        ...

    def packages(self, kind: str) -> Sequence[PackageLine]:
        """Return the newest edition of each package of a kind, by number."""
        ...

    def package(self, kind: str, number: int, edition: int) -> bytes | None:
        """Return a package's message, or None."""
        ...

    def drop_packages(self, kind: str, before: int, edition: int) -> int:
        """Delete packages with numbers below ``before``, and editions below ``edition``.

        The newest edition of a number stays. Parts, whose kind is "KIND/...", go as well as whole
        packages of the kind. Return how many went.
        """
        ...

    def warning_counts(self) -> Mapping[str, int]:
        """Return how many visits wait, are released, are published and are refused."""
        ...
