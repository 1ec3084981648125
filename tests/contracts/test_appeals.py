"""Appeals against restrictions, and what is kept, listed and published of both.

Tests that take ``world`` run on SQLite and on PostgreSQL.
"""

import pytest

from tests.authority_world import NOON
from tests.status_world import (
    BOTH,
    RAVI,
    ROSA,
    SITI,
    TOM,
    WEEK,
    StatusWorld,
    refused,
)
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.errors import (
    ConflictError,
    NotFoundError,
)
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@pytest.fixture
def world(store: AuthorityStore) -> StatusWorld:
    return StatusWorld.new(store)


# --- appeals ---


def test_an_appeal_undecided_for_48_hours_and_a_second_lets_passes_go_on(
    world: StatusWorld,
) -> None:
    user, authority = world.user(), world.authority
    found = world.restricted(world.order(), user)
    (appeal,) = authority.appeals.open(user, NOON + 60)
    assert authority.appeals.open(user, NOON + 9_999) == [appeal]  # the clock runs on
    due = NOON + 60 + 48 * SECONDS_PER_HOUR
    assert authority.restrictions.in_force(user, due) is not None
    assert authority.restrictions.in_force(user, due + 1) is None
    (shown,) = authority.appeals.all(due + 1, by=TOM)
    assert (shown.overdue, shown.due_at, shown.about.state) == (
        True,
        due,
        RestrictionState.SUSPENDED,
    )
    decided = authority.appeals.decide(appeal.appeal_id, AppealState.UPHELD, due + 60, by=TOM)
    assert decided.about.state is RestrictionState.IN_FORCE
    assert authority.restrictions.in_force(user, due + 60) is not None
    assert authority.restrictions.in_force(user, found.until) is None  # nobody needs to end it
    with pytest.raises(ConflictError, match="less than a day ago"):
        authority.appeals.open(user, due + 61)
    (again,) = authority.appeals.open(user, due + 60 + SECONDS_PER_DAY)
    assert again != appeal
    decide = lambda by: authority.appeals.decide(  # noqa: E731
        again.appeal_id, AppealState.LIFTED, due + 61 + SECONDS_PER_DAY, by=by
    )
    assert refused(world, "own-appeal", lambda: decide(TOM))[1] == "tom"
    assert decide(Caller("third", TOM.roles)).about.restriction.ending is Ending.APPEAL
    assert authority.restrictions.in_force(user, due + 61 + SECONDS_PER_DAY) is None
    assert refused(world, "appeal-decided-already", lambda: decide(TOM))


def test_neither_of_the_two_decides_an_appeal(world: StatusWorld) -> None:
    user, authority = world.user(), world.authority
    found = world.set(world.order(), user, by=BOTH)
    authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
    (appeal,) = authority.appeals.open(user, NOON)
    for by in (BOTH, ROSA):
        decide = lambda: authority.appeals.decide(  # noqa: E731
            appeal.appeal_id,
            AppealState.UPHELD,
            NOON,
            by=by,  # noqa: B023
        )
        entry = refused(world, "own-appeal", decide)
        assert entry == ("appeal.decision-refused", by.name, "own-appeal")
    sooner = NOON + SECONDS_PER_DAY
    for until in (None, NOON, found.until):
        wrong = lambda: authority.appeals.decide(  # noqa: E731
            appeal.appeal_id,
            AppealState.CORRECTED,
            NOON,
            until=until,  # noqa: B023
            by=TOM,
        )
        assert refused(world, "correction-end", wrong)
    authority.appeals.decide(appeal.appeal_id, AppealState.CORRECTED, NOON, until=sooner, by=TOM)
    assert authority.restrictions.in_force(user, sooner - 1) is not None
    assert authority.restrictions.in_force(user, sooner) is None


def test_nobody_appeals_against_nothing(world: StatusWorld) -> None:
    user = world.user()
    with pytest.raises(NotFoundError, match="nothing restricts you"):
        world.authority.appeals.open(user, NOON)
    world.set(world.order(), user)  # nobody has confirmed it
    with pytest.raises(NotFoundError, match="nothing restricts you"):
        world.authority.appeals.open(user, NOON)


# --- what is kept, and what is shown ---


def test_restrictions_orders_and_appeals_are_purged_on_time(world: StatusWorld) -> None:
    user = world.user()
    order = world.order(ends_at=NOON + WEEK)
    world.restricted(order, user)
    world.authority.appeals.open(user, NOON)
    kept = NOON + WEEK + RESTRICTIONS.kept_s
    world.authority.purge(kept, clock_is_right=True)
    assert world.store.status.order(order.order_id) is not None
    assert len(world.store.status.appeals()) == 1
    world.authority.purge(kept + 1, clock_is_right=True)
    assert world.store.status.order(order.order_id) is None
    assert world.store.status.restrictions_of(user) == []
    assert world.store.status.appeals() == []


def test_lists_show_pseudonyms_to_those_who_need_them(world: StatusWorld) -> None:
    user = world.user()
    found = world.set(world.order(), user)
    page = world.authority.restrictions.page(NOON, limit=10_000, by=ROSA)
    (shown,) = page.restrictions
    assert shown.pseudonym == world.authority.desk.name_of(user)
    assert user not in repr(page)
    assert world.authority.restrictions.page(NOON, by=RAVI).total == 1
    assert world.authority.restrictions.page(NOON, by=SITI).total == 0
    waiting = frozenset({RestrictionState.WAITING})
    assert world.authority.restrictions.page(NOON, states=waiting, by=ROSA).total == 1
    world.authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
    assert world.authority.restrictions.page(NOON, states=waiting, by=ROSA).total == 0


def test_public_numbers_are_full_tens_of_people_and_change_once_a_day() -> None:
    world = StatusWorld.new()
    border, figures = world.order(OrderKind.BORDER), world.authority.figures.restriction_figures
    none = RestrictionEvidence.NONE
    for number in range(11):
        by = RAVI if number % 2 else SITI
        found = world.set(border, evidence=none, by=by)
        world.authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
        if number < 3:
            world.authority.appeals.open(found.user_id, NOON)
    assert figures(NOON + 1).in_force == {"case": None, "order": None}
    midnight = NOON + SECONDS_PER_DAY / 2
    next_day = figures(midnight + 60)
    assert (next_day.at, next_day.in_force) == (midnight, {"case": None, "order": 10})
    assert next_day.without_evidence == 10
    assert set(next_day.appeals.values()) == {next_day.overdue} == {None}
    for restriction in world.store.status.not_over(midnight)[:2]:
        world.authority.restrictions.lift(restriction.restriction_id, midnight + 90, by=ROSA)
    assert figures(midnight + 99) == next_day
    later = figures(midnight + 3 * SECONDS_PER_DAY)
    assert later.in_force == {"case": None, "order": None}
    assert later.overdue is None


def test_nobody_to_nine_people_look_the_same_and_a_person_counts_once() -> None:
    world = StatusWorld.new()
    figures, people, shown = world.authority.figures.restriction_figures, [], []
    orders = [world.order(OrderKind.BORDER), world.order(OrderKind.BORDER)]
    midnight = NOON + SECONDS_PER_DAY / 2
    for number in range(21):
        people.append(world.user())
        by = RAVI if number % 2 else SITI
        for order in orders if number < 4 else orders[:1]:
            found = world.set(order, people[-1], by=by)
            world.authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
        shown.append(figures(midnight).in_force["order"])
    assert shown == [None] * 9 + [10] * 10 + [20] * 2


def test_a_decision_of_today_changes_no_public_number_of_the_last_midnight() -> None:
    world = StatusWorld.new()
    figures = world.authority.figures.restriction_figures
    border, none = world.order(OrderKind.BORDER), RestrictionEvidence.NONE
    for number in range(10):
        found = world.set(border, evidence=none, by=RAVI if number % 2 else SITI)
        world.authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
    (appeal,) = world.authority.appeals.open(found.user_id, NOON)
    later = NOON + 3 * SECONDS_PER_DAY
    before = figures(later)
    assert before.in_force["order"] is None  # nine: the appeal of the tenth is overdue
    world.authority.appeals.decide(appeal.appeal_id, AppealState.UPHELD, later, by=TOM)
    assert figures(later) == before
    assert figures(later + SECONDS_PER_DAY).in_force["order"] == 10
