"""The page of partners, and a case that holds a partner's records, in two languages."""

from collections.abc import Iterator

import pytest

from tests.authority_world import NOON
from tests.pages_world import Pages, serving
from tests.partners_world import LATER, Border, world_of
from tracetogether.authority.access.permissions import CONSOLE, Role

pytestmark = pytest.mark.network


@pytest.fixture
def desks() -> Iterator[tuple[Border, Pages, Pages]]:
    """The desks of both authorities, after an upload at home with a visitor's TempIDs."""
    border = Border.open()
    visitor = border.abroad.issuance.register().user_id
    border.upload(border.rows(border.abroad, visitor, NOON - 7_200))
    border.send()
    with serving(world_of(border.home)) as home, serving(world_of(border.abroad)) as abroad:
        for desk in (home, abroad):
            desk.clock.now = LATER
            desk.operator("sue", Role.SUPERVISOR, Role.TRACER, Role.ISSUER)
        yield border, home, abroad


def test_what_went_and_came_is_shown(desks: tuple[Border, Pages, Pages]) -> None:
    border, home, abroad = desks
    ours, theirs = home.visitor("sue"), abroad.visitor("sue")
    assert "AU_DTA" in ours.get("/partners")[1]
    assert "120" in ours.get("/partners")[1]
    page = theirs.get("/partners")[1]
    assert "SG_MOH" in page
    assert "accepted" in page
    theirs.language = "zh"
    assert "已接收记录" in theirs.get("/partners")[1]
    (case,) = border.home.casework.cases(by=CONSOLE)
    assert "handed over" in ours.get(f"/cases/{case.case_id}")[1]
    (there,) = border.abroad.casework.cases(by=CONSOLE)
    theirs.language = "en"
    page = theirs.get(f"/cases/{there.case_id}")[1]
    assert "SG_MOH handed over records" in page
    assert "Issue a PIN" not in page
