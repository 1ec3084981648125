"""Our keys for records of partners: one signs what we send, one of each day opens what we get."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.partners.batches import NAME_BYTES
from tracetogether.crypto import OpeningKey, SigningKey
from tracetogether.errors import KeyRingError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import PASSES
from tracetogether.signed.trust import RECORDS, SEALED_RECORDS, TrustedKey
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, utc_day

_SIGNING: Final = "records-signing"
_SEALED: Final = "records-sealed"
_NAME: Final = "records-name"


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """The keys of an authority for records; no file holds them, they follow from the key ring.

    The key that opens is one of its UTC day and is destroyed with that day's key after 25 days: a
    stolen key ring opens no older batch.
    """

    keys: KeyRing

    def signing(self) -> SigningKey:
        """Return the key that signs batches and answers; it never changes.

        Raises:
            KeyRingError: the ring has no own key.
        """
        return SigningKey.from_secret(self.keys.own_key(_SIGNING))

    def opening(self, day: int) -> OpeningKey:
        """Return the key of a UTC day that opens batches.

        Raises:
            KeyRingError: the keys of that day were destroyed.
        """
        return OpeningKey(self.keys.day_key(_SEALED, day))

    def name(self, organisation: str, hour: int, place: int) -> bytes:
        """Return the name of the batch for a partner at a place in its hour, 16 bytes.

        It is the same when the hour is packed once more, and random to everybody else.

        Raises:
            KeyRingError: the keys of that day were destroyed.
        """
        day = utc_day(hour * SECONDS_PER_HOUR)
        drawn = self.keys.day_key(_NAME, day, f"{organisation}/{hour}/{place}")
        return drawn[:NAME_BYTES]

    def of_kid(self, kid: bytes, now: float) -> OpeningKey | None:
        """Return the key with a kid, of the days up to tomorrow whose keys are there; else None."""
        newest, oldest = utc_day(now) + 1, self.keys.oldest_day
        for day in range(newest, newest - 1 if oldest is None else oldest - 1, -1):
            try:
                found = self.opening(day)
            except KeyRingError:
                continue
            if found.public.kid == kid:
                return found
        return None

    def rows(self, organisation: str, now: float) -> Iterator[TrustedKey]:
        """Yield the rows of our own trust list: the key that signs, those of today and tomorrow."""
        signing = self.signing().public
        until = now + PASSES.list_valid_s
        yield TrustedKey(signing.kid, signing, organisation, "", frozenset({RECORDS}), 1, until)
        for day in (utc_day(now), utc_day(now) + 1):
            key = self.opening(day).public
            begin = day * SECONDS_PER_DAY
            yield TrustedKey(
                kid=key.kid,
                key=key,
                organisation=organisation,
                region="",
                purposes=frozenset({SEALED_RECORDS}),
                from_time=begin - PASSES.clock_skew_s,
                until_time=begin + 2 * SECONDS_PER_DAY,
            )
