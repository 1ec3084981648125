"""Posters of the NHS (signed) and of NZ COVID Tracer (not signed): read, never made.

Their places have numbers that can be guessed, so a warning of such a place is readable by anybody
who tries all numbers. The NHS's signature keeps others from making posters in a venue's name; who
reads a poster of New Zealand believes what it says.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from tracetogether.crypto import ES256, sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.presence.posters import (
    MOST_CHARACTERS,
    NHS,
    NZ,
    Poster,
    check_texts,
    read_poster,
)
from tracetogether.signed.trust import POSTERS, TrustList

NHS_PREFIX: Final = "UKC19TRACING:"
NZ_PREFIX: Final = "NZCOVIDTRACER:"
_NHS_DOMAIN: Final = b"tracetogether/v1/place/nhs/"
_NZ_DOMAIN: Final = b"tracetogether/v1/place/nz/"
_NHS_FORM: Final = re.compile(
    r"UKC19TRACING:[1-9][0-9]{0,3}:([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII
)
_NHS_ID: Final = re.compile(r"[A-Z0-9]{4,16}")
_GLN: Final = re.compile(r"[0-9]{13}")
_NZ_VERSION: Final = "c19:1"
_NO_KEYS: Final = TrustList([])
_Fault = Callable[[str], UnreadableMessageError]


def read_any_poster(text: str, keys: TrustList = _NO_KEYS) -> Poster:
    """Return the poster of a QR code's text, of any maker.

    Args:
        text: what the code holds.
        keys: who may sign posters of the NHS: the purpose "posters". Without its key such a
            poster is refused.

    Raises:
        UnreadableMessageError: it is no poster, or breaks a rule; the code says which one. Those
            of signed posters are "poster-nhs-form" and "poster-signature"; the one of New
            Zealand's is "poster-nz-form".
    """
    bare = text.strip()
    if len(bare) > MOST_CHARACTERS:
        raise UnreadableMessageError("the text is longer than a QR code", "poster-too-long")
    if bare.startswith(NHS_PREFIX):
        return _nhs_poster(bare, keys)
    if bare.startswith(NZ_PREFIX):
        return _nz_poster(bare)
    return read_poster(bare)


def can_be_reported(text: str) -> bool:
    """Return whether a case may report a visit by this poster, given as its code's text.

    Places of the NHS and of New Zealand have numbers that anybody can try: a sealed visit would
    hide nothing. So the authority refuses them.
    """
    return not text.strip().startswith((NHS_PREFIX, NZ_PREFIX))


def _nhs_poster(text: str, keys: TrustList) -> Poster:
    """Return a poster of the NHS: a JWS (RFC 7515) signed by ES256, with a key's name."""
    found = _NHS_FORM.fullmatch(text)
    if found is None:
        raise _nhs_fault("it has another form")
    header, content = _json_of(found[1], _nhs_fault), _json_of(found[2], _nhs_fault)
    kid = header.get("kid")
    if header.get("alg") != ES256 or not isinstance(kid, str):
        raise UnreadableMessageError("a poster of the NHS that is not signed", "poster-signature")
    signature, signed = _bytes_of(found[3], _nhs_fault), f"{found[1]}.{found[2]}".encode()
    fitting = [row.key for row in keys.of_kid(kid.encode()) if POSTERS in row.purposes]
    if not any(key.algorithm == ES256 and key.verify(signature, signed) for key in fitting):
        raise UnreadableMessageError(
            "a poster of the NHS that none of the given keys signed", "poster-signature"
        )
    number = content.get("id")
    if not isinstance(number, str) or not _NHS_ID.fullmatch(number):
        raise _nhs_fault("its place has no number")
    lines = [_text(content, name, _nhs_fault) for name in ("adr", "pc")]
    address = ", ".join(line for line in lines if line)
    place = sha256(_NHS_DOMAIN + number.encode())
    return _poster(_text(content, "opn", _nhs_fault), address, place, NHS, text)


def _nz_poster(text: str) -> Poster:
    """Return a poster of NZ COVID Tracer: JSON in Base64, with a place's Global Location Number."""
    content = _json_of(text.removeprefix(NZ_PREFIX), _nz_fault)
    number = content.get("gln")
    if content.get("ver") != _NZ_VERSION or content.get("typ") != "entry":
        raise _nz_fault("its version or type is another one")
    if not isinstance(number, str) or not _GLN.fullmatch(number):
        raise _nz_fault("its place has no number of 13 digits")
    names = _text(content, "opn", _nz_fault), _text(content, "adr", _nz_fault)
    return _poster(*names, sha256(_NZ_DOMAIN + number.encode()), NZ, text)


def _poster(name: str, address: str, place: bytes, form: str, text: str) -> Poster:
    check_texts(name, address)
    return Poster(name, address, place, form, text=text)


def _nhs_fault(what: str) -> UnreadableMessageError:
    return UnreadableMessageError(
        "a poster of the NHS against its rules: {what}", "poster-nhs-form", what=what
    )


def _nz_fault(what: str) -> UnreadableMessageError:
    return UnreadableMessageError(
        "a poster of NZ COVID Tracer against its rules: {what}", "poster-nz-form", what=what
    )


def _json_of(text: str, fault: _Fault) -> Mapping[str, object]:
    try:
        value = json.loads(_bytes_of(text, fault))
    except (ValueError, RecursionError):
        raise fault("it holds no JSON") from None
    if not isinstance(value, dict):
        raise fault("its JSON is no object")
    return value


def _bytes_of(text: str, fault: _Fault) -> bytes:
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise fault("it holds no Base64") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != bare.encode():
        raise fault("its Base64 has bits left over")
    return data


def _text(content: Mapping[str, object], name: str, fault: _Fault) -> str:
    value = content.get(name, "")
    if not isinstance(value, str):
        raise fault(f"its {name} is no text")
    return ", ".join(value.splitlines())
