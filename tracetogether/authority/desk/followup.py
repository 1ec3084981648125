"""Follow-up by tracers: calls and their outcomes, names, notes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import (
    ACTIVE,
    CALLED_TOGETHER,
    REACHING,
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    check_version,
)
from tracetogether.authority.cases.notes import Note, Notes
from tracetogether.authority.cases.particulars import (
    FIELDS,
    Field,
    described,
    opened_particulars,
)
from tracetogether.authority.desk.calendars import after_calls, check_next_call, check_open
from tracetogether.authority.desk.hours import calling_hours
from tracetogether.authority.desk.person_details import PersonDetails
from tracetogether.authority.desk.views import Desk, Followed
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters

_ANSWERED: Final = REACHING | {Outcome.CALL_BACK}
"""Outcomes of calls that the person answered."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What tracers do with the contacts of their cases, until the last day's call.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it, NotFoundError if
    there is no such contact in a case that ``by`` needs to know, and StaleError if ``version`` is
    given and somebody has changed the contact since.
    """

    keys: KeyRing
    desk: Desk
    casework: Casework
    store: IntakeStore
    notes: Notes
    audit: Audit
    details: PersonDetails
    parameters: FollowUpParameters = FOLLOW_UP
    days: LocalDays = UTC_DAYS

    # --- calls ---

    def reach(
        self, contact_id: str, now: float, *, version: int | None = None, by: Caller
    ) -> Followed:
        """Record that the person was informed, for all cases; the daily calls begin.

        Raises:
            ConflictError: the contact became a case, was merged, or was informed before.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._to_change(contact_id, version, by)
            check_open(kept)
            if kept.traced_at is not None:
                msg = "the person was already informed: record the outcome of the day's call"
                raise ConflictError(msg, "contact-informed-already")
            others = [
                line
                for line in self.store.desk.lines_of(kept.who)
                if line.contact_id != contact_id
                and line.state in CALLED_TOGETHER
                and line.traced_at is None
            ]
            for line in (kept, *others):
                reached = replace(line, state=ContactState.REACHED, traced_at=now, ended_at=None)
                reached = self._change(reached, "contact.reached", now, by)
                self._start_tracing(reached.case_id, now)
                kept = reached if reached.contact_id == contact_id else kept
        return self.desk.shown(kept, by)

    def record(
        self,
        contact_id: str,
        day: int,
        outcome: Outcome,
        now: float,
        *,
        call_at: float | None = None,
        version: int | None = None,
        by: Caller,
    ) -> Followed:
        """Record the outcome of a day's call; it replaces an earlier outcome of that day.

        It holds for the person: the lines of other cases that name the same person get it too.

        A contact that was reached is in follow-up, and completed once the last day has its
        outcome. One that was not reached on three days in a row is lost, until somebody reaches
        the person after all. One who refused, is in hospital, died or moved is not called any
        more. Another operator's outcome is replaced only if ``version`` is given.

        Args:
            contact_id: whom the call was to.
            day: number of the day in the authority's time zone.
            outcome: what the call found.
            now: epoch seconds.
            call_at: when to call again, epoch seconds; None for any time of the next day.
            version: of the contact, as the caller saw it; None for any.
            by: the caller.

        Raises:
            InvalidRequestError: the day is in the future or outside of the calendar, or the time
                of the next call is missing, past, or too far away.
            ConflictError: the contact became a case or was merged, or another operator recorded
                another outcome.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._to_change(contact_id, version, by)
            if version is None:
                self._check_own(contact_id, day, outcome, by)
            kept = self.called(kept, day, outcome, now, call_at=call_at, by=by)
        return self.desk.shown(kept, by)

    def called(
        self,
        kept: KeptContact,
        day: int,
        outcome: Outcome,
        now: float,
        *,
        call_at: float | None = None,
        by: Caller,
    ) -> KeptContact:
        """Store the outcome of a call for all lines of a person, and return this one after it.

        The caller of this method has checked that ``by`` may see the contact, and has opened a
        transaction. See ``record`` for the rules.
        """
        by.require(Action.RECORD_CALL)
        check_open(kept)
        if day > self.days.day(now):
            msg = "you can't record a call for a future day"
            raise InvalidRequestError(msg, "call-in-future")
        if not kept.until_day - self.parameters.days <= day <= kept.until_day:
            msg = "the day is not in the contact's calendar: see its first and last day"
            raise InvalidRequestError(msg, "day-not-in-calendar")
        lines = (kept, *self._other_lines(kept, day))
        check_next_call(
            outcome,
            call_at,
            now,
            until_day=max(line.until_day for line in lines),
            days=self.days,
            hours=calling_hours(self.store),
        )
        contact_id = kept.contact_id
        for line in lines:
            after = self._with_number(line, day, outcome)
            after = self._with_call(after, DayOutcome(day, outcome, by.name, now), call_at, now)
            details = {"day": day, "outcome": outcome.value, "state": after.state.value}
            after = self._change(after, "contact.called", now, by, **details)
            self._start_tracing(after.case_id, now)
            kept = after if after.contact_id == contact_id else kept
        return kept

    def _with_call(
        self, kept: KeptContact, call: DayOutcome, call_at: float | None, now: float
    ) -> KeptContact:
        """Store the outcome of a call to one line of a person, and return the line after it."""
        self.store.desk.put_outcome(kept.contact_id, call)
        outcomes = self.store.desk.outcomes([kept.contact_id])[kept.contact_id]
        again_on = None if call_at is None else self.days.day(call_at)
        called = after_calls(kept, outcomes, now, self.parameters, again_on=again_on)
        return replace(called, call_at=call_at if called.state in ACTIVE else None)

    def _with_number(self, kept: KeptContact, day: int, outcome: Outcome) -> KeptContact:
        """Return a line whose telephone number is marked as wrong, or no longer, by a call.

        The mark goes when somebody answers as the person, and when the outcome of the same day
        is corrected. A call in vain says nothing about the number.
        """
        details = opened_particulars(kept, self.keys)
        marked, wrong = details.phone in details.wrong, outcome is Outcome.WRONG_NUMBER
        if wrong == marked or not details.phone:
            return kept
        if marked and outcome not in _ANSWERED:
            before = self.store.desk.outcomes([kept.contact_id]).get(kept.contact_id, ())
            if all((call.day, call.outcome) != (day, Outcome.WRONG_NUMBER) for call in before):
                return kept
        return self.details.sealed(kept, details.with_number(wrong=wrong))

    def _other_lines(self, kept: KeptContact, day: int) -> list[KeptContact]:
        """Return the lines of other cases that name the same person, and have that day."""
        return [
            line
            for line in self.store.desk.lines_of(kept.who)
            if line.contact_id != kept.contact_id
            and line.state in CALLED_TOGETHER
            and line.until_day - self.parameters.days <= day <= line.until_day
        ]

    def call_anyway(
        self, contact_id: str, now: float, *, version: int | None = None, by: Caller
    ) -> Followed:
        """Put a casual contact on the list of people to call.

        Raises:
            ConflictError: the contact is not a casual one.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            kept = self._to_change(contact_id, version, by)
            if kept.state is not ContactState.CASUAL:
                msg = "only a casual contact can be added to the list: this one is or was on it"
                raise ConflictError(msg, "on-call-list-already")
            kept = replace(kept, state=ContactState.TO_TRACE)
            kept = self._change(kept, "contact.to_trace", now, by)
        return self.desk.shown(kept, by)

    # --- names and notes ---

    def reveal(self, contact_id: str, reason: str, now: float, *, by: Caller) -> "Person":
        """Return who a contact is; the audit log records the caller and the reason.

        Raises:
            InvalidRequestError: the reason is empty, too long or no plain text.
            NotFoundError: also if the key that the person was sealed under is destroyed.
        """
        by.require(Action.REVEAL)
        return self.revealed(self.desk.kept(contact_id, by), reason, now, by=by)

    def revealed(self, kept: KeptContact, reason: str, now: float, *, by: Caller) -> "Person":
        """Return who a contact is; ``reveal`` has the rules.

        The caller of this method has checked that ``by`` may see the contact.
        """
        person = self.identity(kept, by=by)
        name = person.pseudonym
        why = self.audit.reason_given(reason, now, by=by.name, case_id=kept.case_id, contact=name)
        self.audit.record(
            "contact.revealed", now, by=by.name, subject=kept.case_id, contact=name, reason=why
        )
        return person

    def identity(self, kept: KeptContact, *, by: Caller) -> "Person":
        """Return who a contact is; the audit log has this reveal already.

        The caller of this method has checked that ``by`` may see the contact, and that this is
        still the call for which the person was revealed.
        """
        by.require(Action.REVEAL)
        user_id = self.desk.user_of(kept)
        details = opened_particulars(kept, self.keys)
        name = self.desk.name_of(user_id)
        wrong = details.phone in details.wrong
        return Person(
            name,
            user_id,
            details.name,
            details.phone,
            details.also,
            kept.version,
            wrong_number=wrong,
            language=details.language,
        )

    def describe(
        self,
        contact_id: str,
        name: str,
        phone: str,
        now: float,
        *,
        language: str = "",
        clear: Collection[Field] = (),
        version: int | None = None,
        by: Caller,
    ) -> Followed:
        """Store a contact's name, telephone number or language, sealed; ``reveal`` shows them.

        They hold for the person: the lines of other cases that name the same person get them too,
        and so does an open case of the person.

        Args:
            contact_id: whose.
            name: a blank keeps the stored one.
            phone: likewise.
            now: epoch seconds.
            language: code of the person's language, such as "ms"; a blank keeps the stored one,
                "und" deletes it.
            clear: which of them to delete.
            version: of the contact, as the caller saw it; without one, nothing that is stored is
                replaced or deleted.
            by: the caller.

        Raises:
            InvalidRequestError: a text is too long, its field is to be deleted too, or the
                language is no code.
            ConflictError: a text would replace another, and no ``version`` is given.
        """
        by.require(Action.DESCRIBE)
        with self.audit.atomic():
            kept = self._to_change(contact_id, version, by)
            typed = {"name": name, "phone": phone, "language": language}
            kept = self.write_down(kept, typed, now, clear=clear, version=version, by=by)
        return self.desk.shown(kept, by)

    def write_down(
        self,
        kept: KeptContact,
        typed: Mapping[str, str],
        now: float,
        *,
        clear: Collection[Field] = (),
        version: int | None = None,
        by: Caller,
    ) -> KeptContact:
        """Store name and number with all lines and open cases of a person; see ``describe``.

        The caller of this method has checked that ``by`` may see the contact, and has opened a
        transaction.
        """
        by.require(Action.DESCRIBE)
        changed = described(opened_particulars(kept, self.keys), typed, clear, version)
        return self.details.write_line(kept, changed, now, by) if changed else kept

    def described(self, contact_id: str, *, by: Caller) -> frozenset[str]:
        """Return which of name and telephone number are stored, without showing them."""
        by.require(Action.LIST_FOLLOWED)
        return self.fields_of(self.desk.kept(contact_id, by), by=by)

    def fields_of(self, kept: KeptContact, *, by: Caller) -> frozenset[str]:
        """Return which of name and number are stored of a contact that ``by`` may see."""
        by.require(Action.LIST_FOLLOWED)
        details = opened_particulars(kept, self.keys)
        return frozenset(name for name in FIELDS if details.value(name))

    def changed_since(
        self, contact_id: str, version: int, now: float, *, by: Caller
    ) -> dict[str, str]:
        """Return names and telephone numbers that others stored after ``version``.

        The page shows them beside what the caller typed. The audit log records this as a reveal.
        """
        by.require(Action.REVEAL)
        kept = self.desk.kept(contact_id, by)
        details = opened_particulars(kept, self.keys)
        found: dict[str, str] = {
            name: details.value(name) for name in FIELDS if details.changed.get(name, 0) > version
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
        """Store a note on a case, or on a contact of it.

        Raises:
            InvalidRequestError: the note is empty or too long.
        """
        by.require(Action.WRITE_NOTE)
        case = self.casework.case(case_id, by=by)
        if contact_id and self.desk.kept(contact_id, by).case_id != case.case_id:
            raise NotFoundError("that contact belongs to another case", "contact-of-other-case")
        return self.notes.add(case.case_id, contact_id, text, now, by=by.name)

    def _to_change(self, contact_id: str, version: int | None, by: Caller) -> KeptContact:
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

    def _start_tracing(self, case_id: str, now: float) -> None:
        case = self.store.desk.locked_case(case_id)
        if case is not None and case.tracing_at is None:
            state = CaseState.TRACING if case.state is CaseState.OPEN else case.state
            self.store.desk.put_case(replace(case, state=state, tracing_at=now))


@dataclass(frozen=True, slots=True)
class Person:
    """Who a contact or a case is, as far as it is stored.

    Attributes:
        pseudonym, user_id: as registered.
        name, phone: "" if nobody stored it.
        also: other names and telephone numbers, of contacts that were merged into this one.
        version: of the contact; a change of name or telephone number must give it.
        wrong_number: whether the last call to that number found somebody else, or nobody.
        language: code of the person's language; "" if nobody stored it.
    """

    pseudonym: str
    user_id: str = field(repr=False)
    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    also: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    version: int = 1
    wrong_number: bool = False
    language: str = field(default="", repr=False)
