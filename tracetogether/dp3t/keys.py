"""From secrets to ephemeral identifiers (EphIDs) of 16 bytes, in the three designs.

- low-cost: day keys are a chain of hashes; a day's 96 EphIDs are one stream under its key.
- unlinkable: each epoch of 15 minutes has its own random seed; the EphID is its hash.
- hybrid: each window of 2 to 4 hours has a random seed; its EphIDs are one stream.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from tracetogether.crypto import aes_blocks_many, hmac_many
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Bytes2D, Entropy, Ints

EPHID_BYTES: Final = 16
DAY_KEY_BYTES: Final = 32
SEED_BYTES: Final = 32  # of an epoch, unlinkable
WINDOW_SEED_BYTES: Final = 16  # of a window, hybrid
EPOCH_S: Final = 900
EPOCHS_PER_DAY: Final = SECONDS_PER_DAY // EPOCH_S
WINDOW_S: Final = 4 * SECONDS_PER_HOUR
_DAY_LABEL: Final = b"broadcast key"
_WINDOW_LABEL: Final = b"DP3T-HYBRID"


def epoch_of(time: float) -> int:
    """Return the number of the 15-minute epoch that holds ``time`` (epoch seconds)."""
    return int(time // EPOCH_S)


def next_day_key(key: bytes) -> bytes:
    """Return the key of the following day: the hash of this one. Nobody can go back."""
    return hashlib.sha256(key).digest()


def day_keys(key: bytes, count: int) -> list[bytes]:
    """Return the keys of ``count`` days, the first being ``key``."""
    found = [key]
    while len(found) < count:
        found.append(hashlib.sha256(found[-1]).digest())
    return found[:count]


def day_ephids(keys: Sequence[bytes], chunk: int = 384) -> Iterator[Bytes2D]:
    """Yield the EphIDs of day keys, (96 * keys of this chunk, 16) uint8 at a time.

    A phone sends the 96 of a day in random order, which ``sending_order`` draws.
    """
    return _streams(keys, _DAY_LABEL, EPOCHS_PER_DAY, chunk)


def window_ephids(
    seeds: Sequence[bytes], window_s: int = WINDOW_S, chunk: int = 2_048
) -> Iterator[Bytes2D]:
    """Yield the EphIDs of windows of the hybrid design, window_s / 15 min for each seed."""
    return _streams(seeds, _WINDOW_LABEL, window_s // EPOCH_S, chunk)


def epoch_ephid(seed: bytes) -> bytes:
    """Return the EphID of an epoch of the unlinkable design."""
    return hashlib.sha256(seed).digest()[:EPHID_BYTES]


def observation(ephid: bytes, epoch: int) -> bytes:
    """Return what a phone of the unlinkable design keeps of an EphID heard in ``epoch``."""
    return hashlib.sha256(ephid + epoch.to_bytes(4)).digest()


def observations(ephids: Iterable[bytes], epochs: Ints) -> Bytes2D:
    """Return ``observation`` of each, (n, 32) uint8."""
    numbers = epochs.astype(">u4").tobytes()
    parts = (numbers[at : at + 4] for at in range(0, len(numbers), 4))
    digest = hashlib.sha256
    joined = b"".join(
        digest(ephid + number).digest() for ephid, number in zip(ephids, parts, strict=True)
    )
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def seed_observations(seeds: Iterable[bytes], epochs: Ints) -> Bytes2D:
    """Return what phones that heard the EphIDs of these seeds keep, (n, 32) uint8."""
    digest = hashlib.sha256
    return observations((digest(seed).digest()[:EPHID_BYTES] for seed in seeds), epochs)


def sending_order(count: int, entropy: Entropy = os.urandom) -> Ints:
    """Return a random order of a day's or a window's EphIDs, which the phone keeps to itself."""
    return np.argsort(np.frombuffer(entropy(8 * count), "<u8"), kind="stable")


def _streams(secrets: Sequence[bytes], label: bytes, count: int, chunk: int) -> Iterator[Bytes2D]:
    """Yield ``count`` blocks of AES-256 in counter mode from 0 on, under HMAC(secret, label).

    A stream over zeros is the encrypted counters themselves, so that each secret costs one call.
    """
    counters = np.zeros((count, EPHID_BYTES), dtype=np.uint8)
    counters[:, -2:] = np.arange(count, dtype=">u2").view(np.uint8).reshape(-1, 2)
    text = counters.tobytes()
    for begin in range(0, len(secrets), chunk):
        part = secrets[begin : begin + chunk]
        sent = aes_blocks_many(hmac_many(part, label), [text] * len(part))
        yield np.frombuffer(sent, np.uint8).reshape(-1, EPHID_BYTES)
