"""Users, operators, sign-ins, counts, settings and the audit log in tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.figure_tables import SCREENS
from tracetogether.adapters.sql_store.place_tables import PLACES
from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import (
    AUDIT,
    CODE_RESETS,
    COUNTS,
    OPERATORS,
    PASSWORDS,
    SESSIONS,
    SETTINGS,
    USERS,
    WITHDRAWALS,
)
from tracetogether.authority.access.audit import START, AuditEntry
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.access.resets import CodeReset, Reset
from tracetogether.authority.access.screens import Screen
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.errors import StoreError

_ENTRIES_AT_ONCE: Final = 1_000  # the log only grows: it is never read as a whole
_MOST_ENTRIES: Final = 2**63


def _role_names(roles: frozenset[Role]) -> str:
    return " ".join(sorted(role.value for role in roles))


_OPERATOR: Final = RowFormat(
    OPERATORS,
    Operator,
    read={"roles": lambda names: frozenset(map(Role, names.split()))},
    write={"roles": _role_names},
)
_ENTRY: Final = RowFormat(
    AUDIT,
    AuditEntry,
    read={"details": json.loads},
    write={"details": lambda details: json.dumps(dict(details))},
)
_PASSWORD: Final = RowFormat(PASSWORDS, KeptPassword)
_SESSION: Final = RowFormat(SESSIONS, Session)
_SCREEN: Final = RowFormat(SCREENS, Screen)
_CODE_RESET: Final = RowFormat(CODE_RESETS, CodeReset, read={"what": Reset})


class AccessTables(TableAccess):
    """An ``access.store.AccessStore``, its part for sign-ins excepted."""

    # --- settings ---

    def put_setting(self, name: str, value: str) -> None:
        """Store a setting; it replaces the value that the name had."""
        self._put(SETTINGS, {"name": name, "value": value})

    def setting(self, name: str) -> str | None:
        """Return the value of a setting, or None."""
        found = self._first(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name))
        return None if found is None else found["value"]

    def note_revoked(self, kind: str, subject: str) -> None:
        """Put something on the list of what no backup may bring back, beside the database."""
        with self._transactions.writing():
            self._transactions.revoked(kind, subject)

    # --- users ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Add a user; return False if the id or the digest is already stored."""
        return self._added(USERS, {"user_id": user_id, "credential_digest": credential_digest})

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return the id of the user with this credential, or None."""
        wanted = sa.select(USERS.c.user_id).where(USERS.c.credential_digest == credential_digest)
        found = self._first(wanted)
        return None if found is None else found["user_id"]

    def has_user(self, user_id: str) -> bool:
        """Return whether this user exists."""
        return bool(self.registered([user_id]))

    def registered(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are users."""
        rows = self._all_in(sa.select(USERS.c.user_id), USERS.c.user_id, user_ids)
        return {row["user_id"] for row in rows}

    def place_of(self, credential_digest: bytes) -> str | None:
        """Return the user id of the place with this credential; None if none has it any more."""
        wanted = sa.select(PLACES.c.user_id).where(
            PLACES.c.credential_digest == credential_digest, PLACES.c.retired_at_s.is_(None)
        )
        found = self._first(wanted)
        return None if found is None else found["user_id"]

    def places_among(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are places: a place is no user, and a user no place."""
        rows = self._all_in(sa.select(PLACES.c.user_id), PLACES.c.user_id, user_ids)
        return {row["user_id"] for row in rows}

    def remove_user(self, user_id: str) -> bool:
        """Delete a user and all rows that refer to it; return False if there is none."""
        return self._drop(USERS, USERS.c.user_id == user_id) == 1

    def add_withdrawal(self, digest: bytes, now: float) -> None:
        """Store when a user withdrew; a later time replaces an earlier one."""
        with self._transactions.writing():
            self._put(WITHDRAWALS, {"digest": digest, "at_s": now})
            self._transactions.revoked("withdrawn", digest.hex())

    # --- operators ---

    def add_operator(self, operator: Operator) -> bool:
        """Add an operator; return False if the name or the token is already stored."""
        return self._added(OPERATORS, _OPERATOR.values(operator))

    def put_operator(self, operator: Operator) -> None:
        """Store an operator; it replaces the one with that name."""
        self._put(OPERATORS, _OPERATOR.values(operator))

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, disabled ones included."""
        found = map(_OPERATOR.item, self._all(OPERATORS.select()))
        return sorted(found, key=lambda operator: operator.name)

    def disable_operator(self, name: str) -> bool:
        """Disable an operator; return False if no enabled one has this name."""
        which = OPERATORS.update().where(OPERATORS.c.name == name, OPERATORS.c.disabled.is_(False))
        with self._transactions.writing():
            changed = self._changed(which.values(disabled=True))
            if changed:
                self._transactions.revoked("disabled", name)
        return changed

    def set_roles(self, name: str, roles: frozenset[Role], *, had: frozenset[Role]) -> bool:
        """Store an operator's roles; return False if the enabled operator doesn't have ``had``."""
        same = sa.and_(
            OPERATORS.c.name == name,
            OPERATORS.c.disabled.is_(False),
            OPERATORS.c.roles == _role_names(had),
        )
        with self._transactions.writing():
            changed = self._changed(OPERATORS.update().where(same).values(roles=_role_names(roles)))
            if changed:
                kept = ",".join(_role_names(roles).split())
                self._transactions.revoked("roles", f"{name}:{kept}")
        return changed

    # --- requests to reset an operator's codes ---

    def put_code_reset(self, reset: CodeReset) -> None:
        """Store a request; it replaces the operator's earlier one."""
        self._put(CODE_RESETS, _CODE_RESET.values(reset))

    def code_resets(self) -> Sequence[CodeReset]:
        """Return all requests by the operator's name."""
        found = map(_CODE_RESET.item, self._all(CODE_RESETS.select()))
        return sorted(found, key=lambda reset: reset.name)

    def drop_code_reset(self, name: str) -> bool:
        """Delete the request for an operator; return False if there is none."""
        return self._delete(CODE_RESETS, CODE_RESETS.c.name == name) == 1

    # --- screens ---

    def put_screen(self, screen: Screen) -> None:
        """Store a screen; it replaces the one with that name."""
        self._put(SCREENS, _SCREEN.values(screen))

    def see_screen(self, name: str, now: float) -> None:
        """Store when a screen last showed the wall, unless the database is locked."""
        change = SCREENS.update().where(SCREENS.c.name == name).values(seen_at_s=now)
        with suppress(StoreError), self._transactions.writing(wait=False) as connection:
            connection.execute(change)

    def screens(self) -> Sequence[Screen]:
        """Return all screens by name."""
        return [_SCREEN.item(row) for row in self._all(SCREENS.select().order_by(SCREENS.c.name))]

    def drop_screen(self, name: str) -> bool:
        """Delete a screen; return False if there is none."""
        return self._delete(SCREENS, SCREENS.c.name == name) == 1

    # --- counts of requests ---

    def count_up(self, name: str, subject: bytes, window_s: int) -> int:
        """Add one to the count of the window that starts at ``window_s``, and return it."""
        row = self._database.insert(COUNTS).values(
            name=name, subject=subject, window_s=window_s, count=1
        )
        counting = row.on_conflict_do_update(
            index_elements=["name", "subject", "window_s"],
            set_={"count": COUNTS.c.count + 1},
        ).returning(COUNTS.c.count)
        with self._transactions.writing(relaxed_durability=True) as connection:
            return int(connection.execute(counting).scalar_one())

    def count_down(self, name: str, subject: bytes, window_s: int) -> None:
        """Take one from the count of a window, unless it is 0."""
        change = COUNTS.update().where(_window(name, subject, window_s), COUNTS.c.count > 0)
        with self._transactions.writing(relaxed_durability=True) as connection:
            connection.execute(change.values(count=COUNTS.c.count - 1))

    def count_up_each(
        self, name: str, windows: Mapping[bytes, int], over: int
    ) -> Mapping[bytes, int]:
        """Add one to the count of each subject in its window; return counts above ``over``."""
        with self._transactions.writing() as connection:
            return self._database.count_up_each(connection, name, windows, over)

    def counted(self, name: str, subject: bytes, window_s: int) -> int:
        """Return the count of a window."""
        wanted = sa.select(COUNTS.c.count).where(_window(name, subject, window_s))
        found = self._first(wanted)
        return 0 if found is None else found["count"]

    # --- the audit log ---

    def last_audit(self) -> tuple[int, bytes]:
        """Return number and digest of the newest entry, (0, START) if there is none."""
        newest = sa.select(AUDIT.c.number, AUDIT.c.digest).order_by(AUDIT.c.number.desc()).limit(1)
        if self._transactions.within:
            with self._transactions.writing() as connection:
                self._database.lock_audit(connection)
        found = self._first(newest)
        return (0, START) if found is None else (found["number"], found["digest"])

    def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""
        with self._transactions.writing() as connection:
            connection.execute(AUDIT.insert().values(**_ENTRY.values(entry), digest=entry.digest))

    def audit(self, after: int = 0, limit: int | None = None) -> Iterable[tuple[AuditEntry, bytes]]:
        """Yield entries with a number above ``after``, each with its stored digest."""
        left = _MOST_ENTRIES if limit is None else limit
        while left > 0:
            size = min(_ENTRIES_AT_ONCE, left)
            page = self._audit_page(after, size)
            yield from page
            if len(page) < size:
                return
            after, left = page[-1][0].number, left - size

    def _audit_page(self, after: int, size: int) -> list[tuple[AuditEntry, bytes]]:
        wanted = AUDIT.select().where(AUDIT.c.number > after).order_by(AUDIT.c.number).limit(size)
        return [(_ENTRY.item(row), row["digest"]) for row in self._all(wanted)]

    def audit_times(self, after: float, until: float) -> Iterable[float]:
        """Return the times of entries later than ``after`` and up to ``until``, ascending."""
        wanted = sa.select(AUDIT.c.time_s).where(AUDIT.c.time_s > after, AUDIT.c.time_s <= until)
        return [row["time_s"] for row in self._all(wanted.order_by(AUDIT.c.time_s))]


class SignInTables(TableAccess):
    """An ``access.store.SignInStore``: passwords and sessions of operators."""

    def put_password(self, kept: KeptPassword) -> None:
        """Store a password; it replaces the operator's earlier one."""
        with self._transactions.writing():
            self._put(PASSWORDS, _PASSWORD.values(kept))
            self._transactions.revoked("password", kept.name)

    def password(self, name: str) -> KeptPassword | None:
        """Return what is stored of an operator's password, or None."""
        row = self._first(PASSWORDS.select().where(PASSWORDS.c.name == name))
        return None if row is None else _PASSWORD.item(row)

    def drop_password(self, name: str) -> bool:
        """Delete an operator's password; return False if there is none."""
        return self._delete(PASSWORDS, PASSWORDS.c.name == name) == 1

    def enrol(self, name: str, sealed_secret: bytes, step: int) -> bool:
        """Store the secret of an operator's codes; return False if there is one already."""
        which = sa.and_(PASSWORDS.c.name == name, PASSWORDS.c.sealed_secret == b"")
        return self._changed(
            PASSWORDS.update().where(which).values(sealed_secret=sealed_secret, last_step=step)
        )

    def forget_codes(self, name: str) -> bool:
        """Delete the secret of an operator's codes; return False if there is no password.

        After a restore over a damaged database, somebody who knows the password must not be the
        first to set up codes: that sign-in ends, as after a change of the password.
        """
        forgotten = PASSWORDS.update().where(PASSWORDS.c.name == name)
        with self._transactions.writing():
            changed = self._changed(forgotten.values(sealed_secret=b""))
            if changed:
                self._transactions.revoked("password", name)
        return changed

    def use_step(self, name: str, step: int) -> bool:
        """Mark the code of a time step as used; return False if it, or a later one, was before."""
        which = sa.and_(PASSWORDS.c.name == name, PASSWORDS.c.last_step < step)
        return self._changed(PASSWORDS.update().where(which).values(last_step=step))

    def newest_step(self) -> int:
        """Return the newest time step whose code an operator gave; 0 if none did."""
        newest = sa.select(sa.func.coalesce(sa.func.max(PASSWORDS.c.last_step), 0))
        with self._transactions.reading() as connection:
            return int(connection.execute(newest).scalar_one())

    def add_session(self, session: Session) -> None:
        """Store a session."""
        with self._transactions.writing() as connection:
            connection.execute(SESSIONS.insert().values(**_SESSION.values(session)))

    def session(self, digest: bytes) -> Session | None:
        """Return a session, or None."""
        row = self._first(SESSIONS.select().where(SESSIONS.c.digest == digest))
        return None if row is None else _SESSION.item(row)

    def see_session(self, digest: bytes, now: float) -> None:
        """Store when a session was last used, unless the database is locked: nobody waits."""
        change = SESSIONS.update().where(SESSIONS.c.digest == digest).values(seen_at_s=now)
        with suppress(StoreError), self._transactions.writing(wait=False) as connection:
            connection.execute(change)

    def end_session(self, digest: bytes) -> None:
        """Delete a session."""
        self._delete(SESSIONS, SESSIONS.c.digest == digest)

    def end_sessions(self, name: str) -> int:
        """Delete all sessions of an operator; return how many."""
        return self._delete(SESSIONS, SESSIONS.c.name == name)

    def drop_sessions(self, begun_before: float, seen_before: float) -> int:
        """Delete sessions that began, or were last used, before those times; return how many."""
        return self._delete(
            SESSIONS,
            sa.or_(SESSIONS.c.begun_at_s < begun_before, SESSIONS.c.seen_at_s < seen_before),
        )


def _window(name: str, subject: bytes, window_s: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        COUNTS.c.name == name, COUNTS.c.subject == subject, COUNTS.c.window_s == window_s
    )
