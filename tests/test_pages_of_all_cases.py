"""The page of the graph over all cases: what it draws, who may see it, what it costs."""

import re
from pathlib import Path

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.followed_rows import fill
from tests.fresh_stores import fresh_store
from tests.pages_world import Visitor, serving
from tests.test_contact_graph import Chain
from tests.test_desk_queries import asked
from tracetogether.adapters.operator_pages.case_map import Bond, Spot, case_map
from tracetogether.adapters.operator_pages.who_met import CASES_A_PAGE
from tracetogether.authority.access.permissions import CONSOLE, Role

pytestmark = pytest.mark.network


def links(visitor: Visitor, inside: str) -> set[str]:
    """Return the cases that a part of the page leads to."""
    part = re.search(inside, visitor.body, re.DOTALL)
    assert part
    return set(re.findall(r"/desk/cases/(\w+)", part[0]))


def test_what_the_graph_shows_and_that_it_is_written_down() -> None:
    world = World.of(counted_entropy(71))
    chain = Chain(world)
    # F met C too, so that C is known from two cases; C has none.
    chain.upload(world.user(), DAY, world.heard(chain.c, NOON - 86_400, 40, rssi_dbm=-45))
    with serving(world) as pages:
        pages.operator("chief", Role.SUPERVISOR)
        visitor = pages.visitor("chief")
        assert visitor.get("/graph?policy=2m-15min")[0] == 200
        both = {chain.case_a.case_id, chain.case_b.case_id}
        assert "These are all 3 cases that have logs" in visitor.text()
        assert both < links(visitor, r'<svg class="picture whole".*?</svg>')
        assert links(visitor, r"Cases that met</h2>.*?</section>") == both
        assert links(visitor, r"a ranking, not a finding\)</h2>.*?</section>") == both
        known = re.search(
            r"People who met several cases</h2>.*?</section>", visitor.body, re.DOTALL
        )
        assert known
        assert world.authority.desk.name_of(chain.c) in known[0]
        assert world.authority.desk.name_of(chain.d) not in known[0]
        assert visitor.body.count('class="edge high"') == 2  # the line, and its explanation
        table = visitor.body.partition("The cases as a table")[2]
        rows = re.findall(r"cases/(\w+)\".*?<td class=\"right\">(\d+)</td>", table)
        lists = {
            case.case_id: len(world.authority.tracing.contacts(case, by=CONSOLE).contacts)
            for case in world.authority.casework.cases(by=CONSOLE)
        }
        assert {case_id: int(count) for case_id, count in rows} == lists
        assert sum(lists.values()) > len(
            world.authority.graphs.graph(by=CONSOLE).meetings
        )  # some met both ways
        for user_id in (chain.a, chain.b, chain.c, chain.d, chain.e):
            assert user_id not in visitor.body
        newest, _ = world.store.last_audit()
        (entry,) = world.authority.audit.entries(newest - 1, by=CONSOLE)
        assert (entry.act, entry.by, entry.details) == ("graph.shown", "chief", {"cases": 3})
        assert visitor.get("/graph?policy=none")[0] == 400
        assert visitor.get("/graph?offset=99")[0] == 200
        assert '<svg class="picture whole"' in visitor.body  # the last page, not an empty one


def test_a_tracer_sees_the_graph_of_the_cases_given_to_him() -> None:
    world = World.of(counted_entropy(72))
    chain = Chain(world)
    with serving(world) as pages:
        pages.operator("tracer", Role.TRACER)
        pages.operator("issuer", Role.ISSUER)
        visitor = pages.visitor("tracer")
        visitor.get("/graph")
        assert "No case has a log yet" in visitor.text()
        world.authority.casework.assign(chain.case_b.case_id, "tracer", NOON, by=CONSOLE)
        visitor.get("/graph")
        assert chain.case_b.case_id in visitor.body
        assert chain.case_a.case_id not in visitor.body
        assert pages.visitor("issuer").get("/graph")[0] == 403


@pytest.mark.slow
def test_thousands_of_cases_cost_what_a_page_of_them_costs(tmp_path: Path) -> None:
    with fresh_store(tmp_path / "authority.db") as store:
        world = World.of(counted_entropy(73), store=store)
        for _ in range(2):
            Chain(world)
        graphs = world.authority.graphs

        def look() -> None:
            graphs.graph(most=2, by=CONSOLE)

        look()  # the lists are found again, now that all logs are there
        few = asked(world, look)
        fill(store, world.keys, counted_entropy(74), cases=5_000, contacts=5)
        Chain(world)
        look()
        assert asked(world, look) == few
        assert few <= 2 + 2 * 14
        found = graphs.graph(most=2, skip=1, by=CONSOLE)
        assert (found.cases, found.cases_left_out) == (2, 4)
        assert CASES_A_PAGE <= 30


def test_the_picture_bows_lines_within_a_column_and_escapes_texts() -> None:
    spots = [Spot("A", "/a", 1), Spot("B", "/b", 1), Spot("C", "/c", 5)]
    bad = "<script>alert(1)</script>"
    bonds = [Bond("A", "B", "high", 2, bad), Bond("B", "C", "met", 2, "met")]
    drawn = case_map(spots, bonds, bad)
    assert "<script" not in drawn
    assert drawn.count("<path") == 2
    within = re.search(r'M(\S+) (\S+)C(\S+) \S+ (\S+) \S+ (\S+) \S+"', drawn)
    assert within
    x1, _, bow1, bow2, x2 = map(float, within.groups())
    assert x1 == x2 < bow1 == bow2
    assert case_map([], [], "nothing")
