"""Call next: take the most urgent person, show all that the call needs, save, take the next one."""

import os
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.cases.calls import (
    RESERVED_S,
    SHIFT_S,
    CallShift,
    Draft,
    SealedDraft,
    ShiftReason,
)
from tracetogether.authority.cases.followed import DayOutcome, Outcome, check_version
from tracetogether.authority.cases.notes import Note, Notes
from tracetogether.authority.desk.followup import FollowUp, Person
from tracetogether.authority.desk.hours import calling_hours
from tracetogether.authority.desk.people import CallList, PersonToCall
from tracetogether.authority.desk.shifts import end_shift
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy

_TRIES = 100
_MOST_COUNTED = 500
"""The page says \"500 or more\": an exact count of thousands helps nobody and costs time."""


@dataclass(frozen=True, slots=True)
class CallSheet:
    """One person to call, with all that the call needs.

    Attributes:
        line: the person, with the lines that the caller may see.
        person: name and telephone number; the audit log has this reveal.
        calls: what was found on earlier days, the oldest first.
        notes: on the person, from the cases that the caller may see, the oldest first.
        draft: what this caller has typed before and not saved.
        reserved_until: epoch seconds; until then nobody else gets this person.
        outside_hours: whether nobody is to be called at this hour of the day.
    """

    line: PersonToCall
    person: Person
    calls: tuple[DayOutcome, ...]
    notes: tuple[Note, ...]
    draft: Draft
    reserved_until: float
    outside_hours: bool = False


@dataclass(frozen=True, slots=True)
class Calling:
    """A tracer's calls, one after the other.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it.
    """

    keys: KeyRing
    people: CallList
    follow_up: FollowUp
    notes: Notes
    store: CallingStore
    audit: Audit
    entropy: Entropy = os.urandom

    def begin_shift(self, reason: ShiftReason, now: float, *, by: Caller) -> CallShift:
        """Begin a shift: its reason goes to the audit log with each person that is revealed."""
        by.require(Action.REVEAL)
        shift = CallShift(by.name, reason, now, now + SHIFT_S)
        with self.audit.atomic():
            self.store.calls.put_shift(shift)
            self.audit.record("shift.begun", now, by=by.name, reason=reason.value)
        return shift

    def shift(self, now: float, *, by: Caller) -> CallShift | None:
        """Return the caller's shift; None if none has begun, or it is over."""
        by.require(Action.REVEAL)
        shift = self.store.calls.shift(by.name)
        return shift if shift is not None and now < shift.until else None

    def end_shift(self, now: float, *, by: Caller) -> None:
        """End the caller's shift, and free the people whom the caller has reserved."""
        by.require(Action.REVEAL)
        end_shift(by.name, now, store=self.store, audit=self.audit, by=by.name)

    def outside_hours(self, now: float) -> bool:
        """Return whether nobody is to be called at this hour of the day."""
        hours = calling_hours(self.store)
        return hours is not None and not hours.contain(now, self.people.desk.days)

    def ready(self, now: float, *, by: Caller) -> tuple[int, bool]:
        """Return how many people ``next`` could give to the caller, and whether more may be due.

        The caller's own person counts; people whose agreed time has not come don't.
        """
        by.require(Action.RECORD_CALL)
        day, oldest = self.people.desk.today(now), self.keys.oldest_day or 0
        return self.store.calls.ready(day, now, by.name, since_day=oldest, most=_MOST_COUNTED)

    def next(self, now: float, *, skip: str = "", by: Caller) -> CallSheet | None:
        """Reserve the most urgent person who is due, and return the sheet; None if nobody is.

        It takes people of the caller's cases, and of cases that are assigned to nobody. Whom the
        caller has reserved before is free again. A person whose keys are destroyed is passed over.

        Args:
            now: epoch seconds.
            skip: id of a contact whose person is not to be taken now.
            by: the caller.

        Raises:
            ConflictError: the caller has begun no shift.
        """
        by.require(Action.RECORD_CALL)
        shift = self._begun(now, by)
        day, calls = self.people.desk.today(now), self.store.calls
        left_out = self.store.desk.contact(skip) if skip.isascii() and skip else None
        without = set() if left_out is None else {left_out.who}
        oldest = self.keys.oldest_day or 0
        for _ in range(_TRIES):
            with self.audit.atomic():
                calls.release(by.name)
                due = calls.next_due(day, now, by.name, without=without, since_day=oldest)
                if due is None:
                    return None
                found = self._lines(due.who, now, by)  # as they are now; nobody else changes them
                if found is None or any(shown.kept.last_day >= day for shown in found.lines):
                    continue  # a colleague was faster between the two looks
                if not found.pseudonym:  # nobody can tell who it is
                    without.add(due.who)
                    continue
                if calls.reserve(due.who, by.name, now, now + RESERVED_S):
                    return self._revealed(found, shift, now, by)
        return None  # a hundred others were faster: nobody is left

    def open(self, contact_id: str, now: float, *, by: Caller) -> CallSheet:
        """Reserve a person and return the sheet: one who rings back, or whom the caller has.

        Whom the caller has reserved before is free again.

        Raises:
            ConflictError: another operator calls the person now, or the caller has no shift.
            NotFoundError: the caller does not need to know any case of the person.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            line = self._to_call(contact_id, now, by)
            shift = self._begun(now, by)
            self.store.calls.release(by.name)
            self._reserve(line.first.who, now, by)
            return self._revealed(line, shift, now, by)

    def release(self, *, by: Caller) -> int:
        """Free the people whom the caller has reserved; return how many."""
        by.require(Action.RECORD_CALL)
        return self.store.calls.release(by.name)

    def current(self, now: float, *, by: Caller) -> CallSheet | None:
        """Return the sheet of the person whom the caller has reserved; None if there is nobody.

        The audit log has this reveal from when the person was reserved.
        """
        by.require(Action.RECORD_CALL)
        if self.shift(now, by=by) is None:
            return None
        for held in self.store.calls.reserved_by(by.name, now):
            line = self._lines(held.who, now, by)
            if line is not None:
                return self._sheet(line, held.until, now, by)
        return None

    def save(
        self,
        contact_id: str,
        outcome: Outcome | None,
        now: float,
        *,
        note: str = "",
        call_at: float | None = None,
        name: str = "",
        phone: str = "",
        language: str = "",
        version: int | None = None,
        by: Caller,
    ) -> PersonToCall:
        """Record what a call found, with a note; the person is free again.

        Args:
            contact_id: one of the person's lines.
            outcome: what the call found; None if the form doesn't say.
            now: epoch seconds.
            note: text for the next caller; a blank stores none.
            call_at: when to call again, epoch seconds; None for any time of the next day.
            name: of the person, for all cases; a blank keeps the stored one.
            phone: likewise, a telephone number.
            language: likewise, its code; "und" deletes the stored one.
            version: of the person, as the caller saw it; None for any.
            by: the caller.

        Raises:
            ConflictError: another operator calls the person now, or the contact became a case.
            InvalidRequestError: there is no outcome, a text is too long, or the time does not
                fit.
            NotFoundError: the caller does not need to know any case of the person.
            StaleError: ``version`` is given, and somebody changed the person since.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            line = self._to_call(contact_id, now, by)
            if outcome is None:
                raise InvalidRequestError("choose the outcome of the call", "choose-outcome")
            check_version(line.version, version)
            day, kept = self.people.desk.today(now), line.first
            said = {"name": name, "phone": phone, "language": language}
            typed = {field: text for field, text in said.items() if text.strip()}
            # A wrong number is the one that was stored; a person who answered has the new one.
            wrong = outcome is Outcome.WRONG_NUMBER
            if typed and not wrong:
                kept = self.follow_up.write_down(kept, typed, now, version=version, by=by)
            kept = self.follow_up.called(kept, day, outcome, now, call_at=call_at, by=by)
            if typed and wrong:
                self.follow_up.write_down(kept, typed, now, version=version, by=by)
            if note.strip():
                by.require(Action.WRITE_NOTE)
                self.notes.add(line.first.case_id, line.contact_id, note, now, by=by.name)
            self.store.calls.drop_draft(by.name, line.first.who)
            self.store.calls.release(by.name)
        return self.people.lines([self.store.desk.lines_of(line.first.who)], now, by, nobodys=True)[
            0
        ]

    def saved(
        self, contact_id: str, now: float, *, by: Caller
    ) -> tuple[PersonToCall, DayOutcome] | None:
        """Return a person and what the caller recorded of them today; None without such a call.

        The page offers to correct it. It reveals nobody: the person has the pseudonym only.
        """
        by.require(Action.RECORD_CALL)
        kept = self.store.desk.contact(contact_id) if contact_id.isascii() and contact_id else None
        line = None if kept is None else self._lines(kept.who, now, by)
        if line is None:
            return None
        today, first = self.people.desk.today(now), line.contact_id
        for call in self.store.desk.outcomes([first]).get(first, ()):
            if call.day == today and call.by == by.name:
                return line, call
        return None

    def describe(
        self,
        contact_id: str,
        name: str,
        phone: str,
        now: float,
        *,
        language: str = "",
        version: int | None = None,
        by: Caller,
    ) -> None:
        """Store name, telephone number and language of a person, for all cases.

        A blank changes none of them; the language "und" deletes the stored one.

        Raises:
            ConflictError: another operator calls the person now, or a text would replace another
                and no ``version`` is given.
            InvalidRequestError: a text is too long, or the language is no code.
            NotFoundError: the caller does not need to know any case of the person.
            StaleError: ``version`` is given, and somebody changed the person since.
        """
        by.require(Action.DESCRIBE)
        with self.audit.atomic():
            line = self._to_call(contact_id, now, by)
            check_version(line.version, version)
            typed = {"name": name, "phone": phone, "language": language}
            self.follow_up.write_down(line.first, typed, now, version=version, by=by)

    def keep_draft(self, contact_id: str, draft: Draft, now: float, *, by: Caller) -> None:
        """Keep what the caller has typed, sealed, and go on with the reservation.

        Raises:
            ConflictError: another operator calls the person now.
            NotFoundError: the caller does not need to know any case of the person.
        """
        by.require(Action.RECORD_CALL)
        with self.audit.atomic():
            who = self._to_call(contact_id, now, by).first.who
            self._reserve(who, now, by)
            if draft:
                sealed = SealedDraft.of(draft, by.name, who, now, self.keys, self.entropy)
                self.store.calls.put_draft(sealed)
            else:
                self.store.calls.drop_draft(by.name, who)

    def _begun(self, now: float, by: Caller) -> CallShift:
        shift = self.shift(now, by=by)
        if shift is None:
            msg = "begin a shift first: choose the reason for which you will see names"
            raise ConflictError(msg, "no-shift")
        return shift

    def _to_call(self, contact_id: str, now: float, by: Caller) -> PersonToCall:
        """Return a person near a case of the caller, or near one that is assigned to nobody."""
        kept = self.store.desk.contact(contact_id) if contact_id.isascii() else None
        found = None if kept is None else self._lines(kept.who, now, by)
        if found is None:
            found = self.people.person(contact_id, now, by=by)  # or the error that says why not
        if found.reserved_by not in {"", by.name}:
            raise _is_reserved()
        return found

    def _reserve(self, who: bytes, now: float, by: Caller) -> None:
        if not self.store.calls.reserve(who, by.name, now, now + RESERVED_S):
            raise _is_reserved()

    def _lines(self, who: bytes, now: float, by: Caller) -> PersonToCall | None:
        found = self.people.lines([self.store.desk.lines_of(who)], now, by, nobodys=True)
        return found[0] if found else None

    def _revealed(self, line: PersonToCall, shift: CallShift, now: float, by: Caller) -> CallSheet:
        """Return the sheet of a person whom the caller has just reserved, and record the reveal."""
        self.follow_up.revealed(line.first, shift.reason.value, now, by=by)
        return self._sheet(replace(line, reserved_by=by.name), now + RESERVED_S, now, by)

    def _sheet(self, line: PersonToCall, until: float, now: float, by: Caller) -> CallSheet:
        ids = {shown.kept.contact_id for shown in line.lines}
        cases = sorted({shown.kept.case_id for shown in line.lines})
        notes = [
            note for case_id in cases for note in self.notes.read(case_id) if note.contact_id in ids
        ]
        outcomes = self.store.desk.outcomes(sorted(ids))
        calls = {call.day: call for days in outcomes.values() for call in days}
        kept = self.store.calls.draft(by.name, line.first.who)
        return CallSheet(
            line=line,
            person=self.follow_up.identity(line.first, by=by),
            calls=tuple(calls[day] for day in sorted(calls)),
            notes=tuple(sorted(notes, key=lambda note: note.at)),
            draft=Draft() if kept is None else kept.opened(self.keys),
            reserved_until=until,
            outside_hours=self.outside_hours(now),
        )


def _is_reserved() -> ConflictError:
    msg = "another operator calls this person now: take the next one"
    return ConflictError(msg, "person-reserved")
