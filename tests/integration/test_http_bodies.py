"""What is sent to the authority: bad bodies, sizes, encodings, bombs."""

import asyncio
import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Request

from tests.authority_world import NOON, OPERATOR_TOKEN
from tests.http_site import Site
from tests.leaping_loop import leap
from tracetogether.adapters.http_api.bodies import MAX_SMALL_BODY_BYTES, Bounds, Pace
from tracetogether.adapters.http_api.log_bodies import LogsComingIn, busy
from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bounded_pool import BoundedPool
from tracetogether.errors import AccessDeniedError
from tracetogether.parameters import MAX_UPLOAD_BYTES

pytestmark = pytest.mark.network


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"\xff\xfe",
    b"[" * 16_000,
    b"{}",
    b'{"pin": 7, "user_id": 7, "sha256": null}',
    b'{"pin": "canary12", "user_id": "canary", "sha256": "canary", "date": "canary"}',
    b'{"user_id": "\\ud800", "pin": "\\ud800", "sha256": "\\ud800"}',
    b'{"user_id": "\\u0000", "pin": "0000000\\n", "sha256": "0"}',
    b'{"user_id": "canary", "date": "2020-13-45"}',
    b'{"user_id": "canary", "date": 99999999999999999999}',
    b'{"user_id": "canary", "canary": 1}',
    b'{"pin": "00000000", "sha256": "' + b"0" * 64 + b'", "canary": "canary"}',
]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_bad_bodies_are_refused_clearly_and_not_echoed(site: Site, content_type: str) -> None:
    client, who = site.phone()
    client.close()
    for body in BAD_BODIES:
        for path, bearer in (("/v1/cases", OPERATOR_TOKEN), ("/v1/upload-tokens", who.credential)):
            status, answer = site.send("POST", path, body, bearer, Content_Type=content_type)
            assert status in {400, 404}, (body, answer)
            assert set(answer) == {"error"}
            assert set(answer["error"]) == {"code", "message", "retry"}
            assert answer["error"]["retry"] is False
            assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/cases", "/v1/cases/x/../..", "/%00", "/v1/users/x"]
)
def test_a_missing_address_has_an_error_of_the_same_form(site: Site, path: str) -> None:
    status, answer = site.send("GET", path)
    assert status in {404, 405}
    assert set(answer["error"]) == {"code", "message", "retry"}


def test_a_wrong_method_is_an_error(site: Site) -> None:
    assert site.send("PUT", "/v1/users")[0] == 405


def test_small_bodies_are_bounded(site: Site) -> None:
    at_limit = b'{"user_id": "%s"}' % (b"x" * (MAX_SMALL_BODY_BYTES - 15))
    assert len(at_limit) == MAX_SMALL_BODY_BYTES
    assert site.send("POST", "/v1/cases", at_limit, OPERATOR_TOKEN)[0] == 400
    status, answer = site.send("POST", "/v1/cases", at_limit + b" ", OPERATOR_TOKEN)
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_a_body_without_a_length_is_bounded_too(site: Site) -> None:
    chunks = (b" " * 1000 for _ in range(100))
    answer = site.http.request(
        "POST",
        site.url + "/v1/cases",
        body=chunks,
        headers={"Authorization": f"Bearer {OPERATOR_TOKEN}", "Content-Type": "application/json"},
        retries=False,
    )
    assert answer.status == 413
    assert json.loads(answer.data)["error"]["code"] == "too_large"


# --- uploads ---


def leave(site: Site, body: bytes) -> tuple[str, str]:
    """Return a token to upload ``body``, and the credential of the phone that it was given to."""
    client, who = site.phone()
    with client:
        pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
        return client.redeem_pin(pin, body), who.credential


def send_log(
    site: Site, log: bytes, shown: tuple[str | None, str], encoding: str = ""
) -> tuple[int, Any]:
    headers = {"Content_Encoding": encoding} if encoding else {}
    return site.send("POST", "/v1/uploads", log, shown[0], X_Credential=shown[1], **headers)


def test_a_log_comes_plain_or_gzipped(site: Site) -> None:
    body = b'{"records": []}'
    for sent, encoding in ((body, "identity"), (gzip.compress(body), "gzip"), (body, "")):
        status, answer = send_log(site, sent, leave(site, body), encoding)
        assert (status, answer["records"]) == (201, 0)


def test_damaged_or_foreign_encodings_are_refused(site: Site) -> None:
    body = b'{"records": []}'
    packed = gzip.compress(body)
    shown = leave(site, body)
    for sent, encoding, expected in (
        (body, "gzip", 400),
        (packed[:-1], "gzip", 400),
        (b"", "gzip", 400),
        (packed + b"more", "gzip", 400),
        (packed + packed, "gzip", 400),
        (packed, "identity", 400),
        (packed, "br", 415),
        (packed, "gzip, gzip", 415),
    ):
        status, answer = send_log(site, sent, shown, encoding)
        assert status == expected, answer
        assert answer["error"]["retry"] is False
    assert send_log(site, packed, shown, "gzip")[0] == 201


def test_threat_oversized_log_is_refused_from_one_byte_over_the_limit(site: Site) -> None:
    largest = b'{"records": []}'.ljust(MAX_UPLOAD_BYTES)
    for body, expected in ((largest, 201), (largest + b" ", 413)):
        packed = gzip.compress(body, 1)
        answers = [
            send_log(site, packed, leave(site, body), "gzip"),
            send_log(site, body, leave(site, body)),
        ]
        assert [status for status, _ in answers] == [expected, expected]


def test_threat_oversized_log_in_a_gzip_bomb_is_refused(site: Site) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(100_000_000)) + packer.flush()
    status, answer = send_log(site, bomb, leave(site, b""), "gzip")
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_threat_oversized_log_of_ten_gigabytes_takes_less_than_64_megabytes() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1_000_000)
    first, again = (packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + again * 9_999  # what follows a full flush stands for itself
    assert len(bomb) < MAX_UPLOAD_BYTES
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 65_536
        return {"type": "http.request", "body": bomb[sent - 65_536 : sent], "more_body": True}

    tracemalloc.start()
    try:
        with pytest.raises(RefusedError) as caught:
            asyncio.run(read(coming_in(), receive))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 64_000_000
    assert sent < 1_000_000  # the rest was not even read


def coming_in(**bounds: int) -> LogsComingIn:
    return LogsComingIn(BoundedPool("logs", workers=2, waiting=100, full=busy), **bounds)


async def read(
    logs: LogsComingIn,
    receive: Callable[[], Awaitable[dict[str, Any]]],
    sender: str = "a phone",
    encoding: bytes = b"gzip",
) -> bytes:
    headers = [(b"content-encoding", encoding)]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    async with logs.reading(request, sender) as log:
        return log.unpacked()


def pieces(*sent: bytes, then: "asyncio.Event | None" = None) -> Callable[[], Awaitable[Any]]:
    """Return an ASGI receive that gives these pieces; waits before the last if ``then`` is given"""
    left = list(sent)

    async def receive() -> dict[str, Any]:
        if len(left) == 1 and then is not None:
            await then.wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


def bomb_of(unpacked: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(bytes(unpacked)) + packer.flush()


@pytest.mark.slow
def test_sixty_half_sent_bombs_hold_what_was_sent_of_them() -> None:
    bomb = bomb_of(MAX_UPLOAD_BYTES)
    logs = coming_in()

    async def half_sent() -> int:
        never = asyncio.Event()
        readers = [
            asyncio.ensure_future(read(logs, pieces(bomb[:-10], bomb[-10:], then=never), f"{n}"))
            for n in range(60)
        ]
        await asyncio.sleep(0.05)
        held = logs.held
        never.set()
        assert [len(log) for log in await asyncio.gather(*readers)] == [MAX_UPLOAD_BYTES] * 60
        return held

    tracemalloc.start()
    try:
        held = asyncio.run(half_sent())
    finally:
        tracemalloc.stop()
    assert held == 60 * (len(bomb) - 10)
    assert logs.held == 0


def test_where_there_is_no_room_the_slowest_log_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracetogether.adapters.http_api.log_bodies._GRACE_S", -1.0)
    logs = coming_in(held_bytes=1_000)

    async def work() -> None:
        never = asyncio.Event()
        slow, slower = (
            asyncio.ensure_future(
                read(logs, pieces(bytes(n), b"", then=never), f"{n}", b"identity")
            )
            for n in (500, 400)
        )
        await asyncio.sleep(0.01)
        assert logs.held == 900
        assert await read(logs, pieces(bytes(300), b""), "quick", b"identity") == bytes(300)
        with pytest.raises(RefusedError) as caught:
            await slower
        assert (caught.value.status, caught.value.retry_after_s > 1) == (429, True)
        assert logs.held == 500
        never.set()
        assert await slow == bytes(500)
        with pytest.raises(RefusedError, match="try again"):  # nobody is left to give way
            await read(logs, pieces(bytes(1_001)), "too much", b"identity")
        assert logs.held == 0

    asyncio.run(work())


def test_one_phone_sends_one_log_at_a_time_and_the_newer_one_counts() -> None:
    logs = coming_in()

    async def work() -> None:
        never = asyncio.Event()
        lost = asyncio.ensure_future(read(logs, pieces(b"half", b"", then=never)))
        await asyncio.sleep(0.01)
        assert await read(logs, pieces(b"whole"), encoding=b"identity") == b"whole"
        with pytest.raises(RefusedError):
            await lost
        request = Request({"type": "http", "method": "POST", "headers": []}, pieces(b"x"))
        async with logs.reading(request, "a phone"):
            with pytest.raises(RefusedError) as caught:
                await read(logs, pieces(b"x"))
        assert caught.value.status == 429
        assert logs.held == 0

    asyncio.run(work())


def test_a_log_that_gives_way_in_the_middle_of_a_piece_is_no_longer_counted() -> None:
    logs = coming_in()

    async def work() -> None:
        async def greedy() -> dict[str, Any]:
            # A newer log of the same phone comes while this piece is under way.
            await read(logs, pieces(b"newer"), encoding=b"identity")
            return {"type": "http.request", "body": b"older", "more_body": True}

        with pytest.raises(RefusedError):
            await read(logs, greedy)
        assert logs.held == 0

    asyncio.run(work())


@pytest.mark.parametrize(
    ("pace", "rests_s"),
    [
        (Pace(grace_s=0.05), [0.03] * 9),  # 1 byte each 0.03 s
        (Pace(silence_s=0.02), [0, 0, 5]),
        (Pace(bytes_a_s=0.001, total_s=0.05), [0.02] * 9),
    ],
)
def test_a_slow_body_is_given_up(pace: Pace, rests_s: list[float]) -> None:
    """On a clock that leaps: no matter how busy the machine is."""
    rests = iter(rests_s)
    sent: list[dict[str, Any]] = []
    got: list[str] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(next(rests))
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            got.append(message["type"])

    scope = {"type": "http", "path": "/", "headers": []}

    async def work() -> None:
        await Bounds(app, {}, pace)(scope, receive, send)

    leap(work())
    assert sent[0]["status"] == 408
    assert len(got) < len(rests_s)


def test_a_sender_with_a_usual_pace_is_waited_for() -> None:
    rests = iter([9.0] + [10.0] * 20)

    async def receive() -> dict[str, Any]:
        rest = next(rests, None)
        await asyncio.sleep(rest or 0)
        return {"type": "http.request", "body": bytes(50_000), "more_body": rest is not None}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["more_body"]:
            assert message["type"] == "http.request"

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "path": "/log", "headers": []}
    leap(Bounds(app, {"/log": MAX_UPLOAD_BYTES})(scope, receive, send))


def test_beyond_a_short_queue_work_is_refused_at_once() -> None:
    pool = BoundedPool("few", workers=1, waiting=1, full=busy)
    go_on = threading.Event()

    async def work() -> None:
        under_way = [asyncio.ensure_future(pool.run(go_on.wait, 60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(RefusedError) as caught:
            await pool.run(len, "")
        assert (caught.value.status, caught.value.retry_after_s > 1) == (429, True)
        under_way[1].cancel()  # whose caller hangs up makes room
        await asyncio.wait(under_way[1:])
        following = asyncio.ensure_future(pool.run(len, "abc"))
        await asyncio.sleep(0)
        go_on.set()
        assert await following == 3

    asyncio.run(work())


def test_a_stranger_can_not_make_the_server_read_a_log(site: Site) -> None:
    for token in (None, "x" * 100):
        status, _ = site.send("POST", "/v1/uploads", bytes(3_000_000), token)
        assert status == 401


def test_threat_swapped_upload_from_another_phone_is_refused(site: Site) -> None:
    body = b'{"records": []}'
    (mine, credential), (_, other) = leave(site, body), leave(site, body)
    for wrong in (other, "", "x", credential[:-1]):
        status, answer = send_log(site, body, (mine, wrong))
        assert (status, answer["error"]["code"]) == (403, "denied")
    assert site.send("POST", "/v1/uploads", body, mine)[0] == 403
    assert send_log(site, bytes(3_000_000), (mine, other))[0] == 403  # before the log is read
    assert site.world.store.counts(NOON).uploads == 0
    with AuthorityClient(site.url, retries=0) as stranger:
        stranger.register()
        with pytest.raises(AccessDeniedError, match="another phone"):
            stranger.upload(body, mine)
    assert send_log(site, body, (mine, credential))[0] == 201
