"""Keys by which two sides agree on a secret, and Ed25519."""

from collections.abc import Callable, Iterable
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from tracetogether.crypto.sealing import KEY_BYTES

_P256: Final = ec.SECP256R1()
_POINT_BYTES: Final = 65  # of a P-256 point that is not compressed
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def ed25519_public(seed: bytes) -> bytes:
    """Return the public key (32 bytes) of an Ed25519 seed (32 bytes)."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """Return the Ed25519 signature (64 bytes) of a message under the seed's key."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether an Ed25519 signature is of this message and key; False for any other bytes."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def x25519_public(secret: bytes) -> bytes:
    """Return the X25519 public key (32 bytes) of a secret (32 bytes)."""
    return x25519.X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519_shared(secret: bytes, publics: Iterable[bytes]) -> list[bytes | None]:
    """Return what both sides compute of one secret and each of other phones' public keys.

    None where a public key has not 32 bytes, or is a point of small order.
    """
    own = x25519.X25519PrivateKey.from_private_bytes(secret)
    found: list[bytes | None] = []
    for public in publics:
        try:
            found.append(own.exchange(x25519.X25519PublicKey.from_public_bytes(public)))
        except ValueError:
            found.append(None)
    return found


class AgreementKey:
    """A secret P-256 key by which two sides agree on a secret (ECDH)."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(
            forms.Encoding.X962, forms.PublicFormat.UncompressedPoint
        )
        """The public point, 65 bytes: 04, x and y."""

    @classmethod
    def from_entropy(cls, entropy: Callable[[int], bytes]) -> Self:
        """Make a key of 32 secret bytes; they are drawn again if they are no number of the curve.

        FIPS 186-5, appendix A.2.2: the chance of that is 2^-32.
        """
        while True:
            secret = int.from_bytes(entropy(KEY_BYTES))
            if 0 < secret < _P256_ORDER:
                return cls(ec.derive_private_key(secret, _P256))

    def __repr__(self) -> str:
        return "AgreementKey()"

    def shared(self, public: bytes) -> bytes | None:
        """Return the x coordinate (32 bytes) that both sides compute; None if it is no point.

        Args:
            public: the other side's point, 65 bytes.
        """
        if len(public) != _POINT_BYTES:
            return None
        try:
            other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        except ValueError:
            return None
        return self._key.exchange(ec.ECDH(), other)
