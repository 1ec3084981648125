"""Orders, restrictions and appeals over HTTP and on the command line, with each refusal audited."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import serving
from tests.status_world import WEEK
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder, opened_folder
from tracetogether.errors import NotFoundError
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

pytestmark = pytest.mark.network
OPERATORS = {
    "mei": Role.SUPERVISOR,
    "ravi": Role.RESTRICTOR,
    "rosa": Role.REVIEWER,
    "tom": Role.REVIEWER,
}


class Desk:
    """A running authority, and operators who send requests."""

    def __init__(self, url: str, world: World, http: urllib3.PoolManager, clock: Any) -> None:
        self.url, self.world, self.http, self.clock = url, world, http, clock

    def send(self, who: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        answer = self.http.request(
            method,
            self.url + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer token-of-{who}", "Content-Type": "application/json"},
            retries=False,
        )
        return answer.status, json.loads(answer.data)

    def newest(self) -> tuple[str, str, str]:
        audit = self.world.authority.audit
        last = self.world.store.last_audit()[0]
        (entry,) = audit.entries(last - 1, by=CONSOLE)
        return entry.act, entry.by, str(entry.details.get("reason", ""))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    world = World.of(counted_entropy(431))
    with serving(world) as site, urllib3.PoolManager() as http:
        for name, role in OPERATORS.items():
            site.operator(name, role)
        yield Desk(site.url.removesuffix("/desk"), world, http, site.clock)


def order(**changed: object) -> dict[str, object]:
    return {
        "kind": "contact",
        "legal_basis": "Infectious Diseases Act, section 15",
        "place": "Canteen 3",
        "window_from": NOON - SECONDS_PER_DAY,
        "window_to": NOON,
        "ends_at": NOON + 2 * WEEK,
        "most_people": 30,
        **changed,
    }


def test_a_person_is_restricted_by_two_appeals_and_gets_passes_again(desk: Desk) -> None:
    phone = AuthorityClient(desk.url, retries=0, allow_plain_http=True)
    user = phone.register().user_id
    now = desk.clock.now
    status, added = desk.send("mei", "POST", "/v1/orders", order(ends_at=now + 2 * WEEK))
    assert (status, added["people"]) == (201, 0), added
    said = {
        "user_id": user,
        "ground": "order",
        "reference": added["order_id"],
        "evidence": "visit",
        "until": now + WEEK,
    }
    status, found = desk.send("ravi", "POST", "/v1/restrictions", said)
    assert (status, found["state"]) == (201, "waiting"), found
    assert user not in json.dumps(found)
    place = f"/v1/restrictions/{found['restriction_id']}"
    assert desk.send("ravi", "POST", f"{place}/confirm")[0] == 403  # not the role
    assert desk.newest()[:2] == ("route.refused", "ravi")
    assert phone.fetch_passes().passes
    with pytest.raises(NotFoundError, match="nothing restricts you"):
        phone.appeal()
    status, found = desk.send("rosa", "POST", f"{place}/confirm")
    assert (status, found["state"]) == (200, "in-force")
    assert not phone.fetch_passes().passes
    (appeal,) = phone.appeal()
    _, listed = desk.send("tom", "GET", "/v1/appeals")
    assert [row["appeal_id"] for row in listed["appeals"]] == [appeal["appeal_id"]]
    decide = f"/v1/appeals/{appeal['appeal_id']}/decide"
    assert desk.send("rosa", "POST", decide, {"outcome": "upheld"})[0] == 403
    assert desk.newest() == ("appeal.decision-refused", "rosa", "own-appeal")
    opened = desk.clock.now
    try:
        desk.clock.now = opened + 48 * SECONDS_PER_HOUR
        assert not phone.fetch_passes().passes
        desk.clock.now += 1
        assert phone.fetch_passes().passes
    finally:
        desk.clock.now = opened
    assert desk.send("tom", "POST", decide, {"outcome": "lifted"})[0] == 200
    assert phone.fetch_passes().passes
    assert desk.send("ravi", "GET", "/v1/restrictions")[1]["total"] == 0
    status, figures = desk.send("nobody", "GET", "/v1/figures/restrictions")
    assert (status, figures["in_force"]) == (200, {"case": None, "order": None})
    assert desk.world.authority.audit.verify(by=CONSOLE)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/restrictions", [{"user_id": "a"}, {"user_id": "b"}]),
        ("/v1/restrictions", {"user_id": ["a", "b"]}),
        ("/v1/restrictions", {"user_ids": ["a", "b"], "ground": "order"}),
        ("/v1/orders", [order(), order()]),
        ("/v1/orders", order(people=["a", "b"])),
    ],
)
def test_threat_bulk_restriction_by_a_body_is_refused_and_audited(
    desk: Desk, path: str, body: object
) -> None:
    before = desk.world.store.last_audit()[0]
    who = "ravi" if path == "/v1/restrictions" else "mei"
    assert desk.send(who, "POST", path, body)[0] == 400
    assert desk.world.store.last_audit()[0] == before + 1
    assert desk.newest() == ("restriction.refused", who, "invalid-request")


def test_threat_officials_restrict_critics_by_commands_of_one_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOON)
    place = tmp_path / "authority"
    create_folder(place, now=NOON)
    token = ["--dir", str(place), "--token-file", str(place / "operator.token")]

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["authority", *words])
        return done.exit_code, done.output + str(done.exception)

    added = run(
        *("order", "add", "--kind", "border", "--legal-basis", "Act 12", "--place", "Gate 4"),
        *("--from", "2020-05-03", "--to", "2020-05-04", "--ends", "2020-05-20"),
        *("--people", "9", "--json", *token),
    )
    assert added[0] == 0, added
    reference = json.loads(added[1].partition("}")[0] + "}")["order_id"]
    with opened_folder(place) as service:
        user = service.issuance.register(NOON).user_id
    words = ("--ground", "order", "--reference", reference, "--evidence", "none")
    restrict = ("restriction", "set", user, *words, "--until", "2020-05-08")
    assert "you registered this order" in run(*restrict, *token)[1]
    ids = tmp_path / "critics.csv"
    ids.write_text(f"user_id,ground,reference\n{user},order,{reference}\n")
    assert run("case", "import", str(ids), "--dir", str(place))[0] != 0
    assert "unexpected extra argument" in run(*restrict, "another", *token)[1]
    with opened_folder(place) as service:
        entries = list(service.audit.entries(by=CONSOLE))[-2:]
        assert [(entry.act, entry.by) for entry in entries] == [
            ("restriction.refused", "operator"),
            ("import.refused", "console"),
        ]
        assert service.store.status.not_over(NOON) == []
