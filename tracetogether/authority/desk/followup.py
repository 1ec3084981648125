"""Following contacts up: who is called today, what the call found, and how it ended."""

import json
import os
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import CONSOLE, Caller
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.access.reasons_given import reason_given
from tracetogether.authority.cases.casework import Case, CaseDeskStore, CaseState, Casework
from tracetogether.authority.cases.followed import (
    ContactState,
    DayOutcome,
    FollowStore,
    KeptContact,
    Outcome,
    Priority,
    opened_person,
    person_tags,
    priority_of,
    sealed_person,
)
from tracetogether.authority.cases.notes import Note, Notes
from tracetogether.authority.contacts.lines import Contact, pseudonym
from tracetogether.authority.desk.views import Desk, Followed
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.crypto import IV_BYTES
from tracetogether.errors import ConflictError, KeyRingError, NotFoundError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import FOLLOW_UP, SINGAPORE_POLICY, FollowUpParameters
from tracetogether.units import SECONDS_PER_DAY, Entropy, utc_day

MAX_NAME_CHARACTERS: Final = 200
_PARTICULARS: Final = "particulars"
_ENDED: Final = frozenset(
    {ContactState.LOST, ContactState.COMPLETED, ContactState.BECAME_CASE, ContactState.MERGED}
)
_SHUT: Final = frozenset({CaseState.CLOSED, CaseState.MERGED})


@dataclass(frozen=True, slots=True)
class Person:
    """Who a contact is, as far as anybody wrote it down."""

    pseudonym: str
    user_id: str = field(repr=False)
    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What tracers do, from the list of contacts to the last day's call.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    keys: KeyRing
    desk: Desk
    casework: Casework
    tracing: Tracing
    follow: FollowStore
    cases: CaseDeskStore
    notes: Notes
    audit: Audit
    entropy: Entropy = os.urandom
    parameters: FollowUpParameters = FOLLOW_UP

    # --- from a list of contacts to people to be called ---

    def refresh(self, case: Case, now: float, *, came_at: float | None = None) -> int:
        """Find a case's contacts anew, and take them over; return how many are new.

        Call it when a log came in. Contacts that are there already keep their states; what
        was measured, and how urgent they are, is brought up to date.

        Args:
            case: whose contacts.
            now: epoch seconds.
            came_at: when the log came in, if not now: its contacts go when it goes.
        """
        self.tracing.refresh(case)
        found = self.tracing.contacts(case, SINGAPORE_POLICY)
        came_at = now if came_at is None else came_at
        if not found.contacts or not self.keys.has_day(utc_day(came_at)):
            return 0
        with self.audit.atomic():
            there = self.follow.contacts_of([case.case_id])
            known = {opened_person(one, self.keys): one for one in there}
            rows = [
                self._taken_over(one, case, known.get(one.user_id), came_at)
                for one in found.contacts
            ]
            self.follow.put_contacts(rows)
            new = sum(one.user_id not in known for one in found.contacts)
            if new:
                self.audit.record(
                    "contacts.found", now, by="clock", subject=case.case_id, contacts=new
                )
        return new

    def take_over(
        self, now: float, told: Callable[[int, int], None] | None = None
    ) -> tuple[int, int]:
        """Put the contacts on the lists whom a log names and nobody follows up.

        There are such where a log came in before there was a follow-up, or was taken in while
        its list could not be written. Cases with contacts under follow-up stay as they are, but
        where a log that is taken over tells of them; closed ones stay as they are.

        Args:
            now: epoch seconds.
            told: called with how many cases are done and how many there are.

        Returns:
            How many cases were taken over, and how many contacts.
        """
        taken: list[tuple[Case, float]] = []
        found: Counter[str] = Counter()
        everybody = self.casework.cases()
        for done, case in enumerate(everybody):
            if told is not None:
                told(done, len(everybody))
            came = self._came(case)
            if not came or case.state in _SHUT or self.follow.contacts_of([case.case_id]):
                continue
            taken.append((case, max(came)))
            found[case.case_id] += self.refresh(case, now, came_at=max(came))
        # As when a log comes in: it may tell of those whose own phones did not hear the person.
        concerned: dict[str, tuple[Case, float]] = {}
        for case, came_at in taken:
            for other in self.tracing.concerned(case):
                _, before = concerned.get(other.case_id, (other, came_at))
                concerned[other.case_id] = other, max(came_at, before)
        for other, came_at in concerned.values():
            if other.state not in _SHUT:
                there = self.follow.contacts_of([other.case_id])
                days = [float(one.day * SECONDS_PER_DAY) for one in there]
                newest = max([came_at, *self._came(other), *days])  # nothing goes earlier for it
                found[other.case_id] += self.refresh(other, now, came_at=newest)
        return sum(count > 0 for count in found.values()), found.total()

    def _came(self, case: Case) -> list[float]:
        """Return when the case's logs came in."""
        return [time for _, time in self.tracing.logs.uploads.upload_ids(case.case_id)]

    def _taken_over(
        self, contact: Contact, case: Case, known: KeptContact | None, now: float
    ) -> KeptContact:
        priority, reasons = priority_of(contact, SINGAPORE_POLICY)
        contact_id = known.contact_id if known else b32encode(self.entropy(7)).decode()[:10]
        day = utc_day(now)
        person, tag = sealed_person(contact.user_id, contact_id, day, self.keys, self.entropy)
        state = ContactState.TO_TRACE if contact.close_contact else ContactState.CASUAL
        fresh = KeptContact(
            contact_id=contact_id,
            case_id=case.case_id,
            day=day,
            person=person,
            tag=tag,
            state=state,
            priority=priority,
            reasons=reasons,
            close_contact=contact.close_contact,
            days=len(contact.days),
            minutes_low=contact.minutes.low,
            minutes=contact.minutes.median,
            minutes_high=contact.minutes.high,
            minutes_24h=contact.minutes_24h,
            probability=contact.probability,
            nearest_m=contact.nearest_m.median,
            seen_by=contact.seen_by,
            first_s=contact.first_s,
            last_s=contact.last_s,
            found_at=now,
            until_day=utc_day(contact.last_s) + self.parameters.days,
        )
        if known is None:
            return fresh
        urgent = known.symptoms
        return replace(
            fresh,
            state=state if known.state is ContactState.CASUAL else known.state,
            priority=Priority.HIGH if urgent else priority,
            reasons=(*reasons, "symptoms") if urgent else reasons,
            found_at=known.found_at,
            traced_at=known.traced_at,
            last_day=known.last_day,
            missed=known.missed,
            symptoms=known.symptoms,
            followed_all=known.followed_all,
            ended_at=known.ended_at,
            became_case=known.became_case,
            merged_into=known.merged_into,
            particulars=self._resealed(known, day),
        )

    # --- calls ---

    def reach(self, contact_id: str, now: float, *, by: Caller = CONSOLE) -> Followed:
        """Write down that the person was told; the daily calls begin.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: the contact became a case, was merged, or has been told before.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self.desk.kept(contact_id, by)
            check_open(kept)
            if kept.traced_at is not None:
                msg = "the person was told before: write down what the day's call finds"
                raise ConflictError(msg)
            kept = replace(kept, state=ContactState.REACHED, traced_at=now, ended_at=None)
            self._change(kept, "contact.reached", now, by)
            self._started(kept.case_id, now)
        return self.desk.shown(kept, by)

    def record(
        self, contact_id: str, day: int, outcome: Outcome, now: float, *, by: Caller = CONSOLE
    ) -> Followed:
        """Write down what a day's call found, in place of what was written for that day before.

        Reached: the contact is in follow-up, and completed once the last day has its outcome.
        Not reached on three days in a row: lost, until somebody reaches the person after all.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: the day lies in the future or outside of the calendar, or the contact
                became a case or was merged.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self.desk.kept(contact_id, by)
            check_open(kept)
            first = kept.until_day - self.parameters.days
            if day > utc_day(now):
                msg = "the day has not come: write down calls that were made"
                raise ConflictError(msg)
            if not first <= day <= kept.until_day:
                msg = "the day is not in the contact's calendar: see its first and last day"
                raise ConflictError(msg)
            self.follow.put_outcome(contact_id, DayOutcome(day, outcome, by.name, now))
            outcomes = self.follow.outcomes([contact_id])[contact_id]
            kept = after_calls(kept, outcomes, now, self.parameters)
            said = {"day": day, "outcome": outcome.value, "state": kept.state.value}
            self._change(kept, "contact.called", now, by, **said)
            self._started(kept.case_id, now)
        return self.desk.shown(kept, by)

    def call_anyway(self, contact_id: str, now: float, *, by: Caller = CONSOLE) -> Followed:
        """Put a casual contact on the list of those to be traced.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: the contact is not a casual one.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self.desk.kept(contact_id, by)
            if kept.state is not ContactState.CASUAL:
                msg = "only a casual contact is put on the list: this one is or was there"
                raise ConflictError(msg)
            kept = replace(kept, state=ContactState.TO_TRACE)
            self._change(kept, "contact.to_trace", now, by)
        return self.desk.shown(kept, by)

    # --- who it is; notes ---

    def reveal(self, contact_id: str, reason: str, now: float, *, by: Caller = CONSOLE) -> Person:
        """Return who a contact is; the act and its reason stand in the audit log.

        Raises:
            ConflictError: no reason is given.
            NotFoundError: there is no such contact, it is of a case that is not his, or nobody
                can open it any more.
        """
        by.require(Action.REVEAL)
        kept = self.desk.kept(contact_id, by)
        user_id = self.desk.user_of(kept)
        why = reason_given(
            self.audit, reason, now, by=by, case_id=kept.case_id, contact=pseudonym(user_id)
        )
        with self.audit.atomic():
            said = self._particulars(kept)
            self.audit.record(
                "contact.revealed",
                now,
                by=by.name,
                subject=kept.case_id,
                contact=pseudonym(user_id),
                reason=why,
            )
        return Person(pseudonym(user_id), user_id, said.get("name", ""), said.get("phone", ""))

    def describe(
        self, contact_id: str, name: str, phone: str, now: float, *, by: Caller = CONSOLE
    ) -> None:
        """Write down a contact's name and telephone number, sealed; only ``reveal`` shows them.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: one of them is too long.
        """
        by.require(Action.DESCRIBE)
        if max(len(name), len(phone)) > MAX_NAME_CHARACTERS:
            msg = f"a name and a telephone number have up to {MAX_NAME_CHARACTERS} characters"
            raise ConflictError(msg)
        with self.audit.atomic():
            kept = self.desk.kept(contact_id, by)
            text = json.dumps({"name": name, "phone": phone}) if name or phone else ""
            sealed = self._sealed(text, kept.contact_id, kept.day) if text else b""
            self._change(replace(kept, particulars=sealed), "contact.described", now, by)

    def note(
        self, case_id: str, text: str, now: float, *, contact_id: str = "", by: Caller = CONSOLE
    ) -> Note:
        """Keep a note on a case, or on a contact of it.

        Raises:
            NotFoundError: there is no such case or contact, or it is not his.
            ConflictError: the note is empty or too long.
        """
        by.require(Action.WRITE_NOTE)
        case = self.casework.case(case_id, by=by)
        if contact_id and self.desk.kept(contact_id, by).case_id != case.case_id:
            msg = "that contact is of another case"
            raise NotFoundError(msg)
        return self.notes.add(case.case_id, contact_id, text, now, by=by.name)

    # --- forgetting ---

    def forget(self, user_id: str, now: float) -> int:
        """Forget a person who withdraws, in everybody's lists; return how many rows went."""
        return self.follow.drop_tagged(person_tags(user_id, now, self.keys))

    def _change(
        self, kept: KeptContact, act: str, now: float, by: Caller, **details: str | int
    ) -> None:
        self.follow.put_contacts([kept])
        self.audit.record(
            act, now, by=by.name, subject=kept.case_id, contact_id=kept.contact_id, **details
        )

    def _started(self, case_id: str, now: float) -> None:
        case = self.cases.locked_case(case_id)
        if case is not None and case.tracing_at is None:
            state = CaseState.TRACING if case.state is CaseState.OPEN else case.state
            self.cases.put_case(replace(case, state=state, tracing_at=now))

    def _sealed(self, text: str, contact_id: str, day: int) -> bytes:
        iv = self.entropy(IV_BYTES)
        return iv + self.keys.aead(_PARTICULARS, day).seal(iv, text.encode(), contact_id.encode())

    def _particulars(self, kept: KeptContact) -> dict[str, str]:
        if not kept.particulars:
            return {}
        iv, sealed = kept.particulars[:IV_BYTES], kept.particulars[IV_BYTES:]
        try:
            text = self.keys.aead(_PARTICULARS, kept.day).open(iv, sealed, kept.contact_id.encode())
        except (KeyRingError, SealError):
            return {}
        said: dict[str, str] = json.loads(text)
        return said

    def _resealed(self, kept: KeptContact, day: int) -> bytes:
        said = self._particulars(kept)
        return self._sealed(json.dumps(said), kept.contact_id, day) if said else b""


def check_open(kept: KeptContact) -> None:
    """Return if anything can still happen to a contact.

    Raises:
        ConflictError: it became a case, or was merged.
    """
    if kept.state in {ContactState.BECAME_CASE, ContactState.MERGED}:
        word = "became a case" if kept.state is ContactState.BECAME_CASE else "was merged"
        msg = f"the contact {word} already: nothing is changed there any more"
        raise ConflictError(msg)


def after_calls(
    kept: KeptContact,
    outcomes: Sequence[DayOutcome],
    now: float,
    parameters: FollowUpParameters = FOLLOW_UP,
) -> KeptContact:
    """Return a contact as a calendar makes it; ``outcomes`` in the order of days."""
    reached = {one.day for one in outcomes if one.outcome is not Outcome.NOT_REACHED}
    missed = 0
    for one in outcomes:
        missed = missed + 1 if one.outcome is Outcome.NOT_REACHED else 0
    symptoms = any(one.outcome is Outcome.SYMPTOMS for one in outcomes)
    traced_at = kept.traced_at
    if traced_at is None and reached:
        traced_at = now
    if kept.until_day in reached:
        state = ContactState.COMPLETED
    elif missed >= parameters.lost_after_days:
        state = ContactState.LOST
    elif traced_at is not None:
        state = ContactState.IN_FOLLOW_UP if reached else ContactState.REACHED
    else:
        state = ContactState.TO_TRACE
    ended = state in _ENDED
    others = tuple(one for one in kept.reasons if one != "symptoms")
    return replace(
        kept,
        state=state,
        traced_at=traced_at,
        last_day=outcomes[-1].day,
        missed=missed,
        symptoms=symptoms,
        followed_all=bool(reached) and set(range(min(reached), kept.until_day + 1)) <= reached,
        priority=Priority.HIGH if symptoms else kept.priority,
        reasons=(*others, "symptoms") if symptoms else others,
        ended_at=(kept.ended_at or now) if ended else None,
    )
