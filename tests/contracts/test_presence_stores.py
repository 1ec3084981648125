"""Visits, trips and packages: one contract for memory, SQLite and PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from tests.authority_world import DAY, NOON
from tests.store_rows import OTHER, USER, case
from tracetogether.adapters.memory_presence import MemoryPresence
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.presence.reported import (
    KeptPackage,
    KeptTrip,
    KeptVisit,
    PackageLine,
    WarningState,
)
from tracetogether.authority.presence.store import PresenceStore


@dataclass(frozen=True)
class Tried:
    """A store under test, with two users and a case each, and how to delete a user."""

    kept: PresenceStore
    withdraw: Callable[[str], None]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def tried(request: pytest.FixtureRequest) -> Tried:
    if request.param == "memory":
        memory = MemoryPresence()

        def forget(user: str) -> None:
            memory.forget_user(user)
            memory.forget_case("CASE1" if user == USER else "CASE2")

        return Tried(memory, forget)
    sql: SqlStore = request.getfixturevalue(request.param)
    for user, case_id in ((USER, "CASE1"), (OTHER, "CASE2")):
        assert sql.add_user(user, user.encode())
        assert sql.add_case(case(case_id, user))
    return Tried(sql.presence, lambda user: None if sql.remove_user(user) else pytest.fail(user))


def visit(visit_id: str, case_id: str = "CASE1", tag: bytes = b"A", at: float = NOON) -> KeptVisit:
    return KeptVisit(visit_id, case_id, DAY, tag, at, b"\x00sealed" + visit_id.encode())


def trip(trip_id: str, case_id: str = "CASE1", trip_day: int = DAY - 2) -> KeptTrip:
    return KeptTrip(trip_id, case_id, DAY, trip_day, NOON, b"\xffsealed")


def test_visits_come_back_as_they_were_by_arrival(tried: Tried) -> None:
    kept = tried.kept
    rows = [
        visit("V2", at=NOON + 1),
        visit("V1"),
        visit("V3", "CASE2", at=NOON + 2),
        visit("V4", tag=b"B"),
    ]
    kept.lock()
    kept.add_visits(rows)
    kept.add_visits([])
    assert kept.visit("V1") == rows[1]
    assert kept.visit("V9") is None
    assert [row.visit_id for row in kept.visits_of("CASE1")] == ["V1", "V4", "V2"]
    assert [row.visit_id for row in kept.visits_at({b"A", b"C"})] == ["V1", "V2", "V3"]
    assert kept.visits_at([]) == []
    assert len(kept.waiting_visits()) == 4
    changed = replace(
        rows[1],
        state=WarningState.RELEASED,
        released_at=NOON + 60,
        decided_by="mei",
        reason="many guests",
    )
    assert kept.change_visit(changed)
    assert kept.visit("V1") == changed
    assert not kept.change_visit(visit("V9"))
    assert kept.released_visits(NOON + 60) == []
    assert kept.released_visits(NOON + 61) == [changed]
    out = replace(changed, state=WarningState.PUBLISHED, hour=441_265)
    assert kept.change_visit(out)
    assert kept.released_visits(NOON + 61) == []
    assert kept.warning_counts() == {"waiting": 3, "released": 0, "published": 1, "refused": 0}
    assert kept.drop_visits(DAY) == 0
    assert kept.drop_visits(DAY + 1) == 4


def test_a_token_lets_visits_in_once(tried: Tried) -> None:
    assert tried.kept.use_token("T1", NOON)
    assert not tried.kept.use_token("T1", NOON + 1)
    assert tried.kept.use_token("T2", NOON)


def test_days_of_registration_are_noted_once_and_go_with_the_user(tried: Tried) -> None:
    assert tried.kept.registered_on(USER) is None
    tried.kept.note_registration(USER, DAY - 3)
    tried.kept.note_registration(USER, DAY)
    assert tried.kept.registered_on(USER) == DAY - 3
    tried.withdraw(USER)
    assert tried.kept.registered_on(USER) is None


def test_a_withdrawal_deletes_visits_and_trips(tried: Tried) -> None:
    kept = tried.kept
    kept.add_visits([visit("V1"), visit("V2", "CASE2")])
    kept.add_trips([trip("T1"), trip("T2", "CASE2")])
    tried.withdraw(USER)
    assert [row.visit_id for row in kept.waiting_visits()] == ["V2"]
    assert [row.trip_id for row in kept.waiting_trips()] == ["T2"]
    assert not kept.change_visit(visit("V1"))
    assert not kept.change_trip(trip("T1"))


def test_digests_of_warned_places_go_into_one_package(tried: Tried) -> None:
    kept, digests = tried.kept, [bytes([n]) * 32 for n in (3, 1, 2)]
    assert kept.add_heard(digests, NOON) == 3
    assert kept.add_heard([digests[0], b"\x09" * 32], NOON + 10) == 1
    assert kept.released_heard(NOON) == []
    assert list(kept.released_heard(NOON + 1)) == sorted(digests)
    kept.publish_heard(NOON + 1, 441_265)
    assert list(kept.released_heard(NOON + 11)) == [b"\x09" * 32]
    assert kept.add_heard(digests, NOON + 20) == 0
    assert kept.drop_heard(NOON + 1) == 3
    assert kept.drop_heard(NOON + 11) == 1


def test_trips_come_back_as_they_were(tried: Tried) -> None:
    kept = tried.kept
    first, later = trip("T2"), trip("T1", trip_day=DAY - 5)
    kept.add_trips([first, later])
    assert kept.trip("T2") == first
    assert kept.trip("T9") is None
    assert kept.trips_of("CASE1") == [later, first]
    told = replace(
        first,
        state=WarningState.RELEASED,
        released_at=NOON + 5,
        aboard=240,
        decided_by="mei",
        reason="by the carrier's list",
    )
    assert kept.change_trip(told)
    assert kept.waiting_trips() == [later]
    assert kept.released_trips(DAY - 9, NOON + 5) == []
    assert kept.released_trips(DAY - 9, NOON + 6) == [told]
    assert kept.released_trips(DAY - 1, NOON + 6) == []
    assert kept.drop_trips(DAY) == 0
    assert kept.drop_trips(DAY + 1) == 2


def test_a_package_never_changes_and_old_ones_go(tried: Tried) -> None:
    kept = tried.kept
    assert kept.add_package(KeptPackage("warnings", 7, 7, b"seven", 2))
    assert not kept.add_package(KeptPackage("warnings", 7, 7, b"another"))
    assert kept.package("warnings", 7, 7) == b"seven"
    assert kept.package("warnings", 8, 8) is None
    assert kept.add_package(KeptPackage("warnings", 9, 9, b"nine"))
    for edition in (20, 22, 21):
        assert kept.add_package(KeptPackage("trips", 7, edition, b"t" * edition))
    assert kept.packages("warnings") == [PackageLine(7, 7, 5, 2), PackageLine(9, 9, 4)]
    assert kept.packages("trips") == [PackageLine(7, 22, 22)]
    for number, edition in ((7, 20), (7, 22), (5, 5)):
        assert kept.add_package(KeptPackage("trips/0f", number, edition, b"part"))
    assert kept.drop_packages("trips", 6, 22) == 4
    assert kept.packages("trips") == [PackageLine(7, 22, 22)]
    assert kept.packages("trips/0f") == [PackageLine(7, 22, 4)]
    assert kept.drop_packages("trips", 0, 99) == 0
    assert kept.drop_packages("warnings", 9, 0) == 1
    assert kept.packages("warnings") == [PackageLine(9, 9, 4)]
