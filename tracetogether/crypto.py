"""The only room that knows the cryptography library: sealing, derivation, digests.

Everything is a thin, deterministic form over it: IVs and keys come in as arguments.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from tracetogether.errors import SealError, TrustError

KEY_BYTES: Final = 32
IV_BYTES: Final = 16  # as OpenTrace; GCM derives its counter from it by GHASH
TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 16  # of AES
_SHA256_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
ES256: Final = "ES256"  # ECDSA over P-256 with SHA-256: signatures of 64 bytes, r and s
PS256: Final = "PS256"  # RSA with PSS and SHA-256
KID_BYTES: Final = 8  # as the EU's certificates: the first bytes of a digest
_HALF: Final = 32  # bytes of r, and of s
_LEAST_RSA_BITS: Final = 2_048
_POINT_BYTES: Final = 65  # of a P-256 point that is not compressed
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA: Final = ec.ECDSA(SHA256())
_PSS: Final = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)  # RFC 8230


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
    place, cipher = memoryview(found), algorithms.AES
    # One object takes key after key: to make one for each costs a sixth of the whole.
    under = Cipher(cipher(keys[0]), modes.ECB())  # noqa: S305 - as in aes_blocks
    at = 0
    for key, text in zip(keys, texts, strict=True):
        end = at + size
        under.algorithm = cipher(key)
        under.encryptor().update_into(text, place[at : end + BLOCK_BYTES - 1])
        at = end
    return place[:at]


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
        self.public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        """The public point, 65 bytes: 04, x and y."""

    @classmethod
    def from_entropy(cls, entropy: Callable[[int], bytes]) -> Self:
        """Make a key of 32 secret bytes; they are drawn again if they are no number of the curve.

        FIPS 186-5, appendix A.2.2: the chance of that is 2^-32.
        """
        while True:
            secret = int.from_bytes(entropy(KEY_BYTES))
            if 0 < secret < _P256_ORDER:
                return cls(ec.derive_private_key(secret, ec.SECP256R1()))

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


def keyed_stream(key: bytes, message: bytes, size: int) -> bytes:
    """Return ``size`` bytes that only the key's holder can foretell, the same each time.

    SHAKE-256 over the 32-byte key and the message: a sponge needs no HMAC around it.
    """
    return hashlib.shake_256(key + message).digest(size)


def equal(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not tell where the values differ."""
    return hmac.compare_digest(one, other)


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
            return cls(load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm):
            raise TrustError("the file holds no public key in PEM", "key-file") from None

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a key as SubjectPublicKeyInfo in DER.

        Raises:
            TrustError: it is none, or of another kind.
        """
        try:
            return cls(load_der_public_key(der))
        except (ValueError, UnsupportedAlgorithm):
            raise TrustError("the bytes are no public key in DER", "key-file") from None

    @classmethod
    def from_p256(cls, x: bytes, y: bytes) -> Self:
        """Make a P-256 key of a point's coordinates, 32 bytes each, as a JWK has them.

        Raises:
            TrustError: the point is not on the curve.
        """
        try:
            numbers = ec.EllipticCurvePublicNumbers(
                int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()
            )
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
        return self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def to_pem(self) -> bytes:
        """Return the key as a PEM file "PUBLIC KEY"."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

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
                r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
                self._key.verify(encode_dss_signature(r, s), message, _ECDSA)
            else:
                return False
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A secret P-256 key that signs by ES256."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the operating system's entropy."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Make the key of a 32-byte secret, the same each time: for keys derived from others.

        Raises:
            TrustError: the secret is no number of the curve (it never is in practice).
        """
        try:
            return cls(ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()))
        except ValueError:
            raise TrustError("a secret that is no P-256 key", "key-file") from None

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a PEM file "PRIVATE KEY" without a password.

        Raises:
            TrustError: it holds no such key of P-256.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise TrustError("the file holds no secret key in PEM", "key-file") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TrustError("the secret key is not of P-256", "key-kind")
        return cls(key)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.kid.hex()})"

    def to_pem(self) -> bytes:
        """Return the SECRET key as a PEM file "PRIVATE KEY", not encrypted."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def to_der(self) -> bytes:
        """Return the SECRET key as PKCS #8 in DER, not encrypted."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """Return the signature: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(message, _ECDSA))
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What an X.509 certificate says of a key that signs passes.

    Attributes:
        key: its public key.
        kid: the first 8 bytes of SHA-256 of the certificate.
        country: the subject's country; "" if there is none.
        from_time: valid from, epoch seconds.
        until_time: valid until, epoch seconds.
        uses: object identifiers of its extended key usage, as "1.3.6.1.5.5.7.3.1".
    """

    key: VerifyingKey
    kid: bytes
    country: str
    from_time: float
    until_time: float
    uses: frozenset[str]


def read_certificates(data: bytes) -> list[SignerCertificate]:
    """Read all certificates of a PEM file, or one in DER. Their own signatures are not checked.

    Raises:
        TrustError: there is none, or a key is neither P-256 nor RSA.
    """
    try:
        pem = data.lstrip().startswith(b"-----")
        found = (
            x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
        )
        return [_signer_certificate(certificate) for certificate in found]
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise TrustError("the file holds no X.509 certificate", "certificate-file") from None


def _signer_certificate(found: x509.Certificate) -> SignerCertificate:
    countries = found.subject.get_attributes_for_oid(x509.NameOID.COUNTRY_NAME)
    try:
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        uses = frozenset(use.dotted_string for use in usage)
    except x509.ExtensionNotFound:
        uses = frozenset()
    return SignerCertificate(
        key=VerifyingKey(found.public_key()),
        kid=sha256(found.public_bytes(Encoding.DER))[:KID_BYTES],
        country=str(countries[0].value) if countries else "",
        from_time=found.not_valid_before_utc.timestamp(),
        until_time=found.not_valid_after_utc.timestamp(),
        uses=uses,
    )
