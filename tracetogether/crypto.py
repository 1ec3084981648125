"""The only room that knows the cryptography library: sealing, derivation, digests.

Everything is a thin, deterministic form over it: IVs and keys come in as arguments.
"""

import hashlib
import hmac
from collections.abc import Sequence
from itertools import repeat
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.x509 import load_pem_x509_certificate

from tracetogether.errors import SealError

KEY_BYTES: Final = 32
IV_BYTES: Final = 16  # as OpenTrace; GCM derives its counter from it by GHASH
TAG_BYTES: Final = 16


class Aead:
    """AES-256-GCM under one key, set up once and used for many values."""

    __slots__ = ("_gcm",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
            raise ValueError(msg)
        self._gcm = AESGCM(key)

    def __repr__(self) -> str:
        return "Aead()"

    def seal(self, iv: bytes, plaintext: bytes, associated: bytes | None = None) -> bytes:
        """Return ciphertext and tag. NEVER use an IV twice under one key."""
        return self._gcm.encrypt(iv, plaintext, associated)

    def open(self, iv: bytes, sealed: bytes, associated: bytes | None = None) -> bytes:
        """Return the plaintext.

        Raises:
            SealError: the value was changed, or sealed under another key or for another purpose.
        """
        try:
            return self._gcm.decrypt(iv, sealed, associated)
        except (InvalidTag, ValueError):  # ValueError: cut so short that nothing is left to try
            msg = "the value was changed, or sealed under another key or for another purpose"
            raise SealError(msg) from None

    def seal_many(
        self, ivs: Sequence[bytes], plaintexts: Sequence[bytes], associated: bytes | None = None
    ) -> bytes:
        """Return ciphertext and tag of each value, one after the other."""
        return b"".join(map(self._gcm.encrypt, ivs, plaintexts, repeat(associated)))

    def open_many(
        self, ivs: Sequence[bytes], sealed: Sequence[bytes], associated: bytes | None = None
    ) -> list[bytes | None]:
        """Return the plaintext of each value, None where it does not open."""
        opened: list[bytes | None] = []
        values = map(self._gcm.decrypt, ivs, sealed, repeat(associated))
        while True:
            try:
                opened.extend(values)  # at C speed up to the next value that does not open,
            except InvalidTag:  # which leaves the good ones in the list and the map past the bad
                opened.append(None)
            else:
                return opened


def certificate_span(pem: bytes) -> tuple[float, float]:
    """Return when the first certificate of a PEM file begins and ends to be valid, epoch seconds.

    Raises:
        ValueError: there is none.
    """
    found = load_pem_x509_certificate(pem)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def derive(secret: bytes, info: bytes) -> bytes:
    """Return a 32-byte key derived one way from ``secret`` for the use ``info`` (HKDF-Expand)."""
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info).derive(secret)


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest (32 bytes)."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 (32 bytes)."""
    return hmac.digest(key, message, "sha256")


def keyed_stream(key: bytes, message: bytes, size: int) -> bytes:
    """Return ``size`` bytes that only the key's holder can foretell, the same each time.

    SHAKE-256 over the 32-byte key and the message: a sponge needs no HMAC around it.
    """
    return hashlib.shake_256(key + message).digest(size)


def equal(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not tell where the values differ."""
    return hmac.compare_digest(one, other)
