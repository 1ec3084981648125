"""Places, and the batches of TempIDs that they fetched, in tables."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.place_tables import PLACE_BATCHES, PLACES
from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.authority.places.place import Place

_PLACE: Final = RowFormat(PLACES, Place)


class PlaceTables(TableAccess):
    """``places.store.PlaceStore`` in SQL."""

    def add(self, place: Place) -> bool:
        """Store a new place; return False if its id, user or credential is taken."""
        return self._added(PLACES, _PLACE.values(place))

    def change(self, place: Place) -> bool:
        """Store a changed place; return False if there is none with its id."""
        values = _PLACE.values(place)
        which = PLACES.update().where(PLACES.c.place_id == values.pop("place_id"))
        with self._transactions.writing():
            changed = self._changed(which.values(**values))
            if changed and place.retired_at is not None:
                self._transactions.revoked("retired", place.place_id)
        return changed

    def place(self, place_id: str) -> Place | None:
        """Return a place, or None."""
        row = self._first(PLACES.select().where(PLACES.c.place_id == place_id))
        return None if row is None else _PLACE.item(row)

    def all(self) -> Sequence[Place]:
        """Return all places by name, retired ones included."""
        rows = self._all(PLACES.select())
        return sorted(map(_PLACE.item, rows), key=lambda place: (place.name, place.place_id))

    def of_users(self, user_ids: Sequence[str]) -> Sequence[Place]:
        """Return the places that have these user ids."""
        rows = self._all_in(PLACES.select(), PLACES.c.user_id, user_ids)
        return [_PLACE.item(row) for row in rows]

    def fetched(self, user_id: str, begins: int, now: float) -> bool:
        """Store that a place fetched the batch whose first window begins then.

        Return False if no place that is in service has this user id.
        """
        in_service = (PLACES.c.user_id == user_id) & PLACES.c.retired_at_s.is_(None)
        seen = PLACES.update().where(in_service).values(seen_at_s=now)
        with self._transactions.writing() as connection:
            row = connection.execute(seen.returning(PLACES.c.place_id)).first()
            if row is None:
                return False
            self._added(PLACE_BATCHES, {"place_id": row[0], "begins_s": begins})
            return True

    def batches(self, place_id: str, after: float) -> Sequence[int]:
        """Return when the batches began that a place fetched, those after ``after``, ascending."""
        wanted = sa.select(PLACE_BATCHES.c.begins_s).where(
            PLACE_BATCHES.c.place_id == place_id, PLACE_BATCHES.c.begins_s > after
        )
        rows = self._all(wanted.order_by(PLACE_BATCHES.c.begins_s))
        return [row["begins_s"] for row in rows]

    def all_batches(self, after: float) -> Sequence[tuple[str, int]]:
        """Return the place and the beginning of all batches that began after ``after``."""
        wanted = PLACE_BATCHES.select().where(PLACE_BATCHES.c.begins_s > after)
        rows = self._all(wanted.order_by(PLACE_BATCHES.c.place_id, PLACE_BATCHES.c.begins_s))
        return [(row["place_id"], row["begins_s"]) for row in rows]

    def drop(self, before: float) -> int:
        """Delete batches and places that began or retired before then; return how many places."""
        with self._transactions.writing():
            self._delete(PLACE_BATCHES, PLACE_BATCHES.c.begins_s < before)
            return self._delete(PLACES, PLACES.c.retired_at_s < before)
