"""What is sent to the authority: bad bodies, sizes, encodings, bombs."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from fastapi import Request

from tests.authority_world import NOON, OPERATOR_TOKEN
from tests.http_site import Site
from tracetogether.adapters.http_api.bodies import MAX_SMALL_BODY_BYTES, read_log
from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.adapters.http_client import AuthorityClient
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
def test_what_is_not_there_is_told_in_the_same_form(site: Site, path: str) -> None:
    status, answer = site.send("GET", path)
    assert status in {404, 405}
    assert set(answer["error"]) == {"code", "message", "retry"}


def test_a_wrong_method_is_told(site: Site) -> None:
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


def test_row_10_a_log_of_the_largest_size_is_taken_and_one_byte_more_is_not(site: Site) -> None:
    largest = b'{"records": []}'.ljust(MAX_UPLOAD_BYTES)
    for body, expected in ((largest, 201), (largest + b" ", 413)):
        packed = gzip.compress(body, 1)
        answers = [
            send_log(site, packed, leave(site, body), "gzip"),
            send_log(site, body, leave(site, body)),
        ]
        assert [status for status, _ in answers] == [expected, expected]


def test_row_10_a_gzip_bomb_is_refused(site: Site) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(100_000_000)) + packer.flush()
    status, answer = send_log(site, bomb, leave(site, b""), "gzip")
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_row_10_a_bomb_of_ten_gigabytes_takes_less_than_64_megabytes() -> None:
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

    headers = [(b"content-encoding", b"gzip")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError) as caught:
            asyncio.run(read_log(request))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 64_000_000
    assert sent < 1_000_000  # the rest was not even read


def test_a_stranger_can_not_make_the_server_read_a_log(site: Site) -> None:
    for token in (None, "x" * 100):
        status, _ = site.send("POST", "/v1/uploads", bytes(3_000_000), token)
        assert status == 401


def test_row_06_a_token_of_one_phone_in_the_hands_of_another_lets_nothing_in(site: Site) -> None:
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
