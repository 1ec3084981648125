"""Files of keys that a gate's operator names: certificates, JWK sets, DID documents, lists."""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from tracetogether.crypto import KID_BYTES, SignerCertificate, VerifyingKey, read_certificates
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.signed.trust import (
    DCC_RECOVERY,
    DCC_TEST,
    DCC_VACCINATION,
    NZ_PASS,
    PASS,
    POSTERS,
    PURPOSES,
    TrustedKey,
    TrustList,
)

MOST_BYTES: Final = 4 << 20
_DCC: Final = frozenset((DCC_TEST, DCC_VACCINATION, DCC_RECOVERY))
_SHOWABLE: Final = _DCC | {PASS, NZ_PASS, POSTERS}
_USES: Final = MappingProxyType(
    {
        f"1.3.6.1.4.1.{arc}1847.2021.1.{number}": purpose
        for arc in ("", "0.")  # the EU's first certificates had a 0 too much
        for number, purpose in enumerate((DCC_TEST, DCC_VACCINATION, DCC_RECOVERY), 1)
    }
)
"""Extended key usage of an EU signer -> what it may sign; a certificate without any signs all."""


def read_trust_file(data: bytes) -> TrustList:
    """Read the keys of a file; its content says what it is.

    It may be X.509 certificates (PEM, or one in DER or its Base64), a public key (PEM), a JWK or a
    JWK set, a DID document, or a trust list of ours, as it is or as JSON from `/v1/trust`. A
    certificate signs for its country. A JWK signs for the organisation in its member "iss", for any
    if it has none, and what its member "purposes" lists.

    Raises:
        TrustError: it is none of these, or a key is of another kind.
    """
    if len(data) > MOST_BYTES:
        raise TrustError("a file of keys with more than 4 MiB", "trust-file")
    start = data.lstrip()[:64]
    if start.startswith(
        b"MII"
    ):  # the EU's lists of certificates: Base64 of DER, without PEM's lines
        data = _certificate_bytes(data)
        start = data[:64]
    if start.startswith(b"-----BEGIN PUBLIC KEY"):
        key = VerifyingKey.from_pem(data)
        return TrustList([_unbound(key, key.kid)])
    if start.startswith((b"-----", b"\x30")):
        return TrustList(map(_of_certificate, read_certificates(data)))
    try:
        if start.startswith((b"{", b"[")):
            return _of_json(data)
        return TrustList.read(data)
    except UnreadableMessageError as error:
        raise TrustError(
            "neither a certificate, a public key, a JWK set, a DID document nor a trust list: "
            "{fault}",
            "trust-file",
            fault=error,
        ) from None


def _certificate_bytes(text: bytes) -> bytes:
    """Return the DER of a certificate in Base64, which may be broken into lines."""
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise TrustError("it begins as a certificate in Base64, and is cut", "trust-file") from None


def _of_certificate(found: SignerCertificate) -> TrustedKey:
    return TrustedKey(
        kid=found.kid,
        key=found.key,
        organisation=found.country.upper(),
        region=found.country.upper(),
        purposes=frozenset(_USES[use] for use in found.uses if use in _USES) or _DCC,
        from_time=found.from_time,
        until_time=found.until_time,
    )


def _unbound(key: VerifyingKey, kid: bytes | None, organisation: str = "") -> TrustedKey:
    return TrustedKey(kid, key, organisation, "", _SHOWABLE, 0, math.inf)


def _of_json(data: bytes) -> TrustList:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise TrustError("the file of keys is no JSON", "trust-file") from None
    match document:
        case {"trust": str() as signed}:
            return TrustList.read(_base64(signed))
        case {"keys": list() as keys}:
            return TrustList(_usable(keys))
        case {"id": str() as issuer, "verificationMethod": list() as methods}:
            return TrustList(row for method in methods for row in _of_method(method, issuer))
        case {"kty": _}:
            return TrustList(_of_jwk(document))
        case _:
            raise TrustError("the JSON is no JWK, JWK set or DID document", "trust-file")


def _usable(keys: Iterable[object]) -> Iterator[TrustedKey]:
    """Yield the keys of a set, without those of kinds that nothing here is signed with.

    Raises:
        TrustError: none is left, or one is damaged.
    """
    fault: TrustError | None = TrustError("an empty JWK set", "trust-file")
    for key in keys:
        try:
            yield from _of_jwk(key)
            fault = None
        except TrustError as error:
            if error.code != "key-kind":
                raise
            fault = fault and error
    if fault is not None:
        raise fault


def _of_method(method: object, issuer: str) -> Iterator[TrustedKey]:
    """Yield the key of a DID document's verification method; its fragment is the kid."""
    match method:
        case {"id": str() as name, "publicKeyJwk": dict() as jwk}:
            yield _unbound(_key_of(jwk), name.rpartition("#")[2].encode(), issuer)
        case _:
            raise TrustError("a verification method without publicKeyJwk", "trust-file")


def _of_jwk(jwk: object) -> Iterator[TrustedKey]:
    """Yield a JWK under each name that messages may give it (RFC 7517).

    The EU's lists write the 8 bytes of a kid in Base64; others use the text itself. A key without
    a kid fits every message.

    Raises:
        TrustError: it is no public key of P-256 or RSA.
    """
    if not isinstance(jwk, dict):
        raise TrustError("a JWK that is no object", "trust-file")
    kid, issuer, purposes = jwk.get("kid"), jwk.get("iss", ""), jwk.get("purposes")
    if not isinstance(kid, str | None) or not isinstance(issuer, str):
        raise TrustError("a JWK whose kid or iss is no text", "trust-file")
    key = _key_of(jwk)
    names = [None] if kid is None else _names(kid)
    for name in names:
        row = _unbound(key, name, issuer)
        yield row if purposes is None else _with_purposes(row, purposes)


def _with_purposes(row: TrustedKey, purposes: object) -> TrustedKey:
    if not isinstance(purposes, list) or not PURPOSES.issuperset(purposes):
        known = ", ".join(sorted(PURPOSES))
        raise TrustError(f"purposes of a JWK that are not among {known}", "trust-purpose")
    return TrustedKey(
        row.kid, row.key, row.organisation, "", frozenset(purposes), row.from_time, row.until_time
    )


def _names(kid: str) -> Iterable[bytes]:
    yield kid.encode()
    try:
        decoded = base64.b64decode(
            kid, altchars=b"-_" if "-" in kid or "_" in kid else None, validate=True
        )
    except (binascii.Error, ValueError):
        return
    if len(decoded) == KID_BYTES:
        yield decoded


def _key_of(jwk: Mapping[str, object]) -> VerifyingKey:
    match jwk:
        case {"kty": "EC", "crv": "P-256", "x": str() as x, "y": str() as y}:
            return VerifyingKey.from_p256(_number(x), _number(y))
        case {"kty": "RSA", "n": str() as modulus, "e": str() as exponent}:
            return VerifyingKey.from_rsa(_number(modulus), _number(exponent))
        case _:
            raise TrustError("a JWK that is no public key of P-256 or RSA", "key-kind")


def _number(text: str) -> bytes:
    return _base64(text + "=" * (-len(text) % 4), url=True)


def _base64(text: str, *, url: bool = False) -> bytes:
    try:
        return base64.b64decode(text, altchars=b"-_" if url else None, validate=True)
    except (binascii.Error, ValueError):
        raise TrustError("a value in the JSON is no Base64", "trust-file") from None
