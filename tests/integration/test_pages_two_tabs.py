"""Two people with one page open: the later form is refused, shows both, and is sent again."""

import re
from collections.abc import Iterator

import pytest

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.authority.access.permissions import ALL_ROLES, CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactQuery

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(World.of(counted_entropy(33))) as served:
        for name in ("ravi", "siti"):
            served.operator(name, *ALL_ROLES)
        yield served


@pytest.fixture
def both(pages: Pages) -> tuple[Visitor, Visitor]:
    pages.clock.now += 900
    return pages.visitor("ravi"), pages.visitor("siti")


@pytest.fixture
def case(pages: Pages) -> Case:
    world, now = pages.world, pages.clock.now
    case = world.authority.casework.open_case(world.user(), now, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 3600, 45, rssi_dbm=-45), now)
    world.authority.finder.refresh(case, now)
    return case


@pytest.fixture
def contact(pages: Pages, case: Case) -> str:
    page = pages.world.authority.desk.page(ContactQuery(case_id=case.case_id), by=CONSOLE)
    return f"/contacts/{page.contacts[0].kept.contact_id}"


def version(visitor: Visitor) -> str:
    """Return the version that the forms of a page carry, the same in all."""
    (found,) = set(re.findall(r'name="version" value="(\d+)"', visitor.body))
    return found


def test_the_later_call_is_refused_and_shows_both(
    both: tuple[Visitor, Visitor], contact: str
) -> None:
    ravi, siti = both
    for visitor in both:
        visitor.get(contact)
    seen = version(siti)
    call = {"day": DAY, "version": seen}
    assert ravi.post(f"{contact}/outcome", outcome="symptoms", **call)[0] == 303
    assert siti.post(f"{contact}/outcome", outcome="not_reached", **call)[0] == 409
    assert "Somebody changed this while you had the page open" in siti.text()
    stored = re.search(r'id="both".*?</section>', siti.body, re.DOTALL)
    assert stored
    assert re.search(r"symptoms \(ravi, 20.*not reached", stored[0], re.DOTALL)
    assert 'value="not_reached" selected' in siti.body
    assert version(siti) == str(int(seen) + 1)
    again = {**call, "version": version(siti)}
    assert siti.post(f"{contact}/outcome", outcome="not_reached", **again)[0] == 303
    siti.get(contact)
    assert "not reached" in siti.text()


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("reach", {}),
        ("describe", {"name": "Bob"}),
        ("outcome", {"day": DAY, "outcome": "symptoms"}),
    ],
)
def test_every_form_of_a_contact_is_refused_once_it_is_stale(
    both: tuple[Visitor, Visitor], contact: str, act: str, form: dict[str, object]
) -> None:
    ravi, siti = both
    for visitor in both:
        visitor.get(contact)
    form = {**form, "version": version(siti)}
    assert ravi.post(f"{contact}/{act}", **form)[0] == 303
    assert siti.post(f"{contact}/{act}", **form)[0] == 409
    assert 'id="both"' in siti.body


def test_a_name_that_a_colleague_changed_is_shown_beside_the_typed_one(
    both: tuple[Visitor, Visitor], contact: str
) -> None:
    ravi, siti = both
    for visitor in both:
        visitor.get(contact)
    seen = version(siti)
    assert ravi.post(f"{contact}/describe", name="Ann <b>", version=seen)[0] == 303
    assert siti.post(f"{contact}/describe", name="Bob <i>", version=seen)[0] == 409
    assert re.search(r"Ann &lt;b&gt;</td><td[^>]*>Bob &lt;i&gt;</td>", siti.body)
    assert 'value="Bob &lt;i&gt;"' in siti.body
    assert siti.post(f"{contact}/describe", name="Bob <i>", version=version(siti))[0] == 303
    siti.get(contact)
    siti.post(f"{contact}/reveal", reason="a test")
    assert "Bob <i>" in siti.text()


def test_a_blank_field_erases_nothing_and_a_deletion_asks(
    both: tuple[Visitor, Visitor], contact: str
) -> None:
    ravi, _ = both
    ravi.get(contact)
    assert ravi.post(f"{contact}/describe", name="Ann", version=version(ravi))[0] == 303
    ravi.get(contact)
    assert ravi.post(f"{contact}/describe", phone="+65 1", version=version(ravi))[0] == 303
    ravi.get(contact)
    assert "A name is stored" in ravi.text()
    assert "Ann" not in ravi.body
    assert ravi.post(f"{contact}/describe", name="", phone="", version=version(ravi))[0] == 303
    ravi.get(contact)
    ravi.post(f"{contact}/reveal", reason="a test")
    assert 'value="Ann"' in ravi.body
    assert 'value="+65 1"' in ravi.body
    seen = version(ravi)
    assert ravi.post(f"{contact}/describe", clear="name", version=seen)[0] == 200
    assert "Delete the name?" in ravi.text()
    ravi.post(f"{contact}/reveal", reason="a test")
    assert 'value="Ann"' in ravi.body  # nothing was done yet
    confirmed = {"clear": "name", "confirm": "yes", "version": seen}
    assert ravi.post(f"{contact}/describe", **confirmed)[0] == 303
    ravi.get(contact)
    ravi.post(f"{contact}/reveal", reason="a test")
    assert "Ann" not in ravi.body
    assert 'value="+65 1"' in ravi.body


def test_a_case_that_was_assigned_meanwhile(both: tuple[Visitor, Visitor], case: Case) -> None:
    ravi, siti = both
    here = f"/cases/{case.case_id}"
    for visitor in both:
        visitor.get(here)
    seen = version(siti)
    assert ravi.post(f"{here}/assign", operator="ravi", version=seen)[0] == 303
    assert siti.post(f"{here}/assign", operator="siti", version=seen)[0] == 409
    assert re.search(r">ravi</td><td[^>]*>siti</td>", siti.body)
    assert "<option selected>siti</option>" in siti.body
    assert siti.post(f"{here}/assign", operator="", version=version(siti))[0] == 404
    assert siti.post(f"{here}/assign", operator="siti", version=version(siti))[0] == 303
    assert siti.post(f"{here}/state", state="closed", version=seen)[0] == 409
    assert 'id="both"' in siti.body


def figures(visitor: Visitor) -> dict[str, str]:
    """Return the figures of a question, by label."""
    return dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", visitor.body))


def test_a_merge_asks_names_both_sides_and_is_undone(
    pages: Pages, both: tuple[Visitor, Visitor], case: Case, contact: str
) -> None:
    ravi, siti = both
    other = pages.world.authority.casework.open_case(
        pages.world.user(), pages.clock.now, by=CONSOLE
    )
    here, there = f"/cases/{case.case_id}", f"/cases/{other.case_id}"
    ravi.get(contact)
    ravi.post(f"{contact}/describe", name="Ann", version=version(ravi))
    for visitor in both:
        visitor.get(here)
    form = {"into": other.case_id.lower(), "version": version(ravi)}
    assert ravi.post(f"{here}/merge", **form)[0] == 200
    assert figures(ravi)["Contacts moved unchanged"] == "1"
    assert figures(ravi)["Logs that stay with the merged case"] == "1"
    ravi.get(there)
    assert case.case_id not in ravi.body  # nothing was done yet
    assert siti.post(f"{here}/assign", operator="siti", version=version(siti))[0] == 303
    assert ravi.post(f"{here}/merge", **form, confirm="yes")[0] == 409  # the case changed since
    assert 'id="both"' in ravi.body
    form["version"] = version(ravi)
    assert ravi.post(f"{here}/merge", **form, confirm="yes") == (303, f"/desk{there}")
    for page, named in [(here, there), (there, here)]:
        ravi.get(page)
        assert f'href="/desk{named}"' in ravi.body
    assert f'action="/desk{here}/unmerge"' in ravi.body
    ravi.get(contact)
    assert f'href="/desk{there}"' in ravi.body
    assert "Days on which they were nearby" in ravi.text()  # of the log that stayed where it was
    ravi.get(there)
    (seen,) = re.findall(r'unmerge">.*?name="version" value="(\d+)"', ravi.body, re.DOTALL)
    assert ravi.post(f"{here}/unmerge", version=seen)[0] == 200
    assert figures(ravi)["Contacts moved back unchanged"] == "1"
    assert ravi.post(f"{here}/unmerge", version=seen, confirm="yes") == (303, f"/desk{here}")
    ravi.get(here)
    assert "unmerge" not in ravi.body
    assert contact in ravi.body


def test_two_contacts_are_merged_and_parted_on_their_page(
    pages: Pages, both: tuple[Visitor, Visitor], case: Case, contact: str
) -> None:
    ravi, _ = both
    world, now = pages.world, pages.clock.now
    world.take(case, world.heard(world.user(), NOON - 7200, 45, rssi_dbm=-45), now)
    world.authority.finder.refresh(case, now)
    ids = {
        contact.kept.contact_id
        for contact in world.authority.desk.page(
            ContactQuery(case_id=case.case_id), by=CONSOLE
        ).contacts
    }
    (into,) = ids - {contact.rpartition("/")[2]}
    ravi.get(contact)
    form = {"into": into, "version": version(ravi)}
    assert ravi.post(f"{contact}/merge", **form)[0] == 200
    assert figures(ravi)["Contacts joined with another contact"] == "1"
    assert ravi.post(f"{contact}/merge", **form, confirm="yes") == (303, f"/desk/contacts/{into}")
    for page, named in [(contact, f"/contacts/{into}"), (f"/contacts/{into}", contact)]:
        ravi.get(page)
        assert f'href="/desk{named}"' in ravi.body
    assert ravi.post(f"{contact}/unmerge")[0] == 200
    assert figures(ravi)["Contacts separated again"] == "1"
    assert ravi.post(f"{contact}/unmerge", confirm="yes") == (303, f"/desk{contact}")
    ravi.get(contact)
    assert f'href="/desk/contacts/{into}"' not in ravi.body
