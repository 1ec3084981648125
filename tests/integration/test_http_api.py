"""The authority behind a real server on loopback: its routes, its strangers, what it says."""

import json
import logging
import re
from pathlib import Path

import pytest

from tests.authority_world import NOON, OPERATOR_TOKEN
from tests.http_site import PUBLIC, Site, routes
from tracetogether.adapters import http_api
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.oversight.custody import CHECK_VALUE
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import sha256
from tracetogether.errors import (
    AccessDeniedError,
    AuthorityError,
    ConflictError,
    InvalidUploadError,
    StoreError,
)

pytestmark = pytest.mark.network


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
        assert contact["pseudonym"] == site.world.authority.desk.name_of(near_who.user_id)
        assert contact["minutes_low"] < contact["minutes"] < contact["minutes_high"]
        assert contact["close_contact"]
        assert site.operator.contacts(case_id, "2m-15min")["policy"]["minutes"] == 15
        (line,) = site.operator.cases()
        assert (line["case_id"], line["date"]) == (case_id, "2020-05-04")
        assert line["pseudonym"] == site.world.authority.desk.name_of(who.user_id)


def test_fetched_tempids_are_the_phones_own(site: Site) -> None:
    client, who = site.phone()
    with client:
        tempid = client.fetch_batch().at(NOON)
    assert tempid is not None
    opened = site.world.authority.issuance.issuer.open(tempid.text, NOON)
    assert opened.user_id == who.user_id


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


@pytest.mark.slow
def test_every_route_that_is_not_public_is_closed_to_strangers(site: Site) -> None:
    guarded = [route for route in routes(site) if route not in PUBLIC]
    assert {path for _, path in guarded} == {
        "/v1/users/me",
        "/v1/tempids",
        "/v1/upload-tokens",
        "/v1/uploads",
        "/v1/cases/{case_id}/reveal",
        "/v1/cases/{case_id}/contacts/onward",
        "/v1/cases/{case_id}/person",
        "/v1/cases/{case_id}/person/reveal",
        "/v1/cases/{case_id}/particulars",
        "/v1/graph",
        "/v1/cases/{case_id}/assign",
        "/v1/cases/{case_id}/state",
        "/v1/cases/{case_id}/merge",
        "/v1/cases/{case_id}/unmerge",
        "/v1/wall",
        "/v1/bulletin",
        "/v1/cases/{case_id}/notes",
        "/v1/dashboard",
        "/v1/exports/contacts",
        "/v1/followed",
        "/v1/followed/{contact_id}",
        "/v1/followed/{contact_id}/reveal",
        "/v1/followed/{contact_id}/particulars",
        "/v1/followed/{contact_id}/state",
        "/v1/followed/{contact_id}/outcomes",
        "/v1/followed/{contact_id}/merge",
        "/v1/followed/{contact_id}/unmerge",
        "/v1/followed/{contact_id}/convert",
        "/v1/shift",
        "/v1/shift/end",
        "/v1/people",
        "/v1/calls",
        "/v1/calls/next",
        "/v1/people/find",
        "/v1/calls/{contact_id}/take",
        "/v1/calls/{contact_id}/save",
        "/v1/calls/{contact_id}/draft",
        "/v1/calls/{contact_id}/particulars",
        "/v1/statistics",
        "/v1/keys",
        "/v1/audit",
        "/v1/cost-curve",
        "/v1/metrics",
        "/v1/policies",
        "/v1/policies/least-chance",
        "/v1/operators",
        "/v1/operators/{name}/disable",
        "/v1/operators/{name}/roles",
        "/v1/operators/{name}/reset",
        "/v1/operators/{name}/reset/confirm",
        "/v1/code-resets",
        "/v1/team",
        "/v1/team/hand-over",
        "/v1/team/{name}/shift/end",
        "/v1/calling-hours",
        "/v1/cases",
        "/v1/cases/{case_id}/confirm",
        "/v1/cases/{case_id}/pin",
        "/v1/cases/{case_id}/contacts",
        "/v1/appeals",
        "/v1/appeals/{appeal_id}/decide",
        "/v1/charges",
        "/v1/charges/codes",
        "/v1/charges/{charge_id}",
        "/v1/charges/{charge_id}/end",
        "/v1/declarations",
        "/v1/orders",
        "/v1/orders/{order_id}/end",
        "/v1/passes",
        "/v1/restrictions",
        "/v1/restrictions/{restriction_id}/confirm",
        "/v1/restrictions/{restriction_id}/lift",
        "/v1/status",
        "/v1/test-results",
        "/v1/cases/{case_id}/days",
        "/v1/cases/{case_id}/stays",
        "/v1/cases/{case_id}/visits",
        "/v1/partners",
        "/v1/places",
        "/v1/places/{place_id}/retire",
        "/v1/places/{place_id}/warn",
        "/v1/reports",
        "/v1/reports/trips/{trip_id}/confirm",
        "/v1/reports/trips/{trip_id}/refuse",
        "/v1/reports/visits/{visit_id}/confirm",
        "/v1/reports/visits/{visit_id}/refuse",
        "/v1/visits",
    }
    client, who = site.phone()
    client.close()
    case_id = site.operator.open_case(who.user_id)
    for method, path in guarded:
        seen = set()
        bodies = (None, b"", b"{", b"{}", b"[" * 10_000, b'{"user_id": "x"}')
        for case, sent in ((case_id, bodies), ("NONE", bodies[:1])):
            for body in sent:
                for bearer in (None, "", "wrong", "é", who.credential[:-1]):
                    place = re.sub(r"\{\w+\}", case, path)
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
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "RuntimeError at test_http_api.py" in line  # the operator does hear of it,
    assert "canary" not in caplog.text  # but not what the error quotes


def test_no_secret_is_logged_or_shown(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (patient, who), (near, near_who) = site.phone(), site.phone()
    rows = site.world.heard(near_who.user_id, NOON - 3600, 2)
    body = write_upload(rows)
    shown = []
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
            shown.append(repr(caught.value))
        token = patient.redeem_pin(pin, body)
        for spoilt in (body + b" ", b"", body[:-1]):
            with pytest.raises(InvalidUploadError) as invalid:
                patient.upload(spoilt, token)
            shown.append(repr(invalid.value))
        patient.upload(body, token)
        with pytest.raises(ConflictError) as conflict:
            patient.upload(body, token)
        shown.append(repr(conflict.value))
        shown.append(repr([patient, near, who, near_who, site.operator]))
        shown.append(json.dumps([site.operator.contacts(case_id), site.operator.cases()]))
        shown.append(json.dumps(site.send("POST", "/v1/cases", b'{"x": "%s"}' % pin.encode())))
    out, err = capfd.readouterr()
    everything = "\n".join([caplog.text, out, err, *shown])
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


def test_a_taken_port_is_an_error(site: Site) -> None:
    port = int(site.url.rsplit(":", 1)[1])
    with (
        pytest.raises(AuthorityError, match="choose another"),
        http_api.listening("127.0.0.1", port),
    ):
        pass


def test_threat_pin_lifetime_of_a_short_pin_is_15_minutes_over_http(site: Site) -> None:
    client, who = site.phone()
    with client:
        case_id = site.operator.open_case(who.user_id)
        for short, lifetime_s in ((True, 900), (False, 86_400)):
            site.clock.now = NOON
            client.redeem_pin(site.operator.issue_pin(case_id, short=short), b"")
            pin = site.operator.issue_pin(case_id, short=short)
            site.clock.now = NOON + lifetime_s
            with pytest.raises(AccessDeniedError):
                client.redeem_pin(pin, b"")
    path = f"/v1/cases/{case_id}/pin"
    status, answer = site.send("POST", path, b'{"lifetime": "short"}', OPERATOR_TOKEN)
    assert (status, answer["expires_at"]) == (201, site.clock.now + 900)
    assert site.send("POST", path, b'{"lifetime": "ever"}', OPERATOR_TOKEN)[0] == 400


def test_a_pin_request_that_is_sent_twice_issues_one_pin(site: Site) -> None:
    client, who = site.phone()
    with client:
        path = f"/v1/cases/{site.operator.open_case(who.user_id)}/pin"

        def state() -> tuple[str, bool, str]:
            _, said = site.send("GET", path, None, OPERATOR_TOKEN)
            return said["state"], said["expires_at"] is None, said["mark"]

        assert state() == ("none", True, "none")
        status, issued = site.send("POST", path, b'{"after": "none"}', OPERATOR_TOKEN)
        assert status == 201
        assert site.send("POST", path, b'{"after": "none"}', OPERATOR_TOKEN)[0] == 409
        assert state() == ("out", False, issued["mark"])
        client.redeem_pin(issued["upload_pin"], b"")
        assert state() == ("used", False, issued["mark"])
        wants = b'{"lifetime": "short", "after": "%s"}' % issued["mark"].encode()
        assert site.send("POST", path, wants, OPERATOR_TOKEN)[0] == 201
        site.clock.now += 900
        assert state()[0] == "expired"


def test_not_ready_on_other_keys(site: Site) -> None:
    site.world.authority.purge(NOON, clock_is_right=True)
    status, said = site.send("GET", "/v1/ready")
    assert (status, said["ready"], said["keys_foreign"]) == (200, True, False)
    site.world.store.put_setting(CHECK_VALUE, "0123456789abcdef 18386 0123456789abcdef")
    _, said = site.send("GET", "/v1/ready")
    assert (said["ready"], said["keys_foreign"]) == (False, True)
