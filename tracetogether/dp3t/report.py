"""What diagnosed people hand over in the three designs, and the files that a server publishes.

A published file is its kind (4 bytes), its content and the server's signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.diagnosis import InvalidReportError, opened_file, signed_file
from tracetogether.dp3t.air import RETENTION_S
from tracetogether.dp3t.cuckoo import CuckooFilter
from tracetogether.dp3t.keys import (
    DAY_KEY_BYTES,
    EPOCH_S,
    SEED_BYTES,
    WINDOW_S,
    WINDOW_SEED_BYTES,
    day_keys,
    seed_observations,
)
from tracetogether.units import SECONDS_PER_DAY, Bools, Bytes2D, Ints

_LOW_COST: Final = b"D3LC"
_HYBRID: Final = b"D3HY"
_UNLINKABLE: Final = b"D3UL"
_NUMBER: Final = 4  # bytes of a day, a window, an epoch
_TIME: Final = 8


@dataclass(frozen=True, slots=True)
class NumberedSecrets:
    """Secrets with the number of the day, window or epoch at which each begins, n rows.

    Attributes:
        secret: (n, 16 or 32) uint8.
        number: (n,) day, window or epoch since 1970.
    """

    secret: Bytes2D = field(repr=False)
    number: Ints

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def of(cls, secrets: Sequence[bytes], numbers: Sequence[int], width: int) -> Self:
        """Return the columns of secrets of ``width`` bytes."""
        whole = np.frombuffer(b"".join(secrets), np.uint8).reshape(len(secrets), width)
        return cls(whole, np.array(numbers, dtype=np.int64))

    @classmethod
    def concat(cls, parts: Sequence["NumberedSecrets"], width: int) -> Self:
        """Return the rows of all ``parts``."""
        whole: list[NumberedSecrets] = [cls.of([], [], width), *parts]
        return cls(
            np.concatenate([part.secret for part in whole]),
            np.concatenate([part.number for part in whole]),
        )

    def take(self, rows: Ints | Bools) -> Self:
        """Return the chosen rows."""
        return type(self)(self.secret[rows], self.number[rows])

    def listed(self) -> list[bytes]:
        """Return the secrets one by one."""
        return [row.tobytes() for row in self.secret]

    def within(self, length_s: int, since: float, until: float) -> Self:
        """Return those whose time of ``length_s`` seconds overlaps [since, until)."""
        begin = self.number * length_s
        return self.take((begin + length_s > since) & (begin < until))

    def shuffled_by_secret(self) -> Self:
        """Return the rows in the order of the secrets' bytes, which says nothing of people."""
        return self.take(np.lexsort(self.secret.T[::-1]))


def low_cost_report(chains: NumberedSecrets, since: float, until: float) -> NumberedSecrets:
    """Return the key of the first contagious day: all later ones follow from it.

    That is one row, or one more for each chain that began later because a clock was set back.
    After this report the phone must begin a new chain with a random key.

    Args:
        chains: the oldest day key that the phone keeps of each chain, and its day, in order.
        since: when the person became contagious, epoch seconds.
        until: when the report is made.
    """
    first = int(max(since, until - RETENTION_S) // SECONDS_PER_DAY)
    used = np.append(chains.number[1:] > first, True)[: len(chains)]  # the next begins later
    chains = chains.take(used)
    days = np.maximum(chains.number, first).tolist()
    keys = [
        day_keys(key, day - begin + 1)[-1]
        for key, day, begin in zip(chains.listed(), days, chains.number.tolist(), strict=True)
    ]
    return NumberedSecrets.of(keys, days, DAY_KEY_BYTES)


def hybrid_report(
    seeds: NumberedSecrets, since: float, until: float, window_s: int = WINDOW_S
) -> NumberedSecrets:
    """Return the seeds of the windows in [since, until); the person may take out any of them."""
    return seeds.within(window_s, max(since, until - RETENTION_S), until)


def unlinkable_report(seeds: NumberedSecrets, since: float, until: float) -> NumberedSecrets:
    """Return the seeds of the epochs in [since, until); the person may take out any of them."""
    return seeds.within(EPOCH_S, max(since, until - RETENTION_S), until)


@dataclass(frozen=True, slots=True)
class PublishedSecrets:
    """What a server publishes in the low-cost and the hybrid design.

    Attributes:
        secrets: keys of days or seeds of windows.
        published: when, epoch seconds: what is heard later does not count (low-cost).
        window_s: length of a window; one day in the low-cost design.
    """

    secrets: NumberedSecrets
    published: float
    window_s: int = SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class PublishedFilter:
    """What a server publishes in the unlinkable design: a set, out of which nothing can be listed.

    Attributes:
        cuckoo: of what phones keep that heard a diagnosed person.
        published: when, epoch seconds.
    """

    cuckoo: CuckooFilter
    published: float


def filter_of(reports: Sequence[NumberedSecrets], published: float) -> PublishedFilter:
    """Return the filter of all epochs of the given reports."""
    seeds = NumberedSecrets.concat(reports, SEED_BYTES)
    kept = seed_observations(seeds.listed(), seeds.number)
    return PublishedFilter(CuckooFilter.build(kept), published)


def write_low_cost(published: PublishedSecrets, key: SigningKey) -> bytes:
    """Return the file of day keys: 36 bytes a person."""
    return signed_file(_LOW_COST, _written(published), key)


def read_low_cost(data: bytes, key: VerifyingKey) -> PublishedSecrets:
    """Read what ``write_low_cost`` wrote.

    Raises:
        InvalidReportError: it is damaged, of another kind, or not signed by this key.
    """
    time, body = _timed(opened_file(_LOW_COST, data, key))
    return PublishedSecrets(_read(body, DAY_KEY_BYTES), time)


def write_hybrid(published: PublishedSecrets, key: SigningKey) -> bytes:
    """Return the file of window seeds: 20 bytes a window."""
    window = published.window_s.to_bytes(_NUMBER)
    return signed_file(_HYBRID, window + _written(published), key)


def read_hybrid(data: bytes, key: VerifyingKey) -> PublishedSecrets:
    """Read what ``write_hybrid`` wrote.

    Raises:
        InvalidReportError: as ``read_low_cost``, or a window has no whole number of epochs.
    """
    body = opened_file(_HYBRID, data, key)
    window_s = int.from_bytes(body[:_NUMBER])
    if window_s == 0 or window_s % EPOCH_S or window_s > SECONDS_PER_DAY:
        raise InvalidReportError(f"windows of {window_s} seconds")
    time, rows = _timed(body[_NUMBER:])
    return PublishedSecrets(_read(rows, WINDOW_SEED_BYTES), time, window_s)


def write_unlinkable(published: PublishedFilter, key: SigningKey) -> bytes:
    """Return the file of a filter: about 6 bytes an epoch."""
    time = int(published.published).to_bytes(_TIME)
    return signed_file(_UNLINKABLE, time + published.cuckoo.to_bytes(), key)


def read_unlinkable(data: bytes, key: VerifyingKey) -> PublishedFilter:
    """Read what ``write_unlinkable`` wrote.

    Raises:
        InvalidReportError: as ``read_low_cost``.
    """
    time, body = _timed(opened_file(_UNLINKABLE, data, key))
    return PublishedFilter(CuckooFilter.from_bytes(body), time)


def _written(published: PublishedSecrets) -> bytes:
    rows = published.secrets.shuffled_by_secret()
    numbers = rows.number.astype(">u4").view(np.uint8).reshape(-1, _NUMBER)
    table = np.concatenate([numbers, rows.secret], axis=1)
    return int(published.published).to_bytes(_TIME) + table.tobytes()


def _timed(body: bytes) -> tuple[float, bytes]:
    if len(body) < _TIME:
        raise InvalidReportError("the file ends within its time of publication")
    return float(int.from_bytes(body[:_TIME])), body[_TIME:]


def _read(body: bytes, width: int) -> NumberedSecrets:
    if len(body) % (_NUMBER + width):
        raise InvalidReportError("the file ends within a row")
    table = np.frombuffer(body, np.uint8).reshape(-1, _NUMBER + width)
    number = np.ascontiguousarray(table[:, :_NUMBER]).view(">u4").ravel().astype(np.int64)
    return NumberedSecrets(np.ascontiguousarray(table[:, _NUMBER:]), number)
