"""Places of an authority in memory: for short runs that keep nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tracetogether.authority.places.place import Place


@dataclass(slots=True)
class MemoryPlaces:
    """``authority.places.store.PlaceStore`` in dictionaries; for one thread."""

    _places: dict[str, Place] = field(default_factory=dict)
    _batches: set[tuple[str, int]] = field(default_factory=set)

    def add(self, place: Place) -> bool:
        """Store a new place; return False if its id, user or credential is taken."""
        taken = place.place_id in self._places or any(
            place.user_id == kept.user_id or place.credential_digest == kept.credential_digest
            for kept in self._places.values()
        )
        if not taken:
            self._places[place.place_id] = place
        return not taken

    def change(self, place: Place) -> bool:
        """Store a changed place; return False if there is none with its id."""
        known = place.place_id in self._places
        if known:
            self._places[place.place_id] = place
        return known

    def place(self, place_id: str) -> Place | None:
        """Return a place, or None."""
        return self._places.get(place_id)

    def all(self) -> Sequence[Place]:
        """Return all places by name, retired ones included."""
        return sorted(self._places.values(), key=lambda place: (place.name, place.place_id))

    def of_users(self, user_ids: Sequence[str]) -> Sequence[Place]:
        """Return the places that have these user ids."""
        wanted = set(user_ids)
        return [place for place in self._places.values() if place.user_id in wanted]

    def fetched(self, user_id: str, begins: int, now: float) -> bool:
        """Store that a place fetched the batch whose first window begins then.

        Return False if no place that is in service has this user id.
        """
        found = [place for place in self.of_users([user_id]) if place.retired_at is None]
        for place in found:
            self._places[place.place_id] = replace(place, seen_at=now)
            self._batches.add((place.place_id, begins))
        return bool(found)

    def batches(self, place_id: str, after: float) -> Sequence[int]:
        """Return when the batches began that a place fetched, those after ``after``, ascending."""
        return [begins for place, begins in self.all_batches(after) if place == place_id]

    def all_batches(self, after: float) -> Sequence[tuple[str, int]]:
        """Return the place and the beginning of all batches that began after ``after``."""
        return sorted(row for row in self._batches if row[1] > after)

    def drop(self, before: float) -> int:
        """Delete batches and places that began or retired before then; return how many places."""
        gone = {
            place.place_id
            for place in self._places.values()
            if place.retired_at is not None and place.retired_at < before
        }
        for place_id in gone:
            del self._places[place_id]
        self._batches = {
            (place_id, begins)
            for place_id, begins in self._batches
            if begins >= before and place_id not in gone
        }
        return len(gone)
