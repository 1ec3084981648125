"""Reported visits and trips under the key of the day on which they arrived.

Place, time and texts are sealed. A tag, a keyed digest of the place, lets the authority find other
cases that were there without opening every visit; visits that arrived on other days have other
tags. When the day's key is destroyed, neither leads to anything.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tracetogether.authority.cases.case import new_id
from tracetogether.authority.presence.reported import KeptTrip, KeptVisit, ReportedVisit
from tracetogether.cbor import read_cbor, write_cbor
from tracetogether.crypto import IV_BYTES, hmac_sha256
from tracetogether.errors import KeyRingError, SealError, UnreadableMessageError
from tracetogether.keyring import KeyRing
from tracetogether.presence.trips import Trip, TripWarning
from tracetogether.units import Entropy, utc_day

_VISIT = "reported-visit"
_TRIP = "reported-trip"
_TAG = "visited-place"
_TAG_BYTES = 16
_WORDS_OF_TRIP = 4


@dataclass(frozen=True, slots=True)
class ReportSeals:
    """Seals, opens and tags what cases report."""

    keys: KeyRing
    entropy: Entropy = os.urandom

    def seal_visit(self, visit: ReportedVisit, case_id: str, now: float) -> KeptVisit:
        """Return a new row that holds a visit of a case."""
        visit_id, day = new_id(self.entropy), utc_day(now)
        content = write_cbor(
            [
                visit.location_id,
                visit.start,
                visit.end,
                visit.description,
                visit.address,
                visit.opens,
                visit.closes,
            ]
        )
        sealed = self._sealed(_VISIT, day, content, visit_id, case_id)
        tag = self._tag(visit.location_id, day)
        return KeptVisit(visit_id, case_id, day, tag, now, sealed)

    def open_visit(self, kept: KeptVisit) -> ReportedVisit | None:
        """Return the visit of a row; None if the keys of its day are destroyed."""
        found = self._opened(_VISIT, kept.day, kept.sealed, kept.visit_id, kept.case_id)
        return None if found is None else ReportedVisit(*found)

    def seal_trip(self, trip: Trip, case_id: str, now: float) -> KeptTrip:
        """Return a new row that holds a trip of a case."""
        trip_id, day = new_id(self.entropy), utc_day(now)
        sealed = self._sealed_trip(trip, (0, 0), day, trip_id, case_id)
        return KeptTrip(trip_id, case_id, day, trip.day, now, sealed)

    def with_band(self, kept: KeptTrip, band: tuple[int, int]) -> KeptTrip:
        """Return a row that holds the band of rows too; as it was if its keys are destroyed."""
        trip = self.open_trip(kept)
        if trip is None:
            return kept
        sealed = self._sealed_trip(trip, band, kept.day, kept.trip_id, kept.case_id)
        return replace(kept, sealed=sealed)

    def open_trip(self, kept: KeptTrip) -> Trip | None:
        """Return the trip of a row; None if the keys of its day are destroyed."""
        found = self._opened(_TRIP, kept.day, kept.sealed, kept.trip_id, kept.case_id)
        return None if found is None else Trip(*found[:_WORDS_OF_TRIP])

    def open_warning(self, kept: KeptTrip) -> TripWarning | None:
        """Return what is published of a row: a digest, and the band of rows if it has one.

        None if the keys of its day are destroyed.
        """
        found = self._opened(_TRIP, kept.day, kept.sealed, kept.trip_id, kept.case_id)
        if found is None:
            return None
        return TripWarning.of(Trip(*found[:_WORDS_OF_TRIP]), *found[_WORDS_OF_TRIP:])

    def tags(self, location_id: bytes, days: Iterable[int]) -> set[bytes]:
        """Return the tags of a place on these UTC days, as far as their keys exist."""
        return {self._tag(location_id, day) for day in days if self.keys.has_day(day)}

    def _sealed_trip(
        self, trip: Trip, band: tuple[int, int], day: int, trip_id: str, case_id: str
    ) -> bytes:
        content = write_cbor([trip.carrier, trip.service, trip.date, trip.car, *band])
        return self._sealed(_TRIP, day, content, trip_id, case_id)

    def _tag(self, location_id: bytes, day: int) -> bytes:
        return hmac_sha256(self.keys.day_key(_TAG, day), location_id)[:_TAG_BYTES]

    def _sealed(self, purpose: str, day: int, content: bytes, *bound: str) -> bytes:
        iv = self.entropy(IV_BYTES)
        return iv + self.keys.aead(purpose, day).seal(iv, content, "/".join(bound).encode())

    def _opened(self, purpose: str, day: int, sealed: bytes, *bound: str) -> list[Any] | None:
        iv, content = sealed[:IV_BYTES], sealed[IV_BYTES:]
        try:
            opened = self.keys.aead(purpose, day).open(iv, content, "/".join(bound).encode())
            found = read_cbor(opened)
        except (KeyRingError, SealError, UnreadableMessageError):
            return None
        return found if isinstance(found, list) else None
