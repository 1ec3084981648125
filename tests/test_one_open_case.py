"""A person has one open case at most, whatever opens it; a tracer alone opens none that counts."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlencode

import pytest
import urllib3
from click.testing import CliRunner

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, serving
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case, CaseQuery, CaseState
from tracetogether.authority.cases.followed import ContactQuery, ContactState
from tracetogether.authority.service import Authority
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.errors import AccessDeniedError, ConflictError, NotFoundError

RAVI = Caller("ravi", frozenset({Role.TRACER}))
SITI = Caller("siti", frozenset({Role.TRACER}))
IDA = Caller("ida", frozenset({Role.ISSUER}))
MEI = Caller("mei", frozenset({Role.SUPERVISOR}))
BOTH = Caller("both", frozenset({Role.TRACER, Role.ISSUER}))


def staffed(world: World) -> World:
    for caller in (RAVI, SITI, IDA, MEI, BOTH):
        world.authority.staff.add(
            caller.name, caller.roles, f"token-of-{caller.name}", NOON, by=CONSOLE
        )
    return world


@pytest.fixture
def world() -> World:
    return staffed(World.of(counted_entropy(61)))


@pytest.fixture(params=["sqlite", "postgres"])
def sql_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    sqlite = request.param == "sqlite"
    where = tmp_path / "a.db" if sqlite else request.getfixturevalue("postgres_url")
    with SqlStore.create(where, name="SG_MOH") as store:
        yield staffed(World.of(counted_entropy(62), store=store))


def case_with(world: World, *near: str, assigned_to: str = "") -> Case:
    """Return a case whose phone has heard some people and uploaded."""
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    rows = [row for person in near for row in world.heard(person, NOON - 3600, 45, rssi_dbm=-45)]
    world.take(case, rows, NOON)
    world.authority.finder.refresh(case, NOON)
    if assigned_to:
        world.authority.casework.assign(case.case_id, assigned_to, NOON, by=CONSOLE)
    return world.authority.casework.case(case.case_id, by=CONSOLE)


def contact_of(world: World, case: Case) -> str:
    (contact,) = world.authority.desk.page(ContactQuery(case_id=case.case_id), by=CONSOLE).contacts
    return contact.kept.contact_id


def six_at_once(act: Callable[[int], object]) -> tuple[list[object], list[Exception]]:
    """Let six threads act at the same moment; return what came back, and what was raised."""
    barrier = Barrier(6)

    def wait_and_act(number: int) -> object:
        barrier.wait()
        try:
            return act(number)
        except (ConflictError, AccessDeniedError) as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(wait_and_act, range(6)))
    refused = [result for result in found if isinstance(result, Exception)]
    return [result for result in found if not isinstance(result, Exception)], refused


def open_cases(authority: Authority, user_id: str) -> list[Case]:
    busy = {CaseState.OPEN, CaseState.TRACING}
    return [
        case
        for case in authority.casework.cases(by=CONSOLE)
        if case.user_id == user_id and case.state in busy
    ]


def test_six_parallel_clicks_open_one_case(sql_world: World) -> None:
    authority, person = sql_world.authority, sql_world.user()
    opened, refused = six_at_once(lambda _: authority.casework.open_case(person, NOON, by=CONSOLE))
    assert (len(opened), len(refused)) == (1, 5)
    assert {str(error) for error in refused} == {
        f"this person has an open case already: it is {opened[0].case_id}"
    }
    assert open_cases(authority, person) == opened


def test_six_tracers_who_convert_one_person_at_once_open_one_case(sql_world: World) -> None:
    authority, person = sql_world.authority, sql_world.user()
    contacts = [contact_of(sql_world, case_with(sql_world, person)) for _ in range(6)]
    opened, refused = six_at_once(
        lambda n: authority.merging.convert(contacts[n], NOON, by=CONSOLE)
    )
    assert (len(opened), len(refused)) == (1, 5)
    assert open_cases(authority, person) == opened
    lines = [authority.desk.contact(contact, by=CONSOLE).kept for contact in contacts]
    # All lines of the person name the one case that was opened; who was refused changed nothing.
    assert {(line.state, line.became_case) for line in lines} == {
        (ContactState.BECAME_CASE, opened[0].case_id)
    }


def test_closed_cases_opened_again_at_once_leave_one_open(sql_world: World) -> None:
    authority, person = sql_world.authority, sql_world.user()
    closed = []
    for _ in range(6):
        closed.append(authority.casework.open_case(person, NOON, by=CONSOLE).case_id)
        authority.casework.close(closed[-1], NOON, by=CONSOLE)
    opened, refused = six_at_once(lambda n: authority.casework.reopen(closed[n], NOON, by=CONSOLE))
    assert (len(opened), len(refused)) == (1, 5)
    assert len(open_cases(authority, person)) == 1


def test_the_database_itself_refuses_a_second_open_case(sql_world: World) -> None:
    authority, person = sql_world.authority, sql_world.user()
    first = authority.casework.open_case(person, NOON, by=CONSOLE)
    twin = Case("TWIN", person, first.day, NOON, NOON)
    assert not sql_world.store.add_case(twin)  # past all checks of the service
    assert open_cases(authority, person) == [first]


def test_a_refusal_names_the_case_only_to_who_may_see_it(world: World) -> None:
    authority, person = world.authority, world.user()
    mine, sitis_case = (
        case_with(world, person, assigned_to="ravi"),
        world.authority.casework.open_case(person, NOON, by=CONSOLE),
    )
    authority.casework.assign(sitis_case.case_id, "siti", NOON, by=CONSOLE)
    contact_id = contact_of(world, mine)
    with pytest.raises(ConflictError) as refused:
        authority.merging.convert(contact_id, NOON, by=RAVI)
    assert sitis_case.case_id not in str(refused.value)
    assert authority.desk.contact(contact_id, by=CONSOLE).kept.state is not ContactState.BECAME_CASE
    for caller in (IDA, CONSOLE):
        with pytest.raises(ConflictError, match=sitis_case.case_id):
            authority.casework.open_case(person, NOON, by=caller)
    authority.casework.close(sitis_case.case_id, NOON, by=CONSOLE)
    authority.casework.open_case(person, NOON, by=IDA)
    with pytest.raises(ConflictError, match="has an open case already"):
        authority.casework.reopen(sitis_case.case_id, NOON, by=SITI)


def test_an_import_names_the_line_and_opens_nothing(world: World) -> None:
    free, busy = world.user(), world.user()
    wanted, bad = world.authority.case_import.check(
        f"user_id\n{free}\n{busy}\n".encode(), NOON, by=CONSOLE
    )
    assert bad == []
    world.authority.casework.open_case(busy, NOON, by=CONSOLE)  # meanwhile
    with pytest.raises(ConflictError, match=r"line 3: .*open case already.*no case was opened"):
        world.authority.case_import.run(wanted, NOON, by=CONSOLE)
    assert open_cases(world.authority, free) == []


@pytest.mark.network
def test_page_and_api_refuse_a_second_open_case(world: World) -> None:
    person, other_person = world.user(), world.user()
    world.authority.casework.assign(
        world.authority.casework.open_case(other_person, NOON, by=CONSOLE).case_id,
        "siti",
        NOON,
        by=CONSOLE,
    )
    contact_id = contact_of(world, case_with(world, other_person, assigned_to="ravi"))
    (open_one,) = open_cases(world.authority, other_person)
    with serving(world) as site, urllib3.PoolManager() as http:
        for name in ("ida", "ravi"):
            site.enrol(name)
        ida, ravi = site.visitor("ida"), site.visitor("ravi")

        def api(name: str, path: str, body: str) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer token-of-{name}"}
            headers["Content-Type"] = "application/json"
            url = site.url + path
            answer = http.request("POST", url, body=body, headers=headers, retries=False)
            return answer.status, answer.data.decode()

        ida.get("/cases")
        assert ida.post("/cases", user_id=person)[0] == 303
        ida.get("/cases")
        assert ida.post("/cases", user_id=person)[0] == 409
        assert "This person already has an open case" in ida.text()
        assert api("ida", "/v1/cases", f'{{"user_id": "{person}"}}')[0] == 409
        ravi.get(f"/contacts/{contact_id}")
        assert ravi.post(f"/contacts/{contact_id}/convert", confirm="yes")[0] == 409
        assert "but it is not assigned to you" in ravi.text()
        assert open_one.case_id not in ravi.body
        status, shown = api("ravi", f"/v1/followed/{contact_id}/convert", "{}")
        assert (status, open_one.case_id in shown) == (409, False)
    assert len(open_cases(world.authority, person)) == 1


def test_the_command_line_refuses_a_second_open_case(tmp_path: Path) -> None:
    create_folder(tmp_path / "a", now=NOON)
    with opened_folder(tmp_path / "a") as service:
        person = service.issuance.register().user_id
    asked = ["authority", "case", "open", person, "--dir", str(tmp_path / "a")]
    assert CliRunner().invoke(cli, asked).exit_code == 0
    again = CliRunner().invoke(cli, asked)
    assert again.exit_code == 1
    assert "this person has an open case already: it is" in str(again.exception)


# --- a tracer alone opens no case that others' logs are used for ---


def test_a_converted_contact_shows_nothing_of_another_tracers_log(world: World) -> None:
    """Ravi's contact X is in Siti's list, too: X as Ravi's case would name Siti's case."""
    authority, x, friend = world.authority, world.user(), world.user()
    mine = case_with(world, x, assigned_to="ravi")
    sitis_case = case_with(world, x, friend, assigned_to="siti")
    case = authority.merging.convert(contact_of(world, mine), NOON, by=RAVI)
    assert (case.unconfirmed, case.assigned_to) == (True, "ravi")
    with_others = Case(case.case_id, case.user_id, case.day, NOON, NOON)
    shown = {
        contact.user_id for contact in authority.tracing.contacts(with_others, by=CONSOLE).contacts
    }
    assert shown == {mine.user_id, sitis_case.user_id}  # what the logs would say, were they asked
    assert authority.tracing.contacts(case, by=CONSOLE).contacts == ()
    assert authority.tracing.contacts(case, believe_quarantined=True, by=CONSOLE).contacts == ()
    assert authority.finder.refresh(case, NOON) == 0
    assert authority.graphs.second_degree(mine, by=RAVI) == ()
    graph = authority.graphs.graph(by=RAVI)
    assert {asked_case.case_id for asked_case in graph.asked} == {mine.case_id}
    assert graph.candidates == ()
    assert all(not person.cases or person.cases == (mine,) for person in graph.people)
    assert sitis_case.case_id not in repr(authority.desk.links(mine, NOON, by=RAVI))
    assert sitis_case.case_id in repr(authority.desk.links(mine, NOON, by=MEI))
    assert sitis_case.case_id not in repr(authority.desk.page(ContactQuery(), by=RAVI))
    assert authority.tracing.concerned(case) == []


def test_an_issuer_confirms_and_others_logs_are_used(world: World) -> None:
    authority, x = world.authority, world.user()
    mine = case_with(world, x, assigned_to="ravi")
    case = authority.merging.convert(contact_of(world, mine), NOON, by=RAVI)
    for denied in (RAVI, MEI, SITI):
        with pytest.raises(AccessDeniedError):
            authority.casework.confirm(case.case_id, NOON, by=denied)
    with pytest.raises(NotFoundError):
        authority.casework.confirm("NONE", NOON, by=IDA)
    authority.casework.close(case.case_id, NOON, by=RAVI)
    with pytest.raises(ConflictError, match="closed"):
        authority.casework.confirm(case.case_id, NOON, by=IDA)
    authority.casework.reopen(case.case_id, NOON, by=RAVI)
    assert authority.casework.case(
        case.case_id, by=CONSOLE
    ).unconfirmed  # closing and opening confirms nothing
    confirmed = authority.casework.confirm(case.case_id, NOON, by=IDA)
    assert not confirmed.unconfirmed
    assert authority.casework.case(case.case_id, by=CONSOLE) == confirmed
    assert {
        contact.user_id for contact in authority.tracing.contacts(confirmed, by=CONSOLE).contacts
    } == {mine.user_id}
    with pytest.raises(ConflictError, match="confirmed already"):
        authority.casework.confirm(case.case_id, NOON, by=IDA)
    acts = [entry.act for entry in authority.audit.entries(by=CONSOLE)]
    assert "case.opened-unconfirmed" in acts
    assert "case.confirmed" in acts


def test_a_log_with_a_pin_confirms_and_a_pin_alone_does_not(world: World) -> None:
    authority, x = world.authority, world.user()
    mine = case_with(world, x, assigned_to="ravi")
    case = authority.merging.convert(contact_of(world, mine), NOON, by=RAVI)
    with pytest.raises(AccessDeniedError):
        authority.pins.issue(case, NOON, by=RAVI)
    authority.pins.issue(case, NOON, by=IDA)
    assert authority.casework.case(case.case_id, by=CONSOLE).unconfirmed
    world.take(case, [], NOON)
    case = authority.casework.case(case.case_id, by=CONSOLE)
    assert not case.unconfirmed
    assert {
        contact.user_id for contact in authority.tracing.contacts(case, by=CONSOLE).contacts
    } == {mine.user_id}
    (entry,) = [
        entry for entry in authority.audit.entries(by=CONSOLE) if entry.act == "case.confirmed"
    ]
    assert (entry.by, entry.subject) == ("phone", case.case_id)


def test_who_opens_cases_and_traces_needs_no_second_person(world: World) -> None:
    mine = case_with(world, world.user(), assigned_to="both")
    case = world.authority.merging.convert(contact_of(world, mine), NOON, by=BOTH)
    assert not case.unconfirmed


@pytest.mark.network
def test_pages_and_api_confirm(world: World) -> None:
    mine = case_with(world, world.user(), assigned_to="ravi")
    contact_id = contact_of(world, mine)
    with serving(world) as site:
        for name in ("ida", "ravi"):
            site.enrol(name)
        ravi, ida = site.visitor("ravi"), site.visitor("ida")
        ravi.get(f"/contacts/{contact_id}")
        assert ravi.post(f"/contacts/{contact_id}/convert")[0] == 200
        assert "You can’t undo this." in ravi.text()
        assert (
            len(world.authority.casework.page(CaseQuery(), NOON, by=CONSOLE).cases) == 1
        )  # not yet
        status, place = ravi.post(f"/contacts/{contact_id}/convert", confirm="yes")
        assert status == 303
        path = place.removeprefix("/desk")
        ravi.get(path)
        assert "Other people’s logs are used only after an issuer confirms it" in ravi.text()
        assert "Confirm the case" not in ravi.text()
        assert "Ask a colleague with the role issuer for a PIN" in ravi.text()
        assert ravi.post(f"{path}/confirm")[0] == 403
        ida.get("/cases?" + urlencode({"state": "unconfirmed"}))
        assert path in ida.body
        assert ida.get(path)[0] == 200
        assert ida.post(f"{path}/confirm")[0] == 303
        ida.get("/cases?" + urlencode({"state": "unconfirmed"}))
        assert path not in ida.body
        _api_confirm(world, site)


def _api_confirm(world: World, site: Pages) -> None:
    contact_id = contact_of(world, case_with(world, world.user(), assigned_to="ravi"))
    case = world.authority.merging.convert(contact_id, NOON, by=RAVI)
    path = f"{site.url}/v1/cases/{case.case_id}/confirm"
    headers = {"Authorization": "Bearer token-of-ida"}
    answer = urllib3.request("POST", path, headers=headers)
    assert (answer.status, answer.json()["confirmed"]) == (200, True)
    assert urllib3.request("POST", path, headers=headers).status == 409


def test_the_command_line_confirms(tmp_path: Path) -> None:
    create_folder(tmp_path / "a", now=NOON)
    with opened_folder(tmp_path / "a") as service:
        person = service.issuance.register().user_id
        case = service.casework.opened(person, NOON, None, by=RAVI)
        assert case.unconfirmed
    asked = ["authority", "case", "confirm", case.case_id, "--dir", str(tmp_path / "a")]
    assert CliRunner().invoke(cli, asked).exit_code == 0
    assert CliRunner().invoke(cli, asked).exit_code == 1
    with opened_folder(tmp_path / "a") as service:
        assert not service.casework.case(case.case_id, by=CONSOLE).unconfirmed
