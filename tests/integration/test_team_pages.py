"""The pages Team and Operators: cases in bulk, first passwords, roles, codes reset."""

import re
from base64 import b32decode
from collections.abc import Iterator

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import PASSWORD, Pages, Visitor, serving
from tests.status_world import StatusWorld
from tracetogether.adapters.operator_pages.credentials import Totp
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.calls import ShiftReason

pytestmark = pytest.mark.network


@pytest.fixture
def pages() -> Iterator[Pages]:
    world = StatusWorld.new(entropy=counted_entropy(71))
    with serving(world) as served:
        served.operator("mei", Role.SUPERVISOR)
        for name in ("ravi", "siti"):
            served.operator(name, Role.TRACER)
        yield served


def chosen(pages: Pages, visitor: Visitor, name: str, given: str) -> None:
    """Set up codes after a password that works once, and choose another password."""
    assert "Choose your own password" in visitor.get("/enrol")[1]
    secret = b32decode(re.findall(r'<code class="secret">([A-Z2-7]+)</code>', visitor.body)[0])
    for new, again, status in (
        ("", "", 400),
        (PASSWORD, "another one", 400),
        ("too short", "too short", 400),
        (given, given, 400),
    ):
        code = Totp().at(secret, pages.clock.now)
        got = visitor.post("/enrol", code=code, password_new=new, password_again=again)
        assert (got[0], given in visitor.body) == (status, False), (new, visitor.text())
    code = Totp().at(secret, pages.clock.now)
    done = visitor.post("/enrol", code=code, password_new=PASSWORD, password_again=PASSWORD)
    assert done == (303, "/desk/")
    pages.secrets[name] = secret
    assert visitor.get("/")[0] == 200
    again = pages.visitor()
    assert again.sign_in(name, given, pages.code(name))[0] == 403  # it has worked once
    assert again.sign_in(name, PASSWORD, pages.code(name))[0] == 303


def boxes(body: str) -> dict[str, str]:
    """Return the boxes of the cases on the page: name -> value."""
    return dict(re.findall(r'name="(handed\.\w+)" value="(\w+ \d+)"', body))


def test_a_supervisor_spreads_cases_and_hands_them_over(pages: Pages) -> None:
    authority = pages.world.authority
    cases = [
        authority.casework.open_case(pages.world.user(), NOON, by=CONSOLE).case_id for _ in range(3)
    ]
    mei = pages.visitor("mei")
    body = mei.get("/team?of=-")[1]
    ticked = boxes(body)
    assert {value.split()[0] for value in ticked.values()} == set(cases)
    assert "spread evenly" not in body  # nobody has a shift
    assert mei.post("/team", of="-", operator="*", **ticked)[0] == 400
    assert "Nobody has a shift" in mei.text()
    assert set(boxes(mei.body)) == set(ticked)
    assert mei.body.count(" checked") == 3  # what was ticked stays ticked
    for name in ("ravi", "siti"):
        by = next(known.caller for known in authority.staff.all(by=CONSOLE) if known.name == name)
        authority.calling.begin_shift(ShiftReason.DAILY_CALLS, pages.clock.now, by=by)
    mei.get("/team?of=-")
    assert mei.post("/team", of="-", operator="*", **ticked)[0] == 200
    assert "Hand these cases over now?" in mei.text()
    assert "ravi 2 cases siti 1 case" in mei.text()
    again = dict(re.findall(r'<textarea name="([\w.]+)" hidden>([^<]*)<', mei.body))
    assert mei.post("/team", **again, confirm="yes") == (303, "/desk/team")
    found = authority.store.calls.assignees(cases)
    assert sorted(found.values()) == ["ravi", "ravi", "siti"]
    # Somebody else has changed the cases since that form: nothing is written.
    assert mei.post("/team", **{**again, "operator": "siti"}, confirm="yes")[0] == 409
    assert authority.store.calls.assignees(cases) == found
    for wrong in ({"operator": "siti"}, {"operator": "", **ticked}, {"operator": "x", **ticked}):
        mei.get("/team?of=ravi")
        assert mei.post("/team", of="ravi", confirm="yes", **wrong)[0] in {400, 404, 409}
    mei.get("/team?of=ravi")  # who is ill: all cases in one go, whichever page they are on
    assert mei.post("/team", of="ravi", operator="siti", handed_all="yes")[0] == 200
    assert "siti 2 cases" in mei.text()
    again = dict(re.findall(r'<textarea name="([\w.]+)" hidden>([^<]*)<', mei.body))
    later = authority.casework.open_case(pages.world.user(), NOON, by=CONSOLE)
    authority.casework.assign(later.case_id, "ravi", NOON, by=CONSOLE)
    assert mei.post("/team", **again, confirm="yes")[0] == 303
    assert set(authority.store.calls.assignees(cases).values()) == {"siti"}
    assert authority.casework.kept(later.case_id).assigned_to == "ravi"  # was not shown
    mei.language = "zh"
    assert "团队" in mei.get("/team")[1]
    assert pages.visitor("ravi").get("/team")[0] == 403


def test_an_admin_adds_an_operator_who_signs_in_with_the_first_password(pages: Pages) -> None:
    pages.operator("ada", Role.ADMIN, Role.TRACER)
    ada = pages.visitor("ada")
    ada.get("/operators")
    assert "supervisor" not in re.findall(r'name="role\.(\w+)"', ada.body)  # ada doesn't hold it
    tracer = {"role.tracer": "tracer"}
    added = ada.post("/operators", operator_name="tan", works_by="pages", **tracer)
    assert added[0] == 200
    (password,) = re.findall(r'<code class="secret">([a-z2-9-]+)</code>', ada.body)
    assert len(password) == 24
    assert ada.headers["cache-control"] == "no-store"
    tan = pages.visitor()
    assert tan.sign_in("tan", password, "") == (303, "/desk/")
    assert tan.get("/cases") == (303, "/desk/enrol")  # and sets up codes first
    chosen(pages, tan, "tan", password)
    assert password not in str(list(pages.world.authority.audit.entries(by=CONSOLE)))
    ada.get("/operators")
    assert ada.post("/operators", operator_name="bot", works_by="program", **tracer)[0] == 200
    (token,) = re.findall(r'<code class="secret">([\w-]+)</code>', ada.body)
    assert pages.world.authority.access.operator(token).name == "bot"
    for name, roles, status in (
        ("tan", tracer, 409),
        ("Tan!", tracer, 400),
        ("new", {}, 400),
        ("new", {"role.issuer": "issuer"}, 403),
    ):
        ada.get("/operators")
        wrong = ada.post("/operators", operator_name=name, works_by="pages", **roles)
        assert wrong[0] == status, name
    assert "new" not in {known.name for known in pages.world.authority.staff.all(by=CONSOLE)}


def test_roles_and_access_end_at_the_desk(pages: Pages) -> None:
    pages.operator("ada", Role.ADMIN, Role.TRACER, Role.ISSUER)
    ada, staff = pages.visitor("ada"), pages.world.authority.staff
    ada.get("/operators/ravi")
    both = {"role.tracer": "tracer", "role.issuer": "issuer"}
    assert ada.post("/operators/ravi/roles", had="tracer", **both)[0] == 303
    assert staff.one("ravi", by=CONSOLE).roles == {Role.TRACER, Role.ISSUER}
    ada.get("/operators/ravi")
    assert ada.post("/operators/ravi/roles", had="tracer", **both)[0] == 409
    assert "Stored now" in ada.text()
    assert ada.post("/operators/ada/roles", had="admin", **both)[0] == 403
    ada.get("/operators/ravi")
    assert ada.post("/operators/ravi/disable")[0] == 200
    assert ada.post("/operators/ravi/disable", confirm="yes")[0] == 303
    assert ada.get("/operators/ravi")[0] == 404
    assert pages.visitor("siti").get("/operators")[0] == 403


def test_two_admins_set_codes_again_at_the_desk(pages: Pages) -> None:
    for name in ("ada", "ben"):
        pages.operator(name, Role.ADMIN)
    ravi = pages.visitor("ravi")
    assert ravi.get("/cases")[0] == 200
    ada = pages.visitor("ada")
    ada.get("/operators/ravi")
    assert ada.post("/operators/ravi/reset")[0] == 303
    assert "reset-confirm" not in ada.get("/operators")[1]  # not for one's own request
    assert ada.post("/operators/ravi/reset-confirm", confirm="yes")[0] == 403
    assert ravi.get("/cases")[0] == 200
    ben = pages.visitor("ben")
    assert "reset-confirm" in ben.get("/operators")[1]
    assert ben.post("/operators/ravi/reset-confirm")[0] == 200  # asks
    assert ben.post("/operators/ravi/reset-confirm", confirm="yes")[0] == 303
    assert ravi.get("/cases")[0] == 303
    assert ben.get("/operators")[0] == 200
    assert "asked by" not in ben.text()


def test_two_admins_reset_a_forgotten_password_at_the_desk(pages: Pages) -> None:
    for name in ("ada", "ben"):
        pages.operator(name, Role.ADMIN, Role.TRACER)
    ravi, ada, ben = (pages.visitor(name) for name in ("ravi", "ada", "ben"))
    ada.get("/operators/ravi")
    assert ada.post("/operators/ravi/reset", what="password")[0] == 303
    assert "password and codes" in ben.get("/operators")[1]
    confirm = "/operators/ravi/reset-confirm"
    assert ada.post(confirm, what="password", confirm="yes")[0] == 403  # one can't do both
    assert ben.post(confirm, what="codes", confirm="yes")[0] == 404  # was not asked for
    ben.get("/operators")
    assert ben.post(confirm, what="password")[0] == 200
    assert "works once" in ben.text()
    assert ravi.get("/cases")[0] == 200  # nothing has happened yet
    assert ben.post(confirm, what="password", confirm="yes")[0] == 200
    (password,) = re.findall(r'<code class="secret">([a-z2-9-]+)</code>', ben.body)
    assert ben.headers["cache-control"] == "no-store"
    assert password not in ben.get("/operators")[1]
    assert password not in str(list(pages.world.authority.audit.entries(by=CONSOLE)))
    assert ravi.get("/cases")[0] == 303
    old = pages.visitor()
    assert old.sign_in("ravi", PASSWORD, pages.code("ravi"))[0] == 403
    assert ben.post(confirm, what="password", confirm="yes")[0] == 404  # once
    assert old.sign_in("ravi", password, "") == (303, "/desk/")
    chosen(pages, old, "ravi", password)


def test_a_supervisor_sets_the_hours_and_ends_a_shift_at_the_desk(pages: Pages) -> None:
    mei, ravi = pages.visitor("mei"), pages.visitor("ravi")
    ravi.get("/calls")
    assert ravi.post("/calls/shift", shift_reason="daily_calls")[0] == 303
    assert "Call the next person" in ravi.get("/calls")[1]
    mei.get("/team")
    assert "Calling hours: any" in mei.text()
    assert mei.post("/team/hours", hours_from="20:00", hours_until="09:00")[0] == 400
    assert "two times of one day" in mei.text()
    assert 'value="20:00"' in mei.body
    assert mei.post("/team/hours", hours_from="13:30", hours_until="20:00")[0] == 303
    assert "Calling hours: 13:30 to 20:00" in mei.get("/team")[1]
    assert "outside of the calling hours" in ravi.get("/calls")[1]  # noon
    assert ravi.post("/team/hours", hours_from="", hours_until="")[0] == 403
    mei.get("/team")
    assert mei.post("/team/hours", hours_from="", hours_until="")[0] == 303
    assert "outside of the calling hours" not in ravi.get("/calls")[1]
    assert "End the shift of ravi" in mei.get("/team")[1]
    assert mei.post("/team/ravi/shift-end")[0] == 303
    assert "End the shift of ravi" not in mei.get("/team")[1]
    assert mei.post("/team/ravi/shift-end")[0] == 404
    assert "Call the next person" not in ravi.get("/calls")[1]


def test_a_role_that_is_taken_ends_a_sessions_right_at_once(pages: Pages) -> None:
    pages.operator("ada", Role.ADMIN, Role.TRACER, Role.EXPORTER)
    ravi, ada = pages.visitor("ravi"), pages.visitor("ada")
    assert ravi.get("/calls")[0] == 200
    ada.get("/operators/ravi")
    exporter = {"role.exporter": "exporter"}
    assert ada.post("/operators/ravi/roles", had="tracer", **exporter)[0] == 303
    assert ravi.get("/calls")[0] == 403
    assert 'href="/desk/calls"' not in ravi.get("/")[1]
    assert ravi.get("/exports")[0] == 200  # the session stays, with the rights that are left


def test_the_menu_has_groups_with_links_of_ones_roles(pages: Pages) -> None:
    body = pages.visitor("mei").get("/")[1]
    menu = body.partition("<nav")[2].partition("</nav>")[0]
    groups = re.findall(r'<span class="group" id="(menu-\d)">([^<]+)</span>', menu)
    assert [name for _, name in groups] == ["Phone calls", "Cases", "Measures", "Administration"]
    assert re.findall(r'aria-labelledby="(menu-\d)"', menu) == [key for key, _ in groups]
    assert 'href="/desk/team"' in menu
    assert 'href="/desk/operators"' not in menu
