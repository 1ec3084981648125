"""Makes databases with the schemas of earlier releases, on SQLite and PostgreSQL."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from tracetogether.adapters.sql_store import migrating
from tracetogether.adapters.sql_store.databases import APPLICATION_ID, database_of
from tracetogether.adapters.sql_store.tables import DAILY

REVISIONS = [f"{number:04d}" for number in range(1, int(migrating.SCHEMA_REVISION) + 1)]

FIRST_SCHEMA = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE operators (token_digest BLOB PRIMARY KEY);
CREATE TABLE users (user_id TEXT PRIMARY KEY, credential_digest BLOB NOT NULL UNIQUE);
CREATE TABLE cases (
    case_id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (user_id),
    day INTEGER NOT NULL, opened_at_s FLOAT NOT NULL, active_at_s FLOAT NOT NULL);
CREATE TABLE pins (
    user_id TEXT PRIMARY KEY REFERENCES users (user_id),
    case_id TEXT NOT NULL REFERENCES cases (case_id) ON DELETE CASCADE, day INTEGER NOT NULL,
    digest BLOB NOT NULL, expiry_s FLOAT NOT NULL, tries_left INTEGER NOT NULL, used BOOLEAN);
CREATE TABLE uploads (
    token_id TEXT PRIMARY KEY, case_id TEXT NOT NULL REFERENCES cases (case_id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (user_id), received_at_s FLOAT NOT NULL,
    sealed BLOB NOT NULL);
CREATE INDEX ix_uploads_case_id ON uploads (case_id);
CREATE INDEX ix_uploads_received_at_s ON uploads (received_at_s);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
"""
"""What the first authorities wrote, before there were migrations."""


def of_first_schema(place: Path, newest: Path) -> None:
    """Make the file that the first release had in the place of ``newest``."""
    old = sqlite3.connect(place)
    old.executescript(FIRST_SCHEMA)
    old.execute("ATTACH ? AS newest", (str(newest),))
    columns = "case_id, user_id, day, opened_at_s, active_at_s"
    for statement in (
        "INSERT INTO settings SELECT * FROM newest.settings WHERE name = 'authority'",
        "INSERT INTO operators SELECT token_digest FROM newest.operators",
        "INSERT INTO users SELECT * FROM newest.users",
        f"INSERT INTO cases SELECT {columns} FROM newest.cases",  # noqa: S608 - names of columns
    ):
        old.execute(statement)
    old.commit()
    old.close()


def upgraded(connection: sa.Connection, revision: str) -> None:
    """Make the tables that a release of ``revision`` had."""
    migrating.migrate(connection, revision)


def of_schema(revision: str, place: Path, newest: Path) -> None:
    """Make the file that a release of ``revision`` had in the place of ``newest``."""
    engine = sa.create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        upgraded(connection, revision)
    engine.dispose()
    old = sqlite3.connect(place)
    old.execute("ATTACH ? AS newest", (str(newest),))
    tables = [
        name for (name,) in old.execute("SELECT name FROM main.sqlite_master WHERE type='table'")
    ]
    for table in sorted(set(tables) - {"alembic_version"}):
        had, has = (
            {row[1] for row in old.execute(f"PRAGMA {where}.table_info({table})")}
            for where in ("main", "newest")
        )
        columns = ", ".join(sorted(had & has))
        copied = f"SELECT {columns} FROM newest.{table}"  # noqa: S608 - names of our own tables
        old.execute(f"INSERT INTO main.{table} ({columns}) {copied}")
        if "found_day" in had:  # a column that later releases have no more
            old.execute(
                "UPDATE main.followed SET found_day = CAST(found_at_s AS INTEGER) / 86400, "
                "traced_day = CAST(traced_at_s AS INTEGER) / 86400"
            )
    old.execute(f"PRAGMA main.application_id = {APPLICATION_ID}")
    old.commit()
    old.close()


def in_postgres(revision: str, url: str, file: Path) -> None:
    """Put the rows of a file of some schema into an empty PostgreSQL database of that schema."""
    database = database_of(url)
    rows = sa.create_engine(f"sqlite:///{file}")
    daily = {table.name for table in DAILY}
    with database.engine.begin() as target, rows.connect() as source:
        upgraded(target, revision)
        found = sa.MetaData()
        found.reflect(source)
        for table in found.sorted_tables:
            if table.name == "alembic_version":
                continue
            kept = [tuple(row) for row in source.execute(table.select())]
            names = table.columns.keys()
            if table.name in daily:
                for row in kept:
                    database.make_day(target, row[names.index("day")])
            database.bulk(target, table, names, kept)
    rows.dispose()
    database.close()
