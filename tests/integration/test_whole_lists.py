"""No list is cut silently: every page, route and command has a way to the rest, filters kept."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import urllib3
from click.testing import CliRunner

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.adapters.operator_pages import cases as case_pages
from tracetogether.adapters.operator_pages import people, who_met
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactQuery, person_tag
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
NEAR = 7
OPEN = 60


@pytest.fixture(scope="module")
def world() -> World:
    """Sixty cases without a log; four whose people met, with seven contacts in common."""
    world = World.of(counted_entropy(301))
    authority = world.authority
    for _ in range(OPEN):
        authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    near = [world.user() for _ in range(NEAR)]
    met = [
        authority.casework.open_case(
            world.user(), NOON, int(NOON // SECONDS_PER_DAY) - 4 * place, by=CONSOLE
        )
        for place in range(4)
    ]
    for place, case in enumerate(met):
        heard = [*near, *(row.user_id for row in met if row is not case)]
        begin = NOON - (4 * place + 1) * SECONDS_PER_DAY
        rows = [row for who in heard for row in world.heard(who, begin, 45, rssi_dbm=-45)]
        world.take(case, rows, NOON)
        authority.finder.refresh(case, NOON)
    return world


@pytest.fixture(scope="module")
def pages(world: World) -> Iterator[Pages]:
    with pytest.MonkeyPatch.context() as patch:
        # Short pages, so that few rows fill several.
        patch.setattr(case_pages, "_LINES_A_PAGE", 3)
        patch.setattr(case_pages, "_KNOTS_A_PAGE", 3)
        patch.setattr(people, "_CALLS_A_PAGE", 3)
        patch.setattr(who_met, "_ROWS_A_PAGE", 2)
        with serving(world) as site:
            site.operator("all", *ALL_ROLES)
            yield site


@pytest.fixture(scope="module")
def visitor(pages: Pages) -> Visitor:
    return pages.visitor("all")


def walked(visitor: Visitor, path: str, row: str, under: str = "") -> tuple[list[str], int]:
    """Follow "Next" from a page to the end; return what ``row`` matched, and the stated total.

    Args:
        visitor: who looks.
        path: the first page.
        row: a pattern with one group, of what a row names.
        under: the heading of the list, where a page has several.
    """
    found, total, seen = [], 0, set[str]()
    while path not in seen:
        seen.add(path)
        assert visitor.get(path)[0] == 200
        body = visitor.body.partition(f"<h2>{under}</h2>")[2].partition("</section>")[0]
        body = body if under else visitor.body
        found += re.findall(row, body)
        stated = re.search(r"<span>[\d,]+–[\d,]+ of ([\d,]+)</span>", body)
        total = int(stated[1].replace(",", "")) if stated else len(found)
        onward = re.search(r'href="/desk([^"]+)">Next</a>', body)
        if onward is None:
            break
        path = unescape(onward[1])
    return found, total


ROW_OF = r'<tr[^>]*><th class="id" scope="row"><a href="/desk/%s/(\w+)"'


def first_case(world: World) -> Case:
    with_logs = {case_id for case_id, _ in world.store.all_upload_ids()}
    return next(
        case for case in world.authority.casework.cases(by=CONSOLE) if case.case_id in with_logs
    )


def test_every_case_is_reached_by_following_next(world: World, visitor: Visitor) -> None:
    found, total = walked(visitor, "/cases", ROW_OF % "cases")
    assert (len(found), len(set(found)), total) == (OPEN + 4, OPEN + 4, OPEN + 4)
    world.authority.casework.close(found[0], NOON, by=CONSOLE)
    left, total = walked(visitor, "/cases?state=open", ROW_OF % "cases")
    assert (len(left), total) == (OPEN + 3, OPEN + 3)
    assert found[0] not in left  # the filter holds on every page
    world.authority.casework.reopen(found[0], NOON, by=CONSOLE)


def test_every_call_of_the_day_is_reached(world: World, visitor: Visitor) -> None:
    due = world.authority.desk.due(NOON, 0, 1_000, by=CONSOLE).contacts
    people = {contact.kept.who for contact in due}
    found, total = walked(visitor, "/follow-up", ROW_OF % "contacts")
    assert (total, len(found), len(set(found))) == (len(people), len(people), len(people))
    assert len(people) == NEAR + 4  # some are near several cases, which their row names
    of_cases, _ = walked(visitor, "/follow-up", r'<a href="/desk/contacts/(\w+)">\w+</a>')
    assert sorted(of_cases) == sorted(contact.kept.contact_id for contact in due)
    who = {contact.kept.contact_id: contact.kept.who for contact in due}
    assert {who[contact_id] for contact_id in found} == people


def test_every_contact_of_a_case_is_reached(world: World, visitor: Visitor) -> None:
    case = first_case(world)
    there = world.authority.desk.page(
        ContactQuery(case_id=case.case_id, limit=1_000), by=CONSOLE
    ).contacts
    wanted = sorted(contact.kept.contact_id for contact in there)
    assert len(wanted) == NEAR + 3
    for path in (f"/cases/{case.case_id}?policy=cwa", f"/cases/{case.case_id}/graph"):
        found, total = walked(visitor, path, ROW_OF % "contacts")
        assert (sorted(set(found)), total) == (wanted, len(wanted)), path
    visitor.get(f"/cases/{case.case_id}?policy=cwa")
    assert "?policy=cwa&offset=3" in unescape(visitor.body)


def test_every_row_of_who_met_whom_is_reached(world: World, visitor: Visitor) -> None:
    graph = world.authority.graphs.graph(by=CONSOLE)
    own = {person.pseudonym for person in graph.people if person.cases}
    pairs = [meeting for meeting in graph.meetings if meeting.contact.pseudonym in own]
    for heading, row, rows in (
        ("Cases that met", r'<tr><th scope="row"><a class="id" href="[^"]+">(\w+)', len(pairs)),
        (
            "Who may have infected whom (a ranking, not a finding)",
            r'<tr><th scope="row"><a class="id" href="[^"]+">(\w+)',
            len(graph.candidates),
        ),
        (
            "People who met several cases",
            r'<tr><th class="id" scope="row">([\w-]+)</th>',
            NEAR,
        ),
    ):
        found, total = walked(visitor, "/graph?policy=singapore", row, heading)
        assert (len(found), total) == (rows, rows), heading
        assert rows > 2, heading


def test_the_audit_log_is_read_to_its_first_entry(world: World, visitor: Visitor) -> None:
    found, _ = walked(visitor, "/audit", r'<tr><td class="right">([\d,]+)</td>')
    numbers = {int(hit.replace(",", "")) for hit in found}
    newest = max(numbers)
    assert newest > 100
    assert set(range(1, newest - 60)) <= numbers  # looking adds entries, which move the pages on


@pytest.mark.parametrize("path", ["/cases", "/follow-up", "/audit", "/graph", "graph", "case"])
def test_an_offset_past_the_end_shows_the_last_page(
    world: World, visitor: Visitor, path: str
) -> None:
    case_id = first_case(world).case_id
    place = {"graph": f"/cases/{case_id}/graph", "case": f"/cases/{case_id}"}.get(path, path)
    assert visitor.get(f"{place}?offset=99999")[0] == 200
    assert re.search(r"<(tr|circle)\b", visitor.body.partition("<tbody>")[2])
    assert "No case has a log yet" not in visitor.text()
    assert "No more calls are due today" not in visitor.text()


def test_the_http_lists_say_how_many_there_are(world: World, pages: Pages) -> None:
    def ask(path: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        return urllib3.request("GET", pages.url + path, headers=headers).json()

    for path, rows in (
        ("/v1/cases?limit=10", "cases"),
        ("/v1/followed?limit=10", "contacts"),
        ("/v1/audit?limit=10", "entries"),
    ):
        first = ask(path)
        assert len(first[rows]) == 10
        total = first["total"]
        seen: list[object] = []
        while len(seen) < total:
            mark = f"&after={len(seen)}" if rows == "entries" else f"&offset={len(seen)}"
            part = ask(path + mark)[rows]
            assert part, path
            seen += part
        assert len(seen) == total > 10
    graph = ask("/v1/graph")
    assert (graph["total"], graph["offset"], graph["cases"]) == (4, 0, 4)
    rest = ask("/v1/graph?offset=3")
    assert (rest["total"], rest["offset"], rest["cases"]) == (4, 3, 1)


def test_the_command_line_lists_everything_or_says_what_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    create_folder(folder, now=NOON)
    with opened_folder(folder) as service:
        case = service.casework.open_case(service.issuance.register().user_id, NOON, by=CONSOLE)
        world = World(service.custody.keys, service.store, service)
        world.take(case, world.heard(world.user(), NOON - 7200, 60, rssi_dbm=-45), NOON)
        service.finder.refresh(case, NOON)
        (contact,) = service.desk.page(ContactQuery(), by=CONSOLE).contacts
        keys, day = service.custody.keys, contact.kept.day
        copies = [
            replace(
                contact.kept,
                contact_id=f"C{number:09}",
                tag=person_tag(f"user-{number}", day, keys),
            )
            for number in range(1_200)  # more than were ever shown
        ]
        service.store.desk.put_contacts(copies)
        for _ in range(3):
            service.casework.open_case(service.issuance.register().user_id, NOON, by=CONSOLE)
    base = ["authority", "follow-up", "list", "--dir", str(folder)]
    everything = CliRunner().invoke(cli, base)
    assert everything.exit_code == 0, everything.output
    assert {f"C{number:09}" for number in range(1_200)} <= set(everything.output.split())
    assert everything.output.rstrip().endswith("1,201 contacts")
    some = CliRunner().invoke(cli, [*base, "--limit", "50", "--offset", "100"])
    assert some.output.rstrip().endswith("101-150 of 1,201 contacts; --offset 150 shows the next")
    last = CliRunner().invoke(cli, [*base, "--limit", "50", "--offset", "1200"])
    assert last.output.rstrip().endswith("1201-1201 of 1,201 contacts")
    base = ["authority", "case", "list", "--dir", str(folder)]
    assert CliRunner().invoke(cli, base).output.rstrip().endswith("4 cases")
    some = CliRunner().invoke(cli, [*base, "--limit", "3"]).output.rstrip()
    assert some.endswith("1-3 of 4 cases; --offset 3 shows the next")
