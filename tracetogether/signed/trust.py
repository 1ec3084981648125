"""Trust lists: which key may sign what, for whom, and until when.

A key is named by its kid, which is short and may name several keys: all of them are tried. A key
signs for its own organisation only, and only what its purposes allow. A list is a signed message
itself; ``TrustList.read`` with the key of the authority that the gate knows accepts no other list.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.signed import cose
from tracetogether.signed.claims import (
    EXPIRES,
    HCERT,
    ISSUED,
    ISSUER,
    OWN_TRUST_LIST,
    map_of,
    needed_time_of,
    read_claims,
    text_of,
)

PASS: Final = "pass"  # noqa: S105 - our own passes
DCC_TEST: Final = "dcc-test"  # these three: EU certificates
DCC_VACCINATION: Final = "dcc-vaccination"
DCC_RECOVERY: Final = "dcc-recovery"
NZ_PASS: Final = "nz-pass"  # noqa: S105 - New Zealand's
TRUST: Final = "trust"  # trust lists
REVOCATIONS: Final = "revocations"  # lists of revoked passes
WARNINGS: Final = "warnings"
RECORDS: Final = "records"  # what is handed to another authority, and its answers
SEALED_RECORDS: Final = "records-sealed"  # signs nothing: records are sealed to this key
POSTERS: Final = "posters"  # signed posters of venues, as the NHS's
PURPOSES: Final = frozenset(
    (
        PASS, DCC_TEST, DCC_VACCINATION, DCC_RECOVERY, NZ_PASS,
        TRUST, REVOCATIONS, WARNINGS, RECORDS, SEALED_RECORDS, POSTERS,
    )
)  # fmt: skip

MOST_BYTES: Final = 1 << 20  # a list of all EU signers of 2022 has about 0.4 MiB
_MOST_MESSAGE: Final = MOST_BYTES + 512
_VERSION: Final = 1
_KID, _KEY, _ORGANISATION, _REGION, _PURPOSES, _FROM, _UNTIL, _RECOGNISED = range(1, 9)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One row of a trust list.

    Attributes:
        kid: the key's name in messages; None fits any name (a key file without one).
        key: the public key.
        organisation: the only issuer that it signs for; "" where a file of keys names none.
        region: where it belongs, such as "SG"; for people only.
        purposes: what it may sign, of ``PURPOSES``.
        from_time: from when it is believed, epoch seconds.
        until_time: until when, epoch seconds.
        recognised_s: how old a pass of it may be, in seconds; None takes the pass's own times.
    """

    kid: bytes | None
    key: VerifyingKey
    organisation: str
    region: str
    purposes: frozenset[str]
    from_time: float
    until_time: float
    recognised_s: int | None = None

    def believed_at(self, now: float) -> bool:
        """Return whether the key is believed at ``now`` (epoch seconds)."""
        return self.from_time <= now < self.until_time

    def __post_init__(self) -> None:
        unknown = self.purposes - PURPOSES
        if unknown:
            raise TrustError(f"there is no purpose {min(unknown)!r}", "trust-purpose")
        if not self.from_time < self.until_time:
            raise TrustError("a trusted key ends before it begins", "trust-times")
        if self.recognised_s is not None and self.recognised_s <= 0:
            raise TrustError("passes are recognised for no time", "trust-times")


class TrustList:
    """Trusted keys of one authority's list.

    Args:
        keys: the rows.
        organisation: whose list it is; "" for keys out of files.
        issued: when it was made, epoch seconds.
        expires: until when it holds, epoch seconds.
        signer: the key that signed it as it was read; None for keys out of files.
    """

    __slots__ = ("_by_kid", "expires", "issued", "keys", "organisation", "signer")

    def __init__(
        self,
        keys: Iterable[TrustedKey],
        *,
        organisation: str = "",
        issued: float = 0,
        expires: float = float("inf"),
        signer: VerifyingKey | None = None,
    ) -> None:
        self.signer = signer
        self.keys = tuple(keys)
        self.organisation = organisation
        self.issued = issued
        self.expires = expires
        by_kid: defaultdict[bytes | None, list[TrustedKey]] = defaultdict(list)
        for row in self.keys:
            by_kid[row.kid].append(row)
        self._by_kid: Mapping[bytes | None, list[TrustedKey]] = dict(by_kid)

    def __repr__(self) -> str:
        return f"TrustList({self.organisation!r}, {len(self.keys)} keys)"

    def of_kid(self, kid: bytes | None) -> list[TrustedKey]:
        """Return all keys of this name, and those whose name is not known."""
        named = [] if kid is None else self._by_kid.get(kid, [])
        return named + self._by_kid.get(None, [])

    def joined_with(self, other: "TrustList") -> "TrustList":
        """Return a list with the keys of both, which holds while both hold."""
        return TrustList(
            self.keys + other.keys,
            organisation=self.organisation or other.organisation,
            issued=max(self.issued, other.issued),
            expires=min(self.expires, other.expires),
        )

    def sign(self, key: SigningKey) -> bytes:
        """Return the list as a signed message, with the key's own kid.

        Raises:
            TrustError: the list has no organisation or no times, a row has no kid or no
                organisation, or the list is too long.
        """
        if not self.organisation or not 0 < self.issued < self.expires < float("inf"):
            raise TrustError("a list needs an organisation, a date and an end", "trust-form")
        payload = write_cbor(
            {
                ISSUER: self.organisation,
                ISSUED: int(self.issued),
                EXPIRES: int(self.expires),
                HCERT: {OWN_TRUST_LIST: {1: _VERSION, 2: [_row_out(row) for row in self.keys]}},
            }
        )
        if len(payload) > MOST_BYTES:
            raise TrustError(f"a list of {len(payload)} bytes; at most {MOST_BYTES}", "trust-form")
        return cose.sign(payload, key, key.public.kid)

    @classmethod
    def read(cls, data: bytes, key: VerifyingKey | None = None) -> Self:
        """Read a signed list. Its times are not compared with now.

        Args:
            data: the signed message.
            key: the key that must have signed it. None: a key of the list with the purpose
                "trust" must have, which shows that the list is whole, not whose it is.

        Raises:
            UnreadableMessageError: it is no such message.
            TrustError: it is signed by another key.
        """
        message = cose.read(data, most_bytes=_MOST_MESSAGE)
        claims = read_claims(message.payload, most_bytes=MOST_BYTES)
        content = map_of(claims, HCERT, OWN_TRUST_LIST)
        rows = None if content is None else content.get(2)
        if content is None or not isinstance(rows, list):
            raise UnreadableMessageError("the message is no trust list", "trust-form")
        if content.get(1) != _VERSION:
            raise UnreadableMessageError(
                "a trust list of a version that is not known here", "trust-version"
            )
        found = cls(
            map(_row_in, rows),
            organisation=text_of(claims, ISSUER),
            issued=needed_time_of(claims, ISSUED),
            expires=needed_time_of(claims, EXPIRES),
        )
        own = [row.key for row in found.of_kid(message.kid) if TRUST in row.purposes]
        found.signer = message.signed_by_any(own if key is None else [key])
        if found.signer is None:
            raise TrustError("the trust list is not signed by the key expected", "trust-signature")
        return found


def _row_out(row: TrustedKey) -> Mapping[int, object]:
    if row.kid is None or not row.organisation:
        raise TrustError("a row of a list needs a kid and an organisation", "trust-form")
    written = {
        _KID: row.kid,
        _KEY: row.key.to_der(),
        _ORGANISATION: row.organisation,
        _REGION: row.region,
        _PURPOSES: sorted(row.purposes),
        _FROM: int(row.from_time),
        _UNTIL: int(row.until_time),
    }
    return written if row.recognised_s is None else written | {_RECOGNISED: row.recognised_s}


def _row_in(written: object) -> TrustedKey:
    row: Mapping[object, object] = written if isinstance(written, dict) else {}
    kid, key, purposes = row.get(_KID), row.get(_KEY), row.get(_PURPOSES)
    recognised, organisation = row.get(_RECOGNISED), text_of(row, _ORGANISATION)
    if not (
        isinstance(kid, bytes)
        and isinstance(key, bytes)
        and isinstance(purposes, list)
        and organisation
        and isinstance(recognised, int | None)
    ):
        raise UnreadableMessageError("a row of the trust list lacks a value", "trust-form")
    return TrustedKey(
        kid=kid,
        key=VerifyingKey.from_der(key),
        organisation=organisation,
        region=text_of(row, _REGION),
        # purposes of later versions are none of ours: a row never fails for them
        purposes=PURPOSES.intersection(text for text in purposes if isinstance(text, str)),
        from_time=needed_time_of(row, _FROM),
        until_time=needed_time_of(row, _UNTIL),
        recognised_s=recognised,
    )
