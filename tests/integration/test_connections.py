"""Strangers who connect and say nothing, too little, or too slowly; and what is logged of them."""

import errno
import http.client
import logging
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.authority_world import OPERATOR_TOKEN
from tests.http_site import Site
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api.connections import ConnectionLimits
from tracetogether.adapters.http_api.repeated_lines import once_a_minute

pytestmark = pytest.mark.network
PATIENT = ConnectionLimits(most=20, header_s=60, unread_s=60)
IMPATIENT = ConnectionLimits(header_s=0.2, unread_s=0.2)
REQUEST = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def served(site: Site, limits: ConnectionLimits) -> Iterator[tuple[str, int]]:
    app = http_api.create_app(site.world.authority, clock=site.clock)
    with http_api.running(app, limits=limits) as url:
        yield "127.0.0.1", int(urlsplit(url).port or 0)


def health(address: tuple[str, int]) -> int:
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request("GET", "/v1/health")
        return connection.getresponse().status
    finally:
        connection.close()


def open_still(connections: list[socket.socket]) -> int:
    """Return how many of them the server has not closed."""
    still = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            still += bool(connection.recv(1))
        except BlockingIOError:
            still += 1
        except ConnectionError:
            pass
    return still


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_silent_connections_give_way_to_those_who_ask(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with served(site, PATIENT) as address, ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(300)
        ]
        assert health(address) == 200
        until(lambda: open_still(silent) <= PATIENT.most)
        assert health(address) == 200
    logged = [record.getMessage() for record in caplog.records if "in use" in record.getMessage()]
    assert len(logged) <= 1


def test_those_who_are_served_do_not_give_way(site: Site) -> None:
    """A request under way is not cut off by newcomers; they are turned away instead."""
    with served(site, PATIENT) as address, ExitStack() as stack:
        head = (
            b"POST /v1/cases HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer %s\r\n\r\n"
        ) % OPERATOR_TOKEN.encode()
        at_work = []
        for _ in range(PATIENT.most):
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # the body is awaited
            at_work.append(connection)
        stranger = stack.enter_context(socket.create_connection(address, timeout=60))
        until(lambda: open_still([stranger]) == 0)
        assert open_still(at_work) == PATIENT.most


@pytest.mark.parametrize(
    "said",
    [
        [b""],
        [REQUEST],
        [b"G", b"E", b"T", b" ", *[b"/"] * 200],
        [REQUEST + b"\r\n"],  # served once, and then idle
        [REQUEST + b"\r\n", REQUEST],
        [b"POST /v1/cases HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n", *[b"x"] * 200],
    ],
    ids=["nothing", "half", "drop by drop", "idle", "half of a second", "on after a refusal"],
)
def test_a_client_that_keeps_a_connection_waiting_loses_it(site: Site, said: list[bytes]) -> None:
    with (
        served(site, IMPATIENT) as address,
        socket.create_connection(address, timeout=60) as connection,
    ):
        began = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012 - whichever call notices
            for piece in said:
                connection.sendall(piece)
                time.sleep(0.02)
            while connection.recv(65_536):
                pass
            raise ConnectionResetError
        assert time.monotonic() - began < 4.5  # uvicorn's own limit for an idle one is 5 s


def test_a_client_that_does_not_read_the_answers_loses_the_connection(site: Site) -> None:
    with served(site, IMPATIENT) as address, socket.socket() as connection:
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(address)
        with pytest.raises(ConnectionError):  # noqa: PT012 - a loop until it happens
            while True:
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
                time.sleep(0.001)
        assert health(address) == 200


def test_a_silent_tls_connection_is_closed_too(site: Site, tmp_path: Path) -> None:
    from tests.integration.test_serving import certificate

    cert, key = certificate(tmp_path)
    app = http_api.create_app(site.world.authority, clock=site.clock)
    with http_api.running(app, limits=IMPATIENT, tls_cert=cert, tls_key=key) as url:
        address = "127.0.0.1", int(urlsplit(url).port or 0)
        with socket.create_connection(address, timeout=60) as silent:
            assert silent.recv(1) == b""
        context = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection(*address, timeout=30, context=context)
        connection.request("GET", "/v1/health")
        with closing(connection):
            assert b"ok" in connection.getresponse().read()
            assert connection.sock.recv(1) == b""  # and once it is idle


def test_the_limit_leaves_descriptors_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, expected in ((1_024, 864), (8_192, 1_000), (64, 16), (-1, 1_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert ConnectionLimits().within_descriptors() == expected


def test_lines_that_strangers_cause_are_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    logger = once_a_minute(once_a_minute(logging.getLogger("test.repeated")))
    for _ in range(1_000):
        logger.warning("one of %d", 7)
        logger.error("socket.accept() out of system resource\nsocket: %s", now)
        now += 0.001
    logger.error("a fault")
    logger.error("a fault")
    now += 60
    logger.warning("one of %d", 7)
    assert [record.getMessage().partition("\n")[0] for record in caplog.records] == [
        "one of 7",
        "socket.accept() out of system resource",
        "a fault",
        "a fault",
        "one of 7 (999 more like it since the last such line)",
    ]


def test_nonsense_leaves_one_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with served(site, PATIENT) as address:
        for nonsense in (
            b"\x16\x03\x01\r\n\r\n",
            REQUEST + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n",
        ):
            for _ in range(20):
                with socket.create_connection(address, timeout=60) as connection:
                    connection.sendall(nonsense)
                    connection.recv(1)
    assert len(caplog.records) <= 3


def test_used_up_descriptors_are_logged_once_and_tried_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_api.listening("127.0.0.1", 0) as listener, monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", fails)
        with pytest.raises(OSError, match="Too many"):
            listener.accept()
        for _ in range(9):  # asyncio goes on asking
            with pytest.raises(BlockingIOError):
                listener.accept()


def fails(_: socket.socket) -> None:
    raise OSError(errno.EMFILE, "Too many open files")
