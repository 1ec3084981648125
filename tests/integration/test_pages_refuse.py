"""What the operators' pages say when something does not work: what to do there, nothing lost."""

import re
from collections.abc import Iterator

import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.adapters.operator_pages.texts import TEXTS
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.errors import StoreError
from tracetogether.parameters import (
    SESSION_IDLE_S,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_PIN_SHORT_LIFETIME_S,
)

pytestmark = pytest.mark.network

SHELL = re.compile(r"`|(?<!\w)--|tracetogether [a-z]|authority [a-z]+ ")


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(World.of(counted_entropy(12))) as served:
        served.operator("all", *ALL_ROLES)
        served.operator("tracer", Role.TRACER)
        served.operator("issuer", Role.ISSUER)
        served.operator("admin", Role.ADMIN)
        yield served


@pytest.fixture(scope="module")
def visitor(pages: Pages) -> Visitor:
    return pages.visitor("all")


@pytest.fixture(scope="module")
def case(pages: Pages) -> Case:
    """A case with one contact."""
    world, now = pages.world, pages.clock.now
    near, case = world.user(), world.authority.casework.open_case(world.user(), now, by=CONSOLE)
    world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), now)
    world.authority.finder.refresh(case, now)
    return case


@pytest.fixture
def contact(visitor: Visitor, case: Case) -> str:
    link = re.search(r"/desk(/contacts/\w+)", visitor.get(f"/cases/{case.case_id}")[1])
    assert link
    return link[1]


def in_chinese(visitor: Visitor, path: str) -> str:
    """Return what a page says to who chose 中文."""
    other = Visitor(visitor.url, dict(visitor.cookies), language="zh")
    other.get(path)
    return other.text()


def current(visitor: Visitor) -> str:
    """Return what the bar above marks as where one is."""
    found = re.findall(r'href="/desk(/[a-z-]*)" aria-current="\w+"', visitor.body)
    assert len(found) < 2
    return found[0] if found else ""


# --- addresses and faults ---


@pytest.mark.parametrize("path", ["/nothing", "/cases/X/nothing", "/static/nothing.css", "/é"])
def test_an_address_where_nothing_is(pages: Pages, visitor: Visitor, path: str) -> None:
    for somebody in (visitor, pages.visitor()):
        assert somebody.get(path)[0] == 404
        assert "<html" in somebody.body
        assert "There is no page at this address" in somebody.text()
        assert "此地址没有页面" in in_chinese(somebody, path)
        assert "default-src 'none'" in somebody.headers["content-security-policy"]
        assert current(somebody) in {"", "/cases" if path.startswith("/cases") else ""}
    visitor.get(path)
    assert "To the list of cases" in visitor.text()
    assert visitor.post(path)[0] == 404


def test_what_a_form_does_asked_as_a_page_leads_to_the_page_of_the_form(visitor: Visitor) -> None:
    for asked, led in [
        ("/cases/X/notes", "/cases/X"),
        ("/contacts/X/reveal", "/contacts/X"),
        ("/audit/verify", "/audit"),
        ("/sign-out", "/"),
        ("/language", "/"),
    ]:
        assert visitor.get(asked) == (303, f"/desk{led}")


def test_a_fault_is_a_page_with_a_reference_and_what_was_written(
    visitor: Visitor, case: Case, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        msg = "secret of the store"
        raise LookupError(msg)

    visitor.get(f"/cases/{case.case_id}")
    monkeypatch.setattr("tracetogether.authority.desk.followup.FollowUp.note", broken)
    status, body = visitor.post(f"/cases/{case.case_id}/notes", text="a long <note>")
    assert status == 500
    reference = re.search(r"reference: ([0-9a-f]{8})", visitor.text())
    assert reference
    assert reference[1] in caplog.text
    assert "secret" not in body
    assert "Traceback" not in body
    assert "a long &lt;note&gt;</textarea>" in body
    assert visitor.get("/")[0] == 200


def test_a_store_that_fails_before_it_is_known_who_asks(
    pages: Pages, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        msg = "/var/lib/authority.db is locked"
        raise StoreError(msg)

    monkeypatch.setattr(type(pages.world.store.sign_ins), "session", broken)
    status, body = visitor.get("/cases")
    assert status == 503
    assert "Try again" in visitor.text()
    assert "/var/lib" not in body


# --- refusals ---


@pytest.mark.parametrize(
    ("path", "english", "chinese"),
    [
        (
            "/cases/NONE",
            "A supervisor can assign a case to you",
            "主管可以在病例页面将病例分配给您",
        ),
        ("/contacts/NONE", "from the follow-up list", "请从病例页面或随访列表中打开"),
        ("/audit", "You need the role auditor", "需要角色：审计员（auditor）"),
    ],
)
def test_a_refusal_says_who_can_help(pages: Pages, path: str, english: str, chinese: str) -> None:
    somebody = pages.visitor("tracer")
    assert somebody.get(path)[0] in {403, 404}
    assert english in somebody.text()
    assert chinese in in_chinese(somebody, path)
    assert not SHELL.search(somebody.text())


def test_anothers_case_is_given_by_a_supervisor(pages: Pages, case: Case) -> None:
    somebody = pages.visitor("tracer")
    assert somebody.get(f"/cases/{case.case_id}")[0] == 404
    assert "A supervisor can assign a case to you" in somebody.text()


def test_an_issuer_sees_all_cases_and_reads_that_a_case_does_not_exist(pages: Pages) -> None:
    issuer = pages.visitor("issuer")
    assert issuer.get("/cases/NONE")[0] == 404
    assert TEXTS["en"].error("no-such-case") in issuer.text()
    assert issuer.get("/contacts/NONE")[0] == 403
    assert "You need the role supervisor or tracer." in issuer.text()
    assert "需要角色：主管（supervisor）或追踪员（tracer）" in in_chinese(issuer, "/contacts/NONE")


def test_only_who_sees_all_cases_reads_that_a_contact_does_not_exist(
    pages: Pages, visitor: Visitor, contact: str
) -> None:
    assert visitor.get("/contacts/NONE")[0] == 404
    assert TEXTS["en"].error("contact-unknown") in visitor.text()
    tracer = pages.visitor("tracer")
    for path in ("/contacts/NONE", contact):
        assert tracer.get(path)[0] == 404
        assert TEXTS["en"].error("contact-not-yours") in tracer.text()


def test_an_administrator_reads_that_no_page_is_for_that_role(pages: Pages) -> None:
    assert pages.visitor("admin").get("/")[0] == 200
    for name, said in (("admin", True), ("issuer", False)):
        somebody = pages.visitor(name)
        somebody.get("/")
        assert ("Your roles have no other pages" in somebody.text()) is said
        assert ("Use the menu above" in somebody.text()) is not said


def test_an_expired_form_is_not_saved_and_its_page_can_be_opened_again(
    visitor: Visitor, case: Case
) -> None:
    here = f"/cases/{case.case_id}"
    visitor.get(here)
    assert visitor.post(f"{here}/notes", form_token="0" * 64, text="lost?")[0] == 403
    assert "<h1>Not saved</h1>" in visitor.body
    assert f'href="/desk{here}">Open the page again' in visitor.body
    assert "lost?</textarea>" in visitor.body
    assert f'action="/desk{here}/notes"' not in visitor.body  # no token, so it can only be copied


@pytest.mark.parametrize("merged", [False, True])
def test_a_case_that_is_not_open_offers_no_pin(
    pages: Pages, visitor: Visitor, case: Case, *, merged: bool
) -> None:
    world, now = pages.world, pages.clock.now
    other = world.authority.casework.open_case(world.user(), now, by=CONSOLE).case_id
    offers = f'action="/desk/cases/{other}/pin"'
    assert offers in visitor.get(f"/cases/{other}")[1]
    assert "Issue a PIN and read it out" in visitor.text()
    if merged:
        world.authority.merging.merge_cases(other, case.case_id, now, by=CONSOLE)
    else:
        world.authority.casework.close(other, now, by=CONSOLE)
    assert offers not in visitor.get(f"/cases/{other}")[1]
    assert "No log was uploaded for this case." in visitor.text()
    assert "Issue a PIN and read it out" not in visitor.text()
    if merged:
        assert f'<a class="id" href="/desk/cases/{case.case_id}">' in visitor.body
        assert "Continue in the other case" in visitor.text()
    else:
        assert "Before a PIN is issued here" in visitor.text()


# --- forms that were refused ---


@pytest.mark.parametrize(("day", "field"), [("1", "day"), ("99999", "day"), ("18400", "outcome")])
def test_the_field_of_a_call_that_is_wrong_is_marked(
    visitor: Visitor, contact: str, day: str, field: str
) -> None:
    visitor.get(contact)
    outcome = "well" if field == "outcome" else "symptoms"
    assert visitor.post(f"{contact}/outcome", day=day, outcome=outcome)[0] == 400
    assert re.findall(r'<select id="(\w+)"[^>]* aria-invalid="true"', visitor.body) == [field]
    assert f'id="{field}-wrong"' in visitor.body


def assert_wrong(visitor: Visitor, field: str, typed: str, why: str) -> None:
    """A field is marked, named, described by what is wrong, and has what was typed."""
    assert f'href="#{field}-wrong"' in visitor.body
    marked = re.search(rf'<(\w+)[^>]*name="{field}"[^>]*aria-invalid="true"[^>]*>', visitor.body)
    assert marked
    assert f'aria-describedby="{field}-wrong' in marked[0]
    assert "autofocus" in marked[0]
    assert f'value="{typed}"' in marked[0] or f">{typed}</textarea>" in visitor.body
    described = re.search(rf'id="{field}-wrong">([^<]+)<', visitor.body)
    assert described
    assert why in described[1]


@pytest.mark.parametrize(
    ("user_id", "date", "field", "why"),
    [
        ("NoSuchUserAtAll", "2020-05-01", "user_id", "Compare every character"),
        ("", "2030-05-01", "date", "in the future"),
        ("", "2020-01-01", "date", "more than 21 days ago"),
        ("", "yesterday", "date", "2020-05-04"),
    ],
)
def test_a_case_that_can_not_be_opened(
    visitor: Visitor, user_id: str, date: str, field: str, why: str
) -> None:
    visitor.get("/cases")
    assert visitor.post("/cases", user_id=user_id or "some'<user>", date=date)[0] in {404, 400}
    assert_wrong(visitor, field, {"user_id": user_id, "date": date}[field], why)
    for typed in (user_id or "some&#39;&lt;user&gt;", date):
        assert f'value="{typed}"' in visitor.body
    assert current(visitor) == "/cases"
    assert '<details class="card" open>' in visitor.body


def test_a_case_that_can_not_be_merged_and_a_note_that_is_none(
    visitor: Visitor, case: Case
) -> None:
    here = f"/cases/{case.case_id}"
    visitor.get(here)
    assert visitor.post(f"{here}/merge", into="NOCASE")[0] == 404
    assert_wrong(visitor, "into", "NOCASE", "There is no such case")
    assert visitor.post(f"{here}/merge", into=case.case_id)[0] == 400
    assert_wrong(visitor, "into", case.case_id, "merge a case into itself")
    assert visitor.post(f"{here}/notes", text="x" * 2_001)[0] == 400
    assert_wrong(visitor, "text", "x" * 2_001, "1 to 2,000 characters")
    assert visitor.post(f"{here}/state", state="open")[0] == 409
    assert "Only a closed case can be reopened" in visitor.text()
    assert "aria-invalid" not in visitor.body
    assert visitor.post(f"{here}/state", state="neither")[0] == 303  # and changes nothing:
    assert visitor.post(f"{here}/state", state="open")[0] == 409
    visitor.get(here)
    assert visitor.post("/cases/GONE/notes", text="ten minutes' work")[0] == 404
    assert "ten minutes&#39; work</textarea>" in visitor.body


def test_what_can_be_wrong_with_a_contact(visitor: Visitor, contact: str) -> None:
    visitor.get(contact)
    assert visitor.post(f"{contact}/reveal", reason="y" * 201)[0] == 400
    assert_wrong(visitor, "reason", "y" * 201, "Give a reason of 1 to 200 characters")
    assert current(visitor) == "/cases"
    assert visitor.post(f"{contact}/merge", into="NOBODY")[0] == 404
    assert_wrong(visitor, "into", "NOBODY", "no such contact")
    assert visitor.post(f"{contact}/describe", name="n" * 300, phone="+65 1")[0] == 400
    assert_wrong(visitor, "name", "n" * 300, "up to 200 characters")
    assert 'value="+65 1"' in visitor.body
    assert visitor.post(f"{contact}/outcome", day="99", outcome="symptoms")[0] == 400
    assert 'aria-invalid="true"' in visitor.body
    assert 'value="symptoms" selected' in visitor.body


# --- PINs and signing in ---


@pytest.mark.parametrize(
    ("lifetime", "lasts_s", "how"),
    [
        ("short", UPLOAD_PIN_SHORT_LIFETIME_S, "Read it out on the phone now"),
        ("long", UPLOAD_PIN_LIFETIME_S, "Send it to the person"),
    ],
)
def test_a_pin_lives_as_long_as_its_way_takes(
    pages: Pages, case: Case, lifetime: str, lasts_s: float, how: str
) -> None:
    visitor = pages.visitor("all")
    visitor.get(f"/cases/{case.case_id}")
    assert f'name="lifetime" value="{lifetime}"' in visitor.body
    given = pages.clock.now
    assert visitor.post(f"/cases/{case.case_id}/pin", lifetime=lifetime)[0] == 200
    assert how in visitor.text()
    assert current(visitor) == "/cases"
    shown = re.search(r'class="pin">([\d ]+)<', visitor.body)
    assert shown
    pin, redeem = shown[1].replace(" ", ""), pages.world.authority.pins.redeem
    assert redeem(case.user_id, pin, given + lasts_s - 1).expiry == given + lasts_s


def test_a_pin_for_which_nobody_said_how_it_gets_there(visitor: Visitor, case: Case) -> None:
    visitor.get(f"/cases/{case.case_id}")
    assert visitor.post(f"/cases/{case.case_id}/pin")[0] == 400
    assert "Choose how the person receives the PIN" in visitor.text()
    assert 'class="pin"' not in visitor.body


def test_the_sign_in_asks_for_the_user_name_and_not_for_a_token(pages: Pages) -> None:
    visitor = pages.visitor()
    visitor.get("/sign-in")
    assert "User name" in visitor.text()
    assert "enter the operator token here" in visitor.text()
    said = in_chinese(visitor, "/sign-in")
    assert "用户名" in said
    assert "姓名" not in said


# --- last, for it ends all sessions ---


def test_a_note_outlives_a_session_that_ended_meanwhile(pages: Pages, case: Case) -> None:
    slow = pages.visitor("all")
    slow.get(f"/cases/{case.case_id}")
    pages.clock.now += SESSION_IDLE_S
    assert slow.post(f"/cases/{case.case_id}/notes", text="ten minutes' work")[0] == 401
    assert "ten minutes&#39; work</textarea>" in slow.body
    assert f'sign-in?next=/cases/{case.case_id}"' in slow.body
    strange = pages.visitor()  # nothing is given back that another site may have sent
    strange.get("/sign-in")
    assert strange.post("/cases/X/notes", form_token="0", text="planted")[0] == 403
    assert "planted" not in strange.body


@pytest.mark.parametrize(
    ("to", "typed", "status", "code"),
    [
        ("/cases", {"user_id": "QUJD", "date": "4 May"}, 400, "date-form"),
        ("/cases", {"user_id": "Q" * 65}, 404, "no-such-user"),
        ("/cases", {"user_id": " ", "date": ""}, 404, "user-id-empty"),
        ("/cases/{case}/pin", {"lifetime": "a week"}, 400, "choose-lifetime"),
        ("/cases/{case}/pin", {"lifetime": ""}, 400, "choose-lifetime"),
        ("/contacts/{contact}/outcome", {"day": "18400", "outcome": "well"}, 400, "choose-outcome"),
        (
            "/contacts/{contact}/outcome",
            {"day": "-1", "outcome": "symptoms"},
            400,
            "day-not-in-calendar",
        ),
        ("/contacts/{contact}/outcome", {"outcome": "symptoms"}, 400, "day-not-in-calendar"),
    ],
)
def test_what_is_typed_is_checked_field_by_field(
    pages: Pages,
    case: Case,
    to: str,
    typed: dict[str, str],
    status: int,
    code: str,
) -> None:
    (contact,) = pages.world.authority.desk.page(ContactQuery(), by=CONSOLE).contacts
    pages.clock.now += 900  # sign-ins are counted by quarters of an hour
    visitor = pages.visitor("all")
    visitor.get("/cases")
    path = to.format(case=case.case_id, contact=contact.kept.contact_id)
    assert visitor.post(path, **typed)[0] == status
    assert TEXTS["en"].error(code) in visitor.text()
