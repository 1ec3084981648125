"""COSE_Sign1 (RFC 9052): a payload, who signed it, and the signature."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tracetogether.cbor import (
    MOST_BYTES,
    TAG_CWT,
    TAG_SIGN1,
    Tagged,
    read_cbor,
    write_cbor,
)
from tracetogether.crypto import ES256, PS256, SigningKey, VerifyingKey
from tracetogether.errors import UnreadableMessageError

_ALGORITHM, _CRITICAL, _KID = 1, 2, 4  # labels of headers
_CODE_OF: Final = MappingProxyType({ES256: -7, PS256: -37})
_ALGORITHMS: Final = MappingProxyType({code: name for name, code in _CODE_OF.items()})


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A message of COSE_Sign1 as it was read: nothing in it is checked yet.

    Attributes:
        payload: the bytes that are signed.
        kid: which key signed, as the sender says; the protected header goes before the other.
        algorithm: "ES256" or "PS256"; None if the protected header names neither.
        signature: the signature's bytes.
        protected: the protected header as it was signed.
    """

    payload: bytes = field(repr=False)
    kid: bytes | None
    algorithm: str | None
    signature: bytes = field(repr=False)
    protected: bytes = field(repr=False)

    @property
    def signature_start(self) -> bytes:
        """What the EU's revocation lists digest: r of an ES256 signature, the whole of others."""
        half = len(self.signature) // 2
        return self.signature[:half] if self.algorithm == ES256 else self.signature

    def signed_by(self, key: VerifyingKey) -> bool:
        """Return whether ``key`` made the signature, by the algorithm that the message names."""
        if key.algorithm != self.algorithm:
            return False
        return key.verify(self.signature, _to_be_signed(self.protected, self.payload))

    def signed_by_any(self, keys: Iterable[VerifyingKey]) -> VerifyingKey | None:
        """Return the first of ``keys`` that made the signature, None if none did."""
        return next((key for key in keys if self.signed_by(key)), None)


def sign(payload: bytes, key: SigningKey, kid: bytes) -> bytes:
    """Return a COSE_Sign1 message (tag 18) by ES256, with ``kid`` in its protected header."""
    protected = write_cbor({_ALGORITHM: _CODE_OF[ES256], _KID: kid})
    signature = key.sign(_to_be_signed(protected, payload))
    return write_cbor(Tagged(TAG_SIGN1, [protected, {}, payload, signature]))


def read(data: bytes, *, most_bytes: int = MOST_BYTES) -> SignedMessage:
    """Read a COSE_Sign1 message, with or without its tag, alone or in a CWT (tag 61).

    Raises:
        UnreadableMessageError: it is none.
    """
    message = read_cbor(data, most_bytes=most_bytes)
    for tag in (TAG_CWT, TAG_SIGN1):
        if isinstance(message, Tagged) and message.tag == tag:
            message = message.value
    match message:
        case [
            bytes() as protected,
            dict() as unprotected,
            bytes() as payload,
            bytes() as signature,
        ]:
            pass
        case _:
            raise UnreadableMessageError("the CBOR is no message of COSE_Sign1", "cose-form")
    headers = read_cbor(protected) if protected else {}
    if not isinstance(headers, dict):
        raise UnreadableMessageError("the protected header is no map", "cose-form")
    if _CRITICAL in headers:
        raise UnreadableMessageError("a header is critical that we don't know", "cose-critical")
    code = headers.get(_ALGORITHM)
    name = _ALGORITHMS.get(code) if isinstance(code, int) else None
    kid = headers[_KID] if _KID in headers else unprotected.get(_KID)
    if not isinstance(kid, bytes | None):
        raise UnreadableMessageError("the kid is not bytes", "cose-kid")
    return SignedMessage(payload, kid, name, signature, protected)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure: an array of a context, the header, nothing, and the payload."""
    return b"\x84\x6aSignature1" + write_cbor(protected) + b"\x40" + write_cbor(payload)
