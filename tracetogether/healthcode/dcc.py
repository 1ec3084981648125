"""EU Digital COVID Certificates (schema 1.3.0): vaccination, test and recovery.

Only what a verdict needs is taken out. Names and dates of birth are checked for their form and
dropped.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final

from tracetogether.cbor import TAG_DATE, Tagged
from tracetogether.crypto import sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.passclaim import PassClaim
from tracetogether.signed.claims import (
    EXPIRES,
    HCERT,
    ISSUED,
    ISSUER,
    needed_time_of,
    text_of,
)
from tracetogether.signed.trust import DCC_RECOVERY, DCC_TEST, DCC_VACCINATION
from tracetogether.units import SECONDS_PER_DAY

_CONTENT: Final = 1  # below the claim HCERT
MARK_BYTES: Final = 16  # of a digest, in the EU's revocation lists
_KINDS: Final = MappingProxyType({"v": DCC_VACCINATION, "t": DCC_TEST, "r": DCC_RECOVERY})
_TEXTS: Final = MappingProxyType(
    {
        "v": ("tg", "vp", "mp", "ma", "dt", "co", "is", "ci"),
        "t": ("tg", "tt", "tr", "co", "is", "ci"),
        "r": ("tg", "fr", "co", "is", "df", "du", "ci"),
    }
)
_COUNTRY: Final = re.compile("[A-Z]{2}")
_ISO_OF_EU: Final = MappingProxyType({"EL": "GR", "UK": "GB"})  # the EU's own codes
_DETECTED: Final = "260373001"  # SNOMED CT: the test found the virus


def read_dcc(claims: Mapping[object, object], signature_start: bytes) -> PassClaim | None:
    """Return what an EU certificate claims; None if the claims are of something else.

    Args:
        claims: of the CBOR Web Token.
        signature_start: the bytes of the signature that the EU's revocation lists digest.

    Raises:
        UnreadableMessageError: it does not follow its schema ("dcc-form").
    """
    outer = claims.get(HCERT)
    if not isinstance(outer, dict) or _CONTENT not in outer:
        return None
    content = outer[_CONTENT]
    if not isinstance(content, dict):
        raise _form("its content is no map")
    _expect_person(content)
    found = [letter for letter in _KINDS if content.get(letter)]
    if len(found) != 1:
        raise _form("it holds not exactly one of vaccination, test and recovery")
    letter = found[0]
    entries = content[letter]
    if not isinstance(entries, list):
        raise _form("its entries are no list")
    in_force = None  # earlier versions of the schema allow several entries: the last one counts
    for entry in entries:
        in_force = _expect_entry(letter, entry)
    issuer = text_of(claims, ISSUER)
    return PassClaim(
        kind=_KINDS[letter],
        issuer=iso_country(issuer),
        not_before=needed_time_of(claims, ISSUED),
        expires=needed_time_of(claims, EXPIRES),
        marks=tuple(
            mark
            for entry in entries
            for mark in revocation_marks(entry["ci"], issuer or entry["co"], signature_start)
        ),
        in_force=in_force,
        fault="test-positive" if any(entry.get("tr") == _DETECTED for entry in entries) else None,
    )


def iso_country(issuer: str) -> str:
    """Return the country that an issuer's text names; "" if it is no country's code.

    France's certificates name an office there. Such a text claims to be no other country, so the
    country of the key counts.
    """
    code = issuer.strip().upper()
    return _ISO_OF_EU.get(code, code) if _COUNTRY.fullmatch(code) else ""


def revocation_marks(
    identifier: str, country: str, signature_start: bytes
) -> tuple[bytes, bytes, bytes]:
    """Return the three digests by which the EU's lists name a revoked certificate, 16 bytes each.

    Args:
        identifier: the certificate's unique identifier (ci).
        country: the issuing country.
        signature_start: the first half of an ES256 signature, the whole of a PS256 one.

    Source: EU DCC revocation, batches of types UCI, COUNTRYCODEUCI and SIGNATURE.
    """
    return (
        sha256(identifier.encode())[:MARK_BYTES],
        sha256((country + identifier).encode())[:MARK_BYTES],
        sha256(signature_start)[:MARK_BYTES],
    )


def _expect_person(content: Mapping[object, object]) -> None:
    name = content.get("nam")
    if not isinstance(name, dict) or not isinstance(name.get("fnt"), str):
        raise _form("the name is missing")
    if not isinstance(content.get("ver"), str) or not isinstance(content.get("dob"), str):
        raise _form("the version or the date of birth is missing")


def _expect_entry(letter: str, entry: object) -> tuple[float, float] | None:
    """Check the texts, dates and counts of an entry; return when a recovery is in force.

    Raises:
        UnreadableMessageError: one is missing or of another form.
    """
    if not isinstance(entry, dict):
        raise _form("an entry is no map")
    for name in _TEXTS[letter]:
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise _form(f"{name} is missing, or no text")
    if letter == "v":
        _day(entry["dt"])
        doses = entry.get("dn"), entry.get("sd")
        if not all(type(count) is int and 1 <= count <= 99 for count in doses):
            raise _form("the doses are no numbers")
    elif letter == "t":
        sampled = entry.get("sc")
        if isinstance(sampled, Tagged) and sampled.tag == TAG_DATE:
            sampled = sampled.value  # four of 556 real certificates have the tag
        try:
            datetime.fromisoformat(str(sampled))
        except ValueError:
            raise _form("the time of the sample is no time") from None
    else:
        _day(entry["fr"])
        return _day(entry["df"]), _day(entry["du"]) + SECONDS_PER_DAY
    return None


def _day(text: object) -> float:
    """Return when a date begins, in UTC. Some certificates write a time behind the date.

    Raises:
        UnreadableMessageError: it is no date.
    """
    try:
        day = date.fromisoformat(str(text)[:10])
    except ValueError:
        raise _form("a date is no date") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _form(what: str) -> UnreadableMessageError:
    return UnreadableMessageError(f"an EU certificate against its schema: {what}", "dcc-form")
