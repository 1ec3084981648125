"""Work on cases: open, show, assign, confirm, close and reopen them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import CONSOLE, Action, Caller, Role
from tracetogether.authority.cases.case import (
    OPEN_STATES,
    Case,
    CasePage,
    CaseQuery,
    CaseState,
    new_id,
)
from tracetogether.authority.cases.followed import check_version, person_tags
from tracetogether.authority.cases.store import CaseStore
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOBODY: Final = "-"
"""Instead of an operator's name: assign the case to nobody. No operator can have this name."""


@dataclass(frozen=True, slots=True)
class Casework:
    """What operators do with cases.

    A method that checks ``by`` raises AccessDeniedError if that caller's roles do not allow the
    action. It raises NotFoundError if there is no such case, or ``by`` does not need to know it,
    and StaleError if ``version`` is given and somebody has changed the case since.

    ``on_close`` gets the id of a case that is closed, the time and the caller, in the transaction.
    """

    store: CaseStore
    keys: KeyRing
    audit: Audit
    entropy: Entropy = os.urandom
    days: LocalDays = UTC_DAYS
    on_close: Callable[[str, float, Caller], None] | None = None

    def open_case(self, user_id: str, now: float, day: int | None = None, *, by: Caller) -> Case:
        """Open a case for a registered user; it is assigned to ``by`` if that is a tracer.

        Args:
            user_id: who was diagnosed, as it was read out: with or without groups.
            now: epoch seconds.
            day: number of the case's date, in the authority's time zone; today if None.
            by: the caller.

        Raises:
            NotFoundError: there is no such user.
            ConflictError: the user has an open case.
            InvalidRequestError: the date is in the future, or too long ago for any log, or the
                check character of the user id doesn't fit.
        """
        by.require(Action.OPEN_CASE)
        return self.opened(read_user_id(user_id), now, day, by=by)

    def opened(self, user_id: str, now: float, day: int | None, *, by: Caller) -> Case:
        """Open a case for a caller whose permission was checked.

        The case is confirmed if the caller may confirm cases.

        Raises: as ``open_case``, but for the permission.
        """
        day = self.days.day(now) if day is None else day
        self.check(user_id, now, day)
        confirmed = by.may(Action.CONFIRM_CASE)
        case = Case(
            new_id(self.entropy),
            user_id,
            day,
            now,
            now,
            assigned_to=by.name if Role.TRACER in by.roles and by is not CONSOLE else "",
            known_contact=bool(self.store.desk.tagged(person_tags(user_id, now, self.keys))),
            unconfirmed=not confirmed,
        )
        with self.audit.atomic():
            self.check_no_open_case(user_id, by=by)
            if not self.store.add_case(case):
                msg = "the new case's id is already taken: try again"
                raise ConflictError(msg, "id-taken")
            act = "case.opened" if confirmed else "case.opened-unconfirmed"
            self.audit.record(act, now, by=by.name, subject=case.case_id, date=case.date)
        return case

    def check(self, user_id: str, now: float, day: int) -> None:
        """Return if a case could be opened.

        Raises: as ``open_case``.
        """
        today = self.days.day(now)
        # An authority that named no time zone may be east of Greenwich, where tomorrow has begun.
        if day > today + self.days.is_utc:
            msg = "the case's date is in the future: give the day of diagnosis"
            raise InvalidRequestError(msg, "case-date-in-future")
        days = RETENTION.log_s // SECONDS_PER_DAY
        if day < today - days:
            msg = "the case's date is more than {days} days ago: no phone's log goes back so far"
            raise InvalidRequestError(msg, "case-date-too-old", days=days)
        if not user_id.isascii() or not self.store.has_user(user_id):
            msg = "there is no such user: check the id on the phone"
            raise NotFoundError(msg, "no-such-user")

    def check_no_open_case(self, user_id: str, *, by: Caller) -> None:
        """Return if the user has no open case, inside the transaction that opens one.

        Raises:
            ConflictError: there is one; it is named only to a caller who may see it.
        """
        for case in self.store.desk.open_cases_of(user_id):
            if self.may_see(case, by):
                msg = "this person has an open case already: it is {case}"
                raise ConflictError(msg, "open-case-known", case=case.case_id)
            msg = "this person has an open case already: a supervisor can assign it to you"
            raise ConflictError(msg, "open-case-hidden")

    # --- reading ---

    def case(self, case_id: str, *, by: Caller) -> Case:
        """Return a case whose contacts ``by`` needs to know."""
        by.require(Action.SHOW_CASE)
        case = self._found(case_id)
        if case is None or not by.needs_to_know(case.assigned_to):
            raise _not_found(by)
        return case

    def case_to_show(self, case_id: str, *, by: Caller) -> Case:
        """Return a case that ``by`` may see: callers who issue PINs see every case."""
        by.require(Action.SHOW_CASE)
        case = self._found(case_id)
        if case is None and by.may(Action.ISSUE_PIN):  # sees every case, so it does not exist
            raise _no_such_case()
        if case is None or not self.may_see(case, by):
            raise _not_found(by)
        return case

    def kept(self, case_id: str) -> Case:
        """Return a case, for the service itself: no caller's permission is checked."""
        case = self._found(case_id)
        if case is None:
            raise _no_such_case()
        return case

    def _found(self, case_id: str) -> Case | None:
        return self.store.case(case_id) if case_id.isascii() else None

    def locked(self, case_id: str, *, version: int | None = None, by: Caller) -> Case:
        """Return a case to change in the open transaction."""
        case = self.store.desk.locked_case(case_id) if case_id.isascii() else None
        if case is None or not by.needs_to_know(case.assigned_to):
            raise _not_found(by)
        check_version(case.version, version)
        return case

    def cases(self, *, by: Caller) -> Sequence[Case]:
        """Return all cases that ``by`` may see, the newest first."""
        by.require(Action.LIST_CASES)
        return [case for case in self.store.cases() if self.may_see(case, by)]

    def page(self, query: CaseQuery, now: float, *, by: Caller) -> CasePage:
        """Return a page of the cases that ``by`` may see."""
        by.require(Action.LIST_CASES)
        if not by.needs_to_know("") and not by.may(Action.ISSUE_PIN):
            query = replace(query, assigned_to=by.name)
        return self.store.desk.cases_page(query, self.days.day(now))

    def other_open_cases(self, case: Case, *, by: Caller) -> list[str]:
        """Return the ids of a person's other open cases that ``by`` may see."""
        by.require(Action.SHOW_CASE)
        found = self.store.desk.open_cases_of(case.user_id)
        return [other.case_id for other in found if other != case and self.may_see(other, by)]

    def may_see(self, case: Case, by: Caller) -> bool:
        """Return whether ``by`` may know that a case exists: it is theirs, or they issue PINs."""
        return by.needs_to_know(case.assigned_to) or by.may(Action.ISSUE_PIN)

    def visible_ids(self, case_ids: Iterable[str], by: Caller) -> frozenset[str]:
        """Return those of ``case_ids`` that ``by`` may know to exist, without the blank ones."""
        wanted = frozenset(case_ids) - {""}
        if not wanted or by.needs_to_know("") or by.may(Action.ISSUE_PIN):
            return wanted
        named = self.store.desk.cases_named(wanted)
        return frozenset(case.case_id for case in named if self.may_see(case, by))

    def several_open(self) -> list[tuple[str, ...]]:
        """Return the ids of the open cases of each person who has several.

        Older releases allowed that. Such cases are to be merged; a new one is refused.
        """
        found: dict[str, list[str]] = {}
        for case in self.store.cases():
            if case.state in OPEN_STATES:
                found.setdefault(case.user_id, []).append(case.case_id)
        return [tuple(ids) for ids in found.values() if len(ids) > 1]

    # --- changing ---

    def confirm(self, case_id: str, now: float, *, by: Caller) -> Case:
        """Confirm a case that a tracer opened for a contact; others' logs are used from then on.

        Raises:
            ConflictError: it is confirmed already, or no longer open.
        """
        by.require(Action.CONFIRM_CASE)
        with self.audit.atomic():
            case = self.store.desk.locked_case(case_id) if case_id.isascii() else None
            if case is None:
                raise _no_such_case()
            if not case.unconfirmed:
                raise ConflictError("the case is confirmed already", "case-confirmed-already")
            if case.state not in OPEN_STATES:
                msg = "the case is {state}: only an open case can be confirmed"
                raise ConflictError(msg, "case-not-open", state=case.state.value)
            return self._changed(replace(case, unconfirmed=False), "case.confirmed", now, by)

    def tracers(self, *, by: Caller) -> list[str]:
        """Return the names of the operators whom a case can be assigned to."""
        by.require(Action.ASSIGN_CASE)
        return [person.name for person in self.store.operators() if person.holds(Role.TRACER)]

    def assign(
        self, case_id: str, operator: str, now: float, *, version: int | None = None, by: Caller
    ) -> Case:
        """Assign a case to a tracer; ``NOBODY`` takes it from everybody, a blank name does not.

        Raises:
            NotFoundError: also if there is no such operator with the role of a tracer.
        """
        if operator not in {NOBODY, *self.tracers(by=by)}:
            msg = "there is no such operator with the role tracer: `authority user list` shows all"
            raise NotFoundError(msg, "no-such-tracer")
        name = "" if operator == NOBODY else operator
        with self.audit.atomic():
            case = replace(self.locked(case_id, version=version, by=by), assigned_to=name)
            return self._changed(case, "case.assigned", now, by, operator=name)

    def close(self, case_id: str, now: float, *, version: int | None = None, by: Caller) -> Case:
        """Close a case; its contacts keep their states.

        Raises:
            ConflictError: it is closed or merged already.
        """
        by.require(Action.CHANGE_CASE_STATE)
        with self.audit.atomic():
            case = self.locked(case_id, version=version, by=by)
            if case.state not in OPEN_STATES:
                msg = "the case is {state} already"
                raise ConflictError(msg, "case-closed-already", state=case.state.value)
            case = replace(case, state=CaseState.CLOSED, closed_at=now)
            if self.on_close is not None:
                self.on_close(case_id, now, by)
            return self._changed(case, "case.closed", now, by)

    def reopen(self, case_id: str, now: float, *, version: int | None = None, by: Caller) -> Case:
        """Open a closed case again.

        Raises:
            ConflictError: it is not closed, or the person has another open case.
        """
        by.require(Action.CHANGE_CASE_STATE)
        with self.audit.atomic():
            case = self.locked(case_id, version=version, by=by)
            if case.state is not CaseState.CLOSED:
                msg = "the case is {state}: only a closed case can be reopened"
                raise ConflictError(msg, "case-not-closed", state=case.state.value)
            self.check_no_open_case(case.user_id, by=by)
            state = CaseState.OPEN if case.tracing_at is None else CaseState.TRACING
            case = replace(case, state=state, closed_at=None)
            return self._changed(case, "case.reopened", now, by)

    def _changed(self, case: Case, act: str, now: float, by: Caller, **details: str) -> Case:
        """Write a changed case with its audit entry, and return it."""
        case = replace(case, version=case.version + 1)
        self.store.desk.put_case(case)
        self.audit.record(act, now, by=by.name, subject=case.case_id, **details)
        return case


def _no_such_case() -> NotFoundError:
    msg = "there is no such case: `authority case list` shows all"
    return NotFoundError(msg, "no-such-case")


def _not_found(by: Caller) -> NotFoundError:
    """Return one answer for a case that does not exist and for one that ``by`` may not see."""
    if by.needs_to_know(""):  # sees every case, so it does not exist
        return _no_such_case()
    msg = "there is no such case among those assigned to you"
    return NotFoundError(msg, "case-not-yours")
