"""An operator's codes are reset by two people: one asks, another confirms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import AccessDeniedError, ConflictError, NotFoundError
from tracetogether.units import SECONDS_PER_DAY

ASKED_S: Final = SECONDS_PER_DAY
"""How long a request can be confirmed."""


@dataclass(frozen=True, slots=True)
class CodeReset:
    """A request to reset an operator's codes, which waits for a second person.

    Attributes:
        name: the operator's.
        asked_by: who asked.
        asked_at: epoch seconds.
    """

    name: str
    asked_by: str
    asked_at: float


@dataclass(frozen=True, slots=True)
class CodeResets:
    """Resets operators' codes, for somebody who has lost the phone with the app.

    The password stays, and nobody learns it: the operator signs in with it and sets up codes
    again. Two people act, and neither of them for themselves.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it.
    """

    store: AccessStore
    audit: Audit

    def ask(self, name: str, now: float, *, by: Caller) -> CodeReset:
        """Ask for an operator's codes to be reset; a newer request replaces an older one.

        Raises:
            AccessDeniedError: also for the caller's own codes, and from the console.
            ConflictError: the operator has no password, or has set up no codes.
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.RESET_CODES)
        self._check(name, by)
        reset = CodeReset(name, by.name, now)
        with self.audit.atomic():
            kept = self.store.sign_ins.password(name)
            if kept is None or not kept.sealed_secret:
                msg = "the operator has set up no codes: there is nothing to reset"
                raise ConflictError(msg, "no-codes-to-reset")
            self.store.put_code_reset(reset)
            self.audit.record("operator.reset-asked", now, by=by.name, subject=name)
        return reset

    def confirm(self, name: str, now: float, *, by: Caller) -> None:
        """Confirm another person's request: the operator's codes and sessions end.

        Raises:
            AccessDeniedError: also for the caller's own codes or request, and from the console.
            NotFoundError: nobody has asked within a day, or no enabled operator has that name.
        """
        by.require(Action.RESET_CODES)
        self._check(name, by)
        with self.audit.atomic():
            asked = next((reset for reset in self.waiting(now, by=by) if reset.name == name), None)
            if asked is not None and asked.asked_by == by.name:
                msg = "you asked for this yourself: another person must confirm it"
                raise AccessDeniedError(msg, "confirms-own-reset")
            if asked is None or not self.store.drop_code_reset(name):
                msg = "nobody has asked within a day to reset this operator's codes"
                raise NotFoundError(msg, "no-reset-asked")
            self.store.sign_ins.forget_codes(name)
            self.store.sign_ins.end_sessions(name)
            self.audit.record(
                "operator.codes-reset", now, by=by.name, subject=name, asked_by=asked.asked_by
            )

    def withdraw(self, name: str, now: float, *, by: Caller) -> None:
        """End a request without doing anything.

        Raises:
            NotFoundError: there is no request for that operator.
        """
        by.require(Action.RESET_CODES)
        with self.audit.atomic():
            if not self.store.drop_code_reset(name):
                msg = "nobody has asked within a day to reset this operator's codes"
                raise NotFoundError(msg, "no-reset-asked")
            self.audit.record("operator.reset-withdrawn", now, by=by.name, subject=name)

    def waiting(self, now: float, *, by: Caller) -> Sequence[CodeReset]:
        """Return the requests that can be confirmed, by the operator's name."""
        by.require(Action.LIST_OPERATORS)
        return [reset for reset in self.store.code_resets() if now - reset.asked_at < ASKED_S]

    def _check(self, name: str, by: Caller) -> None:
        by.require_person()
        if name == by.name:
            msg = "two other people reset your codes"
            raise AccessDeniedError(msg, "own-codes")
        if not any(known.name == name and not known.disabled for known in self.store.operators()):
            msg = "there is no enabled operator of that name"
            raise NotFoundError(msg, "no-such-operator")
