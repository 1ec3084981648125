"""A restriction needs a ground and evidence, and ends with its ground.

Tests that take ``world`` run on SQLite and on PostgreSQL.
"""

from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON
from tests.followed_rows import contact_row
from tests.status_world import (
    LABORATORY,
    MEI,
    RAVI,
    ROSA,
    SITI,
    TOM,
    WEEK,
    StatusWorld,
    refused,
)
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactState, person_tag
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    RestrictionEvidence,
)
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@pytest.fixture
def world(store: AuthorityStore) -> StatusWorld:
    return StatusWorld.new(store)


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
