"""What the server knows, and the tokens (HELLO messages) that it makes of it.

    EBID = SKINNY-64-192(day's server key, epoch (3) || id (5))            8 bytes
    ECC  = AES-256(federation key, EBID || 00..)[0] xor country            1 byte
    HELLO = ECC || EBID || time (2) || HMAC(phone's key, 01 || those)[:5]  16 bytes

An id is random, and only the server knows whose it is. So the server can open every HELLO.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from tracetogether.crypto import aes_blocks, hmac_sha256
from tracetogether.robert.skinny import encrypt_blocks
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Entropy, Ints

ID_BYTES: Final = 5
EBID_BYTES: Final = 8
_DAY_KEY_BYTES: Final = 24
EPOCH_S: Final = 900
SERVICE_START: Final = 1_590_969_600  # 1 June 2020, 0:00 UTC: StopCovid's epoch 0
NTP_OFFSET: Final = 2_208_988_800  # seconds from 1900 to 1970
FRANCE: Final = 0x21
MOST_EPOCHS: Final = 2**24
SPEC_LABELS: Final = (b"authentication key", b"encryption key")
STOPCOVID_LABELS: Final = (b"mac", b"tuples")


def ntp_of(time: float) -> int:
    """Return seconds since 1900, of epoch seconds."""
    return int(time) + NTP_OFFSET


def phone_keys(
    shared: bytes, labels: tuple[bytes, bytes] = STOPCOVID_LABELS
) -> tuple[bytes, bytes]:
    """Return a phone's key for MACs and for tuples, from what it shares with the server (ECDH)."""
    return hmac_sha256(shared, labels[0]), hmac_sha256(shared, labels[1])


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """Keys of the server.

    Attributes:
        day_keys: UTC day -> key of 24 bytes; StopCovid drew a new one each day.
        federation: key of 32 bytes that servers of all countries share.
        country: code, 1 byte.
        start: epoch seconds at which epoch 0 began.
    """

    day_keys: Mapping[int, bytes] = field(repr=False)
    federation: bytes = field(repr=False)
    country: int = FRANCE
    start: int = SERVICE_START

    @classmethod
    def new(cls, first_day: int, days: int, entropy: Entropy = os.urandom) -> Self:
        """Return random keys for ``days`` UTC days from ``first_day`` on, one key each."""
        return cls(
            {day: entropy(_DAY_KEY_BYTES) for day in range(first_day, first_day + days)},
            entropy(32),
        )

    def epoch_of(self, time: float) -> int:
        """Return the number of the epoch that holds ``time`` (epoch seconds)."""
        return int((time - self.start) // EPOCH_S)

    def day_of(self, epochs: Ints) -> Ints:
        """Return the UTC days in which epochs begin."""
        return (self.start + EPOCH_S * epochs) // SECONDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Registrations:
    """The phones that a server knows, n rows in the order of their ids.

    Attributes:
        id: (n,) uint64 of 40 bits.
        mac_keys: key for MACs of each.
    """

    id: np.typing.NDArray[np.uint64] = field(repr=False)
    mac_keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, ids: Sequence[bytes], mac_keys: Sequence[bytes]) -> Self:
        """Return the table of phones.

        Raises:
            ValueError: two have the same id, or an id has not 5 bytes.
        """
        if any(len(each) != ID_BYTES for each in ids):
            raise ValueError(f"an id has {ID_BYTES} bytes")
        numbers = np.array([int.from_bytes(each) for each in ids], dtype=np.uint64)
        order = np.argsort(numbers)
        if (np.diff(numbers[order]) == 0).any():
            raise ValueError("two phones with the same id")
        return cls(numbers[order], tuple(mac_keys[place] for place in order.tolist()))

    @classmethod
    def new(cls, count: int, entropy: Entropy = os.urandom) -> Self:
        """Return ``count`` phones with random ids and keys."""
        ids: dict[bytes, bytes] = {}
        while len(ids) < count:
            ids.setdefault(entropy(ID_BYTES), entropy(32))
        return cls.of(list(ids), list(ids.values()))

    def __len__(self) -> int:
        return len(self.id)

    def row_of(self, ids: np.typing.NDArray[np.uint64]) -> Ints:
        """Return the row of each id, -1 where no phone has it."""
        if not len(self.id):
            return np.full(len(ids), -1)
        at = np.minimum(np.searchsorted(self.id, ids), len(self.id) - 1)
        return np.where(self.id[at] == ids, at, -1)


def ebids(key: bytes, epochs: Ints, ids: np.typing.NDArray[np.uint64]) -> Bytes2D:
    """Return the EBIDs of phones in epochs, (n, 8) uint8, under one server key.

    Args:
        key: the server's key of the day, 24 bytes.
        epochs: (n,) below 2^24.
        ids: (n,) 40 bits each.
    """
    words = epochs.astype(np.uint64) << np.uint64(40) | ids
    return encrypt_blocks(key, words.astype(">u8").view(np.uint8).reshape(-1, EBID_BYTES))


def country_codes(federation: bytes, ebid: Bytes2D, country: int) -> Bytes2D:
    """Return the encrypted country code (ECC) of each EBID, (n, 1) uint8; also its inverse.

    Args:
        federation: key of 32 bytes.
        ebid: (n, 8) uint8.
        country: the code. An ECC in its place gives the code: it is an exclusive or.
    """
    blocks = np.zeros((len(ebid), 16), dtype=np.uint8)
    blocks[:, :EBID_BYTES] = ebid
    stream = np.frombuffer(aes_blocks(federation, blocks.tobytes()), np.uint8).reshape(-1, 16)
    return stream[:, :1] ^ np.uint8(country)


def hello(ecc: int, ebid: bytes, ntp_s: int, mac_key: bytes) -> bytes:
    """Return the HELLO (16 bytes) that a phone sends at ``ntp_s`` (seconds since 1900)."""
    said = bytes([ecc]) + ebid + (ntp_s & 0xFFFF).to_bytes(2)
    return said + hmac_sha256(mac_key, b"\x01" + said)[:5]
