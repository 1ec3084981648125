"""What comes from partners: records of our people, kept as the log of a case that is not ours.

A batch is judged like any log: its TempIDs are opened at the records' times, and the contacts found
in them go through our own policy and desk. The case that holds them names the partner and a day,
and nobody: no uploader, no case and no place is in a batch.
"""

import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.access.limits import Limit, Limits
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case, new_id
from tracetogether.authority.handover.rows import AnswerCount, TakenBatch
from tracetogether.authority.handover.store import HandingStore
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.authority.intake.opening import OpenedRecords, open_logs
from tracetogether.authority.intake.uploads import sealed_upload
from tracetogether.authority.partners.batches import RecordAnswers, SealedBatch, read_message
from tracetogether.authority.partners.recognition import Partners
from tracetogether.authority.partners.record_keys import RecordKeys
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.bluetrace.tempid import ACCEPTED, REJECTIONS, TempIDIssuer, new_user_id
from tracetogether.errors import (
    InvalidRequestError,
    RateLimitedError,
    SealError,
    TrustError,
    UnreadableMessageError,
)
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import (
    BATCHES_KNOWN_S,
    BATCHES_OF_PARTNER_A_DAY,
    RECORDS_ANSWER_STEP,
    REFUSED_RECORDS_AN_HOUR,
    RETENTION,
    UPLOAD_CLOCK_AHEAD_S,
)
from tracetogether.rejection import Rejection
from tracetogether.signed.trust import RECORDS, TrustedKey
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Entropy, utc_day

BATCHES_OF_PARTNER: Final = Limit("partner-batches", BATCHES_OF_PARTNER_A_DAY, SECONDS_PER_DAY)
REFUSED_RECORDS: Final = Limit(
    "partner-refused", REFUSED_RECORDS_AN_HOUR, SECONDS_PER_HOUR, by_source=True
)
TAKEN: Final = "accepted"
_OFFSETS: Final = "records-answers"
_UNTOLD: Final = frozenset({Rejection.WITHDRAWN, Rejection.QUARANTINED})
"""Reasons that say something about a person, or about our keys: answered as accepted."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message from a partner.

    Attributes:
        organisation: who sent it.
        records: how many records it had; 0 for answers.
        accepted: how many of them were of our people. The partner does not learn it.
        already: whether it came before; then nothing changed.
        answers: how many counts it had, if it is an answer.
    """

    organisation: str
    records: int = 0
    accepted: int = 0
    already: bool = False
    answers: int = 0


@dataclass(frozen=True, slots=True)
class RecordTaking:
    """Takes batches and answers from partners, and answers them.

    Args:
        keys: the authority's keys.
        organisation: our own code.
        partners: from whom records are taken.
        issuer: opens TempIDs.
        store: keeps what came.
        audit: records each batch, and each refused one with a good signature.
        limits: counts batches of partners, and refused messages of strangers.
        days: of the authority's zone.
        entropy: for ids and keys.
        quota: how many batches a partner may send.
    """

    keys: KeyRing
    organisation: str
    partners: Partners
    issuer: TempIDIssuer
    store: HandingStore
    audit: Audit
    limits: Limits
    days: LocalDays = UTC_DAYS
    entropy: Entropy = os.urandom
    quota: Limit = BATCHES_OF_PARTNER

    def check_address(self, address: str, now: float) -> None:
        """Return if not too many messages from an address were refused, before a body is read.

        Raises:
            RateLimitedError: too many.
        """
        if self.limits.count(REFUSED_RECORDS, address, now) >= REFUSED_RECORDS.at_most:
            raise RateLimitedError(REFUSED_RECORDS.per_s - int(now) % REFUSED_RECORDS.per_s)

    def from_partner(
        self, organisation: str, data: bytes, now: float, *, address: str = ""
    ) -> Taken:
        """Take a message that came over the network; its signature says who sent it.

        Args:
            organisation: the partner that is said to send it.
            data: the message.
            now: epoch seconds.
            address: where it comes from; refused messages of strangers are counted by it.

        Raises:
            TrustError: none of the partner's keys signed it, or it names another origin. There is
                one answer for all, also for an authority that is no partner.
            InvalidRequestError: it is for another authority, too old, or can't be opened.
            RateLimitedError: the partner sent too many today.
        """
        try:
            message = read_message(data, self._keys_of(organisation, now))
        except (TrustError, UnreadableMessageError):
            self.limits.add(REFUSED_RECORDS, address, now)
            raise TrustError("no partner signed this message", "records-signature") from None
        return self._take(message, now, "partner")

    def from_file(self, data: bytes, now: float, *, by: Caller) -> Taken:
        """Take a message that somebody carried here as a file.

        Raises:
            UnreadableMessageError: it is no such message.
            TrustError, InvalidRequestError, RateLimitedError: as ``from_partner``.
        """
        by.require(Action.EXCHANGE_RECORDS)
        everybody = [
            row for name in self.partners.for_records(now) for row in self._keys_of(name, now)
        ]
        return self._take(read_message(data, everybody), now, by.name)

    def answers_for(self, organisation: str, now: float) -> bytes:
        """Return the signed answers of the days that are over.

        Each count is cut to a multiple of five, after a number from 0 to 4 is added to it that
        only our key foretells: one TempID more changes it with a chance of one in five. A TempID
        counts once a day and batch.
        """
        today = utc_day(now)
        counts = {
            (row.day, row.reason): self._rounded(row)
            for row in self.store.handing.answers(organisation)
            if row.ours and row.day < today and self.keys.has_day(row.day)
        }
        made = RecordAnswers(self.organisation, organisation, now, counts)
        return made.sign(RecordKeys(self.keys).signing())

    def export_answers(self, organisation: str, now: float, *, by: Caller) -> bytes:
        """Return ``answers_for`` a partner, for a file that somebody carries there."""
        by.require(Action.EXCHANGE_RECORDS)
        return self.answers_for(organisation, now)

    def all_taken(self, *, by: Caller) -> Sequence[TakenBatch]:
        """Return all batches that came in the last 25 days, the oldest first."""
        by.require(Action.LIST_PARTNERS)
        return self.store.handing.taken()

    def all_answers(self, *, by: Caller) -> Sequence[AnswerCount]:
        """Return what was answered by us and by partners, by partner, day and reason."""
        by.require(Action.LIST_PARTNERS)
        return self.store.handing.answers()

    # --- parts of the above ---

    def _keys_of(self, organisation: str, now: float) -> list[TrustedKey]:
        partner = self.partners.for_records(now).get(organisation)
        if partner is None:
            return []
        return [
            row
            for row in partner.recognised(now)
            if RECORDS in row.purposes and row.believed_at(now)
        ]

    def _take(self, message: SealedBatch | RecordAnswers, now: float, by: str) -> Taken:
        sender = message.sender
        try:
            self._check_receiver(message)
            if isinstance(message, RecordAnswers):
                return self._take_answers(message, now)
            if self.store.handing.was_taken(message.digest.hex()):
                return Taken(sender, already=True)
            self.limits.take(self.quota, sender, now)
            return self._judge(message, self._opened(message, now), now, by)
        except (InvalidRequestError, RateLimitedError) as error:
            self.audit.record("records.refused", now, by=by, subject=sender, why=error.code)
            raise

    def _check_receiver(self, message: SealedBatch | RecordAnswers) -> None:
        if message.receiver != self.organisation:
            raise InvalidRequestError(
                "the message is for {receiver}, and this is {organisation}",
                "records-receiver",
                receiver=message.receiver,
                organisation=self.organisation,
            )

    def _take_answers(self, message: RecordAnswers, now: float) -> Taken:
        oldest, today = utc_day(now - BATCHES_KNOWN_S), utc_day(now)
        counts = [
            AnswerCount(message.sender, day, ours=False, reason=reason, count=count)
            for (day, reason), count in message.counts.items()
            if oldest <= day <= today
        ]
        self.store.handing.put_answers(counts)
        return Taken(message.sender, answers=len(counts))

    def _opened(self, batch: SealedBatch, now: float) -> ForeignRecords:
        at = batch.hour * SECONDS_PER_HOUR
        if not now - RETENTION.log_s <= at <= now + UPLOAD_CLOCK_AHEAD_S:
            raise InvalidRequestError(
                "the batch is of an hour that is too long ago, or has not come", "records-hour"
            )
        key = RecordKeys(self.keys).of_kid(batch.kid, now)
        if key is None:
            raise InvalidRequestError(
                "the batch is sealed to none of our keys: fetch our newest trust list",
                "records-key",
            )
        try:
            return batch.open(key)
        except (SealError, UnreadableMessageError):
            raise InvalidRequestError("the batch can't be opened", "records-sealed") from None

    def _judge(self, batch: SealedBatch, records: ForeignRecords, now: float, by: str) -> Taken:
        """Keep the records of our people as a log, and count what became of all."""
        token = records.labels()
        opened = open_logs(
            token,
            records.time,
            records.rssi_dbm,
            organisation=Labels.constant(None, len(records)),
            uploader=Labels.constant(None, len(records)),
            issuer=self.issuer,
            received_at=now,
            keys=self.keys,
            registered=self.store.registered,
            several_phones=True,
        )
        quarantined = opened.codes == REJECTIONS.index(Rejection.QUARANTINED)
        kept = records.take(opened.accepted | quarantined).once()
        accepted = int(opened.accepted.sum())
        row = TakenBatch(batch.digest.hex(), batch.sender, batch.hour, len(records), accepted, now)
        with self.audit.atomic():
            self.store.last_audit()  # two batches that come at once open one case of the day
            if not self.store.handing.add_taken(row):
                return Taken(batch.sender, already=True)
            self.store.handing.count_answers(_answers(batch.sender, token, opened, now))
            if len(kept):
                self._keep(batch, kept, now)
            counts = {"records": len(records), "accepted": accepted}
            self.audit.record("records.taken", now, by=by, subject=batch.sender, **counts)
        return Taken(batch.sender, len(records), accepted)

    def _keep(self, batch: SealedBatch, kept: ForeignRecords, now: float) -> None:
        case = self._case_of(batch.sender, now)
        self.store.add_upload(
            sealed_upload(
                zlib.compress(kept.write(), 1),
                token_id=batch.digest.hex(),
                case_id=case.case_id,
                user_id=case.user_id,
                now=now,
                keys=self.keys,
                entropy=self.entropy,
            )
        )

    def _case_of(self, organisation: str, now: float) -> Case:
        """Return the case that holds a partner's records of today; open it with the first."""
        day = self.days.day(now)
        there = self.store.handing.case_of(organisation, day)
        if there is not None:
            return there
        user_id = new_user_id(self.entropy)
        self.store.add_user(user_id, credential_digest(new_secret(self.entropy)))
        case = Case(new_id(self.entropy), user_id, day, now, now, origin=organisation)
        self.store.add_case(case)
        self.audit.record(
            "case.opened-for-partner", now, by="clock", subject=case.case_id, partner=organisation
        )
        return case

    def _rounded(self, row: AnswerCount) -> int:
        context = f"{row.organisation}/{row.reason}"
        drawn = self.keys.day_key(_OFFSETS, row.day, context)
        offset = int.from_bytes(drawn) % RECORDS_ANSWER_STEP
        return (row.count + offset) // RECORDS_ANSWER_STEP * RECORDS_ANSWER_STEP


def _answers(
    organisation: str, token: Labels, opened: OpenedRecords, now: float
) -> list[AnswerCount]:
    """Return how many TempIDs met which fate; one that met several counts for the best."""
    untold = [REJECTIONS.index(reason) for reason in _UNTOLD]
    fate = np.where(np.isin(opened.codes, untold), ACCEPTED, opened.codes)
    best = np.full(len(token.names), len(REJECTIONS), dtype=np.int64)
    np.minimum.at(best, token.codes, fate)
    counts = Counter(best.tolist())
    return [
        AnswerCount(
            organisation,
            utc_day(now),
            ours=True,
            reason=TAKEN if code == ACCEPTED else REJECTIONS[code].value,
            count=count,
        )
        for code, count in sorted(counts.items())
    ]
