"""The page of a run in a real browser: replay, keyboard, small screens, dark, print, barriers."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from simulations import run
from simulations.pages.kept_run import read_kept_run
from simulations.pages.outcomes import outcomes_of
from simulations.pages.report_page import save_page
from simulations.settings.scenario import Scenario, load_scenario
from tests.conftest import SLOW_MS

pytestmark = [pytest.mark.network, pytest.mark.slow]
STRANGE = "</script><img src=x onerror=alert(1)>"


def evening(adoption: float) -> Scenario:
    """Return an hour and a half in a small home for the aged: rooms, walls and groups."""
    found = load_scenario("care-home", {"duration_s": "5400", "adoption": f"{adoption}"})
    return replace(found, title=STRANGE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("runs")
    return [
        run(evening(adoption), seed=1, fidelity="vectorized").save(place / f"{adoption}")
        for adoption in (0.8, 0.5)
    ]


@pytest.fixture(scope="module")
def pages(folders: list[Path]) -> list[Path]:
    both = [folders[0].parent / "one.html", folders[0].parent / "two.html"]
    save_page(folders[0], both[0])
    save_page(folders[0], both[1], other=folders[1])
    return both


def opened(
    browser: Browser, file: Path, part: str = "", **context: object
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
    page.goto(file.as_uri() + part)
    return page, wrong


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("number", [0, 1])
def test_no_barrier_and_nothing_beside_the_screen(
    browser: Browser, pages: list[Path], number: int, colours: str, width: int
) -> None:
    page, wrong = opened(
        browser, pages[number], color_scheme=colours, viewport={"width": width, "height": 800}
    )
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    checked = Axe().run(page, options={"resultTypes": ["violations"]})
    assert checked.violations_count == 0, checked.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(box => box.checkVisibility()).map(box => ["
        " box.lastElementChild.ariaLabel, box.firstElementChild.checkVisibility(),"
        " box.lastElementChild.scrollWidth > box.lastElementChild.clientWidth])"
    )
    assert len(boxes) > 6
    assert [name for name, said, goes_on in boxes if said != goes_on] == []
    assert any(said for _, said, _ in boxes) or width == 1200
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == (colours == "dark")
    assert page.locator("img").count() == 0
    assert wrong == []
    page.context.close()


def test_the_replay_plays_and_shows_another_case(
    browser: Browser, pages: list[Path], folders: list[Path]
) -> None:
    page, wrong = opened(browser, pages[0], "#t=600", viewport={"width": 1200, "height": 900})
    clock = page.locator(".clock")
    expect(clock).to_have_text("10:00")
    before = page.locator(".people").inner_html()
    page.get_by_role("button", name="Play").click()
    expect(clock).to_have_text(re.compile("1[01]:[2-5]."))
    page.get_by_role("button", name="Pause").click()
    assert page.locator(".people").inner_html() != before
    kept = read_kept_run(folders[0])
    lines = outcomes_of(kept)
    case, rows = list(lines.by_case(kept.cases))[3]
    page.locator(".chosen").select_option(str(case))
    expect(page.locator(".who")).to_have_text(re.compile(rf"^{case} \("))
    expect(page.locator(".lines-shown")).to_contain_text(f"of {rows.stop - rows.start}")
    shown = page.locator("table.lines .first tr").count()
    shown += page.locator("table.lines .more tr").count()
    assert shown == rows.stop - rows.start
    assert wrong == []
    page.context.close()


def test_an_index_case_who_has_left_is_still_shown(
    browser: Browser, folders: list[Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folders[0], tmp_path / "run")
    with np.load(folder / "positions.npz") as stored:
        columns = dict(stored)
    case = int(columns["app"][0])
    columns["xy"][case, -600:] = np.nan
    np.savez_compressed(folder / "positions.npz", **columns)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    del manifest["sha256"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    save_page(folder, tmp_path / "page.html")
    page, wrong = opened(browser, tmp_path / "page.html", f"#t=5300&case={case}")
    expect(page.locator(".who")).to_contain_text("(has left, or is not there yet)")
    dot = page.locator(".people circle").nth(case)
    expect(dot).to_have_class(re.compile(r"\bcase\b.*\bleft\b"))
    assert dot.bounding_box() is not None
    assert wrong == []
    page.context.close()


def test_every_control_is_reached_by_tab_and_seen(browser: Browser, pages: list[Path]) -> None:
    page, _ = opened(browser, pages[1], viewport={"width": 390, "height": 800})
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, select, summary, "
        '[tabindex="0"]\')].filter(element => element.checkVisibility()).length'
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
    counts = [names.count(name) for name in ("BUTTON", "INPUT", "SELECT")]
    assert counts == [2, 2, 4]
    page.context.close()


def test_without_scripts_everything_but_the_replay_is_there(
    browser: Browser, pages: list[Path]
) -> None:
    page, wrong = opened(browser, pages[0], java_script_enabled=False)
    expect(page.locator("h1")).to_contain_text("Found ")
    assert page.locator(".controls").is_hidden()
    assert page.locator("svg.plan .wall").count() > 10
    assert page.locator("svg.outcomes .spot").count() > 20
    assert page.locator("table.lines .first tr").count() > 3
    page.get_by_text(re.compile("Show all .* settings")).click()
    assert page.locator("details[open] tbody tr").last.is_visible()
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("number", [0, 1])
def test_on_paper_tables_end_at_a_row_and_nothing_is_cut(
    browser: Browser, pages: list[Path], number: int
) -> None:
    # 182 mm of A4 are between the margins, at 96 dots an inch.
    page, _ = opened(
        browser, pages[number], color_scheme="dark", viewport={"width": 688, "height": 1000}
    )
    page.emulate_media(media="print")
    assert page.locator(".controls").first.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(box => box.checkVisibility() &&"
        " box.clientWidth < box.firstElementChild.getBoundingClientRect().width - 1).length"
    )
    assert cut == 0
    broken = page.evaluate(
        "[...document.querySelectorAll('tr, figure')].filter(element => "
        "getComputedStyle(element).breakInside !== 'avoid').length"
    )
    assert broken == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) in range(3, 12)
    page.context.close()
