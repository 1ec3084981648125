"""A team's day, shifts, calling hours, roles and resets over HTTP, as other programs use them."""

import json

import pytest

from tests.authority_world import DAY, NOON
from tests.http_site import Site
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role
from tracetogether.authority.cases.case import date_of_day

pytestmark = pytest.mark.network
PASSWORD = {"what": "password"}


@pytest.fixture
def staffed(site: Site) -> Site:
    add = site.world.authority.staff.add
    for name in ("ada", "ben"):
        add(name, ALL_ROLES, f"token-of-{name}", NOON, by=CONSOLE)
    for name in ("ravi", "siti"):
        add(name, frozenset({Role.TRACER}), f"token-of-{name}", NOON, by=CONSOLE)
    return site


def send(site: Site, method: str, path: str, body: object = None, by: str = "ada") -> tuple:
    sent = None if body is None else json.dumps(body).encode()
    return site.send(method, f"/v1{path}", sent, f"token-of-{by}")


def test_a_teams_day_cases_and_shifts(staffed: Site) -> None:
    authority = staffed.world.authority
    ids = [
        authority.casework.open_case(staffed.world.user(), NOON, by=CONSOLE).case_id
        for _ in range(4)
    ]
    cases = [{"case_id": case_id} for case_id in ids]
    asked = {"cases": cases, "operators": ["ravi", "siti"]}
    status, handed = send(staffed, "POST", "/team/hand-over", asked)
    assert (status, sorted(handed["assigned"].values())) == (200, ["ravi", "ravi", "siti", "siti"])
    stale = {"cases": [{"case_id": ids[0], "version": 0}, cases[1]], "operators": ["siti"]}
    assert send(staffed, "POST", "/team/hand-over", stale)[0] == 409
    assert authority.store.calls.assignees(ids) == handed["assigned"]
    assert send(staffed, "POST", "/shift", {"reason": "daily_calls"}, "ravi")[0] == 201
    status, day = send(staffed, "GET", "/team")
    rows = {row["name"]: row for row in day["tracers"]}
    assert (status, day["date"], day["time_zone"]) == (200, date_of_day(DAY), "UTC")
    assert [rows[name]["cases"] for name in ("ravi", "siti")] == [2, 2]
    assert rows["ravi"]["shift_until"] - rows["ravi"]["shift_since"] == 36_000
    assert send(staffed, "POST", "/team/ravi/shift/end", by="siti")[0] == 403
    assert send(staffed, "POST", "/team/ravi/shift/end") == (200, {"done": True})
    status, error = send(staffed, "POST", "/team/ravi/shift/end")
    assert (status, error["error"]["code"]) == (404, "not_found")
    assert send(staffed, "POST", "/calls/next", {}, "ravi")[0] == 409


def test_calling_hours(staffed: Site) -> None:
    any_hour = {"begin": None, "end": None, "time_zone": "UTC"}
    assert send(staffed, "GET", "/calling-hours", by="ravi") == (200, any_hour)
    hours = {"begin": "13:00", "end": "20:00"}
    assert send(staffed, "PUT", "/calling-hours", hours, "ravi")[0] == 403
    assert send(staffed, "PUT", "/calling-hours", hours) == (200, {**any_hour, **hours})
    for wrong in (
        {"begin": "13:00"},
        {"begin": "20:00", "end": "13:00"},
        {"begin": "1", "end": "2"},
    ):
        assert send(staffed, "PUT", "/calling-hours", wrong)[0] == 400, wrong
    assert send(staffed, "GET", "/calling-hours") == (200, {**any_hour, **hours})
    world, authority = staffed.world, staffed.world.authority
    case = authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 3 * 3600, 60, rssi_dbm=-45), NOON)
    authority.finder.refresh(case, NOON)
    send(staffed, "POST", "/shift", {"reason": "daily_calls"}, "ravi")
    status, taken = send(staffed, "POST", "/calls/next", {}, "ravi")  # at noon
    assert (status, taken["call"]["outside_hours"]) == (200, True)
    place = f"/calls/{taken['call']['line']['contact_id']}/save"
    for at, expected in ((NOON + 600, 400), (NOON + 3_600, 200)):
        saved = {"outcome": "call_back", "call_at": at}
        assert send(staffed, "POST", place, saved, "ravi")[0] == expected
    assert send(staffed, "PUT", "/calling-hours", {}) == (200, any_hour)


def test_roles_codes_and_passwords(staffed: Site) -> None:
    both = {"roles": ["tracer", "exporter"], "had": ["tracer"]}
    status, line = send(staffed, "PUT", "/operators/ravi/roles", both)
    assert (status, sorted(line["roles"])) == (200, ["exporter", "tracer"])
    assert send(staffed, "PUT", "/operators/ravi/roles", both)[0] == 409
    assert send(staffed, "PUT", "/operators/ada/roles", {"roles": ["tracer"]})[0] == 403
    reset = "/operators/ravi/reset"
    assert send(staffed, "POST", reset)[0] == 409  # there are no codes yet
    status, asked = send(staffed, "POST", reset, PASSWORD)
    assert (status, asked["what"], asked["asked_by"]) == (201, "password", "ada")
    assert send(staffed, "GET", "/code-resets")[1]["resets"] == [asked]
    assert send(staffed, "POST", f"{reset}/confirm", PASSWORD)[0] == 403  # one can't do both
    assert send(staffed, "POST", f"{reset}/confirm", by="ben")[0] == 404  # for codes: nobody asked
    status, done = send(staffed, "POST", f"{reset}/confirm", PASSWORD, "ben")
    assert (status, len(done["password"])) == (200, 24)
    assert send(staffed, "POST", f"{reset}/confirm", PASSWORD, "ben")[0] == 404
    assert send(staffed, "POST", reset, PASSWORD, "siti")[0] == 403
    send(staffed, "POST", reset, PASSWORD)
    assert send(staffed, "DELETE", reset, by="ben") == (200, {"done": True})
    assert send(staffed, "DELETE", reset, by="ben")[0] == 404
    assert send(staffed, "POST", "/operators/ravi/disable")[0] == 200
    assert send(staffed, "GET", "/people", by="ravi")[0] == 401
