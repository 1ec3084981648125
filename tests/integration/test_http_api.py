"""The authority behind a real server on loopback, and its client."""

import gzip
import json
import logging
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tracetogether.adapters import http_api
from tracetogether.adapters.http_api.bodies import MAX_SMALL_BODY_BYTES
from tracetogether.adapters.http_client import AuthorityClient, Registered
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.contacts import pseudonym
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    ConflictError,
    InvalidUploadError,
    NotFoundError,
    StoreError,
    UnreachableError,
)
from tracetogether.parameters import MAX_UPLOAD_BYTES
from tracetogether.units import Entropy

pytestmark = pytest.mark.network
PUBLIC = {("get", "/v1/health"), ("get", "/v1/ready"), ("post", "/v1/users")}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A running authority in memory keys and an SQL store, and who talks to it."""

    url: str
    clock: Clock
    world: World
    operator: AuthorityClient
    http: urllib3.PoolManager

    def phone(self) -> tuple[AuthorityClient, Registered]:
        client = AuthorityClient(self.url, retries=0)
        return client, client.register()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        bearer: str | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        sent.setdefault("Content-Type", "application/json")
        answer = self.http.request(
            method, self.url + path, body=body, headers=sent, retries=False, redirect=False
        )
        return answer.status, json.loads(answer.data)


@pytest.fixture
def site(entropy: Entropy, tmp_path: Path) -> Iterator[Site]:
    clock = Clock()
    with SqlStore.create(tmp_path / "authority.db", name="SG_MOH") as store:
        world = World.of(entropy, store=store)
        app = http_api.create_app(world.authority, clock=clock)
        with (
            http_api.running(app) as url,
            AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as operator,
            urllib3.PoolManager() as http,
        ):
            yield Site(url, clock, world, operator, http)


def test_the_whole_way_from_registration_to_a_contact(site: Site) -> None:
    (patient, who), (near, near_who) = site.phone(), site.phone()
    with patient, near:
        batch = near.fetch_batch()
        assert len(batch) == 100
        assert batch.at(NOON) is not None
        rows = site.world.heard(near_who.user_id, NOON, 45, rssi_dbm=-45)
        body = write_upload(rows)
        site.clock.now += 3600
        case_id = site.operator.open_case(who.user_id, "2020-05-04")
        pin = site.operator.issue_pin(case_id)
        token = patient.redeem_pin(pin, body)
        assert patient.upload(body, token) == {"records": 135, "accepted": 135, "rejected": {}}
        (contact,) = site.operator.contacts(case_id)["contacts"]
        assert contact["pseudonym"] == pseudonym(near_who.user_id)
        assert contact["minutes_low"] < contact["minutes"] < contact["minutes_high"]
        assert contact["close_contact"]
        assert site.operator.contacts(case_id, "2m-15min")["policy"]["minutes"] == 15
        (line,) = site.operator.cases()
        assert (line["case_id"], line["date"]) == (case_id, "2020-05-04")
        assert line["pseudonym"] == pseudonym(who.user_id)


def test_fetched_tempids_are_the_phones_own(site: Site) -> None:
    client, who = site.phone()
    with client:
        tempid = client.fetch_batch().at(NOON)
    assert tempid is not None
    opened = site.world.authority.issuance.issuer.open(tempid.text, NOON)
    assert opened.user_id == who.user_id


def test_the_client_names_what_went_wrong(site: Site) -> None:
    client, who = site.phone()
    body = b'{"records": []}'
    with client:
        case_id = site.operator.open_case(who.user_id)
        pin = site.operator.issue_pin(case_id)
        with pytest.raises(AccessDeniedError, match="PIN is not accepted"):
            client.redeem_pin(f"{(int(pin) + 1) % 10**8:08d}", body)
        with pytest.raises(InvalidUploadError, match="pin"):
            client.redeem_pin("1234", body)
        token = client.redeem_pin(pin, body)
        with pytest.raises(InvalidUploadError, match="not the log"):
            client.upload(body + b" ", token)
        assert client.upload(body, token)["records"] == 0
        with pytest.raises(ConflictError, match="already received"):
            client.upload(body, token)
        with pytest.raises(AccessDeniedError, match="upload token"):
            client.upload(body, token[:-4] + "AAAA")
        with pytest.raises(NotFoundError, match="user"):
            site.operator.open_case("A" * 28)
        with pytest.raises(NotFoundError, match="no such case"):
            site.operator.contacts("NONE")
        with pytest.raises(NotFoundError, match="nothing at this address"):
            site.operator.contacts("../users")
        with pytest.raises(NotFoundError, match="policy"):
            site.operator.contacts(case_id, "none&such=1")
        with pytest.raises(InvalidUploadError, match="date"):
            site.operator.open_case(who.user_id, "4 May")
        with pytest.raises(ConflictError, match="future"):
            site.operator.open_case(who.user_id, "2020-06-04")
        with pytest.raises(AccessDeniedError, match="operator"):
            client.cases()


def test_a_phone_is_no_operator_and_an_operator_no_phone(site: Site) -> None:
    client, who = site.phone()
    client.close()
    assert site.send("GET", "/v1/cases", bearer=who.credential)[0] == 401
    assert site.send("POST", "/v1/tempids", bearer=OPERATOR_TOKEN)[0] == 401


def test_a_pin_of_one_is_a_wrong_pin_to_the_other(site: Site) -> None:
    (one, one_who), (other, other_who) = site.phone(), site.phone()
    with one, other:
        right = site.operator.issue_pin(site.operator.open_case(one_who.user_id))
        asked = json.dumps({"pin": right, "sha256": "0" * 64}).encode()
        wrong = f"{(int(right) + 1) % 10**8:08d}"
        mistaken = json.dumps({"pin": wrong, "sha256": "0" * 64}).encode()
        answers = [
            site.send("POST", "/v1/upload-tokens", asked, other_who.credential),
            site.send("POST", "/v1/upload-tokens", mistaken, other_who.credential),
            site.send("POST", "/v1/upload-tokens", mistaken, one_who.credential),
        ]
        site.clock.now += 86_400
        answers.append(site.send("POST", "/v1/upload-tokens", asked, one_who.credential))
    assert [answer == answers[0] for answer in answers] == [True] * 4
    assert answers[0][0] == 403


# --- strangers ---


def routes(site: Site) -> list[tuple[str, str]]:
    _, document = site.send("GET", "/openapi.json")
    return [(method, path) for path, methods in document["paths"].items() for method in methods]


def test_every_route_but_three_is_closed_to_strangers(site: Site) -> None:
    guarded = [route for route in routes(site) if route not in PUBLIC]
    assert {path for _, path in guarded} == {
        "/v1/users/me",
        "/v1/tempids",
        "/v1/upload-tokens",
        "/v1/uploads",
        "/v1/cases/{case_id}/reveal",
        "/v1/statistics",
        "/v1/keys",
        "/v1/audit",
        "/v1/metrics",
        "/v1/operators",
        "/v1/operators/{name}/disable",
        "/v1/cases",
        "/v1/cases/{case_id}/pin",
        "/v1/cases/{case_id}/contacts",
    }
    client, who = site.phone()
    client.close()
    case_id = site.operator.open_case(who.user_id)
    for method, path in guarded:
        seen = set()
        for case in (case_id, "NONE"):
            for body in (None, b"", b"{", b"{}", b"[" * 10_000, b'{"user_id": "x"}'):
                for bearer in (None, "", "wrong", "é", who.credential[:-1]):
                    place = path.format(case_id=case, name=case)
                    status, answer = site.send(method.upper(), place, body, bearer)
                    assert status == 401, (method, path, body, bearer)
                    seen.add(json.dumps(answer))
        assert len(seen) == 1, "a stranger learns nothing from the answers"


@pytest.mark.parametrize("header", ["Basic {}", "{}", "Bearer", "bearer{}", "Token {}"])
def test_other_kinds_of_authorization_do_not_count(site: Site, header: str) -> None:
    sent = {"Authorization": header.format(OPERATOR_TOKEN)}
    assert site.send("GET", "/v1/cases", **sent)[0] == 401


def test_a_refusal_asks_for_a_bearer(site: Site) -> None:
    answer = site.http.request("GET", site.url + "/v1/cases")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_answers_stay_out_of_caches(site: Site) -> None:
    for path in ("/v1/health", "/v1/cases", "/nowhere"):
        answer = site.http.request("GET", site.url + path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- bad input ---

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


def leave(site: Site, body: bytes) -> str:
    """Return a token to upload ``body``."""
    client, who = site.phone()
    with client:
        pin = site.operator.issue_pin(site.operator.open_case(who.user_id))
        return client.redeem_pin(pin, body)


def test_a_log_comes_plain_or_gzipped(site: Site) -> None:
    body = b'{"records": []}'
    for sent, encoding in ((body, "identity"), (gzip.compress(body), "gzip"), (body, "")):
        headers = {"Content-Encoding": encoding} if encoding else {}
        status, answer = site.send("POST", "/v1/uploads", sent, leave(site, body), **headers)
        assert (status, answer["records"]) == (201, 0)


def test_damaged_or_foreign_encodings_are_refused(site: Site) -> None:
    body = b'{"records": []}'
    packed = gzip.compress(body)
    token = leave(site, body)
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
        status, answer = site.send("POST", "/v1/uploads", sent, token, Content_Encoding=encoding)
        assert status == expected, answer
        assert answer["error"]["retry"] is False
    assert site.send("POST", "/v1/uploads", packed, token, Content_Encoding="gzip")[0] == 201


def test_a_log_of_the_largest_size_is_taken_and_one_byte_more_is_not(site: Site) -> None:
    largest = b'{"records": []}'.ljust(MAX_UPLOAD_BYTES)
    for body, expected in ((largest, 201), (largest + b" ", 413)):
        token = leave(site, body)
        packed = gzip.compress(body, 1)
        answers = [
            site.send("POST", "/v1/uploads", packed, token, Content_Encoding="gzip"),
            site.send("POST", "/v1/uploads", body, leave(site, body)),
        ]
        assert [status for status, _ in answers] == [expected, expected]


def test_a_gzip_bomb_is_refused_in_bounded_memory(site: Site) -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1_000_000)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(200)), packer.flush()])
    assert len(bomb) < 200_000  # of 200 MB
    token = leave(site, b"")
    tracemalloc.start()
    try:
        status, answer = site.send("POST", "/v1/uploads", bomb, token, Content_Encoding="gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (status, answer["error"]["code"]) == (413, "too_large")
    assert peak < 4 * MAX_UPLOAD_BYTES


def test_a_stranger_can_not_make_the_server_read_a_log(site: Site) -> None:
    for token in (None, "x" * 100):
        status, _ = site.send("POST", "/v1/uploads", bytes(3_000_000), token)
        assert status == 401


# --- what is said elsewhere ---


def test_the_document_describes_every_route(site: Site) -> None:
    _, document = site.send("GET", "/openapi.json")
    assert set(document["components"]["securitySchemes"]) == {
        "registration credential",
        "upload token",
        "operator token",
    }
    for method, path in routes(site):
        described = document["paths"][path][method]
        assert described["description"] or described["summary"]
        assert {"4XX", "5XX"} <= set(described["responses"])
        assert "422" not in described["responses"]
        assert bool(described.get("security")) == ((method, path) not in PUBLIC)


def test_the_reference_lists_every_route_field_and_code(site: Site) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reference" / "http.md").read_text("utf-8")
    for method, path in routes(site):
        assert f"`{method.upper()} {path}`" in page
    _, document = site.send("GET", "/openapi.json")
    shapes = document["components"]["schemas"]
    for shape in ("Contacts", "ContactLine", "Receipt", "CaseLine", "PinAndDigest", "Refusal"):
        for field in shapes[shape]["properties"]:
            assert f"`{field}`" in page or f'"{field}"' in page, (shape, field)
    for code in ("invalid_request", "invalid_upload", "unauthorized", "denied", "not_found"):
        assert f"`{code}`" in page
    for code in ("method_not_allowed", "conflict", "too_large", "internal", "unavailable"):
        assert f"`{code}`" in page


def test_health_tells_whether_the_store_can_be_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.send("GET", "/v1/health") == (200, {"status": "ok"})

    def broken(_self: SqlStore, _user_id: str) -> bool:
        msg = "canary: a path and a reason"
        raise StoreError(msg)

    monkeypatch.setattr(SqlStore, "has_user", broken)
    status, answer = site.send("GET", "/v1/health")
    assert (status, answer["error"]["code"], answer["error"]["retry"]) == (503, "unavailable", True)
    assert "canary" not in json.dumps(answer)


def test_a_fault_of_our_own_says_nothing_to_the_caller(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_self: SqlStore, _user_id: str) -> bool:
        raise RuntimeError("canary")

    monkeypatch.setattr(SqlStore, "has_user", broken)
    with http_api.running(http_api.create_app(site.world.authority)) as url:
        answer = site.http.request("GET", url + "/v1/health")
    assert answer.status == 500
    assert answer.json()["error"]["code"] == "internal"
    assert b"canary" not in answer.data
    assert "canary" in caplog.text  # the operator does hear of it


def test_no_secret_is_logged_or_told(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (patient, who), (near, near_who) = site.phone(), site.phone()
    rows = site.world.heard(near_who.user_id, NOON - 3600, 2)
    body = write_upload(rows)
    told = []
    with patient, near:
        tempid = near.fetch_batch().at(NOON)
        assert tempid is not None
        case_id = site.operator.open_case(who.user_id)
        pin = site.operator.issue_pin(case_id)
        other_pin = f"{(int(pin) + 1) % 10**8:08d}"
        for refused in (
            lambda: patient.redeem_pin(other_pin, body),
            lambda: near.redeem_pin(pin, body),
        ):
            with pytest.raises(AccessDeniedError) as caught:
                refused()
            told.append(repr(caught.value))
        token = patient.redeem_pin(pin, body)
        for spoilt in (body + b" ", b"", body[:-1]):
            with pytest.raises(InvalidUploadError) as invalid:
                patient.upload(spoilt, token)
            told.append(repr(invalid.value))
        patient.upload(body, token)
        with pytest.raises(ConflictError) as conflict:
            patient.upload(body, token)
        told.append(repr(conflict.value))
        told.append(repr([patient, near, who, near_who, site.operator]))
        told.append(json.dumps([site.operator.contacts(case_id), site.operator.cases()]))
        told.append(json.dumps(site.send("POST", "/v1/cases", b'{"x": "%s"}' % pin.encode())))
    out, err = capfd.readouterr()
    everything = "\n".join([caplog.text, out, err, *told])
    assert "case_id" in everything
    secrets = {
        "pin": pin,
        "other pin": other_pin,
        "token": token,
        "credential": who.credential,
        "operator token": OPERATOR_TOKEN,
        "user": who.user_id,
        "contact": near_who.user_id,
        "tempid": tempid.text,
        "heard": rows[0].peer,
        "digest": sha256(body).hex(),
    }
    assert {name for name, secret in secrets.items() if secret in everything} == set()


def test_a_taken_port_is_told(site: Site) -> None:
    port = int(site.url.rsplit(":", 1)[1])
    with (
        pytest.raises(AuthorityError, match="choose another"),
        http_api.listening("127.0.0.1", port),
    ):
        pass


def test_a_server_that_is_gone_is_told(site: Site) -> None:
    with http_api.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with (
        AuthorityClient(f"http://127.0.0.1:{port}", retries=1, backoff_s=0.0) as client,
        pytest.raises(UnreachableError, match="does not answer"),
    ):
        client.register()


def test_a_server_that_is_none_of_ours_is_told(site: Site) -> None:
    with (
        AuthorityClient(site.url + "/elsewhere", retries=0) as client,
        pytest.raises(NotFoundError),
    ):
        client.register()


@pytest.mark.parametrize("url", ["", "health", "ftp://health.example", "http://", "http://[::1"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(UnreachableError, match="no address"):
        AuthorityClient(url)


def test_secrets_do_not_cross_a_network_in_clear_unless_allowed() -> None:
    with pytest.raises(UnreachableError, match="https"):
        AuthorityClient("http://health.example")
    AuthorityClient("https://health.example").close()
    AuthorityClient("http://health.example", allow_plain_http=True).close()
    AuthorityClient("http://localhost:8000/").close()


def test_a_busy_server_is_asked_again_where_that_does_no_harm(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = SqlStore.user_of

    def busy(self: SqlStore, digest: bytes) -> str | None:
        calls.append(1)
        if len(calls) < 3:
            raise StoreError("busy")
        return real(self, digest)

    client, _ = site.phone()
    monkeypatch.setattr(SqlStore, "user_of", busy)
    with (
        client,
        AuthorityClient(
            site.url, credential=client._credential, retries=2, backoff_s=0.0
        ) as patient,
    ):
        assert len(patient.fetch_batch()) == 100
        assert len(calls) == 3
        calls.clear()
        with pytest.raises(AccessDeniedError, match="not accepted"):
            patient.redeem_pin("00000000", b"")  # the attempt has a name: asked again as itself
        assert len(calls) == 3
        calls.clear()
        with pytest.raises(UnreachableError, match="try again"):
            patient.withdraw()  # may have been done already: not for the client to repeat
        assert len(calls) == 1


def test_a_credential_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "phone.credential"
    kept = Registered("user", "secret")
    kept.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Registered.load(path) == kept
    with pytest.raises(StoreError, match="File exists"):
        kept.save(path)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        Registered.load(path)
    path.chmod(0o600)
    for damaged in ("", "[]", "{}", '{"user_id": "x"}', "\x00"):
        path.write_text(damaged)
        with pytest.raises(StoreError, match="no credential"):
            Registered.load(path)
    with pytest.raises(StoreError, match="registered"):
        Registered.load(tmp_path / "none")
