"""Take the pictures of the tracers' pages in docs/desk again, from made-up data.

    python docs/howto/write_screenshots.py [FOLDER]

FOLDER is an authority from `tracetogether authority demo-data`; without it, one is created.
Needs Chromium, the extras `server` and `test`, and a font with Chinese characters (Debian:
fonts-noto-core, fonts-wqy-microhei).
"""

import shutil
import sys
import tempfile
import time
from base64 import b32decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from secrets import token_bytes

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tracetogether.adapters import http_api, operator_pages
from tracetogether.adapters.operator_pages.credentials import Totp
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case, CaseQuery
from tracetogether.authority.presence.taking import SentTrip, SentVisit
from tracetogether.authority.service import Authority
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import Ground, RestrictionEvidence
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.crypto import sha256
from tracetogether.presence.posters import make_poster, poster_url
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

TARGET = Path(__file__).parent.parent / "desk"
OPERATOR, PASSWORD = "operator", "made up for pictures"
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
WIDTH, TALLEST = 1180, 1100
SCREEN = (1920, 1080)
MEI = Caller("mei", frozenset({Role.SUPERVISOR}))
COLOURS = 64


class Clock:
    """A clock that advances only by ``pass_on``; each sign-in needs a new code, so a later time."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_on(self) -> None:
        self.now += 30


def save(page: Page, name: str, language: str, width: int = WIDTH) -> None:
    """Save a page, cut at the foot where it is very tall."""
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    keep(page.screenshot(full_page=True, clip=clip), name, language)


def keep(taken: bytes, name: str, language: str) -> None:
    """Save a picture with few colours."""
    picture = Image.open(BytesIO(taken)).convert("RGB")
    # The colours that are there most, exactly as they are: the same background on every page.
    counted = picture.getcolors(picture.width * picture.height) or []
    most = [colour for _, colour in sorted(counted, reverse=True)[:COLOURS]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in most for part in colour])
    few = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    few.save(TARGET / language / f"{name}.png", optimize=True)


def walk(
    page: Page, url: str, language: str, service: Authority, code: Callable[[], str], now: float
) -> None:
    """Open each page and save it."""

    def went(path: str, name: str) -> None:
        page.goto(url + path)
        save(page, name, language)

    went("/sign-in", "sign-in")
    fill_in(page, url, code())
    page.wait_for_url("**/desk/")
    went("/", "overview")
    went("/cases", "cases")
    case = f"/cases/{busiest(service, now).case_id}"
    went(case, "case")
    page.goto(f"{url}{case}/visits")
    keep(page.locator(".card:has(svg.whole)").screenshot(), "fourteen-days", language)
    went(f"{case}/graph", "graph")
    went(f"{second_degree(service, now)}/onward", "second-degree")
    went("/graph", "who-met")
    went("/policy", "policy")
    went("/follow-up", "follow-up")
    press(page, "tbody th a")
    save(page, "contact", language)
    contact = page.url
    walk_calls(page, url, language)
    went("/team", "team")
    page.goto(f"{url}/places")
    page.locator("#warn summary").click()
    save(page, "places", language)
    page.goto(contact)
    page.locator("#reason").fill("call for testing")
    press(page, "button.grave")
    save(page, "who", language)
    page.goto(url + case)
    press(page, ".actions button")
    save(page, "pin", language)
    walk_status(page, url, language)
    walk_wall(page, url, language, service, now)
    went("/exports", "exports")
    went("/audit", "audit")
    went("/keys", "keys")


def busiest(service: Authority, now: float) -> Case:
    """Return the case with most contacts, of those that are traced if there are any."""
    found = service.casework.page(CaseQuery(limit=200), now, by=CONSOLE).cases
    return max(found, key=lambda row: (row.case.tracing_at is not None, row.contacts)).case


def second_degree(service: Authority, now: float) -> str:
    """Return the page of the case whose contacts that are cases met most people later."""
    policy = service.tracing.policy()

    def rows(case: Case) -> int:
        return len(service.graphs.second_degree(case, policy, by=CONSOLE))

    cases = service.casework.page(CaseQuery(limit=200), now, by=CONSOLE).cases
    return f"/cases/{max((row.case for row in cases), key=rows).case_id}"


def press(page: Page, button: str) -> None:
    """Press a button, and wait for the next page."""
    with page.expect_navigation():
        page.locator(button).first.click()


def walk_calls(page: Page, url: str, language: str) -> None:
    """Begin a shift, call somebody in vain, and save the page of the next person."""

    page.goto(f"{url}/calls")
    if page.locator("#shift_reason").is_visible():
        page.locator("#shift_reason").select_option("daily_calls")
        press(page, "form[action$='/calls/shift'] button")
    if page.locator("button.large").count():
        press(page, "button.large")
    page.locator("#outcome-not_reached").check()
    press(page, "#result .actions button")
    # It is closed if the next person's number is known already.
    page.locator("details:has(#person-name)").evaluate("details => details.open = true")
    page.locator("#person-name").fill({"en": "Made-up Person", "zh": "虚构人物"}[language])
    page.locator("#phone").fill("+65 5550 0132")
    press(page, "button[formaction$='/describe']")
    save(page, "call", language)


def walk_status(page: Page, url: str, language: str) -> None:
    """Open the pages of restrictions, and give a code in another language; save them."""
    page.goto(f"{url}/restrictions")
    page.locator("summary").first.click()
    save(page, "restrictions", language)
    for name in ("appeals", "orders"):
        page.goto(f"{url}/{name}")
        save(page, name, language)
    page.goto(f"{url}/charges")
    page.locator("#spoken").select_option("ta" if language == "en" else "zh-Hant")
    press(page, "main button")
    save(page, "charge-code", language)


def walk_wall(page: Page, url: str, language: str, service: Authority, now: float) -> None:
    """Open the wall on a large screen, and the page for everybody; save them."""
    small = page.viewport_size
    page.set_viewport_size({"width": SCREEN[0], "height": SCREEN[1]})
    page.goto(f"{url}/wall?look=dark")
    save(page, "wall", language, SCREEN[0])
    page.set_viewport_size(small or {"width": WIDTH, "height": 700})
    line = {"en": "Ward 3 is full: call Ward 5", "zh": "三号病区已满，请联系五号病区"}[language]
    service.bulletins.put(line, now + SECONDS_PER_DAY, now, by=MEI)
    page.goto(f"{url}/bulletin")
    save(page, "bulletin", language)
    service.bulletins.end(now, by=MEI)
    page.goto(url.removesuffix(operator_pages.BASE) + f"{operator_pages.OPEN_BASE}/")
    save(page, "open", language)


def restrict(service: Authority, now: float) -> None:
    """Restrict made-up people by two orders, so that the pages have something to show."""
    ravi = Caller("ravi", frozenset({Role.RESTRICTOR}))
    reviewers = [Caller(name, frozenset({Role.REVIEWER})) for name in ("rosa", "tom")]
    window, week = (now - 2 * SECONDS_PER_DAY, now - SECONDS_PER_DAY), now + 7 * SECONDS_PER_DAY
    basis, places = "Infectious Diseases Act, section {}", ("Canteen 3", "Ferry terminal 2")
    contact, border = (
        service.orders.add(kind, basis.format(number), place, window, week, most, now, by=MEI)
        for kind, number, place, most in zip(OrderKind, (15, 31), places, (30, 4), strict=True)
    )
    seen = [
        *((contact, RestrictionEvidence.VISIT, 7), (contact, RestrictionEvidence.VISIT, 0.2)),
        *((border, RestrictionEvidence.NONE, 5), (contact, RestrictionEvidence.OWN_DECLARATION, 6)),
        *((contact, RestrictionEvidence.VISIT, 7), (border, RestrictionEvidence.VISIT, 3)),
    ]
    for number, (order, evidence, days) in enumerate(seen):
        then = now - (50 - 9 * number) * SECONDS_PER_HOUR / 10
        person = service.issuance.register().user_id
        until = min(then + days * SECONDS_PER_DAY, order.ends_at)
        if evidence is RestrictionEvidence.OWN_DECLARATION:
            service.declarations.declare(person, then, symptoms=True)
        made = service.restrictions.set(
            person, Ground.ORDER, order.order_id, evidence, until, then, by=ravi
        )
        if number < len(seen) - 1:
            reviewer = reviewers[number % 2]
            service.restrictions.confirm(made.restriction_id, then, by=reviewer)
        if number in {0, 2, 4}:
            service.appeals.open(person, then)


def report_places(service: Authority, now: float) -> None:
    """Let the busiest case report two visits and a trip, and have been at a registered place."""
    case = busiest(service, now)
    then = case.opened_at - 20 * SECONDS_PER_HOUR
    name = f"Canteen {len(service.places.all(now, by=CONSOLE)) + 1}"  # FOLDER may have some
    place, _ = service.places.add(name, "North campus", then, by=CONSOLE)
    batch = service.issuance.batch(place.user_id, then)
    service.places.batch(place.user_id, now)
    times = [then + 20 * count for count in range(180)]
    heard = [(time, batch.at(time)) for time in times]
    body = write_upload([Sighting(time, tempid.text, -60) for time, tempid in heard if tempid])
    pin = service.pins.issue(case, now, by=CONSOLE)
    token = service.intake.redeem_pin(case.user_id, pin, sha256(body), now)
    service.intake.take_upload(token, body, now)
    visits = [
        SentVisit(poster_url(make_poster(name, address, entropy=token_bytes)), start, start + 3_600)
        for name, address, start in (
            ("Noodle House", "12 Lane", then - 53 * SECONDS_PER_HOUR),
            ("Cinema 2", "3 Market Street", then + 3 * SECONDS_PER_HOUR),
        )
    ]
    date = service.days.text(then - 2 * SECONDS_PER_DAY).split()[0]
    service.visits.take(token, visits, [SentTrip("G1234", date, "5")], now)


def fill_in(page: Page, url: str, code: str) -> None:
    """Sign in."""
    page.goto(f"{url}/sign-in")
    page.locator("#name").fill(OPERATOR)
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(code)
    page.locator("main button").click()


def enrolled(service: Authority, browser: Browser, url: str, now: float) -> bytes:
    """Set the operator's codes up, with pictures of how; return their secret."""
    operator_pages.sign_in_for(service).set_password(OPERATOR, PASSWORD, now, by=CONSOLE)
    secret = ""
    for language, locale in LANGUAGES.items():
        context = browser.new_context(locale=locale, viewport={"width": WIDTH, "height": 700})
        page = context.new_page()
        fill_in(page, url, "")
        page.wait_for_url("**/enrol")
        save(page, "codes", language)
        secret = page.locator("code.secret").inner_text()
        if language == list(LANGUAGES)[-1]:
            page.locator("#code").fill(Totp().at(b32decode(secret), now - 30))
            page.locator("main button").click()
            page.wait_for_url("**/desk/")
        context.close()
    return b32decode(secret)


def main(folder: Path) -> None:
    """Serve the made-up authority and walk through it in every language."""
    for language in LANGUAGES:
        (TARGET / language).mkdir(parents=True, exist_ok=True)
    clock = Clock(time.time())  # noqa: TID251 - the made-up data end now

    with opened_folder(folder) as service, sync_playwright() as driver:
        app = http_api.create_app(service, clock=clock)
        pages = operator_pages.create_pages(service, name="SG_MOH", clock=clock)
        app.mount(operator_pages.BASE, pages)
        figures = operator_pages.create_open_pages(service, name="SG_MOH", clock=clock)
        app.mount(operator_pages.OPEN_BASE, figures)
        restrict(service, clock.now)
        report_places(service, clock.now)
        service.open_data.keep_up(clock.now)
        service.open_data.publish(clock.now, licence="CC-BY-4.0", by=MEI)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with http_api.running(app) as address:
            url = address + operator_pages.BASE
            secret = enrolled(service, browser, url, clock.now)

            def code() -> str:
                clock.pass_on()
                return Totp().at(secret, clock.now)

            for language, locale in LANGUAGES.items():
                context = browser.new_context(
                    locale=locale, viewport={"width": WIDTH, "height": 700}
                )
                walk(context.new_page(), url, language, service, code, clock.now)
                context.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            place = Path(made) / "authority"
            cli(["authority", "demo-data", str(place)], standalone_mode=False)
            main(place)
