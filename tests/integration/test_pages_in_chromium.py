"""The operators' pages in a real browser: a day without scripts, and checks with them."""

import re
from collections.abc import Iterator

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    expect,
)

from tests.authority_world import NOON, heard
from tests.conftest import SLOW_MS, counted_entropy
from tests.pages_world import PASSWORD, Pages, serving
from tests.presence_world import BAR, CAFE, sent
from tests.status_world import MEI, RAVI, ROSA, TOM, StatusWorld
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role
from tracetogether.authority.cases.calls import ShiftReason
from tracetogether.authority.presence.taking import SentTrip
from tracetogether.authority.status.order import OrderKind
from tracetogether.bluetrace.upload import write_upload

pytestmark = [pytest.mark.network, pytest.mark.slow]
SCRIPT = "<script>document.title='broken'</script><img src=x onerror=alert(1)>Li Wei"
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', one =>
    window.violations.push(one.violatedDirective + ' ' + one.blockedURI));
"""
FASTER = {"resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    place = tmp_path_factory.mktemp("pages") / "authority.db"
    with SqlStore.create(place, name="SG_MOH") as store:
        world = StatusWorld.of(counted_entropy(21), store=store)
        with serving(world) as served:
            served.operator("second", *ALL_ROLES)
            world.authority.staff.add("amira", ALL_ROLES, "token of amira", NOON, by=CONSOLE)
            served.sign_in.set_password("amira", PASSWORD, NOON, by=CONSOLE)
            served.operator("ravi", Role.RESTRICTOR)
            served.operator("rosa", Role.REVIEWER, Role.ISSUER)
            yield served


def context_of(browser: Browser, *, scripts: bool, language: str = "en-GB") -> BrowserContext:
    context = browser.new_context(java_script_enabled=scripts, locale=language)
    context.set_default_timeout(SLOW_MS)
    return context


def watched(context: BrowserContext) -> list[str]:
    """Return a list that fills with all that goes wrong, and with requests to elsewhere."""
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on(
        "console",
        lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None,
    )
    context.on(
        "request",
        lambda sent: (
            wrong.append(sent.url) if not sent.url.startswith("http://127.0.0.1:") else None
        ),
    )
    context.on("dialog", lambda shown: wrong.append(shown.message))
    return wrong


def press(page: Page, target: Locator) -> None:
    """Click what leads to another page, and wait until that is there."""
    with page.expect_navigation(timeout=SLOW_MS):
        target.click()


def sign_in(page: Page, pages: Pages, name: str, code: str) -> None:
    page.goto(f"{pages.url}/desk/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code").fill(code)
    press(page, page.get_by_role("main").get_by_role("button", name="Sign in"))


def first_sign_in(page: Page, pages: Pages) -> None:
    sign_in(page, pages, "amira", "")
    expect(page.get_by_role("heading", name="Set up your codes")).to_be_visible()
    secret = page.locator("code.secret").inner_text()
    page.get_by_label("2. Enter the code").fill(pyotp.TOTP(secret).at(int(pages.clock.now)))
    press(page, page.get_by_role("button", name="Continue"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def from_a_case_to_contacts(page: Page, pages: Pages) -> str:
    """Open a case, issue a PIN in two clicks, let the phone upload; return who was near."""
    with AuthorityClient(pages.url, retries=0) as phone, AuthorityClient(pages.url) as other:
        patient, near = phone.register(), other.register()
        press(page, page.get_by_role("link", name="Cases").first)
        page.get_by_label("User id").fill(patient.user_id)
        press(page, page.get_by_role("button", name="Open a case"))
        expect(page.get_by_text("No log has been uploaded yet")).to_be_visible()
        case_id = page.url.rpartition("/")[2]
        press(page, page.get_by_role("link", name="Cases").first)
        press(page, page.get_by_role("link", name=case_id))
        press(page, page.get_by_role("button", name="Issue a PIN to read out"))
        pin = page.locator(".pin").inner_text().replace(" ", "")
        assert re.fullmatch(r"\d{8}", pin)
        start, authority = pages.clock.now - 86_400, pages.world.authority
        far = authority.issuance.register().user_id
        rows = heard(authority, near.user_id, start, 50, rssi_dbm=-42)
        rows += heard(authority, far, start + 7200, 5, rssi_dbm=-80)
        body = write_upload(rows)
        assert phone.upload(body, phone.redeem_pin(pin, body))["accepted"] == len(rows)
    press(page, page.get_by_role("link", name="Back to the case"))
    expect(page.get_by_role("heading", name="Contacts nearby")).to_be_visible()
    assert page.locator("svg.picture a").count() == 2
    assert near.user_id not in page.content()
    return near.user_id


def call_somebody(page: Page, case: str) -> None:
    """Begin a shift, call a person of today's list, save the outcome, and go to the contact."""
    press(page, page.get_by_role("link", name="Calling"))
    page.locator("#shift_reason").select_option(ShiftReason.DAILY_CALLS.value)
    press(page, page.get_by_role("button", name="Begin the shift"))
    press(page, page.get_by_role("link", name="Follow-up"))
    press(page, page.locator("table.people").get_by_role("button", name="Call").first)
    expect(page.get_by_role("heading", name="What the call found")).to_be_visible()
    page.locator("#outcome-symptoms").check()
    press(page, page.get_by_role("button", name="Save and stop"))
    expect(page.get_by_role("status")).to_contain_text("symptoms")
    press(page, page.get_by_role("link", name="Follow-up"))
    expect(page.get_by_text("No more calls are due today.")).to_be_visible()
    page.goto(case)
    press(page, page.locator("tbody th a").first)
    expect(page.locator("h1").get_by_text("in follow-up")).to_be_visible()
    expect(page.locator("td").get_by_text("symptoms")).to_be_visible()


def reveal_somebody(page: Page, near: str) -> None:
    """Write a name down, try to see it without a reason, and with one."""
    contact = page.url
    page.get_by_text("Enter name and telephone number").click()
    page.locator("#person-name").fill(SCRIPT)
    page.get_by_label("Telephone").fill("+65 5550 0100")
    press(page, page.get_by_role("button", name="Save encrypted"))
    assert "5550 0100" not in page.content()
    press(page, page.get_by_role("button", name="Reveal"))
    expect(page.locator("#reason-wrong")).to_contain_text("Give a reason of 1 to 200 characters")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.goto(contact)
    page.get_by_label("Reason").fill("call for testing")
    press(page, page.get_by_role("button", name="Reveal"))
    expect(page.get_by_text("+65 5550 0100")).to_be_visible()
    expect(page.get_by_text(SCRIPT)).to_be_visible()
    assert near in page.content()


@pytest.fixture(scope="module")
def walked(pages: Pages, browser: Browser) -> dict[str, str]:
    """Walk a tracer's day in a browser without scripts; return the paths of what was met."""
    context = context_of(browser, scripts=False)
    wrong = watched(context)
    page = context.new_page()
    found: dict[str, str] = {}
    first_sign_in(page, pages)
    near = from_a_case_to_contacts(page, pages)
    found["case"] = page.url
    page.get_by_label("New note").fill(SCRIPT)
    press(page, page.get_by_role("button", name="Save the note"))
    expect(page.get_by_text(SCRIPT)).to_be_visible()
    press(page, page.get_by_role("link", name="Contact graph"))
    assert page.locator("svg.picture circle").count() == 3
    found["graph"] = page.url
    call_somebody(page, found["case"])
    found["contact"] = page.url
    reveal_somebody(page, near)
    press(page, page.get_by_role("link", name="Exports"))
    with page.expect_download(timeout=SLOW_MS) as saved:
        page.get_by_role("button", name="contacts as CSV").click()
    exported = saved.value.path().read_text("utf-8")
    assert exported.count("\n") == 3
    assert near not in exported
    assert "5550" not in exported
    press(page, page.get_by_role("link", name="Audit log"))
    expect(page.get_by_text("reason: call for testing")).to_be_visible()
    press(page, page.get_by_role("button", name="Verify all entries"))
    expect(page.get_by_text("none changed.")).to_be_visible()
    press(page, page.get_by_role("button", name="Sign out"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(found["case"])
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()
    assert [problem for problem in wrong if "status of 4" not in problem] == []
    return {name: url.removeprefix(pages.url) for name, url in found.items()}


def test_a_tracers_day_without_scripts(walked: dict[str, str]) -> None:
    assert set(walked) == {"case", "graph", "contact"}


def every_page(walked: dict[str, str]) -> list[str]:
    fixed = [
        "/desk/",
        "/desk/cases",
        "/desk/graph",
        "/desk/policy?cost=1&value=10",
        "/desk/calls",
        "/desk/follow-up",
        "/desk/exports",
        "/desk/audit",
        "/desk/keys",
        "/desk/team?of=-",
        "/desk/operators",
        "/desk/operators/ravi",
        *("/desk/wall?refresh=off", "/desk/bulletin"),
    ]
    visits, onward = walked["case"] + "/visits", walked["case"] + "/onward"
    return [*fixed, *walked.values(), visits, onward, "/desk/cases/NONE", "/desk/nothing"]


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_threat_web_attack_leaves_no_csp_violation_on_any_page(
    pages: Pages, browser: Browser, walked: dict[str, str], language: str
) -> None:
    context = context_of(browser, scripts=True, language=language)
    context.add_init_script(WATCH)
    wrong = watched(context)
    page, axe = context.new_page(), Axe()
    barriers: dict[str, str] = {}

    def check(path: str) -> None:
        assert page.evaluate("window.violations") == [], path
        assert "broken" not in page.title()
        assert page.locator("html").get_attribute("lang") == {"en-GB": "en"}.get(
            language, "zh-Hans"
        )
        checked = axe.run(page, options=FASTER)
        if checked.violations_count:
            barriers[path] = checked.generate_report()

    page.goto(f"{pages.url}/desk/sign-in")
    check("/desk/sign-in")
    page.locator("#name").fill("second")
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(pages.code("second"))
    press(page, page.locator("main button"))
    page.wait_for_url("**/desk/")
    case = pages.world.authority.casework.case(walked["case"].rpartition("/")[2], by=CONSOLE)
    pages.world.authority.visits.take(
        pages.world.token(case, language.encode(), pages.clock.now),
        [sent(CAFE if language == "en-GB" else BAR, pages.clock.now - 7_200)],
        [SentTrip("G1234", "2020-05-03", "5")],
        pages.clock.now,
    )
    # What differs between languages is the letters: two pages show those.
    for path in every_page(walked) if language == "en-GB" else [walked["case"], "/desk/"]:
        page.goto(pages.url + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        check(path)
    if language == "en-GB":
        page.goto(pages.url + walked["contact"])
        page.locator("#reason").fill("a check")
        press(page, page.locator("button.grave"))
        check("revealed")
        page.goto(pages.url + walked["case"])
        press(page, page.locator(".actions button").first)
        check("pin")
        page.goto(f"{pages.url}/desk/cases")
        page.locator("summary").first.click()
        page.locator("#user_id").fill("nobody")
        press(page, page.locator("details form button"))
        check("a form that was refused")
    context.close()
    assert barriers == {}
    assert [problem for problem in wrong if "status of 404" not in problem] == []


def test_the_keyboard_reaches_everything_in_its_order(
    pages: Pages, browser: Browser, walked: dict[str, str]
) -> None:
    context = context_of(browser, scripts=True)
    page = context.new_page()
    sign_in(page, pages, "second", pages.code("second"))
    page.wait_for_url("**/desk/")
    page.goto(pages.url + walked["case"])
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, "
        'textarea, summary, [tabindex="0"]\')].filter(one => one.checkVisibility()).length'
    )
    met = []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate(
                "(() => { const one = document.activeElement; "
                "return [one.tagName, one.textContent.trim().slice(0, 30), "
                "one.compareDocumentPosition(document.querySelector('main')) & 4] })()"
            )
        )
    assert met[0][1] == "Skip to content"
    places = [after for _, _, after in met]
    assert places == sorted(places, reverse=True)  # the bar first, then the page
    assert "BODY" not in {tag for tag, _, _ in met}
    assert len({(tag, text) for tag, text, _ in met}) > 10
    # To the content at once, and seen where one is.
    page.goto(pages.url + walked["case"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    context.close()


def test_screens_as_small_as_a_phones(
    pages: Pages, browser: Browser, walked: dict[str, str]
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    sign_in(page, pages, "second", pages.code("second"))
    page.wait_for_url("**/desk/")
    widths = {}
    for path in every_page(walked):
        page.goto(pages.url + path)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert {path: width for path, width in widths.items() if width > 390} == {}


def test_two_tabs_on_one_contact_and_a_session_that_ends_while_typing(
    pages: Pages, browser: Browser, walked: dict[str, str]
) -> None:
    pages.clock.now += 900
    context = context_of(browser, scripts=False)
    first, second = context.new_page(), context.new_page()
    sign_in(first, pages, "second", pages.code("second"))
    for page in (first, second):
        page.goto(pages.url + walked["contact"])
        page.get_by_text("Enter name and telephone number").click()
    first.locator("#person-name").fill("Ann of the first tab")
    press(first, first.get_by_role("button", name="Save encrypted"))
    second.locator("#person-name").fill("Bob of the second")
    press(second, second.get_by_role("button", name="Save encrypted"))
    both = second.locator("#both")
    expect(both).to_contain_text("Ann of the first tab")
    expect(both).to_contain_text("Bob of the second")
    expect(second.locator("#person-name")).to_have_value("Bob of the second")
    press(second, second.get_by_role("button", name="Save encrypted"))
    second.get_by_label("Reason").fill("call for testing")
    press(second, second.get_by_role("button", name="Reveal"))
    expect(second.locator("dl").get_by_text("Bob of the second")).to_be_visible()

    written = "\n" + "第一行😷\n" * 100
    first.goto(pages.url + walked["contact"])
    first.get_by_label("New note").fill(written)
    pages.clock.now += 3 * 3600
    press(first, first.get_by_role("button", name="Save the note"))
    expect(first.get_by_role("heading", name="Signed out")).to_be_visible()
    expect(first.locator("#given-text")).to_have_value(written)
    first.get_by_label("User name").fill("second")
    first.get_by_label("Password").fill(PASSWORD)
    first.get_by_label("Code").fill(pages.code("second"))
    press(first, first.get_by_role("main").get_by_role("button", name="Sign in"))
    expect(first.locator("#given-text")).to_have_value(written)
    press(first, first.get_by_role("button", name="Send again"))
    expect(first.locator("#notes")).to_contain_text("第一行😷")
    shown = first.locator("#notes .note", has_text="第一行").inner_text()
    assert shown.strip() == written.strip()  # its lines are lines
    context.close()


# --- restrictions, appeals, orders, charges ---


@pytest.fixture(scope="module")
def restricted(pages: Pages) -> list[str]:
    """Restrict people in every way that the pages show; return the paths of the pages."""
    world = pages.world
    assert isinstance(world, StatusWorld)
    world.order(OrderKind.BORDER, people=2)
    order = world.order()
    world.authority.orders.end(world.order(people=1).order_id, NOON, by=MEI)
    for reviewer in (ROSA, TOM):
        found = world.set(order)
        world.authority.restrictions.confirm(found.restriction_id, NOON, by=reviewer)
        world.authority.appeals.open(found.user_id, NOON)
    ends = world.set(order, until=NOON + 6 * 3600)
    world.authority.restrictions.confirm(ends.restriction_id, NOON, by=ROSA)
    world.set(order, by=RAVI)
    lists = ("in-force", "today", "later", "suspended")
    return [
        *(f"/desk/restrictions?show={name}" for name in lists),
        *("/desk/appeals", "/desk/orders", "/desk/charges", "/desk/test-results"),
    ]


def test_two_people_restrict_and_a_third_decides_without_scripts(
    pages: Pages, browser: Browser, restricted: list[str]
) -> None:
    context = context_of(browser, scripts=False)
    page, world = context.new_page(), pages.world
    wrong = watched(context)
    person = world.user()
    sign_in(page, pages, "ravi", pages.code("ravi"))
    press(page, page.get_by_role("link", name="Restrictions"))
    page.get_by_text("Set a restriction on one person").click()
    page.get_by_label("User id").fill(person)
    page.get_by_label("Rests on").select_option("order")
    (order,) = [order for order in world.authority.orders.all(by=MEI) if order.people]
    page.get_by_label("Id of the case or of the order").fill(order.order_id)
    page.get_by_label("What you have seen").select_option("visit")
    page.get_by_label("Last day").fill("2020-05-10")
    press(page, page.get_by_role("button", name="Set it"))
    expect(page.locator("#waiting tbody tr")).to_have_count(2)
    expect(page.locator("#waiting")).to_contain_text("You set it. Another person confirms it.")
    expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    press(page, page.get_by_role("button", name="Sign out"))
    sign_in(page, pages, "rosa", pages.code("rosa"))
    press(page, page.get_by_role("link", name="Restrictions"))
    press(page, page.get_by_role("button", name="Confirm").first)
    expect(page.get_by_role("heading", name="Confirm this restriction?")).to_be_visible()
    press(page, page.get_by_role("button", name="Confirm"))
    expect(page.locator("#waiting tbody tr")).to_have_count(1)
    press(page, page.get_by_role("link", name="Appeals"))
    expect(page.locator("#open .appeals > li")).to_have_count(2)
    expect(page.get_by_text("You took part. Another reviewer decides.")).to_have_count(1)
    page.get_by_label("Decision for").select_option("lifted")
    press(page, page.get_by_role("button", name="Decide"))
    expect(page.get_by_role("status")).to_contain_text("lifted")
    expect(page.locator("#open .appeals > li")).to_have_count(1)
    press(page, page.get_by_role("link", name="Charges"))
    page.get_by_label("The person’s language").select_option("ta")
    press(page, page.get_by_role("button", name="Give a code"))
    expect(page.locator("[lang=ta]").first).to_contain_text("அனுமதிச்சீட்டு")
    context.close()
    assert wrong == []


@pytest.mark.parametrize(("language", "width"), [("en-GB", 1200), ("en-GB", 390), ("zh-CN", 390)])
def test_pages_of_restrictions_have_no_barrier_and_fit_the_screen(
    pages: Pages, browser: Browser, restricted: list[str], language: str, width: int
) -> None:
    viewport = {"width": width, "height": 800}
    context = browser.new_context(viewport=viewport, locale=language)  # type: ignore[arg-type]
    context.set_default_timeout(SLOW_MS)
    page, axe = context.new_page(), Axe()
    page.goto(f"{pages.url}/desk/sign-in")
    page.locator("#name").fill("second")
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(pages.code("second"))
    press(page, page.locator("main button"))
    faults: dict[str, object] = {}

    def check(path: str) -> None:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        checked = axe.run(page, options=FASTER)
        if checked.violations_count:
            faults[path] = checked.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            faults[f"{path} {width}"] = wide

    for path in restricted if language == "en-GB" else restricted[::3]:
        page.goto(pages.url + path)
        check(path)
    page.goto(f"{pages.url}/desk/restrictions")
    page.locator("summary").first.click()
    page.locator("#user_id").fill("nobody")
    page.locator("#ground").select_option("order")
    page.locator("#reference").fill("NONE")
    page.locator("#evidence").select_option("visit")
    page.locator("#until").fill("2020-05-10")
    press(page, page.locator("details form button"))
    expect(page.locator("#user_id-wrong")).to_be_visible()
    check("a form that was refused")
    context.close()
    assert faults == {}
