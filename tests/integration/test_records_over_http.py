"""Two authorities on loopback: one upload with people of three organisations; strangers refused."""

import json
from collections.abc import Iterator

import pytest
import urllib3

from tests.authority_world import NOON, OPERATOR_TOKEN
from tests.http_site import Clock, Site
from tests.partners_world import LATER, Border, authority_of, recognise, world_of
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.partners.batches import MOST_MESSAGE
from tracetogether.bluetrace.upload import write_upload
from tracetogether.errors import AccessDeniedError
from tracetogether.parameters import REFUSED_RECORDS_AN_HOUR

pytestmark = pytest.mark.network


@pytest.fixture
def served() -> Iterator[tuple[Border, Site, Site]]:
    """Singapore and Australia, each with a server."""
    border = Border()
    clocks = Clock(), Clock()
    places = border.home, border.abroad
    apps = [
        http_api.create_app(place, clock=clock, answer_step_s=0)
        for place, clock in zip(places, clocks, strict=True)
    ]
    for place in places:
        place.staff.add("operator", ALL_ROLES, OPERATOR_TOKEN, NOON, by=CONSOLE)
    with (
        http_api.running(apps[0]) as home,
        http_api.running(apps[1]) as abroad,
        AuthorityClient(home, operator_token=OPERATOR_TOKEN, retries=0) as ours,
        AuthorityClient(abroad, operator_token=OPERATOR_TOKEN, retries=0) as theirs,
        urllib3.PoolManager() as http,
    ):
        recognise(border.home, border.abroad, address=abroad)
        recognise(border.abroad, border.home, address=home)
        yield (
            border,
            Site(home, clocks[0], world_of(border.home), ours, http),
            Site(abroad, clocks[1], world_of(border.abroad), theirs, http),
        )


def test_one_upload_with_three_organisations(served: tuple[Border, Site, Site]) -> None:
    border, home, abroad = served
    third = authority_of("NZ_MOH", b"third")
    phone, registered = home.phone()
    own, _ = home.phone()[1], None
    visitor = abroad.phone()[1]
    stranger = third.issuance.register()
    start = NOON - 6 * 3_600
    body = write_upload(
        [
            *border.rows(border.home, own.user_id, start),
            *border.rows(border.abroad, visitor.user_id, start + 3_600),
            *border.rows(third, stranger.user_id, start + 7_200),
        ]
    )
    case_id = home.operator.open_case(registered.user_id)
    token = phone.redeem_pin(home.operator.issue_pin(case_id), body)
    receipt = phone.upload(body, token)
    assert receipt["accepted"] == 120
    assert receipt["rejected"] == {"foreign": 120, "foreign_unknown": 120}
    border.home.finder.work_off(NOON)

    found = home.send("GET", f"/v1/cases/{case_id}/contacts", bearer=OPERATOR_TOKEN)[1]
    assert len(found["contacts"]) == 1
    (handed,) = found["handed_over"]
    assert (handed["organisation"], handed["people"], handed["state"]) == ("AU_DTA", 1, "waits")

    home.clock.now = abroad.clock.now = LATER
    assert send_all(border, abroad) == 120
    border.abroad.finder.work_off(LATER)
    found = home.send("GET", f"/v1/cases/{case_id}/contacts", bearer=OPERATOR_TOKEN)[1]
    assert found["handed_over"][0]["state"] == "sent"

    (case,) = border.abroad.casework.cases(by=CONSOLE)
    there = abroad.send("GET", f"/v1/cases/{case.case_id}/contacts", bearer=OPERATOR_TOKEN)[1]
    (contact,) = there["contacts"]
    assert contact["close_contact"]
    assert border.abroad.desk.name_of(visitor.user_id) == contact["pseudonym"]
    status, listed = abroad.send("GET", "/v1/partners", bearer=OPERATOR_TOKEN)
    assert status == 200
    (partner,) = listed["partners"]
    assert (partner["organisation"], partner["taken_records"]) == ("SG_MOH", 120)
    for secret in (registered.user_id, case_id):
        assert secret not in json.dumps(there)


def send_all(border: Border, abroad: Site) -> int:
    """Send what waits over HTTP, each batch twice; return how many records it was."""
    sent = 0
    border.home.record_sending.pack(LATER)
    with AuthorityClient(abroad.url, retries=0) as client:
        for batch in border.home.record_sending.to_send("AU_DTA", LATER):
            assert client.hand_over("SG_MOH", batch.message)[0] is False
            assert client.hand_over("SG_MOH", batch.message)[0] is True
            border.home.record_sending.sent(batch, LATER)
            sent += batch.records
    return sent


def post(site: Site, organisation: str, body: bytes) -> tuple[int, str]:
    path = f"/v1/partners/{organisation}/records"
    status, said = site.send("POST", path, body, content_type="application/cose")
    return status, said.get("error", {}).get("code", "")


def test_strangers_are_refused_with_one_answer_and_then_not_read(
    served: tuple[Border, Site, Site],
) -> None:
    border, home, abroad = served
    greeting = border.home.record_sending.greeting("AU_DTA", NOON)
    assert post(abroad, "SG_MOH", greeting) == (200, "")
    tampered = greeting[:-1] + bytes([greeting[-1] ^ 1])
    refused = {
        post(abroad, organisation, message)
        for organisation, message in (
            ("SG_MOH", tampered),
            ("XX_YY", greeting),
            ("SG_MOH", b""),
            ("SG_MOH", b"{}"),
            ("AU_DTA", greeting),
        )
    }
    assert refused == {(401, "unauthorized")}
    assert post(abroad, "SG_MOH", bytes(MOST_MESSAGE + 1)) == (413, "too_large")
    assert post(home, "AU_DTA", greeting)[0] == 401  # our own batch comes back
    for _ in range(REFUSED_RECORDS_AN_HOUR - 5):
        post(abroad, "SG_MOH", b"x")
    assert post(abroad, "SG_MOH", greeting) == (429, "rate_limited")


def test_a_removed_partner_is_refused(served: tuple[Border, Site, Site]) -> None:
    border, _, abroad = served
    border.abroad.partners.remove("SG_MOH", NOON, by=CONSOLE)
    greeting = border.home.record_sending.greeting("AU_DTA", NOON)
    with AuthorityClient(abroad.url, retries=0) as client, pytest.raises(AccessDeniedError):
        client.hand_over("SG_MOH", greeting)
