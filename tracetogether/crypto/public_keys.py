"""Pairs of keys: P-256 that signs (ES256) or opens (HPKE), and RSA that checks (PS256)."""

from typing import Final, Self

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from tracetogether.crypto.sealing import UNSEALABLE, sha256
from tracetogether.errors import SealError, TrustError

ES256: Final = "ES256"  # ECDSA over P-256 with SHA-256: signatures of 64 bytes, r and s
PS256: Final = "PS256"  # RSA with PSS and SHA-256
KID_BYTES: Final = 8  # as the EU's certificates: the first bytes of a digest
_HALF: Final = 32  # bytes of r, and of s
_LEAST_RSA_BITS: Final = 2_048
_P256: Final = ec.SECP256R1()
_ECDSA: Final = ec.ECDSA(SHA256())
_PSS: Final = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)  # RFC 8230
# HPKE (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM
_HPKE: Final = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def signature_in_der(signature: bytes) -> bytes:
    """Return an ES256 signature (r and s, 32 bytes each) in the form DER."""
    return encode_dss_signature(
        int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    )


def signature_from_der(der: bytes) -> bytes:
    """Return an ES256 signature in DER as r and s, 32 bytes each; empty if it is none."""
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)
    except (ValueError, OverflowError):
        return b""


class VerifyingKey:
    """A public key that checks signatures: P-256 for ES256, RSA for PS256; no other kind."""

    __slots__ = ("_key", "algorithm")

    def __init__(self, key: object) -> None:
        match key:
            case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
                self.algorithm = ES256
            case rsa.RSAPublicKey() if key.key_size >= _LEAST_RSA_BITS:
                self.algorithm = PS256
            case _:
                raise TrustError(
                    "a key that is neither P-256 nor RSA of at least 2048 bits", "key-kind"
                )
        self._key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = key

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a PEM file "PUBLIC KEY".

        Raises:
            TrustError: it is none, or of another kind.
        """
        try:
            return cls(forms.load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm):
            raise TrustError("the file holds no public key in PEM", "key-file") from None

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a key as SubjectPublicKeyInfo in DER.

        Raises:
            TrustError: it is none, or of another kind.
        """
        try:
            return cls(forms.load_der_public_key(der))
        except (ValueError, UnsupportedAlgorithm):
            raise TrustError("the bytes are no public key in DER", "key-file") from None

    @classmethod
    def from_p256(cls, x: bytes, y: bytes) -> Self:
        """Make a P-256 key of a point's coordinates, 32 bytes each, as a JWK has them.

        Raises:
            TrustError: the point is not on the curve.
        """
        try:
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), _P256)
            return cls(numbers.public_key())
        except ValueError:
            raise TrustError("a point that is not on the curve P-256", "key-file") from None

    @classmethod
    def from_rsa(cls, modulus: bytes, exponent: bytes) -> Self:
        """Make an RSA key of its numbers, as a JWK has them.

        Raises:
            TrustError: they are no usable key.
        """
        try:
            numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
            return cls(numbers.public_key())
        except ValueError:
            raise TrustError("the numbers are no RSA key", "key-file") from None

    def __repr__(self) -> str:
        return f"VerifyingKey({self.algorithm}, {self.kid.hex()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self.to_der() == other.to_der()

    def __hash__(self) -> int:
        return hash(self.to_der())

    @property
    def kid(self) -> bytes:
        """The first 8 bytes of SHA-256 of the key in DER: its name in our own messages."""
        return sha256(self.to_der())[:KID_BYTES]

    def to_der(self) -> bytes:
        """Return the key as SubjectPublicKeyInfo in DER."""
        return self._key.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)

    def to_pem(self) -> bytes:
        """Return the key as a PEM file "PUBLIC KEY"."""
        return self._key.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Return whether the holder of the secret key signed ``message``.

        Args:
            signature: r and s of 32 bytes each for ES256, as long as the key for PS256.
            message: the bytes that were signed.
        """
        try:
            if isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, message, _PSS, SHA256())
            elif len(signature) == 2 * _HALF:
                self._key.verify(signature_in_der(signature), message, _ECDSA)
            else:
                return False
        except InvalidSignature:
            return False
        return True

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """Return ``plaintext`` sealed by HPKE (RFC 9180): only the secret key's holder opens it.

        Each call draws a key pair of its own, so two results never equal one another.

        Args:
            plaintext: any bytes.
            info: what it is and for whom; it opens under the same bytes only.

        Raises:
            TrustError: the key is no P-256 key.
        """
        if not isinstance(self._key, ec.EllipticCurvePublicKey):
            raise TrustError("messages are sealed to a P-256 key", "key-kind")
        return _HPKE.encrypt(plaintext, self._key, info)


class OpeningKey:
    """A secret P-256 key, made of 32 bytes, that opens what others sealed to ``public``."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        self._key = _p256_of(secret)
        self.public = VerifyingKey(self._key.public_key())

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return what ``VerifyingKey.seal`` sealed.

        Raises:
            SealError: it was changed, sealed to another key, or under another ``info``.
        """
        try:
            return _HPKE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise SealError(UNSEALABLE) from None


def _p256_of(secret: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        return ec.derive_private_key(int.from_bytes(secret), _P256)
    except ValueError:
        raise TrustError("a secret that is no P-256 key", "key-file") from None


class SigningKey:
    """A secret P-256 key that signs by ES256."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's entropy."""
        return cls(ec.generate_private_key(_P256))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Make the key of a 32-byte secret, the same each time: for keys derived from others.

        Raises:
            TrustError: the secret is no number of the curve (it never is in practice).
        """
        return cls(_p256_of(secret))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a PEM file "PRIVATE KEY" without a password.

        Raises:
            TrustError: it holds no such key of P-256.
        """
        try:
            key = forms.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise TrustError("the file holds no secret key in PEM", "key-file") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TrustError("the secret key is not of P-256", "key-kind")
        return cls(key)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.kid.hex()})"

    def to_pem(self) -> bytes:
        """Return the SECRET key as a PEM file "PRIVATE KEY", not encrypted."""
        return self._key.private_bytes(
            forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
        )

    def to_der(self) -> bytes:
        """Return the SECRET key as PKCS #8 in DER, not encrypted."""
        return self._key.private_bytes(
            forms.Encoding.DER, forms.PrivateFormat.PKCS8, forms.NoEncryption()
        )

    def sign(self, message: bytes) -> bytes:
        """Return the signature: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(message, _ECDSA))
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)
