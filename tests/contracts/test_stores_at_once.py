"""Fifty threads at one store, SQLite and PostgreSQL: what may happen once happens once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from tests.authority_world import NOON
from tests.store_rows import USER, case, pin, served
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, ConflictError

THREADS = 50


def at_once(act: Callable[[int], bool]) -> int:
    """Let fifty threads act at the same moment; return how many succeeded."""
    barrier = Barrier(THREADS)

    def wait_and_act(number: int) -> bool:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(wait_and_act, range(THREADS)))


def test_row_05_fifty_threads_redeem_one_pin_and_one_succeeds(sql: SqlStore) -> None:
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
        authority.casework.close(opened.case_id, NOON)


def test_row_01_fifty_threads_try_wrong_pins_and_five_tries_are_spent(sql: SqlStore) -> None:
    sql.add_user(USER, b"digest")
    sql.add_case(case("CASE1"))
    sql.put_pin(pin())
    assert at_once(lambda _: sql.try_pin(USER, NOON) is not None) == 5


def test_row_05_fifty_threads_upload_with_one_token_and_one_succeeds(sql: SqlStore) -> None:
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
