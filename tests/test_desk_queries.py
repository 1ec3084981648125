"""However many cases and contacts there are, a list, a calendar and the dashboard ask as often."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import fill
from tests.fresh_stores import fresh_store, inside
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import CaseQuery
from tracetogether.authority.cases.followed import ContactQuery

RAVI = Caller("ravi", frozenset({Role.TRACER}))
MOST = 10


def asked(world: World, look: Callable[[], object]) -> int:
    """Return how many statements a look costs, the beginnings of transactions left out."""
    assert isinstance(world.store, SqlStore)
    count = 0

    def executed(_: object, __: object, statement: str, *___: object) -> None:
        nonlocal count
        count += not statement.startswith("BEGIN")

    engine = inside(world.store).database.engine
    sa.event.listen(engine, "before_cursor_execute", executed)
    look()
    sa.event.remove(engine, "before_cursor_execute", executed)
    return count


def looks(world: World) -> list[Callable[[], object]]:
    authority = world.authority
    case = authority.casework.case("C000000000", by=CONSOLE)
    return [
        lambda: authority.casework.page(CaseQuery(limit=100), NOON, by=CONSOLE),
        lambda: authority.casework.page(CaseQuery(limit=100), NOON, by=RAVI),
        lambda: authority.desk.page(ContactQuery(limit=100), by=CONSOLE),
        lambda: authority.desk.page(ContactQuery(case_id=case.case_id, limit=100), by=CONSOLE),
        lambda: authority.desk.due(NOON, by=RAVI),
        lambda: authority.desk.calendar("P000000000", by=CONSOLE),
        lambda: authority.desk.links(case, NOON, by=CONSOLE),
        lambda: authority.desk.dashboard(NOON, by=CONSOLE),
        lambda: authority.desk.dashboard(NOON, by=RAVI),
        lambda: authority.desk.notes_on(case.case_id, by=CONSOLE),
    ]


@pytest.mark.slow
def test_no_look_costs_a_query_for_each_row(tmp_path: Path) -> None:
    counts = []
    for cases, contacts in ((3, 9), (30, 600)):
        with fresh_store(tmp_path / f"{cases}.db") as store:
            world = World.of(counted_entropy(61), store=store)
            fill(store, world.keys, counted_entropy(62), cases=cases, contacts=contacts)
            counts.append([asked(world, look) for look in looks(world)])
    assert counts[0] == counts[1]
    assert min(counts[0]) > 0
    assert max(counts[0]) <= MOST
