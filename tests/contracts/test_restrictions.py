"""Who tries to restrict people alone, in bulk or beyond the bounds is refused, and audited.

Tests that take ``world`` run on SQLite and on PostgreSQL.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.authority_world import NOON
from tests.status_world import (
    BOTH,
    MEI,
    RAVI,
    ROSA,
    SITI,
    TOM,
    WEEK,
    StatusWorld,
    refused,
)
from tracetogether.authority.access.permissions import CONSOLE, Caller
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    RestrictionEvidence,
)
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY


@pytest.fixture
def world(store: AuthorityStore) -> StatusWorld:
    return StatusWorld.new(store)


# --- two people ---


def test_threat_officials_restrict_critics_alone(world: StatusWorld) -> None:
    order, user = world.order(), world.user()
    found = world.set(order, user, by=BOTH)
    alone = lambda: world.authority.restrictions.confirm(found.restriction_id, NOON, by=BOTH)  # noqa: E731
    assert refused(world, "own-restriction", alone) == (
        "restriction.confirm-refused",
        "both",
        "own-restriction",
    )
    assert world.authority.restrictions.in_force(user, NOON + 1) is None
    confirmed = world.authority.restrictions.confirm(found.restriction_id, NOON + 1, by=ROSA)
    assert world.authority.restrictions.in_force(user, NOON + 1) == confirmed
    assert world.acts()[-1] == ("restriction.confirmed", "rosa", "")


def test_threat_officials_restrict_critics_by_two_of_one_role(world: StatusWorld) -> None:
    found = world.set(world.order())
    with pytest.raises(AccessDeniedError, match="roles do not allow"):
        world.authority.restrictions.confirm(found.restriction_id, NOON, by=SITI)
    assert found.restriction_id in str(world.store.status.not_over(NOON))
    kept = world.store.status.restriction(found.restriction_id)
    assert kept is not None
    assert kept.confirmed_at is None


def test_threat_officials_restrict_critics_as_the_console(world: StatusWorld) -> None:
    order = world.order()
    entry = refused(world, "console-is-no-person", lambda: world.set(order, by=CONSOLE))
    assert entry == ("restriction.refused", "console", "console-is-no-person")
    found = world.set(order)
    confirm = world.authority.restrictions.confirm
    entry = refused(
        world,
        "console-is-no-person",
        lambda: confirm(found.restriction_id, NOON, by=CONSOLE),
    )
    assert entry[:2] == ("restriction.confirm-refused", "console")


def test_threat_officials_restrict_critics_by_their_own_order(world: StatusWorld) -> None:
    order = world.order(by=BOTH)
    assert refused(world, "own-order", lambda: world.set(order, by=BOTH))[1] == "both"
    found = world.set(order)
    confirm = world.authority.restrictions.confirm
    entry = refused(world, "own-order", lambda: confirm(found.restriction_id, NOON, by=BOTH))
    assert entry[0] == "restriction.confirm-refused"


def test_threat_officials_restrict_critics_twice(world: StatusWorld) -> None:
    order, user = world.order(), world.user()
    found = world.restricted(order, user)
    again = lambda: world.set(order, user, NOON + 60, by=SITI)  # noqa: E731
    assert refused(world, "restricted-before", again)[:2] == ("restriction.refused", "siti")
    confirm = world.authority.restrictions.confirm
    entry = refused(
        world, "restriction-not-waiting", lambda: confirm(found.restriction_id, NOON, by=TOM)
    )
    assert entry == ("restriction.confirm-refused", "tom", "restriction-not-waiting")
    later = found.until + 1
    assert refused(world, "restricted-before", lambda: world.set(order, user, later))
    world.authority.purge(found.until + WEEK, clock_is_right=True)
    still = lambda: world.set(order, user, found.until + 2 * SECONDS_PER_DAY)  # noqa: E731
    assert refused(world, "restricted-before", still)  # as long as the order is in force


def test_what_nobody_confirms_lapses_and_may_be_set_again(world: StatusWorld) -> None:
    order, user = world.order(), world.user()
    found = world.set(order, user)
    last = NOON + RESTRICTIONS.confirmed_within_s
    entry = refused(
        world,
        "restriction-not-waiting",
        lambda: world.authority.restrictions.confirm(found.restriction_id, last + 1, by=ROSA),
    )
    assert entry[0] == "restriction.confirm-refused"
    rejected = world.set(order, user, last + 1)
    lifted = world.authority.restrictions.lift(rejected.restriction_id, last + 2, by=ROSA)
    assert lifted.ending is Ending.REJECTED
    assert world.restricted(order, user, last + 3).confirmed_by == "rosa"


# --- bounds ---


def test_threat_officials_restrict_critics_beyond_an_orders_number(world: StatusWorld) -> None:
    order = world.order(people=3)
    for _ in range(3):
        world.set(order)
    entry = refused(world, "order-full", lambda: world.set(order, by=SITI))
    assert entry == ("restriction.refused", "siti", "order-full")
    kept = world.store.status.order(order.order_id)
    assert kept is not None
    assert kept.people == 3
    assert len(world.store.status.restrictions_by(order.order_id)) == 3


def test_threat_officials_restrict_critics_the_21st_of_a_day(world: StatusWorld) -> None:
    order = world.order()
    for _ in range(20):
        world.set(order)
    entry = refused(world, "restrictions-of-day", lambda: world.set(order))
    assert entry == ("restriction.refused", "ravi", "restrictions-of-day")
    assert len(world.store.status.restrictions_by(order.order_id)) == 20
    world.set(order, now=NOON + SECONDS_PER_DAY / 2)  # midnight of the authority's zone
    world.set(order, by=SITI)


def test_threat_officials_restrict_critics_by_an_order_for_everybody(world: StatusWorld) -> None:
    entry = refused(world, "order-people", lambda: world.order(people=1_317))
    assert entry == ("order.refused", "mei", "order-people")
    for text, ends_at, code in (
        ("", NOON + WEEK, "order-text"),
        ("Act\n12", NOON + WEEK, "order-text"),
        ("Act 12", NOON + 61 * SECONDS_PER_DAY, "order-end"),
        ("Act 12", NOON - 1, "order-window"),
    ):
        add = lambda: world.authority.orders.add(  # noqa: E731
            OrderKind.BORDER,
            text,  # noqa: B023 - called at once
            "Gate 4",
            (NOON - 60, NOON),
            ends_at,  # noqa: B023 - called at once
            10,
            NOON,
            by=MEI,
        )
        assert refused(world, code, add)[0] == "order.refused"
    assert world.authority.orders.all(by=RAVI) == []


@pytest.mark.parametrize(
    ("begins_in", "lasts", "code"),
    [
        (0, 14 * SECONDS_PER_DAY + 1, "restriction-end"),
        (0, 0, "restriction-end"),
        (-1, WEEK, "restriction-begin"),
        (8 * SECONDS_PER_DAY, WEEK, "restriction-begin"),
        (0, 5 * SECONDS_PER_DAY, "longer-than-order"),
    ],
)
def test_a_restriction_has_an_end_within_its_bounds(
    begins_in: float, lasts: float, code: str
) -> None:
    world = StatusWorld.new()
    order = world.order(ends_at=NOON + 4 * SECONDS_PER_DAY)
    begins_at = NOON + begins_in

    def attempt() -> None:
        world.authority.restrictions.set(
            world.user(),
            Ground.ORDER,
            order.order_id,
            RestrictionEvidence.VISIT,
            begins_at + lasts,
            NOON,
            begins_at=begins_at,
            by=RAVI,
        )

    assert refused(world, code, attempt)[0] == "restriction.refused"


def test_two_restrictors_at_once_stay_within_order_and_day(world: StatusWorld) -> None:
    full, large = world.order(people=5), world.order(people=100)
    users = [world.user() for _ in range(36)]
    barrier = Barrier(12)

    def attempt(number: int) -> str:
        barrier.wait()
        by = RAVI if number % 2 else SITI
        try:
            world.set(full, users[number], by=by)
        except AuthorityError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(attempt, range(12)))
    assert sorted(codes) == [""] * 5 + ["order-full"] * 7
    kept = world.store.status.order(full.order_id)
    assert kept is not None
    assert kept.people == 5
    done = len(world.store.status.restrictions_since(NOON, "ravi"))
    for number in range(18 - done):
        world.set(large, users[12 + number])

    def last(number: int) -> str:
        barrier.wait()
        try:
            world.set(large, users[35 - number % 6] if number < 6 else world.user(), by=RAVI)
        except AuthorityError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(last, range(12)))
    assert codes.count("") == 2
    assert len(world.store.status.restrictions_since(NOON, "ravi")) == 20
    assert sum(act == "restriction.set" for act, _, _ in world.acts()) == 5 - done + 20


def test_of_two_reviewers_at_once_one_confirms(world: StatusWorld) -> None:
    found = world.set(world.order())
    barrier = Barrier(2)

    def confirm(by: Caller) -> str:
        barrier.wait()
        try:
            world.authority.restrictions.confirm(found.restriction_id, NOON, by=by)
        except AuthorityError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(confirm, (ROSA, TOM))) == ["", "restriction-not-waiting"]


def test_an_operator_does_not_try_out_who_is_a_user() -> None:
    world = StatusWorld.new()
    order = world.order()
    for number in range(60):
        with pytest.raises(NotFoundError):
            world.set(order, f"nobody-{number}")
    before = len(world.acts())
    for _ in range(3):
        with pytest.raises(RateLimitedError):
            world.set(order, "nobody")
    assert [act for act, _, _ in world.acts()[before:]] == ["restriction.tries-exceeded"]


def test_refusals_keep_no_text_that_somebody_typed(world: StatusWorld) -> None:
    with pytest.raises(NotFoundError):
        world.authority.restrictions.confirm("a person's name", NOON, by=ROSA)
    with pytest.raises(InvalidRequestError):
        world.authority.restrictions.set(
            world.user(), Ground.ORDER, "name", RestrictionEvidence.VISIT, NOON, NOON, by=RAVI
        )
    entries = list(world.authority.audit.entries(by=CONSOLE))[-2:]
    assert [entry.subject for entry in entries] == ["", ""]
