"""The person's language at the desk: chosen in the one form, filtered, and what is sent in it."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tests.status_world import StatusWorld
from tracetogether.adapters.operator_pages.spoken import language_name, languages_to_choose
from tracetogether.adapters.operator_pages.texts import TEXTS
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network


@pytest.fixture
def pages() -> Iterator[Pages]:
    world = StatusWorld.new(entropy=counted_entropy(13))
    with serving(world) as served:
        served.operator("siti", Role.TRACER)
        served.operator("sue", Role.SUPERVISOR)
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        rows = [row for _ in range(2) for row in world.heard(world.user(), NOON - 50_000, 60)]
        world.take(case, sorted(rows, key=lambda row: row.time), NOON)
        world.authority.finder.work_off(NOON)
        yield served


def call(tracer: Visitor, **form: str) -> None:
    """Record the outcome of the call that the page shows."""
    path = re.search(r'action="/desk(/calls/\w+)/save"', tracer.body)
    version = re.search(r'name="version" value="(\d+)"', tracer.body)
    assert path
    assert version
    sent = {"version": version[1], "stop": "yes", **form}
    assert tracer.post(f"{path[1]}/save", **sent)[0] == 303


def take_next(tracer: Visitor) -> None:
    tracer.get("/calls")
    if 'id="shift_reason"' in tracer.body:
        tracer.post("/calls/shift", shift_reason="daily_calls")
        tracer.get("/calls")
    assert tracer.post("/calls/next")[0] == 303
    tracer.get("/calls")


def people(visitor: Visitor, spoken: str) -> int:
    visitor.get(f"/follow-up?who=all&spoken={spoken}")
    return visitor.body.count('<th class="id" scope="row">')


def test_the_message_and_the_questions_are_in_the_persons_language(pages: Pages) -> None:
    tracer = pages.visitor("siti")
    take_next(tracer)
    who = re.search(r'<span class="id">(\w{5}-\w{5})</span>', tracer.body)
    assert who
    assert 'value="ms">Malay<' in tracer.body
    assert "Good day, this is SG_MOH" in tracer.text()
    assert "We have tried to reach you" not in tracer.body  # nobody has missed a call yet
    call(tracer, outcome="not_reached", spoken="ms")
    sue = pages.visitor("sue")
    assert [people(sue, code) for code in ("ms", "ta", "und", "nonsense")] == [1, 0, 1, 2]
    for _ in range(2):
        pages.clock.now += SECONDS_PER_DAY
        tracer = pages.visitor("siti")
        take_next(tracer)
        while who[1] not in tracer.body:
            take_next(tracer)
        text = tracer.body
        call(tracer, outcome="not_reached")
    message = re.search(r'<textarea class="copy" readonly[^>]*lang="(\w+)"[^>]*>([^<]*)<', text)
    assert message
    assert message[1] == "ms"
    assert unescape(message[2]).startswith("Ini SG_MOH. Kami cuba menghubungi anda")
    assert "{" not in message[2]
    assert not re.search(r"COVID|\bkes\b|kontak", message[2])
    assert "Good day, this is SG_MOH" in unescape(text)  # the tracer's own language comes first
    assert '<div lang="ms">' in text
    assert "Selamat sejahtera, ini SG_MOH" in unescape(text)


def test_a_language_without_texts_gets_english_and_says_so(pages: Pages) -> None:
    tracer = pages.visitor("siti")
    tracer.language = "zh"
    take_next(tracer)
    tracer.post(f"{re.search(r'(/calls/[A-Z0-9]+)/save', tracer.body)[1]}/describe", spoken="vi",
        version=re.search(r'name="version" value="(\d+)"', tracer.body)[1])  # fmt: skip
    tracer.get("/calls")
    assert '<option value="vi" selected>越南语</option>' in tracer.body
    assert '<div lang="en">' in tracer.body
    assert "Good day, this is SG_MOH" in tracer.text()
    draft = re.search(r"(/calls/[A-Z0-9]+)/save", tracer.body)
    assert draft
    assert tracer.post(f"{draft[1]}/draft", spoken="und", text="x")[0] == 303
    tracer.get("/calls")
    assert '<option value="und" selected>' in tracer.body


def test_languages_to_choose_have_names_in_each_language() -> None:
    for t in TEXTS.values():
        named = languages_to_choose(t, "", "xx")
        assert [code for code, _ in named[: len(TEXTS)]] == list(TEXTS)
        assert len({code for code, _ in named}) == len(named) > 20
        assert all(name != code for code, name in named if code != "xx")
    assert language_name("yue", TEXTS["ms"]) == "Kantonis"
