"""The operators' pages by plain HTTP: who is let in where, and what a form must carry."""

import re
from collections.abc import Iterator
from html import escape

import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import PASSWORD, Pages, Visitor, serving
from tracetogether.adapters.operator_pages import roles
from tracetogether.adapters.operator_pages.cookies import local_path
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE, Role
from tracetogether.authority.access.sign_in import form_token
from tracetogether.parameters import SESSION_IDLE_S

pytestmark = pytest.mark.network

ALLOWED = {f"{method} {path}" for method, path in roles.ACTIONS} - {"POST /sign-out"}
FOR_ALL = {"POST /sign-out"}
FOR_STRANGERS = {"GET /sign-in", "POST /sign-in", "POST /language"}
WHILE_ENROLLING = {"GET /enrol", "POST /enrol"}


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    world = World.of(counted_entropy(11))
    with serving(world) as served:
        for role in Role:
            served.operator(role.value, role)
        yield served


@pytest.fixture(scope="module")
def visitors(pages: Pages) -> dict[str, Visitor]:
    """Somebody of each role, signed in; no test here waits until that ends."""
    return {role.value: pages.visitor(role.value) for role in Role}


@pytest.mark.parametrize("page", sorted(ALLOWED | FOR_ALL | WHILE_ENROLLING))
def test_threat_session_strangers_are_sent_to_the_sign_in_page(pages: Pages, page: str) -> None:
    method, path = page.split()
    place = re.sub(r"\{\w+\}", "NONE", path)
    visitor = pages.visitor()
    visitor.get("/sign-in")
    status, shown = visitor.get(place) if method == "GET" else visitor.post(place)
    if method == "GET":
        assert (status, shown.startswith("/desk/sign-in")) == (303, True)
    else:
        assert status == 401


@pytest.mark.parametrize("path", ["/cases", "/sign-out", "/audit/verify", "/language"])
def test_threat_web_attack_form_without_its_token_does_nothing(pages: Pages, path: str) -> None:
    visitor = pages.visitor("issuer")
    visitor.get("/cases")
    before = pages.world.store.last_audit()
    for token in ("", "0" * 64, form_token("another session")):
        assert visitor.post(path, form_token=token, user_id="x")[0] == 403
    strange = pages.visitor()  # no cookie at all
    assert strange.post(path, form_token=form_token(""))[0] == 403
    assert pages.world.store.last_audit() == before
    assert visitor.get("/")[0] == 200


def test_threat_web_attack_form_from_another_site_does_nothing(pages: Pages) -> None:
    visitor = pages.visitor("issuer")
    visitor.get("/cases")
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        answer = visitor.http.request(
            "POST",
            f"{pages.url}/desk/sign-out",
            body=f"form_token={visitor.form_token}",
            headers={
                "Cookie": "; ".join(f"{k}={v}" for k, v in visitor.cookies.items()),
                "Sec-Fetch-Site": site,
            },
            redirect=False,
        )
        assert answer.status == status


def test_threat_web_attack_meets_strict_headers_and_cookies(pages: Pages) -> None:
    visitor = pages.visitor()
    answer = visitor.http.request("GET", f"{pages.url}/desk/sign-in")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy  # there is none
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    for part in ("__Host-desk=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert part in answer.headers["Set-Cookie"]
    assert "Domain" not in answer.headers["Set-Cookie"]


def test_threat_session_cookie_changes_at_sign_in_and_ends_at_sign_out(pages: Pages) -> None:
    visitor = pages.visitor()
    visitor.get("/sign-in")
    before = visitor.cookies["__Host-desk"]
    assert visitor.sign_in("tracer", PASSWORD, pages.code("tracer"))[0] == 303
    inside = visitor.cookies["__Host-desk"]
    assert inside != before
    assert visitor.get("/follow-up")[0] == 200
    assert visitor.post("/sign-out")[0] == 303
    assert visitor.cookies["__Host-desk"] != inside
    visitor.cookies["__Host-desk"] = inside
    assert visitor.get("/follow-up")[0] == 303


def test_signing_in_the_first_time_sets_codes_up_and_nothing_else(pages: Pages) -> None:
    pages.world.authority.staff.add("fresh", frozenset({Role.TRACER}), "t-fresh", NOON, by=CONSOLE)
    pages.sign_in.set_password("fresh", PASSWORD, NOON, by=CONSOLE)
    visitor = pages.visitor()
    assert visitor.sign_in("fresh", PASSWORD, "") == (303, "/desk/")
    assert visitor.get("/cases") == (303, "/desk/enrol")
    assert visitor.get("/enrol")[0] == 200
    assert "<svg" in visitor.body
    secret = re.search(r'<code class="secret">([A-Z2-7]{32})</code>', visitor.body)
    assert secret
    assert visitor.post("/enrol", code="000000")[0] == 403
    import pyotp

    code = pyotp.TOTP(secret[1]).at(int(pages.clock.now))
    assert visitor.post("/enrol", code=code) == (303, "/desk/")
    assert visitor.get("/enrol") == (303, "/desk/")
    assert visitor.get("/cases")[0] == 200


def test_a_wrong_password_says_what_a_wrong_name_says(pages: Pages) -> None:
    shown = set()
    for name in ("tracer", "nobody"):
        visitor = pages.visitor()
        status, body = visitor.sign_in(name, "wrong", "123456")
        assert status == 403
        shown.add(re.sub(r'form_token" value="\w+|value="(tracer|nobody)"', "", body))
    assert len(shown) == 1


def test_where_one_wanted_to_go_is_remembered_and_no_other_site_is(pages: Pages) -> None:
    visitor = pages.visitor()
    assert visitor.get("/follow-up") == (303, "/desk/sign-in?next=/follow-up")
    for asked, led in [
        ("/desk/cases", "/cases"),
        ("/cases", "/cases"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ]:
        assert local_path(asked) == led


def test_a_large_form_is_refused(pages: Pages) -> None:
    visitor = pages.visitor("tracer")
    visitor.get("/")
    assert visitor.post("/cases/X/notes", text="x" * 20_000)[0] == 413


def test_addresses_that_are_none(pages: Pages) -> None:
    visitor = pages.visitor("tracer")
    assert visitor.get("/cases/NONE")[0] == 404
    assert visitor.get("/contacts/" + "é")[0] in {400, 404}
    assert visitor.get("/cases?offset=99999999999999999999&q=%27%22<&state=x")[0] == 200
    assert visitor.get("/cases?q=%00")[0] == 400  # PostgreSQL can't compare such a text


# --- languages ---


def test_the_switch_of_languages(pages: Pages) -> None:
    visitor = pages.visitor()
    visitor.get("/sign-in")
    assert 'lang="en"' in visitor.body
    assert visitor.post("/language", language="zh", back="/desk/sign-in")[1] == "/desk/sign-in"
    visitor.get("/sign-in")
    assert 'lang="zh-Hans"' in visitor.body
    assert "登录" in visitor.text()


# --- what is typed and what is shown ---


def test_threat_web_attack_markup_is_shown_as_text(pages: Pages) -> None:
    world, bad = pages.world, "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    near, case = world.user(), world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
    world.authority.finder.refresh(case, NOON)
    pages.operator("everything", *ALL_ROLES)
    visitor = pages.visitor("everything")
    visitor.get(f"/cases/{case.case_id}")
    assert visitor.post(f"/cases/{case.case_id}/notes", text=bad)[0] == 303
    link = re.search(r"/desk(/contacts/\w+)", visitor.get(f"/cases/{case.case_id}")[1])
    assert link
    contact = link[1]
    visitor.get(contact)
    visitor.post(f"{contact}/notes", text=bad)
    visitor.post(f"{contact}/describe", name=bad, phone=bad)
    shown = visitor.get(contact)[1]
    assert "<script" not in shown
    assert "<img" not in shown
    assert visitor.post(f"{contact}/reveal", reason=bad)[0] == 200
    assert "<script" not in visitor.body
    assert escape("<script>alert(1)</script>") in visitor.body
    assert near in visitor.body
    for path in ("/audit", f"/cases/{case.case_id}", f"/cases?q={bad}"):
        assert "<script" not in visitor.get(path)[1]
        assert "<img" not in visitor.body


def test_threat_need_to_know_reveals_a_name_only_for_a_reason_and_records_both(
    pages: Pages,
) -> None:
    world = pages.world
    near, case = world.user(), world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.take(case, world.heard(near, NOON - 3600, 45, rssi_dbm=-45), NOON)
    world.authority.finder.refresh(case, NOON)
    world.authority.casework.assign(case.case_id, "tracer", NOON, by=CONSOLE)
    visitor = pages.visitor("tracer")
    body = visitor.get(f"/cases/{case.case_id}")[1]
    assert near not in body
    contact = re.search(r"/desk(/contacts/\w+)", body)
    assert contact
    visitor.get(contact[1])
    for reason in ("", "  ", "x" * 201):
        assert visitor.post(f"{contact[1]}/reveal", reason=reason)[0] == 400
        newest, _ = world.store.last_audit()
        (entry,) = world.authority.audit.entries(newest - 1, by=CONSOLE)
        assert (entry.act, entry.by) == ("contact.reveal-refused", "tracer")
        assert near not in visitor.body
        visitor.get(contact[1])
    assert visitor.post(f"{contact[1]}/reveal", reason="call for testing")[0] == 200
    assert near in visitor.body
    assert "Phones register without a name" in visitor.body
    newest, _ = world.store.last_audit()
    (entry,) = world.authority.audit.entries(newest - 1, by=CONSOLE)
    assert (entry.act, entry.details["reason"]) == ("contact.revealed", "call for testing")
    # For another tracer there is no such case or contact.
    pages.operator("other", Role.TRACER)
    other = pages.visitor("other")
    for path in (f"/cases/{case.case_id}", f"/cases/{case.case_id}/graph", contact[1]):
        assert other.get(path)[0] == 404
    assert case.case_id not in other.get("/cases")[1]
    # Who issues PINs sees the case and not its contacts.
    issuer = pages.visitor("issuer")
    assert issuer.get(f"/cases/{case.case_id}")[0] == 200
    assert "/contacts/" not in issuer.body


def test_the_audit_log_tells_days_as_dates(pages: Pages, visitors: dict[str, Visitor]) -> None:
    pages.world.authority.audit.record("keys.rotated", NOON, by="k", first_day=18_262, days=7)
    visitors["auditor"].get("/audit")
    assert "first day: 2020-01-01; days: 7" in visitors["auditor"].text()
    assert '<br><span class="small quiet">keys.rotated</span>' in visitors["auditor"].body


def test_the_audit_log_has_words_for_codes(pages: Pages, visitors: dict[str, Visitor]) -> None:
    audit, auditor = pages.world.authority.audit, visitors["auditor"]
    audit.record("contact.called", NOON, by="t", outcome="no_symptoms", state="in_follow_up")
    audit.record("page.refused", NOON, by="t", page="GET /contacts/{contact_id}")
    audit.record("case.assigned", NOON, by="t", operator="")
    audit.record("operator.added", NOON, by="t", roles="admin,tracer")
    audit.record("contact.described", NOON, by="t", fields="name phone")
    audit.record("pins.refused", NOON, by="clock", since=int(NOON), count=3)
    auditor.get("/audit")
    for said in (
        "Call recorded contact.called outcome: no symptoms; state: in follow-up",
        "Page refused: role missing page.refused page: GET /contacts/…",
        "Case assigned case.assigned tracer: –",
        "roles: admin, tracer",
        "fields: Name, Telephone",
        "hour from: 2020-05-04 12:00; number: 3",
    ):
        assert said in auditor.text()
    auditor.language = "zh"
    auditor.get("/audit")
    auditor.language = "en"
    assert "记录通话结果 contact.called 结果: 无症状；状态: 随访中" in auditor.text()


@pytest.mark.parametrize("form", ["csv", "ndjson", "xlsx"])
@pytest.mark.parametrize("layout", ["contacts", "anonymous", "sormas", "godata"])
def test_exporters_save_files(
    pages: Pages, visitors: dict[str, Visitor], layout: str, form: str
) -> None:
    visitor = visitors["exporter"]
    assert visitor.get("/exports")[0] == 200
    token = visitor.form_token
    answer = visitor.http.request(
        "POST",
        f"{pages.url}/desk/exports",
        fields={"form_token": token, "layout": layout, "form": form},
        encode_multipart=False,
        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())},
    )
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].endswith(f'contacts-{layout}.{form}"')
    assert answer.data.startswith(b"PK") == (form == "xlsx")
    newest, _ = pages.world.store.last_audit()
    (entry,) = pages.world.authority.audit.entries(newest - 1, by=CONSOLE)
    assert (entry.act, entry.by) == ("contacts.exported", "exporter")
    assert entry.details == {"layout": layout, "form": form}


def test_no_other_layout_and_no_other_form(visitors: dict[str, Visitor]) -> None:
    visitor = visitors["exporter"]
    for layout, form, status in (("contacts", "exe", 400), ("names", "csv", 400), ("", "", 400)):
        visitor.get("/exports")
        assert visitor.post("/exports", layout=layout, form=form)[0] == status


def test_threat_session_ends_when_idle(pages: Pages) -> None:
    visitor = pages.visitor("auditor")
    assert visitor.get("/audit")[0] == 200
    pages.clock.now += SESSION_IDLE_S
    assert visitor.get("/audit") == (303, "/desk/sign-in?next=/audit")
