"""What goes to partners: their TempIDs in our logs, in sealed batches by hour."""

import os
from base64 import b64encode
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.handover.rows import BatchState, Handover, OutgoingBatch
from tracetogether.authority.handover.store import HandingStore, HandoverStore
from tracetogether.authority.intake.opening import open_log
from tracetogether.authority.intake.uploads import SealedUpload, records_in, unseal
from tracetogether.authority.partners.batches import write_batch
from tracetogether.authority.partners.partner import Partner
from tracetogether.authority.partners.recognition import Partners
from tracetogether.authority.partners.record_keys import RecordKeys
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import UploadRecords
from tracetogether.crypto import VerifyingKey
from tracetogether.errors import KeyRingError, NotFoundError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RECORDS_A_BATCH, RETENTION, UPLOAD_CLOCK_AHEAD_S
from tracetogether.signed.trust import SEALED_RECORDS
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE, Entropy, Floats, Ints, is_rssi

_FIRST_PAUSE_S: Final = float(SECONDS_PER_MINUTE)
_LONGEST_PAUSE_S: Final = 6.0 * SECONDS_PER_HOUR


@dataclass(frozen=True)
class _HandedTo(Container[str]):
    """Codes of the partners that records of a case were handed over to, read once, if at all."""

    store: HandoverStore
    case_id: str

    @cached_property
    def _codes(self) -> frozenset[str]:
        return frozenset(row.organisation for row in self.store.handovers(self.case_id))

    def __contains__(self, code: object) -> bool:
        return code in self._codes


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many of a partner's TempIDs a case's logs hold, and where they are.

    Attributes:
        organisation: the partner.
        tempids, people, records: how many; of the people how many there are at least.
        state: "waits" for the end of the hour or for the partner, "sent", or "exported" to a file.
    """

    organisation: str
    tempids: int
    people: int
    records: int
    state: str


@dataclass(frozen=True, slots=True)
class RecordSending:
    """Packs partners' records into batches, and knows which are to be sent.

    Args:
        keys: the authority's keys.
        organisation: our own code.
        partners: whom records are handed over to.
        issuer: opens TempIDs: those that are ours are nobody else's, whatever a record says.
        store: keeps logs and batches.
        audit: records each hour's batches.
        days: of the authority's zone, for the traced span of cases.
        entropy: for the order of records.
    """

    keys: KeyRing
    organisation: str
    partners: Partners
    issuer: TempIDIssuer
    store: HandingStore
    audit: Audit
    days: LocalDays = UTC_DAYS
    entropy: Entropy = os.urandom

    # --- from intake ---

    def known_partners(self, now: float) -> Container[str]:
        """Return the codes of the authorities that records are handed over to."""
        return self.partners.for_records(now)

    def handed_to(self, case_id: str) -> Container[str]:
        """Return the codes of those that records of a case were handed over to.

        The store is read when a code is looked up: most logs hold no records of partners.
        """
        return _HandedTo(self.store.handing, case_id)

    def note(
        self,
        case: Case,
        upload: SealedUpload,
        records: UploadRecords,
        foreign: Mapping[str, Ints],
    ) -> None:
        """Store with a log which of its records are whose, within its transaction."""
        for organisation, rows in sorted(foreign.items()):
            kept = rows[self._worth_sending(records, rows, case, upload.received_at)]
            tokens = [records.token[row] for row in kept.tolist()]
            self.store.handing.add_handover(
                Handover(
                    token_id=upload.token_id,
                    organisation=organisation,
                    case_id=case.case_id,
                    hour=int(upload.received_at) // SECONDS_PER_HOUR,
                    tempids=len(set(tokens)),
                    people=people_at_least(tokens, records.time[kept]),
                    records=len(kept),
                )
            )

    def of_case(self, case: Case, *, by: Caller) -> list[HandedOver]:
        """Return what was handed over of a case's logs, by partner."""
        by.require(Action.SHOW_CASE)
        rows = self.store.handing.handovers(case.case_id)
        states = {
            (batch.organisation, batch.hour, batch.state)
            for name in sorted({row.organisation for row in rows})
            for batch in self.store.handing.outgoing(name)
        }
        found: dict[tuple[str, str], HandedOver] = {}
        for row in rows:
            key = (row.organisation, _state_of(row, states))
            before = found.get(key, HandedOver(row.organisation, 0, 0, 0, key[1]))
            found[key] = replace(
                before,
                tempids=before.tempids + row.tempids,
                people=max(before.people, row.people),  # two logs may have met the same ones
                records=before.records + row.records,
            )
        return [found[key] for key in sorted(found)]

    # --- batches ---

    def pack(self, now: float) -> int:
        """Seal the records of all hours that are over; return how many batches that made.

        Records of a partner whose list is over wait until it is fetched again.
        """
        made = 0
        partners = self.partners.for_records(now)
        due: defaultdict[tuple[str, int], list[Handover]] = defaultdict(list)
        for row in self.store.handing.due_handovers(int(now) // SECONDS_PER_HOUR):
            due[row.organisation, row.hour].append(row)
        for (organisation, hour), rows in sorted(due.items()):
            partner = partners.get(organisation)
            to = None if partner is None else _sealed_to(partner, now)
            if to is None:
                continue
            before = self._batches_of(organisation, hour)
            batches = list(self._batches(organisation, hour, rows, to, now, after=before))
            with self.audit.atomic():
                self.store.last_audit()  # nobody else packs until the transaction ends
                if before != self._batches_of(organisation, hour):
                    continue  # another process has packed them meanwhile
                if not self.store.handing.mark_packed(organisation, hour, now):
                    continue
                for batch in batches:
                    self.store.handing.add_outgoing(batch)
                counts = {"batches": len(batches), "records": sum(b.records for b in batches)}
                self.audit.record("records.packed", now, by="clock", subject=organisation, **counts)
            made += len(batches)
        return made

    def _batches_of(self, organisation: str, hour: int) -> int:
        """Return how many batches of an hour were made for a partner."""
        made = self.store.handing.outgoing(organisation)
        return sum(batch.hour == hour for batch in made)

    def greeting(self, organisation: str, now: float) -> bytes:
        """Return a batch without records, by which a partner is asked for its answers.

        Raises:
            NotFoundError: records are exchanged with no such partner.
        """
        partner = self.partners.for_records(now).get(organisation)
        to = None if partner is None else _sealed_to(partner, now)
        if to is None:
            raise NotFoundError("records are exchanged with no such partner", "no-such-partner")
        _, message = self._written(
            ForeignRecords.none(), organisation, int(now) // SECONDS_PER_HOUR, to
        )
        return message

    def to_send(self, organisation: str, now: float) -> list[OutgoingBatch]:
        """Return a partner's batches that are to be sent now, the oldest first."""
        return [
            batch
            for batch in self.store.handing.outgoing(organisation)
            if batch.state is BatchState.WAITS and batch.next_try_at <= now
        ]

    def all_outgoing(self, *, by: Caller) -> Sequence[OutgoingBatch]:
        """Return all batches of the last 25 days with their states, the oldest first."""
        by.require(Action.LIST_PARTNERS)
        return self.store.handing.outgoing()

    def sent(self, batch: OutgoingBatch, now: float) -> None:
        """Store that a partner has a batch; the message is deleted."""
        done = replace(batch, state=BatchState.SENT, sent_at=now, fault="", message=b"")
        self.store.handing.put_outgoing(done)

    def failed(self, batch: OutgoingBatch, fault: str, now: float) -> OutgoingBatch:
        """Store that a batch did not arrive: the pause before the next try doubles, to 6 hours."""
        pause = min(_FIRST_PAUSE_S * 2.0**batch.tries, _LONGEST_PAUSE_S)
        again = replace(batch, tries=batch.tries + 1, next_try_at=now + pause, fault=fault)
        self.store.handing.put_outgoing(again)
        return again

    def export(self, organisation: str, now: float, *, by: Caller) -> list[OutgoingBatch]:
        """Return a partner's batches that it does not have yet, for files that somebody carries.

        Batches that were exported before are among them: a file may get lost.
        """
        by.require(Action.EXCHANGE_RECORDS)
        self.pack(now)
        found = []
        with self.audit.atomic():
            for batch in self.store.handing.outgoing(organisation):
                if batch.state is BatchState.SENT:
                    continue
                if batch.state is BatchState.WAITS:
                    done = replace(batch, state=BatchState.EXPORTED, sent_at=now)
                    self.store.handing.put_outgoing(done)
                    batch = done  # noqa: PLW2901 - the same batch, later
                found.append(batch)
            if found:
                self.audit.record(
                    "records.exported", now, by=by.name, subject=organisation, batches=len(found)
                )
        return found

    def _batches(
        self,
        organisation: str,
        hour: int,
        rows: Sequence[Handover],
        to: VerifyingKey,
        now: float,
        *,
        after: int,
    ) -> Iterator[OutgoingBatch]:
        """Yield the batches of an hour: the records of all its logs, shuffled together.

        A batch is named by its place in the hour, which ``after`` others had before. A backup that
        is restored over a damaged database knows of no batch that was made since: packed once
        more, they have the same names, and the partner counts none twice.
        """
        parts = list(self._records_of(organisation, rows))
        if not parts:
            return
        records = ForeignRecords.concat(parts).once().shuffled(self.entropy)
        for at in range(0, len(records), RECORDS_A_BATCH):
            part = records.take(np.arange(at, min(at + RECORDS_A_BATCH, len(records))))
            name = RecordKeys(self.keys).name(organisation, hour, after + at // RECORDS_A_BATCH)
            digest, message = self._written(part, organisation, hour, to, name)
            yield OutgoingBatch(digest.hex(), organisation, hour, len(part), message, now)

    def _written(
        self,
        records: ForeignRecords,
        organisation: str,
        hour: int,
        to: VerifyingKey,
        name: bytes = b"",
    ) -> tuple[bytes, bytes]:
        return write_batch(
            records,
            sender=self.organisation,
            receiver=organisation,
            hour=hour,
            to=to,
            by=RecordKeys(self.keys).signing(),
            name=name,
        )

    def _records_of(self, organisation: str, rows: Sequence[Handover]) -> Iterator[ForeignRecords]:
        for case_id in sorted({row.case_id for row in rows}):
            case, tokens = self.store.case(case_id), {row.token_id for row in rows}
            for upload in self.store.uploads(case_id):
                if case is None or upload.token_id not in tokens:
                    continue
                try:
                    records = records_in(unseal(upload, self.keys))
                except (KeyRingError, SealError):
                    continue  # its day's key was destroyed meanwhile
                opened = open_log(
                    records,
                    self.issuer,
                    uploader=upload.user_id,
                    received_at=upload.received_at,
                    partners={organisation},
                )
                found = opened.foreign.get(organisation, np.empty(0, dtype=np.int64))
                kept = self._worth_sending(records, found, case, upload.received_at)
                yield ForeignRecords.of_log(records, found[kept])

    def _worth_sending(
        self, records: UploadRecords, rows: Ints, case: Case, received_at: float
    ) -> Ints:
        """Return which of ``rows`` a partner can use: with a level, in the case's traced days."""
        time, (begin, end) = records.time[rows], case.traced_span(self.days)
        good = is_rssi(records.rssi_dbm[rows]) & (time >= begin) & (time < end)
        good &= (time >= received_at - RETENTION.log_s) & (
            time <= received_at + UPLOAD_CLOCK_AHEAD_S
        )
        return np.flatnonzero(good)


def people_at_least(tokens: Sequence[str], time: Floats) -> int:
    """Return how many people n records of foreign TempIDs are of, at least.

    A phone shows one TempID at a time. So TempIDs that were heard in spans that overlap are of
    different people, and the most that overlap at a moment is a bound.

    Args:
        tokens: n TempIDs.
        time: (n,) when each was heard, epoch seconds.
    """
    spans: dict[str, tuple[float, float]] = {}
    for token, at in zip(tokens, time.tolist(), strict=True):
        first, last = spans.get(token, (at, at))
        spans[token] = min(first, at), max(last, at)
    # An end comes before a beginning at the same moment: a phone changes its TempID then.
    steps = sorted(
        [(first, 1) for first, _ in spans.values()] + [(e + 0.5, 0) for _, e in spans.values()]
    )
    now, most = 0, 0
    for _, begins in steps:
        now += 1 if begins else -1
        most = max(most, now)
    return most


def _state_of(row: Handover, states: Container[tuple[str, int, BatchState]]) -> str:
    if row.packed_at is None or (row.organisation, row.hour, BatchState.WAITS) in states:
        return BatchState.WAITS.value
    if (row.organisation, row.hour, BatchState.EXPORTED) in states:
        return BatchState.EXPORTED.value
    return BatchState.SENT.value


def _sealed_to(partner: Partner, now: float) -> VerifyingKey | None:
    """Return the newest key that a partner opens records with, None if its list names none."""
    rows = [
        row
        for row in partner.recognised(now)
        if SEALED_RECORDS in row.purposes and row.believed_at(now)
    ]
    return max(rows, key=lambda row: row.from_time).key if rows else None


def text_of_message(message: bytes) -> str:
    """Return a message as text, for JSON."""
    return b64encode(message).decode()
