"""Forgetting on time: at the edge, once and again, and after a failure half-way."""

import pytest

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.sign_in import Session
from tracetogether.authority.oversight.retention import Purged
from tracetogether.errors import AccessDeniedError, ClockError, KeyRingError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    CLOCK_JUMP_S,
    RETENTION,
    SESSION_IDLE_S,
    SESSION_LONGEST_S,
    UPLOAD_PIN_LIFETIME_S,
)
from tracetogether.rejection import Rejection
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOTHING = Purged(day_keys=0, uploads=0, contact_lists=0, pins=0, cases=0)
HOUR = 3_600.0


def purge(world: World, now: float) -> Purged:
    """Travel: the tests stand still for weeks between two purges."""
    return world.authority.purge(now, clock_is_right=True)


def days(count: float) -> float:
    return NOON + count * SECONDS_PER_DAY


@pytest.fixture
def world(entropy: Entropy) -> World:
    return World.of(entropy, since=NOON)


def test_keys_go_25_days_after_their_day(world: World) -> None:
    assert purge(world, days(25)).day_keys == 0
    assert world.keys.oldest_day == DAY
    assert purge(world, days(26)).day_keys == 1
    assert world.keys.oldest_day == DAY + 1


def test_row_13_nobody_opens_a_tempid_after_its_key_is_gone(world: World) -> None:
    issuer = world.authority.issuance.issuer
    tempid = world.authority.issuance.batch(world.user(), NOON).at(NOON)
    assert tempid is not None
    assert not isinstance(issuer.open(tempid.text, NOON), Rejection)
    purge(world, days(26))
    assert issuer.open(tempid.text, NOON) is Rejection.KEY_DESTROYED


def test_the_ring_is_saved_each_time(world: World) -> None:
    purge(world, days(1))
    purge(world, days(30))
    assert world.saved == [DAY, DAY + 5]


def test_row_25_uploads_go_21_days_after_they_came(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + 2 * HOUR)
    edge = NOON + HOUR + RETENTION.uploads_s
    assert purge(world, edge).uploads == 0
    assert purge(world, edge + 1).uploads == 1
    assert len(world.store.uploads(case.case_id)) == 1
    assert purge(world, edge + HOUR + 1).uploads == 1


def test_spent_pins_go_open_ones_stay(world: World) -> None:
    cases = [world.authority.casework.open_case(world.user(), NOON) for _ in range(3)]
    pins = [world.authority.pins.issue(case, NOON) for case in cases]
    world.authority.intake.redeem_pin(cases[0].user_id, pins[0], bytes(32), NOON)
    wrong = f"{(int(pins[1]) + 1) % 10**8:08d}"
    for _ in range(5):
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(cases[1].user_id, wrong, bytes(32), NOON)
    assert purge(world, NOON + 1).pins == 2
    assert world.authority.intake.redeem_pin(cases[2].user_id, pins[2], bytes(32), NOON + 2)
    world.authority.pins.issue(cases[0], NOON)
    purge(world, NOON + 3)
    assert purge(world, NOON + UPLOAD_PIN_LIFETIME_S).pins == 1


def test_row_23_sessions_go_once_they_are_over_though_nobody_signs_in(world: World) -> None:
    sign_ins = world.store.sign_ins
    left = {  # when each was begun, and seen last
        b"here": (NOON - SESSION_LONGEST_S, NOON - SESSION_IDLE_S),
        b"idle": (NOON - SESSION_IDLE_S - 1, NOON - SESSION_IDLE_S - 1),
        b"long": (NOON - SESSION_LONGEST_S - 1, NOON),
    }
    for digest, (begun, seen) in left.items():
        sign_ins.add_session(Session(digest * 8, "operator", begun, seen))
    assert purge(world, NOON) == NOTHING  # no entry every hour of people who went home
    assert [digest for digest in left if sign_ins.session(digest * 8)] == [b"here"]


def test_a_case_goes_25_days_after_it_was_worked_on(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON)
    world.authority.pins.issue(case, days(10))
    assert purge(world, days(35)).cases == 0
    assert purge(world, days(35) + 1).cases == 1
    with pytest.raises(NotFoundError):
        world.authority.casework.case(case.case_id)


def test_no_upload_outlives_its_case(world: World) -> None:
    """The latest upload that a case can get is gone before the case is."""
    case = world.authority.casework.open_case(world.user(), NOON)
    pin = world.authority.pins.issue(case, NOON)
    redeemed = NOON + UPLOAD_PIN_LIFETIME_S - 1
    intake = world.authority.intake
    token = intake.redeem_pin(case.user_id, pin, bytes(32), redeemed)
    latest = intake.tokens.open(token, redeemed).expiry
    assert latest + RETENTION.uploads_s < NOON + RETENTION.day_keys_days * SECONDS_PER_DAY


def test_row_25_a_second_purge_finds_nothing(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    assert purge(world, days(40)) == Purged(
        day_keys=15, uploads=1, contact_lists=0, pins=1, cases=1
    )
    assert purge(world, days(40)) == NOTHING


def test_row_25_a_purge_that_failed_half_way_is_made_good_by_the_next(entropy: Entropy) -> None:
    world = World.of(entropy, since=NOON)
    case = world.authority.casework.open_case(world.user(), NOON)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    saved: list[int | None] = []
    broken = True

    def save(ring: KeyRing) -> None:
        if broken:
            msg = "the disk is full"
            raise KeyRingError(msg)
        saved.append(ring.oldest_day)

    failing = type(world.authority.purge)(world.keys, save, world.store, world.authority.audit)
    with pytest.raises(KeyRingError):
        failing(days(40), clock_is_right=True)
    broken = False
    assert failing(days(40), clock_is_right=True) == Purged(
        day_keys=0, uploads=1, contact_lists=0, pins=1, cases=1
    )
    assert saved == [DAY + 15]


def test_row_25_a_clock_that_is_far_ahead_destroys_nothing(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    for ahead in (NOON + CLOCK_JUMP_S + 1, days(365), days(3_650)):
        # Requests go on under the wrong clock, and write its time into the log.
        world.authority.casework.open_case(world.user(), ahead)
        with pytest.raises(ClockError, match="days after the last purge"):
            world.authority.purge(ahead)
        assert world.authority.purge.clock_suspect(ahead)
    assert (world.keys.oldest_day, world.saved) == (DAY, [])
    assert len(world.store.uploads(case.case_id)) == 1
    assert world.authority.purge(NOON + CLOCK_JUMP_S).day_keys == 0
    assert purge(world, days(40)).uploads == 1


def test_row_25_hourly_purges_go_on_for_as_long_as_one_likes(world: World) -> None:
    for hour in range(0, 24 * 60, 24):
        world.authority.purge(NOON + hour * HOUR)
    assert world.keys.oldest_day == DAY + 59 - RETENTION.day_keys_days


def test_row_04_a_clock_that_is_far_behind_is_suspect(world: World) -> None:
    purge(world, days(10))
    world.authority.purge.check_clock(days(10) - CLOCK_JUMP_S)
    with pytest.raises(ClockError, match="days before the last purge"):
        world.authority.purge.check_clock(days(10) - CLOCK_JUMP_S - 1)
    assert world.authority.purge(days(1)) == NOTHING  # which harms nothing
