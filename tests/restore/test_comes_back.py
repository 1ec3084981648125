"""A backup brings everything back, over whatever state the database is in."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.authority_world import NOON
from tests.contracts.test_kept_counts import check
from tests.old_schemas import REVISIONS, in_postgres, of_first_schema, of_schema
from tests.restored_desk import KEPT, Clock, RestoredDesk, command, spoilt, traced
from tracetogether.adapters.sql_store.databases import UnreadableError
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.cli import demo_days
from tracetogether.cli.authority_folder import KEYS, migrate_folder
from tracetogether.errors import (
    StoreError,
)

HOUR = 3_600.0

GIVEN_BACK = ("users", "cases", "uploads", "contact_lists", "contacts")
"""Tables that every schema since the first migration has."""


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> RestoredDesk:
    """An authority that `demo-data` made."""
    made = RestoredDesk(tmp_path_factory.mktemp("made-up") / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_days, "_MEETING_MINUTES", 40)
        command("demo-data", str(made.folder), "--people", "24", "--days", "3")
    return made


@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_made_up_data_comes_back_in_a_new_folder(
    to: str, made_up: RestoredDesk, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`demo-data old; backup; init new; restore`, and back from there."""
    url = request.getfixturevalue("postgres_url") if to == "postgres" else None
    new = RestoredDesk(tmp_path / "new", url)
    before = made_up.rows()
    assert all(before[name] for name in ("users", "cases", "uploads", "followed", "outcomes"))
    file = str(tmp_path / "old.backup")
    made_up.ran("backup", file)
    command("init", str(new.folder), *(() if url is None else ("--database", url)))
    result = new.ran("restore", file)
    assert "keys.txt is not that of this backup" in result.stderr
    assert new.rows() == before
    shutil.copy(made_up.folder / KEYS, new.folder / KEYS)
    assert "keys.txt" not in new.ran("restore", file, "--yes").stderr
    assert new.rows() == before
    new.work(lambda service: service.audit.verify(by=CONSOLE))
    case_id = before["cases"][0][0]
    listed = [
        json.loads(desk.ran("case", "contacts", case_id, "--json").stdout)
        for desk in (made_up, new)
    ]
    assert listed[0] == listed[1]
    again = str(tmp_path / "new.backup")
    new.ran("backup", again)
    back = RestoredDesk(tmp_path / "back")
    command("init", str(back.folder))
    shutil.copy(new.folder / KEYS, back.folder / KEYS)
    back.ran("restore", again)
    assert back.rows() == before


def test_a_restore_counts_each_followed_contact_once(desk: RestoredDesk, tmp_path: Path) -> None:
    """Triggers count the contacts while they are copied, to the backup and from it."""
    desk.ran("backup", str(tmp_path / "file"))
    desk.ran("restore", str(tmp_path / "file"), "--yes")
    desk.work(lambda service: check(service.store))


def test_everything_comes_back_after_a_wrong_restore(
    desk: RestoredDesk, tmp_path: Path, clock: Clock
) -> None:
    desk.ran("backup", str(tmp_path / "early"))
    clock.now += HOUR
    desk.work(lambda service: traced(service, clock.now))
    desk.ran("backup", str(tmp_path / "late"))
    before = desk.rows()
    plan = json.loads(desk.ran("restore", str(tmp_path / "early"), "--yes", "--json").stdout)
    assert (plan["before"]["users"], plan["after"]["users"]) == (4, 2)
    assert desk.rows() != before
    plan = json.loads(desk.ran("restore", str(tmp_path / "late"), "--yes", "--json").stdout)
    assert (plan["before"]["users"], plan["after"]["users"]) == (2, 4)
    assert plan["carried"]["withdrawn"] == 0
    assert desk.rows() == before
    desk.work(lambda service: service.audit.verify(by=CONSOLE))


@pytest.mark.parametrize(
    "how", ["garbage", "empty", "cut off", "half written", "a page", "missing", "another program's"]
)
def test_everything_comes_back_over_a_damaged_file(
    sqlite_desk: RestoredDesk, tmp_path: Path, how: str
) -> None:
    before = sqlite_desk.rows()
    file = str(tmp_path / "file")
    sqlite_desk.ran("backup", file)
    database = sqlite_desk.folder / "authority.db"
    spoilt(database, how)
    spoilt_bytes = None if how == "missing" else database.read_bytes()
    if how != "missing":
        assert isinstance(sqlite_desk.run("backup", str(tmp_path / "bad")).exception, StoreError)
        assert not (tmp_path / "bad").exists()
    result = sqlite_desk.ran("restore", file)
    assert sqlite_desk.rows() == before
    kept = list(sqlite_desk.folder.glob("authority.db.damaged-*"))
    assert [path.read_bytes() for path in kept] == ([] if spoilt_bytes is None else [spoilt_bytes])
    assert ("kept as" in result.stderr) == (how != "missing")
    assert database.stat().st_mode & 0o777 == 0o600


def test_everything_comes_back_over_a_damaged_postgres_database(
    tmp_path: Path, clock: Clock, postgres_url: str
) -> None:
    del clock
    desk = RestoredDesk(tmp_path / "desk", postgres_url).make()
    desk.work(traced)
    before, file = desk.rows(), str(tmp_path / "file")
    desk.ran("backup", file)
    desk.execute("DROP TABLE notes", "DROP TABLE uploads")
    assert isinstance(desk.run("backup", str(tmp_path / "bad")).exception, UnreadableError)
    assert desk.run("restore", file).exit_code == 1  # asks
    desk.ran("restore", file, "--yes")
    assert desk.rows() == before
    desk.execute(*(f"DROP TABLE {name} CASCADE" for name in (*KEPT, "alembic_version", "counts")))
    assert "of another program" in str(desk.run("restore", file, "--yes").exception)


def test_everything_comes_back_into_an_empty_postgres_database(
    tmp_path: Path, clock: Clock, postgres_url: str
) -> None:
    del clock
    old = RestoredDesk(tmp_path / "old").make()
    old.work(traced)
    old.ran("backup", str(tmp_path / "file"))
    (old.folder / "authority.db").unlink()
    url_file = old.folder / "database.url"
    url_file.touch(mode=0o600)
    url_file.write_text(postgres_url)
    moved = RestoredDesk(old.folder, postgres_url)
    moved.ran("restore", str(tmp_path / "file"))
    assert len(moved.rows()["uploads"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_an_earlier_schema_is_backed_up_and_restored(
    revision: str, desk: RestoredDesk, tmp_path: Path
) -> None:
    """Before `migrate`, over the old database, over the new one and into a new folder."""
    newest, old_file = tmp_path / "newest.db", tmp_path / "old.db"
    before = desk.rows(GIVEN_BACK)
    desk.ran("backup", str(newest))
    of_schema(revision, old_file, newest)
    if desk.url is None:
        shutil.copy(old_file, desk.folder / "authority.db")
    else:
        desk.execute(DROP_ALL)
        in_postgres(revision, desk.url, old_file)
    file = str(tmp_path / "backup")
    desk.ran("backup", file)
    kept = sqlite3.connect(file)
    assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (revision,)
    kept.close()
    desk.ran("restore", file, "--yes")  # over the old schema
    restored = desk.rows(GIVEN_BACK)
    assert {name: len(rows) for name, rows in before.items() if rows} == {
        "users": 2,
        "cases": 1,
        "uploads": 1,
        "contact_lists": 2,
        "contacts": 2,
    }
    assert restored | {"cases": []} == before | {"cases": []}
    assert [row[0] for row in restored["cases"]] == [row[0] for row in before["cases"]]
    followed = desk.rows(("followed",))["followed"]
    assert len(followed) == 1
    if desk.url is not None:
        return  # what follows is the same on either database
    migrate_folder(desk.folder, NOON)
    desk.ran("restore", file, "--yes")  # over the new one
    assert desk.rows(tuple(restored)) == restored
    new = RestoredDesk(tmp_path / "new").make()
    shutil.copy(desk.folder / KEYS, new.folder / KEYS)
    new.ran("restore", file)
    assert new.rows(tuple(restored)) == restored
    new.work(lambda service: service.audit.verify(by=CONSOLE))


DROP_ALL = """DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
    LOOP EXECUTE 'DROP TABLE IF EXISTS ' || quote_ident(one.tablename) || ' CASCADE'; END LOOP;
    FOR one IN SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    LOOP EXECUTE 'DROP FUNCTION ' || quote_ident(one.proname) || ' CASCADE'; END LOOP; END $$"""
"""Empties a schema of PostgreSQL."""


def test_the_very_first_schema_is_backed_up_and_restored(
    sqlite_desk: RestoredDesk, tmp_path: Path
) -> None:
    newest, file = tmp_path / "newest.db", str(tmp_path / "backup")
    before = sqlite_desk.rows(("users", "cases"))
    sqlite_desk.ran("backup", str(newest))
    (sqlite_desk.folder / "authority.db").unlink()
    of_first_schema(sqlite_desk.folder / "authority.db", newest)
    sqlite_desk.ran("backup", file)
    for _ in range(2):  # over itself, and over what came of it
        sqlite_desk.ran("restore", file, "--yes")
        assert sqlite_desk.rows(("users",))["users"] == before["users"]
        assert len(sqlite_desk.rows(("cases",))["cases"]) == 1
