"""What a server says of itself: ready or not, and one line in its log for every fault."""

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store, inside
from tests.http_site import Site
from tests.integration.test_serving import certificate
from tests.pages_world import Clock, serving
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api import readiness
from tracetogether.adapters.sql_store import SqlStore, databases
from tracetogether.authority.access.permissions import ALL_ROLES
from tracetogether.authority.access.sources import TrustedProxies
from tracetogether.errors import StoreError
from tracetogether.reasons_of_faults import reason_of

pytestmark = pytest.mark.network
SECRET = "canary-of-a-secret"


@pytest.fixture
def ready(site: Site) -> Site:
    site.world.authority.purge(NOON, clock_is_right=True)
    assert site.send("GET", "/v1/ready") == (
        200,
        {
            "ready": True,
            "purge_overdue": False,
            "clock_suspect": False,
            "keys_foreign": False,
            "store_broken": False,
        },
    )
    return site


def not_ready(site: Site) -> dict[str, bool]:
    status, said = site.send("GET", "/v1/ready")
    assert (status, said["ready"]) == (503, False)
    return dict(said)


def test_not_ready_on_a_full_disk(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # A private limit: no test fills the disk.
    monkeypatch.setattr(databases, "_LEAST_ROOM_BYTES", shutil.disk_usage("/").total * 10)
    assert not_ready(ready)["store_broken"]


def test_not_ready_where_nothing_can_be_written(
    ready: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "_WRITE_EVERY_S", 0.0)
    store = ready.world.store
    assert isinstance(store, SqlStore)
    with inside(store).transactions.writing(wait=False) as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")  # as a read-only file system
    assert not_ready(ready)["store_broken"]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.startswith("GET /v1/ready answered 503: not ready: ")
    assert "can't be written" in line


def test_a_locked_database_is_ready(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_WRITE_EVERY_S", 0.0)
    assert isinstance(ready.world.store, SqlStore)
    other = sqlite3.connect(inside(ready.world.store).database.place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert ready.send("GET", "/v1/ready")[0] == 200
    other.execute("ROLLBACK")
    other.close()


def test_probes_write_once_in_a_while(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[bool] = Counter()
    real = SqlStore.probe

    def counted(store: SqlStore, *, write: bool) -> None:
        asked[write] += 1
        real(store, write=write)

    monkeypatch.setattr(SqlStore, "probe", counted)
    for _ in range(30):
        assert ready.send("GET", "/v1/ready")[0] == 200
    assert asked[False] >= 29
    assert asked[True] <= 1


@contextmanager
def postgres_of_its_own(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a PostgreSQL server of one test, that it may stop."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs PostgreSQL's programs, and to be root to run them as another user")
    folder.chmod(0o777)
    for parent in folder.parents[:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    asuser = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data = folder / "data"
    subprocess.run(
        [*asuser, found[-1] / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N"],
        check=True,
        capture_output=True,
    )
    words = [found[-1] / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    with subprocess.Popen([*asuser, *words], stderr=subprocess.DEVNULL) as server:
        try:
            while not (folder / ".s.PGSQL.5432").exists():
                assert server.poll() is None
                time.sleep(0.05)
            yield f"postgresql:///postgres?host={folder}&user=postgres", server
        finally:
            server.send_signal(signal.SIGINT)


@pytest.mark.slow
def test_not_ready_while_the_database_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    folder.mkdir()
    with postgres_of_its_own(folder) as (url, server):
        deadline = time.monotonic() + 30
        while True:  # it takes connections a moment after its socket is there
            try:
                store = SqlStore.create(url, name="SG_MOH")
                break
            except StoreError:
                assert time.monotonic() < deadline
        with store:
            world = World.of(counted_entropy(3), store=store)
            world.authority.purge(NOON, clock_is_right=True)
            app = http_api.create_app(world.authority, clock=lambda: NOON)
            with http_api.running(app) as place, urllib3.PoolManager(retries=False) as http:
                assert http.request("GET", f"{place}/v1/ready").status == 200
                server.send_signal(signal.SIGINT)
                server.wait(60)
                answer = http.request("GET", f"{place}/v1/ready")
                assert (answer.status, answer.json()["store_broken"]) == (503, True)
                assert http.request("GET", f"{place}/v1/health").status == 503


@pytest.mark.slow
@pytest.mark.parametrize("error", [StoreError("desk.db can't be read (x)"), ValueError(SECRET)])
@pytest.mark.parametrize("kind", ["route", "page", "guard"])
def test_every_fault_leaves_one_line_with_its_reason(
    error: Exception,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object, **__: object) -> object:
        raise error

    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(4), store=store)
        with serving(world, Clock()) as pages, urllib3.PoolManager(retries=False) as http:
            pages.operator("all", *ALL_ROLES)
            visitor = pages.visitor("all")
            monkeypatch.setattr(SqlStore, "user_of" if kind == "guard" else "case", fails)
            caplog.clear()
            if kind == "page":
                status = visitor.get(f"/cases/{SECRET}")[0]
            else:
                path = "tempids" if kind == "guard" else f"cases/{SECRET}/pin"
                bearer = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
                status = http.request("POST", f"{pages.url}/v1/{path}", headers=bearer).status
    assert status == (503 if isinstance(error, StoreError) else 500)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    line = record.getMessage()
    assert record.exc_info is None
    assert f"answered {status}: " in line
    assert "\n" not in line
    assert SECRET not in line
    if isinstance(error, StoreError):
        assert line.endswith(reason_of(error))
    else:
        assert "ValueError at test_readiness.py:" in line


def test_https_is_asked_for_from_then_on(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    world = World.of(counted_entropy(5))
    proxies = TrustedProxies.of(["127.0.0.1"])
    with (
        http_api.running(http_api.create_app(world.authority), tls_cert=cert, tls_key=key) as url,
        urllib3.PoolManager(ca_certs=str(cert), retries=False) as http,
    ):
        answer = http.request("GET", f"{url}/v1/health", headers={"Connection": "close"})
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    for trusted, said in ((proxies, True), (None, False)):
        app = http_api.create_app(world.authority, proxies=trusted)
        with http_api.running(app) as url, urllib3.PoolManager(retries=False) as http:
            for proto in ("https", "http", "https, http", ""):
                headers = {"X-Forwarded-Proto": proto}
                answer = http.request("GET", f"{url}/v1/health", headers=headers)
                logged = "strict-transport-security" in answer.headers
                assert logged == (said and proto == "https")
