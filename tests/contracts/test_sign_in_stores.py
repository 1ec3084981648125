"""Passwords and sessions of operators, on SQLite and PostgreSQL."""

import pytest

from tests.authority_world import NOON
from tests.store_rows import operator
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.authority.oversight.store import AuthorityStore

KEPT = KeptPassword("amira", b"salt", "cost", b"verifier")


@pytest.fixture
def staffed(store: AuthorityStore) -> AuthorityStore:
    for name in ("amira", "bela"):
        assert store.add_operator(operator(name))
    return store


def session(name: str, digest: bytes, begun: float = NOON, seen: float = NOON) -> Session:
    return Session(digest, name, begun, seen, b"sealed")


def test_a_password_replaces_the_one_before(staffed: AuthorityStore) -> None:
    room = staffed.sign_ins
    assert room.password("amira") is None
    room.put_password(KEPT)
    assert room.password("amira") == KEPT
    assert room.enrol("amira", b"secret", 7)
    new = KeptPassword("amira", b"other", "cost", b"other")
    room.put_password(new)
    assert room.password("amira") == new
    assert room.password("bela") is None


def test_a_secret_is_stored_once_and_a_step_used_once(staffed: AuthorityStore) -> None:
    room = staffed.sign_ins
    assert not room.enrol("amira", b"secret", 7)  # no password yet
    assert not room.use_step("amira", 8)
    room.put_password(KEPT)
    assert room.enrol("amira", b"secret", 7)
    assert not room.enrol("amira", b"another", 9)
    assert not room.use_step("amira", 7)
    assert room.use_step("amira", 8)
    assert not room.use_step("amira", 8)
    assert not room.use_step("amira", 6)
    kept = room.password("amira")
    assert kept is not None
    assert (kept.sealed_secret, kept.last_step) == (b"secret", 8)


def test_sessions_come_and_go(staffed: AuthorityStore) -> None:
    room = staffed.sign_ins
    for name, digest in (("amira", b"1"), ("amira", b"2"), ("bela", b"3")):
        room.add_session(session(name, digest))
    assert room.session(b"1") == session("amira", b"1")
    room.see_session(b"1", NOON + 60)
    room.see_session(b"none", NOON)
    assert room.session(b"1") == session("amira", b"1", seen=NOON + 60)
    room.end_session(b"1")
    room.end_session(b"1")
    assert room.session(b"1") is None
    assert room.end_sessions("amira") == 1
    assert room.end_sessions("amira") == 0
    assert room.session(b"3") is not None


def test_old_sessions_are_deleted(staffed: AuthorityStore) -> None:
    room = staffed.sign_ins
    room.add_session(session("amira", b"long", begun=NOON - 100, seen=NOON))
    room.add_session(session("amira", b"idle", begun=NOON, seen=NOON - 50))
    room.add_session(session("amira", b"good"))
    assert room.drop_sessions(NOON - 100, NOON - 50) == 0
    assert room.drop_sessions(NOON - 99, NOON - 49) == 2
    assert room.session(b"good") is not None


def test_a_failed_transaction_stores_no_password_and_no_session(staffed: AuthorityStore) -> None:
    def undone() -> None:
        with staffed.atomic():
            staffed.sign_ins.put_password(KEPT)
            staffed.sign_ins.add_session(session("amira", b"1"))
            raise LookupError

    with pytest.raises(LookupError):
        undone()
    assert staffed.sign_ins.password("amira") is None
    assert staffed.sign_ins.session(b"1") is None
