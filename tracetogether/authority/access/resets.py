"""Two people reset an operator's codes, or password and codes: one asks, another confirms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller, Role, allowed
from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import AccessDeniedError, ConflictError, NotFoundError
from tracetogether.units import SECONDS_PER_DAY

ASKED_S: Final = SECONDS_PER_DAY
"""How long a request can be confirmed."""


class Reset(Enum):
    """What an operator has lost."""

    CODES = "codes"  # the phone with the app: the password stays
    PASSWORD = "password"  # noqa: S105 - the password: the codes are sealed under it, and go too


@dataclass(frozen=True, slots=True)
class CodeReset:
    """A request to reset an operator's codes or password, which waits for a second person.

    Attributes:
        name: the operator's.
        asked_by: who asked.
        asked_at: epoch seconds.
        what: what is reset.
    """

    name: str
    asked_by: str
    asked_at: float
    what: Reset = Reset.CODES


@dataclass(frozen=True, slots=True)
class CodeResets:
    """Resets operators' codes, and passwords that were forgotten.

    Two people act, and neither of them for themselves. After lost codes the password stays, and
    nobody learns it: the operator signs in with it and sets up codes again. After a lost password
    the one who confirms hands over a password that works once: the operator chooses another one
    at the first sign-in. Who hands it over could sign in with it first. So both must hold all
    roles of the operator: nobody gets a role by it, not even one who adds a second admin.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it.
    """

    store: AccessStore
    audit: Audit

    def ask(self, name: str, now: float, *, what: Reset = Reset.CODES, by: Caller) -> CodeReset:
        """Ask for an operator's codes or password to be reset; a newer request replaces an older.

        Raises:
            AccessDeniedError: also for the caller's own codes, for the password of an operator
                with roles that the caller does not hold, and from the console.
            ConflictError: the codes are to be reset, and the operator has set up none.
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.RESET_CODES)
        self._check(name, what, by)
        reset = CodeReset(name, by.name, now, what)
        with self.audit.atomic():
            kept = self.store.sign_ins.password(name)
            if what is Reset.CODES and (kept is None or not kept.sealed_secret):
                msg = "the operator has set up no codes: there is nothing to reset"
                raise ConflictError(msg, "no-codes-to-reset")
            self.store.put_code_reset(reset)
            self.audit.record(
                "operator.reset-asked", now, by=by.name, subject=name, what=what.value
            )
        return reset

    def confirm(
        self,
        name: str,
        now: float,
        *,
        what: Reset = Reset.CODES,
        new_password: Callable[[], str] | None = None,
        by: Caller,
    ) -> str:
        """Confirm another person's request: the operator's codes and sessions end.

        Args:
            name: the operator's.
            now: epoch seconds.
            what: what the caller was asked to confirm.
            new_password: sets a password that works once, and returns it; needed for a password.
            by: the caller.

        Returns:
            The new password, to be handed over; "" if the password stays.

        Raises:
            AccessDeniedError: also for the caller's own codes or request, for the password of an
                operator with roles that the caller does not hold, and from the console.
            NotFoundError: nobody has asked for that within a day, or no enabled operator has that
                name.
        """
        by.require(Action.RESET_CODES)
        self._check(name, what, by)
        with self.audit.atomic():
            asked = next((reset for reset in self.waiting(now, by=by) if reset.name == name), None)
            if asked is not None and asked.asked_by == by.name:
                msg = "you asked for this yourself: another person must confirm it"
                raise AccessDeniedError(msg, "confirms-own-reset")
            if asked is None or asked.what is not what or not self.store.drop_code_reset(name):
                raise _not_asked()
            act = "operator.codes-reset"
            if what is Reset.PASSWORD:
                act = "operator.password-reset"
            else:
                self.store.sign_ins.forget_codes(name)
            self.store.sign_ins.end_sessions(name)
            self.audit.record(act, now, by=by.name, subject=name, asked_by=asked.asked_by)
            if what is Reset.CODES:
                return ""
            if new_password is None:
                msg = "this server sets no passwords: confirm it at the pages or the console"
                raise ConflictError(msg, "no-passwords-here")
            return new_password()

    def withdraw(self, name: str, now: float, *, by: Caller) -> None:
        """End a request without doing anything.

        Raises:
            NotFoundError: there is no request for that operator.
        """
        by.require(Action.RESET_CODES)
        with self.audit.atomic():
            if not self.store.drop_code_reset(name):
                raise _not_asked()
            self.audit.record("operator.reset-withdrawn", now, by=by.name, subject=name)

    def waiting(self, now: float, *, by: Caller) -> Sequence[CodeReset]:
        """Return the requests that can be confirmed, by the operator's name."""
        by.require(Action.LIST_OPERATORS)
        return [reset for reset in self.store.code_resets() if now - reset.asked_at < ASKED_S]

    def _check(self, name: str, what: Reset, by: Caller) -> None:
        by.require_person()
        if name == by.name:
            msg = "two other people reset your codes"
            raise AccessDeniedError(msg, "own-codes")
        found = next(
            (each for each in self.store.operators() if each.name == name and not each.disabled),
            None,
        )
        if found is None:
            msg = "there is no enabled operator of that name"
            raise NotFoundError(msg, "no-such-operator")
        if what is Reset.PASSWORD and not found.roles <= by.roles:
            msg = (
                "you can reset a password only for an operator whose roles you hold: `authority "
                "user password` on the server can always"
            )
            raise AccessDeniedError(msg, "password-role-not-held")


def end_requests(
    name: str, left: frozenset[Role], now: float, *, store: AccessStore, audit: Audit, by: str
) -> None:
    """Drop the requests of somebody who is no admin now, and those about who has no access.

    Args:
        name: of an operator who has just lost a role, or was disabled.
        left: the roles that the operator has from now on.
        now: epoch seconds.
        store: where the requests are.
        audit: the log.
        by: who did it.
    """
    asks = allowed(Action.RESET_CODES, left)
    ended = [
        reset
        for reset in store.code_resets()
        if (reset.asked_by == name and not asks) or (reset.name == name and not left)
    ]
    # All rows first: the audit log is locked from its first entry on, and others, who confirm a
    # request, lock the row before the log.
    for reset in [reset for reset in ended if store.drop_code_reset(reset.name)]:
        about = {"subject": reset.name, "asked_by": reset.asked_by}
        audit.record("operator.reset-withdrawn", now, by=by, **about)


def _not_asked() -> NotFoundError:
    msg = "nobody has asked for this reset within a day"
    return NotFoundError(msg, "no-reset-asked")
