"""The calling page in a real browser without scripts: clicks, keys alone, barriers, time-outs."""

import re
from collections.abc import Iterator
from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.authority_world import NOON
from tests.call_walk import Metered, Tracer, Work, call_centre, signed_in, walk
from tests.conftest import SLOW_MS
from tests.pages_world import PASSWORD, Pages
from tracetogether.authority.access.permissions import CONSOLE

pytestmark = [pytest.mark.network, pytest.mark.slow]
LANGUAGES = ("en-GB", "zh-CN")
CALLS = 6
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pages, Metered]]:
    with call_centre(tmp_path_factory.mktemp("calls") / "authority.db", 120) as made:
        yield made


def page_of(
    browser: Browser, language: str = "en-GB", *, scripts: bool = False, **how: object
) -> Page:
    context = browser.new_context(java_script_enabled=scripts, locale=language, **how)  # type: ignore[arg-type]
    context.set_default_timeout(SLOW_MS)
    return context.new_page()


def tracer_of(
    browser: Browser, centre: tuple[Pages, Metered], language: str = "en-GB", name: str = "ravi"
) -> Tracer:
    pages, meter = centre
    page = page_of(browser, language)
    signed_in(page, pages, name)
    tracer = Tracer(page, pages.url, meter)
    tracer.begin()
    return tracer


@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_take_two_clicks_or_five(
    browser: Browser, centre: tuple[Pages, Metered], language: str
) -> None:
    due = centre[0].world.authority.people.due(NOON, by=CONSOLE).total
    tracer = tracer_of(browser, centre, language)
    work = walk(tracer, CALLS)
    assert (work["unanswered"].most_clicks, work["unanswered"].keys) == (2, 0)
    assert 2 <= work["reached"].most_clicks <= 5
    assert (work["unanswered"].calls, work["reached"].calls) == (4, 2)
    assert min(kind.words for kind in work.values()) > 0
    by_keys = Tracer(
        tracer.page, tracer.url, tracer.meter, {"unanswered": Work(), "reached": Work()}
    )
    walk(by_keys, 6, keys=True)
    assert {kind.clicks for kind in by_keys.work.values()} == {0}
    assert centre[0].world.authority.people.due(NOON, by=CONSOLE).total == due - CALLS - 6
    tracer.page.context.close()


def test_the_last_call_is_corrected_with_one_click(
    browser: Browser, centre: tuple[Pages, Metered]
) -> None:
    tracer = tracer_of(browser, centre)
    page, first = tracer.page, tracer.page.locator("h1").inner_text()
    tracer.call("died")
    assert page.locator("h1").inner_text() != first
    expect(page.get_by_role("status")).to_contain_text("died")
    tracer.click(page.get_by_role("button", name="Correct this call"), leads_on=True)
    assert page.locator("h1").inner_text() == first
    tracer.call("not_reached")
    expect(page.get_by_role("status")).to_contain_text("not reached")
    page.context.close()


def test_a_session_that_ends_during_a_call_loses_nothing(
    browser: Browser, centre: tuple[Pages, Metered]
) -> None:
    tracer, pages = tracer_of(browser, centre), centre[0]
    page, note = tracer.page, "She waits for the result of a test.\n" * 5
    heading = page.locator("h1").inner_text()
    page.locator("#text").fill("A draft")
    page.locator("#outcome-symptoms").check()
    tracer.click(page.locator("button[formaction$='/draft']"), leads_on=True)
    expect(page.locator("#text")).to_have_value("A draft")
    page.locator("#text").fill(note)
    pages.clock.now += 3 * 3600
    tracer.click(page.locator("#result .actions button").first, leads_on=True)
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    page.get_by_label("User name").fill("ravi")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code").fill(pages.code("ravi"))
    tracer.click(page.get_by_role("main").get_by_role("button", name="Sign in"), leads_on=True)
    expect(page.locator("#given-text")).to_have_value(note)
    # The one who was killed instead of sent finds the draft with the same person.
    other = page.context.new_page()
    other.goto(f"{pages.url}/desk/calls")
    other.get_by_role("button", name="Call the next person").click()
    assert other.locator("h1").inner_text() == heading
    expect(other.locator("#text")).to_have_value("A draft")
    expect(other.locator("#outcome-symptoms")).to_be_checked()
    tracer.click(page.get_by_role("button", name="Send again"), leads_on=True)
    expect(page.get_by_role("status")).to_contain_text("symptoms")
    tracer.click(page.get_by_role("button", name="Correct this call"), leads_on=True)
    expect(page.locator(".note").last).to_contain_text("She waits for the result")
    page.context.close()


def test_whatever_button_is_pressed_nothing_typed_is_lost(
    browser: Browser, centre: tuple[Pages, Metered]
) -> None:
    tracer = tracer_of(browser, centre)
    page = tracer.page
    tracer.call("wrong_number")
    heading = page.locator("h1").inner_text()
    page.locator("#text").fill("She asked for the evening.")
    page.locator("summary").first.click()
    page.locator("#phone").fill("+65 5551 0000")
    # The call before is looked at again; its number is wrong, and another one is stored.
    tracer.click(page.get_by_role("button", name="Enter another number"), leads_on=True)
    assert page.locator("h1").inner_text() != heading
    expect(page.get_by_text("A call found that this number is wrong")).to_be_visible()
    page.locator("#text").fill("The neighbour knows it.")
    page.locator("#phone").fill("+65 5552 0000")
    tracer.click(page.locator("button[formaction$='/describe']"), leads_on=True)
    expect(page.locator(".number")).to_have_text("+65 5552 0000")
    expect(page.locator("#text")).to_have_value("The neighbour knows it.")
    page.locator("#outcome-no_symptoms").check()
    page.locator("#phone").press("Enter")  # saves the call, whatever button is first on the page
    expect(page.get_by_role("status")).to_contain_text("no symptoms")
    for _ in range(3):
        if page.locator("h1").inner_text() == heading:
            break
        page.locator("#text").fill("passing")
        tracer.click(page.locator("button[name=skip]"), leads_on=True)
    assert page.locator("h1").inner_text() == heading
    expect(page.locator("#text")).to_have_value("She asked for the evening.")
    expect(page.locator("#phone")).to_have_value("+65 5551 0000")
    page.context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_list_prints_on_a4(
    browser: Browser, centre: tuple[Pages, Metered], language: str
) -> None:
    pages = centre[0]
    people = pages.world.authority.people.due(NOON, limit=500, by=CONSOLE).people
    assert len(people) >= 60
    page = page_of(browser, language)
    signed_in(page, pages, "ravi")
    page.goto(f"{pages.url}/desk/follow-up")
    assert page.locator(".people tbody tr").count() < 60
    page.locator("a[href$='print=all']").click()
    page.wait_for_url("**print=all")
    assert page.locator(".people tbody tr").count() == len(people)
    headings = page.locator(".people thead th").all_inner_texts()
    sheets = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert 2 <= len(sheets) <= len(people) / 20 + 1
    texts = [sheet.extract_text() for sheet in sheets]
    for sheet, text in zip(sheets, texts, strict=True):
        assert [round(side) for side in sheet.mediabox[2:]] == [842, 595]  # A4, in points
        assert all(heading in text for heading in headings)  # the last column is not cut off
    assert {person.pseudonym for person in people} == set(
        re.findall(r"[A-Z2-7]{5}-[A-Z2-7]{5}", "".join(texts))
    )
    assert "Made-up Person" not in "".join(texts)
    page.context.close()


def test_a_phone_shows_todays_call_first(browser: Browser, centre: tuple[Pages, Metered]) -> None:
    page = page_of(browser, viewport=PHONE)
    signed_in(page, centre[0], "ravi")
    page.goto(f"{centre[0].url}/desk/follow-up")
    row = page.locator(".people tbody tr").first
    for cell in (row.locator("th"), row.locator("button")):
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    tracer = Tracer(page, centre[0].url, centre[1])
    tracer.begin()
    number, outcome = page.locator(".number"), page.locator("#outcome-not_reached")
    tops = [found.bounding_box() or {"y": 1e9} for found in (number, outcome)]
    assert tops[0]["y"] < PHONE["height"]
    assert tops[0]["y"] < tops[1]["y"]
    page.context.close()


@pytest.mark.parametrize(("language", "width"), [("en-GB", 1200), ("zh-CN", 390)])
def test_no_state_of_the_calling_page_has_a_barrier(
    browser: Browser, centre: tuple[Pages, Metered], language: str, width: int
) -> None:
    pages, axe = centre[0], Axe()
    page = page_of(browser, language, scripts=True, viewport={**PHONE, "width": width})
    signed_in(page, pages, "siti")
    faults: dict[str, object] = {}

    def check(state: str) -> None:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        checked = axe.run(page, options={"resultTypes": ["violations"]})
        if checked.violations_count:
            faults[state] = checked.generate_report()
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            faults[f"{state}, width"] = wide

    tracer = Tracer(page, pages.url, centre[1])
    page.goto(f"{pages.url}/desk/calls")
    check("before the shift")
    page.locator("#shift_reason").evaluate("each => each.required = false")
    tracer.click(page.locator("form[action$='/calls/shift'] button"), leads_on=True)
    check("no reason")
    tracer.begin()
    check("sheet")
    tracer.call("not_reached")
    check("a saved call")
    page.locator("#text").fill("a draft")
    tracer.click(page.locator("button[formaction$='/draft']"), leads_on=True)
    check("draft")
    page.locator("#outcome-call_back").check()
    tracer.click(page.locator("#result .actions button").first, leads_on=True)
    assert page.locator("#next_time").get_attribute("aria-invalid") == "true"
    check("wrong form")
    page.goto(f"{pages.url}/desk/calls?left=none")
    check("sheet again")
    tracer.click(page.locator("form[action$='/shift/end'] button"), leads_on=True)
    page.goto(f"{pages.url}/desk/calls?left=none")
    check("nobody left")
    page.goto(f"{pages.url}/desk/follow-up")
    check("list")
    page.context.close()
    assert faults == {}
