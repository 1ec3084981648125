"""Visits over HTTP: what a case's phone sends, and what strangers fetch, all the same bytes."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from tests.authority_world import NOON, OPERATOR_TOKEN
from tests.fresh_stores import inside
from tests.http_site import Site
from tests.presence_world import BAR, CAFE, HOUR
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.crypto import sha256
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.presence.packages import read_package
from tracetogether.presence.posters import Poster, poster_url
from tracetogether.presence.trips import read_trips
from tracetogether.signed.trust import TrustList

pytestmark = pytest.mark.network
LOG = sha256(b"any log")


def said(*visits: tuple[Poster, float, float], trips: Any = (), blanks: int = 0) -> bytes:
    rows = [
        {"poster": poster_url(poster), "start": start, "end": end} for poster, start, end in visits
    ]
    return json.dumps({"visits": rows, "trips": list(trips)}).encode() + b" " * blanks


def leave(site: Site) -> tuple[PhoneRegistration, str]:
    _, registered = site.phone()
    authority = site.world.authority
    case = authority.casework.open_case(registered.user_id, site.clock.now, by=CONSOLE)
    pin = authority.pins.issue(case, site.clock.now, by=CONSOLE)
    token = authority.intake.redeem_pin(registered.user_id, pin, LOG, site.clock.now)
    return registered, token


def report(site: Site, body: bytes) -> tuple[int, Any]:
    registered, token = leave(site)
    return site.send("POST", "/v1/visits", body, token, X_Credential=registered.credential)


def fetch(site: Site, path: str, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.http.request("GET", site.url + path, headers=sent)


def trust(site: Site) -> TrustList:
    passes = site.world.authority.passes
    return TrustList.read(passes.trust_list(site.clock.now), passes.list_key(by=CONSOLE))


def test_from_two_phones_to_everybody(site: Site) -> None:
    trip = {"service": "G1234", "date": "2020-05-03", "car": "5"}
    # The phones registered today: what came before is refused, by name.
    body = said((CAFE, NOON - 3 * HOUR, NOON - 2 * HOUR), (BAR, NOON - 40 * HOUR, NOON - 39 * HOUR))
    status, answer = report(site, body)
    assert (status, answer["visits"]) == (201, 1)
    assert answer["refused_visits"] == [{"place": 1, "why": "before_registration"}]
    status, answer = report(
        site, said((CAFE, NOON - 4 * HOUR, NOON - 3 * HOUR), trips=[trip], blanks=60_000)
    )
    assert (status, answer["visits"], answer["trips"]) == (201, 1, 1)
    _, waiting = site.send("GET", "/v1/reports", bearer=OPERATOR_TOKEN)
    assert waiting["visits"] == []
    (row,) = waiting["trips"]
    assert (row["service"], row["car"], row["date"]) == ("G1234", "5", "2020-05-03")
    status, _ = site.send(
        "POST",
        f"/v1/reports/trips/{row['trip_id']}/confirm",
        b'{"aboard": 19, "reason": "counted"}',
        OPERATOR_TOKEN,
    )
    assert status == 400
    status, row = site.send(
        "POST",
        f"/v1/reports/trips/{row['trip_id']}/confirm",
        b'{"aboard": 85, "reason": "counted"}',
        OPERATOR_TOKEN,
    )
    assert (status, row["state"], row["aboard"], row["decided_by"]) == (
        200,
        "released",
        85,
        "operator",
    )
    assert json.loads(fetch(site, "/v1/warnings").data) == {"hours": []}
    site.clock.now += HOUR
    assert site.world.authority.publishing.publish(site.clock.now) == 2
    site.clock.now += 60
    index = fetch(site, "/v1/warnings")
    assert index.headers["Cache-Control"] == "public, max-age=60"
    ((hour, length),) = [tuple(row.values()) for row in json.loads(index.data)["hours"]]
    package = fetch(site, f"/v1/warnings/{hour}")
    assert (len(package.data), package.headers["Content-Type"]) == (length, "application/cose")
    assert "immutable" in package.headers["Cache-Control"]
    assert len(read_package(package.data, trust(site)).visits) == 2, "two visits that touch, a fake"
    listed = fetch(site, "/v1/trips/2020-05-03")
    assert len(read_trips(listed.data, trust(site)).trips) == 1
    assert fetch(site, f"/v1/warnings/{hour + 1}").status == 404
    assert fetch(site, "/v1/trips/2020-05-02").status == 404


def test_everybody_gets_the_same_bytes_for_a_few_queries(site: Site) -> None:
    for _ in range(2):
        report(site, said((CAFE, NOON - 3 * HOUR, NOON - 2 * HOUR)))
    site.clock.now += HOUR
    site.world.authority.publishing.publish(site.clock.now)
    hour = int(NOON // HOUR)
    asked: list[str] = []
    engine = inside(site.world.store).database.engine

    def count(_: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "COMMIT", "ROLLBACK")):
            asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        answers = [fetch(site, f"/v1/warnings/{hour}", User_Agent=f"p{n}") for n in range(20)]
        strangers = [fetch(site, f"/v1/warnings/{n}").status for n in range(20)]
        same = [fetch(site, "/v1/warnings").data for _ in range(20)]
        bundles = [fetch(site, f"/v1/warnings/{hour}/bundle").data for _ in range(20)]
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert len({answer.data for answer in answers}) == 1
    assert set(strangers) == {404}
    assert (len(set(same)), len(set(bundles))) == (1, 1)
    assert answers[0].data in bundles[0]
    assert len(asked) == 4, asked  # the index and the package, for packages and for bundles
    tag = answers[0].headers["ETag"]
    again = fetch(site, f"/v1/warnings/{hour}", If_None_Match=f'"x", {tag}')
    assert (again.status, again.data, again.headers["ETag"]) == (304, b"", tag)


def test_only_the_phone_that_got_the_token_reports_and_only_once(site: Site) -> None:
    registered, token = leave(site)
    _, other = site.phone()
    body = said((CAFE, NOON - 3 * HOUR, NOON - 2 * HOUR))
    assert site.send("POST", "/v1/visits", body)[0] == 401
    assert site.send("POST", "/v1/visits", body, "forged")[0] == 401
    for credential in ("", "x", other.credential):
        status, _ = site.send("POST", "/v1/visits", body, token, X_Credential=credential)
        assert status in {401, 403}, credential
    first = site.send("POST", "/v1/visits", body, token, X_Credential=registered.credential)
    again = site.send("POST", "/v1/visits", body, token, X_Credential=registered.credential)
    assert (first[0], again[0], again[1]["error"]["code"]) == (201, 409, "conflict")


def test_answers_are_as_long_for_a_phone_that_pretends(site: Site) -> None:
    lengths = []
    for pretends in (True, False):
        registered, token = leave(site)
        if pretends:
            token = site.world.authority.intake.pretend_redeem(
                registered.user_id, LOG, site.clock.now
            )
        answer = site.http.request(
            "POST",
            site.url + "/v1/visits",
            body=said((CAFE, NOON - 3 * HOUR, NOON - 2 * HOUR), (BAR, 1, 2)),
            headers={
                "Authorization": f"Bearer {token}",
                "X-Credential": registered.credential,
                "Content-Type": "application/json",
            },
        )
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
        lengths.append((answer.status, head + len(answer.data), json.loads(answer.data)))
    assert lengths[0] == lengths[1]
    assert len(site.world.store.presence.waiting_visits()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"visits": [{"poster": "x", "start": 1}]}',
        b'{"visits": [{"poster": "x", "start": 1, "end": 2, "seat": "12A"}]}',
        b'{"trips": [{"service": "G1", "date": "2020-05-03", "seat": "12A"}]}',
        b'{"visits": [' + b",".join([b'{"poster": "x", "start": 1, "end": 2}'] * 301) + b"]}",
    ],
)
def test_messages_of_another_form_are_refused_as_a_whole(site: Site, body: bytes) -> None:
    status, answer = report(site, body)
    assert (status, answer["error"]["code"]) == (400, "invalid_request")


def test_a_tracer_decides_over_http(site: Site) -> None:
    report(site, said((CAFE, NOON - 3 * HOUR, NOON - 2 * HOUR)))
    _, waiting = site.send("GET", "/v1/reports", bearer=OPERATOR_TOKEN)
    (row,) = waiting["visits"]
    assert (row["description"], row["state"]) == ("Café", "waiting")
    way = f"/v1/reports/visits/{row['visit_id']}"
    assert site.send("POST", way + "/confirm", b'{"reason": " "}', OPERATOR_TOKEN)[0] == 400
    status, row = site.send("POST", way + "/refuse", b'{"reason": "not there"}', OPERATOR_TOKEN)
    assert (status, row["state"], row["reason"]) == (200, "refused", "not there")
    status, _ = site.send("POST", way + "/confirm", b'{"reason": "after all"}', OPERATOR_TOKEN)
    assert status == 409
    _, of_case = site.send("GET", f"/v1/cases/{row['case_id']}/visits", bearer=OPERATOR_TOKEN)
    assert of_case["visits"] == [row]
