"""HPKE: what the library seals is opened by RFC 9180 written out, held to the RFC's own numbers."""

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tracetogether.crypto import OpeningKey, VerifyingKey
from tracetogether.errors import SealError

X25519, P256, HKDF_SHA256, AES_128, AES_256 = 0x20, 0x10, 1, 1, 2
URN = b"Ode on a Grecian Urn"


def number(value: int) -> bytes:
    return value.to_bytes(2)


def extract(salt: bytes, label: bytes, secret: bytes, suite: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")


def expand(key: bytes, label: bytes, about: bytes, size: int, suite: bytes) -> bytes:
    said = number(size) + b"HPKE-v1" + suite + label + about
    return hmac.digest(key, said + b"\x01", hashlib.sha256)[:size]


def schedule(shared: bytes, info: bytes, kem: int, aead: int, size: int) -> tuple[bytes, bytes]:
    """Return key and nonce of the first message in mode base (section 5.1)."""
    suite = b"HPKE" + number(kem) + number(HKDF_SHA256) + number(aead)
    about = b"\x00" + extract(b"", b"psk_id_hash", b"", suite)
    about += extract(b"", b"info_hash", info, suite)
    secret = extract(shared, b"secret", b"", suite)
    return (
        expand(secret, b"key", about, size, suite),
        expand(secret, b"base_nonce", about, 12, suite),
    )


def opened(sealed: bytes, secret: bytes, info: bytes) -> bytes:
    """Open what was sealed to the P-256 key of a secret (sections 4.1 and 5.1)."""
    enc, ciphertext = sealed[:65], sealed[65:]
    own = ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1())
    other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), enc)
    of_own = own.public_key().public_numbers()
    context = enc + b"\x04" + of_own.x.to_bytes(32) + of_own.y.to_bytes(32)
    kem = b"KEM" + number(P256)
    prk = extract(b"", b"eae_prk", own.exchange(ec.ECDH(), other), kem)
    shared = expand(prk, b"shared_secret", context, 32, kem)
    key, nonce = schedule(shared, info, P256, AES_256, 32)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def test_the_schedule_gives_the_numbers_of_the_rfc() -> None:
    """RFC 9180, appendix A.1.1."""
    shared = bytes.fromhex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc")
    key, nonce = schedule(shared, URN, X25519, AES_128, 16)
    assert key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert nonce.hex() == "56d890e5accaaf011cff4b7d"


def test_what_is_sealed_opens_by_the_rfc_and_only_under_its_info() -> None:
    secret = os.urandom(31) + b"\x01"
    key = OpeningKey(secret)
    sealed = VerifyingKey.from_der(key.public.to_der()).seal(b"Beauty is truth", URN)
    assert opened(sealed, secret, URN) == b"Beauty is truth" == key.open(sealed, URN)
    assert key.public.seal(b"Beauty is truth", URN) != sealed
    for wrong in (sealed[:-1], b"", bytes([sealed[0] ^ 1]) + sealed[1:], sealed + b"x"):
        with pytest.raises(SealError):
            key.open(wrong, URN)
    with pytest.raises(SealError):
        key.open(sealed, b"another use")
    with pytest.raises(SealError):
        OpeningKey(os.urandom(32)).open(sealed, URN)
