"""Passwords and sessions of operators in tables."""

from contextlib import suppress

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.adapters.sql_store.sign_in_tables import PASSWORDS, SESSIONS
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.errors import StoreError


class SqlSignIns(Rows):
    """A ``sign_in.SignInStore``; what it writes joins the store's transactions."""

    def put_password(self, kept: KeptPassword) -> None:
        """Write down a password in place of the operator's earlier one."""
        values = {
            "salt": kept.salt,
            "cost": kept.cost,
            "verifier": kept.verifier,
            "sealed_secret": kept.sealed_secret,
            "last_step": kept.last_step,
        }
        row = self._database.insert(PASSWORDS).values(name=kept.name, **values)
        with self._transactions.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
            self._transactions.revoked("password", kept.name)

    def password(self, name: str) -> KeptPassword | None:
        """Return what is kept of an operator's password."""
        wanted = PASSWORDS.select().where(PASSWORDS.c.name == name)
        with self._transactions.reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else KeptPassword(*row)

    def drop_password(self, name: str) -> bool:
        """Forget an operator's password; False if there is none."""
        with self._transactions.writing() as connection:
            gone = connection.execute(PASSWORDS.delete().where(PASSWORDS.c.name == name)).rowcount
        return gone == 1

    def enrol(self, name: str, sealed_secret: bytes, step: int) -> bool:
        """Keep the secret of an operator's codes; False if there is one already."""
        which = sa.and_(PASSWORDS.c.name == name, PASSWORDS.c.sealed_secret == b"")
        return self._changed(
            PASSWORDS.update().where(which).values(sealed_secret=sealed_secret, last_step=step)
        )

    def use_step(self, name: str, step: int) -> bool:
        """Note that the code of a time step was used; False if it, or a later one, was before."""
        which = sa.and_(PASSWORDS.c.name == name, PASSWORDS.c.last_step < step)
        return self._changed(PASSWORDS.update().where(which).values(last_step=step))

    def newest_step(self) -> int:
        """Return the newest time step whose code an operator gave; 0 if none did."""
        newest = sa.select(sa.func.coalesce(sa.func.max(PASSWORDS.c.last_step), 0))
        with self._transactions.reading() as connection:
            return int(connection.execute(newest).scalar_one())

    def add_session(self, session: Session) -> None:
        """Write down a session."""
        row = SESSIONS.insert().values(
            digest=session.digest,
            name=session.name,
            begun_at_s=session.begun_at,
            seen_at_s=session.seen_at,
            enrolling=session.enrolling,
        )
        with self._transactions.writing() as connection:
            connection.execute(row)

    def session(self, digest: bytes) -> Session | None:
        """Return a session."""
        wanted = SESSIONS.select().where(SESSIONS.c.digest == digest)
        with self._transactions.reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else Session(*row)

    def see_session(self, digest: bytes, now: float) -> None:
        """Note that somebody was here, unless the database is locked: nobody waits for that."""
        change = SESSIONS.update().where(SESSIONS.c.digest == digest).values(seen_at_s=now)
        with suppress(StoreError), self._transactions.writing(wait=False) as connection:
            connection.execute(change)

    def end_session(self, digest: bytes) -> None:
        """Forget a session."""
        self._gone(SESSIONS.c.digest == digest)

    def end_sessions(self, name: str) -> int:
        """Forget all sessions of an operator; return how many went."""
        return self._gone(SESSIONS.c.name == name)

    def drop_sessions(self, begun_before: float, seen_before: float) -> int:
        """Forget sessions begun, or seen last, before those times; return how many went."""
        return self._gone(
            sa.or_(SESSIONS.c.begun_at_s < begun_before, SESSIONS.c.seen_at_s < seen_before)
        )

    def _gone(self, which: sa.ColumnElement[bool]) -> int:
        with self._transactions.writing() as connection:
            return connection.execute(SESSIONS.delete().where(which)).rowcount
