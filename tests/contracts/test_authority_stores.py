"""One battery over every store of the authority, and what a file alone must hold."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier

import pytest

from tests.authority_world import NOON, NOW
from tracetogether.adapters.sql_store import SCHEMA_VERSION, SqlStore
from tracetogether.authority.access import MemoryUsers, UserStore, operator_digest
from tracetogether.authority.casework import Case, MemoryCases
from tracetogether.authority.intake import MemoryUploads, SealedUpload
from tracetogether.authority.pins import MemoryPins, UploadPin
from tracetogether.authority.service import Authority, Cases, PinsKept, Uploads
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, ConflictError, StoreError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

USER, OTHER = "user-one", "user-two"
OPERATOR = "the-operator-token"
THREADS = 50


@dataclass
class Stores:
    users: UserStore
    cases: Cases
    pins: PinsKept
    uploads: Uploads


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore.create(tmp_path / "a.db", name="SG_MOH", operator_token=OPERATOR) as store:
        yield store


def memory() -> Stores:
    users = MemoryUsers([operator_digest(OPERATOR)])
    return Stores(users, MemoryCases(), MemoryPins(), MemoryUploads())


@pytest.fixture(params=["memory", "sql"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "sql":
        store = request.getfixturevalue("sql")
        return Stores(store, store, store, store)
    return memory()


@pytest.fixture
def filled(stores: Stores) -> Stores:
    """Two users, a case each."""
    for user, case_id in ((USER, "CASE1"), (OTHER, "CASE2")):
        assert stores.users.add_user(user, user.encode())
        assert stores.cases.add_case(case(case_id, user))
    return stores


def case(case_id: str, user: str = USER, opened_at: float = NOON) -> Case:
    return Case(case_id, user, 18_386, opened_at, opened_at)


def pin(user: str = USER, case_id: str = "CASE1", digest: bytes = b"digest") -> UploadPin:
    return UploadPin(user, case_id, 18_386, digest, NOON + 100)


def upload(token_id: str, case_id: str = "CASE1", at: float = NOON) -> SealedUpload:
    return SealedUpload(token_id, case_id, USER, at, b"\x00sealed\xff" + token_id.encode())


# --- users ---


def test_users_are_found_by_digest_and_id(stores: Stores) -> None:
    assert stores.users.user_of(b"digest") is None
    assert not stores.users.has_user(USER)
    assert stores.users.add_user(USER, b"digest")
    assert stores.users.user_of(b"digest") == USER
    assert stores.users.user_of(b"diges") is None
    assert stores.users.has_user(USER)
    assert not stores.users.has_user(USER.upper())


def test_no_user_or_digest_twice(stores: Stores) -> None:
    assert stores.users.add_user(USER, b"digest")
    assert not stores.users.add_user(USER, b"other")
    assert not stores.users.add_user(OTHER, b"digest")
    assert stores.users.user_of(b"digest") == USER
    assert stores.users.user_of(b"other") is None
    assert not stores.users.has_user(OTHER)


def test_the_operator_is_kept_as_a_digest(stores: Stores) -> None:
    assert list(stores.users.operator_digests()) == [operator_digest(OPERATOR)]


# --- cases ---


def test_cases_come_back_as_they_were_the_newest_first(filled: Stores) -> None:
    newer = case("CASE3", opened_at=NOON + 0.5)
    assert filled.cases.add_case(newer)
    assert filled.cases.case("CASE3") == newer
    assert filled.cases.case("case3") is None
    assert [one.case_id for one in filled.cases.cases()] == ["CASE3", "CASE1", "CASE2"]


def test_no_case_twice(filled: Stores) -> None:
    assert not filled.cases.add_case(case("CASE1", OTHER))
    found = filled.cases.case("CASE1")
    assert found is not None
    assert found.user_id == USER


def test_a_touch_moves_forward_alone(filled: Stores) -> None:
    assert filled.cases.touch_case("CASE1", NOON + 10)
    assert filled.cases.touch_case("CASE1", NOON + 5)
    assert not filled.cases.touch_case("CASE9", NOON)
    assert filled.cases.case("CASE1") == replace(case("CASE1"), active_at=NOON + 10)
    assert filled.cases.case("CASE2") == case("CASE2", OTHER)


def test_cases_are_dropped_by_their_last_touch(filled: Stores) -> None:
    filled.cases.touch_case("CASE1", NOON + 10)
    assert filled.cases.drop_cases(NOON) == 0
    assert filled.cases.drop_cases(NOON + 10) == 1
    assert [one.case_id for one in filled.cases.cases()] == ["CASE1"]
    assert filled.cases.drop_cases(NOON + 10) == 0


# --- PINs ---


def test_each_try_is_spent_and_none_is_left_after_the_last(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    left = [filled.pins.try_pin(USER, NOON) for _ in range(6)]
    assert [one and one.tries_left for one in left] == [4, 3, 2, 1, 0, None]
    assert left[0] == replace(pin(), tries_left=4)


def test_a_pin_is_tried_until_it_expires(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    assert filled.pins.try_pin(USER, NOON + 99.9) is not None
    assert filled.pins.try_pin(USER, NOON + 100) is None


def test_no_pin_no_try(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    assert filled.pins.try_pin(OTHER, NOON) is None
    assert filled.pins.try_pin("nobody", NOON) is None


def test_a_pin_is_used_once(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    tried = filled.pins.try_pin(USER, NOON)
    assert tried is not None
    assert filled.pins.use_pin(tried)
    assert not filled.pins.use_pin(tried)
    assert filled.pins.try_pin(USER, NOON) is None


def test_a_new_pin_takes_the_place_of_the_old_one(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    old = filled.pins.try_pin(USER, NOON)
    filled.pins.put_pin(pin(digest=b"new"))
    assert old is not None
    assert not filled.pins.use_pin(old)
    new = filled.pins.try_pin(USER, NOON)
    assert new == replace(pin(digest=b"new"), tries_left=4)


def test_pins_of_two_users_do_not_touch_each_other(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    filled.pins.put_pin(pin(OTHER, "CASE2"))
    first = filled.pins.try_pin(USER, NOON)
    assert first is not None
    assert filled.pins.use_pin(first)
    assert filled.pins.try_pin(OTHER, NOON) == replace(pin(OTHER, "CASE2"), tries_left=4)


def test_spent_pins_are_dropped(filled: Stores) -> None:
    filled.pins.put_pin(pin())
    filled.pins.put_pin(replace(pin(OTHER, "CASE2"), tries_left=1))
    assert filled.pins.drop_pins(NOON) == 0
    assert filled.pins.try_pin(OTHER, NOON) is not None
    assert filled.pins.drop_pins(NOON) == 1
    assert filled.pins.drop_pins(NOON + 99) == 0
    assert filled.pins.drop_pins(NOON + 100) == 1


# --- uploads ---


def test_uploads_come_back_in_the_order_in_which_they_came(filled: Stores) -> None:
    later, earlier, other = (
        upload("a", at=NOON + 1),
        upload("b"),
        upload("c", "CASE2"),
    )
    assert all(filled.uploads.add_upload(one) for one in (later, earlier, other))
    assert list(filled.uploads.uploads("CASE1")) == [earlier, later]
    assert list(filled.uploads.uploads("CASE2")) == [other]
    assert list(filled.uploads.uploads("CASE9")) == []


def test_no_upload_twice(filled: Stores) -> None:
    assert filled.uploads.add_upload(upload("a"))
    assert not filled.uploads.add_upload(upload("a", at=NOON + 1))
    assert list(filled.uploads.uploads("CASE1")) == [upload("a")]


def test_uploads_are_dropped_by_their_time(filled: Stores) -> None:
    for number in range(4):
        filled.uploads.add_upload(upload(str(number), at=NOON + number))
    assert filled.uploads.drop_uploads(NOON + 2) == 2
    assert filled.uploads.drop_uploads(NOON + 2) == 0
    assert [one.token_id for one in filled.uploads.uploads("CASE1")] == ["2", "3"]


# --- many at once, on the file ---


def at_once(act: Callable[[int], bool]) -> int:
    """Let fifty threads act at the same moment; return how many succeeded."""
    barrier = Barrier(THREADS)

    def wait_and_act(number: int) -> bool:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(wait_and_act, range(THREADS)))


def served(store: SqlStore) -> Authority:
    return Authority.assemble(
        KeyRing.generate(NOW),
        name=store.name,
        users=store,
        cases=store,
        pins=store,
        uploads=store,
        save_keys=lambda _: None,
    )


def test_fifty_threads_redeem_one_pin_and_one_succeeds(sql: SqlStore) -> None:
    authority = served(sql)
    user = authority.issuance.register().user_id
    for _ in range(3):
        opened = authority.casework.open_case(user, NOON)
        code = authority.pins.issue(opened, NOON)

        def redeem(number: int, code: str = code) -> bool:
            try:
                authority.intake.redeem_pin(user, code, sha256(bytes([number])), NOON)
            except AccessDeniedError:
                return False
            return True

        assert at_once(redeem) == 1


def test_fifty_threads_try_wrong_pins_and_five_tries_are_spent(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    assert at_once(lambda _: sql.try_pin(USER, NOON) is not None) == 5


def test_fifty_threads_upload_with_one_token_and_one_succeeds(sql: SqlStore) -> None:
    authority = served(sql)
    opened = authority.casework.open_case(authority.issuance.register().user_id, NOON)
    body = b'{"records": []}'
    code = authority.pins.issue(opened, NOON)
    token = authority.intake.redeem_pin(opened.user_id, code, sha256(body), NOON)

    def take(_: int) -> bool:
        try:
            authority.intake.take_upload(token, body, NOON)
        except ConflictError:
            return False
        return True

    assert at_once(take) == 1
    assert len(sql.uploads(opened.case_id)) == 1


def test_two_openings_of_a_file_share_its_state(sql: SqlStore, tmp_path: Path) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    with SqlStore.open(tmp_path / "a.db") as again:
        tried = again.try_pin(USER, NOON)
        assert tried is not None
        assert sql.use_pin(tried)
        assert not again.use_pin(tried)


# --- the file itself ---


def test_a_file_is_its_owners_alone(sql: SqlStore, tmp_path: Path) -> None:
    sql.add_user(USER, b"digest")
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["a.db", "a.db-shm", "a.db-wal"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_a_file_keeps_what_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SqlStore.create(path, name="AU_DTA", operator_token=OPERATOR) as store:
        store.add_user(USER, b"digest")
    with SqlStore.open(path) as store:
        assert store.name == "AU_DTA"
        assert store.user_of(b"digest") == USER
        assert list(store.operator_digests()) == [operator_digest(OPERATOR)]
        assert repr(store) == f"SqlStore({str(path)!r})"


def test_no_secret_is_in_the_files(sql: SqlStore, tmp_path: Path) -> None:
    authority = served(sql)
    phone = authority.issuance.register()
    opened = authority.casework.open_case(phone.user_id, NOON)
    tempid = authority.issuance.batch(phone.user_id, NOON).at(NOON)
    assert tempid is not None
    body = b'{"records": [{"timestamp": %d, "rssi": -60, "msg": "%s"}]}' % (
        int(NOON),
        tempid.text.encode(),
    )
    code = authority.pins.issue(opened, NOON)
    token = authority.intake.redeem_pin(phone.user_id, code, sha256(body), NOON)
    authority.intake.take_upload(token, body, NOON)
    stored = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert opened.case_id.encode() in stored  # the search finds what is there
    for secret in (phone.credential, OPERATOR, tempid.text, code, token, "rssi"):
        assert secret.encode() not in stored


def test_what_was_dropped_is_not_left_in_the_files(sql: SqlStore, tmp_path: Path) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    big = replace(upload("a"), sealed=b"CANARY" * 10_000)
    sql.add_upload(big)
    assert b"CANARY" in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert sql.drop_uploads(NOON + SECONDS_PER_DAY) == 1
    assert b"CANARY" not in b"".join(one.read_bytes() for one in tmp_path.iterdir())


def test_a_case_takes_its_uploads_along(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    sql.add_upload(upload("a"))
    assert sql.drop_cases(NOON + 1) == 1
    assert list(sql.uploads("CASE1")) == []
    assert sql.try_pin(USER, NOON) is None


def test_nothing_hangs_in_the_air(sql: SqlStore) -> None:
    for act in (
        lambda: sql.add_case(case("CASE1", "nobody")),
        lambda: sql.put_pin(pin()),
        lambda: sql.add_upload(upload("a", "CASE9")),
    ):
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            act()


def test_a_file_is_never_overwritten(sql: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there already"):
        SqlStore.create(tmp_path / "a.db", name="X", operator_token="y")
    assert list(sql.operator_digests()) == [operator_digest(OPERATOR)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        SqlStore.create(tmp_path / "none" / "a.db", name="X", operator_token="y")
    with pytest.raises(StoreError, match="init"):
        SqlStore.open(tmp_path / "a.db")


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, but long enough to be one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        SqlStore.open(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(StoreError, match="not an authority's database"):
        SqlStore.open(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SqlStore.create(path, name="X", operator_token="y").close()
    changed = sqlite3.connect(path)
    changed.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    changed.close()
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION + 1}"):
        SqlStore.open(path)


def test_a_failure_names_file_and_remedy_and_no_value(sql: SqlStore, tmp_path: Path) -> None:
    outside = sqlite3.connect(tmp_path / "a.db")
    outside.execute("DROP TABLE users")
    outside.close()
    with pytest.raises(StoreError) as caught:
        sql.add_user("canary-user", b"canary-digest")
    said = str(caught.value)
    assert str(tmp_path / "a.db") in said
    assert "no such table" in said
    assert "canary" not in said
    assert caught.value.__suppress_context__


def test_a_full_disk_is_told_and_stores_nothing(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    with sql._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    engine = sql._engine

    import sqlalchemy as sa

    @sa.event.listens_for(engine, "begin")
    def no_more_pages(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreError, match="free some space"):
        sql.add_upload(replace(upload("a"), sealed=bytes(1_000_000)))
    assert list(sql.uploads("CASE1")) == []
