"""Text of other people over HTTP: NUL in every field, and evil text on every page."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import urllib3

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy, empty_schema
from tests.pages_world import PASSWORD, Pages, serving
from tests.test_plain_text import EVIL, steers
from tracetogether.adapters.operator_pages.app import ALL_PAGES
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.followed import ContactQuery

pytestmark = pytest.mark.network

NUL = "a\0b"
SOURCES = Path(__file__).parents[2] / "tracetogether/adapters/operator_pages"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def pages(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pages]:
    """An authority with one case, one contact of it, and an operator of every role."""
    with ExitStack() as stack:
        place: str | Path = tmp_path_factory.mktemp("text") / "a.db"
        if request.param == "postgres":
            place = stack.enter_context(empty_schema())
        store = stack.enter_context(SqlStore.create(place, name="SG_MOH"))
        world = World.of(counted_entropy(0), store=store)
        first, second = world.user(), world.user()
        case = world.authority.casework.open_case(first, NOON, by=CONSOLE)
        world.take(case, world.heard(second, NOON - 3_600, 40), NOON)
        world.authority.finder.refresh(case, NOON)
        with serving(world) as running:
            running.operator("all", *ALL_ROLES)
            yield running


def bodies(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield bodies for an operation, each with NUL in another field."""
    content = operation.get("requestBody", {}).get("content", {})
    shape = content.get("application/json", {}).get("schema", {})
    if "$ref" not in shape:
        yield {}
        return
    fields = document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]["properties"]
    usual = {name: (field.get("examples") or ["x"])[0] for name, field in fields.items()}
    for name, value in usual.items():
        yield usual | {name: [NUL] if isinstance(value, list) else NUL}


def test_nul_in_any_field_of_the_api_is_a_clear_refusal(pages: Pages) -> None:
    http = urllib3.PoolManager()
    document = json.loads(http.request("GET", f"{pages.url}/openapi.json").data)
    phone = json.loads(http.request("POST", f"{pages.url}/v1/users").data)["credential"]
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            places = [re.sub(r"\{\w+\}", "a%00b", path)] if "{" in path else []
            query = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
            whole = re.sub(r"\{\w+\}", "MZXW6YTBOI", path)
            places += [f"{whole}?{name}=a%00b" for name in query]
            sent = [(place, {}) for place in places]
            sent += [(whole, body) for body in bodies(document, operation)]
            for place, body in sent:
                for bearer in (OPERATOR_TOKEN, phone):
                    answer = http.request(
                        method.upper(),
                        pages.url + place,
                        body=json.dumps(body),
                        headers={
                            "Authorization": f"Bearer {bearer}",
                            "Content-Type": "application/json",
                        },
                        retries=False,
                    )
                    assert answer.status < 500, (method, place, body, answer.data)
                    if "\\u0000" in json.dumps(body) and bearer == OPERATOR_TOKEN:
                        assert answer.status in {400, 401, 403, 422}, (method, place, body)
                    tried += 1
    assert tried > 100


def test_nul_in_any_field_of_a_page_is_a_clear_refusal(pages: Pages) -> None:
    sources = "".join(path.read_text("utf-8") for path in sorted(SOURCES.glob("*.py")))
    fields = set(re.findall(r'form(?:\.get\(|\[)"(\w+)"', sources)) | {"name", "reason", "text"}
    assert len(fields) > 12
    kept = pages.world.authority.desk.page(ContactQuery(limit=1), by=CONSOLE).contacts[0].kept
    known = {"case_id": kept.case_id, "contact_id": kept.contact_id}
    visitor = pages.visitor("all")
    visitor.get("/cases")
    token = visitor.form_token
    for page in ALL_PAGES:
        if page.path == "/sign-out" or "sign" in page.path:
            continue
        place = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "x"), page.path)
        if page.method == "GET":
            assert visitor.get(re.sub(r"\{\w+\}", "a%00b", page.path))[0] < 500, page.path
            assert visitor.get(f"{place}?q=a%00b&offset=%00&state=%00")[0] < 500, page.path
            continue
        for name in sorted(fields):
            status, _ = visitor.post(place, form_token=token, **{name: NUL})
            assert status == 400, (page.path, name)
    stranger = pages.visitor()
    for name, password, code in ((NUL, PASSWORD, "1"), ("all", NUL, "1"), ("all", PASSWORD, NUL)):
        assert stranger.sign_in(name, password, code)[0] == 400


@pytest.mark.parametrize("header", ["Authorization", "X-Credential", "Cookie", "Accept-Language"])
def test_nul_in_a_header_is_refused(pages: Pages, header: str) -> None:
    to = urlsplit(pages.url)
    for path in ("/v1/cases", "/v1/uploads", "/desk/cases"):
        with socket.create_connection((to.hostname, to.port), timeout=60) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\n{header}: Bearer a\0b\r\n\r\n"
            connection.sendall(request.encode())
            status = connection.recv(100).split(b" ", 2)[1]
        assert int(status) < 500, (header, path, status)


def test_evil_text_is_text_on_every_page(pages: Pages) -> None:
    service, now = pages.world.authority, pages.clock.now
    evil = EVIL.replace("\0", "") + "<script>alert(1)</script>"
    kept = service.desk.page(ContactQuery(limit=1), by=CONSOLE).contacts[0].kept
    service.audit.record(evil, now, by=evil, subject=evil, reason=evil)  # by an older version
    service.follow_up.note(kept.case_id, evil, now, contact_id=kept.contact_id, by=CONSOLE)
    service.follow_up.note(kept.case_id, evil, now, by=CONSOLE)
    visitor = pages.visitor("all")
    known = {"case_id": kept.case_id, "contact_id": kept.contact_id}
    seen = 0
    for page in ALL_PAGES:
        if page.method != "GET":
            continue
        place = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "x"), page.path)
        for query in ("", f"?q={quote(evil)}&state={quote(evil)}&next={quote(evil)}"):
            status, _ = visitor.get(place + query)
            assert status < 500
            seen += "[/x]" in visitor.body
            assert "<script" not in visitor.body
            steering = {c for c in visitor.body if steers(c) and c not in "\n\t"}
            assert steering == set(), (place, steering)
    assert seen >= 4
