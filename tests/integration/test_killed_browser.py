"""Two tracers in two browsers call through one list, and the browser of one of them is killed."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.authority_world import NOON
from tests.call_walk import CASES, Tracer, call_centre, signed_in
from tests.conftest import SLOW_MS
from tests.pages_world import Pages
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.calls import RESERVED_S
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import Outcome

pytestmark = [pytest.mark.network, pytest.mark.slow]
PEOPLE = 9
LISTENS = "DevTools listening on "


@contextmanager
def own_browser(browser: Browser, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Page]]:
    """Start a browser of one's own, and yield its process and a page in it."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    process = subprocess.Popen(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-dev-shm-usage"),
            *("--remote-debugging-port=0", f"--user-data-dir={folder}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        said = next(line for line in process.stderr if line.startswith(LISTENS))
        there = browser.browser_type.connect_over_cdp(said.removeprefix(LISTENS).strip())
        page = there.new_context(java_script_enabled=False, locale="en-GB").new_page()
        page.set_default_timeout(SLOW_MS)
        yield process, page
    finally:
        kill(process)
        process.stderr.close()  # else a later test gets the warning of an open file


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a browser with its renderers: they are one process group, which this file started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(SLOW_MS / 1000)


def called(pages: Pages) -> dict[str, tuple[Outcome | None, str]]:
    """Return today's outcome of each contact that has one, and by whom."""
    outcomes = pages.world.store.desk.outcomes([f"P{number:09d}" for number in range(PEOPLE)])
    assert all(len(days) <= 1 for days in outcomes.values())
    return {name: (days[0].outcome, days[0].by) for name, days in outcomes.items() if days}


def test_the_person_of_a_killed_browser_is_called_once_by_the_other(
    browser: Browser, tmp_path: Path
) -> None:
    with call_centre(tmp_path / "authority.db", PEOPLE) as (pages, meter):
        for number in range(CASES):  # nobody's cases: both may call everybody
            pages.world.authority.casework.assign(f"C{number:09d}", NOBODY, NOON, by=CONSOLE)
        context = browser.new_context(java_script_enabled=False, locale="en-GB")
        context.set_default_timeout(SLOW_MS)
        siti = Tracer(context.new_page(), pages.url, meter)
        shown: dict[str, list[str]] = {"ravi": [], "siti": []}

        def call(name: str, tracer: Tracer, kind: str) -> None:
            shown[name].append(tracer.page.locator("h1").inner_text())
            tracer.call(kind)

        with own_browser(browser, tmp_path / "profile") as (process, page):
            ravi = Tracer(page, pages.url, meter)
            for name, tracer in (("ravi", ravi), ("siti", siti)):
                signed_in(tracer.page, pages, name)
                tracer.begin()
            for _ in range(2):  # at once, in turn
                call("ravi", ravi, "not_reached")
                call("siti", siti, "no_symptoms")
            lost = page.locator("h1").inner_text()
            page.locator("#text").fill("kept before the browser died")
            page.locator("#outcome-symptoms").check()
            ravi.click(page.locator("button[formaction$='/draft']"), leads_on=True)
            page.locator("#text").fill("typed and never sent")
            kill(process)
        killed_at = pages.clock.now
        while not siti.page.get_by_text("Nobody is left").is_visible():
            call("siti", siti, "no_symptoms")
        assert len(shown["ravi"]) + len(shown["siti"]) == PEOPLE - 1
        assert lost not in shown["siti"]  # not within the reservation
        for passed in (RESERVED_S / 2, RESERVED_S):
            assert siti.page.locator("#result").count() == 0
            pages.clock.now = killed_at + passed
            siti.page.goto(f"{pages.url}/desk/calls")
            siti.click(siti.page.locator("button.large"), leads_on=True)
        assert siti.page.locator("h1").inner_text() == lost
        expect(siti.page.locator("#text")).to_have_value("")  # a draft is its writer's alone
        call("siti", siti, "symptoms")
        everybody = [*shown["ravi"], *shown["siti"]]
        assert len(everybody) == len(set(everybody)) == PEOPLE
        by = called(pages)
        assert len(by) == PEOPLE
        assert sorted(by.values(), key=str) == sorted(
            [
                *[(Outcome.NOT_REACHED, "ravi")] * 2,
                *[(Outcome.NO_SYMPTOMS, "siti")] * (PEOPLE - 3),
                (Outcome.SYMPTOMS, "siti"),
            ],
            key=str,
        )
        now = pages.clock.now
        assert pages.world.authority.calling.ready(now, by=CONSOLE) == (0, False)
        context.close()
