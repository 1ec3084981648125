"""What the room of places needs of a store: places, and when they fetched which TempIDs."""

from __future__ import annotations  # the module that defines these types imports this one

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.intake.store import IntakeStore

if TYPE_CHECKING:
    from tracetogether.authority.places.place import Place


class PlacingStore(IntakeStore, Protocol):
    """A store as the room of places uses it."""

    @property
    def places(self) -> PlaceStore:
        """The part that keeps places."""
        ...


class PlaceStore(Protocol):
    """The part of a store that keeps places."""

    def add(self, place: Place) -> bool:
        """Store a new place; return False if its id, user or credential is taken."""
        ...

    def change(self, place: Place) -> bool:
        """Store a changed place; return False if there is none with its id."""
        ...

    def place(self, place_id: str) -> Place | None:
        """Return a place, or None."""
        ...

    def all(self) -> Sequence[Place]:
        """Return all places by name, retired ones included."""
        ...

    def of_users(self, user_ids: Sequence[str]) -> Sequence[Place]:
        """Return the places that have these user ids."""
        ...

    def fetched(self, user_id: str, begins: int, now: float) -> bool:
        """Store that a place fetched the batch whose first window begins then.

        Return False if no place that is in service has this user id.
        """
        ...

    def batches(self, place_id: str, after: float) -> Sequence[int]:
        """Return when the batches began that a place fetched, those after ``after``, ascending."""
        ...

    def all_batches(self, after: float) -> Sequence[tuple[str, int]]:
        """Return the place and the beginning of all batches that began after ``after``."""
        ...

    def drop(self, before: float) -> int:
        """Delete batches and places that began or retired before then; return how many places."""
        ...
