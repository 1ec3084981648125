"""What the operators' pages cost: queries counted in every run, CPU time where asked for.

    pytest tests/benchmarks/test_pages_speed.py --benchmark-enable -s

fills SQLite with 5,000 cases and 100,000 contacts; without --benchmark-enable 60 cases.
CPU time is that of the whole process: server, store, and the one who asks.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import inside
from tests.pages_world import Pages, Visitor, serving
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.tables import CONTACT_LISTS, CONTACTS, USERS
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import (
    ContactState,
    KeptContact,
    Priority,
    person_key,
    sealed_person,
)
from tracetogether.authority.contacts.lists import SealedContact
from tracetogether.authority.tracing.one_case import POLICIES
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
CONTACTS_OF_A_CASE = 20
MOST_QUERIES = {
    "overview": 12,
    "cases": 8,
    "case": 31,
    "follow-up": 8,
    "contact": 21,
    "graph": 13,
    "audit": 5,
}
MOST_CPU_S = 0.2
LINE = SealedContact(os.urandom(80), 2, 2, 10.0, 35.0, 60.0, 31.0, 0.5, 1.1, 2.0, NOON, NOON)


@pytest.fixture(scope="module")
def pages(full: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    place = tmp_path_factory.mktemp("speed") / "a.db"
    with SqlStore.create(place, name="SG_MOH") as store:
        world = World.of(counted_entropy(31), store=store)
        fill(world, 5_000 if full else 60)
        with serving(world) as served:
            served.operator("amira", *ALL_ROLES)
            yield served


def fill(world: World, cases: int) -> None:
    """Give every case 20 contacts in all states, and the lists that they were found in."""
    store: Any = world.store
    numbers = range(cases)
    with store.atomic(), inside(store).transactions.writing() as connection:
        users = ((f"user-{n}", f"user-{n}".encode()) for n in numbers)
        inside(store).database.bulk(connection, USERS, USERS.columns.keys(), users)
        for n in numbers:
            day = DAY - n % 14
            opened = NOON - n % 14 * SECONDS_PER_DAY
            store.add_case(Case(f"C{n:09}", f"user-{n}", day, opened, opened))
        store.desk.put_contacts(
            [followed(world, n, index) for n in numbers for index in range(CONTACTS_OF_A_CASE)]
        )
        for basis in sorted({policy.basis for policy in POLICIES.values()}):
            keys = [(DAY, f"C{n:09}", basis) for n in numbers]
            heads = ((*key, b"stale", 1, 0, 900, 900, 900, "{}") for key in keys)
            names = CONTACT_LISTS.columns.keys()
            inside(store).database.bulk(connection, CONTACT_LISTS, names, heads)
            lines = (
                (*key, place, *astuple(LINE)) for key in keys for place in range(CONTACTS_OF_A_CASE)
            )
            inside(store).database.bulk(connection, CONTACTS, CONTACTS.columns.keys(), lines)


def followed(world: World, case: int, number: int) -> KeptContact:
    contact_id, user_id = f"C{case:09}{number:02}", f"near-{case}-{number}"
    day = DAY - number % 10
    person, tag = sealed_person(user_id, contact_id, day, world.keys, os.urandom)
    return KeptContact(
        contact_id=contact_id,
        case_id=f"C{case:09}",
        day=day,
        person=person,
        tag=tag,
        who=person_key(user_id, world.keys),
        state=list(ContactState)[number % 7],
        priority=list(Priority)[number % 3],
        reasons=("close_contact",),
        close_contact=True,
        days=2,
        minutes_low=10.0,
        minutes=35.0,
        minutes_high=60.0,
        minutes_24h=31.0,
        probability=0.5,
        nearest_m=1.1,
        seen_by="case",
        first_s=NOON - 5 * SECONDS_PER_DAY,
        last_s=NOON - SECONDS_PER_DAY,
        found_at=NOON - number % 10 * SECONDS_PER_DAY,
        until_day=DAY + 13,
        traced_at=NOON - 3600 if number % 2 else None,
    )


def traced_case(world: World, people: int) -> str:
    """Return a case whose log names ``people`` people, stored as after an upload."""
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    rows = []
    for number in range(people):
        user_id = world.user()
        for day in range(1, 4):
            start = NOON - (day + number % 10) * SECONDS_PER_DAY - number % 24 * 600
            rows += world.heard(user_id, start, 10, rssi_dbm=-45, every_s=60)
    world.take(case, sorted(rows, key=lambda row: row.time), NOON)
    world.authority.finder.refresh(case, NOON)
    return case.case_id


def queries(pages: Pages, visitor: Visitor, path: str) -> int:
    """Return how many statements a page runs."""
    seen: list[str] = []
    database = inside(pages.world.store).database
    engines = [database.engine, database.relaxed_durability]

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            seen.append(statement)

    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        status, _ = visitor.get(path)
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
    assert status == 200, path
    return len(seen)


@pytest.mark.slow
def test_queries_do_not_grow_with_rows_and_pages_are_quick(pages: Pages, full: bool) -> None:
    visitor = pages.visitor("amira")
    few, many = (traced_case(pages.world, people) for people in (2, 20))
    store, spent = pages.world.store, {}
    contact = {case_id: store.desk.contacts_of([case_id])[0].contact_id for case_id in (few, many)}
    for name, paths in {
        "overview": ["/"],
        "cases": ["/cases", "/cases?q=C0000&state=open", "/cases?offset=50"],
        "case": [f"/cases/{few}", f"/cases/{many}"],
        "follow-up": ["/follow-up", "/follow-up?offset=25"],
        "contact": [f"/contacts/{contact[few]}", f"/contacts/{contact[many]}"],
        "graph": [f"/cases/{few}/graph", f"/cases/{many}/graph"],
        "audit": ["/audit", "/audit?offset=50"],
    }.items():
        counts = [queries(pages, visitor, path) for path in paths]
        assert len(set(counts)) == 1, (name, counts)  # however many rows are shown
        assert counts[0] <= MOST_QUERIES[name], (name, counts)
        if full:
            spent[name] = (counts[0], min(cpu_s(visitor, paths[-1]) for _ in range(5)))
    for name, (count, seconds) in spent.items():
        print(f"{name:10} {count:3} queries {1000 * seconds:6.1f} ms of CPU")
    assert {name: seconds for name, (_, seconds) in spent.items() if seconds > MOST_CPU_S} == {}


def cpu_s(visitor: Visitor, path: str) -> float:
    began = time.process_time()
    assert visitor.get(path)[0] == 200
    return time.process_time() - began
