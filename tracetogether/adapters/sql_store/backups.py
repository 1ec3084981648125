"""Copies a whole database of any schema from SQLite or PostgreSQL into one SQLite file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import (
    Postgres,
    Sqlite,
    UnreadableError,
    database_of,
    quoted,
    store_error,
)
from tracetogether.adapters.sql_store.figure_tables import FOLLOWED_PEOPLE, PEOPLE_CHANGED
from tracetogether.adapters.sql_store.migrating import migrate, revision_of
from tracetogether.adapters.sql_store.tables import DAILY, METADATA
from tracetogether.errors import StoreError
from tracetogether.whole_file import PRIVATE

_OURS: Final = (
    "refuse_change",
    *(
        f"{name}_{event}"
        for name in ("followed_counts", "people_changed")
        for event in ("insert", "delete", "update")
    ),
)
"""Functions that the migrations make on PostgreSQL; they are dropped with the tables."""
_COUNTED: Final = "followed_counts"
"""The table that triggers of schemas 0021 to 0026 fill while the counted rows are copied."""
_CHANGED: Final = PEOPLE_CHANGED.name
"""The table that triggers fill while lines are copied, although these are counted already."""
_ROWS_AT_ONCE: Final = 2_000
_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def write_copy(place: Path | str, target: Path) -> str:
    """Copy a database, as it is at this moment, into an SQLite file.

    Args:
        place: file or URL of the database. It may be in use. It may have any schema that this
            program can migrate; the copy has the same.
        target: the file to write, empty if it exists; it gets mode 0600.

    Returns:
        The revision of the schema.

    Raises:
        UnreadableError: the database is damaged, or not an authority's.
        StoreError: a newer program made it, or it can't be read.
        OSError: the file can't be written.
    """
    database = database_of(place)
    snapshot = (
        {"isolation_level": "REPEATABLE READ"}
        if isinstance(database, Postgres)
        else {"tracetogether_begin": "BEGIN"}
    )
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, PRIVATE))
    try:
        with _named(database.place), database.engine.connect() as connection:
            connection.execution_options(**snapshot)
            if isinstance(database, Sqlite):
                database.check(connection)
            revision = revision_of(connection, database.place)
            if isinstance(database, Sqlite):
                _copy_file(connection, target)
            else:
                _copy_tables(connection, target, revision)
    finally:
        database.close()
    _check_whole(target, database.place)
    return revision


def put_into_postgres(stage: Path, url: str, seen: Path | None = None) -> None:
    """Replace all rows of an authority in a PostgreSQL database by those of a file.

    Everything happens in one transaction.

    Args:
        stage: an SQLite file of this program's schema.
        url: URL of the database, which holds an authority or nothing.
        seen: the copy of the database that the stage was made from; None if it can't be read.

    Raises:
        StoreError: other tables have these names, somebody wrote to the database since it was
            copied, or it can't be written.
    """
    database = database_of(url)
    try:
        with (
            _named(database.place),
            closing(sqlite3.connect(stage)) as file,
            database.engine.begin() as connection,
        ):
            if seen is not None:
                _check_unchanged(connection, seen, database.place)
            _empty(connection, database.place)
            migrate(connection)
            for table in _tables_in_order():
                if table is PEOPLE_CHANGED:
                    connection.execute(table.delete())
                names = [column.name for column in table.columns]
                if table in DAILY:
                    days = file.execute(f'SELECT DISTINCT day FROM "{table.name}"').fetchall()  # noqa: S608 - a table of our own
                    for (day,) in days:
                        database.make_day(connection, day)
                rows = file.execute(_select(table.name, names))
                database.bulk(connection, table, names, rows)
    finally:
        database.close()


def is_empty(url: str) -> bool:
    """Return whether a PostgreSQL database has none of an authority's tables.

    Raises:
        StoreError: it can't be read.
    """
    database = database_of(url)
    try:
        with _named(database.place), database.engine.connect() as connection:
            return not _present(connection)
    finally:
        database.close()


_MARKS: Final = (
    *("SELECT max(number) FROM audit", "SELECT count(*) FROM users"),
    *("SELECT count(*) FROM cases", "SELECT count(*) FROM uploads"),
    "SELECT count(*) FROM used_tokens",
)
"""Figures that a server changes, of tables that every schema since the first migration has."""


def _check_unchanged(connection: sa.Connection, seen: Path, place: str) -> None:
    """Lock the database until the transaction ends, and check that nobody wrote since the copy.

    Raises:
        StoreError: somebody wrote to it.
    """
    connection.exec_driver_sql("LOCK TABLE audit, users, cases, uploads, used_tokens")
    with closing(sqlite3.connect(seen)) as copy:
        before = [copy.execute(mark).fetchone()[0] for mark in _MARKS]
    if [connection.exec_driver_sql(mark).scalar() for mark in _MARKS] != before:
        msg = (
            f"{place} was written to during the restore, so nothing was restored: stop the "
            "servers on all machines first"
        )
        raise StoreError(msg)


def _present(connection: sa.Connection) -> set[str]:
    names = {table.name for table in METADATA.sorted_tables} | {"alembic_version"}
    return names & set(sa.inspect(connection).get_table_names())


def _empty(connection: sa.Connection, place: str) -> None:
    """Drop all that the migrations have made.

    Raises:
        StoreError: there are tables that may belong to another program.
    """
    present = _present(connection)
    if present and "alembic_version" not in present:
        msg = f"{place} holds tables of another program: give an empty database"
        raise StoreError(msg)
    for name in sorted(present):
        connection.exec_driver_sql(f'DROP TABLE "{name}" CASCADE')
    for name in _OURS:
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}() CASCADE")


def _copy_file(connection: sa.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        source: Any = connection.connection.driver_connection
        source.backup(copy)
        copy.execute(
            "PRAGMA journal_mode = DELETE"
        )  # one file, readable in a folder without write access


def _copy_tables(connection: sa.Connection, target: Path, revision: str) -> None:
    """Make the same schema in a file, and copy all rows from PostgreSQL."""
    import psycopg  # noqa: PLC0415 - optional package

    target.unlink(missing_ok=True)
    made = Sqlite.create(target)
    try:
        with made.engine.begin() as of_file:
            migrate(of_file, revision)
    finally:
        made.close()
    driver: Any = connection.connection.driver_connection
    with closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # the caller syncs the whole file
        tables = [
            name
            for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "alembic_version" and not name.startswith("sqlite_")
        ]
        if FOLLOWED_PEOPLE.name not in tables and _COUNTED in tables:
            tables.remove(_COUNTED)
        for table in sorted(tables, key=_CHANGED.__eq__):
            if table == _CHANGED:
                copy.execute(f'DELETE FROM "{_CHANGED}"')  # noqa: S608 - a table of our own
            names = [row[1] for row in copy.execute(f'PRAGMA table_info("{table}")')]
            marks = ", ".join("?" * len(names))
            insert = f'INSERT INTO "{table}" ({quoted(names)}) VALUES ({marks})'  # noqa: S608 - names of our own
            try:
                with driver.cursor(name="copy") as cursor:
                    cursor.itersize = _ROWS_AT_ONCE
                    cursor.execute(_select(table, names))
                    copy.executemany(insert, cursor)
            except psycopg.Error as error:
                gone = psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn
                kind = UnreadableError if isinstance(error, gone) else StoreError
                raise store_error(error, f"table {table} can't be read", kind) from None
        copy.commit()
        copy.execute("PRAGMA journal_mode = DELETE")


def _tables_in_order() -> list[sa.Table]:
    """Return all tables, each after those that it refers to, and the triggers' one at the end."""
    return sorted(METADATA.sorted_tables, key=lambda table: table is PEOPLE_CHANGED)


def _select(table: str, names: list[str]) -> str:
    return f'SELECT {quoted(names)} FROM "{table}"'  # noqa: S608 - names of our own


def _check_whole(copy: Path, place: str) -> None:
    """Return if every page of the copy can be read.

    Raises:
        UnreadableError: the database that was copied is damaged.
    """
    with _named(place), closing(sqlite3.connect(copy)) as file:
        found = file.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        msg = f"{place} is damaged ({str(found).splitlines()[-1]}): restore it from a backup"
        raise UnreadableError(msg)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Raise StoreError with the database's name for a driver's error; OSError if the copy fails."""
    try:
        yield
    except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
        origin = getattr(error, "orig", None) or error
        code = getattr(origin, "sqlite_errorname", "")
        if code == "SQLITE_FULL" or code.startswith("SQLITE_IOERR_WRITE"):
            raise OSError(str(origin)) from None
        damaged = code.startswith(_DAMAGED) or isinstance(error, sa.exc.ProgrammingError)
        kind = UnreadableError if damaged else StoreError
        raise store_error(error, f"{place} can't be read or written", kind) from None
