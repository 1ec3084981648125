"""From a day's key to the identifiers that a phone sends, one and many.

A temporary exposure key (TEK, 16 random bytes) serves one UTC day of 144 intervals of 10 minutes.
HKDF derives two keys from it: one encrypts the number of each interval to a rolling proximity
identifier (RPI), the other hides four bytes of metadata beside it.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tracetogether.crypto import aes_blocks, aes_blocks_many, hkdf16_many
from tracetogether.units import Bytes2D, Entropy, Ints

KEY_BYTES: Final = 16
INTERVAL_S: Final = 600
INTERVALS_PER_KEY: Final = 144
METADATA_BYTES: Final = 4
MAX_INTERVAL: Final = 2**32 - INTERVALS_PER_KEY
_IDENTIFIER_INFO: Final = b"EN-RPIK"
_METADATA_INFO: Final = b"EN-AEMK"
_PADDED: Final = b"EN-RPI" + bytes(6)


def interval_of(time: float) -> int:
    """Return the number of the 10-minute interval that holds ``time`` (epoch seconds)."""
    return int(time // INTERVAL_S)


def day_start(interval: int) -> int:
    """Return the interval at which the key of ``interval`` began: 0:00 UTC."""
    return interval - interval % INTERVALS_PER_KEY


def new_key(entropy: Entropy = os.urandom) -> bytes:
    """Return a random key of one day."""
    return entropy(KEY_BYTES)


def identifier_key(key: bytes) -> bytes:
    """Return the key (16 bytes) that encrypts interval numbers to identifiers."""
    return hkdf16_many([key], _IDENTIFIER_INFO)[0]


def metadata_key(key: bytes) -> bytes:
    """Return the key (16 bytes) that hides the metadata."""
    return hkdf16_many([key], _METADATA_INFO)[0]


def identifiers(key: bytes, start: int, count: int = INTERVALS_PER_KEY) -> Bytes2D:
    """Return the identifiers of ``count`` intervals from ``start`` on, (count, 16) uint8."""
    return np.frombuffer(
        aes_blocks(identifier_key(key), _numbered(start, count)), np.uint8
    ).reshape(count, KEY_BYTES)


def identifiers_many(keys: Bytes2D, starts: Ints, chunk: int = 256) -> Iterator[Bytes2D]:
    """Yield the 144 identifiers of each key, (144 * keys of this chunk, 16) uint8 at a time.

    Each key costs one HKDF and one encryption of 2304 bytes; a chunk stays in the processor's
    cache while it is searched.

    Args:
        keys: (n, 16) uint8.
        starts: (n,) first interval of each.
        chunk: how many keys at once.
    """
    whole = keys.tobytes()
    texts = {start: _numbered(start, INTERVALS_PER_KEY) for start in np.unique(starts).tolist()}
    listed = starts.tolist()
    for begin in range(0, len(keys), chunk):
        end = min(begin + chunk, len(keys))
        secrets = (
            whole[at : at + KEY_BYTES]
            for at in range(KEY_BYTES * begin, KEY_BYTES * end, KEY_BYTES)
        )
        derived = hkdf16_many(secrets, _IDENTIFIER_INFO)
        sent = aes_blocks_many(derived, [texts[start] for start in listed[begin:end]])
        yield np.frombuffer(sent, np.uint8).reshape(-1, KEY_BYTES)


def hide_metadata(key: bytes, identifier: bytes, metadata: bytes) -> bytes:
    """Return the metadata as it is sent beside ``identifier``, or the metadata of what was sent.

    AES in counter mode is an exclusive or with a stream: the same call hides and shows. Nothing
    protects the result: to change a bit of what is sent changes the same bit of the power.
    """
    return _xor(metadata, aes_blocks(metadata_key(key), identifier))


def shown_metadata(keys: Sequence[bytes], identifiers_heard: Bytes2D, hidden: Bytes2D) -> Bytes2D:
    """Return the metadata of n sightings, (n, 4) uint8; arguments in columns as ``hide_metadata``.

    Each distinct key is derived once.
    """
    distinct = list(dict.fromkeys(keys))
    derived = dict(zip(distinct, hkdf16_many(distinct, _METADATA_INFO), strict=True))
    texts = [row.tobytes() for row in identifiers_heard]
    stream = np.frombuffer(aes_blocks_many([derived[key] for key in keys], texts), np.uint8)
    return stream.reshape(-1, KEY_BYTES)[:, :METADATA_BYTES] ^ hidden


def _numbered(start: int, count: int) -> bytes:
    if not 0 <= start <= MAX_INTERVAL:
        raise ValueError(f"interval {start} has no place in 32 bits")
    blocks = np.zeros((count, KEY_BYTES), dtype=np.uint8)
    blocks[:, : len(_PADDED)] = np.frombuffer(_PADDED, np.uint8)
    numbers = np.arange(start, start + count, dtype="<u4")
    blocks[:, len(_PADDED) :] = numbers.view(np.uint8).reshape(-1, 4)
    return blocks.tobytes()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=False))
