"""A tracer's way on the pages: a contact falls ill, becomes a case, uploads, and rings back."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.authority_world import DAY, NOON, World
from tests.benchmarks.test_pages_speed import queries
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactState, KeptContact, Outcome
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network
QUERIES_OF_ONE_WHO_WAS_A_CONTACT = 28
NAME, PHONE = "Ann <b>Canary</b>", "+65 9123 4567"


class Walk:
    """A case of Ravi, its contact, and two whom the contact met: one before, one afterwards."""

    def __init__(self, pages: Pages) -> None:
        self.pages, world = pages, pages.world
        self.first, self.ill, self.before, self.later = (world.user() for _ in range(4))
        self.case = self.opened(self.first, DAY, [(self.ill, 3)])
        world.authority.casework.assign(self.case.case_id, "ravi", NOON, by=CONSOLE)
        (self.contact,) = world.store.desk.contacts_of([self.case.case_id])
        self.place = f"/contacts/{self.contact.contact_id}"

    def opened(self, user_id: str, day: int, met: list[tuple[str, int]]) -> Case:
        case = self.pages.world.authority.casework.open_case(user_id, NOON, day, by=CONSOLE)
        return self.uploaded(case, met)

    def uploaded(self, case: Case, met: list[tuple[str, int]]) -> Case:
        world = self.pages.world
        rows = [
            row
            for other, days_ago in sorted(met, key=lambda pair: -pair[1])
            for row in world.heard(
                other, NOON - days_ago * SECONDS_PER_DAY, 60, rssi_dbm=-45, every_s=60
            )
        ]
        world.take(case, rows, NOON)
        world.authority.finder.refresh(case, NOON)
        return case

    def line(self, case_id: str, user_id: str) -> KeptContact:
        desk = self.pages.world.authority.desk
        rows = desk.store.contacts_of([case_id])
        return next(kept for kept in rows if desk.user_of(kept) == user_id)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(World.of(counted_entropy(37))) as served:
        served.operator("ravi", Role.TRACER)
        served.operator("siti", Role.TRACER)
        served.operator("mei", Role.SUPERVISOR)
        yield served


def hidden(visitor: Visitor, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', visitor.body)
    assert found, visitor.body
    return found[1]


def became_case(walk: Walk, ravi: Visitor) -> str:
    """Describe the contact and report its test on the pages; return the path of its case."""
    ravi.get(walk.place)
    seen = hidden(ravi, "version")
    assert ravi.post(f"{walk.place}/describe", name=NAME, phone=PHONE, version=seen)[0] == 303
    ravi.get(walk.place)
    seen = hidden(ravi, "version")
    assert ravi.post(f"{walk.place}/convert", version=seen)[0] == 200
    status, place = ravi.post(f"{walk.place}/convert", version=seen, confirm="yes")
    assert status == 303
    return place.removeprefix("/desk")


def test_the_case_says_where_it_came_from_and_who_it_is_for_a_reason(pages: Pages) -> None:
    walk, ravi = Walk(pages), pages.visitor("ravi")
    here = became_case(walk, ravi)
    assert ravi.get(here)[0] == 200
    named, said = pages.world.authority.desk.name_of(walk.ill), ravi.text()
    assert f"Was a contact before: {named} ( {walk.case.case_id} )" in said
    assert f'href="/desk{walk.place}"' in ravi.body
    assert "A name is stored. This replaces it." in said
    assert "Canary" not in ravi.body
    assert "9123" not in ravi.body
    assert queries(pages, ravi, here) <= QUERIES_OF_ONE_WHO_WAS_A_CONTACT
    assert ravi.post(f"{here}/reveal", reason=" ")[0] == 400
    assert 'id="reason-wrong"' in ravi.body
    assert ravi.post(f"{here}/reveal", reason="PIN by telephone")[0] == 200
    assert "Ann &lt;b&gt;Canary&lt;/b&gt;" in ravi.body
    assert PHONE in ravi.body
    assert f'action="/desk{here}/describe"' in ravi.body


def test_an_older_form_is_refused_and_a_deletion_asks_first(pages: Pages) -> None:
    ravi = pages.visitor("ravi")
    here = became_case(Walk(pages), ravi)
    ravi.get(here)
    old = hidden(ravi, "version")
    assert ravi.post(f"{here}/describe", phone="+65 1111 2222", version=old)[0] == 303
    ravi.get(here)
    assert ravi.post(f"{here}/describe", phone="+65 3", version=old)[0] == 409
    assert "+65 1111 2222" in ravi.body
    assert 'value="+65 3"' in ravi.body
    ravi.get(here)
    sent = {"clear": "name", "version": hidden(ravi, "version")}
    assert ravi.post(f"{here}/describe", **sent)[0] == 200
    assert "Delete the name?" in ravi.text()
    assert ravi.post(f"{here}/describe", **sent, confirm="yes")[0] == 303
    ravi.get(here)
    assert "No name is stored." in ravi.text()
    assert "A telephone number is stored." in ravi.text()


def test_what_is_typed_beside_a_revealed_name_is_sent_by_one_button(pages: Pages) -> None:
    ravi, walk = pages.visitor("ravi"), Walk(pages)
    here = became_case(walk, ravi)
    for place in (walk.place, here):
        ravi.get(place)
        assert ravi.post(f"{place}/reveal", reason="a test")[0] == 200
        forms = re.findall(r"<form[^>]*/describe.*?</form>", ravi.body, re.DOTALL)
        typed = r'<(?:input|select)[^>]* name="(name|phone|spoken)"'
        fields = [set(re.findall(typed, form)) for form in forms]
        assert fields == [{"name", "phone", "spoken"}, set(), set()]  # the others delete


def test_a_wrong_number_is_struck_out_where_it_is_revealed(pages: Pages) -> None:
    ravi, walk = pages.visitor("ravi"), Walk(pages)
    act = pages.world.authority.follow_up
    act.describe(walk.contact.contact_id, "Ann", "+65 1", NOON, by=CONSOLE)
    act.record(walk.contact.contact_id, DAY, Outcome.WRONG_NUMBER, NOON, by=CONSOLE)
    case = pages.world.authority.merging.convert(
        walk.contact.contact_id, NOON, by=Caller("ravi", frozenset({Role.TRACER}))
    )
    for place in (walk.place, f"/cases/{case.case_id}"):
        ravi.get(place)
        assert ravi.post(f"{place}/reveal", reason="a test")[0] == 200
        assert "<s>+65 1</s>" in ravi.body


def test_who_rings_back_is_a_case_and_its_log_shows_the_second_degree(pages: Pages) -> None:
    walk, ravi, desk = Walk(pages), pages.visitor("ravi"), pages.world.authority.desk
    here = became_case(walk, ravi)
    case_id = here.rpartition("/")[2]
    ravi.get(walk.place)
    assert f'<a class="button" href="/desk{here}">Open the case {case_id}</a>' in ravi.body
    assert "/convert" not in ravi.body
    other = walk.opened(pages.world.user(), DAY, [(walk.ill, 2)])
    line = walk.line(other.case_id, walk.ill)
    casual = replace(line, state=ContactState.CASUAL)
    pages.world.store.desk.put_contacts([casual])
    assert ravi.post("/calls/find", who_rings=walk.ill)[0] == 200
    assert f"Open the case {case_id}" in ravi.text()
    assert "/take" not in ravi.body  # nobody calls the contact any more
    case = pages.world.authority.casework.confirm(case_id, NOON, by=CONSOLE)
    walk.uploaded(case, [(walk.first, 3), (walk.later, 1), (walk.before, 6)])
    first = f"/cases/{walk.case.case_id}"
    ravi.get(first)
    assert "1 contact became a case." in ravi.text()
    assert f'href="/desk{first}/onward"' in ravi.body
    assert ravi.get(f"{first}/onward")[0] == 200
    assert "second degree" in ravi.text()
    assert desk.name_of(walk.later) in ravi.body
    assert desk.name_of(walk.before) not in ravi.body
    assert f'href="/desk/contacts/{walk.line(case_id, walk.later).contact_id}"' in ravi.body
    entry = list(pages.world.authority.audit.entries(by=CONSOLE))[-1]
    assert (entry.act, entry.by) == ("contacts.onward_listed", "ravi")


def test_others_may_not(pages: Pages) -> None:
    walk = Walk(pages)
    here = f"/cases/{walk.case.case_id}"
    siti, mei = pages.visitor("siti"), pages.visitor("mei")
    siti.get("/")
    for path, form in (("reveal", {"reason": "x"}), ("describe", {"name": "Eve"})):
        assert siti.post(f"{here}/{path}", **form)[0] == 404
        mei.get(here)
        assert f"{here}/{path}" not in mei.body
        assert mei.post(f"{here}/{path}", **form)[0] == 403
    assert siti.get(f"{here}/onward")[0] == 404
    assert mei.get(f"{here}/onward")[0] == 200
    assert "No contact of this case is a case with a log" in mei.text()
    assert pages.world.store.desk.case_person(walk.case.case_id) is None
