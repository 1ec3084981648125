"""Warnings as everybody downloads them: one signed package, the same bytes for every phone.

A package holds what was published in one hour, or in several hours that end with it. A phone that
asks for it tells nobody where it was: it looks for its own places alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tracetogether.cbor import read_cbor, write_cbor
from tracetogether.crypto import SigningKey, sha256
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.presence.sealed import COLUMNS_BYTES, ID_BYTES, SealedVisit, shuffled
from tracetogether.signed import cose
from tracetogether.signed.claims import (
    HCERT,
    ISSUED,
    ISSUER,
    OWN_WARNINGS,
    map_of,
    needed_time_of,
    read_claims,
    text_of,
)
from tracetogether.signed.trust import WARNINGS, TrustList
from tracetogether.units import SECONDS_PER_HOUR

MOST_PACKAGE_BYTES: Final = 64_000_000
MOST_HOURS: Final = 336  # 14 days
_VERSION: Final = 1
_HOUR, _HOURS, _REGION, _VISITS, _HEARD = range(2, 7)


@dataclass(frozen=True, slots=True)
class WarningPackage:
    """The warnings of one region that were published within some hours.

    Attributes:
        hour: number of the last hour since 1970 (epoch seconds / 3600) that it covers.
        region: which region, such as "SG"; "" for the whole country.
        visits: sealed visits of cases, and fakes; in an order that says nothing.
        heard: SHA-256 of TempIDs (see ``heard_digest``) that a warned place showed; sorted.
        hours: how many hours it covers, of which ``hour`` is the last.
        organisation: who warns, as the trust list names it.
        issued: when it was made, epoch seconds; 0 takes the end of the hour.
    """

    hour: int
    region: str = ""
    visits: tuple[SealedVisit, ...] = field(default=(), repr=False)
    heard: tuple[bytes, ...] = field(default=(), repr=False)
    hours: int = 1
    organisation: str = ""
    issued: int = 0

    @property
    def since(self) -> int:
        """Number of the first hour that it covers."""
        return self.hour - self.hours + 1


def heard_digest(token: str) -> bytes:
    """Return what a warned place publishes of a TempID that it showed, 32 bytes.

    Args:
        token: the TempID as contact logs hold it, in Base64.
    """
    return sha256(token.encode())


def write_package(package: WarningPackage, key: SigningKey, kid: bytes) -> bytes:
    """Return a package as a signed message (COSE_Sign1).

    A signature is another one each time: keep what this returns, and give it to everybody.

    Args:
        package: the warnings; their order does not matter. Its organisation must not be empty.
        key: the authority's key with the purpose "warnings".
        kid: the key's name in the trust list.
    """
    content = {
        1: _VERSION,
        _HOUR: package.hour,
        _HOURS: package.hours,
        _REGION: package.region,
        _VISITS: b"".join(visit.to_columns() for visit in shuffled(package.visits)),
        _HEARD: b"".join(sorted(set(package.heard))),
    }
    issued = package.issued or (package.hour + 1) * SECONDS_PER_HOUR
    claims = {ISSUER: package.organisation, ISSUED: issued, HCERT: {OWN_WARNINGS: content}}
    return cose.sign(write_cbor(claims), key, kid)


def read_package(data: bytes, trust: TrustList) -> WarningPackage:
    """Read a package of warnings.

    Args:
        data: what was downloaded.
        trust: who may warn: the purpose "warnings".

    Raises:
        UnreadableMessageError: it is no package, or of another version.
        TrustError: nobody signed it who may warn, or in another organisation's name.
    """
    claims, organisation = read_signed_warnings(data, trust)
    content = map_of(claims, HCERT, OWN_WARNINGS)
    if content is None or content.get(1) != _VERSION:
        raise UnreadableMessageError("this is no package of warnings", "package-form")
    hour, hours = content.get(_HOUR), content.get(_HOURS)
    visits, heard = content.get(_VISITS), content.get(_HEARD)
    if not (
        isinstance(hour, int)
        and isinstance(hours, int)
        and 0 < hours <= MOST_HOURS
        and hour > 0
        and isinstance(visits, bytes)
        and isinstance(heard, bytes)
        and not len(visits) % COLUMNS_BYTES
        and not len(heard) % ID_BYTES
    ):
        raise UnreadableMessageError("a package of warnings lacks a value", "package-form")
    return WarningPackage(
        hour=hour,
        region=text_of(content, _REGION),
        visits=tuple(map(SealedVisit.from_columns, cut(visits, COLUMNS_BYTES))),
        heard=tuple(cut(heard, ID_BYTES)),
        hours=hours,
        organisation=organisation,
        issued=int(needed_time_of(claims, ISSUED)),
    )


def write_bundle(packages: Iterable[bytes]) -> bytes:
    """Return several packages as one download: a CBOR array of the signed messages as they are."""
    return write_cbor(list(packages))


def read_bundle(data: bytes) -> list[bytes]:
    """Return the signed messages of a download; each is to be read by ``read_package``.

    Raises:
        UnreadableMessageError: it is no array of messages.
    """
    found = read_cbor(data, most_bytes=MOST_PACKAGE_BYTES)
    if not isinstance(found, list):
        raise UnreadableMessageError("this is no bundle of warnings", "package-form")
    parts = [part for part in found if isinstance(part, bytes)]
    if len(parts) != len(found):
        raise UnreadableMessageError("a bundle of warnings holds something else", "package-form")
    return parts


def read_signed_warnings(data: bytes, trust: TrustList) -> tuple[dict[object, object], str]:
    """Return the claims of a signed message of warnings, and who warns.

    Raises:
        UnreadableMessageError: it is no signed message.
        TrustError: nobody signed it who may warn at its time, or in another organisation's name.
    """
    message = cose.read(data, most_bytes=MOST_PACKAGE_BYTES)
    claims = read_claims(message.payload, most_bytes=MOST_PACKAGE_BYTES)
    issued, organisation = needed_time_of(claims, ISSUED), text_of(claims, ISSUER)
    fitting = [
        row
        for row in trust.of_kid(message.kid)
        if WARNINGS in row.purposes
        and row.believed_at(issued)
        and row.organisation in {"", organisation}
    ]
    if message.signed_by_any(row.key for row in fitting) is None:
        raise TrustError(
            "nobody signed these warnings whom the trust list allows to warn", "warnings-signature"
        )
    return dict(claims), organisation


def cut(joined: bytes, size: int) -> Iterable[bytes]:
    """Return parts of ``size`` bytes each."""
    return (joined[at : at + size] for at in range(0, len(joined), size))


def hour_of(now: float) -> int:
    """Return the number of the hour that holds ``now`` (epoch seconds)."""
    return int(now // SECONDS_PER_HOUR)
