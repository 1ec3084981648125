"""Every form of every page gives back what was typed, whatever keeps it from being saved."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from html.parser import HTMLParser
from itertools import cycle

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import PASSWORD, Pages, Visitor, serving
from tests.presence_world import CAFE
from tests.presence_world import sent as sent_visit
from tests.status_world import StatusWorld
from tracetogether.adapters.operator_pages import app
from tracetogether.adapters.operator_pages.forms import MAX_FORM_BYTES, SECRET
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Caller, Role
from tracetogether.authority.access.resets import CodeReset
from tracetogether.authority.cases.calls import CallShift, ShiftReason
from tracetogether.authority.cases.followed import ACTIVE, ContactQuery, ContactState
from tracetogether.authority.cases.notes import MAX_NOTE_CHARACTERS
from tracetogether.authority.presence.taking import SentTrip
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    NotFoundError,
    RateLimitedError,
    StoreError,
    TraceTogetherError,
)
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
REFUSALS: dict[int, Exception] = {
    400: TraceTogetherError("something does not fit"),
    403: AccessDeniedError("that is not allowed"),
    404: NotFoundError("there is no such thing"),
    409: ConflictError("that does not fit"),
    429: RateLimitedError(9),
    500: LookupError("a fault"),
    503: StoreError("the database is locked"),
}
ASKS_WHO = {"/sign-in", "/enrol", "/wall/enter"}
FOUND: dict[str, dict[str, "Form"]] = {}
"""Forms by language, of the one authority that this file serves."""


@dataclass
class Form:
    """A form as it is on a page: where it goes, and its fields."""

    method: str
    action: str
    typed: list[str] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._area: str | None = None
        self._also: list[tuple[Form, str]] = []
        self.feed(page)
        self.found += [replace(form, action=action) for form, action in self._also]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(said.get("method", "get"), said["action"]))
        elif tag == "button" and "formaction" in said:
            self._also.append((self.found[-1], said["formaction"]))
        elif "name" not in said or not self.found:
            return
        elif tag == "button":
            self.found[-1].buttons[said["name"]] = said.get("value", "")
        elif said.get("type") == "hidden" or (tag == "textarea" and "hidden" in said):
            self.found[-1].hidden[said["name"]] = said.get("value", "")
            self._area = said["name"] if tag == "textarea" else None
        elif tag in {"input", "select", "textarea"}:
            self.found[-1].typed.append(said["name"])
            if tag == "textarea":
                self.found[-1].hidden.setdefault(said["name"], "")
                self._area = said["name"]

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            before = self.found[-1].hidden[self._area]  # one line break after the tag is no text
            self.found[-1].hidden[self._area] = before + data if before else data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None


def failing(page: Page, fault: list[Exception]) -> Page:
    """Return a page whose form ends in the error of ``fault``, if it has one."""

    def answer(request: PageRequest) -> object:
        if fault:
            raise fault[0]
        return page.answer(request)

    return replace(page, answer=answer) if page.method == "POST" else page  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fault() -> list[Exception]:
    return []


@pytest.fixture(scope="module")
def pages(fault: list[Exception]) -> Iterator[Pages]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "ALL_PAGES", tuple(failing(page, fault) for page in app.ALL_PAGES))
        world = StatusWorld.new(entropy=counted_entropy(15))
        with serving(world) as served:
            served.operator("all", *ALL_ROLES)
            served.operator("tracer", Role.TRACER)
            served.world.store.put_code_reset(CodeReset("tracer", "operator", NOON + 9e6))
            now = served.clock.now
            order = world.order()
            canteen, _ = world.authority.places.add("Canteen 3", "", NOON, by=CONSOLE)
            world.authority.places.batch(canteen.user_id, NOON)  # so that it can be warned of
            world.authority.bulletins.put("x", now + 6 * SECONDS_PER_DAY, now, by=CONSOLE)
            world.set(order, now=now)  # waits for its confirmation
            withheld = world.restricted(order, now=now)
            world.authority.appeals.open(withheld.user_id, now)
            case = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
            rows = world.heard(world.user(), NOON - 3600, 45, rssi_dbm=-45)
            rows += world.heard(world.user(), NOON - 7200, 5, rssi_dbm=-90)
            rows += world.heard(world.user(), NOON - 9000, 45, rssi_dbm=-45)
            rows += world.heard(world.user(), NOON - 9900, 5, rssi_dbm=-91)
            world.take(case, rows, now)
            world.authority.visits.take(
                world.token(case, b"another log", now),
                [sent_visit(CAFE, now - 7_200)],
                [SentTrip("G1234", "2020-05-03", "5")],
                now,
            )
            world.authority.finder.refresh(case, now)
            waits = replace(
                world.authority.casework.case(case.case_id, by=CONSOLE), unconfirmed=True
            )
            world.store.desk.put_case(waits)
            shut = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
            world.authority.casework.close(shut.case_id, now, by=CONSOLE)
            two = [
                world.authority.casework.open_case(world.user(), now, by=CONSOLE) for _ in range(2)
            ]
            world.authority.merging.merge_cases(two[0].case_id, two[1].case_id, now, by=CONSOLE)
            same = world.authority.desk.page(ContactQuery(), by=CONSOLE).contacts
            world.authority.merging.merge(
                same[-1].kept.contact_id, same[0].kept.contact_id, now, by=CONSOLE
            )
            ill = (
                world.authority.desk.page(ContactQuery(states=ACTIVE), by=CONSOLE).contacts[-1].kept
            )
            tracer = Caller("tracer", frozenset({Role.TRACER}))
            world.authority.casework.assign(case.case_id, "tracer", now, by=CONSOLE)
            world.authority.merging.convert(ill.contact_id, now, by=tracer)  # not confirmed
            to_call = world.authority.people.due(now, by=CONSOLE).people[0].first.who
            late = now + 30 * SECONDS_PER_DAY
            world.store.calls.put_shift(CallShift("all", ShiftReason.DAILY_CALLS, now, late))
            assert world.store.calls.reserve(to_call, "all", now, late)
            yield served


@pytest.fixture
def visitor(pages: Pages) -> Visitor:
    pages.clock.now += 900  # sign-ins are counted by quarters of an hour
    return pages.visitor("all")


def addresses(pages: Pages) -> Iterator[str]:
    """Return every page that is shown, by the routes, for every kind of case and contact."""
    world = pages.world
    cases = [case.case_id for case in world.authority.casework.cases(by=CONSOLE)]
    contacts = [
        contact.kept.contact_id
        for state in (ContactState.TO_TRACE, ContactState.CASUAL)
        for contact in world.authority.desk.page(
            ContactQuery(states=frozenset({state})), by=CONSOLE
        ).contacts
    ]
    assert (len(cases), len(contacts)) == (5, 2)
    for page in app.ALL_PAGES:
        if page.method != "GET":
            continue
        for case_id, contact_id in zip(cases, cycle(contacts), strict=False):
            path = page.path.replace("{case_id}", case_id).replace("{contact_id}", contact_id)
            path = path.replace("{name}", "tracer")
            path = f"{path}?of=-" if path == "/team" else path
            assert "{" not in path, f"{path}: say what takes the place of this"
            yield path


def all_forms(pages: Pages, visitor: Visitor) -> dict[str, Form]:
    """Return one form for each page that takes one, as pages show them.

    Pages are read once in each language: the fields are the same for each session, and tests take
    the session's own ``form_token``.
    """
    if visitor.language not in FOUND:
        FOUND[visitor.language] = forms_on_pages(pages, visitor)
    return FOUND[visitor.language]


def forms_on_pages(pages: Pages, visitor: Visitor) -> dict[str, Form]:
    found: dict[str, Form] = {}
    new = Visitor(pages.url)
    world = pages.world.authority
    if "new" not in pages.secrets:
        world.staff.add("new", ALL_ROLES, "token-of-new", pages.clock.now, by=CONSOLE)
        pages.secrets["new"] = b""
    pages.sign_in.set_password("new", PASSWORD, pages.clock.now, by=CONSOLE)
    new.sign_in("new", PASSWORD, "")
    for somebody, path in [
        *((visitor, path) for path in addresses(pages)),
        (new, "/enrol"),
        (pages.visitor(), "/sign-in"),
    ]:
        for form in Forms(somebody.get(path)[1]).found:
            if form.method != "post":
                continue
            page = page_of(form.action)
            if page not in found or form.typed > found[page].typed:
                found[page] = form
    return found


def page_of(action: str) -> str:
    """Return the path of the page that a form is sent to."""
    parts = action.removeprefix("/desk").split("/")
    for page in app.ALL_PAGES:
        pattern = page.path.split("/")
        same = [a == b or b.startswith("{") for a, b in zip(parts, pattern, strict=False)]
        if page.method == "POST" and len(parts) == len(pattern) and all(same):
            return page.path
    msg = f"no page at {action}"
    raise AssertionError(msg)


def filled(form: Form) -> dict[str, str]:
    """Return a form with a distinct text in every field."""
    typed = {name: f"\n<b>{name}</b> & \"'\n您好 {name} 😷" for name in form.typed}
    return {**form.hidden, **form.buttons, **typed}


def assert_given_back(visitor: Visitor, sent: dict[str, str], form: Form) -> None:
    """Every text that is no secret is on the page, as text; no secret is."""
    assert "<html" in visitor.body
    shown = unescape(visitor.body).replace("\r\n", "\n")
    for name in form.typed:
        assert (sent[name] in shown) == (name not in SECRET), (form.action, name)
        assert f"<b>{name}</b>" not in visitor.body


def test_every_form_is_found_on_a_page(pages: Pages, visitor: Visitor) -> None:
    asked = {page.path for page in app.ALL_PAGES if page.method == "POST"}
    assert asked - set(all_forms(pages, visitor)) == set()


@pytest.mark.slow
@pytest.mark.parametrize("status", sorted(REFUSALS))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_refusal_gives_everything_back(
    pages: Pages, visitor: Visitor, fault: list[Exception], status: int, language: str
) -> None:
    visitor.language = language
    forms = all_forms(pages, visitor)
    fault[:] = [REFUSALS[status]]
    try:
        for path, form in forms.items():
            visitor.get("/")
            sent = filled(form)
            sent.pop("form_token")
            got = visitor.post(path_of(form), **sent)[0]
            if path not in ASKS_WHO | {"/sign-out"}:
                assert got == status, path
                assert_given_back(visitor, sent, form)
    finally:
        fault.clear()


def test_a_form_of_another_session_is_given_back(pages: Pages, visitor: Visitor) -> None:
    for form in all_forms(pages, visitor).values():
        sent = {**filled(form), "form_token": "stale"}
        assert visitor.post(path_of(form), **sent)[0] == 403
        assert_given_back(visitor, sent, form)


def test_nothing_of_another_site_is_given_back_or_sent_again(pages: Pages) -> None:
    visitor = pages.visitor("tracer")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        visitor.more_headers = headers
        assert visitor.post("/cases/X/notes", form_token="0", text="planted")[0] == 403
        assert "planted" not in visitor.body
    visitor.more_headers = {"Origin": pages.url}
    assert visitor.post("/cases/X/notes", form_token="0", text="mine")[0] == 403
    assert "mine" in visitor.body


def test_a_role_that_is_missing_gives_everything_back(pages: Pages, visitor: Visitor) -> None:
    forms = all_forms(pages, visitor)
    tracer = pages.visitor("tracer")
    tracer.get("/")
    form = forms["/cases"]
    sent = filled(form)
    sent.pop("form_token")
    assert tracer.post("/cases", **sent)[0] == 403
    assert_given_back(tracer, sent, form)


def test_a_form_that_is_too_large_gives_back_what_fits(pages: Pages, visitor: Visitor) -> None:
    for path, form in all_forms(pages, visitor).items():
        visitor.get("/")
        sent = filled(form)
        sent.pop("form_token")
        last = form.typed[-1] if form.typed else "more"
        whole = {**sent, last: "您好" * MAX_FORM_BYTES}
        whole[last] = whole.pop(last)  # last of all
        assert visitor.post(path_of(form), **whole)[0] == 413, path
        shown = unescape(visitor.body)
        for name in form.typed[:-1]:
            assert (sent[name] in shown) == (name not in SECRET)
        if form.typed and last not in SECRET and path not in ASKS_WHO:
            assert "您好" * 2_000 in shown
        assert "the end of your text is missing" in visitor.text()


def test_a_session_that_ended_gives_everything_back_after_the_sign_in(
    pages: Pages, visitor: Visitor, fault: list[Exception]
) -> None:
    for path, form in all_forms(pages, visitor).items():
        if path in ASKS_WHO | {"/sign-out", "/language"}:
            continue
        pages.clock.now += 900
        visitor = pages.visitor("all")
        visitor.get("/")
        sent = filled(form)
        sent.pop("form_token")
        pages.world.store.sign_ins.end_sessions("all")
        assert visitor.post(path_of(form), **sent)[0] == 401, path
        assert_given_back(visitor, sent, form)
        if not any(sent.values()):
            continue  # a button alone: there is nothing to give back
        for code in ("000000", pages.code("all")):  # a wrong code does not lose it either
            (held,) = [form for form in Forms(visitor.body).found if "password" in form.typed]
            typed = {"name": "all", "password": PASSWORD, "code": code}
            visitor.post("/sign-in", **{**held.hidden, **typed})
        assert_given_back(visitor, sent, form)
        (again,) = [shown for shown in Forms(visitor.body).found if shown.action == form.action]
        fault[:] = [StoreError("the database is locked")]
        try:  # what is sent again is all that was typed, and what was chosen by a button
            assert visitor.post(path_of(again), **again.hidden)[0] == 503
            assert_given_back(visitor, sent, form)
        finally:
            fault.clear()
        for name, value in {**form.buttons, **form.hidden}.items():
            if name != "form_token":
                assert again.hidden[name] == (sent[name] if name in form.typed else value)


def path_of(form: Form) -> str:
    return form.action.removeprefix("/desk")


@pytest.mark.parametrize("text", ["您" * 2_000, "😷" * 2_000, "é\r\n" * 1_000, "a" * 2_000])
def test_a_note_of_2000_characters_is_kept_in_any_script(
    pages: Pages, visitor: Visitor, text: str
) -> None:
    case = pages.world.authority.casework.cases(by=CONSOLE)[0].case_id
    visitor.get(f"/cases/{case}")
    assert visitor.post(f"/cases/{case}/notes", text=text)[0] == 303
    kept = pages.world.authority.desk.notes_on(case, by=CONSOLE)[-1].text
    assert kept == text.replace("\r\n", "\n")
    assert len(kept) == MAX_NOTE_CHARACTERS
    assert visitor.post(f"/cases/{case}/notes", text=text + "您")[0] == 400
    assert "This one has 2,001" in visitor.text()
    assert unescape(visitor.body).count(kept + "您") == 1
