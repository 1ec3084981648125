"""Sealing under secret keys, derivation, digests."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.padding import PKCS7

from tracetogether.errors import SealError

KEY_BYTES: Final = 32
IV_BYTES: Final = 16  # as OpenTrace; GCM derives its counter from it by GHASH
TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 16  # of AES
UNSEALABLE: Final = "the value was changed, or sealed under another key or for another purpose"
_SHA256_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Aead:
    """AES-256-GCM under one key, set up once and used for many values."""

    __slots__ = ("_gcm",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
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
            raise SealError(UNSEALABLE) from None

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


def derive(secret: bytes, info: bytes) -> bytes:
    """Return a 32-byte key derived one way from ``secret`` for the use ``info`` (HKDF-Expand)."""
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=info).derive(secret)


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest (32 bytes)."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 (32 bytes)."""
    return hmac.digest(key, message, "sha256")


def hkdf16_many(secrets: Iterable[bytes], info: bytes) -> list[bytes]:
    """Return HKDF-SHA256(secret, no salt, info) of 16 bytes for each secret (RFC 5869).

    That is two HMACs: PRK = HMAC(32 zero bytes, secret), then HMAC(PRK, info || 01). HMAC(k, m) is
    H(k ^ 5c.. || H(k ^ 36.. || m)). The first key is always the same, so that both of its hashes
    start from a kept state. Writing the second out saves half of what the library's call costs.
    """
    zeros = bytes(_SHA256_BLOCK)
    inner, outer = (hashlib.sha256(zeros.translate(pad)) for pad in (_INNER, _OUTER))
    keys = []
    for secret in secrets:
        first, second = inner.copy(), outer.copy()
        first.update(secret)
        second.update(first.digest())
        keys.append(second.digest())
    return [found[:16] for found in hmac_many(keys, info + b"\x01")]


def hmac_many(keys: Sequence[bytes], message: bytes) -> list[bytes]:
    """Return HMAC-SHA256 (32 bytes) of one message under keys of equal length, 64 bytes at most."""
    rest = bytes(_SHA256_BLOCK - len(keys[0]) if keys else 0)
    inner, outer = rest.translate(_INNER) + message, rest.translate(_OUTER)
    digest = hashlib.sha256
    found = []
    for key in keys:
        within = digest(key.translate(_INNER) + inner).digest()
        found.append(digest(key.translate(_OUTER) + outer + within).digest())
    return found


def aes_blocks(key: bytes, blocks: bytes) -> bytes:
    """Return each 16-byte block encrypted on its own under a key of 16 or 32 bytes (AES-ECB)."""
    mode = modes.ECB()  # noqa: S305 - protocols number their blocks, so that none repeats
    return Cipher(algorithms.AES(key), mode).encryptor().update(blocks)


def aes_cbc_seal(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return ``plaintext`` padded (PKCS #7) and encrypted by AES-CBC; it needs a MAC around it."""
    padder = PKCS7(8 * BLOCK_BYTES).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def aes_cbc_open(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Return what ``aes_cbc_seal`` was given; call it only after the MAC was found right.

    Raises:
        SealError: the padding is wrong, or the length is no whole number of blocks.
    """
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise SealError("the padding of an encrypted value is wrong") from None


def aes_blocks_many(keys: Sequence[bytes], texts: Sequence[bytes]) -> memoryview:
    """Return text i encrypted block by block under key i, one after the other.

    Args:
        keys: n keys of 16 or 32 bytes.
        texts: n texts of equal length, a multiple of 16 bytes.
    """
    if not keys:
        return memoryview(b"")
    size = len(texts[0])
    found = bytearray(size * len(keys) + BLOCK_BYTES - 1)  # update_into wants room to spare
    place, under = memoryview(found), algorithms.AES(keys[0])
    # One object takes key after key: to make two for each costs a fifth of the whole.
    encryptor = Cipher(under, modes.ECB()).encryptor  # noqa: S305 - as in aes_blocks
    at = 0
    for key, text in zip(keys, texts, strict=True):
        end = at + size
        under.key = key
        encryptor().update_into(text, place[at : end + BLOCK_BYTES - 1])
        at = end
    return place[:at]


def keyed_stream(key: bytes, message: bytes, size: int) -> bytes:
    """Return ``size`` bytes that only the key's holder can foretell, the same each time.

    SHAKE-256 over the 32-byte key and the message: a sponge needs no HMAC around it.
    """
    return hashlib.shake_256(key + message).digest(size)


def equal(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not tell where the values differ."""
    return hmac.compare_digest(one, other)
