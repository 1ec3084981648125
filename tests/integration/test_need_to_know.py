"""Row 20: over HTTP a case is there for its tracer and for supervisors, and for no other tracer."""

import pytest

from tests.authority_world import NOON
from tests.http_site import Site, routes
from tracetogether.authority.access.permissions import CONSOLE, Role

pytestmark = pytest.mark.network
SAID = {
    "reveal": b'{"pseudonym": "ABCDE-FGHIJ", "reason": "x"}',
    "state": b'{"state": "closed"}',
    "notes": b'{"text": "x"}',
    "merge": b'{"into": "NONE"}',
}


def test_threat_need_to_know_hides_another_tracers_case(site: Site) -> None:
    authority = site.world.authority
    for name in ("assigned", "another"):
        authority.staff.add(name, frozenset({Role.TRACER}), f"token-of-{name}", NOON, by=CONSOLE)
    near = site.world.user()
    case = authority.casework.open_case(site.world.user(), NOON, by=CONSOLE)
    site.world.take(case, site.world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
    authority.casework.assign(case.case_id, "assigned", NOON, by=CONSOLE)
    asked = [(method, path) for method, path in routes(site) if "{case_id}" in path]
    assert len(asked) > 4
    for method, path in asked:
        body = SAID.get(path.rpartition("/")[2])
        answers = [
            site.send(
                method.upper(),
                path.format(case_id=each),
                None if method == "get" else body or b"{}",
                "token-of-another",
            )
            for each in (case.case_id, "NONENONENO")
        ]
        assert {status for status, _ in answers} <= {400, 403, 404}, (method, path, answers)
        assert answers[0] == answers[1], (method, path, answers)
        assert near not in repr(answers)
    mine = site.send("GET", f"/v1/cases/{case.case_id}/contacts", bearer="token-of-assigned")
    assert mine[0] == 200
    assert len(mine[1]["contacts"]) == 1
    assert site.send("GET", "/v1/cases", bearer="token-of-another")[1]["cases"] == []
    assert len(site.send("GET", "/v1/cases", bearer="token-of-assigned")[1]["cases"]) == 1
