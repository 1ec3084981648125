"""Fixtures of SQL stores: empty ones, and one that holds two users with a case each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fresh_stores import fresh_store, share_compiled_statements
from tests.postgres_copies import copied_database, empty_store
from tests.store_rows import OTHER, USER, case
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.oversight.store import AuthorityStore


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    with fresh_store(tmp_path / "a.db") as store:
        yield store


@pytest.fixture
def postgres() -> Iterator[SqlStore]:
    template, first = empty_store()
    with copied_database(template) as url, SqlStore.open(url) as store:
        share_compiled_statements(first, store)
        yield store


@pytest.fixture(params=["sqlite", "postgres"])
def sql(request: pytest.FixtureRequest) -> SqlStore:
    store: SqlStore = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def store(sql: SqlStore) -> AuthorityStore:
    return sql


@pytest.fixture
def filled(store: AuthorityStore) -> AuthorityStore:
    """Two users, a case each."""
    for user, case_id in ((USER, "CASE1"), (OTHER, "CASE2")):
        assert store.add_user(user, user.encode())
        assert store.add_case(case(case_id, user))
    return store
