"""What strangers and a locked database leave to others: pages and routes that only read answer."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from starlette.requests import Request
from starlette.responses import Response

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tests.http_site import eventually
from tests.pages_world import Clock, Pages, serving
from tracetogether.adapters import http_api, operator_pages
from tracetogether.adapters.operator_pages.page_request import PASSWORDS_AT_ONCE, PASSWORDS_WAITING
from tracetogether.adapters.sql_store import transactions
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.access.sign_in import form_token
from tracetogether.authority.access.sources import TrustedProxies

pytestmark = pytest.mark.network
PATIENCE = urllib3.Timeout(20)


class Held:
    """A hash that takes until the test lets it go, and counts who is in it."""

    cost = "held 1 1 1"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.inside = self.most = self.done = 0

    def __call__(self, password: str, salt: bytes, cost: str) -> bytes:
        del password, salt, cost
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(60)
        with self.lock:
            self.inside -= 1
            self.done += 1
        return bytes(32)


@pytest.mark.slow
def test_a_flood_of_sign_ins_waits_in_a_queue_of_its_own() -> None:
    world, held, clock = World.of(counted_entropy(3)), Held(), Clock()
    world.authority.purge(NOON, clock_is_right=True)  # else the clock is doubted: not ready
    app = http_api.create_app(world.authority, clock=clock)
    app.mount(
        operator_pages.BASE,
        operator_pages.create_pages(world.authority, name="A", clock=clock, hashing=held),
    )
    fits = PASSWORDS_AT_ONCE + PASSWORDS_WAITING
    headers = {
        "Cookie": "__Host-desk=stranger",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    fields = {"name": "amira", "password": "x", "code": "", "form_token": form_token("stranger")}
    form = urlencode(fields)
    with (
        http_api.running(app) as url,
        urllib3.PoolManager(maxsize=200, retries=False, timeout=PATIENCE) as http,
        ThreadPoolExecutor(200) as flood,
    ):

        def try_it(_: int) -> tuple[int, str]:
            place = f"{url}/desk/sign-in"
            answer = http.request("POST", place, body=form, headers=headers, timeout=90)
            return answer.status, answer.headers.get("retry-after", "")

        try:
            tries = [flood.submit(try_it, number) for number in range(fits + 20)]
            assert eventually(lambda: sum(attempt.done() for attempt in tries) >= 20)
            turned_away = [attempt.result() for attempt in tries if attempt.done()]
            assert Counter(turned_away) == {(429, "10"): 20}
            for page in ("/v1/health", "/v1/ready", "/desk/sign-in", "/desk/static/desk.css"):
                assert http.request("GET", url + page).status == 200
            assert (held.inside, held.done) == (PASSWORDS_AT_ONCE, 0)
        finally:
            held.go.set()
        assert {attempt.result()[0] for attempt in tries} <= {403, 429}
    assert held.most == PASSWORDS_AT_ONCE


@pytest.mark.parametrize(("proxies", "client"), [([], "127.0.0.1"), (["127.0.0.0/8"], "192.0.2.9")])
def test_the_address_behind_a_proxy_is_believed_from_named_ones_alone(
    proxies: list[str], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # which uvicorn would believe
    seen: list[str] = []

    async def look(request: Request) -> Response:
        seen.append(request.client.host if request.client else "")
        return Response()

    world = World.of(counted_entropy(5))
    app = http_api.create_app(world.authority, proxies=TrustedProxies.of(proxies))
    app.add_route("/look", look)
    with http_api.running(app) as url, urllib3.PoolManager(retries=False) as http:
        for value in ("192.0.2.9", "1.1.1.1, 192.0.2.9", "1.1.1.1, x,192.0.2.9"):
            http.request("GET", f"{url}/look", headers={"X-Forwarded-For": value})
    assert seen == [client] * 3


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the only write lock of an SQLite file, as another program can."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    with fresh_store(tmp_path / "authority.db") as store:
        world = World.of(counted_entropy(4), store=store)
        with serving(world) as served:
            served.operator("all", *ALL_ROLES)
            yield served


@pytest.mark.slow
def test_a_locked_database_stops_no_page_and_no_route_that_only_reads(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_STUCK_S", 0.2)  # private: the test does not wait 2 s
    visitor = pages.visitor("all")
    pages.clock.now += 61  # seen again after a minute, which is written down if it can be
    case = pages.world.authority.casework.open_case(pages.world.user(), NOON, by=CONSOLE)
    bearer = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    writers = 60
    with (
        urllib3.PoolManager(maxsize=200, retries=False, timeout=PATIENCE) as http,
        ThreadPoolExecutor(writers) as others,
    ):

        def register(_: int) -> tuple[int, str]:
            answer = http.request("POST", f"{pages.url}/v1/users", timeout=90)
            return answer.status, answer.headers.get("retry-after", "")

        with locked(tmp_path / "authority.db"):
            tries = [others.submit(register, number) for number in range(writers)]
            refused = writers - transactions.WAITING_WRITERS - 1
            assert eventually(lambda: sum(attempt.done() for attempt in tries) >= refused)
            assert {attempt.result() for attempt in tries if attempt.done()} == {(503, "1")}
            for page in ("/", "/cases", "/follow-up", "/audit", "/keys", "/exports"):
                assert visitor.get(page)[0] == 200, page
            for route in ("health", "ready", "cases", "followed", "statistics", "audit", "keys"):
                answer = http.request("GET", f"{pages.url}/v1/{route}", headers=bearer)
                assert answer.status == 200, route
            still = sum(not attempt.done() for attempt in tries)
            assert still == transactions.WAITING_WRITERS + 1
        assert {attempt.result()[0] for attempt in tries} == {201, 503}
    assert pages.world.authority.casework.case(case.case_id, by=CONSOLE) == case
