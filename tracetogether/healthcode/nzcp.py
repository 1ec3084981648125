"""NZ COVID Passes (specification 1.0): ``NZCP:/1/`` and Base32 of a signed CBOR Web Token."""

import base64
import binascii
from typing import Final

from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.passclaim import PassClaim
from tracetogether.signed import cose
from tracetogether.signed.claims import (
    EXPIRES,
    ISSUER,
    NOT_BEFORE,
    NUMBER,
    map_of,
    needed_time_of,
    read_claims,
    text_of,
)
from tracetogether.signed.cose import SignedMessage
from tracetogether.signed.hcert import MOST_BYTES, MOST_CHARACTERS
from tracetogether.signed.trust import NZ_PASS

PREFIX: Final = "NZCP:/"
_VERSION: Final = "1/"
_DID: Final = "did:web:"
_UUID_BYTES: Final = 16
_CONTEXT: Final = "https://www.w3.org/2018/credentials/v1"
_TYPES: Final = ("VerifiableCredential", "PublicCovidPass")


def read_nzcp(text: str) -> tuple[SignedMessage, PassClaim]:
    """Return the message in the text of a NZ COVID Pass, and what it claims.

    Raises:
        UnreadableMessageError: it breaks a rule of its format; the code begins with "nzcp-", or is
            one of CBOR and COSE.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnreadableMessageError("the text is longer than a QR code", "text-too-long")
    rest = text.removeprefix(PREFIX)
    if not rest.startswith(_VERSION):
        raise UnreadableMessageError("a NZ COVID Pass of an unknown version", "nzcp-version")
    message = cose.read(_base32(rest.removeprefix(_VERSION)))
    claims = read_claims(message.payload, most_bytes=MOST_BYTES)
    issuer, number = text_of(claims, ISSUER), claims.get(NUMBER)
    if not issuer.startswith(_DID):
        raise _form("its issuer is no did:web")
    if not isinstance(number, bytes) or len(number) != _UUID_BYTES:
        raise _form("its number is no UUID of 16 bytes")
    credential = map_of(claims, "vc")
    if credential is None:
        raise _form("it holds no credential")
    contexts, kinds = credential.get("@context"), credential.get("type")
    if not isinstance(contexts, list) or contexts[:1] != [_CONTEXT]:
        raise _form("its context is another one")
    if not isinstance(kinds, list) or any(kind not in kinds for kind in _TYPES):
        raise _form("it is another credential than a public COVID pass")
    subject = map_of(credential, "credentialSubject")
    if subject is None or not all(
        isinstance(subject.get(name), str) for name in ("givenName", "dob")
    ):
        raise _form("its subject is incomplete")
    return message, PassClaim(
        kind=NZ_PASS,
        issuer=issuer,
        not_before=needed_time_of(claims, NOT_BEFORE),
        expires=needed_time_of(claims, EXPIRES),
        marks=(number,),
    )


def _base32(text: str) -> bytes:
    """Return the bytes of a Base32 text without padding (RFC 4648).

    Raises:
        UnreadableMessageError: it is none, or has bits left over.
    """
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise UnreadableMessageError("the text is no Base32", "nzcp-base32") from None
    if base64.b32encode(data).rstrip(b"=") != text.encode():
        raise UnreadableMessageError("the Base32 has bits left over", "nzcp-base32")
    return data


def _form(what: str) -> UnreadableMessageError:
    return UnreadableMessageError(f"a NZ COVID Pass against its rules: {what}", "nzcp-form")
