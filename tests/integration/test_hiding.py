"""What somebody sees who watches the line: sizes. Rows 2, 15 and 16, between client and server."""

import asyncio
import gzip
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.http_site import Site
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api.padding import BUCKET_BYTES
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.packed_log import packed_log
from tracetogether.bluetrace.upload import write_upload
from tracetogether.errors import AccessDeniedError
from tracetogether.parameters import (
    MAX_UPLOAD_BYTES,
    PIN_ALERT_A_MINUTE,
    UPLOAD_BUCKETS,
    UPLOADS_AN_HOUR,
)

pytestmark = pytest.mark.network
EMPTY = b'{"records": []}'


class Line:
    """A loopback line to a server that counts what goes over it in either direction."""

    def __init__(self, url: str) -> None:
        self._server = (urlsplit(url).hostname, urlsplit(url).port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.up = self.down = 0
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Cut the line and wait until nothing moves on it any more."""
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._sockets:
            connection.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                phone, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [phone, server]
            for each, other, way in ((phone, server, "up"), (server, phone, "down")):
                self._start(self._copy, each, other, way)

    def _copy(self, source: socket.socket, target: socket.socket, way: str) -> None:
        while True:
            try:
                some = source.recv(65_536)
                setattr(self, way, getattr(self, way) + len(some))
                if not some:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(some)
            except OSError:
                return

    @contextmanager
    def seen(self) -> Iterator[dict[str, int]]:
        """Fill in how many bytes went each way while the body ran."""
        counted: dict[str, int] = {}
        up, down = self.up, self.down
        yield counted
        counted.update(up=self.up - up, down=self.down - down)


@pytest.fixture
def line(site: Site) -> Iterator[Line]:
    found = Line(site.url)
    yield found
    found.close()


def test_threat_watched_traffic_hides_right_wrong_and_pretended_pins(
    site: Site, line: Line
) -> None:
    sizes = []
    for right in (True, False, None):
        with AuthorityClient(line.url, retries=0) as phone:
            who = phone.register()
            pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
            token = ""
            with line.seen() as seen:
                if right is None:
                    token = phone._exchange(
                        {"pin": pin, "sha256": "0" * 64, "attempt": "a" * 32}, chaff=True
                    )
                elif right:
                    token = phone.redeem_pin(pin, EMPTY)
                else:
                    with pytest.raises(AccessDeniedError):
                        phone.redeem_pin(f"{(int(pin) + 1) % 10**8:08d}", EMPTY)
            sizes.append((seen["up"], seen["down"]))
        assert bool(token) == (right is not False)
    assert len(set(sizes)) == 1, sizes


def test_threat_watched_traffic_shows_uploads_in_a_few_sizes(site: Site, line: Line) -> None:
    near = site.world.user()
    seen_up, seen_down = [], set()
    for minutes in (1, 60, 400):
        with AuthorityClient(line.url, retries=0) as phone:
            who = phone.register()
            body = write_upload(site.world.heard(near, NOON - 86_400, minutes, every_s=5.0))
            pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
            token = phone.redeem_pin(pin, body)
            with line.seen() as seen:
                phone.upload(body, token)
        seen_up.append(seen["up"])
        seen_down.add(seen["down"])
    with AuthorityClient(line.url, retries=0) as phone:
        phone.register()
        before = line.up
        phone.pretend()
        assert line.up - before > UPLOAD_BUCKETS[0]
    # Headers are as long for all, but for Content-Length's own digits.
    headers = seen_up[0] - UPLOAD_BUCKETS[0] - len(str(UPLOAD_BUCKETS[0]))
    assert 300 < headers < 2_000
    assert set(seen_up) <= {headers + size + len(str(size)) for size in UPLOAD_BUCKETS}
    assert len(set(seen_up)) > 1  # the largest log does not fit into the smallest
    assert len(seen_down) == 1
    assert seen_down.pop() % BUCKET_BYTES < 200  # what servers add to every answer


def test_threat_watched_traffic_pretended_upload_leaves_only_its_count(site: Site) -> None:
    before = asdict(site.world.store.counts(NOON))
    with AuthorityClient(site.url, retries=0) as phone:
        phone.register()
        phone.pretend()
        phone.pretend(UPLOAD_BUCKETS[2])
    after = asdict(site.world.store.counts(NOON))
    assert after == {**before, "users": before["users"] + 1}


def chaff_token(phone: AuthorityClient, body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()
    asked = {"pin": "00000000", "sha256": digest, "attempt": "a" * 32}
    return phone._exchange(asked, chaff=True)


def test_threat_watched_traffic_pretended_log_is_accepted_once(site: Site) -> None:
    answers = []
    for pretended in (True, False):
        with AuthorityClient(site.url, retries=0) as phone:
            who = phone.register()
            pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
            token = chaff_token(phone, EMPTY) if pretended else phone.redeem_pin(pin, EMPTY)
            answers += [
                site.send("POST", "/v1/uploads", body, token, X_Credential=who.credential)
                for body in (b"another log", EMPTY, EMPTY, EMPTY)
            ]
    assert [status for status, _ in answers] == [400, 201, 409, 409] * 2
    codes = [answer.get("error", {}).get("code") for _, answer in answers]
    assert codes[:4] == codes[4:]


@pytest.mark.parametrize("pretended", [True, False])
def test_threat_watched_traffic_limits_the_uploads_of_a_phone_per_hour(
    site: Site, pretended: bool
) -> None:
    with AuthorityClient(site.url, retries=0) as phone:
        who = phone.register()
        pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
        token = chaff_token(phone, EMPTY) if pretended else phone.redeem_pin(pin, EMPTY)
        for _ in range(UPLOADS_AN_HOUR):
            answer = site.send("POST", "/v1/uploads", b"no", token, X_Credential=who.credential)
            assert answer[0] == 400
        if pretended:  # a new token does not help
            token = chaff_token(phone, EMPTY)
        status, answer = site.send("POST", "/v1/uploads", EMPTY, token, X_Credential=who.credential)
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        site.clock.now += 3_600
        answer = site.send("POST", "/v1/uploads", EMPTY, token, X_Credential=who.credential)
        assert answer[0] == 201
        site.clock.now -= 3_600


@pytest.mark.parametrize("size", [0, 1, 16_000, 16_385, 300_000])
def test_threat_watched_traffic_padded_log_unpacks_to_itself(size: int) -> None:
    body = counted_entropy(size)(size)  # does not get smaller by packing
    packed = packed_log(body)
    assert gzip.decompress(packed) == body
    assert len(packed) in UPLOAD_BUCKETS
    assert len(packed_log(body, at_least=2**20)) == 2**20
    assert packed_log(body) == packed


def test_a_log_that_is_too_large_is_not_filled_up() -> None:
    body = os.urandom(MAX_UPLOAD_BYTES)
    assert len(packed_log(body)) > MAX_UPLOAD_BYTES


def test_threat_pin_guessing_delays_the_same_network_and_serves_others() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    world = World.of(counted_entropy(5))
    app = http_api.create_app(world.authority, clock=lambda: NOON, pause=pause)
    with (
        http_api.running(app) as url,
        AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as operator,
        AuthorityClient(url, retries=0) as phone,
    ):
        who = phone.register()
        pin = operator.issue_pin(operator.open_case(who.user_id))
        for _ in range(PIN_ALERT_A_MINUTE + 2):
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(
                    world.user(), "00000000", bytes(32), NOON, address="127.0.0.1"
                )
        with AuthorityClient(url, retries=0) as guesser:
            guesser.register()
            with pytest.raises(AccessDeniedError):
                guesser.redeem_pin("00000000", EMPTY)
            guesser.pretend()
        assert phone.redeem_pin(pin, EMPTY)
        assert pauses == [2.0, 2.0, 2.0]
        phone.fetch_batch()
        assert len(pauses) == 3
    assert "pin.alert" in json.dumps(
        [entry.act for entry in world.authority.audit.entries(by=CONSOLE)]
    )


def test_threat_pin_guessing_pause_delays_no_other_request(site: Site) -> None:
    release = threading.Event()

    async def pause(_: float) -> None:
        await asyncio.wait_for(released(), 60)

    async def released() -> None:
        while not release.is_set():  # noqa: ASYNC110 - it is set by another thread
            await asyncio.sleep(0.01)

    app = http_api.create_app(site.world.authority, clock=lambda: NOON, pause=pause)
    with http_api.running(app) as url, AuthorityClient(url, retries=0) as other:
        other.register()
        done: list[bool] = []

        def guess() -> None:
            with AuthorityClient(url, retries=0) as guesser:
                guesser.register()
                with pytest.raises(AccessDeniedError):
                    guesser.redeem_pin("00000000", EMPTY)
                done.append(True)

        guessers = [threading.Thread(target=guess) for _ in range(48)]  # threads serve fewer
        for thread in guessers:
            thread.start()
        deadline = time.monotonic() + 60
        while site.world.store.counts(NOON).pin_failures < 48 and time.monotonic() < deadline:
            time.sleep(0.01)
        other.fetch_batch()
        assert not done
        release.set()
        for thread in guessers:
            thread.join()
    assert len(done) == 48
