"""Pages with nobody, one and two: each figure agrees with its noun, in each language."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tests.status_world import StatusWorld
from tracetogether.adapters.operator_pages import roles
from tracetogether.adapters.operator_pages.texts import LANGUAGES
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.case import Case

pytestmark = pytest.mark.network

NOUNS = (
    *("appeals", "batches", "calls", "cases", "colleagues", "contacts", "days", "entries", "hours"),
    *("lines", "links", "lists", "logs", "minutes", "operators", "orders", "partners", "people"),
    *("phones", "places", "records", "restrictions", "trips", "uploads", "users", "visits"),
)
ONE_OF_MANY = re.compile(rf"\b1 (?:[a-z]+ )?(?:{'|'.join(NOUNS)})\b")
"""A one with a noun in the plural."""
HALF_PLURAL = re.compile(r"\w\(s\)")
PATHS = [path for method, path in sorted(roles.ACTIONS) if method == "GET" and "{" not in path]


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(StatusWorld.new(entropy=counted_entropy(12))) as served:
        served.operator("sue", *Role)
        yield served


def opened(pages: Pages) -> Case:
    """Open a case whose log names one person more than there were cases before."""
    world, now = pages.world, pages.clock.now
    case = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
    rows = world.heard(world.user(), NOON - 50_000, 60)
    world.take(case, rows, now)
    world.authority.finder.work_off(now)
    return case


def words(visitor: Visitor) -> str:
    """Return what the page says; a bar parts elements, so that no sentence goes over two."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " | ", visitor.body)).split())


def shown(visitor: Visitor, cases: list[Case]) -> Iterator[tuple[str, str]]:
    wanted = [*PATHS, "/follow-up?who=all"]
    for case in cases:
        wanted += [f"/cases/{case.case_id}{end}" for end in ("", "/graph", "/visits")]
    for path in wanted:
        status, _ = visitor.get(path)
        assert status == 200, path
        yield path, words(visitor)
    visitor.get("/audit")
    visitor.post("/audit/verify")
    yield "/audit/verify", words(visitor)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_page_says_one_with_a_plural(pages: Pages, count: int) -> None:
    while len(found := pages.world.authority.casework.cases(by=CONSOLE)) < count:
        opened(pages)
    visitor, said = pages.visitor("sue"), ""
    for path, text in shown(visitor, list(found)):
        assert not ONE_OF_MANY.search(text), (path, ONE_OF_MANY.search(text))
        assert not HALF_PLURAL.search(text), path
        said += text
    if count == 1:
        assert "1 case " in said
        assert "1 person to call" in said
    if count == 2:
        assert "2 cases, newest first" in said
        assert "2 people to call" in said


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_each_language_shows_all_pages(pages: Pages, language: str) -> None:
    visitor = pages.visitor("sue")
    visitor.language = language
    for path, text in shown(visitor, list(pages.world.authority.casework.cases(by=CONSOLE))):
        assert "{" not in text, path
        assert not HALF_PLURAL.search(text), path
