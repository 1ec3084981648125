"""Orders, restrictions and appeals as SQLite and PostgreSQL keep them."""

from dataclasses import replace

from tests.authority_world import NOON
from tests.store_rows import OTHER, USER, served
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.appeal import Appeal, AppealState
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    Restriction,
    RestrictionEvidence,
)
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

WEEK = 7 * SECONDS_PER_DAY


def order(order_id: str = "ORDER1", ends_at: float = NOON + WEEK) -> Order:
    return Order(
        order_id,
        OrderKind.CONTACT,
        "Act 12, section 3",
        "Hawker centre 3",
        NOON - SECONDS_PER_DAY,
        NOON,
        ends_at,
        30,
        "mei",
        NOON,
    )


def restriction(restriction_id: str = "R1", user: str = USER, at: float = NOON) -> Restriction:
    return Restriction(
        restriction_id,
        user,
        Ground.ORDER,
        "ORDER1",
        at,
        at + WEEK,
        RestrictionEvidence.VISIT,
        "pass.withheld.order",
        "ravi",
        at,
    )


def test_orders_restrictions_and_appeals_come_back_as_they_were(filled: AuthorityStore) -> None:
    kept = filled.status
    assert kept.add_order(order())
    assert not kept.add_order(order())
    assert kept.order("ORDER1") == order()
    assert kept.order("ORDER2") is None
    ended = replace(order(), people=1, ended_at=NOON + 5, ended_by="mei")
    assert kept.change_order(ended)
    assert list(kept.orders()) == [ended]
    later = restriction("R2", at=NOON + 60)
    assert kept.add_restriction(restriction())
    assert kept.add_restriction(later)
    assert not kept.add_restriction(later)
    assert kept.add_restriction(restriction("R3", OTHER))
    confirmed = replace(
        later,
        confirmed_by="siti",
        confirmed_at=NOON + 90,
        suspends_at=NOON + 99,
        ended_at=NOON + 100,
        ended_by="siti",
        ending=Ending.LIFTED,
    )
    assert kept.change_restriction(confirmed)
    assert kept.restriction("R2") == confirmed
    assert list(kept.restrictions_of(USER)) == [confirmed, restriction()]
    assert len(kept.restrictions_by("ORDER1")) == 3
    assert list(kept.restrictions_since(NOON + 1)) == [confirmed]
    assert len(kept.restrictions_since(NOON, "ravi")) == 3
    assert kept.restrictions_since(NOON, "siti") == []
    assert [found.restriction_id for found in kept.not_over(NOON + 100)] == ["R1", "R3"]
    assert kept.not_over(NOON + WEEK) == []
    appeal = Appeal("A1", "R1", NOON + 60)
    assert kept.add_appeal(appeal)
    decided = replace(appeal, state=AppealState.UPHELD, decided_at=NOON + 120, decided_by="tom")
    assert kept.change_appeal(decided)
    assert kept.appeal("A1") == decided
    assert list(kept.appeals_of("R1")) == list(kept.appeals()) == [decided]
    assert kept.appeals_of("R2") == []


def test_what_rests_on_an_order_is_kept_as_long_as_the_order(filled: AuthorityStore) -> None:
    kept = filled.status
    kept.add_order(order(ends_at=NOON + 4 * WEEK))
    kept.add_restriction(restriction())
    kept.add_restriction(replace(restriction("R2"), ground=Ground.CASE, reference="CASE1"))
    kept.add_appeal(Appeal("A1", "R1", NOON))
    assert kept.drop_restrictions(NOON + WEEK) == 0  # over at that moment, not before it
    assert kept.drop_restrictions(NOON + WEEK + 1) == 1
    assert [found.restriction_id for found in kept.restrictions_of(USER)] == ["R1"]
    assert kept.drop_orders(NOON + 4 * WEEK) == 0
    assert kept.drop_orders(NOON + 4 * WEEK + 1) == 1
    assert kept.drop_restrictions(NOON + WEEK + 1) == 1
    assert kept.appeals() == []


def test_a_withdrawn_user_leaves_no_restriction(filled: AuthorityStore) -> None:
    filled.status.add_restriction(restriction())
    filled.status.add_appeal(Appeal("A1", "R1", NOON))
    assert filled.remove_user(USER)
    assert filled.status.restriction("R1") is None
    assert filled.status.appeal("A1") is None
    assert not filled.status.change_restriction(restriction())
    assert not filled.status.change_appeal(Appeal("A1", "R1", NOON))


def test_a_restriction_is_in_force_from_its_confirmation_to_its_end(
    filled: AuthorityStore,
) -> None:
    service = served(filled).restrictions
    waiting = restriction()
    filled.status.add_restriction(waiting)
    assert service.in_force(USER, NOON + 1) is None
    confirmed = replace(waiting, confirmed_by="siti", confirmed_at=NOON + 1)
    filled.status.change_restriction(confirmed)
    assert service.in_force(USER, NOON + 1) == confirmed
    assert service.in_force(OTHER, NOON + 1) is None
    assert service.in_force(USER, NOON - 1) is None
    assert service.in_force(USER, confirmed.until - 1) == confirmed
    assert service.in_force(USER, confirmed.until) is None
    undecided = replace(confirmed, suspends_at=NOON + RESTRICTIONS.appeal_s)
    filled.status.change_restriction(undecided)
    two_days = 48 * SECONDS_PER_HOUR
    assert service.in_force(USER, NOON + two_days) == undecided
    assert service.in_force(USER, NOON + two_days + 1) is None
    filled.status.change_restriction(replace(confirmed, ended_at=NOON + 9, ending=Ending.LIFTED))
    assert service.in_force(USER, NOON + 10) is None


def test_of_several_restrictions_the_one_that_ends_last_is_told(filled: AuthorityStore) -> None:
    for number, days in enumerate((3, 9, 5)):
        until = NOON + days * SECONDS_PER_DAY
        filled.status.add_restriction(
            replace(restriction(f"R{number}"), until=until, confirmed_by="siti", confirmed_at=NOON)
        )
    found = served(filled).restrictions.in_force(USER, NOON)
    assert found is not None
    assert found.restriction_id == "R1"
