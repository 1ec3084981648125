"""What the server sends a phone ahead: ECC and EBID of each epoch of some days, sealed.

Each row is the epoch (4), the ECC (1) and the EBID (8); AES-256-GCM under the phone's key for
tuples seals them behind an IV of 12 bytes. StopCovid wrote the same values as JSON.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Self

import numpy as np

from tracetogether.crypto import TAG_BYTES, Aead
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import SealError
from tracetogether.robert.keys import (
    EBID_BYTES,
    EPOCH_S,
    MOST_EPOCHS,
    ServerKeys,
    country_codes,
    ebids,
)
from tracetogether.units import SECONDS_PER_DAY, Entropy

TUPLE_BYTES: Final = 13
TUPLE_DAYS: Final = 4
EPOCHS_PER_DAY: Final = SECONDS_PER_DAY // EPOCH_S
_IV_BYTES: Final = 12
_EPOCH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class HelloTuples:
    """What a phone makes its HELLOs of.

    Attributes:
        mac_key: the phone's key for MACs, 32 bytes.
        by_epoch: epoch -> ECC (1 byte) and EBID (8 bytes).
        start: epoch seconds at which epoch 0 began.
        issued_at: the server's time when it answered, epoch seconds; None if it did not say.
    """

    mac_key: bytes = field(repr=False)
    by_epoch: Mapping[int, bytes] = field(repr=False)
    start: int
    issued_at: float | None = None

    @classmethod
    def opened(
        cls,
        sealed: bytes,
        *,
        mac_key: bytes,
        tuples_key: bytes,
        start: int,
        issued_at: float | None = None,
    ) -> Self:
        """Open what ``seal_tuples`` sealed for this phone.

        Raises:
            InvalidReportError: it is damaged, of another phone, or ends within a row.
        """
        iv, rest = sealed[:_IV_BYTES], sealed[_IV_BYTES:]
        try:
            rows = Aead(tuples_key).open(iv, rest)
        except SealError:
            raise InvalidReportError("tuples that are damaged or of another phone") from None
        if len(rows) % TUPLE_BYTES:
            raise InvalidReportError("the tuples end within a row")
        parts = (rows[at : at + TUPLE_BYTES] for at in range(0, len(rows), TUPLE_BYTES))
        by_epoch = {int.from_bytes(row[:_EPOCH_BYTES]): row[_EPOCH_BYTES:] for row in parts}
        return cls(mac_key, by_epoch, start, issued_at)

    def epoch_of(self, now: float) -> int:
        """Return the number of the epoch that holds ``now``."""
        return int((now - self.start) // EPOCH_S)

    def epoch_end(self, now: float) -> float:
        """Return when the epoch that holds ``now`` ends, epoch seconds."""
        return float(self.start + (self.epoch_of(now) + 1) * EPOCH_S)

    def at(self, now: float) -> bytes | None:
        """Return ECC and EBID (9 bytes) of the epoch that holds ``now``; None if there is none."""
        return self.by_epoch.get(self.epoch_of(now))

    def renewal_due(self, now: float) -> bool:
        """Return whether fewer than half of the days that a server sends ahead are left."""
        later = now + TUPLE_DAYS * SECONDS_PER_DAY / 2
        return self.at(now) is None or self.at(later) is None

    def ahead_s(self, now: float) -> tuple[float, float]:
        """Return by how much ``now``, the time of receipt, is ahead of the server's clock."""
        if self.issued_at is None:
            return -inf, inf
        return now - self.issued_at, now - self.issued_at


def seal_tuples(
    keys: ServerKeys,
    phone: int,
    tuples_key: bytes,
    now: float,
    *,
    count: int = TUPLE_DAYS * EPOCHS_PER_DAY,
    entropy: Entropy = os.urandom,
) -> bytes:
    """Return the tuples of one phone; see ``seal_tuples_many``."""
    (sealed,) = seal_tuples_many(keys, [phone], [tuples_key], now, count=count, entropy=entropy)
    return sealed


def seal_tuples_many(
    keys: ServerKeys,
    phones: Sequence[int],
    tuples_keys: Sequence[bytes],
    now: float,
    *,
    count: int = TUPLE_DAYS * EPOCHS_PER_DAY,
    entropy: Entropy = os.urandom,
) -> list[bytes]:
    """Return the tuples of ``count`` epochs from ``now`` on, sealed for each of n phones.

    Epochs end where the server has no key of the day. The cipher works on many blocks at once, so
    that fifty phones together cost a thirtieth of what they cost one by one.

    Args:
        keys: the server's.
        phones: ids, 40 bits each.
        tuples_keys: the key for tuples of each, 32 bytes.
        now: epoch seconds.
        count: how many epochs.
        entropy: where the IVs come from.
    """
    first = max(keys.epoch_of(now), 0)
    epochs = np.arange(first, min(first + count, MOST_EPOCHS))
    epochs = epochs[np.isin(keys.day_of(epochs), list(keys.day_keys))]
    days = keys.day_of(epochs)
    table = np.empty((len(phones), len(epochs), TUPLE_BYTES), dtype=np.uint8)
    table[:, :, :_EPOCH_BYTES] = epochs.astype(">u4").view(np.uint8).reshape(-1, _EPOCH_BYTES)
    ids = np.array(phones, dtype=np.uint64)
    for day in np.unique(days).tolist():
        at = np.flatnonzero(days == day)
        of = np.repeat(ids, len(at))
        ebid = ebids(keys.day_keys[day], np.tile(epochs[at], len(ids)), of)
        code = country_codes(keys.federation, ebid, keys.country)
        made = np.concatenate([code, ebid], axis=1)
        table[:, at, _EPOCH_BYTES:] = made.reshape(len(ids), len(at), 1 + EBID_BYTES)
    sealed = []
    for rows, tuples_key in zip(table, tuples_keys, strict=True):
        iv = entropy(_IV_BYTES)
        sealed.append(iv + Aead(tuples_key).seal(iv, rows.tobytes()))
    return sealed


def sealed_bytes(count: int) -> int:
    """Return how many bytes the tuples of ``count`` epochs have, sealed."""
    return _IV_BYTES + count * TUPLE_BYTES + TAG_BYTES
