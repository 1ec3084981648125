"""The authority's stores in one SQLite file, through SQLAlchemy Core; no secret in clear."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL

from tracetogether.authority.access import operator_digest
from tracetogether.authority.casework import Case
from tracetogether.authority.intake import SealedUpload
from tracetogether.authority.pins import UploadPin
from tracetogether.errors import StoreError

SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x7472_6163  # "trac": tells this file from any other SQLite file
_BUSY_TIMEOUT_S: Final = 30.0
_CONNECTIONS: Final = 16

_tables = sa.MetaData()

_settings = sa.Table(
    "settings",
    _tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
_operators = sa.Table(
    "operators",
    _tables,
    sa.Column("token_digest", sa.LargeBinary, primary_key=True),
)
_users = sa.Table(
    "users",
    _tables,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("credential_digest", sa.LargeBinary, nullable=False, unique=True),
)
_cases = sa.Table(
    "cases",
    _tables,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.user_id"), nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("opened_at_s", sa.Float, nullable=False),
    sa.Column("active_at_s", sa.Float, nullable=False),
)
_pins = sa.Table(
    "pins",
    _tables,
    sa.Column("user_id", sa.ForeignKey("users.user_id"), primary_key=True),
    sa.Column("case_id", sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("expiry_s", sa.Float, nullable=False),
    sa.Column("tries_left", sa.Integer, nullable=False),
    sa.Column("used", sa.Boolean, nullable=False),
)
_uploads = sa.Table(
    "uploads",
    _tables,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column(
        "case_id", sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("user_id", sa.ForeignKey("users.user_id"), nullable=False),
    sa.Column("received_at_s", sa.Float, nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)


class SqlStore:
    """Users, cases, PINs and uploads in one file. Threads and processes may share it.

    Every write is one transaction that holds the file's only write lock from its start, so
    nothing can happen between what it reads and what it writes.
    """

    def __init__(self, engine: sa.Engine, path: Path, name: str) -> None:
        self._engine = engine
        self._path = path
        self._name = name

    @classmethod
    def create(cls, path: Path, *, name: str, operator_token: str) -> Self:
        """Make a new file (mode 0600) for an authority.

        Args:
            path: where; nothing may stand there.
            name: the authority's organisation code, kept in the file.
            operator_token: who may work on cases; its digest is kept.

        Raises:
            StoreError: there is a file already, or it can't be written.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            msg = f"{path} is there already: choose another place, or open it"
            raise StoreError(msg) from None
        except OSError as error:
            msg = f"can't make {path}: {error.strerror}"
            raise StoreError(msg) from None
        engine = _engine(path)
        store = cls(engine, path, name)
        try:
            with engine.connect() as connection:  # outside of a transaction, where it is allowed
                connection.execution_options(tracetogether_begin="")
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            with store._writing() as connection:
                _tables.create_all(connection)
                connection.execute(_settings.insert().values(name="authority", value=name))
                connection.execute(
                    _operators.insert().values(token_digest=operator_digest(operator_token))
                )
                connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an authority's file.

        Raises:
            StoreError: there is none, or it is another program's, or of another version.
        """
        if not path.is_file():
            msg = f"there is no database {path}: `tracetogether authority init` makes one"
            raise StoreError(msg)
        store = cls(_engine(path), path, "")
        try:
            with store._reading() as connection:
                application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                _check(path, application, version)
                name = connection.execute(
                    sa.select(_settings.c.value).where(_settings.c.name == "authority")
                ).scalar_one()
        except BaseException:
            store.close()
            raise
        store._name = str(name)
        return store

    @property
    def name(self) -> str:
        """The authority's organisation code."""
        return self._name

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

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
        return f"SqlStore({str(self._path)!r})"

    # --- users and operators (access.UserStore) ---

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        row = insert(_users).values(user_id=user_id, credential_digest=credential_digest)
        with self._writing() as connection:
            return connection.execute(row.on_conflict_do_nothing()).rowcount == 1

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        wanted = sa.select(_users.c.user_id).where(_users.c.credential_digest == credential_digest)
        with self._reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
        return found

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        wanted = sa.select(_users.c.user_id).where(_users.c.user_id == user_id)
        with self._reading() as connection:
            return connection.execute(wanted).first() is not None

    def operator_digests(self) -> Sequence[bytes]:
        """Return the digests of all operator tokens."""
        with self._reading() as connection:
            return list(connection.execute(sa.select(_operators.c.token_digest)).scalars())

    # --- cases (casework.CaseStore) ---

    def add_case(self, case: Case) -> bool:
        """Write down a new case; False if its id is taken."""
        row = insert(_cases).values(
            case_id=case.case_id,
            user_id=case.user_id,
            day=case.day,
            opened_at_s=case.opened_at,
            active_at_s=case.active_at,
        )
        with self._writing() as connection:
            return connection.execute(row.on_conflict_do_nothing()).rowcount == 1

    def case(self, case_id: str) -> Case | None:
        """Return a case."""
        with self._reading() as connection:
            row = connection.execute(_cases.select().where(_cases.c.case_id == case_id)).first()
        return None if row is None else Case(*row)

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        wanted = _cases.select().order_by(_cases.c.opened_at_s.desc(), _cases.c.case_id)
        with self._reading() as connection:
            return [Case(*row) for row in connection.execute(wanted)]

    def touch_case(self, case_id: str, now: float) -> bool:
        """Note that the case is being worked on; False if there is none."""
        change = (
            _cases.update()
            .where(_cases.c.case_id == case_id)
            .values(active_at_s=sa.func.max(_cases.c.active_at_s, now))
        )
        with self._writing() as connection:
            return connection.execute(change).rowcount == 1

    def drop_cases(self, before: float) -> int:
        """Forget cases not worked on since ``before``; return how many went."""
        return self._drop(_cases, _cases.c.active_at_s < before)

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
        }
        row = insert(_pins).values(user_id=pin.user_id, **values)
        with self._writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=values))

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Spend one try of the user's PIN and return it; None if none is open at ``now``."""
        change = (
            _pins.update()
            .where(
                _pins.c.user_id == user_id,
                _pins.c.used.is_(False),
                _pins.c.tries_left > 0,
                _pins.c.expiry_s > now,
            )
            .values(tries_left=_pins.c.tries_left - 1)
        )
        with self._writing() as connection:
            if connection.execute(change).rowcount != 1:
                return None
            row = connection.execute(_pins.select().where(_pins.c.user_id == user_id)).one()
        return UploadPin(*row)

    def use_pin(self, pin: UploadPin) -> bool:
        """Mark the PIN as used; False if it was used or replaced meanwhile."""
        change = (
            _pins.update()
            .where(
                _pins.c.user_id == pin.user_id,
                _pins.c.digest == pin.digest,
                _pins.c.used.is_(False),
            )
            .values(used=True)
        )
        with self._writing() as connection:
            return connection.execute(change).rowcount == 1

    def drop_pins(self, now: float) -> int:
        """Forget PINs that can't be used any more; return how many went."""
        spent = sa.or_(_pins.c.used, _pins.c.tries_left < 1, _pins.c.expiry_s <= now)
        return self._drop(_pins, spent)

    # --- uploads (intake.UploadStore, tracing.UploadsOfCase) ---

    def add_upload(self, upload: SealedUpload) -> bool:
        """Keep an upload; False if one with the same token is there."""
        row = insert(_uploads).values(
            token_id=upload.token_id,
            case_id=upload.case_id,
            user_id=upload.user_id,
            received_at_s=upload.received_at,
            sealed=upload.sealed,
        )
        with self._writing() as connection:
            return connection.execute(row.on_conflict_do_nothing()).rowcount == 1

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        wanted = (
            _uploads.select()
            .where(_uploads.c.case_id == case_id)
            .order_by(_uploads.c.received_at_s, _uploads.c.token_id)
        )
        with self._reading() as connection:
            return [SealedUpload(*row) for row in connection.execute(wanted)]

    def drop_uploads(self, before: float) -> int:
        """Forget uploads received before that time; return how many went."""
        return self._drop(_uploads, _uploads.c.received_at_s < before)

    # --- one way in, one way out ---

    def _drop(self, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        with self._writing() as connection:
            gone = connection.execute(table.delete().where(which)).rowcount
        if gone:  # the write-ahead log still holds what was overwritten: fold it in and empty it
            with self._reading(begin="") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._named_errors("written"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self, begin: str = "BEGIN") -> Iterator[sa.Connection]:
        with self._named_errors("read"), self._engine.connect() as connection:
            yield connection.execution_options(tracetogether_begin=begin)

    @contextmanager
    def _named_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            # Only the driver's own words: SQLAlchemy's message lists the values, which are secret.
            reason = str(getattr(error, "orig", None) or type(error).__name__)
            msg = f"{self._path} can't be {done} ({reason}): {_remedy(reason)}"
            raise StoreError(msg) from None


def _check(path: Path, application: int, version: int) -> None:
    if application != _APPLICATION_ID:
        msg = f"{path} is not an authority's database: give the folder that `init` made"
        raise StoreError(msg)
    if version != SCHEMA_VERSION:
        msg = (
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}: "
            "use the program that wrote it"
        )
        raise StoreError(msg)


def _remedy(reason: str) -> str:
    match reason:
        case _ if "full" in reason:
            return "free some space on that disk and try again"
        case _ if "readonly" in reason or "unable to open" in reason:
            return "check the permissions of the file and its folder"
        case _ if "locked" in reason or "busy" in reason:
            return "another program holds it for long; try again"
        case _ if "malformed" in reason or "not a database" in reason:
            return "the file is damaged; restore it from a backup"
        case _:
            return "nothing of this request was stored; try again"


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        hide_parameters=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
    )

    # The driver's own handling begins a transaction too late: it is switched off here, and
    # every transaction begins as a writer or as a reader by name.
    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - any driver's connection
        connection.isolation_level = None
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        statement = connection.get_execution_options().get("tracetogether_begin", "BEGIN IMMEDIATE")
        if statement:
            connection.exec_driver_sql(statement)

    return engine
