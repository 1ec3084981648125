"""A tracer who works through the calling page in a browser; clicks, keys, words and CPU count."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from playwright.sync_api import Locator, Page
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.authority_world import DAY, NOON, World
from tests.conftest import SLOW_MS, counted_entropy
from tests.followed_rows import contact_row, fill
from tests.pages_world import PASSWORD, Pages, serving
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.followed import ContactState

CASES = 5
KINDS = ("not_reached", "no_symptoms", "not_reached", "not_reached", "symptoms", "wrong_number")
"""Outcomes of the calls, in turn: four of six are not answered by the person."""
UNANSWERED = frozenset({"not_reached", "wrong_number"})


@dataclass
class Work:
    """What calls cost.

    Attributes:
        calls: number of calls.
        clicks: of the mouse.
        keys: key strokes; typed letters among them.
        words: on the page, or Chinese characters.
        cpu_s: CPU seconds of the whole server while it answered.
        most_clicks: of one call.
    """

    calls: int = 0
    clicks: int = 0
    keys: int = 0
    words: int = 0
    cpu_s: float = 0.0
    most_clicks: int = 0


class Metered:
    """An application with a meter: CPU seconds of this process while a request is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cpu_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.process_time()
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                self.cpu_s += time.process_time() - begun


@dataclass
class Tracer:
    """Somebody at a page, whose clicks and key strokes count."""

    page: Page
    url: str
    meter: Metered
    work: dict[str, Work] = field(default_factory=lambda: {"unanswered": Work(), "reached": Work()})
    now: Work = field(default_factory=Work)

    def click(self, target: Locator, *, leads_on: bool = False) -> None:
        self.now.clicks += 1
        if leads_on:
            with self.page.expect_navigation(timeout=SLOW_MS):
                target.click()
        else:
            target.click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.now.keys += 1
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.now.keys += len(text)
        self.page.keyboard.type(text)

    @contextmanager
    def calling(self, kind: str) -> Iterator[None]:
        """Count what one call costs, under "unanswered" or "reached"."""
        text = self.page.locator("main").inner_text()
        chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in text)
        self.now = Work(1, words=chinese or len(text.split()))
        begun = self.meter.cpu_s
        yield
        self.now.cpu_s = self.meter.cpu_s - begun
        found = self.work["unanswered" if kind in UNANSWERED else "reached"]
        found.most_clicks = max(found.most_clicks, self.now.clicks)
        for name in ("calls", "clicks", "keys", "words", "cpu_s"):
            setattr(found, name, getattr(found, name) + getattr(self.now, name))

    def begin(self) -> None:
        """Begin a shift unless one goes on, and take the first person."""
        page = self.page
        page.goto(f"{self.url}/desk/calls")
        if page.locator("#shift_reason").is_visible():
            page.locator("#shift_reason").select_option("daily_calls")
            self.click(page.locator("form[action$='/calls/shift'] button"), leads_on=True)
        if page.locator("button.large").count():
            self.click(page.locator("button.large"), leads_on=True)

    def call(self, kind: str, note: str = "") -> None:
        """Record a call with the mouse, and a note with the keyboard where the person answered."""
        with self.calling(kind):
            self.click(self.page.locator(f"#outcome-{kind}"))
            if note:
                self.click(self.page.locator("#text"))
                self.type(note)
            self.click(self.page.locator("#result .actions button").first, leads_on=True)

    def call_by_keys(self, kind: str, note: str = "") -> None:
        """Record a call without the mouse: the first outcome has the focus."""
        order = self.page.locator("input[name=outcome]").evaluate_all(
            "inputs => inputs.map(input => input.value)"
        )
        with self.calling(kind):
            self.press(*["ArrowDown"] * order.index(kind) or ["Space"])
            if note:
                self.press("Tab")
                self.type(note)
                self.press("Shift+Tab")
            with self.page.expect_navigation(timeout=SLOW_MS):
                self.press("Enter")

    def call_on_the_contacts_page(self, kind: str) -> None:
        """Record a call without the calling page: open, give a reason, go back, record."""
        page = self.page
        page.goto(f"{self.url}/desk/follow-up")
        with self.calling(kind):
            self.click(page.locator(".people tbody th a").first, leads_on=True)
            self.click(page.locator("#reason"))
            self.type("daily call")
            self.click(page.locator("button.grave"), leads_on=True)
            self.click(page.locator("main a[href*='/contacts/']").first, leads_on=True)
            self.click(page.locator("#outcome"))
            page.locator("#outcome").select_option(kind)
            self.now.clicks += 1
            record = page.locator("form[action$='/outcome'] button")
            self.click(record, leads_on=True)
            self.click(page.locator("nav a[href$='/follow-up']"), leads_on=True)


def walk(tracer: Tracer, calls: int, *, keys: bool = False) -> dict[str, Work]:
    """Call people one after the other; return what both kinds of calls cost."""
    for number in range(calls):
        kind = KINDS[number % len(KINDS)]
        note = "" if kind in UNANSWERED else "Well. Lives with an old mother."
        (tracer.call_by_keys if keys else tracer.call)(kind, note)
    return tracer.work


@contextmanager
def call_centre(place: Path, people: int) -> Iterator[tuple[Pages, Metered]]:
    """Serve an authority where people with names and numbers are due; ravi and siti call them."""
    entropy = counted_entropy(77)
    meters: list[Metered] = []

    def metered(app: ASGIApp) -> ASGIApp:
        meters.append(Metered(app))
        return meters[-1]

    with SqlStore.create(place, name="SG_MOH") as store:
        world = World.of(entropy, store=store)
        fill(store, world.keys, entropy, cases=CASES, contacts=0)
        fresh = {"last_day": -1, "until_day": DAY + 5, "traced_at": None, "version": 1}
        rows = [
            replace(
                contact_row(
                    number,
                    f"C{number % CASES:09d}",
                    world.keys,
                    entropy,
                    ContactState.TO_TRACE,
                ),
                **fresh,
            )
            for number in range(people)
        ]
        store.desk.put_contacts(rows)
        for number, row in enumerate(rows):
            name, phone = f"Made-up Person {number}", f"+65 5550 {number:04d}"
            world.authority.follow_up.describe(row.contact_id, name, phone, NOON, by=CONSOLE)
        with serving(world, around=metered) as pages:
            for name in ("ravi", "siti"):
                pages.operator(name, Role.TRACER, Role.SUPERVISOR)
            yield pages, meters[0]


def signed_in(page: Page, pages: Pages, name: str) -> None:
    """Sign an operator in, whatever the language of the page."""
    page.goto(f"{pages.url}/desk/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(pages.code(name))
    with page.expect_navigation(timeout=SLOW_MS):
        page.locator("main button").click()
    page.wait_for_url("**/desk/")
