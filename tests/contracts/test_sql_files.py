"""What a database guarantees: file modes, deleted rows, references, errors without secrets."""

import stat
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect as sqlite_connect

import pytest

from tests.authority_world import NOON
from tests.fresh_stores import inside
from tests.store_rows import USER, case, pin, served, upload
from tracetogether.adapters.sql_store import SCHEMA_REVISION as REVISION
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.databases import BUSY, NO_ROOM, store_error
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.crypto import sha256
from tracetogether.errors import BusyError, StoreError
from tracetogether.units import SECONDS_PER_DAY

OPERATOR = "the-operator-token"


def test_only_its_owner_can_read_a_file(tmp_path: Path) -> None:
    with SqlStore.create(tmp_path / "a.db", name="SG_MOH") as store:
        store.add_user(USER, b"digest")
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["a.db", "a.db-shm", "a.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_keeps_its_rows_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SqlStore.create(path, name="AU_DTA") as store:
        store.add_user(USER, b"digest")
    with SqlStore.open(path) as store:
        assert store.name == "AU_DTA"
        assert store.user_of(b"digest") == USER
        assert repr(store) == f"SqlStore({str(path)!r})"


def test_no_secret_is_in_the_files(sqlite: SqlStore, tmp_path: Path) -> None:
    authority = served(sqlite)
    phone = authority.issuance.register()
    opened = authority.casework.open_case(phone.user_id, NOON, by=CONSOLE)
    tempid = authority.issuance.batch(phone.user_id, NOON).at(NOON)
    assert tempid is not None
    body = b'{"records": [{"timestamp": %d, "rssi": -60, "msg": "%s"}]}' % (
        int(NOON),
        tempid.text.encode(),
    )
    code = authority.pins.issue(opened, NOON, by=CONSOLE)
    token = authority.intake.redeem_pin(phone.user_id, code, sha256(body), NOON)
    authority.intake.take_upload(token, body, NOON)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert opened.case_id.encode() in stored  # the search finds what is there
    for secret in (phone.credential, OPERATOR, tempid.text, code, token, "rssi"):
        assert secret.encode() not in stored


def test_deleted_rows_leave_no_trace_in_the_files(sqlite: SqlStore, tmp_path: Path) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    big = replace(upload("a"), sealed=b"CANARY" * 10_000)
    sqlite.add_upload(big)
    assert b"CANARY" in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert sqlite.drop_uploads(NOON + SECONDS_PER_DAY) == 1
    assert b"CANARY" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_deleting_a_case_deletes_its_uploads_and_pin(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    sql.add_upload(upload("a"))
    assert sql.drop_cases(NOON + 1) == 1
    assert list(sql.uploads("CASE1")) == []
    assert sql.try_pin(USER, NOON) is None


def test_a_row_that_refers_to_nothing_is_refused(sql: SqlStore) -> None:
    for act in (
        lambda: sql.add_case(case("CASE1", "nobody")),
        lambda: sql.put_pin(pin()),
        lambda: sql.add_upload(upload("a", "CASE9")),
    ):
        with pytest.raises(StoreError, match=r"(?i)foreign key"):
            act()


def test_a_file_is_never_overwritten(sqlite: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there already"):
        SqlStore.create(tmp_path / "a.db", name="X")
    assert sqlite.setting("authority") == "SG_MOH"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        SqlStore.create(tmp_path / "none" / "a.db", name="X")
    with pytest.raises(StoreError, match="init"):
        SqlStore.open(tmp_path / "a.db")


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, but long enough to be one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        SqlStore.open(path)
    path.unlink()
    other = sqlite_connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(StoreError, match="not an authority's database"):
        SqlStore.open(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SqlStore.create(path, name="X").close()
    changed = sqlite_connect(path)
    changed.execute("UPDATE alembic_version SET version_num = '9999'")
    changed.commit()
    changed.close()
    with pytest.raises(StoreError, match=f"schema version 9999, this program reads {REVISION}"):
        SqlStore.open(path)
    changed = sqlite_connect(path)
    changed.execute("DROP TABLE alembic_version")
    changed.close()
    with pytest.raises(StoreError, match="not an authority's database"):
        SqlStore.open(path)


def test_a_failure_names_file_and_remedy_and_no_value(sqlite: SqlStore, tmp_path: Path) -> None:
    outside = sqlite_connect(tmp_path / "a.db")
    outside.execute("DROP TABLE users")
    outside.close()
    with pytest.raises(StoreError) as caught:
        sqlite.add_user("canary-user", b"canary-digest")
    said = str(caught.value)
    assert str(tmp_path / "a.db") in said
    assert "no such table" in said
    assert "canary" not in said
    assert caught.value.__suppress_context__


def test_a_full_disk_is_an_error_and_stores_nothing(sqlite: SqlStore) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    engine = inside(sqlite).database.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    import sqlalchemy as sa

    @sa.event.listens_for(engine, "begin")
    def no_more_pages(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreError, match="free some space"):
        sqlite.add_upload(replace(upload("a"), sealed=bytes(1_000_000)))
    assert list(sqlite.uploads("CASE1")) == []


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("SQLITE_BUSY_SNAPSHOT", BUSY),
        ("SQLITE_LOCKED", BUSY),
        ("55P03", BUSY),
        ("SQLITE_FULL", NO_ROOM),
        ("53100", NO_ROOM),
        ("SQLITE_NOTADB", "restore it from a backup"),
        ("SQLITE_READONLY_DIRECTORY", "check the permissions"),
        ("57P01", "that the database server runs"),
        (None, "that the database server runs"),
        ("42601", "nothing of this request was stored"),
    ],
)
def test_the_drivers_code_and_not_its_words_decides_the_remedy(
    code: str | None, remedy: str
) -> None:
    class OperationalError(Exception):
        sqlstate = code

    raised = store_error(OperationalError("Festplatte\n(1, 'secret')"), "a.db can't be read")
    assert remedy in str(raised)
    assert str(raised).startswith("a.db can't be read (Festplatte): ")
    assert isinstance(raised, BusyError) == (remedy is BUSY)
