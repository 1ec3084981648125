"""Every HTTP route and every page of the real app, for every role: as permissions.md documents."""

import json
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.adapters import http_api, operator_pages
from tracetogether.adapters.http_api import guard
from tracetogether.adapters.operator_pages import roles
from tracetogether.authority.access import permissions
from tracetogether.authority.access.permissions import CONSOLE, PERMISSIONS, Action, Role
from tracetogether.authority.cases.followed import ContactQuery

pytestmark = pytest.mark.network
REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"
PAGE = REFERENCE / "permissions.md"
ROLES = [role.value for role in Role]
FOR_PHONES = {
    ("DELETE", "/v1/users/me"),
    ("POST", "/v1/tempids"),
    ("POST", "/v1/upload-tokens"),
    ("POST", "/v1/uploads"),
    ("POST", "/v1/passes"),
    ("GET", "/v1/status"),
    ("POST", "/v1/declarations"),
    ("POST", "/v1/charges"),
    ("GET", "/v1/charges"),
    ("DELETE", "/v1/charges/{charge_id}"),
    ("POST", "/v1/appeals"),
    ("POST", "/v1/visits"),
}
FOR_ANYBODY = {
    ("GET", "/openapi.json"),
    ("GET", "/v1/health"),
    ("GET", "/v1/ready"),
    ("POST", "/v1/users"),
    ("GET", "/v1/trust"),
    ("GET", "/v1/revocations"),
    ("POST", "/v1/partners/{organisation}/records"),  # the partner's signature is checked instead
    ("GET", "/v1/figures/restrictions"),
    ("GET", "/v1/warnings"),
    ("GET", "/v1/warnings/{hour}"),
    ("GET", "/v1/warnings/{hour}/bundle"),
    ("GET", "/v1/trips/{date}"),
    ("GET", "/open/figures.csv"),
    ("GET", "/open/datapackage.json"),
    ("GET", "/desk/wall/enter"),
    ("POST", "/desk/wall/enter"),
    ("GET", "/desk/static/wall.css"),
    ("GET", "/desk/sign-in"),
    ("POST", "/desk/sign-in"),
    ("POST", "/desk/language"),
    ("GET", "/desk/static/desk.css"),
    ("GET", "/desk/static/mark.svg"),
}
WHILE_ENROLLING = {("GET", "/desk/enrol"), ("POST", "/desk/enrol")}
NOT_FOUND_PAGE = "/desk/{path:path}"
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/cases": {"user_id": "x"},
    "POST /v1/charges/{charge_id}/end": {"reason": "x"},
    "POST /v1/cases/{case_id}/reveal": {"pseudonym": "x", "reason": "y"},
    "POST /v1/cases/{case_id}/person/reveal": {"reason": "y"},
    "PUT /v1/cases/{case_id}/particulars": {"name": "x", "phone": ""},
    "PUT /v1/bulletin": {"text": "x", "until": NOON + 86_400},
    "POST /v1/operators": {"name": "operator", "roles": ["admin"]},
    "PUT /v1/operators/{name}/roles": {"roles": ["admin"]},
    "POST /v1/team/hand-over": {"cases": [{"case_id": "NONE"}], "operators": ["x"]},
    "POST /v1/places": {"name": "x"},
    "POST /v1/places/{place_id}/warn": {"since": 0, "until": 1, "reason": "x"},
    "POST /v1/cases/{case_id}/assign": {"operator": ""},
    "POST /v1/cases/{case_id}/state": {"state": "closed"},
    "POST /v1/cases/{case_id}/merge": {"into": "y"},
    "POST /v1/cases/{case_id}/unmerge": {},
    "POST /v1/followed/{contact_id}/unmerge": {},
    "POST /v1/cases/{case_id}/notes": {"text": "x"},
    "POST /v1/followed/{contact_id}/reveal": {"reason": "y"},
    "PUT /v1/followed/{contact_id}/particulars": {"name": "x", "phone": ""},
    "POST /v1/followed/{contact_id}/state": {"state": "reached"},
    "POST /v1/followed/{contact_id}/outcomes": {"outcome": "symptoms"},
    "POST /v1/followed/{contact_id}/merge": {"into": "y"},
    "POST /v1/people/find": {"text": "12345678"},
    "POST /v1/shift": {"reason": "daily_calls"},
    "POST /v1/calls/{contact_id}/save": {"outcome": "symptoms"},
    "POST /v1/followed/{contact_id}/convert": {},
    "POST /v1/orders": {
        "kind": "border",
        "legal_basis": "x",
        "place": "y",
        "window_from": 0,
        "window_to": 1,
        "ends_at": NOON + 86_400,
        "most_people": 1,
    },
    "POST /v1/restrictions": {
        "user_id": "x",
        "ground": "case",
        "reference": "y",
        "evidence": "diagnosis",
        "until": NOON + 86_400,
    },
    "POST /v1/test-results": {
        "user_id": "x",
        "negative": True,
        "date": "2020-05-04",
        "laboratory": "y",
    },
    "POST /v1/appeals/{appeal_id}/decide": {"outcome": "upheld"},
    "POST /v1/reports/visits/{visit_id}/confirm": {"reason": "x"},
    "POST /v1/reports/visits/{visit_id}/refuse": {"reason": "x"},
    "POST /v1/reports/trips/{trip_id}/confirm": {
        "aboard": 80,
        "row": 12,
        "rows": 18,
        "reason": "x",
    },
    "POST /v1/reports/trips/{trip_id}/refuse": {"reason": "x"},
    "POST /v1/policies/least-chance": {"least_chance": 0.3},
}
FORMS = {
    "/cases": {"user_id": "x"},
    "/cases/{case_id}/pin": {"lifetime": "short"},
    "/cases/{case_id}/state": {"state": "closed"},
    "/cases/{case_id}/notes": {"text": "x"},
    "/cases/{case_id}/merge": {"into": "y"},
    "/cases/{case_id}/describe": {"name": "x"},
    "/cases/{case_id}/reveal": {"reason": "x"},
    "/contacts/{contact_id}/outcome": {"day": "18386", "outcome": "symptoms"},
    "/contacts/{contact_id}/notes": {"text": "x"},
    "/contacts/{contact_id}/describe": {"name": "x"},
    "/contacts/{contact_id}/reveal": {"reason": "x"},
    "/contacts/{contact_id}/merge": {"into": "y"},
    "/exports": {"layout": "contacts", "form": "csv"},
}


def documented() -> dict[str, set[str]]:
    """Return of each route and page, as "GET /v1/cases", which roles permissions.md names."""
    found: dict[str, set[str]] = {}
    table = PAGE.read_text("utf-8").partition("## By action")[2].partition("\n## ")[0]
    for line in table.splitlines()[4:]:
        _, _, allowed, routes, pages, _, _ = (cell.strip() for cell in line.split("|"))
        for place in re.findall(r"`([^`]+)`", routes):
            found[place] = set(allowed.split(", "))
        for place in re.findall(r"`([^`]+)`", pages):
            method, path = place.split()
            found[f"{method} /desk{path}"] = set(allowed.split(", "))
    return found


DOCUMENTED = documented()
ROUTES = sorted(place for place in DOCUMENTED if "/desk" not in place)
PAGES = sorted(place for place in DOCUMENTED if "/desk" in place)


def served(routes: list[BaseRoute], base: str = "") -> Iterator[tuple[str, str]]:
    """Return method and path of everything that an app answers, documented or not."""
    for route in routes:
        if isinstance(route, Mount):
            yield from served(route.routes, base + route.path)
        elif hasattr(route, "original_router"):  # how FastAPI keeps an included router
            yield from served(route.original_router.routes, base)
        else:
            assert isinstance(route, Route), route
            for method in route.methods - {"HEAD"}:
                yield method, base + route.path


@dataclass
class Everybody:
    """The real app, with one operator of each role, and one of none."""

    pages: Pages
    visitors: dict[str, Visitor]
    http: urllib3.PoolManager
    ids: dict[str, str] = field(default_factory=dict)

    def call(self, place: str, who: str, **ids: str) -> tuple[int, str]:
        """Call a route with the token of ``who``."""
        method, path = place.split()
        body = BODIES.get(place, None if method == "GET" else {})
        answer = self.http.request(
            method,
            self.pages.url + path.format(**(self.nothing | ids)),
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer token-of-{who}", "Content-Type": "application/json"},
            retries=False,
        )
        return answer.status, answer.data.decode("utf-8", "replace")

    def visit(self, place: str, who: str, **ids: str) -> tuple[int, str]:
        """Open a page, or send its form, as ``who``."""
        method, path = place.replace("/desk", "", 1).split()
        visitor = self.visitors[who]
        address = path.format(**(self.nothing | ids))
        if method == "GET":
            return visitor.get(address)
        visitor.get("/sign-in" if who == "stranger" else "/")
        return visitor.post(address, **FORMS.get(path, {}))

    @property
    def nothing(self) -> dict[str, str]:
        """Ids that nothing has: what is allowed changes nothing, and is answered 404."""
        kinds = (
            "case",
            "contact",
            "order",
            "restriction",
            "appeal",
            "charge",
            "place",
            "visit",
            "trip",
        )
        return {"name": "nobody"} | {f"{kind}_id": "NONE" for kind in kinds}


@pytest.fixture(scope="module")
def everybody() -> Iterator[Everybody]:
    world = World.of(counted_entropy(211))
    with serving(world) as site, urllib3.PoolManager() as http:
        for role in Role:
            site.operator(role.value, role)
        site.operator("no-role")
        site.operator("assigned", Role.TRACER)
        visitors = {name: site.visitor(name) for name in (*ROLES, "no-role", "assigned")}
        visitors["stranger"] = site.visitor()
        near, person = world.user(), world.user()
        case = world.authority.casework.open_case(person, NOON, by=CONSOLE)
        world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
        world.authority.finder.refresh(case, NOON)
        world.authority.casework.assign(case.case_id, "assigned", NOON, by=CONSOLE)
        (contact,) = world.authority.desk.page(ContactQuery(), by=CONSOLE).contacts
        ids = {"case_id": case.case_id, "contact_id": contact.kept.contact_id}
        yield Everybody(site, visitors, http, ids)


def app_of(world: World) -> FastAPI:
    app = http_api.create_app(world.authority, clock=lambda: NOON)
    app.mount(
        operator_pages.BASE,
        operator_pages.create_pages(world.authority, name="SG_MOH", clock=lambda: NOON),
    )
    return app


def undocumented(app: FastAPI) -> set[tuple[str, str]]:
    """Return what an app answers and permissions.md does not name, but for the known rest."""
    table = {(place.split()[0], place.split()[1]) for place in DOCUMENTED}
    everything = {route for route in served(app.routes) if route[1] != NOT_FOUND_PAGE}
    forms = {path for method, path in table | WHILE_ENROLLING if method == "POST"}
    way_back = {("GET", path) for path in forms} | {("GET", "/desk/language")}
    return everything - table - FOR_PHONES - FOR_ANYBODY - WHILE_ENROLLING - way_back


def test_every_route_and_page_is_documented_with_its_roles() -> None:
    app = app_of(World.of(counted_entropy(212)))
    assert undocumented(app) == set()
    assert {(place.split()[0], place.split()[1]) for place in DOCUMENTED} <= set(served(app.routes))
    app.add_api_route("/v1/backdoor", lambda: None)
    assert undocumented(app) == {("GET", "/v1/backdoor")}


def test_the_documented_table_is_the_one_that_is_asked() -> None:
    written = runpy.run_path(str(REFERENCE / "write_permissions.py"))["page"]()
    assert PAGE.read_text("utf-8") == written, "run `python docs/reference/write_permissions.py`"
    assert set(PERMISSIONS) == set(Action)
    assert all(PERMISSIONS.values())


@pytest.mark.parametrize("place", ROUTES)
def test_threat_missing_role_is_denied_on_every_route(everybody: Everybody, place: str) -> None:
    for who in (*ROLES, "no-role"):
        status, answer = everybody.call(place, who)
        if who in DOCUMENTED[place]:
            assert status in {200, 201, 404, 409}, (who, answer)
        else:
            assert (status, json.loads(answer)["error"]["code"]) == (403, "denied"), who
    assert everybody.call(place, "stranger")[0] == 401


@pytest.mark.parametrize("place", [place for place in PAGES if not place.endswith("/sign-out")])
def test_threat_missing_role_is_denied_on_every_page(everybody: Everybody, place: str) -> None:
    for who in (*ROLES, "no-role"):
        status, _ = everybody.visit(place, who)
        newest, _ = everybody.pages.world.store.last_audit()
        (entry,) = everybody.pages.world.authority.audit.entries(newest - 1, by=CONSOLE)
        if who in DOCUMENTED[place]:
            assert status in {200, 303, 400, 404, 409}, (who, everybody.visitors[who].text())
        else:
            assert status == 403, who
            assert "Your roles don’t allow this" in everybody.visitors[who].text()
            page = {"page": place.replace("/desk", "", 1)}
            assert (entry.act, entry.by, entry.details) == ("page.refused", who, page)
    status, _ = everybody.visit(place, "stranger")
    assert status == (303 if place.startswith("GET") else 401)


@pytest.mark.parametrize("place", [place for place in (*ROUTES, *PAGES) if "_id}" in place])
def test_threat_need_to_know_answers_another_tracers_case_like_a_missing_one(
    everybody: Everybody, place: str
) -> None:
    ask = everybody.visit if "/desk" in place else everybody.call
    if "tracer" not in DOCUMENTED[place]:
        assert ask(place, "tracer", **everybody.ids)[0] == 403
        return
    there, answer = ask(place, "tracer", **everybody.ids)
    nowhere, _ = ask(place, "tracer")
    assert (there, nowhere) == (404, 404), answer
    if place.startswith("GET"):
        assert ask(place, "assigned", **everybody.ids)[0] == 200


@pytest.mark.parametrize("place", ["GET /v1/cases", "POST /desk/cases/{case_id}/merge"])
def test_the_comparison_fails_when_one_entry_is_changed(
    everybody: Everybody, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, path = place.split()
    table = roles.ACTIONS if "/desk" in path else guard.ACTIONS
    action = table[method, path.replace("/desk", "", 1)]
    changed = {**PERMISSIONS, action: frozenset({Role.KEYHOLDER})}
    monkeypatch.setattr(permissions, "PERMISSIONS", changed)
    check = (
        test_threat_missing_role_is_denied_on_every_page
        if "/desk" in path
        else test_threat_missing_role_is_denied_on_every_route
    )
    with pytest.raises(AssertionError):
        check(everybody, place)


def test_threat_missing_role_denies_what_has_no_entry(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ACTIONS", {})
    monkeypatch.setattr("tracetogether.adapters.operator_pages.page_request.ACTIONS", {})
    assert everybody.call("GET /v1/cases", "issuer")[0] == 403
    assert everybody.visit("GET /desk/cases", "issuer")[0] == 403
    monkeypatch.undo()
    assert everybody.call("GET /v1/cases", "issuer")[0] == 200


def test_the_openapi_document_and_http_md_name_the_roles_of_the_table(everybody: Everybody) -> None:
    names = re.compile(rf"\b({'|'.join(ROLES)})\b")
    app = app_of(everybody.pages.world)
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            said = re.search(r"Roles?:(.*?)(\.|$)", operation["description"], re.DOTALL)
            named = set(names.findall(said[1])) if said else set()
            assert named == DOCUMENTED.get(place, set()), place
    for line in (REFERENCE / "http.md").read_text("utf-8").splitlines():
        cells = line.split("|")
        place = cells[1].strip().strip("`") if len(cells) > 3 else ""
        if place in DOCUMENTED:
            assert set(names.findall(cells[2])) == DOCUMENTED[place], place


def test_keyholders_and_issuers_see_no_counts_that_http_denies_them(everybody: Everybody) -> None:
    for who, path in (("keyholder", "/keys"), ("admin", "/"), ("issuer", "/")):
        visitor = everybody.visitors[who]
        assert visitor.get(path)[0] == 200
        assert "ploaded logs" not in visitor.text(), who
    visitor = everybody.visitors["auditor"]
    visitor.get("/")
    assert "Uploaded logs" in visitor.text()
