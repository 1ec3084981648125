"""Databases on the tests' PostgreSQL server: new ones, and copies of one that was made once.

PostgreSQL copies a database in a tenth of the time that all migrations take.
"""

import atexit
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from tracetogether.adapters.sql_store import SqlStore


def server_url() -> str:
    """Return the URL of a database whose user may create further ones, or skip."""
    found = os.environ.get("TRACETOGETHER_TEST_POSTGRES")
    if not found:
        pytest.skip(
            "needs PostgreSQL: set TRACETOGETHER_TEST_POSTGRES to the URL of a database on it, for "
            "a user who may create databases (.ci/run starts one)"
        )
    return found


@contextmanager
def copied_database(template: str) -> Iterator[str]:
    """Yield the URL of a copy of a database that nobody uses meanwhile; drop it at the end."""
    url = _create(template)
    try:
        yield url
    finally:
        _drop(url)


@cache
def empty_store() -> tuple[str, SqlStore]:
    """Return the URL of the empty store SG_MOH, which a process makes once, and the store."""
    url = new_database()
    store = SqlStore.create(url, name="SG_MOH")
    store.close()
    return url, store


def new_database() -> str:
    """Return the URL of an empty database, which is dropped when the tests end."""
    url = _create("")
    atexit.register(_drop, url)
    return url


def _create(template: str) -> str:
    """Create a database as a copy of another, or an empty one; return its URL."""
    name = f"test_{secrets.token_hex(8)}"
    source = sa.make_url(template).database or "" if template else "template0"
    _execute("CREATE DATABASE {} TEMPLATE {}", name, source)
    return sa.make_url(server_url()).set(database=name).render_as_string(hide_password=False)


def _drop(url: str) -> None:
    """Drop a database, though a test left a connection to it open."""
    with suppress(psycopg.OperationalError):  # the server was stopped
        _execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", sa.make_url(url).database or "")


def _execute(statement: str, *names: str) -> None:
    quoted = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(quoted)
