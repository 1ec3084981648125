"""The page of a city in a real browser: sliders, keyboard, small screens, print, and barriers."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from simulations.city.outbreak_tree import tree_of
from simulations.city.report_data import CityReport, report_of, scenario_of
from simulations.city.report_page import save_report
from simulations.city.scenario import load_city
from simulations.city.sweeps import sweep_city
from tests.conftest import SLOW_MS

pytestmark = [pytest.mark.network, pytest.mark.slow]
STRANGE = "</p><img src=x onerror=alert(1)>"
VARY = {
    "app.adoption": [0, 0.32, 0.9],
    "tests.delay_days": [0, 4],
    "app.protocol": ["bluetrace", "gaen"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CityReport, Path]:
    settings = {"people.count": "1000", "days": "30", "tests.share": "0.8", "title": STRANGE}
    settings |= {"gates.venues": "1", "presence.check_in": "0.6"}
    town = load_city("test-town", settings)
    results = sweep_city(town, VARY, seeds=2, workers=1).to_json()
    report = report_of(results, source="here")
    path = tmp_path_factory.mktemp("city") / "report.html"
    tree = tree_of(scenario_of(results, report.chosen, source="here"), seed=1)
    assert tree is not None
    save_report(report, tree, path)
    return report, path


def opened(
    browser: Browser, made: tuple[CityReport, Path], **context: object
) -> tuple[Page, list[str]]:
    """Return the page and a list that fills with all that goes wrong."""
    fresh = browser.new_context(**context)  # type: ignore[arg-type]
    fresh.set_default_timeout(SLOW_MS)
    page, wrong = fresh.new_page(), list[str]()
    page.on("console", lambda said: wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda shown: wrong.append(shown.message))
    page.on(
        "request",
        lambda sent: wrong.append(sent.url) if not sent.url.startswith("file:") else None,
    )
    page.goto(made[1].as_uri())
    return page, wrong


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_no_barrier_and_nothing_beside_the_screen(
    browser: Browser, made: tuple[CityReport, Path], colours: str, width: int
) -> None:
    page, wrong = opened(
        browser, made, color_scheme=colours, viewport={"width": width, "height": 800}
    )
    checked = Axe().run(page, options={"resultTypes": ["violations"]})
    assert checked.violations_count == 0, checked.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img").count() == 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(re.findall(r"\d+", ground)[0])
    assert (red < 60) == (colours == "dark")
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_a_table_that_goes_on_beside_the_screen_says_so(
    browser: Browser, made: tuple[CityReport, Path], width: int
) -> None:
    page, _ = opened(browser, made, viewport={"width": width, "height": 800})
    boxes = page.evaluate(
        "[...document.querySelectorAll('.wide')].map(box => ["
        " box.firstElementChild.checkVisibility(),"
        " box.lastElementChild.scrollWidth > box.lastElementChild.clientWidth])"
    )
    assert len(boxes) == 7  # with the tables of gates, and of check-in and places
    assert [said for said, _ in boxes] == [goes_on for _, goes_on in boxes]
    assert any(said for said, _ in boxes) == (width == 390)
    page.context.close()


def test_sliders_by_keyboard_show_computed_points_and_say_so_between_them(
    browser: Browser, made: tuple[CityReport, Path]
) -> None:
    page, wrong = opened(browser, made)
    shown, card = page.locator("#shown"), page.locator("#points > article:visible")
    expect(card).to_have_count(1)
    expect(shown).to_contain_text("Computed: 32 % with the app, tests.delay_days = 0")
    slider = page.get_by_label("share of people with the app (app.adoption) =")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("app.adoption = 0.33 was not computed. This is the nearest")
    expect(shown).to_contain_text("32 % with the app, tests.delay_days = 0")
    page.keyboard.press("End")
    expect(shown).to_contain_text("Computed: 90 % with the app, tests.delay_days = 0")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("tests.delay_days = 3 was not computed.")
    expect(card).to_have_count(1)
    page.get_by_label("app.protocol").select_option("gaen")
    wanted = {"app.adoption": "0.9", "tests.delay_days": "4", "app.protocol": "gaen"}
    expect(card).to_have_count(1)
    (point,) = [point for point in made[0].points if dict(point.settings) == wanted]
    expect(card).to_contain_text(f"{point.figures['infections'].mean:,.0f}")
    assert wrong == []
    page.context.close()


def test_every_control_is_reached_by_tab_and_seen(
    browser: Browser, made: tuple[CityReport, Path]
) -> None:
    page, _ = opened(browser, made, viewport={"width": 390, "height": 800})
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], input, select, [tabindex=\"0\"]')]"
        ".filter(element => element.checkVisibility()).length"
    )
    met = []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate(
                "[document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert [style for _, style in met] == ["solid"] * wanted
    names = [name for name, _ in met]
    assert (names[0], names.count("INPUT"), names.count("SELECT")) == ("A", 2, 1)
    page.context.close()


def test_without_scripts_all_points_are_there(
    browser: Browser, made: tuple[CityReport, Path]
) -> None:
    page, wrong = opened(browser, made, java_script_enabled=False)
    expect(page.locator("h1")).to_have_text(made[0].headline().replace(" %", "\u00a0%"))
    assert page.locator("#explore").is_hidden()
    rows = page.get_by_role("region", name="All computed points").locator("tbody tr")
    assert rows.count() == len(made[0].points) == 12
    assert page.locator("svg.picture:visible").count() > 5
    assert wrong == []
    page.context.close()


def test_on_paper_tables_end_at_a_row_and_nothing_is_cut(
    browser: Browser, made: tuple[CityReport, Path]
) -> None:
    # 182 mm of A4 are between the margins, at 96 dots an inch.
    page, _ = opened(browser, made, color_scheme="dark", viewport={"width": 688, "height": 1000})
    page.emulate_media(media="print")
    assert page.locator("#explore").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(box => box.clientWidth < "
        "box.firstElementChild.getBoundingClientRect().width - 1).length"
    )
    assert cut == 0
    broken = page.evaluate(
        "[...document.querySelectorAll('tr, figure')].filter(element => "
        "getComputedStyle(element).breakInside !== 'avoid').length"
    )
    assert broken == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    page.context.close()
