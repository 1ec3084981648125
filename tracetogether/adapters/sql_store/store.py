"""Users, operators, cases, PINs, uploads, contact lists, counts and the audit log in tables."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import sqlalchemy as sa

from tracetogether.adapters.sql_store.audit_rows import read_entries, write_entry
from tracetogether.adapters.sql_store.contact_rows import read_list, write_list
from tracetogether.adapters.sql_store.databases import Database, Sqlite, database_of
from tracetogether.adapters.sql_store.desk import SqlDesk, case_of
from tracetogether.adapters.sql_store.migrating import check_empty, check_revision, migrate
from tracetogether.adapters.sql_store.row_counts import count_everything
from tracetogether.adapters.sql_store.sign_ins import SqlSignIns
from tracetogether.adapters.sql_store.tables import (
    AUDIT,
    CASES,
    CONTACT_LISTS,
    CONTACTS,
    COUNTS,
    OPERATORS,
    PINS,
    SETTINGS,
    UPLOADS,
    USED_TOKENS,
    USERS,
)
from tracetogether.adapters.sql_store.transactions import Transactions
from tracetogether.authority.access.audit import START, AuditEntry
from tracetogether.authority.access.operators import Operator, Role
from tracetogether.authority.cases.casework import Case
from tracetogether.authority.contacts.lists import ContactList
from tracetogether.authority.intake.pins import UploadPin
from tracetogether.authority.intake.uploads import SealedUpload
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.errors import StoreError
from tracetogether.units import utc_day

_NAME: Final = "authority"
_ASKED_AT_ONCE: Final = 10_000  # SQLite takes 32,766 values in a statement


class SqlStore:
    """Everything but the keys. Threads, processes and (on PostgreSQL) machines may share it.

    Every write is one transaction. On SQLite it holds the file's only write lock from its
    start; on PostgreSQL what two of them could both change is changed by one statement,
    under the row's lock.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._transactions = Transactions(database)
        self.sign_ins = SqlSignIns(database, self._transactions)
        self.desk = SqlDesk(database, self._transactions)

    @classmethod
    def create(cls, place: Path | str, *, name: str) -> Self:
        """Make the tables of a new authority.

        Args:
            place: a file that is not there yet (it gets mode 0600), or a PostgreSQL database's URL.
            name: the authority's organisation code, kept in the database.

        Raises:
            StoreError: there is an authority already, or it can't be written.
        """
        database: Database = Sqlite.create(place) if isinstance(place, Path) else database_of(place)
        store = cls(database, name)
        try:
            with store._transactions.writing() as connection:
                check_empty(connection, database.place)
                migrate(connection)
                connection.execute(SETTINGS.insert().values(name=_NAME, value=name))
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, place: Path | str) -> Self:
        """Open an authority's database, given by its file or its URL.

        Raises:
            StoreError: there is none, or it is another program's, or of another version.
        """
        if isinstance(place, Path) and not place.is_file():
            msg = f"there is no database {place}: `tracetogether authority init` makes one"
            raise StoreError(msg)
        database = database_of(place)
        store = cls(database, "")
        try:
            with store._transactions.reading() as connection:
                if isinstance(database, Sqlite):
                    database.check(connection)
                check_revision(connection, database.place)
            store._name = store.noted(_NAME) or ""
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def migrate(cls, place: Path | str) -> None:
        """Bring a database of an earlier release to this one's schema.

        Raises:
            StoreError: it is another program's, or can't be written.
        """
        database = database_of(place)
        store = cls(database, "")
        try:
            with store._transactions.writing() as connection:
                if isinstance(database, Sqlite):
                    database.check(connection)
                migrate(connection)
        finally:
            store.close()

    @property
    def name(self) -> str:
        """The authority's organisation code."""
        return self._name

    def close(self) -> None:
        """Close all connections."""
        self._database.engine.dispose()
        self._database.hasty.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqlStore({self._database.place!r})"

    def backup(self, path: Path) -> None:
        """Write a copy of an SQLite database to a new file while it is in use.

        Raises:
            StoreError: it is PostgreSQL's (which has pg_dump), or the file can't be written.
        """
        if not isinstance(self._database, Sqlite):
            msg = "a PostgreSQL database is backed up by its own means: pg_dump"
            raise StoreError(msg)
        copy = Sqlite.create(path)
        copy.engine.dispose()
        copy.hasty.dispose()
        with self._transactions.reading() as connection:
            target = sqlite3.connect(path)
            try:
                source: Any = connection.connection.driver_connection
                source.backup(target)
            finally:
                target.close()

    # --- users (access.UserStore) ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        return self._added(USERS, user_id=user_id, credential_digest=credential_digest)

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        wanted = sa.select(USERS.c.user_id).where(USERS.c.credential_digest == credential_digest)
        with self._transactions.reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
        return found

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        return bool(self.registered([user_id]))

    def registered(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of ``user_ids`` that are users."""
        found: set[str] = set()
        with self._transactions.reading() as connection:
            for first in range(0, len(user_ids), _ASKED_AT_ONCE):
                some = USERS.c.user_id.in_(user_ids[first : first + _ASKED_AT_ONCE])
                wanted = sa.select(USERS.c.user_id).where(some)
                found.update(connection.execute(wanted).scalars())
        return found

    def remove_user(self, user_id: str) -> bool:
        """Forget a user, and all that hangs on him; False if there is none."""
        return self._drop(USERS, USERS.c.user_id == user_id) == 1

    def all_users(self) -> Sequence[str]:
        """Return all user ids, to compare a backup by."""
        with self._transactions.reading() as connection:
            return list(connection.execute(sa.select(USERS.c.user_id)).scalars())

    # --- operators (operators.OperatorStore) ---

    def add_operator(self, operator: Operator) -> bool:
        """Write down a new operator; False if the name or the token is already there."""
        return self._added(
            OPERATORS,
            name=operator.name,
            roles=" ".join(sorted(role.value for role in operator.roles)),
            added_at_s=operator.added_at,
            token_digest=operator.token_digest,
            disabled=operator.disabled,
        )

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        with self._transactions.reading() as connection:
            rows = connection.execute(OPERATORS.select()).all()
        found = [
            Operator(name, frozenset(map(Role, roles.split())), added_at, digest, disabled)
            for name, roles, added_at, digest, disabled in rows
        ]
        return sorted(found, key=lambda one: one.name)

    def disable_operator(self, name: str) -> bool:
        """Shut an operator out; False if there is none of that name who is not."""
        which = OPERATORS.update().where(OPERATORS.c.name == name, OPERATORS.c.disabled.is_(False))
        with self._transactions.writing() as connection:
            return connection.execute(which.values(disabled=True)).rowcount == 1

    # --- cases (casework.CaseStore) ---

    def add_case(self, case: Case) -> bool:
        """Write down a new case; False if its id is taken."""
        return self._added(
            CASES,
            case_id=case.case_id,
            user_id=case.user_id,
            day=case.day,
            opened_at_s=case.opened_at,
            active_at_s=case.active_at,
            state=case.state.value,
            assigned_to=case.assigned_to,
            tracing_at_s=case.tracing_at,
            closed_at_s=case.closed_at,
            merged_into=case.merged_into,
            known_contact=case.known_contact,
        )

    def case(self, case_id: str) -> Case | None:
        """Return a case."""
        with self._transactions.reading() as connection:
            row = connection.execute(CASES.select().where(CASES.c.case_id == case_id)).first()
        return None if row is None else case_of(row)

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        wanted = CASES.select().order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id)
        with self._transactions.reading() as connection:
            return [case_of(row) for row in connection.execute(wanted)]

    def touch_case(self, case_id: str, now: float) -> bool:
        """Note that the case is being worked on; False if there is none."""
        later = sa.case((CASES.c.active_at_s < now, now), else_=CASES.c.active_at_s)
        change = CASES.update().where(CASES.c.case_id == case_id).values(active_at_s=later)
        with self._transactions.writing() as connection:
            return connection.execute(change).rowcount == 1

    def drop_cases(self, before: float) -> int:
        """Forget cases not worked on since ``before``; return how many went."""
        return self._drop(CASES, CASES.c.active_at_s < before)

    # --- upload PINs (pins.PinStore) ---

    def put_pin(self, pin: UploadPin) -> None:
        """Write down a PIN in place of the user's earlier one."""
        values = {
            "case_id": pin.case_id,
            "day": pin.day,
            "digest": pin.digest,
            "expiry_s": pin.expiry,
            "tries_left": pin.tries_left,
            "used": pin.used,
            "attempt": pin.attempt,
        }
        row = self._database.insert(PINS).values(user_id=pin.user_id, **values)
        with self._transactions.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=values))

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN, used or not, and return it; None if none is open."""
        change = (
            PINS.update()
            .where(PINS.c.user_id == user_id, PINS.c.tries_left > 0, PINS.c.expiry_s > now)
            .values(tries_left=PINS.c.tries_left - 1)
            .returning(*PINS.c)
        )
        with self._transactions.writing() as connection:
            row = connection.execute(change).first()
        return None if row is None else UploadPin(*row)

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; False if it was used or replaced meanwhile."""
        change = (
            PINS.update()
            .where(
                PINS.c.user_id == pin.user_id,
                PINS.c.digest == pin.digest,
                PINS.c.used.is_(False),
            )
            .values(used=True, attempt=attempt)
        )
        with self._transactions.writing() as connection:
            return connection.execute(change).rowcount == 1

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        done = sa.and_(PINS.c.used, PINS.c.attempt == b"")
        return self._drop(PINS, sa.or_(done, PINS.c.tries_left < 1, PINS.c.expiry_s <= now))

    def drop_all_pins(self) -> int:
        """Forget every PIN, open or not; return how many went."""
        return self._drop(PINS, sa.true())

    # --- uploads (intake.UploadStore) ---

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there or was."""
        day = utc_day(upload.received_at)
        with self._transactions.writing() as connection:
            if not self._added(USED_TOKENS, token_id=upload.token_id, used_at_s=upload.received_at):
                return False
            self._database.make_day(connection, day)
            connection.execute(
                UPLOADS.insert().values(
                    day=day,
                    token_id=upload.token_id,
                    case_id=upload.case_id,
                    user_id=upload.user_id,
                    received_at_s=upload.received_at,
                    wrapped_key=upload.wrapped_key,
                    sealed=upload.sealed,
                )
            )
        return True

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        with self._transactions.reading() as connection:
            found = connection.execute(_of_case(UPLOADS.select(), case_id))
            return [SealedUpload(*row[1:]) for row in found]

    def upload_ids(self, case_id: str) -> Sequence[tuple[str, float]]:
        """Return token ids and times of receipt of a case's uploads, in their order."""
        wanted = _of_case(sa.select(UPLOADS.c.token_id, UPLOADS.c.received_at_s), case_id)
        with self._transactions.reading() as connection:
            return [(token_id, received) for token_id, received in connection.execute(wanted)]

    def all_upload_ids(self) -> Sequence[tuple[str, str]]:
        """Return case id and token id of every upload, sorted."""
        wanted = sa.select(UPLOADS.c.case_id, UPLOADS.c.token_id)
        with self._transactions.reading() as connection:
            return sorted((case_id, token_id) for case_id, token_id in connection.execute(wanted))

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        with self._transactions.writing() as connection:
            gone = self._database.drop_days(connection, UPLOADS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone + self._drop(UPLOADS, UPLOADS.c.received_at_s < before)

    def drop_tokens(self, before: float) -> int:
        """Forget the ids of upload tokens used before that time; return how many went."""
        return self._drop(USED_TOKENS, USED_TOKENS.c.used_at_s < before)

    # --- contact lists (contact_lists.ListStore) ---

    def put_contact_list(self, found: ContactList) -> None:
        """Keep a list in place of the one of the same case and basis."""
        with self._transactions.writing() as connection:
            write_list(connection, self._database, found)

    def contact_list(self, case_id: str, basis: str) -> ContactList | None:
        """Return a list."""
        with self._transactions.reading() as connection:
            return read_list(connection, case_id, basis)

    def drop_contact_lists(self, before: float) -> int:
        """Forget contact lists of days that ended before that time; return how many went."""
        with self._transactions.writing() as connection:
            self._database.drop_days(connection, CONTACTS, utc_day(before))
            gone = self._database.drop_days(connection, CONTACT_LISTS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone

    # --- counts and notes (limits.LimitStore, retention.AgeingStore) ---

    def count_up(self, name: str, subject: bytes, window_s: int) -> int:
        """Add one to the count of a window (named by its start) and return it."""
        row = self._database.insert(COUNTS).values(
            name=name, subject=subject, window_s=window_s, count=1
        )
        counting = row.on_conflict_do_update(
            index_elements=["name", "subject", "window_s"],
            set_={"count": COUNTS.c.count + 1},
        ).returning(COUNTS.c.count)
        with self._transactions.writing(hasty=True) as connection:
            return int(connection.execute(counting).scalar_one())

    def count_up_each(
        self, name: str, windows: Mapping[bytes, int], over: int
    ) -> Mapping[bytes, int]:
        """Add one to the count of each subject in its window; return counts above ``over``."""
        with self._transactions.writing() as connection:
            return self._database.count_up_each(connection, name, windows, over)

    def counted(self, name: str, subject: bytes, window_s: int) -> int:
        """Return the count of a window."""
        wanted = sa.select(COUNTS.c.count).where(
            COUNTS.c.name == name, COUNTS.c.subject == subject, COUNTS.c.window_s == window_s
        )
        with self._transactions.reading() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def drop_counts(self, before: float) -> int:
        """Forget windows that began before that time; return how many went."""
        return self._drop(COUNTS, COUNTS.c.window_s < before)

    def note(self, name: str, value: str) -> None:
        """Write down a value under a name."""
        row = self._database.insert(SETTINGS).values(name=name, value=value)
        with self._transactions.writing() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"value": value})
            )

    def noted(self, name: str) -> str | None:
        """Return the value that was written down last under a name."""
        wanted = sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name)
        with self._transactions.reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
        return found

    # --- the audit log (audit.AuditStore) ---

    def last_audit(self) -> tuple[int, bytes]:
        """Return number and digest of the newest entry, (0, START) if there is none."""
        newest = sa.select(AUDIT.c.number, AUDIT.c.digest).order_by(AUDIT.c.number.desc()).limit(1)
        with self._transactions.writing() as connection:
            self._database.lock_audit(connection)
            row = connection.execute(newest).first()
        return (0, START) if row is None else (row[0], row[1])

    def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""
        with self._transactions.writing() as connection:
            write_entry(connection, entry)

    def audit(self, after: int = 0, limit: int | None = None) -> Iterable[tuple[AuditEntry, bytes]]:
        """Return entries with a number beyond ``after``, and the digests they were kept with."""
        with self._transactions.reading() as connection:
            found = read_entries(connection, after, limit)
        yield from found

    # --- counts of everything (statistics.CountedStore) ---

    def counts(self, now: float) -> Counts:
        """Return how much of everything is kept at ``now``."""
        with self._transactions.reading() as connection:
            return count_everything(connection, now)

    # --- one way in, one way out ---

    def atomic(self) -> AbstractContextManager[None]:
        """Make all that the body writes happen together or not at all; may be nested."""
        return self._transactions.atomic()

    def _added(self, table: sa.Table, **values: object) -> bool:
        row = self._database.insert(table).values(**values)
        with self._transactions.writing() as connection:
            first = next(iter(table.primary_key))
            added = row.on_conflict_do_nothing().returning(first)
            return connection.execute(added).first() is not None

    def _drop(self, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        with self._transactions.writing() as connection:
            gone = connection.execute(table.delete().where(which)).rowcount
            self._transactions.settle_after(gone)
            return gone


def _of_case(wanted: Any, case_id: str) -> Any:  # noqa: ANN401 - a select in, a select out
    return wanted.where(UPLOADS.c.case_id == case_id).order_by(
        UPLOADS.c.received_at_s, UPLOADS.c.token_id
    )
