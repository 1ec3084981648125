"""Operators: the people and programs that work at the authority, and their roles."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import CONSOLE, Action, Caller, Role, allowed
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StaleError,
)

_OPERATOR: Final = b"tracetogether/v1/operator-token/"
OPERATOR_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operator:
    """A person, or a program, that works at the authority.

    Attributes:
        name: unique; the audit log shows it.
        roles: the granted roles.
        added_at: epoch seconds.
        disabled: has no access any more; the name stays taken.
        token_digest: digest of the token; the token itself is not stored.
    """

    name: str
    roles: frozenset[Role]
    added_at: float
    token_digest: bytes = field(repr=False)
    disabled: bool = False

    def may(self, action: Action | None) -> bool:
        """Return whether a role of this operator allows ``action``; None is never allowed."""
        return not self.disabled and allowed(action, self.roles)

    def holds(self, role: Role) -> bool:
        """Return whether ``role`` is granted, and the operator is not disabled."""
        return not self.disabled and role in self.roles

    @property
    def caller(self) -> Caller:
        """The caller that this operator is: one without roles if disabled."""
        return Caller(self.name, frozenset() if self.disabled else self.roles)


def operator_digest(token: str) -> bytes:
    """Return what the store keeps of an operator token (256 random bits, so a hash will do)."""
    return sha256(_OPERATOR + token.encode())


def roles_named(names: Iterable[str]) -> frozenset[Role]:
    """Return roles by their names.

    Raises:
        InvalidRequestError: a name is not a role, or none was given.
    """
    try:
        roles = frozenset(Role(name) for name in names)
    except ValueError:
        roles = frozenset()
    if not roles:
        msg = f"give one or more roles of {', '.join(role.value for role in Role)}"
        raise InvalidRequestError(msg, "no-such-role")
    return roles


def _nothing(_name: str, _left: frozenset[Role], _now: float, _by: Caller) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Adds, lists and disables operators.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it, or if it concerns
    a role that ``by`` lacks.

    Attributes:
        on_fewer_roles: called with name, roles that are left, time and who did it, in the
            transaction in which an operator loses a role or is disabled, before the entry of that
            in the audit log: the log is locked last, so that nobody waits in a circle.
    """

    store: AccessStore
    audit: Audit
    on_fewer_roles: Callable[[str, frozenset[Role], float, Caller], None] = _nothing

    def add(
        self, name: str, roles: frozenset[Role], token: str, now: float, *, by: Caller
    ) -> Operator:
        """Add an operator who will show ``token``.

        Raises:
            InvalidRequestError: the name is too long or has invalid characters.
            ConflictError: the name is taken.
        """
        by.require(Action.ADD_OPERATOR)
        if not OPERATOR_NAME.fullmatch(name) or name == CONSOLE.name:
            msg = "an operator's name has up to 32 of a-z, 0-9, dot, dash and underscore"
            raise InvalidRequestError(msg, "operator-name")
        if not roles <= by.roles:
            msg = "you can grant only the roles that you hold"
            raise AccessDeniedError(msg, "role-not-held")
        operator = Operator(name, roles, now, operator_digest(token))
        with self.audit.atomic():
            if not self.store.add_operator(operator):
                msg = "there is or was an operator of that name: choose another"
                raise ConflictError(msg, "operator-name-taken")
            granted = ",".join(sorted(role.value for role in roles))
            self.audit.record("operator.added", now, by=by.name, subject=name, roles=granted)
        return operator

    def disable(self, name: str, now: float, *, by: Caller) -> None:
        """Disable an operator, from the next request on.

        Raises:
            AccessDeniedError: also if ``by`` is this operator.
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.DISABLE_OPERATOR)
        found = next(
            (operator for operator in self.store.operators() if operator.name == name), None
        )
        if found is not None and (name == by.name or not found.roles <= by.roles):
            msg = "you can't disable yourself, or an operator with roles that you don't hold"
            raise AccessDeniedError(msg, "disable-not-allowed")
        with self.audit.atomic():
            if not self.store.disable_operator(name):
                msg = "there is no enabled operator of that name"
                raise NotFoundError(msg, "no-such-operator")
            self.on_fewer_roles(name, frozenset(), now, by)
            self.audit.record("operator.disabled", now, by=by.name, subject=name)

    def change_roles(
        self,
        name: str,
        roles: frozenset[Role],
        now: float,
        *,
        had: frozenset[Role] | None = None,
        by: Caller,
    ) -> Operator:
        """Give an operator other roles, from the next request on.

        Args:
            name: the operator's.
            roles: all roles that the operator has from now on, one at least.
            now: epoch seconds.
            had: the roles as the caller saw them; None for any.
            by: the caller.

        Raises:
            AccessDeniedError: also if ``by`` is this operator.
            InvalidRequestError: there is no role.
            NotFoundError: no enabled operator has that name.
            StaleError: ``had`` is given, and somebody changed the roles since.
        """
        by.require(Action.CHANGE_ROLES)
        if not roles:
            raise InvalidRequestError("choose one role at least", "choose-role")
        found = self._enabled(name)
        if name == by.name or not (found.roles ^ roles) <= by.roles:
            msg = "you can't change your own roles, or give or take a role that you don't hold"
            raise AccessDeniedError(msg, "roles-change-not-allowed")
        with self.audit.atomic():
            if not self.store.set_roles(name, roles, had=found.roles if had is None else had):
                msg = "somebody changed the roles since: look at them again"
                raise StaleError(msg)
            if not found.roles <= roles:
                self.on_fewer_roles(name, roles, now, by)
            granted = ",".join(sorted(role.value for role in roles))
            before = ",".join(sorted(role.value for role in found.roles))
            self.audit.record(
                "operator.roles", now, by=by.name, subject=name, roles=granted, before=before
            )
        return replace(found, roles=roles)

    def one(self, name: str, *, by: Caller) -> Operator:
        """Return an enabled operator.

        Raises:
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.LIST_OPERATORS)
        return self._enabled(name)

    def _enabled(self, name: str) -> Operator:
        for operator in self.store.operators():
            if operator.name == name and not operator.disabled:
                return operator
        msg = "there is no enabled operator of that name"
        raise NotFoundError(msg, "no-such-operator")

    def all(self, *, by: Caller) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        by.require(Action.LIST_OPERATORS)
        return self.store.operators()
