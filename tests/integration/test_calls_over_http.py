"""Calling over HTTP, as a program of a call centre does it: shift, next, draft, save."""

import pytest

from tests.authority_world import NOON
from tests.http_site import Site
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.desk.calling import RESERVED_S

pytestmark = pytest.mark.network
ZONE = {"time_zone": "UTC"}


def test_a_shift_from_the_first_call_to_the_last(site: Site) -> None:
    authority = site.world.authority
    for name in ("ravi", "siti"):
        authority.staff.add(name, frozenset({Role.TRACER}), f"token-of-{name}", NOON, by=CONSOLE)
    near, elsewhere = site.world.user(), []
    for hours in (3, 30):
        case = authority.casework.open_case(site.world.user(), NOON, by=CONSOLE)
        rows = site.world.heard(near, NOON - hours * 3600, 60, rssi_dbm=-45)
        site.world.take(case, rows, NOON)
        authority.finder.refresh(case, NOON)
        elsewhere.append(case.case_id)

    def send(method: str, path: str, body: bytes | None = b"{}", by: str = "ravi") -> tuple:
        return site.send(method, path, body, f"token-of-{by}")

    assert send("POST", "/v1/calls/next")[0] == 409  # no shift has begun
    status, shift = send("POST", "/v1/shift", b'{"reason": "daily_calls"}')
    assert (status, shift["reason"]) == (201, "daily_calls")
    assert send("GET", "/v1/calls", None)[1] == {**ZONE, "call": None, "ready": 1, "more": False}
    status, taken = send("POST", "/v1/calls/next")
    line = taken["call"]["line"]
    assert (status, {row["case_id"] for row in line["lines"]}) == (200, set(elsewhere))
    assert taken["call"]["reserved_until"] == pytest.approx(site.clock() + RESERVED_S, abs=60)
    place = f"/v1/calls/{line['contact_id']}"
    send("POST", "/v1/shift", b'{"reason": "daily_calls"}', "siti")
    nobody = {**ZONE, "call": None, "ready": 0, "more": False}
    assert send("POST", "/v1/calls/next", by="siti")[1] == nobody
    assert send("POST", f"{place}/take", by="siti")[0] == 409
    assert send("PUT", f"{place}/particulars", b'{"name": "Ann", "phone": "+65 1"}')[0] == 200
    assert send("PUT", f"{place}/draft", b'{"note": "busy", "language": "ta"}')[0] == 200
    again = send("GET", "/v1/calls", None)[1]["call"]
    assert (again["person"]["name"], again["draft"]["note"]) == ("Ann", "busy")
    assert (again["person"]["language"], again["draft"]["language"]) == ("", "ta")
    assert send("PUT", f"{place}/particulars", b'{"language": "Malay"}')[0] == 400
    assert send("PUT", f"{place}/particulars", b'{"language": "ms"}')[0] == 200
    assert send("GET", "/v1/calls", None)[1]["call"]["person"]["language"] == "ms"
    boss = frozenset({Role.SUPERVISOR})
    authority.staff.add("boss", boss, "token-of-boss", NOON, by=CONSOLE)
    for query, total in (
        *(("language=ms", 1), ("language=ta", 0), ("language=und", 0)),
        *((f"language=ms&case_id={elsewhere[0]}", 1), ("language=ms&without_number=true", 1)),
        *(("language=ms&state=to_trace", 1), ("language=ms&state=ended", 0)),
        ("language=ms&mine=true", 0),
    ):
        status, found = send("GET", f"/v1/people?{query}", None, "boss")
        assert (status, found["total"]) == (200, total), query
    assert send("GET", "/v1/people?language=Malay", None, "boss")[0] == 400
    again = send("GET", "/v1/calls", None)[1]["call"]
    assert send("POST", f"{place}/save", b'{"outcome": "call_back"}')[0] == 400
    describe = b'{"phone": "+65 9123 4567", "version": %d}' % again["line"]["version"]
    assert send("PUT", f"{place}/particulars", describe)[0] == 200
    status, rings = send("POST", "/v1/people/find", b'{"text": "9123-4567"}', "siti")
    assert (status, rings["with_colleagues"], rings["more"]) == (200, False, False)
    assert [found["contact_id"] for found in rings["people"]] == [line["contact_id"]]
    assert send("POST", "/v1/people/find", b'{"text": "?"}')[0] == 400
    status, saved = send(
        "POST", f"{place}/save", b'{"outcome": "refused", "note": "no more", "name": "Bo"}'
    )
    assert status == 409  # another name is stored, and no version was sent
    wants = b'{"outcome": "refused", "note": "no more", "phone": "+65 9123 4567"}'
    status, saved = send("POST", f"{place}/save", wants)
    assert (status, {row["state"] for row in saved["lines"]}) == (200, {"ended"})
    assert send("GET", "/v1/people", None)[1]["total"] == 0
    assert send("POST", "/v1/shift/end")[1] == {"done": True}
