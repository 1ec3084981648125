"""Nothing that names a person or opens anything is in a log line, metric, audit entry or error."""

import json
import logging
from pathlib import Path

import pytest
import urllib3

from tests.authority_world import NOON, OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.upload import write_upload

pytestmark = pytest.mark.network


def test_threat_leaky_error_shows_no_canary_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="urllib3")  # that is the phones' side
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(11), store=store)
        app = http_api.create_app(world.authority, clock=lambda: NOON)
        with (
            http_api.running(app) as url,
            urllib3.PoolManager() as http,
            AuthorityClient(url, operator_token=OPERATOR_TOKEN, retries=0) as desk,
            AuthorityClient(url, retries=0) as phone,
        ):
            me, near = phone.register(), world.user()
            rows = world.heard(near, NOON - 3600, 30, rssi_dbm=-45)
            body = write_upload(rows)
            case_id = desk.open_case(me.user_id)
            pin = desk.issue_pin(case_id)
            token = phone.redeem_pin(pin, body)
            phone.upload(body, token)
            desk.contacts(case_id)

            def send(method: str, path: str, bearer: str, said: object = None) -> bytes:
                headers = {"Authorization": f"Bearer {bearer}", "X-Credential": me.credential}
                headers["Content-Type"] = "application/json"
                body = None if said is None else json.dumps(said).encode()
                return http.request(method, url + path, body=body, headers=headers).data

            canaries = {me.user_id, me.credential, near, pin, token, rows[0].peer, OPERATOR_TOKEN}
            lists = send("GET", "/v1/graph", OPERATOR_TOKEN)
            lists += send("GET", f"/v1/cases/{case_id}/contacts/onward", OPERATOR_TOKEN)
            said = [
                send("GET", f"/v1/graph?policy={near}", OPERATOR_TOKEN),
                send("POST", "/v1/cases", OPERATOR_TOKEN, {"user_id": near + "x"}),
                send("POST", "/v1/cases", OPERATOR_TOKEN, {"user_id": near, "date": pin}),
                send("POST", "/v1/cases", me.credential, {"user_id": near}),
                send("POST", "/v1/upload-tokens", me.credential, {"pin": pin, "sha256": "0" * 64}),
                send("POST", "/v1/upload-tokens", me.credential, {"pin": near, "sha256": pin}),
                send("POST", "/v1/uploads", token, {"records": [{"msg": rows[0].peer}]}),
                send("GET", f"/v1/cases/{pin}/contacts?policy={near}", OPERATOR_TOKEN),
                send("POST", f"/v1/operators/{me.credential}/disable", OPERATOR_TOKEN),
                send("GET", "/v1/metrics", OPERATOR_TOKEN),
                send("GET", "/v1/audit", OPERATOR_TOKEN),
            ]
    streams = capfd.readouterr()
    shown = b"\n".join(said).decode() + caplog.text + streams.out + streams.err
    assert "case.opened" in shown  # the search finds what is there
    name = world.authority.desk.name_of(near)
    assert name not in shown
    assert name in lists.decode()
    for canary in canaries:
        assert canary not in shown, canary
        assert canary not in lists.decode(), canary
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for canary in canaries - {me.user_id, near}:
        assert canary.encode() not in stored
