"""The migrations make exactly the tables that the store asks for."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.tables import METADATA


@pytest.mark.parametrize("place", ["sqlite", "postgres"])
def test_tables_are_what_the_migrations_make(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    where = tmp_path / "a.db" if place == "sqlite" else request.getfixturevalue("postgres_url")
    with SqlStore.create(where, name="SG_MOH") as store:
        with store._database.engine.connect() as connection:
            context = MigrationContext.configure(connection)
            found = compare_metadata(context, METADATA)
        assert [one for one in found if "alembic_version" not in str(one)] == []
