"""Operators and their roles: who may do what at the authority; what is not granted is denied."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol, Self

from tracetogether.authority.access.audit import Audit
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, ConflictError, NotFoundError

_OPERATOR: Final = b"tracetogether/v1/operator-token/"
OPERATOR_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII)


class Role(Enum):
    """What an operator may be allowed to do; each role is one duty and implies no other."""

    ISSUER = "issuer"  # opens cases, gives out upload PINs
    TRACER = "tracer"  # lists contacts of the cases given to him, learns who a contact is
    SUPERVISOR = "supervisor"  # sees all cases, and gives them to tracers
    EXPORTER = "exporter"  # takes counts and lists out
    KEYHOLDER = "keyholder"  # sees which day keys there are
    AUDITOR = "auditor"  # reads the audit log and the metrics
    ADMIN = "admin"  # adds and disables operators


ALL_ROLES: Final = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Operator:
    """A person, or a program, that works at the authority.

    Attributes:
        name: unique; stands in the audit log.
        roles: what is granted.
        added_at: epoch seconds.
        disabled: shut out for good; the name stays taken.
        token_digest: what is kept of the token.
    """

    name: str
    roles: frozenset[Role]
    added_at: float
    token_digest: bytes = field(repr=False)
    disabled: bool = False

    def may(self, *roles: Role) -> bool:
        """Return whether any of ``roles`` is granted."""
        return not self.disabled and not self.roles.isdisjoint(roles)

    def to_json(self) -> dict[str, object]:
        """Return this as the command line and the HTTP form print it."""
        return {
            "name": self.name,
            "roles": sorted(role.value for role in self.roles),
            "added_at": self.added_at,
            "disabled": self.disabled,
        }


class OperatorStore(Protocol):
    """Where operators are kept; their tokens are nowhere."""

    def add_operator(self, operator: Operator) -> bool:
        """Write down a new operator; False if the name or the token is already there."""
        ...

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        ...

    def disable_operator(self, name: str) -> bool:
        """Shut an operator out; False if there is none of that name who is not."""
        ...


def operator_digest(token: str) -> bytes:
    """Return what the store keeps of an operator token (256 random bits, so a hash will do)."""
    return sha256(_OPERATOR + token.encode())


def roles_named(names: Iterable[str]) -> frozenset[Role]:
    """Return roles by their names.

    Raises:
        NotFoundError: there is none of that name, or none was given.
    """
    try:
        roles = frozenset(Role(name) for name in names)
    except ValueError:
        roles = frozenset()
    if not roles:
        msg = f"give one or more roles of {', '.join(role.value for role in Role)}"
        raise NotFoundError(msg)
    return roles


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is done, for the audit log and for what may be granted."""

    name: str
    roles: frozenset[Role]

    @classmethod
    def of(cls, operator: Operator) -> Self:
        """Return the caller that an operator is."""
        return cls(operator.name, frozenset() if operator.disabled else operator.roles)

    def needs_to_know(self, assigned_to: str) -> bool:
        """Return whether a case that was given to ``assigned_to`` is this caller's business."""
        return Role.SUPERVISOR in self.roles or (
            Role.TRACER in self.roles and self.name == assigned_to
        )


CONSOLE: Final = Caller("console", ALL_ROLES)
"""Whoever has a shell on the authority's machine holds its keys and files anyway."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Adds and disables operators. Nobody grants what he does not hold, or changes himself."""

    store: OperatorStore
    audit: Audit

    def add(
        self, name: str, roles: frozenset[Role], token: str, now: float, *, by: Caller = CONSOLE
    ) -> Operator:
        """Add an operator who will show ``token``.

        Raises:
            AccessDeniedError: ``by`` does not hold a role that is to be granted.
            ConflictError: the name is taken, or no name.
        """
        if not OPERATOR_NAME.fullmatch(name) or name == CONSOLE.name:
            msg = "an operator's name has up to 32 of a-z, 0-9, dot, dash and underscore"
            raise ConflictError(msg)
        if not roles <= by.roles:
            msg = "nobody grants a role that he does not hold"
            raise AccessDeniedError(msg)
        operator = Operator(name, roles, now, operator_digest(token))
        with self.audit.atomic():
            if not self.store.add_operator(operator):
                msg = "there is or was an operator of that name: choose another"
                raise ConflictError(msg)
            granted = ",".join(sorted(role.value for role in roles))
            self.audit.record("operator.added", now, by=by.name, subject=name, roles=granted)
        return operator

    def disable(self, name: str, now: float, *, by: Caller = CONSOLE) -> None:
        """Shut an operator out from the next request on.

        Raises:
            AccessDeniedError: it is ``by`` himself, or somebody with roles that he lacks.
            NotFoundError: there is none of that name who is not disabled already.
        """
        found = next((one for one in self.store.operators() if one.name == name), None)
        if found is not None and (name == by.name or not found.roles <= by.roles):
            msg = "nobody disables himself, or an operator with roles that he does not hold"
            raise AccessDeniedError(msg)
        with self.audit.atomic():
            if not self.store.disable_operator(name):
                msg = "there is no such operator who is not disabled already"
                raise NotFoundError(msg)
            self.audit.record("operator.disabled", now, by=by.name, subject=name)

    def all(self) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        return self.store.operators()
