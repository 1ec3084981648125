"""Find a person by telephone number, name or pseudonym, in rows that hold none of them in clear.

Each row keeps keyed digests (HMAC-SHA256) of what somebody may ask for. The key is the one of the
day that seals the row: once it is destroyed, nobody can try numbers against an old copy of the
table. A search therefore works out one digest for each day whose key exists, 25 at most.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tracetogether.authority.cases.followed import KeptContact, opened_person
from tracetogether.authority.cases.particulars import (
    NO_LANGUAGE,
    NameAndPhone,
    language_asked,
    opened_particulars,
)
from tracetogether.authority.contacts.lines import pseudonym
from tracetogether.crypto import hmac_sha256
from tracetogether.errors import KeyRingError
from tracetogether.keyring import KeyRing
from tracetogether.units import utc_day

_PURPOSE: Final = "person-index"
_DIGEST_BYTES: Final = 16
_COMPARED_DIGITS: Final = 8
_FEWEST_DIGITS: Final = 5
_SEVERAL: Final = re.compile(r"[,;/]|\bext\b|\bx\b", re.IGNORECASE)
_PSEUDONYM: Final = re.compile(r"[A-Z2-7]{5}-?[A-Z2-7]{5}")


def number_asked(text: str) -> str:
    """Return the digits by which telephone numbers are compared; "" if the text is no number.

    These are the last eight digits: ``+65 9123 4567``, ``0065-9123-4567`` and ``91234567`` are the
    same, whatever stands before. A number with fewer digits is compared as a whole, and one with
    fewer than five is none. Of several numbers in one text, the first counts.
    """
    first = next((part for part in _SEVERAL.split(text) if _digits(part)), "")
    if any(letter.isalpha() for letter in first):
        return ""
    digits = _digits(first)
    return digits[-_COMPARED_DIGITS:] if len(digits) >= _FEWEST_DIGITS else ""


def name_asked(text: str) -> str:
    """Return a name as names are compared: without case, accents, punctuation and order of words.

    A Chinese character is a word of its own, so spaces between them make no difference.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(letter for letter in plain if unicodedata.category(letter)[0] != "M")
    apart = re.sub(r"([\u3400-\u9fff])", r" \1 ", kept)
    return " ".join(sorted(re.findall(r"[^\W_]+", apart)))


def pseudonym_asked(text: str) -> str:
    """Return a pseudonym as lists write it; "" if the text can be none."""
    written = text.strip().upper()
    if not _PSEUDONYM.fullmatch(written):
        return ""
    return written if "-" in written else f"{written[:5]}-{written[5:]}"


def indexed(kept: KeptContact, keys: KeyRing, *, user_id: str | None = None) -> KeptContact:
    """Return a row with the digests of what it holds; blank ones if the key of the day is gone.

    Args:
        kept: the row.
        keys: the authority's keys.
        user_id: whose it is; opened if None.
    """
    user_id = opened_person(kept, keys) if user_id is None else user_id
    said = opened_particulars(kept, keys)
    by_name, by_phone = digests_for(said, kept.day, keys)
    named = "" if user_id is None else pseudonym(user_id, keys.naming_key)
    return replace(
        kept,
        by_pseudonym=_digest("pseudonym", named, kept.day, keys),
        by_name=by_name,
        by_phone=by_phone,
        by_language=_digest("language", said.language, kept.day, keys),
    )


def digests_for(said: NameAndPhone, day: int, keys: KeyRing) -> tuple[bytes, bytes]:
    """Return the digests of a name and a telephone number under a day's key; b"" for a blank."""
    return (
        _digest("name", name_asked(said.name), day, keys),
        _digest("phone", number_asked(said.phone), day, keys),
    )


def digests_of(text: str, now: float, keys: KeyRing) -> Mapping[str, list[bytes]]:
    """Return what to look for: field of a row -> its digest under the key of each day."""
    phone = number_asked(text)
    asked = {
        "by_phone": phone,
        "by_name": "" if phone else name_asked(text),
        "by_pseudonym": pseudonym_asked(text),
    }
    days = [day.day for day in keys.known_days(utc_day(now))]
    return {
        field: [_digest(field.removeprefix("by_"), said, day, keys) for day in days]
        for field, said in asked.items()
        if said
    }


def language_digests(code: str, now: float, keys: KeyRing) -> list[bytes]:
    """Return ``KeptContact.by_language`` of people with a language, one for each known day.

    Args:
        code: such as "ms"; "und" for people whose language is not stored.
        now: epoch seconds.
        keys: the authority's keys.

    Raises:
        InvalidRequestError: it is no code.
    """
    code = language_asked(code)
    if code == NO_LANGUAGE:
        return [b""]
    return [_digest("language", code, day.day, keys) for day in keys.known_days(utc_day(now))]


def _digest(kind: str, text: str, day: int, keys: KeyRing) -> bytes:
    if not text:
        return b""
    try:
        key = keys.day_key(_PURPOSE, day)
    except KeyRingError:
        return b""
    return hmac_sha256(key, f"{kind}:{text}".encode())[:_DIGEST_BYTES]


def _digits(text: str) -> str:
    """Return the digits of a text, those of other scripts too, as ASCII digits."""
    return "".join(str(unicodedata.decimal(letter)) for letter in text if letter.isdecimal())
