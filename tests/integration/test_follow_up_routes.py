"""The tracers' day over HTTP: given a case, calls, notes, a reveal; who may let lists out."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openpyxl
import pytest
import urllib3

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tracetogether.adapters import http_api
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.bluetrace.upload import write_upload

pytestmark = pytest.mark.network
STAFF = {
    "mei": {Role.SUPERVISOR},
    "ravi": {Role.TRACER},
    "siti": {Role.TRACER},
    "nora": {Role.EXPORTER},
    "all-but": set(ALL_ROLES - {Role.EXPORTER}),
}


@dataclass
class Desk:
    url: str
    world: World
    http: urllib3.PoolManager
    case: Case
    near: str

    def ask(self, who: str, method: str, path: str, said: object = None) -> tuple[int, Any]:
        status, kind, data = self.raw(who, method, path, said)
        return status, json.loads(data) if "json" in kind and "nd" not in kind else data

    def raw(self, who: str, method: str, path: str, said: object = None) -> tuple[int, str, bytes]:
        answer = self.http.request(
            method,
            f"{self.url}/v1{path}",
            body=None if said is None else json.dumps(said).encode(),
            headers={"Authorization": f"Bearer token-{who}", "Content-Type": "application/json"},
            retries=False,
        )
        return answer.status, answer.headers["Content-Type"], answer.data


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    world = World.of(counted_entropy(51))
    for name, roles in STAFF.items():
        world.authority.staff.add(name, frozenset(roles), f"token-{name}", NOON, by=CONSOLE)
    near, phone = world.user(), world.authority.issuance.register()
    case = world.authority.casework.open_case(phone.user_id, NOON, by=CONSOLE)
    body = write_upload(world.heard(near, NOON - 3 * 3600, 90, rssi_dbm=-45))
    token = world.token(case, body, NOON)
    app = http_api.create_app(world.authority, clock=lambda: NOON)
    with http_api.running(app) as url, urllib3.PoolManager() as http:
        shown = {"Authorization": f"Bearer {token}", "X-Credential": phone.credential}
        answer = http.request("POST", f"{url}/v1/uploads", body=body, headers=shown)
        assert answer.status == 201, answer.data
        yield Desk(url, world, http, case, near)


def test_a_tracer_s_day(desk: Desk) -> None:
    case_id = desk.case.case_id
    assert desk.ask("ravi", "GET", "/cases")[1]["total"] == 0
    status, case = desk.ask("mei", "POST", f"/cases/{case_id}/assign", {"operator": "ravi"})
    assert (status, case["assigned_to"]) == (200, "ravi")
    (line,) = desk.ask("ravi", "GET", "/cases?state=open&assigned_to=siti")[1]["cases"]
    assert (line["case_id"], line["contacts"], line["to_trace"], line["due"]) == (case_id, 1, 1, 1)
    (due,) = desk.ask("ravi", "GET", "/followed?due=true&priority=high&priority=medium")[1][
        "contacts"
    ]
    place = f"/followed/{due['contact_id']}"
    assert desk.near not in json.dumps(due)
    assert desk.ask("siti", "GET", place)[0] == 404
    assert desk.ask("ravi", "POST", f"{place}/state", {"state": "reached"})[0] == 200
    said = {"name": "Ann <script>", "phone": "555"}
    assert desk.ask("ravi", "PUT", f"{place}/particulars", said)[0] == 200
    status, called = desk.ask("ravi", "POST", f"{place}/outcomes", {"outcome": "symptoms"})
    assert (status, called["state"], called["priority"]) == (200, "in_follow_up", "high")
    shown = desk.ask("ravi", "GET", place)[1]
    assert (shown["calendar"][0]["date"], shown["calendar"][0]["outcome"]) == (
        "2020-05-04",
        "symptoms",
    )
    note = {"text": "call again", "contact_id": due["contact_id"]}
    assert desk.ask("ravi", "POST", f"/cases/{case_id}/notes", note)[0] == 201
    (read,) = desk.ask("ravi", "GET", f"/cases/{case_id}/notes")[1]["notes"]
    assert (read["text"], read["by"]) == ("call again", "ravi")
    assert desk.ask("ravi", "POST", f"{place}/reveal", {"reason": "  "})[0] == 400
    status, person = desk.ask("ravi", "POST", f"{place}/reveal", {"reason": "testing"})
    assert (status, person["user_id"], person["name"]) == (200, desk.near, "Ann <script>")
    seen = desk.ask("ravi", "GET", "/dashboard")[1]
    assert seen["contacts"] == {"in_follow_up": 1}
    assert seen["indicators"]["traced_within_a_day"] == {
        "numerator": 1,
        "denominator": 1,
        "share": 1.0,
    }
    status, ill = desk.ask("ravi", "POST", f"{place}/convert", {"date": "2020-05-04"})
    assert (status, ill["assigned_to"], ill["known_contact"]) == (201, "ravi", True)
    acts = [
        entry.act for entry in desk.world.authority.audit.entries(by=CONSOLE) if entry.by == "ravi"
    ]
    assert acts == [
        *("contact.reached", "contact.described", "contact.called", "note.added"),
        *("contact.reveal-refused", "contact.revealed", "case.opened-unconfirmed"),
        "contact.became_case",
    ]


def test_who_is_no_exporter_lets_nothing_out_by_any_route(desk: Desk) -> None:
    before = desk.world.authority.audit.verify(by=CONSOLE)[0]
    for who in ("ravi", "siti", "mei", "all-but"):
        for form in ("csv", "ndjson", "xlsx"):
            status, answer = desk.ask(who, "GET", f"/exports/contacts?format={form}")
            assert (status, answer["error"]["code"]) == (403, "denied")
    entries = list(desk.world.authority.audit.entries(after=before, by=CONSOLE))
    assert [(entry.act, entry.by) for entry in entries] == [
        ("route.refused", who) for who in ("ravi", "siti", "mei", "all-but") for _ in range(3)
    ]
    assert {entry.details["route"] for entry in entries} == {"GET /v1/exports/contacts"}


@pytest.mark.parametrize("form", ["csv", "ndjson", "xlsx"])
@pytest.mark.parametrize("layout", ["contacts", "anonymous", "sormas", "godata"])
def test_an_exporter_does_and_the_audit_log_says_so(desk: Desk, form: str, layout: str) -> None:
    before = desk.world.authority.audit.verify(by=CONSOLE)[0]
    path = f"/exports/contacts?format={form}&layout={layout}"
    status, kind, data = desk.raw("nora", "GET", path)
    assert status == 200, data
    (entry,) = desk.world.authority.audit.entries(after=before, by=CONSOLE)
    assert (entry.act, entry.by) == ("contacts.exported", "nora")
    assert entry.details == {"layout": layout, "form": form}
    match form:
        case "csv":
            assert kind.startswith("text/csv")
            found = list(csv.reader(io.StringIO(data.decode(), newline="")))
            rows = len(found) - len(LAYOUTS[layout].headings(form))
        case "ndjson":
            rows = len([json.loads(line) for line in data.splitlines()])
        case _:
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
            rows = len(list(book["Contacts"].iter_rows(min_row=2)))
            book.close()
    assert rows == 1
    assert desk.near.encode() not in data


def test_a_layout_that_is_not_there(desk: Desk) -> None:
    assert desk.ask("nora", "GET", "/exports/contacts?layout=x")[0] == 400
    assert desk.ask("nora", "GET", "/exports/contacts?format=pdf")[0] == 400


@pytest.mark.parametrize("text", ["您" * 2_000, "😷" * 2_000, "é\r\n" * 1_000])
def test_a_note_of_2000_characters_in_any_script(desk: Desk, text: str) -> None:
    notes = f"/cases/{desk.case.case_id}/notes"
    status, note = desk.ask("mei", "POST", notes, {"text": text})
    assert (status, note["text"]) == (201, text.replace("\r\n", "\n"))
    assert desk.ask("mei", "POST", notes, {"text": text + "您"})[0] == 400


def test_half_a_character_is_refused(desk: Desk) -> None:
    notes = f"/cases/{desk.case.case_id}/notes"
    status, said = desk.ask("mei", "POST", notes, {"text": "half a surrogate pair: \ud83d"})
    assert (status, said["error"]["code"]) == (400, "invalid_request")


def test_a_stale_change_is_refused_and_a_blank_erases_nothing(desk: Desk) -> None:
    world = desk.world
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 3 * 3600, 90, rssi_dbm=-45), NOON)
    world.authority.finder.refresh(case, NOON)
    desk.ask("mei", "POST", f"/cases/{case.case_id}/assign", {"operator": "ravi"})
    (line,) = desk.ask("ravi", "GET", f"/followed?case_id={case.case_id}")[1]["contacts"]
    place = f"/followed/{line['contact_id']}"
    said = {"name": "Ann", "phone": "555", "version": line["version"]}
    assert desk.ask("ravi", "PUT", f"{place}/particulars", said)[0] == 200
    status, refused = desk.ask("ravi", "PUT", f"{place}/particulars", {**said, "name": "Bob"})
    assert (status, refused["error"]["code"]) == (409, "stale")
    assert f"has version {line['version'] + 1} now" in refused["error"]["message"]
    assert refused["error"]["version"] == line["version"] + 1
    for nothing in ({}, {"name": None}, {"name": "", "phone": " "}):
        assert desk.ask("ravi", "PUT", f"{place}/particulars", nothing)[0] == 200
    person = desk.ask("ravi", "POST", f"{place}/reveal", {"reason": "a test"})[1]
    assert (person["name"], person["phone"]) == ("Ann", "555")
    assert desk.ask("ravi", "PUT", f"{place}/particulars", {"clear": ["phone"]})[0] == 409
    clear = {"clear": ["phone"], "version": person["version"]}
    assert desk.ask("ravi", "PUT", f"{place}/particulars", clear)[0] == 200
    person = desk.ask("ravi", "POST", f"{place}/reveal", {"reason": "a test"})[1]
    assert (person["name"], person["phone"]) == ("Ann", "")
    for path, change in [
        (f"{place}/outcomes", {"outcome": "symptoms"}),
        (f"{place}/state", {"state": "reached"}),
        (f"{place}/merge", {"into": line["contact_id"]}),
        (f"{place}/convert", {}),
    ]:
        old = {**change, "version": line["version"]}
        assert desk.ask("ravi", "POST", path, old)[1]["error"]["code"] == "stale", path
    for path, change in [
        ("assign", {"operator": "siti"}),
        ("state", {"state": "closed"}),
        ("merge", {"into": desk.case.case_id}),
    ]:
        old = {**change, "version": 1}
        answer = desk.ask("mei", "POST", f"/cases/{case.case_id}/{path}", old)[1]
        assert answer["error"]["code"] == "stale", path
    assert desk.ask("mei", "POST", f"/cases/{case.case_id}/assign", {"operator": ""})[0] == 404


def test_a_merge_is_undone_over_http(desk: Desk) -> None:
    work = desk.world.authority.casework
    gone, stays = (work.open_case(desk.world.user(), NOON, by=CONSOLE).case_id for _ in range(2))
    plan = {"into": stays, "dry_run": True}
    status, said = desk.ask("mei", "POST", f"/cases/{gone}/merge", plan)
    assert (status, said["moved"], said["uploads"]) == (200, 0, 0)
    assert work.case(gone, by=CONSOLE).merged_into == ""
    assert desk.ask("mei", "POST", f"/cases/{gone}/merge", {"into": stays})[0] == 200
    asked = desk.ask("mei", "POST", f"/cases/{gone}/unmerge", {"dry_run": True})
    assert asked[0] == 200
    assert work.case(gone, by=CONSOLE).merged_into == stays
    assert desk.ask("mei", "POST", f"/cases/{gone}/unmerge", {}) == asked
    assert work.case(gone, by=CONSOLE).merged_into == ""
    assert desk.ask("mei", "POST", f"/cases/{gone}/unmerge", {})[0] == 404
    assert desk.ask("ravi", "POST", "/followed/NONE/unmerge", {})[0] == 404
