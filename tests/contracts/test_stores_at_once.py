"""Fifty threads use one store, on SQLite and PostgreSQL: what may happen once happens once."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.authority_world import NOON, World
from tests.followed_rows import contact_row
from tests.presence_world import CAFE, HOUR, PresenceWorld, sent
from tests.store_rows import USER, case, pin, served
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.desk import DeskTables
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.followed import ContactQuery, ContactState, KeptContact
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, ConflictError, StaleError

THREADS = 50


def at_once(act: Callable[[int], bool]) -> int:
    """Let fifty threads act at the same moment; return how many succeeded."""
    barrier = Barrier(THREADS)

    def wait_and_act(number: int) -> bool:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(wait_and_act, range(THREADS)))


def test_threat_pin_reuse_by_fifty_threads_succeeds_once(sql: SqlStore) -> None:
    authority = served(sql)
    user = authority.issuance.register().user_id
    for _ in range(3):
        opened = authority.casework.open_case(user, NOON, by=CONSOLE)
        code = authority.pins.issue(opened, NOON, by=CONSOLE)

        def redeem(number: int, code: str = code) -> bool:
            try:
                authority.intake.redeem_pin(user, code, sha256(bytes([number])), NOON)
            except AccessDeniedError:
                return False
            return True

        assert at_once(redeem) == 1
        authority.casework.close(opened.case_id, NOON, by=CONSOLE)


def test_threat_pin_tries_counts_five_when_fifty_threads_try_at_once(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    assert at_once(lambda _: sql.try_pin(USER, NOON) is not None) == 5


def test_threat_pin_reuse_of_a_token_by_fifty_threads_succeeds_once(sql: SqlStore) -> None:
    authority = served(sql)
    opened = authority.casework.open_case(authority.issuance.register().user_id, NOON, by=CONSOLE)
    body = b'{"records": []}'
    code = authority.pins.issue(opened, NOON, by=CONSOLE)
    token = authority.intake.redeem_pin(opened.user_id, code, sha256(body), NOON)

    def take(_: int) -> bool:
        try:
            authority.intake.take_upload(token, body, NOON)
        except ConflictError:
            return False
        return True

    assert at_once(take) == 1
    assert len(sql.uploads(opened.case_id)) == 1


@pytest.mark.slow
def test_one_of_fifty_stale_forms_is_stored(sql: SqlStore) -> None:
    authority = served(sql)
    opened = authority.casework.open_case(authority.issuance.register().user_id, NOON, by=CONSOLE)
    row = contact_row(1, opened.case_id, authority.desk.keys, os.urandom, ContactState.TO_TRACE)
    sql.desk.put_contacts([row])
    authority.staff.add("ravi", frozenset({Role.TRACER}), "token", NOON, by=CONSOLE)

    def describe(number: int) -> bool:
        try:
            authority.follow_up.describe(
                row.contact_id, f"name {number}", "", NOON, version=1, by=CONSOLE
            )
        except StaleError:
            return False
        return True

    def assign(_: int) -> bool:
        try:
            authority.casework.assign(opened.case_id, "ravi", NOON, version=1, by=CONSOLE)
        except StaleError:
            return False
        return True

    assert at_once(describe) == 1
    assert at_once(assign) == 1
    assert authority.desk.contact(row.contact_id, by=CONSOLE).kept.version == 2
    assert authority.casework.case(opened.case_id, by=CONSOLE).version == 2


def test_an_upload_overwrites_no_name_that_is_written_meanwhile(
    sql: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.of(os.urandom, store=sql)
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 7_200, 90, rssi_dbm=-45), NOON)
    work = world.authority.follow_up
    world.authority.finder.refresh(case, NOON)
    (followed,) = world.authority.desk.page(ContactQuery(case_id=case.case_id), by=CONSOLE).contacts
    contact_id, read = followed.kept.contact_id, type(sql.desk).contacts_of
    tracer = Thread(
        target=work.describe, args=(contact_id, "Ann", "", NOON), kwargs={"by": CONSOLE}
    )

    def read_while_somebody_writes(desk: DeskTables, ids: Sequence[str]) -> Sequence[KeptContact]:
        found = read(desk, ids)
        if not tracer.ident:
            tracer.start()
            tracer.join(0.3)  # it waits for the transaction, if that holds the rows
        return found

    # No public call stops a service between its read and its write.
    monkeypatch.setattr(type(sql.desk), "contacts_of", read_while_somebody_writes)
    world.authority.finder.refresh(case, NOON)
    tracer.join()
    assert work.reveal(contact_id, "a test", NOON, by=CONSOLE).name == "Ann"


def test_two_stores_of_one_file_share_its_rows(sqlite: SqlStore, tmp_path: Path) -> None:
    sqlite.add_user(USER, b"digest")
    sqlite.add_case(case("CASE1"))
    sqlite.put_pin(pin())
    with SqlStore.open(tmp_path / "a.db") as again:
        tried = again.try_pin(USER, NOON)
        assert tried is not None
        assert sqlite.use_pin(tried, b"")
        assert not again.use_pin(tried, b"")


def test_one_package_comes_out_however_many_servers_publish(sql: SqlStore) -> None:
    world = PresenceWorld.new(sql)
    cases = [world.case_of() for _ in range(2)]
    for case_ in cases:
        world.report(case_, [sent(CAFE, NOON - 5 * HOUR)])
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(world.authority.publishing.publish, [NOON + HOUR] * 8))
    assert sorted(made) == [0] * 7 + [1]
    assert [world.states(case_) for case_ in cases] == [["published"]] * 2
    (package,) = world.packages(NOON + HOUR)
    assert len(package.visits) == 2
