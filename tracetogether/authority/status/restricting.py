"""Restrictions: one person sets one on one person, another person confirms it, and it ends."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.limits import Limit, Limits
from tracetogether.authority.access.operator_limits import take_of_operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import new_id
from tracetogether.authority.contacts.lines import pseudonym
from tracetogether.authority.status.attempts import Attempting
from tracetogether.authority.status.grounds import Grounds
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    Restriction,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RESTRICTIONS, RestrictionRules
from tracetogether.units import SECONDS_PER_DAY, Entropy

TRIES: Final = Limit("restriction-tries", 3 * RESTRICTIONS.a_day, SECONDS_PER_DAY)
"""Attempts of one operator, refused ones too: nobody tries out who is a contact, or a user."""
MOST_SHOWN: Final = 50
"""Rows on a page of restrictions; there is no export."""
_NOT_OVER: Final = frozenset(
    {
        RestrictionState.WAITING,
        RestrictionState.LATER,
        RestrictionState.IN_FORCE,
        RestrictionState.SUSPENDED,
    }
)


@dataclass(frozen=True, slots=True)
class ShownRestriction:
    """A restriction as operators see it: with a pseudonym in place of the person.

    Attributes:
        pseudonym: as in lists of contacts and cases.
        restriction: the rest.
        state: what it does now.
    """

    pseudonym: str
    restriction: Restriction
    state: RestrictionState


@dataclass(frozen=True, slots=True)
class RestrictionPage:
    """One page of restrictions that are not over, the newest first."""

    restrictions: tuple[ShownRestriction, ...]
    total: int
    offset: int


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What operators do with restrictions, and what the issuing of passes asks.

    A method that checks ``by`` raises AccessDeniedError if that caller's roles do not allow the
    action. Each method takes one person: none takes a list. The audit log records each act with
    the reference, in the same transaction, and each refusal with its reason.
    """

    store: RestrictingStore
    grounds: Grounds
    attempts: Attempting
    limits: Limits
    entropy: Entropy = os.urandom
    days: LocalDays = UTC_DAYS
    rules: RestrictionRules = RESTRICTIONS

    # --- what passes ask ---

    def in_force(
        self, user_id: str, now: float, grounds: Collection[Ground] = tuple(Ground)
    ) -> Restriction | None:
        """Return the restriction for which a user gets no passes at ``now``, or None.

        If there are several on these grounds, it is the one that ends last.
        """
        found = [
            restriction
            for restriction in self.store.status.restrictions_of(user_id)
            if restriction.ground in grounds
            and self.state(restriction, now) is RestrictionState.IN_FORCE
        ]
        return max(found, key=lambda restriction: restriction.until, default=None)

    def state(self, restriction: Restriction, now: float) -> RestrictionState:
        """Return what a restriction does at ``now``; it is over once its case is closed."""
        state = restriction.state(now, self.rules)
        if state is not RestrictionState.OVER and self.grounds.closed(restriction, now):
            return RestrictionState.OVER
        return state

    # --- what operators do ---

    def set(
        self,
        user_id: str,
        ground: Ground,
        reference: str,
        evidence: RestrictionEvidence,
        until: float,
        now: float,
        *,
        begins_at: float | None = None,
        by: Caller,
    ) -> Restriction:
        """Set a restriction on one person. It does nothing until another person confirms it.

        Args:
            user_id: of the person.
            ground: what it rests on.
            reference: id of the person's open case, or of a registered order.
            evidence: what the caller saw.
            until: when it ends, in epoch seconds.
            now: epoch seconds.
            begins_at: when it begins; now if None.
            by: the caller.

        Raises:
            NotFoundError: there is no such user or order.
            InvalidRequestError: the times or the evidence don't fit.
            ConflictError: the case is not an open one of this person, the order is over or full,
                or the person was restricted by the same reference before.
            RateLimitedError: the caller has set as many today as one person may.
        """
        by.require(Action.SET_RESTRICTION)
        user_id = read_user_id(user_id)
        begins_at = now if begins_at is None else begins_at
        new = Restriction(
            new_id(self.entropy),
            user_id,
            ground,
            reference,
            begins_at,
            until,
            evidence,
            f"pass.withheld.{ground.value}",
            by.name,
            now,
        )
        self._count_try(now, by)
        with self.attempts.attempt("restriction.refused", now, by=by, subject=reference):
            self._check_times(new, now)
            self._check_today(now, by)
            if not user_id.isascii() or not self.store.has_user(user_id):
                msg = "there is no such user: check the id on the phone"
                raise NotFoundError(msg, "no-such-user")
            order = self.grounds.check(new, now, by=by)
            self._check_first(new, now)
            if order is not None:
                if order.full:
                    msg = "the order is full: {most} at most, and that number is reached"
                    raise ConflictError(msg, "order-full", most=order.most_people)
                self.store.status.change_order(replace(order, people=order.people + 1))
            if not self.store.status.add_restriction(new):
                msg = "the new restriction's id is already taken: try again"
                raise ConflictError(msg, "id-taken")
            self._record("restriction.set", new, now, by)
            self._alert(new, now)
        return new

    def confirm(self, restriction_id: str, now: float, *, by: Caller) -> Restriction:
        """Confirm a restriction that somebody else set: from now on it is in force.

        Raises:
            NotFoundError: there is no such restriction.
            AccessDeniedError: ``by`` set it, or registered its order.
            ConflictError: it is confirmed, over or lapsed, or its ground is gone.
        """
        by.require(Action.CONFIRM_RESTRICTION)
        with self.attempts.attempt(
            "restriction.confirm-refused", now, by=by, subject=restriction_id
        ):
            found = self.found(restriction_id)
            if found.set_by == by.name:
                msg = "you set this restriction: another person must confirm it"
                raise AccessDeniedError(msg, "own-restriction")
            state = self.state(found, now)
            if state is not RestrictionState.WAITING:
                msg = "this restriction doesn't wait for a confirmation: it is {state}"
                raise ConflictError(msg, "restriction-not-waiting", state=state.value)
            self.grounds.check(found, now, by=by)
            confirmed = replace(found, confirmed_by=by.name, confirmed_at=now)
            self.store.status.change_restriction(confirmed)
            self._record("restriction.confirmed", confirmed, now, by)
        return confirmed

    def lift(self, restriction_id: str, now: float, *, by: Caller) -> Restriction:
        """End a restriction, or refuse one that waits for its confirmation. One person can.

        Raises:
            NotFoundError: there is no such restriction.
            ConflictError: it is over already.
        """
        by.require(Action.LIFT_RESTRICTION)
        with self.attempts.attempt("restriction.lift-refused", now, by=by, subject=restriction_id):
            found = self.found(restriction_id)
            if self.state(found, now) not in _NOT_OVER:
                raise ConflictError("this restriction is over already", "restriction-over")
            ending = Ending.REJECTED if found.confirmed_at is None else Ending.LIFTED
            lifted = replace(found, ended_at=now, ended_by=by.name, ending=ending)
            self.store.status.change_restriction(lifted)
            self._record("restriction.lifted", lifted, now, by)
        return lifted

    def found(self, restriction_id: str) -> Restriction:
        """Return a restriction, for the service itself: no caller's permission is checked."""
        found = self.store.status.restriction(restriction_id) if restriction_id.isascii() else None
        if found is None:
            msg = "there is no such restriction: `authority restriction list` shows them"
            raise NotFoundError(msg, "no-such-restriction")
        return found

    # --- reading ---

    def page(
        self,
        now: float,
        *,
        states: frozenset[RestrictionState] = _NOT_OVER,
        ends_by: float | None = None,
        offset: int = 0,
        limit: int = MOST_SHOWN,
        by: Caller,
    ) -> RestrictionPage:
        """Return a page of restrictions that are not over; restrictors see those that they set.

        Args:
            now: epoch seconds.
            states: of these states only.
            ends_by: only those that end at this time or earlier; None for all.
            offset: how many of them come before the page.
            limit: rows of the page, at most 50.
            by: the caller.
        """
        by.require(Action.LIST_RESTRICTIONS)
        reviews = by.may(Action.CONFIRM_RESTRICTION)
        found = [
            (restriction, state)
            for restriction in self.store.status.not_over(now)
            if (reviews or restriction.set_by == by.name)
            and (ends_by is None or restriction.until <= ends_by)
            and (state := self.state(restriction, now)) in states & _NOT_OVER
        ]
        shown = found[offset : offset + min(limit, MOST_SHOWN)]
        return RestrictionPage(
            tuple(self._shown(restriction, state) for restriction, state in shown),
            len(found),
            offset,
        )

    def one(self, restriction_id: str, now: float, *, by: Caller) -> ShownRestriction:
        """Return a restriction that ``page`` shows to the caller, or one that is over.

        Raises:
            NotFoundError: there is no such restriction, or it is not the caller's to see.
        """
        by.require(Action.LIST_RESTRICTIONS)
        found = self.found(restriction_id)
        if found.set_by != by.name and not by.may(Action.CONFIRM_RESTRICTION):
            found = self.found("")
        return self._shown(found, self.state(found, now))

    def shown(self, restriction: Restriction, now: float) -> ShownRestriction:
        """Return a restriction as operators see it, with a pseudonym in place of the person."""
        return self._shown(restriction, self.state(restriction, now))

    def _shown(self, restriction: Restriction, state: RestrictionState) -> ShownRestriction:
        name = pseudonym(restriction.user_id, self.grounds.keys.naming_key)
        return ShownRestriction(name, restriction, state)

    # --- checks ---

    def _count_try(self, now: float, by: Caller) -> None:
        audit = self.attempts.audit
        take_of_operator(TRIES, "restriction.tries-exceeded", now, self.limits, audit, by=by)

    def _check_times(self, new: Restriction, now: float) -> None:
        rules, days = self.rules, self.rules.longest_s // SECONDS_PER_DAY
        if not now <= new.begins_at <= now + rules.begins_within_s:
            msg = "a restriction begins now, or within {days} days"
            raise InvalidRequestError(
                msg, "restriction-begin", days=rules.begins_within_s // SECONDS_PER_DAY
            )
        if not 0 < new.until - new.begins_at <= rules.longest_s:
            msg = "a restriction ends after it begins, at most {days} days later"
            raise InvalidRequestError(msg, "restriction-end", days=days)

    def _check_today(self, now: float, by: Caller) -> None:
        day = self.days.day(now)
        today = self.store.status.restrictions_since(self.days.start(day), by.name)
        if len(today) >= self.rules.a_day:
            wait = max(1, int(self.days.start(day + 1) - now))
            msg = "one person sets {most} restrictions a day at most: another restrictor can go on"
            raise RateLimitedError(wait, msg, "restrictions-of-day", most=self.rules.a_day)

    def _check_first(self, new: Restriction, now: float) -> None:
        """Return if nobody restricted this person by this reference before: 14 days stay 14."""
        for earlier in self.store.status.restrictions_of(new.user_id):
            lapses_at = earlier.set_at + self.rules.confirmed_within_s
            void = earlier.confirmed_at is None and (
                earlier.ending is Ending.REJECTED or now > lapses_at
            )
            if earlier.reference == new.reference and not void:
                msg = "this person was restricted by the same reference before: once is all"
                raise ConflictError(msg, "restricted-before")

    # --- the audit log ---

    def _record(self, act: str, restriction: Restriction, now: float, by: Caller) -> None:
        self.attempts.audit.record(
            act,
            now,
            by=by.name,
            subject=restriction.restriction_id,
            ground=restriction.ground.value,
            reference=restriction.reference,
            evidence=restriction.evidence.value,
        )

    def _alert(self, new: Restriction, now: float) -> None:
        """Record an alert if this is the fifth of a day, or a later one, without evidence."""
        if new.evidence is not RestrictionEvidence.NONE:
            return
        count = self.without_evidence(now)
        if count >= self.rules.without_evidence_alert:
            self.attempts.audit.record(
                "restriction.alert", now, by="clock", subject=new.reference, count=count
            )

    def without_evidence(self, now: float) -> int:
        """Return how many restrictions without evidence were set on the day of ``now``."""
        since = self.days.start(self.days.day(now))
        return sum(
            restriction.evidence is RestrictionEvidence.NONE
            for restriction in self.store.status.restrictions_since(since)
        )
