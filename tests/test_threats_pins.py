"""Threats in docs/explanation/threat-model.md against PINs, upload tokens and hidden traffic."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store, inside
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.tables import METADATA
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.pins import PinLifetime, PinRules
from tracetogether.authority.intake.uploads import CHAFF_CASE
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import hmac_sha256, sha256
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    RateLimitedError,
)
from tracetogether.parameters import (
    PIN_ALERT_A_MINUTE,
    PIN_SLOWED_A_MINUTE,
    PIN_TRIES_AN_HOUR,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_PIN_TRIES,
)
from tracetogether.units import Entropy

HOUR = 3_600.0
BODY = b'{"records": []}'


@pytest.fixture
def sql_world(entropy: Entropy, tmp_path: Path) -> Iterator[World]:
    with fresh_store(tmp_path / "a.db") as store:
        yield World.of(entropy, store=store)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where an authority can be made."""
    sqlite = request.param == "sqlite"
    return tmp_path / "a.db" if sqlite else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def kept(place: Path | str, entropy: Entropy) -> Iterator[World]:
    """An authority on either database."""
    with SqlStore.create(place, name="SG_MOH") as store:
        yield World.of(entropy, store=store)


def everything_in(world: World) -> str:
    """Return all that is in the database's tables, as text, blobs in two ways."""
    assert isinstance(world.store, SqlStore)
    said = []
    with inside(world.store).transactions.reading() as connection:
        for table in METADATA.sorted_tables:
            for row in connection.execute(table.select()):
                for value in row:
                    if isinstance(value, bytes):
                        said.append(value.decode("latin-1"))
                    said.append(value.hex() if isinstance(value, bytes) else str(value))
    return "\n".join(said)


def other_than(pin: str) -> str:
    return f"{(int(pin) + 1) % 10**8:08d}"


def acts(world: World) -> list[str]:
    return [entry.act for entry in world.authority.audit.entries(limit=10**6, by=CONSOLE)]


def test_threat_pin_tries_refuses_the_sixth_try_even_with_the_right_pin_and_records_it(
    world: World, case: Case
) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    for tried in [other_than(pin)] * UPLOAD_PIN_TRIES + [pin]:
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(case.user_id, tried, bytes(32), NOON)
    # The PIN is void by now: the sixth try is one of those that are counted by the hour.
    assert acts(world)[-6:] == ["pin.issued", *["pin.refused"] * 5]
    world.authority.tallies.tell(NOON + HOUR)
    assert acts(world)[-1] == "pins.refused"


@given(st.integers(-5, 10**9), st.integers(1, 50), st.integers(4, 16))
def test_threat_pin_guessing_rejects_rules_that_make_guessing_worthwhile(
    a_day: int, tries: int, digits: int
) -> None:
    """Wrong numbers a day over all open PINs, as a share of all numbers, whatever the botnet."""
    hopeless = a_day >= 1 and a_day * tries / 10**digits <= 1e-3
    if hopeless:
        assert PinRules(a_day, tries, digits).guessed_a_day <= 1e-3
    else:
        with pytest.raises(AuthorityError, match="--pins-a-day"):
            PinRules(a_day, tries, digits)


def test_threat_pin_guessing_rules_keep_a_service_from_starting(sql_world: World) -> None:
    assert sql_world.authority.pins.rules.guessed_a_day < 1e-3
    sql_world.store.put_setting("pins_a_day", "30000")
    with pytest.raises(AuthorityError, match="30000 upload PINs"):
        World.of(counted_entropy(2), store=sql_world.store)


def test_threat_pin_guessing_limits_the_pins_per_day(entropy: Entropy) -> None:
    store = fresh_store()
    store.put_setting("pins_a_day", "3")
    world = World.of(entropy, store=store)
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    for _ in range(3):
        world.authority.pins.issue(case, NOON, by=CONSOLE)
    with pytest.raises(RateLimitedError, match="all 3 upload PINs") as caught:
        world.authority.pins.issue(case, NOON, by=CONSOLE)
    assert caught.value.retry_after_s == 12 * HOUR
    assert world.authority.pins.given_out(NOON) == 4  # asked for
    assert world.authority.pins.issue(case, NOON + 12 * HOUR, by=CONSOLE)


def test_threat_pin_guessing_delays_answers_to_the_guessers_address(world: World) -> None:
    pins, store = world.authority.pins, world.store
    guesser, neighbour, other = "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"

    def guess() -> None:
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(
                world.user(), "00000000", bytes(32), NOON, address=guesser
            )

    for _ in range(PIN_SLOWED_A_MINUTE):
        guess()
    assert pins.pause_s(NOON, guesser) == 0
    guess()
    for address in (guesser, neighbour):
        waits = [pins.pause_s(NOON + after, address) for after in (0, 59, 119, 120)]
        assert waits == [2.0, 2.0, 2.0, 0.0]
    assert pins.pause_s(NOON, other) == pins.pause_s(NOON, "") == 0
    assert store.counts(NOON).pin_failures == PIN_SLOWED_A_MINUTE + 1


def test_threat_pin_guessing_raises_one_alert_per_hour(world: World) -> None:
    users = [world.user() for _ in range(6)]

    def guess(count: int, now: float) -> None:
        for attempt in range(count):
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(users[attempt % 6], "00000000", bytes(32), now)

    guess(PIN_ALERT_A_MINUTE + 5, NOON)
    assert acts(world).count("pin.alert") == 1
    guess(PIN_ALERT_A_MINUTE + 5, NOON + 60)
    assert acts(world).count("pin.alert") == 1
    guess(PIN_ALERT_A_MINUTE + 5, NOON + HOUR)
    assert acts(world).count("pin.alert") == 2


def test_threat_pin_guessing_limits_the_tries_of_a_user_over_all_pins(world: World) -> None:
    user = world.user()
    for _ in range(PIN_TRIES_AN_HOUR):
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(user, "00000000", bytes(32), NOON)
    with pytest.raises(RateLimitedError) as caught:
        world.authority.intake.redeem_pin(user, "00000000", bytes(32), NOON)
    assert caught.value.retry_after_s == HOUR
    with pytest.raises(AccessDeniedError):
        world.authority.intake.redeem_pin(user, "00000000", bytes(32), NOON + HOUR)


def test_threat_pin_in_database_finds_no_pin(kept: World, tmp_path: Path) -> None:
    user = kept.user()
    case = kept.authority.casework.open_case(user, NOON, by=CONSOLE)
    pin = kept.authority.pins.issue(case, NOON, by=CONSOLE)
    assert case.case_id in everything_in(kept)  # the search finds what is there
    for _ in range(2):
        assert pin not in everything_in(kept)
        stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert pin.encode() not in stored
        kept.authority.intake.redeem_pin(user, pin, bytes(32), NOON, attempt="a" * 32)


def test_threat_pin_in_database_keeps_no_check_value_after_three_days(kept: World) -> None:
    case = kept.authority.casework.open_case(kept.user(), NOON, by=CONSOLE)
    pin = kept.authority.pins.issue(case, NOON, by=CONSOLE)
    later = NOON + 72 * HOUR
    with pytest.raises(AccessDeniedError):
        kept.authority.intake.redeem_pin(case.user_id, pin, bytes(32), later)
    assert kept.authority.purge(later, clock_is_right=True).pins == 1
    with pytest.raises(AccessDeniedError):
        kept.authority.intake.redeem_pin(case.user_id, pin, bytes(32), NOON + 1)


def test_threat_pin_lifetime_is_a_day_on_the_servers_clock(world: World, case: Case) -> None:
    for after, accepted in ((UPLOAD_PIN_LIFETIME_S - 1, True), (UPLOAD_PIN_LIFETIME_S + 1, False)):
        pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
        if accepted:
            world.authority.intake.redeem_pin(case.user_id, pin, bytes(32), NOON + after)
        else:
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(case.user_id, pin, bytes(32), NOON + after)


@pytest.mark.parametrize("lifetime", PinLifetime)
def test_threat_pin_lifetime_is_exact_and_survives_a_restart(
    kept: World, place: Path | str, lifetime: PinLifetime
) -> None:
    """A day for a letter, a quarter of an hour for the telephone, whichever process is asked."""
    assert lifetime.seconds == {"short": 15 * 60, "long": 24 * HOUR}[lifetime.value]
    assert isinstance(kept.store, SqlStore)
    case = kept.authority.casework.open_case(kept.user(), NOON, by=CONSOLE)
    in_time = kept.authority.pins.issue(case, NOON, lifetime=lifetime, by=CONSOLE)
    kept.authority.intake.redeem_pin(case.user_id, in_time, bytes(32), NOON + lifetime.seconds - 1)
    late = kept.authority.pins.issue(case, NOON, lifetime=lifetime, by=CONSOLE)
    kept.store.close()
    with SqlStore.open(place) as again:
        restarted = Authority.assemble(
            kept.keys, name="SG_MOH", store=again, save_keys=lambda _: None
        )
        for after in (0, 1, 60):
            with pytest.raises(AccessDeniedError):
                restarted.intake.redeem_pin(
                    case.user_id, late, bytes(32), NOON + lifetime.seconds + after
                )


def test_threat_pin_reuse_lets_one_attempt_retry_and_accepts_one_log(
    world: World, case: Case
) -> None:
    pin, digest = world.authority.pins.issue(case, NOON, by=CONSOLE), sha256(BODY)
    intake = world.authority.intake
    first = intake.redeem_pin(case.user_id, pin, digest, NOON, attempt="a" * 32)
    again = intake.redeem_pin(case.user_id, pin, digest, NOON + 1, attempt="a" * 32)
    for attempt, log in (("b" * 32, digest), ("", digest), ("a" * 32, bytes(32))):
        with pytest.raises(AccessDeniedError):
            intake.redeem_pin(case.user_id, pin, log, NOON + 2, attempt=attempt)
    assert intake.tokens.open(first, NOON).token_id == intake.tokens.open(again, NOON).token_id
    intake.take_upload(first, BODY, NOON)
    with pytest.raises(Exception, match="already received"):
        intake.take_upload(again, BODY, NOON)


def test_threat_watched_traffic_chaff_takes_the_steps_of_a_refusal_and_leaves_nothing(
    sql_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = sql_world
    user = world.user()
    before = world.store.counts(NOON)
    steps: list[str] = []
    for name in ("count_up", "try_pin", "last_audit", "add_audit"):
        real = getattr(SqlStore, name)

        def counted(*args: object, _real: object = real, _name: str = name) -> object:
            steps.append(_name)
            return _real(*args)  # type: ignore[operator]

        monkeypatch.setattr(SqlStore, name, counted)
    token = world.authority.intake.pretend_redeem(user, sha256(BODY), NOON)
    chaff_steps = list(steps)
    steps.clear()
    with pytest.raises(AccessDeniedError):
        world.authority.intake.redeem_pin(user, "00000000", sha256(BODY), NOON)
    # Who has no open PIN is counted, whether they pretend or not, and the same is waited for.
    assert chaff_steps == steps
    assert steps == ["count_up", "try_pin", "last_audit", *["count_up"] * 3]
    receipt = world.authority.intake.take_upload(token, BODY, NOON)
    assert receipt.case_id == CHAFF_CASE
    after = world.store.counts(NOON)
    assert after.audit_entries == before.audit_entries
    assert (after.uploads, after.open_pins, after.cases) == (0, 0, 0)


def test_threat_watched_traffic_pretended_token_has_the_length_of_a_right_one(
    world: World, case: Case
) -> None:
    right = world.token(case, BODY, NOON)
    pretended = world.authority.intake.pretend_redeem(case.user_id, sha256(BODY), NOON)
    assert len(pretended) == len(right)


def test_threat_timing_is_equal_for_all_answers_to_a_pin_in_the_store(
    kept: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown user, no PIN, wrong, expired, void, used, another's; chaff; and the right one."""
    assert isinstance(kept.store, SqlStore)
    authority, counted = kept.authority, {"statements": 0, "hmacs": 0}

    def patient() -> tuple[str, str]:
        case = authority.casework.open_case(kept.user(), NOON, by=CONSOLE)
        return case.user_id, authority.pins.issue(case, NOON, by=CONSOLE)

    def seen(*_: object) -> None:
        counted["statements"] += 1

    def keyed(key: bytes, data: bytes) -> bytes:
        counted["hmacs"] += 1
        return hmac_sha256(key, data)

    void, used = patient(), patient()
    for _ in range(UPLOAD_PIN_TRIES):
        with pytest.raises(AccessDeniedError):
            authority.intake.redeem_pin(void[0], other_than(void[1]), bytes(32), NOON)
    authority.intake.redeem_pin(*used, bytes(32), NOON)
    wrong, right, named, expired = patient(), patient(), patient(), patient()
    refused = {
        "unknown user": ("A" * 28, right[1], NOON),
        "no PIN": (kept.user(), right[1], NOON),
        "wrong": (wrong[0], other_than(wrong[1]), NOON),
        "expired": (*expired, NOON + UPLOAD_PIN_LIFETIME_S),
        "void": (*void, NOON),
        "used": (*used, NOON),
        "another's": (wrong[0], right[1], NOON),
    }
    cost: dict[str, tuple[int, int]] = {}
    said = set()
    engine = inside(kept.store).database.engine
    sa.event.listen(engine, "before_cursor_execute", seen)
    monkeypatch.setattr("tracetogether.authority.intake.pins.hmac_sha256", keyed)
    monkeypatch.setattr("tracetogether.authority.access.limits.hmac_sha256", keyed)
    try:
        for name, (user_id, pin, now) in refused.items():
            counted.update(statements=0, hmacs=0)
            with pytest.raises(AccessDeniedError) as caught:
                authority.intake.redeem_pin(user_id, pin, bytes(32), now)
            said.add(str(caught.value))
            cost[name] = (counted["statements"], counted["hmacs"])
        counted.update(statements=0, hmacs=0)
        authority.intake.pretend_redeem(wrong[0], bytes(32), NOON)
        cost["chaff"] = (counted["statements"], counted["hmacs"])
        accepted = []
        for user, attempt in ((right, ""), (named, "b" * 32)):
            counted.update(statements=0, hmacs=0)
            authority.intake.redeem_pin(*user, bytes(32), NOON, attempt=attempt)
            accepted.append((counted["statements"], counted["hmacs"]))
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)
    assert len(set(cost.values())) == 1, cost
    assert len(said) == 1
    assert set(accepted) == {cost["chaff"]}


def test_threat_stolen_database_shows_nothing_of_a_log_or_a_contact(kept: World) -> None:
    case = kept.authority.casework.open_case(kept.user(), NOON, by=CONSOLE)
    near, phone = kept.user(), kept.authority.issuance.register()
    rows = kept.heard(near, NOON - HOUR, 30, rssi_dbm=-45)
    token = kept.token(case, write_upload(rows), NOON)
    kept.authority.intake.take_upload(token, write_upload(rows), NOON)
    kept.authority.tracing.refresh(case)
    assert len(kept.authority.tracing.contacts(case, by=CONSOLE).contacts) == 1
    said = everything_in(kept)
    assert "upload.taken" in said  # the search finds what is there
    canaries = {*(row.peer for row in rows), "Pixel 3a", "iPhone 8", token, phone.credential}
    assert [canary for canary in canaries if canary in said] == []
    assert said.count(near) == 1  # as a user; nowhere as a contact
