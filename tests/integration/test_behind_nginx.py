"""The proxy's settings in docs/howto/run-in-production.md, run by nginx as they are written."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.authority_world import NOON
from tests.http_site import Site
from tests.integration.test_serving import certificate
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import MAX_UPLOAD_BYTES

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt install nginx-light"),
]
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "run-in-production.md"
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
{user}
events {{ worker_connections 512; }}
http {{
{paths}
{written}
}}
"""
PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return not connection.connect_ex(("127.0.0.1", port))


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[tuple[str, int, ssl.SSLContext]]:
    """Run nginx with the page's settings before ``upstream``; only ports and paths are others."""
    (written,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    cert, key = certificate(folder)
    port = free_port()
    for there, here in (
        ("server 127.0.0.1:8000;", f"server {urlsplit(upstream).netloc};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/certs/health.example.pem", str(cert)),
        ("/etc/ssl/private/health.example.key", str(key)),
    ):
        assert there in written
        written = written.replace(there, here)
    paths = "\n".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
    (folder / "nginx.conf").write_text(
        MAIN.format(
            folder=folder,
            paths=paths,
            written=written,
            user="user root;" if os.geteuid() == 0 else "",  # the folder is this user's alone
        )
    )
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen([*command, "-e", str(folder / "error.log")]) as process:
        try:
            deadline = time.monotonic() + 30
            while not answers(port):
                assert process.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield "127.0.0.1", port, ssl.create_default_context(cafile=str(cert))
        finally:
            process.terminate()


def test_phones_reach_the_authority_through_the_proxy(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nginx(tmp_path, site.url) as (host, port, context):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
        near = site.world.user()
        with AuthorityClient(f"https://{host}:{port}", retries=0) as phone:
            who = phone.register()
            assert len(phone.fetch_batch()) == 100
            body = write_upload(site.world.heard(near, NOON - 86_400, 60, every_s=1.0))
            pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
            assert phone.upload(body, phone.redeem_pin(pin, body))["accepted"] == 3_600
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=30)
        connection.putrequest("POST", "/v1/uploads")
        connection.putheader("Content-Length", str(MAX_UPLOAD_BYTES + 2**20))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


class _Upstream(BaseHTTPRequestHandler):
    """Writes down what the proxy says of the caller, and answers when it may."""

    said: list[str | None]
    release: threading.Event

    def do_GET(self) -> None:
        self.said.append(self.headers["X-Forwarded-For"])
        self.release.wait(60)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_the_proxy_limits_one_address_and_says_who_calls(tmp_path: Path) -> None:
    said: list[str | None] = []
    release = threading.Event()
    handler = type("Handler", (_Upstream,), {"said": said, "release": release})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as upstream, ThreadPoolExecutor(60) as pool:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        with nginx(tmp_path, f"http://127.0.0.1:{upstream.server_port}") as (host, port, context):

            def ask(_: int) -> int:
                connection = http.client.HTTPSConnection(host, port, context=context, timeout=60)
                connection.request("GET", "/", headers={"X-Forwarded-For": "203.0.113.7"})
                try:
                    return connection.getresponse().status
                finally:
                    connection.close()

            asked = [pool.submit(ask, number) for number in range(60)]
            deadline = time.monotonic() + 30
            while sum(request_.done() for request_ in asked) < 20 and time.monotonic() < deadline:
                time.sleep(0.01)
            release.set()
            statuses = [request_.result() for request_ in asked]
        upstream.shutdown()
    assert sorted(statuses) == [204] * 40 + [429] * 20
    assert set(said) == {"127.0.0.1"}  # not what the caller claims
    assert "limiting" in (tmp_path / "error.log").read_text()
