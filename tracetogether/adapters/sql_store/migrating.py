"""Migrates a database to the schema of this release, step by step (Alembic)."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import UnreadableError
from tracetogether.authority.access.permissions import ALL_ROLES
from tracetogether.errors import StoreError

SCHEMA_REVISION: Final = "0030"
UNSTAMPED: Final = "0000"
"""The revision that a schema from before the first migration gets here."""
_SCRIPTS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.Text))
_OLD: Final = ("uploads", "pins", "cases", "users", "operators", "settings")  # children first
_TAKEN_OVER: Final = (
    "INSERT INTO settings (name, value) SELECT name, value FROM old_settings",
    "INSERT INTO users SELECT user_id, credential_digest FROM old_users",
    """INSERT INTO cases (case_id, user_id, day, opened_at_s, active_at_s)
       SELECT case_id, user_id, day, opened_at_s, active_at_s FROM old_cases""",
)


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Run the missing migrations up to ``revision``, in the transaction of ``connection``.

    A file from before the first migration keeps its users, cases and operator.
    """
    # Imported here: a server that finds the newest schema does not need Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    unstamped = _is_unstamped(connection)
    if unstamped:
        _put_aside(connection)
    command.upgrade(config, revision)
    if unstamped:
        _take_over(connection)


def revision_of(connection: sa.Connection, place: str) -> str:
    """Return the revision of a database's schema, UNSTAMPED for one before the first migration.

    Raises:
        UnreadableError: it is not an authority's.
        StoreError: a newer program made it.
    """
    if _is_unstamped(connection):
        return UNSTAMPED
    if not sa.inspect(connection).has_table("alembic_version"):
        msg = f"{place} is not an authority's database: give the folder that `init` made"
        raise UnreadableError(msg)
    found = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if found is None or not found.isdecimal():
        msg = f"{place} is not an authority's database: its schema version is not known"
        raise UnreadableError(msg)
    if int(found) > int(SCHEMA_REVISION):
        msg = (
            f"{place} has schema version {found}, this program knows {SCHEMA_REVISION} and "
            "earlier: a newer program wrote it; install that"
        )
        raise StoreError(msg)
    return str(found)


def check_empty(connection: sa.Connection, place: str) -> None:
    """Return if there is no authority yet.

    Raises:
        StoreError: there is one.
    """
    if sa.inspect(connection).has_table("alembic_version"):
        msg = f"{place} holds an authority already: choose another database"
        raise StoreError(msg)


def check_revision(connection: sa.Connection, place: str) -> None:
    """Return if the schema is the one that this program reads.

    Raises:
        StoreError: there is no schema, or that of another release.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        msg = (
            f"{place} was written before the first migration: back it up, then run "
            "`tracetogether authority migrate`, which keeps users and cases and loses the logs"
            if _is_unstamped(connection)
            else f"{place} is not an authority's database: give the folder that `init` made"
        )
        raise StoreError(msg)
    found = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if found != SCHEMA_REVISION:
        msg = (
            f"{place} has schema version {found}, this program reads {SCHEMA_REVISION}: "
            "run `tracetogether authority migrate` for an older schema, or install the newer "
            "program for a newer one"
        )
        raise StoreError(msg)


# --- files of before the first migration ---


def _is_unstamped(connection: sa.Connection) -> bool:
    """Return whether this is an authority's SQLite file from before the first migration."""
    if connection.dialect.name != "sqlite":
        return False
    return set(sa.inspect(connection).get_table_names()) == set(_OLD)


def _put_aside(connection: sa.Connection) -> None:
    """Rename the old tables, so that the migrations can make new ones."""
    for name in _OLD:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO old_{name}")


def _take_over(connection: sa.Connection) -> None:
    """Copy settings, users, cases and operators into the new tables, and drop the old ones.

    Logs and PINs are lost: this release can't read how logs were sealed, and old PINs have no
    attempts.
    """
    for statement in _TAKEN_OVER:
        connection.exec_driver_sql(statement)
    rows = connection.exec_driver_sql("SELECT token_digest FROM old_operators").scalars().all()
    for number, digest in enumerate(rows, start=1):
        connection.exec_driver_sql(
            "INSERT INTO operators (name, roles, added_at_s, token_digest, disabled) "
            "VALUES (?, ?, 0, ?, 0)",
            (
                "operator" if number == 1 else f"operator-{number}",
                " ".join(sorted(role.value for role in ALL_ROLES)),
                digest,
            ),
        )
    for name in _OLD:
        connection.exec_driver_sql(f"DROP TABLE old_{name}")
    connection.exec_driver_sql("PRAGMA user_version = 0")
