"""One battery over every store of the authority, and what a file alone must hold."""

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect as sqlite_connect
from threading import Barrier

import pytest

from tests.authority_world import DAY, NOON, NOW
from tracetogether.adapters.sql_store import SCHEMA_REVISION as REVISION
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.audit import START, Audit
from tracetogether.authority.casework import Case
from tracetogether.authority.contact_lists import ContactList, SealedContact
from tracetogether.authority.intake import SealedUpload
from tracetogether.authority.memory_store import MemoryStore
from tracetogether.authority.operators import Operator, Role, operator_digest
from tracetogether.authority.pins import UploadPin
from tracetogether.authority.service import Authority, AuthorityStore
from tracetogether.authority.statistics import Counts
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, AuditError, ConflictError, StoreError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY

USER, OTHER = "user-one", "user-two"
OPERATOR = "the-operator-token"
THREADS = 50


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore.create(tmp_path / "a.db", name="SG_MOH") as store:
        yield store


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[SqlStore]:
    with SqlStore.create(postgres_url, name="SG_MOH") as store:
        yield store


@pytest.fixture(params=["sqlite", "postgres"])
def sql(request: pytest.FixtureRequest) -> SqlStore:
    store: SqlStore = request.getfixturevalue(request.param)
    return store


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> AuthorityStore:
    if request.param == "memory":
        return MemoryStore()
    found: SqlStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def filled(store: AuthorityStore) -> AuthorityStore:
    """Two users, a case each."""
    for user, case_id in ((USER, "CASE1"), (OTHER, "CASE2")):
        assert store.add_user(user, user.encode())
        assert store.add_case(case(case_id, user))
    return store


def case(case_id: str, user: str = USER, opened_at: float = NOON) -> Case:
    return Case(case_id, user, 18_386, opened_at, opened_at)


def pin(user: str = USER, case_id: str = "CASE1", digest: bytes = b"digest") -> UploadPin:
    return UploadPin(user, case_id, 18_386, digest, NOON + 100)


def upload(token_id: str, case_id: str = "CASE1", at: float = NOON) -> SealedUpload:
    return SealedUpload(
        token_id, case_id, USER, at, b"wrapped", b"\x00sealed\xff" + token_id.encode()
    )


# --- users ---


def test_users_are_found_by_digest_and_id(store: AuthorityStore) -> None:
    assert store.user_of(b"digest") is None
    assert not store.has_user(USER)
    assert store.add_user(USER, b"digest")
    assert store.user_of(b"digest") == USER
    assert store.user_of(b"diges") is None
    assert store.has_user(USER)
    assert not store.has_user(USER.upper())


def test_no_user_or_digest_twice(store: AuthorityStore) -> None:
    assert store.add_user(USER, b"digest")
    assert not store.add_user(USER, b"other")
    assert not store.add_user(OTHER, b"digest")
    assert store.user_of(b"digest") == USER
    assert store.user_of(b"other") is None
    assert not store.has_user(OTHER)


def test_a_user_is_forgotten_with_all_that_hangs_on_him(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.add_upload(upload("a"))
    filled.put_contact_list(contact_list())
    assert filled.registered([USER, OTHER, "nobody"]) == {USER, OTHER}
    assert filled.remove_user(USER)
    assert not filled.remove_user(USER)
    assert filled.registered([USER, OTHER]) == {OTHER}
    assert filled.user_of(USER.encode()) is None
    assert [one.case_id for one in filled.cases()] == ["CASE2"]
    assert filled.try_pin(USER, NOON) is None
    assert list(filled.uploads("CASE1")) == []
    assert filled.contact_list("CASE1", "within-2m") is None


def test_many_users_are_looked_up_at_once(store: AuthorityStore) -> None:
    for number in range(5):
        store.add_user(str(number), bytes([number]))
    assert store.registered([str(number) for number in range(3, 40_000)]) == {"3", "4"}
    assert store.registered([]) == set()


# --- operators ---


def operator(name: str, prefix: str = "t", *roles: Role) -> Operator:
    return Operator(name, frozenset(roles or Role), NOON, operator_digest(prefix + name))


def test_operators_come_back_by_name(store: AuthorityStore) -> None:
    second, first = operator("b", "t", Role.TRACER, Role.AUDITOR), operator("a")
    assert store.add_operator(second)
    assert store.add_operator(first)
    assert list(store.operators()) == [first, second]


def test_no_operator_or_token_twice(store: AuthorityStore) -> None:
    assert store.add_operator(operator("a"))
    assert not store.add_operator(operator("a", "other"))
    assert not store.add_operator(replace(operator("a"), name="b"))
    assert list(store.operators()) == [operator("a")]


def test_an_operator_is_disabled_once_and_keeps_the_name(store: AuthorityStore) -> None:
    store.add_operator(operator("a"))
    assert store.disable_operator("a")
    assert not store.disable_operator("a")
    assert not store.disable_operator("b")
    assert list(store.operators()) == [replace(operator("a"), disabled=True)]
    assert not store.add_operator(operator("a", "new"))


# --- transactions and the audit log ---


def test_what_belongs_together_happens_together_or_not_at_all(store: AuthorityStore) -> None:
    class StoppedError(Exception):
        pass

    audit = Audit(store)

    def stop_half_way() -> None:
        with store.atomic():
            store.add_user(USER, b"digest")
            with store.atomic():
                audit.record("act", NOON, by="test")
            assert store.has_user(USER)
            raise StoppedError

    with pytest.raises(StoppedError):
        stop_half_way()
    assert not store.has_user(USER)
    assert audit.verify() == (0, START)
    with store.atomic():
        store.add_user(USER, b"digest")
        audit.record("act", NOON, by="test")
    assert store.has_user(USER)
    assert audit.verify()[0] == 1


def test_the_log_comes_back_as_it_was_written(store: AuthorityStore) -> None:
    audit = Audit(store)
    for number in range(5):
        audit.record("act", NOON + number / 3, by="op", subject="CASE", count=number, text="ä\n")
    entries = list(audit.entries())
    assert [one.number for one in entries] == [1, 2, 3, 4, 5]
    assert entries[2].time == NOON + 2 / 3
    assert entries[2].details == {"count": 2, "text": "ä\n"}
    assert [one.number for one in audit.entries(after=2, limit=2)] == [3, 4]
    number, digest = audit.verify()
    assert number == 5
    audit.record("more", NOON, by="op")
    assert audit.verify((5, digest))[0] == 6
    with pytest.raises(AuditError, match="another one than was noted"):
        audit.verify((5, bytes(32)))
    with pytest.raises(AuditError, match="cut off"):
        audit.verify((7, digest))


# --- contact lists, counts, notes ---


def contact_list(case_id: str = "CASE1", basis: str = "within-2m", day: int = DAY) -> ContactList:
    lines = tuple(
        SealedContact(bytes([n]) * 3, n, 2, 0.1, 1 / 3, 2.5, 1.5, 0.25, 1.0, 4.0, NOON, NOON + n)
        for n in range(3)
    )
    return ContactList(case_id, basis, day, b"from", 1, 0, 30, 20, 10, {"expired_id": 10}, lines)


def test_contact_lists_come_back_as_they_were(filled: AuthorityStore) -> None:
    near = contact_list(basis="within-1.5m")
    for one in (contact_list(), near, replace(contact_list("CASE2"), contacts=())):
        filled.put_contact_list(one)
    assert filled.contact_list("CASE1", "within-2m") == contact_list()
    assert filled.contact_list("CASE1", "within-1.5m") == near
    assert filled.contact_list("CASE2", "within-2m") == replace(contact_list("CASE2"), contacts=())
    assert filled.contact_list("CASE2", "within-1.5m") is None


def test_a_new_list_takes_the_place_of_the_old_one(filled: AuthorityStore) -> None:
    filled.put_contact_list(contact_list())
    newer = replace(contact_list(day=DAY + 1), contacts=contact_list().contacts[:1])
    filled.put_contact_list(newer)
    assert filled.contact_list("CASE1", "within-2m") == newer


def test_contact_lists_are_dropped_by_their_day(filled: AuthorityStore) -> None:
    filled.put_contact_list(contact_list())
    filled.put_contact_list(contact_list("CASE2", day=DAY + 1))
    assert filled.drop_contact_lists(NOON) == 0
    assert filled.drop_contact_lists(NOON + SECONDS_PER_DAY) == 1
    assert filled.contact_list("CASE1", "within-2m") is None
    assert filled.contact_list("CASE2", "within-2m") is not None
    counted = filled.counts(NOON)
    assert (counted.contact_lists, counted.contacts) == (1, 3)


def test_requests_are_counted_by_name_subject_and_window(store: AuthorityStore) -> None:
    assert [store.count_up("a", b"x", 60) for _ in range(3)] == [1, 2, 3]
    assert store.count_up("b", b"x", 60) == 1
    assert store.count_up("a", b"y", 60) == 1
    assert store.count_up("a", b"x", 120) == 1
    assert store.counted("a", b"x", 60) == 3
    assert store.counted("a", b"z", 60) == 0
    assert store.drop_counts(120) == 3
    assert store.counted("a", b"x", 60) == 0


def test_notes_hold_the_last_value(store: AuthorityStore) -> None:
    assert store.noted("x") is None
    store.note("x", "1")
    store.note("x", "2")
    assert store.noted("x") == "2"


def test_everything_is_counted(filled: AuthorityStore) -> None:
    filled.add_operator(operator("a"))
    filled.put_pin(pin())
    filled.add_upload(upload("a"))
    filled.put_contact_list(contact_list())
    Audit(filled).record("act", NOON, by="test")
    size = len(upload("a").sealed)
    assert filled.counts(NOON) == Counts(2, 1, 2, 1, 1, size, 1, 3, 1)
    assert filled.counts(NOON + 100).open_pins == 0


def test_a_token_is_remembered_after_its_upload_is_gone(filled: AuthorityStore) -> None:
    assert filled.add_upload(upload("a"))
    assert filled.drop_uploads(NOON + 1) == 1
    assert not filled.add_upload(upload("a", at=NOON + SECONDS_PER_DAY))
    assert filled.drop_tokens(NOON) == 0
    assert filled.drop_tokens(NOON + 1) == 1
    assert filled.add_upload(upload("a", at=NOON + SECONDS_PER_DAY))


def test_uploads_of_many_days_are_dropped_to_the_second(filled: AuthorityStore) -> None:
    for day in range(5):
        filled.add_upload(upload(str(day), at=NOON + day * SECONDS_PER_DAY))
    assert filled.upload_ids("CASE1")[0] == ("0", NOON)
    assert filled.drop_uploads(NOON + 3 * SECONDS_PER_DAY) == 3
    assert [one for one, _ in filled.upload_ids("CASE1")] == ["3", "4"]
    assert filled.drop_uploads(NOON + 3 * SECONDS_PER_DAY + 1) == 1


# --- cases ---


def test_cases_come_back_as_they_were_the_newest_first(filled: AuthorityStore) -> None:
    newer = case("CASE3", opened_at=NOON + 0.5)
    assert filled.add_case(newer)
    assert filled.case("CASE3") == newer
    assert filled.case("case3") is None
    assert [one.case_id for one in filled.cases()] == ["CASE3", "CASE1", "CASE2"]


def test_no_case_twice(filled: AuthorityStore) -> None:
    assert not filled.add_case(case("CASE1", OTHER))
    found = filled.case("CASE1")
    assert found is not None
    assert found.user_id == USER


def test_a_touch_moves_forward_alone(filled: AuthorityStore) -> None:
    assert filled.touch_case("CASE1", NOON + 10)
    assert filled.touch_case("CASE1", NOON + 5)
    assert not filled.touch_case("CASE9", NOON)
    assert filled.case("CASE1") == replace(case("CASE1"), active_at=NOON + 10)
    assert filled.case("CASE2") == case("CASE2", OTHER)


def test_cases_are_dropped_by_their_last_touch(filled: AuthorityStore) -> None:
    filled.touch_case("CASE1", NOON + 10)
    assert filled.drop_cases(NOON) == 0
    assert filled.drop_cases(NOON + 10) == 1
    assert [one.case_id for one in filled.cases()] == ["CASE1"]
    assert filled.drop_cases(NOON + 10) == 0


# --- PINs ---


def test_each_try_is_spent_and_none_is_left_after_the_last(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    left = [filled.try_pin(USER, NOON) for _ in range(6)]
    assert [one and one.tries_left for one in left] == [4, 3, 2, 1, 0, None]
    assert left[0] == replace(pin(), tries_left=4)


def test_a_pin_is_tried_until_it_expires(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    assert filled.try_pin(USER, NOON + 99.9) is not None
    assert filled.try_pin(USER, NOON + 100) is None


def test_no_pin_no_try(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    assert filled.try_pin(OTHER, NOON) is None
    assert filled.try_pin("nobody", NOON) is None


def test_a_pin_is_used_once(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    tried = filled.try_pin(USER, NOON)
    assert tried is not None
    assert filled.use_pin(tried, b"attempt")
    assert not filled.use_pin(tried, b"other")
    assert filled.try_pin(USER, NOON) == replace(pin(), tries_left=3, used=True, attempt=b"attempt")


def test_a_new_pin_takes_the_place_of_the_old_one(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    old = filled.try_pin(USER, NOON)
    filled.put_pin(pin(digest=b"new"))
    assert old is not None
    assert not filled.use_pin(old, b"")
    new = filled.try_pin(USER, NOON)
    assert new == replace(pin(digest=b"new"), tries_left=4)


def test_pins_of_two_users_do_not_touch_each_other(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.put_pin(pin(OTHER, "CASE2"))
    first = filled.try_pin(USER, NOON)
    assert first is not None
    assert filled.use_pin(first, b"")
    assert filled.try_pin(OTHER, NOON) == replace(pin(OTHER, "CASE2"), tries_left=4)


def test_spent_pins_are_dropped(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.put_pin(replace(pin(OTHER, "CASE2"), tries_left=1))
    assert filled.drop_pins(NOON) == 0
    assert filled.try_pin(OTHER, NOON) is not None
    assert filled.drop_pins(NOON) == 1
    assert filled.drop_pins(NOON + 99) == 0
    assert filled.drop_pins(NOON + 100) == 1


@pytest.mark.parametrize(("attempt", "gone"), [(b"", 1), (b"attempt", 0)])
def test_a_used_pin_stays_for_the_attempt_that_used_it(
    filled: AuthorityStore, attempt: bytes, gone: int
) -> None:
    filled.put_pin(pin())
    tried = filled.try_pin(USER, NOON)
    assert tried is not None
    assert filled.use_pin(tried, attempt)
    assert filled.drop_pins(NOON) == gone
    assert filled.drop_pins(NOON + 100) == 1 - gone


# --- uploads ---


def test_uploads_come_back_in_the_order_in_which_they_came(filled: AuthorityStore) -> None:
    later, earlier, other = (
        upload("a", at=NOON + 1),
        upload("b"),
        upload("c", "CASE2"),
    )
    assert all(filled.add_upload(one) for one in (later, earlier, other))
    assert list(filled.uploads("CASE1")) == [earlier, later]
    assert list(filled.uploads("CASE2")) == [other]
    assert list(filled.uploads("CASE9")) == []


def test_no_upload_twice(filled: AuthorityStore) -> None:
    assert filled.add_upload(upload("a"))
    assert not filled.add_upload(upload("a", at=NOON + 1))
    assert list(filled.uploads("CASE1")) == [upload("a")]


def test_uploads_are_dropped_by_their_time(filled: AuthorityStore) -> None:
    for number in range(4):
        filled.add_upload(upload(str(number), at=NOON + number))
    assert filled.drop_uploads(NOON + 2) == 2
    assert filled.drop_uploads(NOON + 2) == 0
    assert [one.token_id for one in filled.uploads("CASE1")] == ["2", "3"]


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
        KeyRing.generate(NOW - SECONDS_PER_DAY),
        name=store.name,
        store=store,
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


def test_two_openings_of_a_file_share_its_state(sqlite: SqlStore, tmp_path: Path) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    sqlite.put_pin(pin())
    with SqlStore.open(tmp_path / "a.db") as again:
        tried = again.try_pin(USER, NOON)
        assert tried is not None
        assert sqlite.use_pin(tried, b"")
        assert not again.use_pin(tried, b"")


# --- the file itself ---


def test_a_file_is_its_owners_alone(sqlite: SqlStore, tmp_path: Path) -> None:
    sqlite.add_user(USER, b"digest")
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["a.db", "a.db-shm", "a.db-wal"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_a_file_keeps_what_it_was_told(tmp_path: Path) -> None:
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


def test_what_was_dropped_is_not_left_in_the_files(sqlite: SqlStore, tmp_path: Path) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    big = replace(upload("a"), sealed=b"CANARY" * 10_000)
    sqlite.add_upload(big)
    assert b"CANARY" in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert sqlite.drop_uploads(NOON + SECONDS_PER_DAY) == 1
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
        with pytest.raises(StoreError, match=r"(?i)foreign key"):
            act()


def test_a_file_is_never_overwritten(sqlite: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there already"):
        SqlStore.create(tmp_path / "a.db", name="X")
    assert sqlite.noted("authority") == "SG_MOH"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
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


def test_a_full_disk_is_told_and_stores_nothing(sqlite: SqlStore) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    with sqlite._database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    engine = sqlite._database.engine

    import sqlalchemy as sa

    @sa.event.listens_for(engine, "begin")
    def no_more_pages(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreError, match="free some space"):
        sqlite.add_upload(replace(upload("a"), sealed=bytes(1_000_000)))
    assert list(sqlite.uploads("CASE1")) == []
