"""Cases: a user who tested positive, and the day from which contacts are counted back."""

import os
from base64 import b32encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date  # noqa: N812 - `date` is the name of a property here
from enum import Enum
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import CONSOLE, Caller
from tracetogether.authority.access.permissions import Action, Role
from tracetogether.authority.cases.followed import ContactState, check_version, person_tags
from tracetogether.authority.cases.store import CaseStore
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOBODY: Final = "-"
"""What is given for an operator's name to take a case from everybody; no operator is called so."""
_EPOCH: Final = Date(1970, 1, 1).toordinal()


class CaseState(Enum):
    """How far a case has come."""

    OPEN = "open"  # nobody was called yet
    TRACING = "tracing"  # the first contact was called
    CLOSED = "closed"
    MERGED = "merged"  # it is the same as another case


OPEN_STATES: Final = frozenset({CaseState.OPEN, CaseState.TRACING})
"""States of a case that is worked on: a person has one such case at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """One diagnosed user.

    Attributes:
        case_id: random, ten characters.
        user_id: who was diagnosed.
        day: number of the case's date (diagnosis or first symptoms), a day of the authority's zone.
        opened_at: epoch seconds.
        active_at: when it was opened or last given an upload PIN; retention counts from here.
        state: how far it has come.
        assigned_to: name of the operator who works on it, or "".
        tracing_at: when the first contact was called; None before.
        closed_at: when it was closed or merged; None before.
        merged_into: id of the case that it was merged into, or "".
        known_contact: whether the person was a known contact of another case when it was opened.
        unconfirmed: whether a tracer opened it for a contact, and neither an issuer has confirmed
            it nor a log has come in with a PIN. Until then no other case's log is used for it.
        version: counts the changes by people; a form says which it was made of.
    """

    case_id: str
    user_id: str = field(repr=False)
    day: int
    opened_at: float
    active_at: float
    state: CaseState = CaseState.OPEN
    assigned_to: str = ""
    tracing_at: float | None = None
    closed_at: float | None = None
    merged_into: str = ""
    known_contact: bool = False
    unconfirmed: bool = False
    version: int = 1

    @property
    def first_day(self) -> int:
        """Number of the first traced day: 14 whole days before the case's date."""
        return self.day - RETENTION.traced_days

    def traced_span(self, days: LocalDays) -> tuple[float, float]:
        """Return start and end (exclusive) of the traced span: to the end of the case's date."""
        return days.start(self.first_day), days.start(self.day + 1)

    @property
    def date(self) -> str:
        """The case's date as YYYY-MM-DD."""
        return date_of_day(self.day)


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases a list shows, and which page of it.

    Attributes:
        states: of these states only; all if empty.
        assigned_to: given to this operator ("" for nobody); None for all.
        starts_with: whose id begins so.
        unconfirmed: only those that nobody has confirmed yet.
        offset, limit: the page.
    """

    states: frozenset[CaseState] = frozenset()
    assigned_to: str | None = None
    starts_with: str = ""
    unconfirmed: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case as lists show it.

    Attributes:
        case: the case.
        uploads: how many logs came in and are kept.
        contacts: how many contacts were found, the casual ones too, the merged ones not.
        to_trace, in_follow_up, lost: how many of them stand there (told ones are in follow-up).
        due: how many are to be called today.
    """

    case: Case
    uploads: int = 0
    contacts: int = 0
    to_trace: int = 0
    in_follow_up: int = 0
    lost: int = 0
    due: int = 0


@dataclass(frozen=True, slots=True)
class CasePage:
    """One page of cases, the newest first."""

    cases: tuple[CaseSummary, ...]
    total: int
    offset: int


def summary_of(
    case: Case, uploads: int, found: Mapping[ContactState, tuple[int, int]]
) -> CaseSummary:
    """Return a case with its counts; ``found`` has how many contacts and how many due by state."""
    count = {state: contacts for state, (contacts, _) in found.items()}
    in_all = sum(count.values()) - count.get(ContactState.MERGED, 0)
    followed = (ContactState.REACHED, ContactState.IN_FOLLOW_UP)
    return CaseSummary(
        case=case,
        uploads=uploads,
        contacts=in_all,
        to_trace=count.get(ContactState.TO_TRACE, 0),
        in_follow_up=sum(count.get(one, 0) for one in followed),
        lost=count.get(ContactState.LOST, 0),
        due=sum(due for _, due in found.values()),
    )


@dataclass(frozen=True, slots=True)
class Casework:
    """What an operator does with cases."""

    store: CaseStore
    keys: KeyRing
    audit: Audit
    entropy: Entropy = os.urandom
    days: LocalDays = UTC_DAYS

    def open_case(
        self, user_id: str, now: float, day: int | None = None, *, by: Caller = CONSOLE
    ) -> Case:
        """Open a case for a registered user. A tracer who opens one is given it.

        Args:
            user_id: who was diagnosed.
            now: epoch seconds.
            day: number of the case's date; today, where the authority is, if None.
            by: on whose behalf.

        Raises:
            AccessDeniedError: ``by`` may not open cases.
            NotFoundError: there is no such user.
            ConflictError: the user has an open case.
            InvalidRequestError: the date is in the future, or too long ago for any log.
        """
        by.require(Action.OPEN_CASE)
        return self.opened(user_id, now, day, by=by)

    def opened(self, user_id: str, now: float, day: int | None, *, by: Caller) -> Case:
        """Open a case on behalf of a caller whose permission was checked.

        It is confirmed if the caller may confirm cases.

        Raises: as ``open_case``, but for the permission.
        """
        day = self.days.day(now) if day is None else day
        self.check(user_id, now, day)
        mine = Role.TRACER in by.roles and by is not CONSOLE
        confirmed = by.may(Action.CONFIRM_CASE)
        case = Case(
            new_case_id(self.entropy),
            user_id,
            day,
            now,
            now,
            assigned_to=by.name if mine else "",
            known_contact=bool(self.store.desk.tagged(person_tags(user_id, now, self.keys))),
            unconfirmed=not confirmed,
        )
        with self.audit.atomic():
            self.check_no_open_case(user_id, by=by)
            if not self.store.add_case(case):
                msg = "the new case's id is already taken: try again"
                raise ConflictError(msg, "id-taken")
            self.audit.record(
                "case.opened" if confirmed else "case.opened-unconfirmed",
                now,
                by=by.name,
                subject=case.case_id,
                date=case.date,
            )
        return case

    def check_no_open_case(self, user_id: str, *, by: Caller) -> None:
        """Return if the user has no open case, inside the transaction that is to open one.

        Raises:
            ConflictError: there is one; it is named only to a caller who may see it.
        """
        for case in self.store.desk.open_cases_of(user_id):
            if self.may_see(case, by):
                msg = "this person has an open case already: it is {case}"
                raise ConflictError(msg, "open-case-known", case=case.case_id)
            msg = "this person has an open case already: a supervisor can assign it to you"
            raise ConflictError(msg, "open-case-hidden")

    def confirm(self, case_id: str, now: float, *, by: Caller = CONSOLE) -> Case:
        """Confirm a case that a tracer opened for a contact; others' logs are used from then on.

        Raises:
            AccessDeniedError: ``by`` may not confirm cases.
            NotFoundError: there is no such case.
            ConflictError: it is confirmed already, or no longer open.
        """
        by.require(Action.CONFIRM_CASE)
        with self.audit.atomic():
            case = self.store.desk.locked_case(case_id) if case_id.isascii() else None
            if case is None:
                raise _no_such_case()
            if not case.unconfirmed:
                raise ConflictError("the case is confirmed already", "case-confirmed-already")
            if case.state in {CaseState.CLOSED, CaseState.MERGED}:
                msg = "the case is {state}: only an open case can be confirmed"
                raise ConflictError(msg, "case-not-open", state=case.state.value)
            case = replace(case, unconfirmed=False, version=case.version + 1)
            self.store.desk.put_case(case)
            self.audit.record("case.confirmed", now, by=by.name, subject=case_id)
        return case

    def several_open(self) -> list[tuple[str, ...]]:
        """Return the ids of the open cases of each person who has several.

        Older releases allowed that. They are to be merged; a new one is refused.
        """
        found: dict[str, list[str]] = {}
        for case in self.store.cases():
            if case.state in OPEN_STATES:
                found.setdefault(case.user_id, []).append(case.case_id)
        return [tuple(ids) for ids in found.values() if len(ids) > 1]

    def may_see(self, case: Case, by: Caller) -> bool:
        """Return whether ``by`` may know that a case exists: it is theirs, or they issue PINs."""
        return by.needs_to_know(case.assigned_to) or by.may(Action.ISSUE_PIN)

    def visible_ids(self, case_ids: Iterable[str], by: Caller) -> frozenset[str]:
        """Return those of ``case_ids`` that ``by`` may know to exist, without the blank ones."""
        wanted = frozenset(case_ids) - {""}
        if not wanted or by.needs_to_know("") or by.may(Action.ISSUE_PIN):
            return wanted
        return wanted & {one.case_id for one in self.store.cases() if self.may_see(one, by)}

    def check(self, user_id: str, now: float, day: int) -> None:
        """Return if a case could be opened.

        Raises: as ``open_case``.
        """
        today = self.days.day(now)
        # Where nobody named a time zone, tomorrow may have begun: east of Greenwich it has.
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

    def case(self, case_id: str, *, by: Caller = CONSOLE) -> Case:
        """Return a case that ``by`` needs to know.

        Raises:
            NotFoundError: there is none, or it is not his.
        """
        found = self.store.case(case_id) if case_id.isascii() else None
        if found is None:
            raise _no_such_case()
        if not by.needs_to_know(found.assigned_to):
            raise _not_his()
        return found

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        return self.store.cases()

    def page(self, query: CaseQuery, now: float, *, by: Caller = CONSOLE) -> CasePage:
        """Return a page of the cases that ``by`` needs to know, or issues PINs for.

        Raises:
            AccessDeniedError: ``by`` may not list cases.
        """
        by.require(Action.LIST_CASES)
        if not by.needs_to_know("") and not by.may(Action.ISSUE_PIN):
            query = replace(query, assigned_to=by.name)
        return self.store.desk.cases_page(query, self.days.day(now))

    def assign(
        self,
        case_id: str,
        operator: str,
        now: float,
        *,
        version: int | None = None,
        by: Caller = CONSOLE,
    ) -> Case:
        """Give a case to an operator who traces; ``NOBODY`` takes it from everybody, a blank not.

        Raises:
            AccessDeniedError: ``by`` may not assign cases.
            NotFoundError: there is no such case, or no such operator with the role of a tracer.
            StaleError: somebody changed the case meanwhile.
        """
        by.require(Action.ASSIGN_CASE)
        if operator != NOBODY and not any(
            one.name == operator and one.holds(Role.TRACER) for one in self.store.operators()
        ):
            msg = "there is no such operator with the role tracer"
            raise NotFoundError(msg, "no-such-tracer")
        with self.audit.atomic():
            case = self.locked(case_id, version=version, by=by)
            name = "" if operator == NOBODY else operator
            case = replace(case, assigned_to=name, version=case.version + 1)
            self.store.desk.put_case(case)
            self.audit.record("case.assigned", now, by=by.name, subject=case.case_id, operator=name)
        return case

    def close(
        self, case_id: str, now: float, *, version: int | None = None, by: Caller = CONSOLE
    ) -> Case:
        """Close a case; its contacts keep their states.

        Raises:
            AccessDeniedError: ``by`` may not close cases.
            NotFoundError: there is none, or it is not his.
            ConflictError: it is closed or merged already.
        """
        by.require(Action.CHANGE_CASE_STATE)
        with self.audit.atomic():
            case = self.locked(case_id, version=version, by=by)
            if case.state in {CaseState.CLOSED, CaseState.MERGED}:
                msg = "the case is {state} already"
                raise ConflictError(msg, "case-closed-already", state=case.state.value)
            case = replace(case, state=CaseState.CLOSED, closed_at=now, version=case.version + 1)
            self.store.desk.put_case(case)
            self.audit.record("case.closed", now, by=by.name, subject=case.case_id)
        return case

    def reopen(
        self, case_id: str, now: float, *, version: int | None = None, by: Caller = CONSOLE
    ) -> Case:
        """Open a closed case again.

        Raises:
            AccessDeniedError: ``by`` may not open cases again.
            NotFoundError: there is none, or it is not his.
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
            case = replace(case, state=state, closed_at=None, version=case.version + 1)
            self.store.desk.put_case(case)
            self.audit.record("case.reopened", now, by=by.name, subject=case.case_id)
        return case

    def locked(self, case_id: str, *, version: int | None = None, by: Caller = CONSOLE) -> Case:
        """Return a case to change in the open transaction.

        Raises:
            NotFoundError: there is none, or ``by`` does not need to know it.
            StaleError: it is not the ``version`` that was seen.
        """
        found = self.store.desk.locked_case(case_id) if case_id.isascii() else None
        if found is None or not by.needs_to_know(found.assigned_to):
            raise _not_his()
        check_version(found.version, version)
        return found


def _no_such_case() -> NotFoundError:
    msg = "there is no such case: `authority case list` shows all"
    return NotFoundError(msg, "no-such-case")


def _not_his() -> NotFoundError:
    msg = "there is no such case among those assigned to you"
    return NotFoundError(msg, "case-not-yours")


def new_case_id(entropy: Entropy = os.urandom) -> str:
    """Return a random case id: ten characters that can be read out."""
    return b32encode(entropy(7)).decode()[:10]


def date_of_day(day: int) -> str:
    """Return the calendar day of a day's number as YYYY-MM-DD."""
    return Date.fromordinal(_EPOCH + day).isoformat()


def day_of(date: Date) -> int:
    """Return the number of a calendar day, counted from 1970-01-01."""
    return date.toordinal() - _EPOCH
