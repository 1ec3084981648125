"""Passwords, codes and sessions: what is kept, what is refused, when it ends."""

from dataclasses import fields

import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import CHEAP, PASSWORD
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.adapters.operator_pages.credentials import Argon2, Totp, enrolment_picture
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.access.sign_in import SignIn, form_token, session_digest
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    StoreError,
)
from tracetogether.parameters import (
    SESSION_IDLE_S,
    SESSION_LONGEST_S,
    SIGN_INS_A_QUARTER_HOUR,
    SIGN_INS_FROM_ONE_ADDRESS,
)

CODES = Totp()


@pytest.fixture
def world() -> World:
    made = World.of(counted_entropy(9))
    made.authority.staff.add("amira", frozenset({Role.TRACER}), "token", NOON, by=CONSOLE)
    return made


@pytest.fixture
def sign_in(world: World) -> SignIn:
    return sign_in_for(world.authority, CHEAP)


def enrolled(sign_in: SignIn, now: float = NOON) -> bytes:
    """Give amira a password and codes; return the secret."""
    sign_in.set_password("amira", PASSWORD, now, by=CONSOLE)
    token = sign_in.enter("amira", PASSWORD, "", now)
    secret = sign_in.secret_of(token)
    sign_in.enrol(token, CODES.at(secret, now), now)
    return secret


def test_from_the_first_password_to_a_session(sign_in: SignIn) -> None:
    sign_in.set_password("amira", PASSWORD, NOON, by=CONSOLE)
    first = sign_in.enter("amira", PASSWORD, "", NOON)
    found = sign_in.who(first, NOON)
    assert found is not None
    assert found[1].enrolling
    secret = sign_in.secret_of(first)
    assert len(secret) == 20
    with pytest.raises(AccessDeniedError):
        sign_in.enrol(first, "000000", NOON)
    second = sign_in.enrol(first, CODES.at(secret, NOON), NOON)
    assert sign_in.who(first, NOON) is None  # the session's name changes
    found = sign_in.who(second, NOON)
    assert found is not None
    assert (found[0].name, found[1].enrolling) == ("amira", b"")
    with pytest.raises(ConflictError):
        sign_in.secret_of(second)
    sign_in.leave(second, NOON)
    assert sign_in.who(second, NOON) is None


def test_a_code_lets_in_once(sign_in: SignIn) -> None:
    secret = enrolled(sign_in)
    with pytest.raises(AccessDeniedError):  # enrolment has used it
        sign_in.enter("amira", PASSWORD, CODES.at(secret, NOON), NOON)
    later = NOON + 30
    sign_in.enter("amira", PASSWORD, CODES.at(secret, later), later)
    with pytest.raises(AccessDeniedError):
        sign_in.enter("amira", PASSWORD, CODES.at(secret, later), later)
    with pytest.raises(AccessDeniedError):  # an earlier one that was never used
        sign_in.enter("amira", PASSWORD, CODES.at(secret, NOON), later)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６"])
def test_no_code_no_entry(sign_in: SignIn, code: str) -> None:
    enrolled(sign_in)
    with pytest.raises(AccessDeniedError):
        sign_in.enter("amira", PASSWORD, code, NOON + 60)


def test_threat_timing_is_equal_for_all_failed_sign_ins(world: World) -> None:
    hashed: list[str] = []

    class Counted(Argon2):
        def __call__(self, password: str, salt: bytes, cost: str) -> bytes:
            hashed.append(cost)
            return super().__call__(password, salt, cost)

    counted = Counted(rounds=1, memory_kib=64, lanes=1)
    sign_in = sign_in_for(world.authority, counted)
    secret = enrolled(sign_in)
    world.authority.staff.add("gone", frozenset({Role.TRACER}), "token of gone", NOON, by=CONSOLE)
    sign_in.set_password("gone", PASSWORD, NOON, by=CONSOLE)
    world.authority.staff.disable("gone", NOON, by=CONSOLE)
    now, messages = NOON + 90, set()
    good = CODES.at(secret, now)
    for name, password, code in [
        ("amira", PASSWORD + "x", good),
        ("amira", PASSWORD, "000000"),
        ("nobody", PASSWORD, good),
        ("operator", PASSWORD, good),  # has no password
        ("gone", PASSWORD, good),
        ("", "", ""),
    ]:
        before = len(hashed)
        with pytest.raises(AccessDeniedError) as refused:
            sign_in.enter(name, password, code, now)
        messages.add(str(refused.value))
        assert len(hashed) == before + 1
    assert len(messages) == 1
    assert set(hashed) == {counted.cost}
    sign_in.enter("amira", PASSWORD, good, now)


def test_what_a_stranger_types_is_not_written_down(world: World, sign_in: SignIn) -> None:
    for name in ("my password by mistake", "amira"):
        with pytest.raises(AccessDeniedError):
            sign_in.enter(name, "x", "", NOON)
    entries = [
        entry
        for entry in world.authority.audit.entries(by=CONSOLE)
        if entry.act == "operator.refused"
    ]
    assert [entry.subject for entry in entries] == ["amira"]


def test_threat_session_password_guessing_is_stopped(sign_in: SignIn) -> None:
    secret = enrolled(sign_in)
    now = NOON + 900
    for _ in range(SIGN_INS_A_QUARTER_HOUR):
        with pytest.raises(AccessDeniedError):
            sign_in.enter("amira", "wrong", "000000", now, address="a")
    with pytest.raises(RateLimitedError):
        sign_in.enter("amira", PASSWORD, CODES.at(secret, now), now, address="b")
    for number in range(SIGN_INS_FROM_ONE_ADDRESS - SIGN_INS_A_QUARTER_HOUR):
        with pytest.raises(AccessDeniedError):
            sign_in.enter(f"n{number}", "wrong", "", now, address="a")
    with pytest.raises(RateLimitedError):
        sign_in.enter("another", "wrong", "", now, address="a")
    later = now + 900
    sign_in.enter("amira", PASSWORD, CODES.at(secret, later), later, address="a")


def test_threat_session_ends_on_time(world: World, sign_in: SignIn) -> None:
    secret = enrolled(sign_in)

    def entered(now: float) -> str:
        return sign_in.enter("amira", PASSWORD, CODES.at(secret, now), now)

    start = NOON + 60
    token = entered(start)
    assert sign_in.who(token, start + SESSION_IDLE_S - 1) is not None
    assert sign_in.who(token, start + 2 * SESSION_IDLE_S - 2) is not None  # was seen meanwhile
    assert sign_in.who(token, start + 3 * SESSION_IDLE_S) is None
    now = start
    token = entered(now := now + SESSION_LONGEST_S)
    begun = now
    while now < begun + SESSION_LONGEST_S - 600:
        now += 600
        assert sign_in.who(token, now) is not None
    assert sign_in.who(token, begun + SESSION_LONGEST_S) is None  # busy or not
    token = entered(now := now + 1000)
    world.authority.staff.disable("amira", now, by=CONSOLE)
    assert sign_in.who(token, now) is None


def test_a_new_password_ends_sessions_and_codes(sign_in: SignIn) -> None:
    secret = enrolled(sign_in)
    token = sign_in.enter("amira", PASSWORD, CODES.at(secret, NOON + 30), NOON + 30)
    sign_in.set_password("amira", "another long one", NOON + 60, by=CONSOLE)
    assert sign_in.who(token, NOON + 60) is None
    with pytest.raises(AccessDeniedError):
        sign_in.enter("amira", PASSWORD, CODES.at(secret, NOON + 90), NOON + 90)
    again = sign_in.enter("amira", "another long one", "", NOON + 90)
    assert sign_in.secret_of(again) != secret


def test_two_enrolments_at_once_leave_one_secret(sign_in: SignIn) -> None:
    sign_in.set_password("amira", PASSWORD, NOON, by=CONSOLE)
    tokens = [sign_in.enter("amira", PASSWORD, "", NOON) for _ in range(2)]
    secrets = [sign_in.secret_of(token) for token in tokens]
    sign_in.enrol(tokens[0], CODES.at(secrets[0], NOON), NOON)
    assert sign_in.who(tokens[1], NOON) is None
    with pytest.raises(ConflictError):
        sign_in.enrol(tokens[1], CODES.at(secrets[1], NOON), NOON)


@pytest.mark.parametrize("password", ["short", "x" * 257, "amira is my name"])
def test_bad_passwords(sign_in: SignIn, password: str) -> None:
    with pytest.raises(InvalidRequestError, match="12 to 256 characters"):
        sign_in.set_password("amira", password, NOON, by=CONSOLE)
    with pytest.raises(NotFoundError):
        sign_in.set_password("nobody", PASSWORD, NOON, by=CONSOLE)


def test_how_a_password_was_typed_does_not_matter(sign_in: SignIn) -> None:
    sign_in.set_password("amira", "Cafe\u0301 au lait, wie immer", NOON, by=CONSOLE)
    sign_in.enter("amira", "Caf\u00e9 au lait, wie immer", "", NOON)


def test_a_password_is_normalised_before_it_is_measured(sign_in: SignIn) -> None:
    apart, together = "e\u0301\u0302" * 200, "\u00e9\u0302" * 200  # 600 as typed, and 400
    with pytest.raises(InvalidRequestError):
        sign_in.set_password("amira", together, NOON, by=CONSOLE)
    apart, together = "e\u0301" * 250, "\u00e9" * 250  # 500 as typed, and 250
    sign_in.set_password("amira", apart, NOON, by=CONSOLE)
    sign_in.enter("amira", together, "", NOON)
    sign_in.enter("amira", apart, "", NOON)
    for other in (apart[:-2], apart + "e", together * 2, "e\u0301" * 10_000, "\ud800" * 250):
        with pytest.raises(AccessDeniedError):
            sign_in.enter("amira", other, "", NOON)
    # As typed they look long enough, or short enough.
    for bad in ("e\u0301" * 11, "\u00e9" * 257, "\ufdfa" * 15, "\ud800" * 20, "e\u0301" * 3_000):
        with pytest.raises(InvalidRequestError, match="12 to 256 characters"):
            sign_in.set_password("amira", bad, NOON, by=CONSOLE)


def test_nothing_that_opens_is_kept_or_shown(world: World, sign_in: SignIn) -> None:
    secret = enrolled(sign_in)
    token = sign_in.enter("amira", PASSWORD, CODES.at(secret, NOON + 30), NOON + 30)
    kept = world.store.sign_ins.password("amira")
    session = world.store.sign_ins.session(session_digest(token))
    assert kept is not None
    assert session is not None
    said = [getattr(stored, part.name) for stored in (kept, session) for part in fields(stored)]
    held = b"".join(value for value in said if isinstance(value, bytes)) + repr(said).encode()
    for canary in (PASSWORD.encode(), secret, token.encode()):
        assert canary not in held
    assert "verifier" not in repr(kept)
    assert repr(kept.salt) not in repr(kept)
    assert repr(session.digest) not in repr(session)
    assert token not in form_token(token)


def test_a_hash_of_another_program_is_named() -> None:
    with pytest.raises(StoreError, match="scrypt"):
        CHEAP(PASSWORD, bytes(16), "scrypt 1 2 3")


def test_codes_are_rfc_6238s() -> None:
    # Appendix B, SHA-1, the last six of its eight digits.
    secret = b"12345678901234567890"
    for now, code in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")]:
        assert CODES.at(secret, now) == code
        assert CODES.step(secret, f"{code[:3]} {code[3:]}", now) == now // 30
        assert CODES.step(secret, code, now + 30) == now // 30  # clocks differ a little
        assert CODES.step(secret, code, now + 65) is None
    assert enrolment_picture(secret, "amira", "SG_MOH").startswith("<svg")
