"""Batches of records between two authorities: sealed to the one, signed by the other.

A batch is a COSE_Sign1 message. Its claims name who sends it (1), to whom (3) and of which hour
(6); below -260 and -6 are the version, the kid of the key that it is sealed to, the records, sealed
by HPKE, and a name. Who packs the same hour once more, as after a restored backup, gives the same
name, so that the receiver counts the batch once. Answers are such messages too, not sealed, with
counts below -7.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.partners.records import MOST_BYTES, ForeignRecords, digest_of
from tracetogether.cbor import write_cbor
from tracetogether.crypto import OpeningKey, SigningKey, VerifyingKey, sha256
from tracetogether.errors import TrustError, UnreadableMessageError
from tracetogether.signed import cose
from tracetogether.signed.claims import (
    AUDIENCE,
    HCERT,
    ISSUED,
    ISSUER,
    OWN_ANSWERS,
    OWN_RECORDS,
    map_of,
    needed_time_of,
    read_claims,
    text_of,
)
from tracetogether.signed.trust import TrustedKey
from tracetogether.units import SECONDS_PER_HOUR

MOST_MESSAGE: Final = MOST_BYTES + 2_048
"""Bytes of the longest batch; a longer body is not read."""
_VERSION: Final = 1
_MOST_ANSWERED: Final = 1_000
_INFO: Final = "tracetogether/v1/records/{}/{}/{}"
_NAMED: Final = "tracetogether/v1/records-name/{}/"
NAME_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch whose signature holds; its records are still sealed.

    Attributes:
        sender, receiver: codes of the two authorities.
        hour: hours since 1970-01-01 in which the logs came that the records are of.
        kid: which key it is sealed to.
        sealed: the records.
        digest: 32 bytes; a batch that comes twice has the same one, and so has one that its sender
            packed twice under one name.
    """

    sender: str
    receiver: str
    hour: int
    kid: bytes
    sealed: bytes = field(repr=False)
    digest: bytes

    def open(self, key: OpeningKey) -> ForeignRecords:
        """Return the records.

        Raises:
            SealError: it is sealed to another key, or under other claims.
            UnreadableMessageError: what was sealed are no records.
        """
        info = _info(self.sender, self.receiver, self.hour)
        return ForeignRecords.read(key.open(self.sealed, info))


@dataclass(frozen=True, slots=True)
class RecordAnswers:
    """What became of a partner's records, by day and reason; counts cut to multiples of five.

    Attributes:
        sender, receiver: who answers, and whom.
        made_at: epoch seconds.
        counts: (UTC day, reason) -> count; the reason "accepted" for those that were taken.
    """

    sender: str
    receiver: str
    made_at: float
    counts: Mapping[tuple[int, str], int]

    def sign(self, key: SigningKey) -> bytes:
        """Return the message."""
        lines = [[day, reason, count] for (day, reason), count in sorted(self.counts.items())]
        payload = write_cbor(
            {
                ISSUER: self.sender,
                AUDIENCE: self.receiver,
                ISSUED: int(self.made_at),
                HCERT: {OWN_ANSWERS: {1: _VERSION, 2: lines}},
            }
        )
        return cose.sign(payload, key, key.public.kid)


def write_batch(
    records: ForeignRecords,
    *,
    sender: str,
    receiver: str,
    hour: int,
    to: VerifyingKey,
    by: SigningKey,
    name: bytes = b"",
) -> tuple[bytes, bytes]:
    """Return the digest of a batch and its message.

    Args:
        records: at most 5,000, shuffled.
        sender: code of the authority that sends it.
        receiver: code of the one that it is for.
        hour: of the logs, hours since 1970-01-01.
        to: the receiver's public key of today.
        by: the sender's key.
        name: 16 bytes that nobody else can foretell, the same whenever this batch is packed; b""
            for a batch that counts each time.
    """
    payload = write_cbor(
        {
            ISSUER: sender,
            AUDIENCE: receiver,
            ISSUED: hour * SECONDS_PER_HOUR,
            HCERT: {
                OWN_RECORDS: {
                    1: _VERSION,
                    2: to.kid,
                    3: to.seal(records.write(), _info(sender, receiver, hour)),
                    **({4: name} if name else {}),
                }
            },
        }
    )
    return _digest(payload, sender, name), cose.sign(payload, by, by.public.kid)


def read_message(data: bytes, keys: Iterable[TrustedKey]) -> SealedBatch | RecordAnswers:
    """Read a batch or answers that one of ``keys`` signed.

    Strangers cost little: a message of a kid that is not known is refused before its signature is
    computed, and nothing is opened here.

    Args:
        data: the message.
        keys: the rows of one partner that may sign records now.

    Raises:
        UnreadableMessageError: it is no such message.
        TrustError: none of the keys signed it, or it names another sender than the key's owner.
    """
    message = cose.read(data, most_bytes=MOST_MESSAGE)
    rows = [row for row in keys if row.kid == message.kid]
    signer = message.signed_by_any(row.key for row in rows)
    if signer is None:
        raise TrustError("no key of the partner signed this", "records-signature")
    claims = read_claims(message.payload, most_bytes=MOST_MESSAGE)
    sender, receiver = text_of(claims, ISSUER), text_of(claims, AUDIENCE)
    if any(row.organisation != sender for row in rows if row.key == signer):
        raise TrustError(
            "the message says that it is of another authority than its key", "records-origin"
        )
    made_at = needed_time_of(claims, ISSUED)
    batch, answers = map_of(claims, HCERT, OWN_RECORDS), map_of(claims, HCERT, OWN_ANSWERS)
    match (batch, answers):
        case (
            {1: version, 2: bytes() as kid, 3: bytes() as sealed, **rest},
            None,
        ) if version == _VERSION:
            hour, name = int(made_at) // SECONDS_PER_HOUR, rest.get(4, b"")
            if not isinstance(name, bytes) or len(name) not in (0, NAME_BYTES):
                raise UnreadableMessageError("the name of the batch is not 16 bytes", "batch-form")
            digest = _digest(message.payload, sender, name)
            return SealedBatch(sender, receiver, hour, kid, sealed, digest)
        case (None, {1: version, 2: list() as lines}) if version == _VERSION:
            return RecordAnswers(sender, receiver, made_at, _counts(lines))
        case _:
            raise UnreadableMessageError(
                "the message holds neither records nor answers of a known form", "batch-form"
            )


def _counts(lines: list[object]) -> Mapping[tuple[int, str], int]:
    counts: dict[tuple[int, str], int] = {}
    for line in lines[:_MOST_ANSWERED]:
        match line:
            case [int() as day, str() as reason, int() as count] if (
                0 <= day < 1 << 20 and 0 <= count < 1 << 31 and reason.isidentifier()
            ):
                counts[day, reason[:_LONGEST_REASON]] = count
            case _:
                raise UnreadableMessageError("a line of the answers is no count", "batch-form")
    return counts


_LONGEST_REASON: Final = 40


def _digest(payload: bytes, sender: str, name: bytes) -> bytes:
    """Return what a batch is known by; a name counts for its sender alone."""
    return sha256(_NAMED.format(sender).encode() + name) if name else digest_of(payload)


def _info(sender: str, receiver: str, hour: int) -> bytes:
    return _INFO.format(sender, receiver, hour).encode()
