"""A tracer warns of a place in a real browser: from a case's stay, without scripts; no barriers."""

import os
import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.authority_world import DAY, NOON, heard
from tests.call_walk import signed_in
from tests.conftest import SLOW_MS, counted_entropy
from tests.pages_world import Pages, serving
from tests.presence_world import CAFE, PresenceWorld, sent
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.case import Case

pytestmark = [pytest.mark.network, pytest.mark.slow]
FASTER = {"resultTypes": ["violations"]}
SHOTS = os.environ.get("TRACETOGETHER_SHOTS", "")


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(PresenceWorld.of(counted_entropy(63))) as served:
        served.operator("tim", Role.TRACER, Role.SUPERVISOR)
        yield served


@pytest.fixture(scope="module")
def case(pages: Pages) -> Case:
    """A case of tim's with a stay at a place that speaks, and a visit beside it."""
    world = pages.world
    assert isinstance(world, PresenceWorld)
    found = world.case_of()
    place, _ = world.authority.places.add("Canteen 3", "North campus", NOON, by=CONSOLE)
    world.authority.places.batch(place.user_id, NOON - 8 * 3_600)
    world.report(found, [sent(CAFE, NOON - 4 * 3_600)])
    world.take(found, heard(world.authority, place.user_id, NOON - 7_200, 40), NOON)
    assert found.day == DAY
    return world.authority.casework.assign(found.case_id, "tim", NOON, by=CONSOLE)


def page_of(browser: Browser, language: str, width: int, *, scripts: bool) -> Page:
    context = browser.new_context(
        java_script_enabled=scripts, locale=language, viewport={"width": width, "height": 800}
    )
    context.set_default_timeout(SLOW_MS)
    return context.new_page()


def test_a_tracer_warns_of_a_place_from_a_cases_stay_without_scripts(
    browser: Browser, pages: Pages, case: Case
) -> None:
    page = page_of(browser, "en-GB", 1280, scripts=False)
    signed_in(page, pages, "tim")
    page.goto(f"{pages.url}/desk/cases/{case.case_id}")
    page.get_by_role("link", name="Warn of this place").click()
    expect(page.get_by_label("Place", exact=True)).to_have_value(re.compile(r"\w{10}"))
    expect(page.locator("#warn_day")).to_have_value("2020-05-04")
    expect(page.locator("#warn_from")).to_have_value("10:00")
    expect(page.locator("#warn_to")).to_have_value("10:40")
    page.get_by_label("Reason").fill("a case ate here")
    page.locator("#warn").get_by_role("button", name="Warn").click()
    expect(
        page.get_by_role("heading", name="Warn everybody who was at this place?")
    ).to_be_visible()
    expect(page.locator("main")).to_contain_text("0.667")
    assert pages.world.authority.store.presence.released_heard(pages.clock.now + 1) == []
    page.get_by_role("button", name="Warn", exact=True).click()
    page.wait_for_url("**/desk/places")
    assert pages.world.authority.store.presence.released_heard(pages.clock.now + 1)
    page.context.close()


@pytest.mark.parametrize(("language", "width"), [("en-GB", 1280), ("zh-CN", 390)])
def test_pages_of_places_have_no_barrier_and_fit_the_screen(
    browser: Browser, pages: Pages, case: Case, language: str, width: int
) -> None:
    page, axe, faults = page_of(browser, language, width, scripts=True), Axe(), {}
    signed_in(page, pages, "tim")
    for path in ("places", f"cases/{case.case_id}/visits", f"cases/{case.case_id}#stays"):
        page.goto(f"{pages.url}/desk/{path}")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        checked = axe.run(page, options=FASTER)
        if checked.violations_count:
            faults[path] = checked.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            faults[f"{path} {width}"] = wide
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{path.replace('/', '-')}-{width}.png", full_page=True)
    page.context.close()
    assert faults == {}
