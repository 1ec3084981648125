"""What operators may do to one another over HTTP: nobody promotes themselves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tracetogether.adapters import http_api
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role

pytestmark = pytest.mark.network


@dataclass
class Desk:
    url: str
    world: World
    tokens: dict[str, str]
    http: urllib3.PoolManager

    def send(self, method: str, path: str, token: str, said: object = None) -> tuple[int, Any]:
        answer = self.http.request(
            method.upper(),
            self.url + path,
            body=None if said is None else json.dumps(said).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            retries=False,
        )
        kind = answer.headers["Content-Type"]
        return answer.status, json.loads(answer.data) if "json" in kind else answer.data


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    world = World.of(counted_entropy(5))
    tokens = {}
    for role in Role:
        tokens[role.value] = f"token-of-{role.value}"
        world.authority.staff.add(
            role.value, frozenset({role}), tokens[role.value], NOON, by=CONSOLE
        )
    app = http_api.create_app(world.authority, clock=lambda: NOON)
    with http_api.running(app) as url, urllib3.PoolManager() as http:
        yield Desk(url, world, tokens, http)


def test_threat_missing_role_cannot_be_granted_to_others(desk: Desk) -> None:
    for roles in (["tracer"], ["admin", "tracer"], [role.value for role in ALL_ROLES]):
        said = {"name": "friend", "roles": roles}
        status, answer = desk.send("post", "/v1/operators", desk.tokens["admin"], said)
        assert status == 403, answer
    assert "friend" not in {item.name for item in desk.world.authority.staff.all(by=CONSOLE)}
    for roles in (["king"], []):
        said = {"name": "friend", "roles": roles}
        assert desk.send("post", "/v1/operators", desk.tokens["admin"], said)[0] in {400, 404}


def test_threat_missing_role_keeps_admins_from_themselves_and_from_higher_roles(
    desk: Desk,
) -> None:
    said = {"name": "second", "roles": ["admin"]}
    status, answer = desk.send("post", "/v1/operators", desk.tokens["admin"], said)
    assert status == 201
    second = answer["operator_token"]
    assert desk.send("get", "/v1/operators", second)[0] == 200
    assert desk.send("post", "/v1/operators", second, said)[0] == 409
    for name in ("second", "operator", "tracer"):  # oneself; all roles; a role that the admin lacks
        assert desk.send("post", f"/v1/operators/{name}/disable", second)[0] == 403
    path = "/v1/operators/second/disable"
    assert desk.send("post", path, desk.tokens["admin"])[0] == 200
    assert desk.send("post", path, desk.tokens["admin"])[0] == 404


def test_threat_session_ends_when_the_operator_is_disabled(desk: Desk) -> None:
    desk.world.authority.staff.add(
        "short", frozenset({Role.TRACER}), "short-lived", NOON, by=CONSOLE
    )
    assert desk.send("get", "/v1/cases", "short-lived")[0] == 200
    desk.world.authority.staff.disable("short", NOON, by=CONSOLE)
    assert desk.send("get", "/v1/cases", "short-lived")[0] == 401


def test_threat_need_to_know_lists_show_pseudonyms_and_a_reveal_needs_a_reason(desk: Desk) -> None:
    world = desk.world
    near, case = world.user(), world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.authority.casework.assign(case.case_id, "tracer", NOON, by=CONSOLE)
    world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
    token, path = desk.tokens["tracer"], f"/v1/cases/{case.case_id}"
    _, listed = desk.send("get", f"{path}/contacts", token)
    (line,) = listed["contacts"]
    assert near not in json.dumps(listed)
    said = {"pseudonym": line["pseudonym"], "reason": None}
    assert desk.send("post", f"{path}/reveal", token, said)[0] == 400
    before = world.authority.audit.verify(by=CONSOLE)[0]
    refused = {"pseudonym": line["pseudonym"]}
    for said in (refused, {**refused, "reason": ""}, {**refused, "reason": "  "}):
        assert desk.send("post", f"{path}/reveal", token, said)[0] == 400
    entries = list(world.authority.audit.entries(after=before, by=CONSOLE))
    assert [(entry.act, entry.by) for entry in entries] == [
        ("contact.reveal-refused", "tracer")
    ] * 3
    assert all(dict(entry.details) == {"contact": line["pseudonym"]} for entry in entries)
    before = world.authority.audit.verify(by=CONSOLE)[0]
    said = {"pseudonym": line["pseudonym"], "reason": "call for testing"}
    assert desk.send("post", f"{path}/reveal", token, said) == (
        200,
        {"pseudonym": line["pseudonym"], "user_id": near},
    )
    (entry,) = world.authority.audit.entries(after=before, by=CONSOLE)
    assert (entry.act, entry.by, entry.subject) == ("contact.revealed", "tracer", case.case_id)
    assert entry.details == {"contact": line["pseudonym"], "reason": "call for testing"}
    said = {"pseudonym": "NOBOD-YHERE", "reason": "x"}
    assert desk.send("post", f"{path}/reveal", token, said)[0] == 404


def test_metrics_are_numbers_without_labels(desk: Desk) -> None:
    _, text = desk.send("get", "/v1/metrics", desk.tokens["auditor"])
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    values = dict(line.split() for line in lines)
    assert float(values["tracetogether_operators"]) >= 7
    assert values["tracetogether_purge_overdue"] == "1"
    assert "{" not in text.decode()
