"""Count what 60 calls in two languages cost, and write it into docs/howto/trace-a-case.md.

    python docs/howto/write_calls.py [--calls N]

A scripted browser calls made-up people, with and without the calling page. Needs Chromium and the
extras `server` and `test`.
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.call_walk import Tracer, Work, call_centre, signed_in, walk  # noqa: E402

PAGE = Path(__file__).parent / "trace-a-case.md"
BLOCK = re.compile(r"(<!-- by write_calls.py -->\n).*?(<!-- end of write_calls.py -->)", re.DOTALL)
LANGUAGES = {"English": "en-GB", "中文": "zh-CN"}
BEFORE = ("not_reached", "no_symptoms") * 3
HEAD = (
    "| calls | language | kind | clicks | key strokes | words | server CPU, ms |\n"
    "|---|---|---|--:|--:|--:|--:|\n"
)


def measured(
    browser: Browser, language: str, calls: int
) -> tuple[dict[str, Work], dict[str, Work]]:
    """Return what calls cost on the contacts' pages, and on the calling page."""
    with (
        tempfile.TemporaryDirectory() as folder,
        call_centre(Path(folder) / "authority.db", 2 * calls + 20) as (pages, meter),
    ):
        page = browser.new_context(java_script_enabled=False, locale=language).new_page()
        signed_in(page, pages, "ravi")
        before = Tracer(page, pages.url, meter)
        for kind in BEFORE:
            before.call_on_the_contacts_page(kind)
        after = Tracer(page, pages.url, meter)
        after.begin()
        walk(after, calls)
        page.context.close()
    return before.work, after.work


def row(where: str, language: str, kind: str, work: Work) -> str:
    """Return a line of the table: means of one call."""
    per = [work.clicks, work.keys, work.words]
    shown = " | ".join(f"{figure / work.calls:.1f}".removesuffix(".0") for figure in per)
    return f"| {where} | {language} | {kind} | {shown} | {1000 * work.cpu_s / work.calls:.0f} |\n"


def table(calls: int) -> str:
    """Return the table."""
    rows = HEAD
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for language, locale in LANGUAGES.items():
            before, after = measured(browser, locale, calls)
            for where, works in (("contact's page", before), ("*Calling*", after)):
                for kind, work in works.items():
                    rows += row(f"{work.calls} on {where}", language, kind, work)
        browser.close()
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=60)
    written = table(parser.parse_args().calls)
    print(written)
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + written + found[2], PAGE.read_text("utf-8")))
