"""Rate limits. The store counts, so all processes share the counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.sources import source_of
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import hmac_sha256, sha256
from tracetogether.errors import RateLimitedError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    BATCHES_AN_HOUR,
    CHARGE_TRIES_AN_HOUR,
    DECLARATIONS_AN_HOUR,
    GIVEN_A_DAY,
    PASS_BATCHES_AN_HOUR,
    PIN_ALERT_A_MINUTE,
    PIN_SLOWED_A_MINUTE,
    PIN_TRIES_AN_HOUR,
    REGISTRATIONS_AN_HOUR,
    REGISTRATIONS_OF_ALL_AN_HOUR,
    RETENTION,
    STATUS_ASKED_AN_HOUR,
    UPLOADS_AN_HOUR,
    UPLOADS_OF_A_TEMPID,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE, utc_day

_PURPOSE: Final = "limiter"
_SHORT: Final = 16  # bytes of a digest that is only ever compared with a day's others


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``at_most`` in each span of ``per_s`` seconds.

    Attributes:
        by_source: the subjects are addresses; those of one IPv6 network count as one.
    """

    name: str
    at_most: int
    per_s: int
    by_source: bool = False


BATCHES: Final = Limit("batches", BATCHES_AN_HOUR, SECONDS_PER_HOUR)
PASS_BATCHES: Final = Limit("pass-batches", PASS_BATCHES_AN_HOUR, SECONDS_PER_HOUR)
STATUS_ASKED: Final = Limit("status-asked", STATUS_ASKED_AN_HOUR, SECONDS_PER_HOUR)
DECLARATIONS: Final = Limit("declarations", DECLARATIONS_AN_HOUR, SECONDS_PER_HOUR)
REGISTRATIONS: Final = Limit(
    "registrations", REGISTRATIONS_AN_HOUR, SECONDS_PER_HOUR, by_source=True
)
ALL_REGISTRATIONS: Final = Limit(
    "all-registrations", REGISTRATIONS_OF_ALL_AN_HOUR, SECONDS_PER_HOUR
)
PIN_TRIES: Final = Limit("pin-tries", PIN_TRIES_AN_HOUR, SECONDS_PER_HOUR)
GIVEN: Final = Limit("passes-given", GIVEN_A_DAY, SECONDS_PER_DAY)
"""Papers and charge codes that one operator gives out."""
CHARGE_TRIES: Final = Limit("charge-tries", CHARGE_TRIES_AN_HOUR, SECONDS_PER_HOUR)
UPLOADS: Final = Limit("uploads", UPLOADS_AN_HOUR, SECONDS_PER_HOUR)
PIN_REFUSALS: Final = Limit("pin-refusals", PIN_ALERT_A_MINUTE, SECONDS_PER_MINUTE)
PIN_REFUSALS_FROM: Final = Limit(
    "pin-refusals-from", PIN_SLOWED_A_MINUTE, SECONDS_PER_MINUTE, by_source=True
)
PIN_ALERTS: Final = Limit("pin-alerts", 1, SECONDS_PER_HOUR)


HEARERS: Final = Limit("hearers", UPLOADS_OF_A_TEMPID, RETENTION.uploads_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts requests per subject; the store keeps a digest of it under a key of that day only."""

    keys: KeyRing
    store: AccessStore

    def take(self, limit: Limit, subject: str, now: float) -> None:
        """Count a request.

        Raises:
            RateLimitedError: the limit is exceeded.
        """
        if self.add(limit, subject, now) > limit.at_most:
            wait = limit.per_s - int(now) % limit.per_s
            raise RateLimitedError(wait)

    def add(self, limit: Limit, subject: str, now: float) -> int:
        """Count an event without refusing it; return the count in this window."""
        return self.store.count_up(
            limit.name, self._digest(limit, subject, now), _window(limit, now)
        )

    def give_back(self, limit: Limit, subject: str, now: float) -> None:
        """Uncount a request that turned out to be legitimate."""
        self.store.count_down(limit.name, self._digest(limit, subject, now), _window(limit, now))

    def first(self, name: str, subject: str, *, since: float, until: float) -> bool:
        """Return whether this is the first call for a subject that exists between two times."""
        digest = self._keyed(subject, since)  # under one key, however late it is asked
        return self.store.count_up(name, digest, int(until)) == 1

    def add_hearers(self, heard: Mapping[str, float]) -> int:
        """Count the TempIDs that one more log holds.

        Args:
            heard: each TempID once, and when it was heard (epoch seconds).

        Returns:
            The number of TempIDs that now, for the first time, are in more logs than people can be
            near in a quarter of an hour: somebody relayed or replayed them.
        """
        days = {day: self.keys.day_key(_PURPOSE, day) for day in set(map(utc_day, heard.values()))}
        # Kept until no log that holds them can come any more; the key goes soon afterwards.
        windows = {
            sha256(days[day] + tempid.encode())[:_SHORT]: day * SECONDS_PER_DAY + HEARERS.per_s
            for tempid, day in zip(heard, map(utc_day, heard.values()), strict=True)
        }
        counts = self.store.count_up_each(HEARERS.name, windows, HEARERS.at_most)
        return sum(count == HEARERS.at_most + 1 for count in counts.values())

    def count(self, limit: Limit, subject: str, now: float) -> int:
        """Return the count in this window."""
        digest = self._digest(limit, subject, now)
        return self.store.counted(limit.name, digest, _window(limit, now))

    def _digest(self, limit: Limit, subject: str, now: float) -> bytes:
        return self._keyed(source_of(subject) if limit.by_source else subject, now)

    def _keyed(self, subject: str, now: float) -> bytes:
        return hmac_sha256(self.keys.day_key(_PURPOSE, utc_day(now)), subject.encode())


def _window(limit: Limit, now: float) -> int:
    return int(now) // limit.per_s * limit.per_s


COUNTS_KEPT_S: Final = 2 * SECONDS_PER_DAY  # yesterday counts too: how many phones were active
