"""With many contacts, the next person and a search cost little: counted and timed.

20,000 contacts of 1,000 cases; ``TRACETOGETHER_CONTACTS=100000`` asks for more.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import contact_row, fill
from tests.fresh_stores import inside
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import Caller, Role
from tracetogether.authority.cases.calls import ShiftReason
from tracetogether.authority.oversight.store import AuthorityStore

RAVI = Caller("ravi", frozenset({Role.TRACER}))
CONTACTS = int(os.environ.get("TRACETOGETHER_CONTACTS", "20000"))
CASES, KINDS = CONTACTS // 20, 400
DIGESTS = ("by_pseudonym", "by_name", "by_phone")
MOST_CPU_S = 0.03
MOST_STATEMENTS = 40


@pytest.fixture
def world(store: AuthorityStore) -> World:
    entropy = counted_entropy(71)
    world = World.of(entropy, store=store)
    fill(store, world.keys, entropy, cases=CASES, contacts=0)
    kinds = [contact_row(n, f"C{n:09d}", world.keys, entropy) for n in range(KINDS)]
    with store.atomic():
        for start in range(0, CONTACTS, 5_000):
            store.desk.put_contacts(
                [
                    replace(
                        kinds[n % KINDS],
                        contact_id=f"P{n:09d}",
                        case_id=f"C{n % CASES:09d}",
                        who=os.urandom(16),
                        **{name: os.urandom(16) for name in DIGESTS},
                        last_day=DAY - n % 2,
                        until_day=DAY + n % 17 - 3,
                    )
                    for n in range(start, start + 5_000)
                ]
            )
    with inside(store).database.engine.begin() as connection:
        connection.execute(sa.text("ANALYZE"))  # as PostgreSQL does after a while
    world.authority.calling.begin_shift(ShiftReason.DAILY_CALLS, NOON, by=RAVI)
    return world


def cost(store: AuthorityStore, act: Callable[[], object]) -> tuple[float, int]:
    """Return the CPU seconds of this process, the least of five, and the most statements."""
    assert isinstance(store, SqlStore)
    engine, count, spent, statements = inside(store).database.engine, 0, [], []

    def executed(*_: object) -> None:
        nonlocal count
        count += 1

    sa.event.listen(engine, "before_cursor_execute", executed)
    for _ in range(5):
        count, begun = 0, time.process_time()
        act()
        spent.append(time.process_time() - begun)
        statements.append(count)
    sa.event.remove(engine, "before_cursor_execute", executed)
    return min(spent), max(statements)


@pytest.mark.slow
def test_the_next_person_and_a_search_are_found_at_once(
    world: World, store: AuthorityStore
) -> None:
    authority = world.authority
    assert authority.calling.next(NOON, by=RAVI) is not None
    taken = cost(store, lambda: authority.calling.next(NOON, by=RAVI))
    next_due = cost(store, lambda: store.calls.next_due(DAY, NOON, "ravi"))
    found = cost(store, lambda: authority.search.find("+65 9123 4567", NOON, by=RAVI))
    ready = cost(store, lambda: authority.calling.ready(NOON, by=RAVI))
    nobody = cost(store, lambda: store.calls.next_due(DAY + 100, NOON, "ravi"))  # all are over
    assert authority.calling.ready(NOON, by=RAVI) == (500, True)
    figures = {"next": taken, "due": next_due, "search": found, "count": ready, "nobody": nobody}
    print(store.__class__.__name__, figures)
    for seconds, statements in figures.values():
        assert seconds <= MOST_CPU_S, figures
        assert statements <= MOST_STATEMENTS, figures
    assert ready[1] <= 2, figures  # BEGIN is one of them on SQLite
    assert nobody[1] <= 4, figures
