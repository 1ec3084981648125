"""Forgetting on time: keys, uploads, PINs, cases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tracetogether.keyring import KeyRing
from tracetogether.parameters import RETENTION, Retention
from tracetogether.units import SECONDS_PER_DAY


class CasesThatAge(Protocol):
    """Where old cases are forgotten."""

    def drop_cases(self, before: float) -> int:
        """Forget cases not worked on since ``before``; return how many went."""
        ...


class PinsThatAge(Protocol):
    """Where spent PINs are forgotten."""

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        ...


class UploadsThatAge(Protocol):
    """Where old uploads are forgotten."""

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        ...


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took away."""

    day_keys: int
    uploads: int
    pins: int
    cases: int


@dataclass(frozen=True, slots=True)
class Purge:
    """Takes away what has outlived its time. Doing it twice, or half and again, is the same.

    Args:
        keys: the authority's keys.
        save_keys: writes the ring to where it came from; a key is destroyed once this is done.
        cases, pins, uploads: the stores.
        retention: how long things are kept.
    """

    keys: KeyRing
    save_keys: Callable[[KeyRing], None]
    cases: CasesThatAge
    pins: PinsThatAge
    uploads: UploadsThatAge
    retention: Retention = RETENTION

    def __call__(self, now: float) -> Purged:
        """Forget what is too old at ``now`` (epoch seconds).

        Day keys go after 25 days, and with them everything sealed under them; uploads 21 days
        after they came; PINs once used, void or expired; a case 25 days after it was opened or
        last given a PIN, which no upload of its outlives.

        Raises:
            KeyRingError: the keys could not be saved: those on disk still stand.
            StoreError: a store could not be written.
        """
        keys_gone = self.keys.purge(now)
        self.save_keys(self.keys)  # even if none went now: an earlier purge may not have got here
        return Purged(
            day_keys=keys_gone,
            uploads=self.uploads.drop_uploads(now - self.retention.uploads_s),
            pins=self.pins.drop_pins(now),
            cases=self.cases.drop_cases(now - self.retention.day_keys_days * SECONDS_PER_DAY),
        )
