"""Places over HTTP and on the desk's pages, in two languages."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority_world import DAY, NOON, World, heard
from tests.conftest import counted_entropy
from tests.pages_world import Pages, serving
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.errors import TraceTogetherError
from tracetogether.phone_registration import PhoneRegistration

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def site() -> Iterator[Pages]:
    with serving(World.of(counted_entropy(77))) as pages:
        pages.operator("sue", Role.SUPERVISOR)
        pages.operator("tim", Role.TRACER)
        yield pages


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_place_is_registered_speaks_and_retires_on_the_pages(
    site: Pages, language: str, tmp_path: Path
) -> None:
    sue = site.visitor("sue")
    sue.language = language
    name = f"Canteen <b> {language}"
    sue.get("/places")
    assert sue.post("/places", place_name=name, site="North")[0] == 200
    line = re.search(r'<dd class="id">(\{.*?\})</dd>', sue.body)
    assert line is not None
    given = json.loads(html.unescape(line[1]))
    PhoneRegistration(**given).save(tmp_path / "credential")
    url = site.url.removesuffix("/desk")
    client = AuthorityClient(url, credential=given["credential"], retries=0, allow_plain_http=True)
    with client:
        assert len(client.fetch_batch().tempids) == 100
        with pytest.raises(TraceTogetherError, match="place"):
            client.redeem_pin("12345678", b"0" * 32)
    sue.get("/places")
    assert {"en": "speaking", "zh": "工作中"}[language] in sue.text()
    assert html.escape(name) in sue.body
    assert given["credential"] not in sue.body
    place = next(
        row.place
        for row in site.world.authority.places.all(NOON, by=CONSOLE)
        if row.place.name == name
    )
    retire = f"/places/{place.place_id}/retire"
    assert sue.post(retire)[0] == 200  # the question
    assert sue.post(retire, confirm="yes") == (303, "/desk/places")
    with client, pytest.raises(TraceTogetherError):
        client.fetch_batch()


def test_a_refused_name_is_given_back(site: Pages) -> None:
    sue = site.visitor("sue")
    sue.get("/places")
    assert sue.post("/places", place_name="a" * 101, site="North")[0] == 400
    assert 'value="North"' in sue.body
    assert "at most 100 characters" in sue.text()


def test_a_case_shows_its_stays_to_its_tracer(site: Pages) -> None:
    world = site.world
    place, _ = world.authority.places.add("Hall <1>", "South", NOON, by=CONSOLE)
    case = world.authority.casework.open_case(world.user(), NOON, DAY, by=CONSOLE)
    world.authority.casework.assign(case.case_id, "tim", NOON, by=CONSOLE)
    world.take(case, heard(world.authority, place.user_id, NOON - 7_200, 40), NOON)
    tim = site.visitor("tim")
    assert tim.get(f"/cases/{case.case_id}")[0] == 200
    assert "Hall &lt;1&gt;" in tim.body
    assert "2020-05-04 10:00" in tim.text()
    assert place.user_id not in tim.body
