"""Who tries to restrict people alone, in bulk or beyond the bounds is refused, and audited.

Tests that take ``world`` run on SQLite and on PostgreSQL.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from tests.authority_world import DAY, NOON
from tests.followed_rows import contact_row
from tests.status_world import BOTH, LABORATORY, MEI, RAVI, ROSA, SITI, TOM, WEEK, StatusWorld
from tracetogether.authority.access.permissions import CONSOLE, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactState, person_tag
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@pytest.fixture
def world(store: AuthorityStore) -> StatusWorld:
    return StatusWorld.new(store)


def refused(world: StatusWorld, code: str, act: Callable[[], object]) -> tuple[str, str, str]:
    """Return the newest audit entry after an act that is refused with ``code``."""
    before = len(world.acts())
    with pytest.raises(AuthorityError) as error:
        act()
    assert error.value.code == code
    (entry,) = world.acts()[before:]
    return entry


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


# --- ground and evidence ---


def test_threat_officials_restrict_critics_without_evidence(world: StatusWorld) -> None:
    contact, border = world.order(), world.order(OrderKind.BORDER)
    none = RestrictionEvidence.NONE
    entry = refused(world, "evidence-needed", lambda: world.set(contact, evidence=none))
    assert entry == ("restriction.refused", "ravi", "evidence-needed")
    for _ in range(4):
        world.set(border, evidence=none)
    assert [act for act, _, _ in world.acts()].count("restriction.alert") == 0
    world.set(border, evidence=none, by=SITI)
    assert world.acts()[-1][:2] == ("restriction.alert", "clock")
    assert world.authority.restrictions.without_evidence(NOON) == 5
    assert world.authority.restrictions.without_evidence(NOON + SECONDS_PER_DAY) == 0


def test_a_case_restricts_its_own_person_only(world: StatusWorld) -> None:
    authority, user = world.authority, world.user()
    case = authority.casework.open_case(user, NOON, by=CONSOLE)

    def attempt(user_id: str, reference: str = case.case_id, **how: RestrictionEvidence) -> object:
        evidence = how.get("evidence", RestrictionEvidence.DIAGNOSIS)
        until = NOON + WEEK
        return authority.restrictions.set(
            user_id, Ground.CASE, reference, evidence, until, NOON, by=RAVI
        )

    code = "no-open-case-of-person"
    assert refused(world, code, lambda: attempt(world.user()))
    assert refused(world, code, lambda: attempt(user, "NONE"))
    none = RestrictionEvidence.NONE
    assert refused(world, "evidence-needed", lambda: attempt(user, evidence=none))
    assert refused(world, "no-such-user", lambda: attempt("nobody"))
    attempt(user)
    (found,) = world.store.status.restrictions_of(user)
    authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
    assert authority.restrictions.in_force(user, NOON) is not None
    authority.casework.close(case.case_id, NOON + 60, by=CONSOLE)  # the ground is gone
    assert authority.restrictions.in_force(user, NOON + 60) is None
    assert authority.restrictions.page(NOON + 60, by=ROSA).total == 0
    assert refused(world, code, lambda: attempt(user))


def test_a_restriction_does_not_come_back_with_its_case(world: StatusWorld) -> None:
    """One person reopens a case, or the purge deletes a closed one: the restriction stays over."""
    authority, found = world.authority, []
    for _ in range(2):
        case = authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        later = NOON + 15 * SECONDS_PER_DAY
        made = authority.restrictions.set(
            case.user_id, Ground.CASE, case.case_id, RestrictionEvidence.DIAGNOSIS,
            later + 13 * SECONDS_PER_DAY, later, by=RAVI,
        )  # fmt: skip
        authority.restrictions.confirm(made.restriction_id, later, by=ROSA)
        found.append((case, made))
    (closed, ended), (left, other) = found
    authority.casework.close(closed.case_id, later + 60, by=CONSOLE)
    authority.casework.reopen(closed.case_id, later + 90, by=MEI)
    assert authority.restrictions.in_force(closed.user_id, later + 90) is None
    assert authority.restrictions.found(ended.restriction_id).ending is Ending.CASE_CLOSED
    assert authority.restrictions.in_force(left.user_id, later + 90) is not None
    purged_at = NOON + 26 * SECONDS_PER_DAY
    authority.purge(purged_at, clock_is_right=True)
    assert world.store.case(left.case_id) is None
    assert authority.restrictions.in_force(left.user_id, purged_at) is None
    assert authority.restrictions.found(other.restriction_id).ended_by == "clock"
    assert world.acts()[-1][:2] == ("restriction.lifted", "clock")


def test_an_unconfirmed_case_restricts_nobody(world: StatusWorld) -> None:
    user = world.user()
    case = Case("CASE1", user, DAY, NOON, NOON, unconfirmed=True)
    assert world.store.add_case(case)
    attempt = lambda: world.authority.restrictions.set(  # noqa: E731
        user, Ground.CASE, case.case_id, RestrictionEvidence.DIAGNOSIS, NOON + WEEK, NOON, by=RAVI
    )
    assert refused(world, "case-not-confirmed", attempt)


def test_bluetooth_contact_alone_restricts_nobody(world: StatusWorld) -> None:
    order, user, line = world.order(), world.user(), RestrictionEvidence.CONTACT_LINE
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    row = replace(
        contact_row(1, case.case_id, world.keys, bytes, ContactState.TO_TRACE),
        tag=person_tag(user, DAY, world.keys),
        close_contact=True,
        traced_at=None,
    )
    attempt = lambda: world.set(order, user, evidence=line)  # noqa: E731
    assert refused(world, "bluetooth-alone", attempt)[2] == "bluetooth-alone"
    world.store.desk.put_contacts([row])
    assert refused(world, "bluetooth-alone", attempt)
    world.store.desk.put_contacts([replace(row, state=ContactState.REACHED, traced_at=NOON)])
    assert world.set(order, user, evidence=line).evidence is line
    diagnosis = RestrictionEvidence.DIAGNOSIS
    assert refused(world, "evidence-of-case", lambda: world.set(order, evidence=diagnosis))


def test_an_own_declaration_is_evidence_if_the_person_declared_symptoms(
    world: StatusWorld,
) -> None:
    order, user, declare = world.order(), world.user(), world.authority.declarations.declare
    own = RestrictionEvidence.OWN_DECLARATION
    attempt = lambda: world.set(order, user, evidence=own)  # noqa: E731
    assert refused(world, "not-declared", attempt)[1] == "ravi"
    declare(user, NOON, symptoms=False)
    assert refused(world, "not-declared", attempt)
    declare(user, NOON, symptoms=True)
    assert attempt().evidence is own


def test_passes_stop_and_come_again_with_the_restriction(world: StatusWorld) -> None:
    user, passes = world.user(), world.authority.passes
    found = world.set(world.order(), user)
    assert len(passes.batch(user, NOON).passes) == 48  # one person alone withholds nothing
    world.authority.restrictions.confirm(found.restriction_id, NOON, by=ROSA)
    assert (passes.batch(user, NOON).passes, passes.notice(user, NOON).code) == (
        (),
        "pass.withheld.order",
    )
    world.authority.appeals.open(user, NOON)
    due = NOON + 48 * SECONDS_PER_HOUR
    assert passes.batch(user, due).passes == ()
    assert len(passes.batch(user, due + 1).passes) == 48


def test_an_orders_end_frees_everybody_whom_it_restricts(world: StatusWorld) -> None:
    order, users = world.order(), [world.user() for _ in range(3)]
    for user in users:
        world.restricted(order, user)
    world.set(order)
    assert world.authority.orders.end(order.order_id, NOON + 60, by=TOM) == 4
    assert [world.authority.restrictions.in_force(user, NOON + 60) for user in users] == [None] * 3
    assert refused(world, "order-over", lambda: world.set(order, now=NOON + 61))
    end = lambda: world.authority.orders.end(order.order_id, NOON + 62, by=TOM)  # noqa: E731
    assert refused(world, "order-over", end)[0] == "order.end-refused"


def test_a_negative_test_lifts_restrictions_by_orders_of_contact_at_once(
    world: StatusWorld,
) -> None:
    user, report = world.user(), world.authority.laboratory.report
    contact, border = world.order(), world.order(OrderKind.BORDER)
    found, other = world.restricted(contact, user), world.restricted(border, user)
    earlier = LaboratoryResult(negative=True, day=DAY - 1, laboratory="Laboratory 1")
    assert report(user, earlier, NOON + 60, by=LABORATORY) == []
    result = replace(earlier, day=DAY)
    (lifted,) = report(user, result, NOON + 60, by=LABORATORY)
    assert (lifted.restriction_id, lifted.ending) == (found.restriction_id, Ending.NEGATIVE_TEST)
    assert world.authority.restrictions.in_force(user, NOON + 60) == other
    for wrong, code in (
        (replace(result, negative=False), "positive-test"),
        (replace(result, day=DAY + 1), "test-in-future"),
        (replace(result, laboratory=" "), "laboratory-name"),
    ):
        entry = refused(world, code, lambda: report(user, wrong, NOON, by=LABORATORY))  # noqa: B023
        assert entry[0] == "test.refused"


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
