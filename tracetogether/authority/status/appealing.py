"""Appeals: the restricted person asks, a third person decides, and the clock helps the person."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import new_id
from tracetogether.authority.status.appeal import Appeal, AppealState
from tracetogether.authority.status.attempts import Attempting
from tracetogether.authority.status.restricting import Restrictions, ShownRestriction
from tracetogether.authority.status.restriction import Ending, Restriction, RestrictionState
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tracetogether.parameters import RESTRICTIONS, RestrictionRules
from tracetogether.units import Entropy

_APPEALABLE = frozenset(
    {RestrictionState.LATER, RestrictionState.IN_FORCE, RestrictionState.SUSPENDED}
)


@dataclass(frozen=True, slots=True)
class ShownAppeal:
    """An appeal as operators see it.

    Attributes:
        appeal: the appeal.
        about: the restriction, with a pseudonym in place of the person.
        due_at: until when it is to be decided; the restriction is suspended afterwards.
        overdue: whether that has passed.
    """

    appeal: Appeal
    about: ShownRestriction
    due_at: float
    overdue: bool


@dataclass(frozen=True, slots=True)
class Appeals:
    """Takes appeals of phones and decisions of operators."""

    store: RestrictingStore
    restrictions: Restrictions
    attempts: Attempting
    audit: Audit
    entropy: Entropy = os.urandom
    rules: RestrictionRules = RESTRICTIONS

    def open(self, user_id: str, now: float) -> list[Appeal]:
        """Appeal against every restriction of a user; return the open appeals.

        Asked again, it returns the same appeals, and their clock runs on. A decided appeal can be
        followed by another one a day later.

        Args:
            user_id: whose credential the phone showed.
            now: epoch seconds.

        Raises:
            NotFoundError: nothing restricts the user.
            ConflictError: the last decision is less than a day old.
        """
        with self.audit.atomic():
            self.store.status.lock()
            against = [
                restriction
                for restriction in self.store.status.restrictions_of(user_id)
                if self.restrictions.state(restriction, now) in _APPEALABLE
            ]
            if not against:
                msg = "nothing restricts you: there is nothing to appeal against"
                raise NotFoundError(msg, "nothing-to-appeal")
            opened = [self._open(restriction, now) for restriction in against]
            appeals = [appeal for appeal in opened if appeal is not None]
            if not appeals:
                msg = "your appeal was decided less than a day ago: appeal again after a day"
                raise ConflictError(msg, "appeal-decided")
        return appeals

    def _open(self, restriction: Restriction, now: float) -> Appeal | None:
        earlier = self.store.status.appeals_of(restriction.restriction_id)
        if earlier and earlier[0].state is AppealState.OPEN:
            return earlier[0]
        decided = earlier[0].decided_at if earlier else None
        if decided is not None and now < decided + self.rules.appeal_again_s:
            return None
        appeal = Appeal(new_id(self.entropy), restriction.restriction_id, now)
        self.store.status.add_appeal(appeal)
        suspends_at = now + self.rules.appeal_s
        self.store.status.change_restriction(replace(restriction, suspends_at=suspends_at))
        self.audit.record(
            "appeal.opened",
            now,
            by="phone",
            subject=appeal.appeal_id,
            restriction=restriction.restriction_id,
        )
        return appeal

    def of_user(self, user_id: str) -> list[Appeal]:
        """Return the appeals of a user, the newest first: the phone shows how far they are."""
        return [
            appeal
            for restriction in self.store.status.restrictions_of(user_id)
            for appeal in self.store.status.appeals_of(restriction.restriction_id)
        ]

    def all(self, now: float, *, by: Caller) -> Sequence[ShownAppeal]:
        """Return all appeals that are kept, the open ones first, then the oldest first."""
        by.require(Action.LIST_APPEALS)
        appeals = sorted(
            self.store.status.appeals(),
            key=lambda appeal: (appeal.state is not AppealState.OPEN, appeal.opened_at),
        )
        return [self._shown(appeal, now) for appeal in appeals]

    def decide(
        self,
        appeal_id: str,
        outcome: AppealState,
        now: float,
        *,
        until: float | None = None,
        by: Caller,
    ) -> ShownAppeal:
        """Decide an open appeal.

        Args:
            appeal_id: which appeal.
            outcome: LIFTED ends the restriction, CORRECTED ends it earlier, UPHELD leaves it.
            now: epoch seconds.
            until: the earlier end, for CORRECTED only.
            by: the caller; neither who set nor who confirmed the restriction, nor who decided an
                earlier appeal against it.

        Raises:
            NotFoundError: there is no such appeal.
            AccessDeniedError: ``by`` took part in the restriction.
            ConflictError: the appeal is decided already.
            InvalidRequestError: the new end is missing, or not earlier.
        """
        by.require(Action.DECIDE_APPEAL)
        with self.attempts.attempt("appeal.decision-refused", now, by=by, subject=appeal_id):
            appeal = self.store.status.appeal(appeal_id) if appeal_id.isascii() else None
            if appeal is None:
                msg = "there is no such appeal: `authority appeal list` shows all"
                raise NotFoundError(msg, "no-such-appeal")
            if appeal.state is not AppealState.OPEN:
                raise ConflictError("this appeal is decided already", "appeal-decided-already")
            restriction = self.restrictions.found(appeal.restriction_id)
            self._check_third(restriction, by)
            changed = _decided(restriction, outcome, until, now, by)
            decided = replace(appeal, state=outcome, decided_at=now, decided_by=by.name)
            self.store.status.change_restriction(changed)
            self.store.status.change_appeal(decided)
            self.audit.record(
                "appeal.decided",
                now,
                by=by.name,
                subject=appeal_id,
                restriction=restriction.restriction_id,
                reference=restriction.reference,
                outcome=outcome.value,
            )
        return self._shown(decided, now)

    def _check_third(self, restriction: Restriction, by: Caller) -> None:
        earlier = self.store.status.appeals_of(restriction.restriction_id)
        took_part = {appeal.decided_by for appeal in earlier}
        if by.name in took_part | {restriction.set_by, restriction.confirmed_by}:
            msg = "you took part in this restriction: another reviewer decides"
            raise AccessDeniedError(msg, "own-appeal")

    def _shown(self, appeal: Appeal, now: float) -> ShownAppeal:
        restriction = self.restrictions.found(appeal.restriction_id)
        return ShownAppeal(
            appeal,
            self.restrictions.shown(restriction, now),
            appeal.opened_at + self.rules.appeal_s,
            appeal.overdue(now, self.rules),
        )


def _decided(
    restriction: Restriction, outcome: AppealState, until: float | None, now: float, by: Caller
) -> Restriction:
    """Return a restriction after a decision; an appeal never makes one longer."""
    if (until is None) is (outcome is AppealState.CORRECTED):
        msg = "give the new end with the outcome corrected, and with no other outcome"
        raise InvalidRequestError(msg, "correction-end")
    if outcome is AppealState.LIFTED:
        return replace(restriction, ended_at=now, ended_by=by.name, ending=Ending.APPEAL)
    if outcome is AppealState.UPHELD:
        return replace(restriction, suspends_at=None)
    if until is None or not now < until < restriction.until:
        msg = "a corrected restriction ends later than now, and earlier than before: or lift it"
        raise InvalidRequestError(msg, "correction-end")
    return replace(restriction, until=until, suspends_at=None)
