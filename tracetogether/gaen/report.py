"""What a diagnosed phone hands over, and what a server publishes of it: keys in columns."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Self

import numpy as np

from tracetogether.gaen.air import RETENTION_S
from tracetogether.gaen.keys import INTERVAL_S, INTERVALS_PER_KEY, KEY_BYTES
from tracetogether.units import SECONDS_PER_HOUR, Bools, Bytes2D, Entropy, Ints

MISSING: Final = -(2**31)
"""In a column of numbers: the key does not say."""

PUBLICATION_DELAY_S: Final = 2 * SECONDS_PER_HOUR
"""A key is published when its last identifier is no longer accepted anywhere."""


@dataclass(frozen=True, slots=True)
class DiagnosisKeys:
    """Keys of diagnosed people in columns of equal length n.

    Attributes:
        key: (n, 16) uint8.
        start: (n,) first interval of each.
        period: (n,) how many intervals, 1 to 144.
        transmission_risk: (n,) 0 to 8, or MISSING.
        report_type: (n,) 1 test, 2 clinical, 3 self, 4 recursive, 5 revoked, or MISSING.
        days_since_onset: (n,) days from the first symptoms to the key's day, or MISSING.
    """

    key: Bytes2D = field(repr=False)
    start: Ints
    period: Ints
    transmission_risk: Ints
    report_type: Ints
    days_since_onset: Ints

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, column.name)) for column in fields(self)}
        if len(lengths) > 1 or self.key.shape[1:] != (KEY_BYTES,):
            raise ValueError("keys of 16 bytes, and columns of equal length")

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(
        cls,
        keys: Sequence[bytes],
        starts: Sequence[int],
        *,
        period: int = INTERVALS_PER_KEY,
        transmission_risk: int = MISSING,
        report_type: int = MISSING,
        days_since_onset: int = MISSING,
    ) -> Self:
        """Return keys that differ in their days alone."""
        count = len(keys)
        whole = np.frombuffer(b"".join(keys), np.uint8).reshape(count, KEY_BYTES)
        columns = (
            np.full(count, value, dtype=np.int64)
            for value in (period, transmission_risk, report_type, days_since_onset)
        )
        return cls(whole, np.array(starts, dtype=np.int64), *columns)

    @classmethod
    def concat(cls, parts: Sequence["DiagnosisKeys"]) -> Self:
        """Return the keys of all ``parts``."""
        whole = [cls.of([], []), *parts]
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in whole]) for each in fields(cls))
        )

    def take(self, rows: Ints | Bools) -> Self:
        """Return the chosen keys."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))

    def sorted_by_key(self) -> Self:
        """Return the keys in the order of their bytes: a file does not tell whose are together."""
        return self.take(np.lexsort(self.key.T[::-1]))

    @property
    def end(self) -> Ints:
        """The first interval after each key's."""
        return self.start + self.period


def report_keys(own: DiagnosisKeys, since: float, until: float) -> DiagnosisKeys:
    """Return the own keys that were in use in [since, until), epoch seconds, 14 days at most."""
    since = max(since, until - RETENTION_S)
    return own.take((own.end * INTERVAL_S > since) & (own.start * INTERVAL_S < until))


def published_keys(reports: Sequence[DiagnosisKeys], now: float) -> DiagnosisKeys:
    """Return what a server publishes at ``now``: expired 2 h ago, not older than 14 days, sorted.

    A key that is still accepted somewhere would let anybody send a sick person's identifiers.
    """
    everything = DiagnosisKeys.concat(reports)
    end_s = everything.end * INTERVAL_S
    due = (end_s + PUBLICATION_DELAY_S <= now) & (end_s > now - RETENTION_S)
    return everything.take(due).sorted_by_key()


def padded_keys(keys: DiagnosisKeys, least: int, *, entropy: Entropy = os.urandom) -> DiagnosisKeys:
    """Return at least ``least`` keys: random ones beside the real, so that a file hides how many.

    Each added key copies all columns of a real key in turn, so that nothing else tells it apart.
    Without a real key there is nothing to copy, and nothing is added.
    """
    lacking = least - len(keys)
    if lacking <= 0 or not len(keys):
        return keys
    copies = keys.take(np.arange(lacking) % len(keys))
    random = np.frombuffer(entropy(KEY_BYTES * lacking), np.uint8).reshape(lacking, KEY_BYTES)
    others = (getattr(copies, column.name) for column in fields(copies)[1:])
    return DiagnosisKeys.concat([keys, DiagnosisKeys(random, *others)]).sorted_by_key()
