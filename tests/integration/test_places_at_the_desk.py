"""Places over HTTP and on the desk's pages, in two languages."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority_world import DAY, NOON, World, heard
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.places.place import Place
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
    world.authority.places.batch(place.user_id, NOON - 8_000)
    case = world.authority.casework.open_case(world.user(), NOON, DAY, by=CONSOLE)
    world.authority.casework.assign(case.case_id, "tim", NOON, by=CONSOLE)
    world.take(case, heard(world.authority, place.user_id, NOON - 7_200, 40), NOON)
    tim = site.visitor("tim")
    assert tim.get(f"/cases/{case.case_id}")[0] == 200
    assert "Hall &lt;1&gt;" in tim.body
    assert "2020-05-04 10:00" in tim.text()
    assert place.user_id not in tim.body
    link = re.search(r'href="/desk(/places\?[^"#]*)#warn"', tim.body)
    assert link is not None
    tim.get(html.unescape(link[1]))
    form = warning_form(tim)
    assert (form["warn_day"], form["warn_from"]) == ("2020-05-04", "10:00")
    assert form["warned_place"] == place.place_id


def warning_form(visitor: Visitor) -> dict[str, str]:
    """Return what the fields of the warning hold on the page that a visitor sees."""
    found = re.findall(r'<input id="(warn_\w+)"[^>]* value="([^"]*)"', visitor.body)
    chosen = re.search(r'<option value="(\w+)" selected', visitor.body)
    return dict(found) | {"warned_place": chosen[1] if chosen else ""}


def speaking(site: Pages, name: str) -> Place:
    place, _ = site.world.authority.places.add(name, "West", NOON, by=CONSOLE)
    site.world.authority.places.batch(place.user_id, NOON - 6 * 3_600)
    return place


@pytest.mark.parametrize(("language", "asks"), [("en", "Warn everybody who was"), ("zh", "要提醒")])
def test_a_tracer_warns_of_a_place_after_a_question(site: Pages, language: str, asks: str) -> None:
    authority = site.world.authority
    place = speaking(site, f"Library <i> {language}")
    tim = site.visitor("tim")
    tim.language = language
    tim.get("/places")
    form = {
        "warned_place": place.place_id,
        "warn_day": "2020-05-04",
        "warn_from": "08:00",
        "warn_to": "09:30",
        "warn_reason": "a case ate <b>here</b>",
    }
    assert tim.post("/places/warn", **form)[0] == 200
    shown = tim.text()
    assert asks in shown
    assert "1.5" in shown  # hours
    assert "2020-05-04 13:00" in shown  # the next full hour
    assert "<i>" not in tim.body
    digests = set(
        authority.places.heard_digests(place.place_id, NOON - 14_400, NOON - 9_000, by=CONSOLE)
    )
    assert len(digests) == 7  # of a quarter of an hour each, from within one to within another
    assert digests.isdisjoint(authority.store.presence.released_heard(site.clock.now + 1))
    assert tim.post("/places/warn", **form, confirm="yes") == (303, "/desk/places")
    assert digests <= set(authority.store.presence.released_heard(site.clock.now + 1))
    (noted,) = [
        entry
        for entry in authority.audit.entries(by=CONSOLE)
        if entry.act == "place.warned" and entry.subject == place.place_id
    ]
    assert noted.by == "tim"
    tim.get("/places")
    assert tim.post("/places/warn", **form, confirm="yes")[0] == 409  # there is nothing new


def test_a_warning_that_cannot_be_is_given_back_with_what_is_wrong(site: Pages) -> None:
    place = speaking(site, "Gym")
    tim = site.visitor("tim")
    form = {
        "warned_place": place.place_id,
        "warn_day": "2020-05-04",
        "warn_from": "08:00",
        "warn_to": "09:00",
        "warn_reason": "a case",
    }
    for changed, field, status in (
        ({"warned_place": ""}, "warned_place", 404),
        ({"warn_day": "2020-05-02"}, "warned_place", 409),  # it was silent then
        ({"warn_day": "2020-04-02"}, "warn_day", 400),
        ({"warn_day": ""}, "warn_day", 400),
        ({"warn_day": "2020-05-06"}, "warn_day", 400),
        ({"warn_from": "8 o'clock"}, "warn_from", 400),
        ({"warn_to": ""}, "warn_from", 400),
        ({"warn_reason": " "}, "warn_reason", 400),
    ):
        tim.get("/places")
        sent = form | changed
        assert tim.post("/places/warn", **sent)[0] == status, changed
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', tim.body), changed
        given = {name: html.unescape(text) for name, text in warning_form(tim).items()}
        assert given == sent, changed


def test_a_supervisor_sees_no_form_of_a_warning_and_warns_of_nothing(site: Pages) -> None:
    place = speaking(site, "Pool")
    sue = site.visitor("sue")
    sue.get("/places")
    assert 'name="warned_place"' not in sue.body
    assert sue.post("/places/warn", warned_place=place.place_id)[0] == 403
