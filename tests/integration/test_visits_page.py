"""The page "Places and visits" of a case, by plain HTTP, in two languages."""

import re
from collections.abc import Iterator
from itertools import count

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import Pages, serving
from tests.presence_world import DAY, HOUR, PresenceWorld, sent
from tests.test_plain_text import EVIL
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.presence.taking import SentTrip
from tracetogether.errors import UnreadableMessageError
from tracetogether.presence.posters import make_poster

pytestmark = pytest.mark.network
SEEDS = count(900)


@pytest.fixture(scope="module")
def site() -> Iterator[Pages]:
    with serving(PresenceWorld.new()) as served:
        served.operator("ravi", Role.TRACER)
        served.operator("su", Role.SUPERVISOR)
        yield served


@pytest.fixture
def case(site: Pages) -> Case:
    """A case of ravi's with company, three visits and a trip."""
    world, authority = site.world, site.world.authority
    assert isinstance(world, PresenceWorld)
    found = world.case_of()
    rows = world.heard(world.user(), NOON - 30 * HOUR, 45) + world.heard(
        world.user(), NOON - 29.75 * HOUR, 30
    )
    world.take(found, rows, NOON)
    # Two cases at one place would vouch for each other: each test has places of its own.
    visits = [
        sent(make_poster(*place, entropy=counted_entropy(next(SEEDS))), NOON - hours * HOUR)
        for place, hours in (
            *((("Café", "Lane 1"), 9), (("Bar", "Lane 2"), 6)),
            (("<b>Cinema</b> & bar", "Lane '3'"), 40),
        )
    ]
    world.report(found, visits, [SentTrip("G1234", "2020-05-02", "5")])
    return authority.casework.assign(found.case_id, "ravi", NOON, by=CONSOLE)


def test_the_fourteen_days_are_a_picture_and_a_table(site: Pages, case: Case) -> None:
    days = site.world.authority.fourteen_days.of(case.case_id, by=CONSOLE).days
    assert [day.day for day in days] == list(range(DAY - 14, DAY + 1))
    yesterday = days[-2]
    assert (yesterday.people, [hour.people for hour in yesterday.company]) == (2, [2])
    assert [len(day.visits) for day in days[-3:]] == [1, 0, 2]
    assert [len(day.trips) for day in days[-3:]] == [1, 0, 0]
    visitor = site.visitor("ravi")
    for path in ("", "/visits"):
        status, page = visitor.get(f"/cases/{case.case_id}{path}")
        assert status == 200
        check_days(page)


def check_days(page: str) -> None:
    """Check the picture and the table on a page."""
    picture = re.search(r'<svg class="picture whole".*?</svg>', page, re.DOTALL)
    assert picture is not None
    assert picture[0].count('class="accent"') == 3
    width, last = (
        re.search(r'width="(\d+)"', picture[0]),
        re.search(r'x="(\d+)"[^>]*>24:00', picture[0]),
    )
    assert width is not None
    assert last is not None
    assert int(width[1]) - int(last[1]) >= 18  # half of the hour's five characters
    assert picture[0].count('class="second"') == 1
    assert "2 people nearby" in picture[0]
    assert "&lt;b&gt;Cinema&lt;/b&gt; &amp; bar" in picture[0]
    assert "<b>Cinema" not in page
    assert "Visit: Café, Lane 1, 03:00–04:00" in picture[0]
    row = re.search(r'<th scope="row">2020-05-03</th>.*?</tr>', page, re.DOTALL)
    assert row is not None
    assert "06:00 (2)" in row[0]
    assert "<script" not in page


def test_no_poster_with_hidden_characters_gets_so_far() -> None:
    with pytest.raises(UnreadableMessageError):
        make_poster(EVIL, entropy=counted_entropy(74))


def test_a_warning_is_published_after_a_question_in_two_languages(site: Pages, case: Case) -> None:
    authority = site.world.authority
    shown = authority.warnings.of_case(case.case_id, by=CONSOLE).visits[-1]
    visitor, here = site.visitor("ravi"), f"/cases/{case.case_id}/visits"
    visitor.get(here)
    form = {"visit": shown.kept.visit_id, "visit_reason": "called <b>them</b>", "act": "confirm"}
    status, _ = visitor.post(f"{here}/decide", **form)
    assert (status, "Publish this warning?" in visitor.text()) == (200, True)
    assert "Bar" in visitor.text()
    assert authority.warnings.visit(shown.kept.visit_id, by=CONSOLE).kept.state.value == "waiting"
    status, _ = visitor.post(f"{here}/decide", **form, confirm="yes")
    assert status == 303
    visitor.language = "zh"
    visitor.get(here)
    assert "将在下一个整点发布" in visitor.text()
    assert "called &lt;b&gt;them" in visitor.body


def test_what_was_typed_is_given_back_with_what_is_wrong(site: Pages, case: Case) -> None:
    (shown,) = site.world.authority.warnings.of_case(case.case_id, by=CONSOLE).trips
    visitor, here = site.visitor("ravi"), f"/cases/{case.case_id}/visits"
    visitor.get(here)
    form = {"trip": shown.kept.trip_id, "aboard": "19", "trip_reason": "counted", "act": "confirm"}
    status, page = visitor.post(f"{here}/decide-trip", **form)
    assert status == 400
    assert "With 19 aboard, people could be named." in visitor.text()
    assert 'value="19"' in page
    assert 'value="counted"' in page
    assert re.search(r'id="aboard"[^>]*aria-invalid="true"', page)
    for changed, field in (
        ({"trip": ""}, "trip"),
        ({"aboard": "many"}, "aboard"),
        ({"trip_reason": " "}, "trip_reason"),
        ({"seat_row": "12"}, "seat_row"),
        ({"seat_row": "19", "seat_rows": "18"}, "seat_row"),
    ):
        status, page = visitor.post(f"{here}/decide-trip", **(form | {"aboard": "80"} | changed))
        assert status in {400, 404}, changed
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', page), changed
    good = form | {"aboard": "85", "seat_row": "12", "seat_rows": "18"}
    status, _ = visitor.post(f"{here}/decide-trip", **good)
    assert "rows 7 to 12" in visitor.text()
    status, _ = visitor.post(f"{here}/decide-trip", **(good | {"confirm": "yes"}))
    assert status == 303
    found = site.world.authority.warnings.trip(shown.kept.trip_id, by=CONSOLE)
    assert (found.first_row, found.last_row) == (7, 12)
    kept = found.kept
    assert (kept.state.value, kept.aboard, kept.decided_by) == ("released", 85, "ravi")


def test_a_supervisor_sees_the_page_and_decides_nothing(site: Pages, case: Case) -> None:
    visitor = site.visitor("su")
    status, page = visitor.get(f"/cases/{case.case_id}/visits")
    assert status == 200
    assert 'name="visit_reason"' not in page
    assert visitor.post(f"/cases/{case.case_id}/visits/decide")[0] == 403
