"""Malay, whose words are long, in a browser as narrow as a phone: no barrier, nothing cut off."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.conftest import SLOW_MS, counted_entropy
from tests.integration.test_plural_pages import PATHS, opened
from tests.pages_world import PASSWORD, serving
from tests.status_world import StatusWorld
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.calls import ShiftReason

pytestmark = [pytest.mark.network, pytest.mark.slow]
WIDTH = 390
CHECKED = (
    "/",
    "/calls",
    "/follow-up?who=all",
    "/cases",
    "/team",
    "/restrictions",
    "/keys",
)
"""Checked for barriers too; of the others the width is measured."""


def test_malay_pages_on_a_phone_have_no_barrier_and_fit(browser: Browser) -> None:
    faults: dict[str, object] = {}
    with serving(StatusWorld.new(entropy=counted_entropy(14))) as pages:
        pages.operator("sue", *Role)
        case = opened(pages)
        authority = pages.world.authority
        by = next(known.caller for known in authority.staff.all(by=CONSOLE) if known.name == "sue")
        authority.calling.begin_shift(ShiftReason.DAILY_CALLS, pages.clock.now, by=by)
        sheet = authority.calling.next(pages.clock.now, by=by)
        assert sheet is not None
        context = browser.new_context(viewport={"width": WIDTH, "height": 800}, locale="ms-MY")
        context.set_default_timeout(SLOW_MS)
        page, axe = context.new_page(), Axe()
        page.goto(f"{pages.url}/desk/sign-in")
        assert page.locator("html").get_attribute("lang") == "ms"
        page.locator("#name").fill("sue")
        page.locator("#password").fill(PASSWORD)
        page.locator("#code").fill(pages.code("sue"))
        page.get_by_role("main").get_by_role("button", name="Log masuk").click()
        expect(page.get_by_role("button", name="Log keluar")).to_be_visible()
        own = [f"/cases/{case.case_id}", f"/contacts/{sheet.line.contact_id}"]
        for path in [*CHECKED, *own, *(path for path in PATHS if path not in CHECKED)]:
            page.goto(f"{pages.url}/desk{path}")
            page.evaluate(
                "for (const each of document.querySelectorAll('details')) each.open = true"
            )
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > WIDTH:
                faults[f"{path}, width"] = wide
            if path in (*CHECKED, *own):
                checked = axe.run(page, options={"resultTypes": ["violations"]})
                if checked.violations_count:
                    faults[path] = checked.generate_report()
        page.goto(f"{pages.url}/desk/calls")
        expect(page.locator("#spoken")).to_contain_text("Melayu")
        page.get_by_role("button", name="中文").click()  # the buttons change the language
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
        tall = "buttons => buttons.map(button => button.offsetHeight)"
        heights = page.locator(".who button").evaluate_all(tall)
        assert len(set(heights)) == 1, heights  # no button's text is on two lines
        context.close()
    assert faults == {}
