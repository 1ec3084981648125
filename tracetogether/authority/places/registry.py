"""Places: registered, listed, retired; and which TempIDs a place had in some hours."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import new_id
from tracetogether.authority.intake.issuance import Issuance, new_secret
from tracetogether.authority.places.place import Place, PlaceState, ShownPlace
from tracetogether.authority.places.store import PlacingStore
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import new_user_id
from tracetogether.crypto import sha256
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.plain_text import hidden_in
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy

LONGEST_NAME: Final = 100
"""Characters of a place's name, and of its site."""
_LISTED_S: Final = 14 * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Places:
    """Registers, lists and retires places.

    A place fetches TempIDs as a phone does. It is no user: nothing of a person can be done to it,
    and its credential opens nothing else. Methods that are given ``by`` raise AccessDeniedError if
    the roles of that caller do not allow them.
    """

    store: PlacingStore
    issuance: Issuance
    audit: Audit
    entropy: Entropy = os.urandom

    def add(self, name: str, site: str, now: float, *, by: Caller) -> tuple[Place, str]:
        """Register a place; return it, and the credential for its device, which is shown once.

        Args:
            name: such as "Canteen 3"; no other place in service has it.
            site: the building or grounds that it is in, or "".
            now: epoch seconds.
            by: the caller.

        Raises:
            InvalidRequestError: a text is too long, not plain, or the name is empty.
            ConflictError: another place has this name.
        """
        by.require(Action.ADD_PLACE)
        credential = new_secret(self.entropy)
        place = Place(
            place_id=new_id(self.entropy),
            user_id=new_user_id(self.entropy),
            credential_digest=credential_digest(credential),
            name=name.strip(),
            site=site.strip(),
            added_by=by.name,
            added_at=now,
        )
        texts = (place.name, place.site)
        if not place.name or any(len(text) > LONGEST_NAME or hidden_in(text) for text in texts):
            msg = "a place has a name and maybe a site, one line of at most {most} characters each"
            raise InvalidRequestError(msg, "place-name", most=LONGEST_NAME)
        with self.audit.atomic():
            self.audit.record("place.added", now, by=by.name, subject=place.place_id)
            if any(kept.name == place.name and kept.retired_at is None for kept in self.kept()):
                msg = "a place with this name is in service: choose another name, or retire it"
                raise ConflictError(msg, "place-name-taken")
            if not self.store.places.add(place):
                raise ConflictError("the new place's id is already taken: try again", "id-taken")
        return place, credential

    def kept(self) -> Sequence[Place]:
        """Return all places by name, retired ones included; for other services."""
        return self.store.places.all()

    def all(self, now: float, *, by: Caller) -> list[ShownPlace]:
        """Return all places: those in service by name, then retired ones."""
        by.require(Action.LIST_PLACES)
        begins: dict[str, list[int]] = {}
        for place_id, begin in self.store.places.all_batches(now - _LISTED_S - self._batch_s):
            begins.setdefault(place_id, []).append(begin)
        shown = [self._shown(place, begins.get(place.place_id, []), now) for place in self.kept()]
        return sorted(shown, key=lambda each: each.state is PlaceState.RETIRED)

    def retire(self, place_id: str, now: float, *, by: Caller) -> Place:
        """End a place's credential at once; what phones hear of it from now on is no stay.

        Its stays until now remain, as long as logs do.

        Raises:
            NotFoundError: there is no such place.
            ConflictError: it has retired already.
        """
        by.require(Action.RETIRE_PLACE)
        with self.audit.atomic():
            self.audit.record("place.retired", now, by=by.name, subject=place_id)
            place = self.found(place_id)
            if place.retired_at is not None:
                raise ConflictError("the place has retired already", "place-retired")
            place = replace(place, retired_at=now, retired_by=by.name)
            self.store.places.change(place)
        return place

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return a place's batch of TempIDs, and store when its first window began.

        Raises:
            NotFoundError: no place that is in service has this user id.
        """
        batch = self.issuance.batch(user_id, now)
        if not self.store.places.fetched(user_id, batch.tempids[0].start, now):
            raise NotFoundError("the place has retired", "no-such-place")
        return batch

    def heard_digests(
        self, place_id: str, since: float, until: float, *, by: Caller
    ) -> list[bytes]:
        """Return SHA-256 of the TempIDs that a place had for [since, until), sorted.

        A phone that has one of them in its log was at the place then. A place's TempIDs are not
        stored: they are issued again, which gives the same ones. Where the place fetched two
        batches for one window, both TempIDs are included, for an answer may have been lost.

        Args:
            place_id: the place.
            since: epoch seconds.
            until: epoch seconds.
            by: the caller, who may warn of places.

        Raises:
            NotFoundError: there is no such place.
            KeyRingError: the keys of those days are destroyed.
        """
        by.require(Action.WARN_PLACE)
        place = self.found(place_id)
        if place.retired_at is not None:
            until = min(until, place.retired_at)
        texts = {
            tempid.text
            for begin in self.store.places.batches(place_id, since - self._batch_s)
            if begin < until
            for tempid in self._issued_again(place.user_id, begin).tempids
            if tempid.start < until and tempid.expiry > since
        }
        return sorted(sha256(text.encode()) for text in texts)

    def found(self, place_id: str) -> Place:
        """Return a place.

        Raises:
            NotFoundError: there is none of this id.
        """
        place = self.store.places.place(place_id) if place_id.isascii() else None
        if place is None:
            msg = "there is no such place: `authority place list` shows all"
            raise NotFoundError(msg, "no-such-place")
        return place

    @property
    def _batch_s(self) -> int:
        """Return how long a batch lasts at most, in seconds."""
        return self.issuance.parameters.validity_s * self.issuance.parameters.batch_size

    def _issued_again(self, user_id: str, begin: int) -> TempIDBatch:
        return self.issuance.batch(user_id, begin + self.issuance.parameters.early_start_s)

    def _shown(self, place: Place, begins: Sequence[int], now: float) -> ShownPlace:
        hours = 0.0
        done = now - _LISTED_S
        last = now if place.retired_at is None else min(now, place.retired_at)
        for begin in begins:
            end = min(begin + self._batch_s, last)
            hours += max(end - max(begin, done), 0.0)
            done = max(done, end)
        if place.retired_at is not None:
            state = PlaceState.RETIRED
        elif place.seen_at is None:
            state = PlaceState.NEW
        else:
            over = not begins or begins[-1] + self._batch_s <= now
            state = PlaceState.SILENT if over else PlaceState.SPEAKING
        return ShownPlace(place, state, int(hours // SECONDS_PER_HOUR))
