"""From a secret key to temporary contact numbers (TCNs) of 16 bytes, by a ratchet of hashes.

A report authorisation key (rak) signs reports; its public key (rvk) goes into every hash, so that a
number belongs to one report key. A state gives a number and the next state, never the one before.
"""

import hashlib
import os
from collections.abc import Iterator
from typing import Final

import numpy as np

from tracetogether.crypto import ed25519_public
from tracetogether.units import SECONDS_PER_HOUR, Bytes2D, Entropy

KEY_BYTES: Final = 32
NUMBER_BYTES: Final = 16
LAST_INDEX: Final = 2**16 - 1
KEY_LIFE_S: Final = 6 * SECONDS_PER_HOUR  # the longest that a phone should use one key
_STATE: Final = b"H_TCK"
_NUMBER: Final = b"H_TCN"


def new_authorisation_key(entropy: Entropy = os.urandom) -> bytes:
    """Return a random rak (32 bytes): a phone keeps it until it may report."""
    return entropy(KEY_BYTES)


def verification_key(rak: bytes) -> bytes:
    """Return the rvk (32 bytes) of a rak."""
    return ed25519_public(rak)


def first_state(rak: bytes) -> bytes:
    """Return the state with index 0, from which no number is made."""
    return hashlib.sha256(_STATE + rak).digest()


def next_state(rvk: bytes, state: bytes) -> bytes:
    """Return the state after this one."""
    return hashlib.sha256(_STATE + rvk + state).digest()


def number_of(index: int, state: bytes) -> bytes:
    """Return the number of the state with this index (1 to 65535)."""
    return hashlib.sha256(_NUMBER + index.to_bytes(2, "little") + state).digest()[:NUMBER_BYTES]


def states(rak: bytes, count: int) -> list[bytes]:
    """Return the states with index 0 to ``count`` - 1."""
    rvk, found = verification_key(rak), [first_state(rak)]
    while len(found) < count:
        found.append(next_state(rvk, found[-1]))
    return found[:count]


def numbers(rvk: bytes, before: bytes, first: int, last: int) -> Bytes2D:
    """Return the numbers with index ``first`` to ``last``, (last - first + 1, 16) uint8.

    Args:
        rvk: verification key.
        before: the state with index ``first`` - 1.
        first: at least 1.
        last: at most 65535.
    """
    joined = b"".join(_ratcheted(rvk, before, first, last))
    return np.frombuffer(joined, np.uint8).reshape(-1, NUMBER_BYTES)


def _ratcheted(rvk: bytes, state: bytes, first: int, last: int) -> Iterator[bytes]:
    digest, begin = hashlib.sha256, _STATE + rvk
    for index in range(first, last + 1):
        state = digest(begin + state).digest()
        yield digest(_NUMBER + index.to_bytes(2, "little") + state).digest()[:NUMBER_BYTES]
