"""CBOR Web Tokens (RFC 8392): who says something, from when and until when."""

import math
from collections.abc import Mapping
from typing import Final

from tracetogether.cbor import read_cbor
from tracetogether.errors import UnreadableMessageError

ISSUER: Final = 1
AUDIENCE: Final = 3
EXPIRES: Final = 4
NOT_BEFORE: Final = 5
ISSUED: Final = 6
NUMBER: Final = 7
HCERT: Final = -260  # what the EU's certificates put their content under

OWN_PASS: Final = -1  # below HCERT: negative, so that no reader takes it for an EU certificate
OWN_TRUST_LIST: Final = -2
OWN_REVOCATIONS: Final = -3
OWN_WARNINGS: Final = -4
OWN_TRIPS: Final = -5
OWN_RECORDS: Final = -6
OWN_ANSWERS: Final = -7

_LATEST: Final = 253_402_300_800  # year 10000: dates of Python end there
_MOST_TEXT: Final = 200


def read_claims(payload: bytes, *, most_bytes: int) -> Mapping[object, object]:
    """Return the claims of a token, by label.

    Raises:
        UnreadableMessageError: the payload is not one map.
    """
    claims = read_cbor(payload, most_bytes=most_bytes)
    if not isinstance(claims, dict):
        raise UnreadableMessageError("the payload is no map of claims", "claims-form")
    return claims


def text_of(claims: Mapping[object, object], label: object) -> str:
    """Return a text claim; "" if it is missing.

    Raises:
        UnreadableMessageError: it is no text, or longer than 200 characters.
    """
    value = claims.get(label, "")
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise UnreadableMessageError(
            "the claim {label} is no short text", "claims-form", label=label
        )
    return value


def time_of(claims: Mapping[object, object], label: object) -> float | None:
    """Return a time as epoch seconds, None if it is missing. Some real certificates have floats.

    Raises:
        UnreadableMessageError: it is no number, or no time of the years 1970 to 9999.
    """
    value = claims.get(label)
    if value is None:
        return None
    if value.__class__ not in (int, float):
        raise UnreadableMessageError("the claim {label} is no time", "claims-form", label=label)
    assert isinstance(value, int | float)  # noqa: S101 - tells the type checker
    if not (0 <= value < _LATEST and math.isfinite(value)):
        raise UnreadableMessageError(
            "the claim {label} is out of range", "claims-form", label=label
        )
    return value


def needed_time_of(claims: Mapping[object, object], label: object) -> float:
    """Return a time as epoch seconds.

    Raises:
        UnreadableMessageError: it is missing or wrong.
    """
    value = time_of(claims, label)
    if value is None:
        raise UnreadableMessageError("the claim {label} is missing", "claims-form", label=label)
    return value


def map_of(claims: Mapping[object, object], *labels: object) -> Mapping[object, object] | None:
    """Return the map below ``labels``, one below the other; None if there is none."""
    inner: object = claims
    for label in labels:
        inner = inner.get(label) if isinstance(inner, dict) else None
    return inner if isinstance(inner, dict) else None
