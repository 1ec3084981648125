"""The wall, screens without an operator, the bulletin, and the public page."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tests.authority_world import NOON, World
from tests.followed_rows import fill
from tests.fresh_stores import inside
from tests.pages_world import CHEAP, Clock, Pages, serving
from tests.status_world import StatusWorld
from tracetogether.adapters import http_api, operator_pages
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.access.sign_in import SIGN_INS_FROM
from tracetogether.authority.cases.followed import ContactState
from tracetogether.authority.open_data.cells import FIGURES
from tracetogether.authority.oversight.wall import Delay
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    RateLimitedError,
)
from tracetogether.parameters import SCREEN_CODE_S, SCREEN_IDLE_S, SCREEN_LONGEST_S
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

pytestmark = pytest.mark.network
VIEWER = Caller("vera", frozenset({Role.VIEWER}))
SUPERVISOR = Caller("mei", frozenset({Role.SUPERVISOR}))
MOST_QUERIES = 12


@pytest.fixture
def pages() -> Iterator[Pages]:
    world = StatusWorld.new()
    with serving(world) as served:
        yield served


# --- figures ---


def test_a_delay_is_a_median_and_a_ninetieth_percentile() -> None:
    assert Delay.of([]) == Delay(0, None, None)
    assert Delay.of([5.0]) == Delay(1, 5.0, 5.0)
    assert Delay.of([float(n) for n in range(1, 11)]) == Delay(10, 5.0, 9.0)
    assert Delay.of([-3.0, 4.0]).median_s == 0.0  # two clocks differ


def test_the_wall_counts_what_there_is(pages: Pages) -> None:
    world: Any = pages.world
    authority = world.authority
    order = world.order()
    world.restricted(order)
    held = world.restricted(order)
    authority.appeals.open(held.user_id, NOON)
    case = authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 7_200, 20), NOON + SECONDS_PER_HOUR)
    late = NOON + 49 * SECONDS_PER_HOUR
    figures = authority.wall.figures(NOON + 7_200, by=VIEWER)
    assert figures.counted.cases_today == 1
    assert figures.test_to_log == Delay(1, 13 * SECONDS_PER_HOUR, 13 * SECONDS_PER_HOUR)
    assert figures.log_to_call == Delay(0, None, None)
    assert figures.counted.in_force == {"order": 2}
    assert (figures.counted.appeals, figures.counted.appeals_overdue) == (1, 0)
    overdue = authority.wall.figures(late, by=VIEWER).counted
    assert (overdue.in_force, overdue.appeals_overdue) == ({"order": 1}, 1)  # one is suspended
    authority.issuance.batch(world.user(), NOON)
    assert authority.wall.figures(NOON, by=VIEWER).phones == (None, None)
    for role in set(Role) - {Role.VIEWER, Role.SUPERVISOR, Role.AUDITOR}:
        with pytest.raises(AccessDeniedError):
            authority.wall.figures(NOON, by=Caller("x", frozenset({role})))


def test_the_wall_asks_as_often_however_many_rows_and_never_reads_contacts(pages: Pages) -> None:
    world = pages.world
    counts = []
    for cases, contacts in ((0, 0), (30, 900)):
        fill(world.store, world.keys, bytes, cases=cases, contacts=contacts)
        while world.store.count_changed_people(500, wait=True):
            pass
        seen: list[str] = []

        def note(
            _c: object, _k: object, statement: str, *_: object, seen: list[str] = seen
        ) -> None:
            if not statement.startswith(("PRAGMA", "BEGIN")):
                seen.append(statement)

        engine = inside(world.store).database.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        world.authority.wall.figures(NOON, by=VIEWER)
        sa.event.remove(engine, "before_cursor_execute", note)
        counts.append(len(seen))
        assert not [text for text in seen if "followed." in text or " followed " in text]
    assert counts[0] == counts[1] <= MOST_QUERIES
    plan = sa.text("EXPLAIN QUERY PLAN SELECT count(*) FROM cases WHERE opened_at_s >= 0")
    with inside(world.store).transactions.reading() as connection:
        assert "cases_by_opening" in str(connection.execute(plan).all())


def test_a_person_near_two_cases_counts_once_and_is_done_with_one_call(pages: Pages) -> None:
    world: Any = pages.world
    authority, near = world.authority, world.user()
    cases = [authority.casework.open_case(world.user(), NOON, by=CONSOLE) for _ in range(2)]
    for case in cases:
        world.take(case, world.heard(near, NOON - 7_200, 90, rssi_dbm=-45), NOON)
        authority.finder.refresh(case, NOON)
    first, second = (world.store.desk.contacts_of([case.case_id])[0] for case in cases)
    assert first.who == second.who
    counted = authority.wall.figures(NOON, by=VIEWER).counted
    assert (counted.due, counted.done, counted.overdue) == (1, 0, 0)
    late = authority.wall.figures(NOON + 2 * SECONDS_PER_DAY, by=VIEWER).counted
    assert (late.due, late.overdue) == (1, 1)
    called = replace(first, last_day=first.day, state=ContactState.IN_FOLLOW_UP)
    world.store.desk.put_contacts([called])
    counted = authority.wall.figures(NOON, by=VIEWER).counted
    assert (counted.due, counted.done, counted.lost) == (0, 1, 0)
    for line in (called, second):
        world.store.desk.put_contacts([replace(line, state=ContactState.LOST)])
    assert authority.wall.figures(NOON, by=VIEWER).counted.lost == 1
    authority.issuance.withdraw(near, NOON)
    counted = authority.wall.figures(NOON, by=VIEWER).counted
    assert (counted.due, counted.done, counted.lost) == (0, 0, 0)


def test_figures_lead_to_pages_only_for_who_may_see_them(pages: Pages) -> None:
    pages.operator("vera", Role.VIEWER)
    pages.operator("mei", Role.SUPERVISOR)
    made_of = {"/cases", "/follow-up", "/follow-up?who=lost", "/places", "/"}
    for name, links in (("vera", {"/"}), ("mei", made_of)):
        visitor = pages.visitor(name)
        status, body = visitor.get("/wall")
        assert status == 200
        found = set(re.findall(r'<dt><a href="/desk([^"]*)"', body))
        assert found - {"/keys"} == links, name
        for path in found:
            assert visitor.get(path)[0] == 200, path
        assert "/desk/restrictions" not in body
        visitor.get("/wall")
        assert visitor.headers["refresh"] == "60"
        stop = "/wall?refresh=off"
        assert f'href="/desk{stop}"' in body
        assert 'href="/desk/wall"' in visitor.get(stop)[1]
        assert "refresh" not in visitor.headers
        assert "<script" not in body
    visitor.language = "zh"
    assert "今日登记的病例" in visitor.get("/wall")[1]
    assert 'class="dark"' in visitor.get("/wall?look=dark")[1]
    assert 'class="' not in visitor.get("/wall?look=x%22%3E")[1].partition("<head>")[0]


# --- screens ---


def test_a_screen_sees_the_wall_and_nothing_else(pages: Pages) -> None:
    screens = pages.world.authority.screens
    code = screens.add("lobby", pages.clock.now, by=CONSOLE)
    screen = pages.visitor()
    assert screen.get("/wall")[0] == 303
    screen.get(f"/wall/enter?code={code}")
    assert code in screen.body
    assert screen.post("/wall/enter", code="AAAA-AAAA-AAAA-AAAA")[0] == 403
    screen.get("/wall/enter")
    assert screen.post("/wall/enter", code=code.lower().replace("-", " "))[0] == 303
    status, body = screen.get("/wall")
    assert status == 200
    assert 'href="/desk/cases' not in body
    for path in ("/", "/cases", "/keys", "/bulletin", "/restrictions", "/audit"):
        assert screen.get(path)[0] == 303, path  # to the sign-in
    second = pages.visitor()
    second.get("/wall/enter")
    assert second.post("/wall/enter", code=code)[0] == 403  # the code is used up
    screens.end("lobby", pages.clock.now, by=CONSOLE)
    assert screen.get("/wall") == (303, "/desk/wall/enter")


def test_codes_and_screens_end_by_time(pages: Pages) -> None:
    screens, now = pages.world.authority.screens, NOON
    code = screens.add("lobby", now, by=CONSOLE)
    with pytest.raises(ConflictError):
        screens.add("lobby", now, by=CONSOLE)
    with pytest.raises(AccessDeniedError):
        screens.enter(code, now + SCREEN_CODE_S)
    code = screens.add("lobby", now + SCREEN_CODE_S, by=CONSOLE)  # the old code is over
    token = screens.enter(code, now + SCREEN_CODE_S + 1)
    begun = now + SCREEN_CODE_S + 1
    who = screens.who(token, begun + SCREEN_IDLE_S - 1)
    assert who is not None
    assert who.roles == {Role.VIEWER}
    assert screens.who(token, begun + 2 * SCREEN_IDLE_S - 2)  # it was seen meanwhile
    assert screens.who(token, begun + 3 * SCREEN_IDLE_S) is None
    for day in range(1, SCREEN_LONGEST_S // SECONDS_PER_DAY):
        screens.who(token, begun + day * SECONDS_PER_DAY)
    assert screens.who(token, begun + SCREEN_LONGEST_S) is None
    assert screens.who("", now) is None
    with pytest.raises(InvalidRequestError):
        screens.add("Lobby 1", now, by=CONSOLE)
    kept = pages.world.store.screens()
    assert token not in repr(kept)
    assert code not in repr(kept)


def test_who_guesses_codes_is_slowed_down(pages: Pages) -> None:
    screens = pages.world.authority.screens
    code = screens.add("lobby", NOON, by=CONSOLE)
    for _ in range(SIGN_INS_FROM.at_most):
        with pytest.raises(AccessDeniedError):
            screens.enter("AAAA-AAAA-AAAA-AAAA", NOON, address="192.0.2.1")
    with pytest.raises(RateLimitedError):
        screens.enter(code, NOON, address="192.0.2.1")
    stranger = pages.visitor()
    stranger.get("/wall/enter")
    assert stranger.post("/wall/enter", code="AAAA")[0] == 403
    assert screens.enter(code, NOON, address="192.0.2.2")


# --- the bulletin ---


def test_a_bulletin_is_on_every_page_until_it_ends(pages: Pages) -> None:
    pages.operator("mei", Role.SUPERVISOR)
    pages.operator("ravi", Role.TRACER)
    mei = pages.visitor("mei")
    mei.get("/bulletin")
    line = "Ward 3 is full: <b>call</b> Ward 5"
    assert mei.post("/bulletin", text=line, ends="2020-05-05")[0] == 303
    ravi = pages.visitor("ravi")
    for path in ("/", "/cases", "/follow-up"):
        assert "Ward 3 is full: &lt;b&gt;call&lt;/b&gt; Ward 5" in ravi.get(path)[1]
    assert "Ward 3" not in pages.visitor().get("/sign-in")[1]
    assert ravi.post("/bulletin", text="x", ends="2020-05-05")[0] == 403
    pages.clock.now = NOON + 1.5 * SECONDS_PER_DAY  # midnight of the last day has passed
    assert "Ward 3" not in pages.visitor("ravi").get("/cases")[1]
    acts = [entry.act for entry in pages.world.authority.audit.entries(by=CONSOLE)]
    assert acts.count("bulletin.put") == 1


def test_a_bulletin_is_one_plain_line_with_a_near_end(pages: Pages) -> None:
    bulletins = pages.world.authority.bulletins
    for text, until in (
        ("", NOON + 60),
        ("two\nlines", NOON + 60),
        ("\x1b[31m", NOON + 60),
        ("x" * 201, NOON + 60),
        ("past", NOON),
        ("far", NOON + 8 * SECONDS_PER_DAY),
    ):
        with pytest.raises(InvalidRequestError):
            bulletins.put(text, until, NOON, by=SUPERVISOR)
    with pytest.raises(AccessDeniedError):
        bulletins.put("text", NOON + 60, NOON, by=VIEWER)
    bulletins.put("first", NOON + 60, NOON, by=SUPERVISOR)
    bulletins.put("second", NOON + 60, NOON + 1, by=SUPERVISOR)
    found = bulletins.current(NOON + 2)
    assert found is not None
    assert found.text == "second"
    assert bulletins.current(NOON + 60) is None
    bulletins.end(NOON + 3, by=SUPERVISOR)
    assert bulletins.current(NOON + 4) is None


# --- the public page ---


def test_the_public_page_is_off_until_figures_are_published_and_then_the_same() -> None:
    world: World = StatusWorld.new()
    clock = Clock(NOON + 2 * SECONDS_PER_DAY)
    app = http_api.create_app(world.authority, clock=clock)
    figures = operator_pages.create_open_pages(world.authority, name="SG_MOH", clock=clock)
    http_api.mount_pages(app, operator_pages.OPEN_BASE, figures)
    with http_api.running(app) as url:
        visitor = replace(
            Pages(url, world, clock, operator_pages.sign_in_for(world.authority, CHEAP)).visitor(),
            url=url,
        )
        ask = visitor.http.request
        assert ask("GET", f"{url}/open/").status == 404
        for _ in range(30):
            world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        world.authority.open_data.publish(clock.now, licence="CC-BY-4.0", by=SUPERVISOR)
        clock.now += 60
        first = ask("GET", f"{url}/open/")
        assert first.status == 200
        assert {ask("GET", f"{url}/open/").data for _ in range(5)} == {first.data}
        text = first.data.decode()
        assert text.count("<svg") == len(FIGURES)
        assert "<script" not in text
        assert "CC-BY-4.0" in text
        assert "2020-05-04" in text
        chinese = ask("GET", f"{url}/open/?lang=zh").data.decode()
        assert "登记的病例" in chinese
        tag = {"If-None-Match": first.headers["ETag"]}
        assert ask("GET", f"{url}/open/", headers=tag).status == 304
        assert ask("GET", f"{url}/open/figures.csv").status == 200
        assert ask("GET", f"{url}/open/open.css").headers["Content-Type"].startswith("text/css")
        world.authority.open_data.stop(clock.now, by=SUPERVISOR)
        clock.now += 60
        assert ask("GET", f"{url}/open/").status == 404
