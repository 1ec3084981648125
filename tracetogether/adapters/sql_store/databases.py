"""What differs between SQLite and PostgreSQL: connections, locks, days, bulk inserts, errors."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from tracetogether.adapters.sql_store.tables import DAILY
from tracetogether.errors import BusyError, MissingExtraError, StoreError

APPLICATION_ID: Final = 0x7472_6163  # "trac": marks the file as an authority's
_BUSY_TIMEOUT_S: Final = 30.0
_CONNECTIONS: Final = 16
_LEAST_ROOM_BYTES: Final = 4_000_000
_ASKED_AT_ONCE: Final = 10_000  # SQLite takes 32,766 values in a statement
_AUDIT_LOCK: Final = 0x7472_6163_0001  # number of an advisory lock; any number will do
_DAYS_LOCK: Final = 0x7472_6163_0002
_STATUS_LOCK: Final = 0x7472_6163_0003
_PRESENCE_LOCK: Final = 0x7472_6163_0004
_PEOPLE_LOCK: Final = 0x7472_6163_0005

NO_ROOM: Final = "free some space on that disk and try again"
BUSY: Final = "another program is writing to it; try again"
_REMEDIES: Final = {
    ("SQLITE_CONSTRAINT_TRIGGER", "P0001"): "the audit log is never changed",
    ("SQLITE_FULL", "53100"): NO_ROOM,
    ("SQLITE_READONLY", "SQLITE_CANTOPEN", "25006", "42501"): (
        "check the permissions of the file and its folder"
    ),
    ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"): BUSY,
    ("SQLITE_CORRUPT", "SQLITE_NOTADB"): "the file is damaged; restore it from a backup",
    ("08", "57P"): "check the address, and that the database server runs",
}
"""What to do, by the beginnings of SQLite's error names and of PostgreSQL's SQLSTATEs."""


class UnreadableError(StoreError):
    """The database is damaged, or belongs to another program."""


def parts_of(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Yield values in parts that are small enough for one statement."""
    for first in range(0, len(values), _ASKED_AT_ONCE):
        yield values[first : first + _ASKED_AT_ONCE]


def quoted(columns: Sequence[str]) -> str:
    """Return names of columns for a statement; ``by`` and others are words of SQL."""
    return ", ".join(f'"{name}"' for name in columns)


class _Engines:
    """The connections to a database.

    Attributes:
        place: the file's path, or the URL without its password; error messages name it.
        engine: connections whose commits survive a power cut.
        relaxed_durability: connections for counts of requests; a power cut may undo their commits.
        no_wait: connections with relaxed durability that fail at once if the database is locked.
    """

    place: str
    engine: sa.Engine
    relaxed_durability: sa.Engine
    no_wait: sa.Engine

    def close(self) -> None:
        """Close all connections."""
        for engine in (self.engine, self.relaxed_durability, self.no_wait):
            engine.dispose()


class Sqlite(_Engines):
    """One file that only its owner can read; one thread writes at a time."""

    writers_at_once = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self.engine = _sqlite_engine(path, "FULL")
        self.relaxed_durability = _sqlite_engine(path, "NORMAL")
        self.no_wait = _sqlite_engine(path, "NORMAL", wait_s=0.0)

    @classmethod
    def create(cls, path: Path) -> "Sqlite":
        """Make a new file (mode 0600), and return it.

        Raises:
            StoreError: the file exists, or can't be written.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            msg = f"{path} is there already: choose another place, or open it"
            raise StoreError(msg) from None
        except OSError as error:
            msg = f"can't make {path}: {error.strerror}"
            raise StoreError(msg) from None
        made = cls(path)
        with made.engine.connect() as connection:  # outside of a transaction, where it is allowed
            connection.execution_options(tracetogether_begin="")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        return made

    def check(self, connection: sa.Connection) -> None:
        """Return if the file is an authority's.

        Raises:
            UnreadableError: it belongs to another program.
        """
        if connection.exec_driver_sql("PRAGMA application_id").scalar_one() != APPLICATION_ID:
            msg = f"{self.path} is not an authority's database: give the folder that `init` made"
            raise UnreadableError(msg)

    def check_room(self) -> None:
        """Return if the disk has room for a few logs.

        Raises:
            StoreError: it has not.
        """
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            msg = f"{self.place} can't be read ({error.strerror})"
            raise StoreError(msg) from None
        if free < _LEAST_ROOM_BYTES:
            msg = f"{self.place} can't be written (disk full): {NO_ROOM}"
            raise StoreError(msg)

    def insert(self, table: sa.Table) -> Any:  # noqa: ANN401 - either dialect's, alike enough
        """Return an insert statement of this dialect, which has ``on_conflict_...`` methods."""
        return sqlite.insert(table)

    def lock_audit(self, connection: sa.Connection) -> None:
        """Do nothing: a transaction that writes is the only one from its start."""

    def lock_status(self, connection: sa.Connection) -> None:
        """Do nothing: a transaction that writes already holds the only lock."""

    def lock_presence(self, connection: sa.Connection) -> None:
        """Do nothing: a transaction that writes already holds the only lock."""

    def lock_people(self, connection: sa.Connection) -> None:
        """Do nothing: a transaction that writes already holds the only lock."""

    def make_day(self, connection: sa.Connection, day: int) -> None:
        """Do nothing: one table holds all days."""

    def drop_days(self, connection: sa.Connection, table: sa.Table, before: int) -> int:
        """Delete rows of days before ``before``; return how many went."""
        return connection.execute(table.delete().where(table.c.day < before)).rowcount

    def bulk(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> None:
        """Insert many rows, which have their values in the order of ``columns``, in one call."""
        many = [tuple(row) for row in rows]
        if many:
            marks = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {table.name} ({quoted(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own
            connection.exec_driver_sql(insert, many)

    def count_up_each(
        self, connection: sa.Connection, name: str, windows: Mapping[bytes, int], over: int
    ) -> dict[bytes, int]:
        """Add one to each count in one call of the driver; return counts above ``over``."""
        if not windows:
            return {}
        connection.exec_driver_sql(
            "INSERT INTO counts (name, subject, window_s, count) VALUES (?, ?, ?, 1) "
            "ON CONFLICT (name, subject, window_s) DO UPDATE SET count = count + 1",
            [(name, subject, window_s) for subject, window_s in windows.items()],
        )
        found: dict[bytes, int] = {}
        for some in parts_of(list(windows)):
            rows = connection.exec_driver_sql(
                "SELECT subject, window_s, count FROM counts WHERE name = ? AND count > ? "  # noqa: S608 - marks only
                f"AND subject IN ({', '.join('?' * len(some))})",
                (name, over, *some),
            )
            found.update(
                (subject, count)
                for subject, window_s, count in rows
                if window_s == windows[subject]
            )
        return found

    def settle(self) -> None:
        """Copy the write-ahead log into the file and empty it: it holds deleted rows."""
        with self.engine.connect() as connection:
            connection.execution_options(tracetogether_begin="")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


class Postgres(_Engines):
    """A PostgreSQL server for several processes or machines; daily tables have partitions."""

    writers_at_once = _CONNECTIONS // 2  # readers use the other connections

    def __init__(self, url: URL) -> None:
        try:
            import psycopg  # noqa: F401, PLC0415 - optional package
        except ImportError:
            raise MissingExtraError("PostgreSQL", "server") from None
        hidden = {name: "***" for name in url.query if "password" in name}
        self.place = url.update_query_dict(hidden).render_as_string(hide_password=True)
        self.engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
        )
        self.relaxed_durability = self.engine.execution_options()
        self.no_wait = self.engine.execution_options()

        @sa.event.listens_for(self.engine, "connect")
        def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's connection
            connection.execute(f"SET lock_timeout = '{int(_BUSY_TIMEOUT_S)}s'")
            connection.commit()

        @sa.event.listens_for(self.no_wait, "begin")
        def begin_without_waiting(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

        @sa.event.listens_for(self.relaxed_durability, "begin")
        def begin_relaxed(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def check_room(self) -> None:
        """Do nothing: the disk is the database server's."""

    def insert(self, table: sa.Table) -> Any:  # noqa: ANN401 - either dialect's, alike enough
        """Return an insert statement of this dialect, which has ``on_conflict_...`` methods."""
        return postgresql.insert(table)

    def lock_audit(self, connection: sa.Connection) -> None:
        """Take the lock of the audit log until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_AUDIT_LOCK)))

    def lock_status(self, connection: sa.Connection) -> None:
        """Take the lock of orders, restrictions and appeals until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_STATUS_LOCK)))

    def lock_presence(self, connection: sa.Connection) -> None:
        """Take the lock of visits, trips and packages until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PRESENCE_LOCK)))

    def lock_people(self, connection: sa.Connection) -> None:
        """Take the lock of the counts of people until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PEOPLE_LOCK)))

    def make_day(self, connection: sa.Connection, day: int) -> None:
        """Add the partitions of a day where they are missing."""
        missing = [table for table in DAILY if not self._has(connection, _partition(table, day))]
        if missing:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_DAYS_LOCK)))
            for table in missing:
                connection.exec_driver_sql(
                    f"CREATE TABLE IF NOT EXISTS {_partition(table, day)} "
                    f"PARTITION OF {table.name} FOR VALUES FROM ({day}) TO ({day + 1})"
                )

    def drop_days(self, connection: sa.Connection, table: sa.Table, before: int) -> int:
        """Drop the partitions of days before ``before``; return how many rows went."""
        found = connection.exec_driver_sql(
            "SELECT child.relname FROM pg_inherits "
            "JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = to_regclass(%s)",
            (table.name,),
        ).scalars()
        old = [name for name in found if int(name.rpartition("_d")[2]) < before]
        gone = 0
        for name in sorted(old):
            gone += connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()  # noqa: S608 - a name of our own
            connection.exec_driver_sql(f"DROP TABLE {name}")
        return gone

    def bulk(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> None:
        """Insert many rows, which have their values in the order of ``columns``, by COPY."""
        driver: Any = connection.connection.driver_connection
        insert = f"COPY {table.name} ({quoted(columns)}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(insert) as copy:
            for row in rows:
                copy.write_row(row)

    def count_up_each(
        self, connection: sa.Connection, name: str, windows: Mapping[bytes, int], over: int
    ) -> dict[bytes, int]:
        """Add one to each count and return counts above ``over``, in one statement.

        Rows are locked in the order of subjects, so that no two uploads wait for each other.
        """
        subjects = sorted(windows)
        rows = connection.exec_driver_sql(
            "WITH counted AS (INSERT INTO counts (name, subject, window_s, count) "
            "SELECT %s, subject, window_s, 1 "
            "FROM unnest(%s::bytea[], %s::bigint[]) AS given (subject, window_s) "
            "ON CONFLICT (name, subject, window_s) DO UPDATE SET count = counts.count + 1 "
            "RETURNING subject, count) SELECT subject, count FROM counted WHERE count > %s",
            (name, subjects, [windows[subject] for subject in subjects], over),
        )
        return {bytes(subject): count for subject, count in rows}

    def settle(self) -> None:
        """Do nothing: a dropped partition is a deleted file."""

    def _has(self, connection: sa.Connection, name: str) -> bool:
        found = connection.exec_driver_sql("SELECT to_regclass(%s)", (name,)).scalar()
        return found is not None


Database = Sqlite | Postgres


def database_of(place: Path | str) -> Database:
    """Return the database at a path or a URL.

    Raises:
        StoreError: the URL is not valid, or names another kind of database.
    """
    if isinstance(place, Path):
        return Sqlite(place)
    try:
        url = make_url(place)
    except sa.exc.ArgumentError:
        url = URL.create("none")
    if url.get_backend_name() != "postgresql":
        msg = "that is no address of a database: give one such as postgresql://host/name"
        raise StoreError(msg)
    return Postgres(url)


def store_error(
    error: BaseException, failed: str, kind: type[StoreError] = StoreError
) -> StoreError:
    """Return the error of this library for a driver's.

    Args:
        error: SQLAlchemy's, sqlite3's or psycopg's.
        failed: what can't be done, such as "authority.db can't be read".
        kind: class of the error, unless another program is writing.
    """
    # Only the driver's first line: SQLAlchemy's message lists the values, and PostgreSQL's details
    # quote them; they are secret.
    origin = getattr(error, "orig", None) or error
    reason = (
        type(error).__name__
        if origin is error and isinstance(error, sa.exc.SQLAlchemyError)
        else str(origin).split("\n", 1)[0]
    )
    code = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None)
    if code is None and type(origin).__name__ == "OperationalError":
        code = "08000"  # psycopg names no state where there is no connection
    found = (remedy for codes, remedy in _REMEDIES.items() if (code or "").startswith(codes))
    remedy = next(found, "nothing of this request was stored; try again")
    return (BusyError if remedy is BUSY else kind)(f"{failed} ({reason}): {remedy}")


def _partition(table: sa.Table, day: int) -> str:
    return f"{table.name}_d{day}"


def _sqlite_engine(path: Path, synchronous: str, *, wait_s: float = _BUSY_TIMEOUT_S) -> sa.Engine:
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        hide_parameters=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
    )

    # The driver begins a transaction too late. Its handling is switched off here: each transaction
    # begins with a statement for writers or for readers.
    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - any driver's connection
        connection.isolation_level = None
        for pragma in ("foreign_keys = ON", "secure_delete = ON", f"synchronous = {synchronous}"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        statement = connection.get_execution_options().get("tracetogether_begin", "BEGIN IMMEDIATE")
        if statement:
            connection.exec_driver_sql(statement)

    return engine
