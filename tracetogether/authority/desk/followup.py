"""Following contacts up: who is called today, what the call found, and how it ended."""

import os
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.reasons_given import reason_given
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import (
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    Priority,
    check_version,
    opened_person,
    person_tags,
    priority_of,
    sealed_person,
)
from tracetogether.authority.cases.notes import Note, Notes
from tracetogether.authority.contacts.lines import Contact, pseudonym
from tracetogether.authority.desk.calendars import after_calls, check_open
from tracetogether.authority.desk.particulars import (
    FIELDS,
    Field,
    described,
    opened_particulars,
    sealed_particulars,
)
from tracetogether.authority.desk.views import Desk, Followed
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import FOLLOW_UP, SINGAPORE_POLICY, FollowUpParameters
from tracetogether.units import SECONDS_PER_DAY, Entropy, utc_day

_SHUT: Final = frozenset({CaseState.CLOSED, CaseState.MERGED})


@dataclass(frozen=True, slots=True)
class Person:
    """Who a contact is, as far as anybody wrote it down.

    Attributes:
        pseudonym, user_id: as registered.
        name, phone: "" if nobody wrote it down.
        also: other names and telephone numbers, of contacts that were merged into this one.
        version: of the contact, to be named by who changes the name or the telephone number.
    """

    pseudonym: str
    user_id: str = field(repr=False)
    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    also: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    version: int = 1


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What tracers do, from the list of contacts to the last day's call.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    keys: KeyRing
    desk: Desk
    casework: Casework
    tracing: Tracing
    store: IntakeStore
    notes: Notes
    audit: Audit
    entropy: Entropy = os.urandom
    parameters: FollowUpParameters = FOLLOW_UP
    days: LocalDays = UTC_DAYS

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
        found = self.tracing.found(case, SINGAPORE_POLICY)
        came_at = now if came_at is None else came_at
        if not found.contacts or not self.keys.has_day(utc_day(came_at)):
            return 0
        with self.audit.atomic():
            case = self._followed_as(case)
            there = self.store.desk.contacts_of([case.case_id])
            there = sorted(there, key=lambda kept: kept.state is not ContactState.MERGED)
            known = {opened_person(kept, self.keys): kept for kept in there}
            rows = [
                self._taken_over(one, case, known.get(one.user_id), came_at)
                for one in found.contacts
            ]
            self.store.desk.put_contacts(rows)
            new = sum(one.user_id not in known for one in found.contacts)
            if new:
                self.audit.record(
                    "contacts.found", now, by="clock", subject=case.case_id, contacts=new
                )
        return new

    def _followed_as(self, case: Case) -> Case:
        """Return the case whose contacts a case's log names: it, or the one it was merged into."""
        while case.merged_into:
            case = self.casework.kept(case.merged_into)
        return case

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
        everybody = self.casework.store.cases()
        for done, case in enumerate(everybody):
            if told is not None:
                told(done, len(everybody))
            came = self._came(case)
            if not came or case.state in _SHUT or self.store.desk.contacts_of([case.case_id]):
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
                found[other.case_id] += self._told_more(other, came_at, now)
        return sum(count > 0 for count in found.values()), found.total()

    def log_came(self, case: Case, came_at: float, now: float) -> None:
        """Take over the contacts of a log that came in, and what it tells of other cases."""
        self._told_more(case, came_at, now)
        for other in self.tracing.concerned(case):
            self._told_more(other, came_at, now)

    def _told_more(self, case: Case, came_at: float, now: float) -> int:
        """Take over what a log says that may be older than others; none goes earlier for it."""
        there = self.store.desk.contacts_of([case.case_id])
        days = [float(one.day * SECONDS_PER_DAY) for one in there]
        return self.refresh(case, now, came_at=max([came_at, *self._came(case), *days]))

    def _came(self, case: Case) -> list[float]:
        """Return when the case's logs came in."""
        return [time for _, time in self.store.upload_ids(case.case_id)]

    def _taken_over(
        self, contact: Contact, case: Case, known: KeptContact | None, now: float
    ) -> KeptContact:
        priority, reasons = priority_of(contact, SINGAPORE_POLICY)
        contact_id = known.contact_id if known else b32encode(self.entropy(7)).decode()[:10]
        day = utc_day(now)
        person, tag = sealed_person(
            *(contact.user_id, contact_id, day, self.keys, self.entropy),
            first_s=contact.first_s,
            last_s=contact.last_s,
        )
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
            first_s=self.days.noon(contact.first_s),
            last_s=self.days.noon(contact.last_s),
            found_at=now,
            until_day=self.days.day(contact.last_s) + self.parameters.days,
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
            particulars=sealed_particulars(
                opened_particulars(known, self.keys), contact_id, day, self.keys, self.entropy
            ),
            version=known.version + (fresh.state != known.state is ContactState.CASUAL),
        )

    # --- calls ---

    def reach(
        self, contact_id: str, now: float, *, version: int | None = None, by: Caller
    ) -> Followed:
        """Write down that the person was told; the daily calls begin.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: the contact became a case, was merged, or has been told before.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._held(contact_id, version, by)
            check_open(kept)
            if kept.traced_at is not None:
                msg = "the person was already informed: record the outcome of the day's call"
                raise ConflictError(msg, "contact-informed-already")
            kept = replace(kept, state=ContactState.REACHED, traced_at=now, ended_at=None)
            kept = self._change(kept, "contact.reached", now, by)
            self._started(kept.case_id, now)
        return self.desk.shown(kept, by)

    def record(
        self,
        contact_id: str,
        day: int,
        outcome: Outcome,
        now: float,
        *,
        version: int | None = None,
        by: Caller,
    ) -> Followed:
        """Write down what a day's call found, in place of what was written for that day before.

        Reached: the contact is in follow-up, and completed once the last day has its outcome.
        Not reached on three days in a row: lost, until somebody reaches the person after all.
        What another operator found is replaced only by who says which version they saw.

        Raises:
            StaleError: somebody changed the contact meanwhile.
            NotFoundError: there is no such contact, or it is of a case that is not his.
            InvalidRequestError: the day is in the future or outside of the calendar.
            ConflictError: the contact became a case or was merged.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._held(contact_id, version, by)
            check_open(kept)
            first = kept.until_day - self.parameters.days
            if day > self.days.day(now):
                msg = "you can't record a call for a future day"
                raise InvalidRequestError(msg, "call-in-future")
            if not first <= day <= kept.until_day:
                msg = "the day is not in the contact's calendar: see its first and last day"
                raise InvalidRequestError(msg, "day-not-in-calendar")
            if version is None:
                self._check_own(contact_id, day, outcome, by)
            self.store.desk.put_outcome(contact_id, DayOutcome(day, outcome, by.name, now))
            outcomes = self.store.desk.outcomes([contact_id])[contact_id]
            kept = after_calls(kept, outcomes, now, self.parameters)
            said = {"day": day, "outcome": outcome.value, "state": kept.state.value}
            kept = self._change(kept, "contact.called", now, by, **said)
            self._started(kept.case_id, now)
        return self.desk.shown(kept, by)

    def call_anyway(
        self, contact_id: str, now: float, *, version: int | None = None, by: Caller
    ) -> Followed:
        """Put a casual contact on the list of those to be traced.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: the contact is not a casual one.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._held(contact_id, version, by)
            if kept.state is not ContactState.CASUAL:
                msg = "only a casual contact can be added to the list: this one is or was on it"
                raise ConflictError(msg, "on-call-list-already")
            kept = replace(kept, state=ContactState.TO_TRACE)
            kept = self._change(kept, "contact.to_trace", now, by)
        return self.desk.shown(kept, by)

    # --- who it is; notes ---

    def reveal(self, contact_id: str, reason: str, now: float, *, by: Caller) -> Person:
        """Return who a contact is; the act and its reason stand in the audit log.

        Raises:
            InvalidRequestError: no reason is given.
            NotFoundError: there is no such contact, it is of a case that is not his, or nobody
                can open it any more.
        """
        by.require(Action.REVEAL)
        kept = self.desk.kept(contact_id, by)
        user_id = self.desk.user_of(kept)
        why = reason_given(
            self.audit,
            reason,
            now,
            by=by,
            case_id=kept.case_id,
            contact=pseudonym(user_id, self.keys.naming_key),
        )
        with self.audit.atomic():
            said = opened_particulars(kept, self.keys)
            self.audit.record(
                "contact.revealed",
                now,
                by=by.name,
                subject=kept.case_id,
                contact=pseudonym(user_id, self.keys.naming_key),
                reason=why,
            )
        return Person(
            pseudonym(user_id, self.keys.naming_key),
            user_id,
            said.name,
            said.phone,
            said.also,
            kept.version,
        )

    def describe(
        self,
        contact_id: str,
        name: str,
        phone: str,
        now: float,
        *,
        clear: Collection[Field] = (),
        version: int | None = None,
        by: Caller,
    ) -> Followed:
        """Write down a contact's name, telephone number or both, sealed; ``reveal`` shows them.

        Args:
            contact_id: whose.
            name: a blank leaves what is stored.
            phone: likewise.
            now: epoch seconds.
            clear: which of them to delete.
            version: of the contact, as it was seen; without one, nothing that is stored is
                replaced or deleted.
            by: on whose behalf.

        Raises:
            NotFoundError: there is no such contact, or ``by`` does not need to know it.
            StaleError: somebody changed the contact meanwhile.
            InvalidRequestError: a text is too long, or its field is to be deleted too.
            ConflictError: a text would replace another.
        """
        by.require(Action.DESCRIBE)
        with self.audit.atomic():
            kept = self._held(contact_id, version, by)
            said = opened_particulars(kept, self.keys)
            changed = described(said, {"name": name, "phone": phone}, clear, version)
            if changed:
                said = said.with_fields(kept.version + 1, **changed)
                sealed = sealed_particulars(
                    said, kept.contact_id, kept.day, self.keys, self.entropy
                )
                kept = replace(kept, particulars=sealed)
                kept = self._change(kept, "contact.described", now, by, fields=" ".join(changed))
        return self.desk.shown(kept, by)

    def described(self, contact_id: str, *, by: Caller) -> frozenset[str]:
        """Return which of name and telephone number are stored, not what they are.

        Raises:
            NotFoundError: there is no such contact, or ``by`` does not need to know it.
        """
        by.require(Action.LIST_FOLLOWED)
        said = opened_particulars(self.desk.kept(contact_id, by), self.keys)
        return frozenset(name for name in FIELDS if said.value(name))

    def changed_since(
        self, contact_id: str, version: int, now: float, *, by: Caller
    ) -> dict[str, str]:
        """Return names and telephone numbers that others wrote after a version was seen.

        To compare with what somebody typed who had seen that version. The audit log says so.

        Raises:
            AccessDeniedError: ``by`` may not see who contacts are.
            NotFoundError: there is no such contact, or ``by`` does not need to know it.
        """
        by.require(Action.REVEAL)
        kept = self.desk.kept(contact_id, by)
        said = opened_particulars(kept, self.keys)
        found: dict[str, str] = {
            name: said.value(name) for name in FIELDS if said.changed.get(name, 0) > version
        }
        if found:
            self.audit.record(
                "contact.revealed",
                now,
                by=by.name,
                subject=kept.case_id,
                contact=self.desk.shown(kept, by).pseudonym,
                reason=f"changed meanwhile: {' '.join(found)}",
            )
        return found

    def note(
        self, case_id: str, text: str, now: float, *, contact_id: str = "", by: Caller
    ) -> Note:
        """Keep a note on a case, or on a contact of it.

        Raises:
            NotFoundError: there is no such case or contact, or it is not his.
            InvalidRequestError: the note is empty or too long.
        """
        by.require(Action.WRITE_NOTE)
        case = self.casework.case(case_id, by=by)
        if contact_id and self.desk.kept(contact_id, by).case_id != case.case_id:
            raise NotFoundError("that contact belongs to another case", "contact-of-other-case")
        return self.notes.add(case.case_id, contact_id, text, now, by=by.name)

    # --- forgetting ---

    def forget(self, user_id: str, now: float) -> int:
        """Forget a person who withdraws, in everybody's lists; return how many rows went."""
        return self.store.desk.drop_tagged(person_tags(user_id, now, self.keys))

    def _held(self, contact_id: str, version: int | None, by: Caller) -> KeptContact:
        """Return a contact to change in the open transaction."""
        kept = self.desk.kept(contact_id, by)
        check_version(kept.version, version)
        return kept

    def _check_own(self, contact_id: str, day: int, outcome: Outcome, by: Caller) -> None:
        for found in self.store.desk.outcomes([contact_id]).get(contact_id, ()):
            if found.day == day and found.outcome is not outcome and found.by != by.name:
                msg = (
                    "another operator recorded another outcome for that day: read it, and send its "
                    "version with your change"
                )
                raise ConflictError(msg, "other-outcome-recorded")

    def _change(
        self, kept: KeptContact, act: str, now: float, by: Caller, **details: str | int
    ) -> KeptContact:
        kept = replace(kept, version=kept.version + 1)
        self.store.desk.put_contacts([kept])
        self.audit.record(
            act, now, by=by.name, subject=kept.case_id, contact_id=kept.contact_id, **details
        )
        return kept

    def _started(self, case_id: str, now: float) -> None:
        case = self.store.desk.locked_case(case_id)
        if case is not None and case.tracing_at is None:
            state = CaseState.TRACING if case.state is CaseState.OPEN else case.state
            self.store.desk.put_case(replace(case, state=state, tracing_at=now))
