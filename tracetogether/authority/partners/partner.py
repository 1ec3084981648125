"""One other authority: its keys, and what is recognised of them."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from tracetogether.crypto import VerifyingKey, sha256
from tracetogether.signed.trust import RECORDS, SEALED_RECORDS, TrustedKey

_GROUPS: Final = 8
_DIGITS: Final = 4


def fingerprint(organisation: str, keys: Iterable[VerifyingKey]) -> str:
    """Return what two people read to each other: eight groups of four hex digits.

    It is the start of SHA-256 over the organisation's code, a zero byte, and the keys in DER,
    sorted. For an authority with lists of its own it covers the key of the lists alone, which stays
    when the weekly keys change.
    """
    ordered = sorted({key.to_der() for key in keys})
    digest = sha256(b"\x00".join([organisation.encode(), *ordered])).hex()
    return " ".join(digest[at : at + _DIGITS] for at in range(0, _GROUPS * _DIGITS, _DIGITS))


@dataclass(frozen=True, slots=True)
class Partner:
    """Another authority, proposed by one operator and confirmed by another.

    Attributes:
        organisation: the issuer of its passes; its keys count for nobody else.
        keys: its keys as its file has them.
        list_key: the key that signs its lists; None if its keys came in a file without a signature.
        purposes: what is recognised of what its keys may sign.
        recognised_s: how old a pass of it may be, seconds; None takes the pass's own times.
        until: how long the partner is recognised, epoch seconds.
        proposed_by, proposed_at: who added it, and when.
        confirmed_by: who compared the fingerprint; "" while nobody did, and nothing counts.
        listed_until: until when its newest list holds; None for keys without a list.
        listed_at: when its newest list was made, epoch seconds.
        address: URL of its service, which records are sent to; "" where files are carried.
    """

    organisation: str
    keys: tuple[TrustedKey, ...]
    list_key: VerifyingKey | None
    purposes: frozenset[str]
    recognised_s: int | None
    until: float
    proposed_by: str
    proposed_at: float
    confirmed_by: str = ""
    listed_until: float | None = None
    listed_at: float = 0
    address: str = ""

    @property
    def granted(self) -> frozenset[str]:
        """The purposes, and with records also the keys that records are sealed to."""
        return granted(self.purposes)

    @property
    def fingerprint(self) -> str:
        """What its own people read out for comparison."""
        keys = [row.key for row in self.keys] if self.list_key is None else [self.list_key]
        return fingerprint(self.organisation, keys)

    def recognised(self, now: float) -> Iterator[TrustedKey]:
        """Yield the rows for our own trust list; none before the confirmation or after the end."""
        ends = min(self.until, self.until if self.listed_until is None else self.listed_until)
        if not self.confirmed_by or now >= ends:
            return
        for row in self.keys:
            purposes, until = row.purposes & self.granted, min(row.until_time, ends)
            if purposes and now < until and row.from_time < until:
                yield replace(
                    row, purposes=purposes, until_time=until, recognised_s=self.recognised_s
                )

    def to_json(self) -> dict[str, object]:
        """Return the partner as the store keeps it."""
        return {
            "organisation": self.organisation,
            "keys": [_key_out(row) for row in self.keys],
            "list_key": None if self.list_key is None else _text(self.list_key.to_der()),
            "purposes": sorted(self.purposes),
            "recognised_s": self.recognised_s,
            "until": self.until,
            "proposed_by": self.proposed_by,
            "proposed_at": self.proposed_at,
            "confirmed_by": self.confirmed_by,
            "listed_until": self.listed_until,
            "listed_at": self.listed_at,
            "address": self.address,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the partner that ``to_json`` wrote."""
        list_key = kept["list_key"]
        values = dict(kept) | {
            "keys": tuple(map(_key_in, kept["keys"])),
            "list_key": None if list_key is None else VerifyingKey.from_der(b64decode(list_key)),
            "purposes": frozenset(kept["purposes"]),
        }
        return cls(**values)


def granted(purposes: frozenset[str]) -> frozenset[str]:
    """Return which purposes of keys follow from those that operators choose for a partner."""
    return purposes | {SEALED_RECORDS} if RECORDS in purposes else purposes


def partners_out(partners: Iterable[Partner]) -> str:
    """Return partners as one text for the store."""
    return json.dumps([partner.to_json() for partner in partners])


def partners_in(text: str | None) -> list[Partner]:
    """Return the partners that ``partners_out`` wrote; none of None."""
    return [] if text is None else [Partner.from_json(kept) for kept in json.loads(text)]


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _key_out(row: TrustedKey) -> dict[str, object]:
    return {
        "kid": None if row.kid is None else row.kid.hex(),
        "key": _text(row.key.to_der()),
        "organisation": row.organisation,
        "region": row.region,
        "purposes": sorted(row.purposes),
        "from_time": row.from_time,
        "until_time": row.until_time,
    }


def _key_in(kept: Mapping[str, Any]) -> TrustedKey:
    values = dict(kept) | {
        "kid": None if kept["kid"] is None else bytes.fromhex(kept["kid"]),
        "key": VerifyingKey.from_der(b64decode(kept["key"])),
        "purposes": frozenset(kept["purposes"]),
    }
    return TrustedKey(**values)
