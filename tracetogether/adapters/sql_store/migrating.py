"""Bringing a database to this release's schema, step by step (Alembic)."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import UnreadableError
from tracetogether.adapters.sql_store.unstamped import is_unstamped, put_aside, take_over
from tracetogether.errors import StoreError

SCHEMA_REVISION: Final = "0012"
UNSTAMPED: Final = "0000"
"""What stands for the schema of before the first migration."""
_SCRIPTS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.Text))


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Run what is missing up to ``revision``, in the transaction of ``connection``.

    A file of before the first migration keeps its users, cases and operator.
    """
    # Imported here: a server that finds the schema as it should be does not need it.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(str(_SCRIPTS))

    def to_newest(found: Any, _: object) -> Any:  # noqa: ANN401 - Alembic's own types
        return scripts._upgrade_revs(revision, found)  # noqa: SLF001 - as Alembic's own command does

    unstamped = is_unstamped(connection)
    if unstamped:
        put_aside(connection)
    with EnvironmentContext(Config(), scripts, fn=to_newest) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()
    if unstamped:
        take_over(connection)


def revision_of(connection: sa.Connection, place: str) -> str:
    """Return which schema a database has: a revision that this program can migrate, or UNSTAMPED.

    Raises:
        UnreadableError: it is no authority's.
        StoreError: it is of a newer program.
    """
    if is_unstamped(connection):
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
            "earlier: it is of a newer program; install that"
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
        StoreError: there is none, or it is another release's.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        msg = (
            f"{place} is of a program before the first migration: back it up, then "
            "`tracetogether authority migrate` takes users and cases over; logs in it are lost"
            if is_unstamped(connection)
            else f"{place} is not an authority's database: give the folder that `init` made"
        )
        raise StoreError(msg)
    found = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if found != SCHEMA_REVISION:
        msg = (
            f"{place} has schema version {found}, this program reads {SCHEMA_REVISION}: "
            "`tracetogether authority migrate` brings an older one up; a newer one is of a "
            "newer program"
        )
        raise StoreError(msg)
