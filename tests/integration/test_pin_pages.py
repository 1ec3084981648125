"""Upload PINs on the pages: an id as it is read out, what became of a PIN, and reloads."""

import re
from collections.abc import Iterator

import pytest

from tests.authority_world import World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tracetogether.authority.access.permissions import Role
from tracetogether.bluetrace.spoken_id import spoken_user_id

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(World.of(counted_entropy(12))) as served:
        yield served


def after(visitor: Visitor) -> str:
    """Return the mark of the last PIN, as the page's form has it."""
    return re.findall(r'name="after" value="(\w+)"', visitor.body)[0]


def test_a_reload_issues_no_other_pin_and_the_case_says_what_became_of_it(pages: Pages) -> None:
    pages.operator("pins", Role.ISSUER)
    user_id = pages.world.user()
    visitor = pages.visitor("pins")
    visitor.get("/cases")
    spoken = spoken_user_id(user_id)
    wrong = spoken[:-1] + ("A" if spoken[-1] != "A" else "B")
    status, _ = visitor.post("/cases", user_id=wrong, date="")
    assert status == 400
    assert 'id="user_id-wrong"' in visitor.body
    status, where = visitor.post("/cases", user_id=spoken, date="")
    assert status == 303
    case = where.removeprefix("/desk")
    visitor.get(case)
    assert "pin-state" not in visitor.body
    sent = {
        "lifetime": "short",
        "after": re.findall(r'name="after" value="(\w+)"', visitor.body)[0],
    }
    assert visitor.post(case + "/pin", **sent)[0] == 200
    assert visitor.post(case + "/pin", **sent)[0] == 409
    assert "was issued since" in visitor.body
    visitor.get(case)
    assert "given out" in visitor.text()
    pages.clock.now += 16 * 60
    visitor.get(case)
    assert "expired" in visitor.text()
    sent["after"] = after(visitor)
    assert visitor.post(case + "/pin", **sent)[0] == 200
    pin = re.findall(r'class="pin">(\d{4}) (\d{4})<', visitor.body)[0]
    pages.world.authority.pins.redeem(user_id, "".join(pin), pages.clock.now)
    visitor.get(case)
    assert re.search(r"Upload PIN\s*: used", visitor.text())
