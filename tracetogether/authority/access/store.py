"""What access needs of a store: users, operators, sign-ins, counts, settings, the audit log."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tracetogether.authority.access.audit import AuditEntry
    from tracetogether.authority.access.operators import Operator
    from tracetogether.authority.access.permissions import Role
    from tracetogether.authority.access.resets import CodeReset
    from tracetogether.authority.access.screens import Screen
    from tracetogether.authority.access.sign_in import KeptPassword, Session


class AccessStore(Protocol):
    """A store as the access room uses it. Each method is one transaction, or joins an open one."""

    @property
    def sign_ins(self) -> SignInStore:
        """The part that keeps passwords and sessions."""
        ...

    def atomic(self) -> AbstractContextManager[None]:
        """Make all that the body writes happen together or not at all; may be nested."""
        ...

    def put_setting(self, name: str, value: str) -> None:
        """Store a setting; it replaces the value that the name had."""
        ...

    def setting(self, name: str) -> str | None:
        """Return the value of a setting, or None."""
        ...

    def note_revoked(self, kind: str, subject: str) -> None:
        """Put something on the list of what no backup may bring back, beside the database."""
        ...

    # --- users: the store holds digests of credentials, never the credentials ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Add a user; return False if the id or the digest is already stored."""
        ...

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return the id of the user with this credential, or None."""
        ...

    def has_user(self, user_id: str) -> bool:
        """Return whether this user exists."""
        ...

    def registered(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are users."""
        ...

    def place_of(self, credential_digest: bytes) -> str | None:
        """Return the user id of the place with this credential; None if none has it any more."""
        ...

    def places_among(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are places: a place is no user, and a user no place."""
        ...

    def remove_user(self, user_id: str) -> bool:
        """Delete a user and all rows that refer to it; return False if there is none."""
        ...

    def add_withdrawal(self, digest: bytes, now: float) -> None:
        """Store when a user withdrew; a later time replaces an earlier one."""
        ...

    # --- operators: the store holds digests of tokens, never the tokens ---

    def add_operator(self, operator: Operator) -> bool:
        """Add an operator; return False if the name or the token is already stored."""
        ...

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, disabled ones included."""
        ...

    def disable_operator(self, name: str) -> bool:
        """Disable an operator; return False if no enabled one has this name."""
        ...

    def set_roles(self, name: str, roles: frozenset[Role], *, had: frozenset[Role]) -> bool:
        """Store an operator's roles; return False if the enabled operator doesn't have ``had``."""
        ...

    # --- requests to reset an operator's codes ---

    def put_code_reset(self, reset: CodeReset) -> None:
        """Store a request; it replaces the operator's earlier one."""
        ...

    def code_resets(self) -> Sequence[CodeReset]:
        """Return all requests by the operator's name."""
        ...

    def drop_code_reset(self, name: str) -> bool:
        """Delete the request for an operator; return False if there is none."""
        ...

    # --- screens: the store holds digests of codes and tokens, never these ---

    def put_screen(self, screen: Screen) -> None:
        """Store a screen; it replaces the one with that name."""
        ...

    def see_screen(self, name: str, now: float) -> None:
        """Store when a screen last showed the wall."""
        ...

    def screens(self) -> Sequence[Screen]:
        """Return all screens by name."""
        ...

    def drop_screen(self, name: str) -> bool:
        """Delete a screen; return False if there is none."""
        ...

    # --- counts of requests in windows of time ---

    def count_up(self, name: str, subject: bytes, window_s: int) -> int:
        """Add one to the count of the window that starts at ``window_s``, and return it."""
        ...

    def count_down(self, name: str, subject: bytes, window_s: int) -> None:
        """Take one from the count of a window, unless it is 0."""
        ...

    def count_up_each(
        self, name: str, windows: Mapping[bytes, int], over: int
    ) -> Mapping[bytes, int]:
        """Add one to the count of each subject in its window; return counts above ``over``."""
        ...

    def counted(self, name: str, subject: bytes, window_s: int) -> int:
        """Return the count of a window."""
        ...

    # --- the audit log: entries are only ever appended ---

    def last_audit(self) -> tuple[int, bytes]:
        """Return number and digest of the newest entry, (0, START) if there is none.

        Within ``atomic`` nobody else appends until the transaction ends.
        """
        ...

    def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""
        ...

    def audit(self, after: int = 0, limit: int | None = None) -> Iterable[tuple[AuditEntry, bytes]]:
        """Return entries with a number above ``after``, each with its stored digest."""
        ...

    def audit_times(self, after: float, until: float) -> Iterable[float]:
        """Return the times of entries later than ``after`` and up to ``until``, ascending."""
        ...


class SignInStore(Protocol):
    """The part of a store that keeps passwords and sessions of operators."""

    def put_password(self, kept: KeptPassword) -> None:
        """Store a password; it replaces the operator's earlier one."""
        ...

    def password(self, name: str) -> KeptPassword | None:
        """Return what is stored of an operator's password, or None."""
        ...

    def drop_password(self, name: str) -> bool:
        """Delete an operator's password; return False if there is none."""
        ...

    def enrol(self, name: str, sealed_secret: bytes, step: int) -> bool:
        """Store the secret of an operator's codes; return False if there is one already."""
        ...

    def forget_codes(self, name: str) -> bool:
        """Delete the secret of an operator's codes; return False if there is no password."""
        ...

    def use_step(self, name: str, step: int) -> bool:
        """Mark the code of a time step as used; return False if it, or a later one, was before."""
        ...

    def newest_step(self) -> int:
        """Return the newest time step whose code an operator gave; 0 if none did."""
        ...

    def add_session(self, session: Session) -> None:
        """Store a session."""
        ...

    def session(self, digest: bytes) -> Session | None:
        """Return a session, or None."""
        ...

    def see_session(self, digest: bytes, now: float) -> None:
        """Store when a session was last used."""
        ...

    def end_session(self, digest: bytes) -> None:
        """Delete a session."""
        ...

    def end_sessions(self, name: str) -> int:
        """Delete all sessions of an operator; return how many."""
        ...

    def drop_sessions(self, begun_before: float, seen_before: float) -> int:
        """Delete sessions that began, or were last used, before those times; return how many."""
        ...
