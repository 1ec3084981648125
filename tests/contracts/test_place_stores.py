"""Places: one contract for memory, SQLite and PostgreSQL."""

from dataclasses import replace

import pytest

from tests.authority_world import NOON
from tests.store_rows import USER
from tracetogether.adapters.memory_places import MemoryPlaces
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.places.place import Place
from tracetogether.authority.places.store import PlaceStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kept(request: pytest.FixtureRequest) -> PlaceStore:
    if request.param == "memory":
        return MemoryPlaces()
    sql: SqlStore = request.getfixturevalue(request.param)
    return sql.places


def place(number: int) -> Place:
    return Place(f"P{number}", f"user-{number}", b"d%d" % number, f"Hall {number}", "", "ann", NOON)


def test_a_place_is_stored_changed_and_found(kept: PlaceStore) -> None:
    first = place(1)
    assert kept.add(first)
    for taken in (first, replace(place(2), user_id="user-1"), replace(place(2), place_id="P1")):
        assert not kept.add(taken)
    assert not kept.add(replace(place(2), credential_digest=b"d1"))
    assert kept.place("P1") == first
    assert kept.place("P9") is None
    changed = replace(first, retired_at=NOON + 1, retired_by="ben")
    assert kept.change(changed)
    assert not kept.change(place(9))
    assert kept.all() == [changed]
    assert kept.of_users(["user-1", USER]) == [changed]


def test_a_place_is_no_user_and_a_user_no_place(filled: AuthorityStore) -> None:
    assert filled.places.add(place(1))
    assert filled.place_of(b"d1") == "user-1"
    assert filled.user_of(b"d1") is None
    assert filled.place_of(USER.encode()) is None
    assert filled.places_among([USER, "user-1", "nobody"]) == {"user-1"}
    assert filled.registered([USER, "user-1", "nobody"]) == {USER}
    assert filled.places.change(replace(place(1), retired_at=NOON))
    assert filled.place_of(b"d1") is None
    assert filled.places_among(["user-1"]) == {"user-1"}


def test_batches_of_places_are_stored_once_and_dropped_by_time(kept: PlaceStore) -> None:
    for number in (1, 2):
        assert kept.add(place(number))
    for begins in (900, 0, 900):
        assert kept.fetched("user-1", begins, NOON + begins)
    assert kept.fetched("user-2", 450, NOON)
    assert not kept.fetched(USER, 900, NOON)
    assert kept.batches("P1", -1) == [0, 900]
    assert kept.batches("P1", 0) == [900]
    assert kept.all_batches(0) == [("P1", 900), ("P2", 450)]
    assert [each.seen_at for each in kept.all()] == [NOON + 900, NOON]
    assert kept.change(replace(place(2), retired_at=899.0))
    assert not kept.fetched("user-2", 1_350, NOON)
    assert kept.drop(900) == 1
    assert kept.all_batches(-1) == [("P1", 900)]
