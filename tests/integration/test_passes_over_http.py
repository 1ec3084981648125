"""Passes over HTTP: what a phone, a stranger and somebody who watches the line get."""

import json
from base64 import b64decode

import pytest

from tests.authority_world import DAY, NOON
from tests.http_site import Site
from tests.test_passes import restrict
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.errors import InvalidRequestError, NotFoundError
from tracetogether.healthcode.gate_lists import GateLists
from tracetogether.parameters import DECLARATIONS_AN_HOUR
from tracetogether.signed.trust import TRUST, TrustList

pytestmark = pytest.mark.network


def lengths(site: Site, bearer: str, method: str, path: str, body: bytes | None = None) -> int:
    """Return the length of a whole answer: status line, headers, body."""
    answer = site.http.request(
        method,
        site.url + path,
        body=body,
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
    )
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    return head + len(answer.data)


def gate_of(client: AuthorityClient) -> GateLists:
    trust = client.fetch_trust_list()
    (key,) = (row.key for row in TrustList.read(trust).keys if TRUST in row.purposes)
    return GateLists.read(trust, client.fetch_revocations(), key)


def test_a_phone_fetches_passes_and_a_gate_judges_them(site: Site) -> None:
    phone, registered = site.phone()
    fetched = phone.fetch_passes()
    assert (fetched.notice["notice"], len(fetched.passes)) == ("pass.green", 48)
    gate = gate_of(site.operator)
    first = fetched.passes[0].text
    assert [gate.judge(first, NOON + s).for_guard for s in (0, 3_599, 3_600)] == [
        "pass",
        "pass",
        "not now",
    ]
    restrict(site.world, registered.user_id)
    again = phone.fetch_passes()
    assert (again.notice["notice"], again.passes) == ("pass.withheld.case", ())
    assert phone.status()["notice"] == "pass.withheld.case"
    site.clock.now += 15 * 60
    assert gate_of(site.operator).judge(first, NOON + 15 * 60).for_guard == "not now"


def test_threat_watched_pass_answers_have_one_length(site: Site) -> None:
    (_, free), (_, restricted) = site.phone(), site.phone()
    restrict(site.world, restricted.user_id)
    for method, path in (("POST", "/v1/passes"), ("GET", "/v1/status")):
        found = {lengths(site, who.credential, method, path) for who in (free, restricted)}
        assert len(found) == 1, path


def test_threat_watched_pass_declarations_have_one_length(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, registered = site.phone()
    sent = []
    call = AuthorityClient._call

    def watched(self: AuthorityClient, method: str, path: str, *more: object, **how: object):
        sent.append((path, more[1]))
        return call(self, method, path, *more, **how)

    monkeypatch.setattr(AuthorityClient, "_call", watched)
    phone.declare(symptoms=False)
    phone.declare(symptoms=True)
    until = phone.declare(symptoms=True, since="2020-05-01")
    assert until == NOON + 21 * 86_400
    assert {len(body) for _, body in sent} == {64}
    latest = site.world.authority.declarations.latest(registered.user_id, NOON)
    assert latest is not None
    assert (latest.symptoms, latest.since_day) == (True, DAY - 3)


@pytest.mark.parametrize(
    "body",
    [
        {"symptoms": True, "temperature": 38.5},
        {"symptoms": True, "name": "x"},
        {"symptoms": "yes"},
        {"symptoms": True, "since": "yesterday"},
        {"symptoms": True, "since": "2020-02-31"},
        {"since": "2020-05-01"},
        [],
    ],
)
def test_nothing_else_can_be_declared(site: Site, body: object) -> None:
    _, registered = site.phone()
    status, said = site.send(
        "POST", "/v1/declarations", json.dumps(body).encode(), registered.credential
    )
    assert (status, said["error"]["code"]) == (400, "invalid_request")
    assert site.world.store.declarations.declaration(registered.user_id) is None


def test_a_date_that_does_not_fit_is_refused(site: Site) -> None:
    phone, _ = site.phone()
    with pytest.raises(InvalidRequestError, match="last 21 days"):
        phone.declare(symptoms=True, since="2020-01-01")


def test_strangers_get_no_passes(site: Site) -> None:
    for method, path in (
        ("POST", "/v1/passes"),
        ("GET", "/v1/status"),
        ("POST", "/v1/declarations"),
    ):
        assert [site.send(method, path, b"{}", bearer)[0] for bearer in (None, "x")] == [401, 401]


def test_lists_are_computed_once_an_edition_however_many_strangers_ask(site: Site) -> None:
    def asked() -> tuple[bytes, bytes]:
        client = site.operator
        return client.fetch_trust_list(), client.fetch_revocations()

    first = asked()
    assert all(asked() == first for _ in range(5))  # a signature made again would differ
    site.clock.now += 59
    assert asked() == first
    site.clock.now += 1
    later = asked()
    assert later[0] != first[0]
    assert later[1] == first[1]
    site.clock.now += 15 * 60 - 60
    assert asked()[1] != first[1]


def test_the_revocation_list_has_eight_bytes_for_each_pass(site: Site) -> None:
    users = [site.phone()[1].user_id for _ in range(3)]
    for place, user in enumerate(users):
        restrict(site.world, user, reference=f"CASE{place}")
    _, said = site.send("GET", "/v1/revocations")
    found = gate_of(site.operator).revoked
    # At noon: the hour before, 24 hours of a batch and the next one, and papers of eight days.
    assert len(found) == 3 * (2 * 26 + 8)
    assert len(b64decode(said["revocations"])) - 8 * len(found) < 130


def test_passes_for_somebody_else_need_a_charge_of_this_phone(site: Site) -> None:
    phone, _ = site.phone()
    with pytest.raises(NotFoundError):
        phone.fetch_passes("JBSWY3DPEB")


def test_declarations_are_limited_by_the_hour(site: Site) -> None:
    phone, _ = site.phone()
    for _ in range(DECLARATIONS_AN_HOUR):
        phone.declare(symptoms=False)
    status, said = site.send(
        "POST",
        "/v1/declarations",
        b'{"symptoms": true}',
        phone._credential,
    )
    assert (status, said["error"]["code"]) == (429, "rate_limited")
