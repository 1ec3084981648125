"""Forgetting on time: at the edge, once and again, and after a failure half-way."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Caller
from tracetogether.authority.access.sign_in import KeptPassword, Session
from tracetogether.authority.oversight.clock_witness import RunningClock
from tracetogether.authority.oversight.custody import CHECK_VALUE
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


def test_threat_leaked_key_opens_no_tempid_of_a_destroyed_day(world: World) -> None:
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


def test_threat_late_deletion_removes_uploads_after_21_days(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + 2 * HOUR)
    edge = NOON + HOUR + RETENTION.uploads_s
    assert purge(world, edge).uploads == 0
    assert purge(world, edge + 1).uploads == 1
    assert len(world.store.uploads(case.case_id)) == 1
    assert purge(world, edge + HOUR + 1).uploads == 1


def test_spent_pins_go_open_ones_stay(world: World) -> None:
    cases = [world.authority.casework.open_case(world.user(), NOON, by=CONSOLE) for _ in range(3)]
    pins = [world.authority.pins.issue(case, NOON, by=CONSOLE) for case in cases]
    world.authority.intake.redeem_pin(cases[0].user_id, pins[0], bytes(32), NOON)
    wrong = f"{(int(pins[1]) + 1) % 10**8:08d}"
    for _ in range(5):
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(cases[1].user_id, wrong, bytes(32), NOON)
    assert purge(world, NOON + 1).pins == 2
    assert world.authority.intake.redeem_pin(cases[2].user_id, pins[2], bytes(32), NOON + 2)
    world.authority.pins.issue(cases[0], NOON, by=CONSOLE)
    purge(world, NOON + 3)
    assert purge(world, NOON + UPLOAD_PIN_LIFETIME_S).pins == 1


def test_threat_session_rows_are_deleted_after_they_expire(world: World) -> None:
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
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.authority.pins.issue(case, days(10), by=CONSOLE)
    assert purge(world, days(35)).cases == 0
    assert purge(world, days(35) + 1).cases == 1
    with pytest.raises(NotFoundError):
        world.authority.casework.case(case.case_id, by=CONSOLE)


def test_no_upload_outlives_its_case(world: World) -> None:
    """The latest upload that a case can get is gone before the case is."""
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    redeemed = NOON + UPLOAD_PIN_LIFETIME_S - 1
    intake = world.authority.intake
    token = intake.redeem_pin(case.user_id, pin, bytes(32), redeemed)
    latest = intake.tokens.open(token, redeemed).expiry
    assert latest + RETENTION.uploads_s < NOON + RETENTION.day_keys_days * SECONDS_PER_DAY


def test_threat_late_deletion_second_purge_finds_nothing(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    assert purge(world, days(40)) == Purged(
        day_keys=15, uploads=1, contact_lists=0, pins=1, cases=1
    )
    assert purge(world, days(40)) == NOTHING


def test_threat_late_deletion_next_purge_completes_a_failed_one(entropy: Entropy) -> None:
    world = World.of(entropy, since=NOON)
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
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


def test_threat_late_deletion_purge_with_a_clock_far_ahead_destroys_nothing(world: World) -> None:
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    for ahead in (NOON + CLOCK_JUMP_S + 1, days(365), days(3_650)):
        # Requests go on under the wrong clock, and write its time into the log.
        world.authority.casework.open_case(world.user(), ahead, by=CONSOLE)
        with pytest.raises(ClockError, match="days after the last purge"):
            world.authority.purge(ahead)
        assert world.authority.purge.clock_suspect(ahead)
    assert (world.keys.oldest_day, world.saved) == (DAY, [])
    assert len(world.store.uploads(case.case_id)) == 1
    assert world.authority.purge(NOON + CLOCK_JUMP_S).day_keys == 0
    assert purge(world, days(40)).uploads == 1


def test_threat_late_deletion_hourly_purges_continue_for_months(world: World) -> None:
    for hour in range(0, 24 * 60, 24):
        world.authority.purge(NOON + hour * HOUR)
    assert world.keys.oldest_day == DAY + 59 - RETENTION.day_keys_days


def test_threat_pin_lifetime_needs_a_clock_that_is_not_far_behind(world: World) -> None:
    purge(world, days(10))
    world.authority.purge.check_clock(days(10) - CLOCK_JUMP_S)
    with pytest.raises(ClockError, match="days before the last purge"):
        world.authority.purge.check_clock(days(10) - CLOCK_JUMP_S - 1)
    with pytest.raises(ClockError, match="days before the last purge"):
        world.authority.purge(days(1))
    assert world.authority.purge.last() == days(10)


# --- whether the clock may be believed ---

YEAR_1972 = 2 * 365 * SECONDS_PER_DAY
YEAR_2090 = 120 * 365 * SECONDS_PER_DAY


@pytest.mark.parametrize("wrong", [YEAR_1972, YEAR_2090, days(-30), days(30)])
@pytest.mark.parametrize("purged_before", [True, False])
def test_a_purge_under_a_wrong_clock_stops_nothing_once_the_clock_is_right(
    world: World, wrong: float, purged_before: bool
) -> None:
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON, 1), NOON + HOUR)
    if purged_before:
        world.authority.purge(NOON + HOUR)
    with pytest.raises(ClockError, match="nothing is purged"):
        world.authority.purge(wrong)
    assert (world.keys.oldest_day, len(world.store.uploads(case.case_id))) == (DAY, 1)
    world.authority.purge.check_clock(days(1))  # what a server asks before it starts
    purged = world.authority.purge(days(1))
    assert (purged.day_keys, purged.uploads, purged.cases) == (0, 0, 0)
    assert world.authority.purge.last() == days(1)


def test_a_time_that_an_earlier_release_wrote_under_a_wrong_clock_stops_nothing(
    world: World,
) -> None:
    for day in range(40):  # in use every day
        world.authority.casework.open_case(world.user(), days(day), by=CONSOLE)
    world.store.put_setting("last_purge_s", str(YEAR_1972))
    assert world.authority.purge(days(39)).cases == 14
    assert world.authority.purge.last() == days(39)


def test_an_operators_code_confirms_the_clock_after_a_standstill(world: World) -> None:
    world.authority.purge(NOON)
    back = days(60)
    with pytest.raises(ClockError):
        world.authority.purge(back)
    sign_ins = world.store.sign_ins
    sign_ins.put_password(KeptPassword("operator", bytes(16), "cost", bytes(32), b"secret", 0))
    assert sign_ins.use_step("operator", int(days(30) // 30))
    with pytest.raises(ClockError):  # a code of another month
        world.authority.purge(back)
    assert sign_ins.use_step("operator", int(back // 30))
    assert world.authority.purge(back + HOUR).day_keys == 35


def test_use_every_day_confirms_the_clock_though_purges_failed_for_long(world: World) -> None:
    world.authority.purge(NOON)
    for day in range(1, 61):
        world.authority.casework.open_case(world.user(), days(day), by=CONSOLE)
    assert world.authority.purge(days(60)).cases == 34
    with pytest.raises(ClockError):
        world.authority.purge(days(60) + CLOCK_JUMP_S + 1)


def test_a_small_step_back_does_not_move_the_last_purge_back(world: World) -> None:
    world.authority.purge(days(2))
    world.authority.purge(days(0))
    assert world.authority.purge.last() == days(2)
    purge(world, days(1))  # somebody has looked
    assert world.authority.purge.last() == days(1)


def test_a_rehearsed_purge_is_not_held_against_later_ones(world: World) -> None:
    world.authority.purge(NOON)
    world.authority.purge(days(100), clock_is_right=True, rehearsed=True)
    assert world.authority.purge.last() == NOON
    world.authority.purge(days(1))


def test_a_clock_that_runs_on_without_a_jump_stays_confirmed() -> None:
    clock = RunningClock()
    assert not clock.agrees(NOON, 5.0)
    clock.confirm(NOON, 5.0)
    assert clock.agrees(days(10), 5.0 + 10 * SECONDS_PER_DAY)
    assert clock.agrees(NOON + HOUR + 30, 5.0 + HOUR)  # set by a time server
    assert not clock.agrees(NOON + 2 * HOUR, 5.0 + HOUR)
    assert not clock.agrees(NOON - HOUR, 5.0 + HOUR)


# --- killed between the keys and the entry ---


class Killed(BaseException):
    """The process ends here."""


def killed_after_saving(world: World) -> Callable[[KeyRing], None]:
    def save(ring: KeyRing) -> None:
        world.saved.append(ring.oldest_day)
        raise Killed

    return save


def acts(world: World) -> list[tuple[str, dict[str, object]]]:
    return [(entry.act, dict(entry.details)) for entry in world.authority.audit.entries(by=CONSOLE)]


def test_a_purge_that_is_killed_after_the_keys_are_gone_leaves_its_entry(world: World) -> None:
    broken = replace(world.authority.purge, save_keys=killed_after_saving(world))
    with pytest.raises(Killed):
        broken(days(30), clock_is_right=True)
    assert "purged" not in dict(acts(world))
    purge(world, days(30) + HOUR)
    assert ("purged", {"before_day": DAY + 5, "day_keys": 5}) in acts(world)
    assert [act for act, _ in acts(world)].count("purged") == 1
    purge(world, days(30) + 2 * HOUR)
    assert [act for act, _ in acts(world)].count("purged") == 1


def test_a_purge_that_is_killed_before_the_keys_are_saved_leaves_no_false_entry(
    entropy: Entropy,
) -> None:
    world = World.of(entropy, since=NOON)

    def save(_: KeyRing) -> None:
        raise Killed

    whole = KeyRing((DAY, world.keys._chains[0].value(DAY)))
    with pytest.raises(Killed):
        replace(world.authority.purge, save_keys=save)(days(30), clock_is_right=True)
    again = replace(world.authority.purge, keys=whole)  # as it is on disk
    assert again(days(30), clock_is_right=True).day_keys == 5
    assert [details for act, details in acts(world) if act == "purged"] == [{"day_keys": 5}]


@pytest.mark.parametrize("act", ["keys.destroyed", "keys.rotated", "keys.quarantined"])
def test_a_keyholders_act_that_is_killed_leaves_its_entry(world: World, act: str) -> None:
    world.store.put_setting(CHECK_VALUE, world.keys.check_value())
    broken = replace(world.authority.custody, save_keys=killed_after_saving(world))
    night = Caller("night", ALL_ROLES)
    does: dict[str, Callable[[], object]] = {
        "keys.destroyed": lambda: broken.destroy(DAY + 3, days(4), by=night),
        "keys.rotated": lambda: broken.rotate(NOON, by=night),
        "keys.quarantined": lambda: broken.quarantine(DAY, DAY + 1, NOON, by=night),
    }
    with pytest.raises(Killed):
        does[act]()
    assert act not in dict(acts(world))
    purge(world, days(4))
    (entry,) = (entry for entry in world.authority.audit.entries(by=CONSOLE) if entry.act == act)
    assert entry.by == "night"
