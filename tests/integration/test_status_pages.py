"""The pages of restrictions, appeals, orders and charges, by plain HTTP, in two languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tests.authority_world import NOON
from tests.conftest import counted_entropy
from tests.pages_world import Pages, Visitor, serving
from tests.status_world import BOTH, MEI, RAVI, ROSA, TOM, StatusWorld
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.restriction import Restriction, RestrictionEvidence
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

pytestmark = pytest.mark.network
TODAY, IN_A_WEEK = "2020-05-04", "2020-05-11"


@dataclass
class Office:
    """A running desk with people of each role: mei registers, ravi sets, rosa and tom review."""

    site: Pages
    world: StatusWorld
    order: Order

    def visitor(self, name: str, language: str = "en") -> Visitor:
        found = self.site.visitor(name)
        found.language = language
        return found

    def form(self, **changed: str) -> dict[str, str]:
        asked = {
            "user_id": self.world.user(),
            "ground": "order",
            "reference": self.order.order_id,
            "evidence": "visit",
            "begins": "",
            "until": IN_A_WEEK,
        }
        return asked | changed

    def newest_act(self) -> tuple[str, str, str]:
        number, _ = self.world.store.last_audit()
        (entry,) = self.world.authority.audit.entries(number - 1, by=CONSOLE)
        return entry.act, entry.by, str(entry.details.get("reason", ""))


def opened(number: int) -> Iterator[Office]:
    world = StatusWorld.new(entropy=counted_entropy(number))
    with serving(world) as site:
        site.operator("mei", Role.SUPERVISOR)
        site.operator("ravi", Role.RESTRICTOR)
        for name in ("rosa", "tom"):
            site.operator(name, Role.REVIEWER)
        site.operator("both", Role.RESTRICTOR, Role.REVIEWER, Role.SUPERVISOR)
        site.operator("issa", Role.ISSUER)
        yield Office(site, world, world.order())


@pytest.fixture(scope="module")
def shared_office() -> Iterator[Office]:
    yield from opened(31)


@pytest.fixture
def office(shared_office: Office) -> Office:
    """Return an office in which nobody is restricted, with a new order."""
    store = shared_office.world.store
    for restriction in store.status.not_over(NOON):
        store.status.change_restriction(replace(restriction, ended_at=NOON))
    shared_office.order = shared_office.world.order()
    return shared_office


@pytest.fixture
def own_office() -> Iterator[Office]:
    """Return an office for a test that uses up a day, or sets the clock."""
    yield from opened(32)


def state(office: Office, restriction: Restriction) -> str:
    found = office.world.store.status.restriction(restriction.restriction_id)
    assert found is not None
    return found.state(office.site.clock.now).value


def only(office: Office) -> Restriction:
    (found,) = office.world.store.status.not_over(office.site.clock.now)
    return found


def test_two_people_restrict_one_person_and_the_page_shows_both_steps(office: Office) -> None:
    ravi, form = office.visitor("ravi"), office.form()
    ravi.get("/restrictions")
    assert "Nothing here takes a list" in ravi.text()
    assert ravi.post("/restrictions", **form) == (303, "/desk/restrictions#waiting")
    set_one = only(office)
    assert (set_one.user_id, set_one.set_by) == (form["user_id"], "ravi")
    assert office.world.authority.restrictions.in_force(form["user_id"], NOON + 600) is None
    ravi.get("/restrictions")
    assert "set by ravi" in ravi.text()
    assert "waits for another person" in ravi.text()
    assert "You set it. Another person confirms it." in ravi.text()
    assert form["user_id"] not in ravi.body
    rosa = office.visitor("rosa")
    for newcomer in (ravi, rosa):
        assert newcomer.get("/")[0] == 200
        assert "Use the menu above" in newcomer.text()
    rosa.get("/restrictions")
    at = f"/restrictions/{set_one.restriction_id}/confirm"
    status, asked = rosa.post(at)
    assert (status, "Confirm this restriction?" in asked) == (200, True)
    assert "Canteen 3" in rosa.text()
    assert state(office, set_one) == "waiting"
    assert rosa.post(at, confirm="yes") == (303, "/desk/restrictions")
    rosa.get("/restrictions")
    assert re.search(r"In force 1 .*set by ravi .*confirmed by rosa", rosa.text())
    assert office.world.authority.restrictions.in_force(form["user_id"], office.site.clock.now)
    assert rosa.post(f"/restrictions/{set_one.restriction_id}/lift", confirm="yes")[0] == 303
    assert state(office, set_one) == "over"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "You set this restriction. Another person must confirm it."),
        ("zh", "此限制由您设定，须由另一人确认。"),
    ],
)
def test_one_person_alone_is_refused_in_words_and_audited(
    office: Office, language: str, said: str
) -> None:
    both = office.visitor("both", language)
    both.get("/restrictions")
    other = office.world.order(by=MEI)
    both.post("/restrictions", **office.form(reference=other.order_id))
    found = only(office)
    status, _ = both.post(f"/restrictions/{found.restriction_id}/confirm", confirm="yes")
    assert status == 403
    assert said in both.text()
    assert office.newest_act() == ("restriction.confirm-refused", "both", "own-restriction")
    assert state(office, found) == "waiting"
    both.get("/restrictions")
    assert f"/restrictions/{found.restriction_id}/confirm" not in both.body  # no button either


def test_the_21st_of_a_day_is_refused_with_what_was_typed(own_office: Office) -> None:
    office = own_office
    for _ in range(RESTRICTIONS.a_day):
        office.world.set(office.order, now=office.site.clock.now)
    for language in ("en", "zh"):
        ravi, form = office.visitor("ravi", language), office.form()
        ravi.get("/restrictions")
        assert ravi.post("/restrictions", **form)[0] == 429
        assert str(RESTRICTIONS.a_day) in ravi.text()
        assert f'value="{form["user_id"]}"' in ravi.body
        assert office.newest_act() == ("restriction.refused", "ravi", "restrictions-of-day")
    assert len(office.world.store.status.not_over(NOON)) == RESTRICTIONS.a_day


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_full_order_is_refused_at_its_field(office: Office, language: str) -> None:
    small = office.world.order(people=1)
    office.world.set(small, now=office.site.clock.now)
    ravi = office.visitor("ravi", language)
    ravi.get("/restrictions")
    assert ravi.post("/restrictions", **office.form(reference=small.order_id))[0] == 409
    assert 'id="reference-wrong"' in ravi.body
    assert office.newest_act() == ("restriction.refused", "ravi", "order-full")
    mei = office.visitor("mei", language)
    mei.get("/orders")
    assert ("full" if language == "en" else "已满") in mei.text()


FAULTS = (
    ({"user_id": "  "}, "user_id"),
    ({"user_id": "nobody"}, "user_id"),
    ({"ground": "loud"}, "ground"),
    ({"reference": ""}, "reference"),
    ({"reference": "NONE"}, "reference"),
    ({"ground": "case"}, "reference"),
    ({"evidence": ""}, "evidence"),
    ({"evidence": "none"}, "evidence"),
    ({"evidence": "diagnosis"}, "evidence"),
    ({"evidence": "contact-line"}, "evidence"),
    ({"until": ""}, "until"),
    ({"until": "soon"}, "until"),
    ({"until": "2020-05-03"}, "until"),
    ({"until": "2020-05-19"}, "until"),
    ({"begins": "2020-05-12", "until": "2020-05-14"}, "begins"),
)


def test_each_fault_of_the_form_is_marked_at_its_field(office: Office) -> None:
    ravi = office.visitor("ravi")
    ravi.get("/restrictions")
    for changed, field in FAULTS:
        status, _ = ravi.post("/restrictions", **office.form(**changed))
        assert status in {400, 404, 409}, changed
        assert f'id="{field}-wrong"' in ravi.body, (changed, ravi.text())
    assert office.world.store.status.not_over(NOON) == []


def test_fourteen_days_from_now_are_a_last_day_that_is_accepted(office: Office) -> None:
    ravi = office.visitor("ravi")
    ravi.get("/restrictions")
    assert ravi.post("/restrictions", **office.form(until="2020-05-18"))[0] == 303
    found = only(office)
    assert found.until - found.begins_at == RESTRICTIONS.longest_s


def test_lists_show_what_ends_today_begins_later_and_is_suspended(own_office: Office) -> None:
    office = own_office
    world, clock = office.world, office.site.clock
    ends = world.set(office.order, until=NOON + 6 * SECONDS_PER_HOUR)
    goes_on, appealed = world.set(office.order), world.set(office.order)
    for found in (ends, goes_on, appealed):
        world.authority.restrictions.confirm(found.restriction_id, NOON, by=BOTH)
    rosa = office.visitor("rosa")
    rosa.get("/restrictions?show=today")
    assert "Ending today 1" in rosa.text()
    assert "In force 3" in rosa.text()
    assert f"/restrictions/{ends.restriction_id}/lift" in rosa.body
    assert goes_on.restriction_id not in rosa.body
    world.authority.appeals.open(appealed.user_id, NOON)
    clock.now = NOON + 2 * SECONDS_PER_DAY + 60
    rosa = office.visitor("rosa")
    rosa.get("/restrictions?show=suspended")
    assert "Suspended by an appeal 1" in rosa.text()
    assert f"/restrictions/{appealed.restriction_id}/lift" in rosa.body
    rosa.get("/restrictions?show=nonsense&offset=999&waiting=999")
    assert "In force 1" in rosa.text()


def test_a_restrictor_sees_and_lifts_only_their_own(office: Office) -> None:
    theirs = office.world.set(office.order, by=BOTH)
    ravi = office.visitor("ravi")
    ravi.get("/restrictions")
    assert theirs.restriction_id not in ravi.body
    assert "You see those that you set." in ravi.text()
    assert ravi.post(f"/restrictions/{theirs.restriction_id}/lift")[0] == 404


def test_evidence_none_is_marked(office: Office) -> None:
    border = office.world.order(OrderKind.BORDER)
    office.world.set(border, evidence=RestrictionEvidence.NONE)
    rosa = office.visitor("rosa")
    rosa.get("/restrictions")
    assert re.search(r'<span class="tag high">no evidence</span>', rosa.body)


def appeals_of(office: Office, count: int) -> list[str]:
    found = []
    for number in range(count):
        person = office.world.user()
        office.world.set(office.order, person, by=RAVI if number < 20 else BOTH)
        newest = office.world.store.status.restrictions_of(person)[0]
        reviewer = office.world.authority.restrictions
        reviewer.confirm(newest.restriction_id, NOON, by=TOM if number % 3 else ROSA)
        (appeal,) = office.world.authority.appeals.open(person, NOON + number)
        found.append(appeal.appeal_id)
    return found


def test_a_reviewer_with_thirty_appeals_sees_their_own_first_and_goes_through_them(
    own_office: Office,
) -> None:
    office = own_office
    appeals = appeals_of(office, 30)
    rosa = office.visitor("rosa")
    rosa.get("/appeals")
    assert "30 open appeals" in rosa.text()
    assert rosa.body.count('name="outcome"') == 20
    assert rosa.text().count("You took part. Another reviewer decides.") == 10
    assert rosa.body.rindex('name="outcome"') < rosa.body.index("You took part")
    assert re.search(r"47 h \d+ min left", rosa.text())
    first = appeals[1]
    assert rosa.post(f"/appeals/{first}", outcome="lifted", until="") == (
        303,
        f"/desk/appeals?done={first}",
    )
    rosa.get(f"/appeals?done={first}")
    assert "29 open appeals" in rosa.text()
    assert re.search(r"Decided for \S+: lifted", rosa.text())


def test_an_appeal_is_decided_by_a_third_person_and_never_makes_it_longer(office: Office) -> None:
    (appeal,) = appeals_of(office, 1)
    rosa, tom = office.visitor("rosa"), office.visitor("tom")
    rosa.get("/appeals")
    assert rosa.post(f"/appeals/{appeal}", outcome="upheld")[0] == 403
    assert "Another reviewer decides" in rosa.text()
    tom.get("/appeals")
    for wrong in (
        {"outcome": ""},
        {"outcome": "corrected", "until": ""},
        {"outcome": "corrected", "until": "2020-06-01"},
        {"outcome": "lifted", "until": "2020-05-06"},
    ):
        assert tom.post(f"/appeals/{appeal}", **wrong)[0] == 400, wrong
        assert 'role="alert"' in tom.body
    assert tom.post(f"/appeals/{appeal}", outcome="corrected", until="2020-05-06")[0] == 303
    kept = office.world.store.status.appeal(appeal)
    assert kept is not None
    restriction = office.world.store.status.restriction(kept.restriction_id)
    assert restriction is not None
    assert restriction.until == NOON - 12 * SECONDS_PER_HOUR + 3 * SECONDS_PER_DAY


def test_an_appeal_beyond_48_hours_is_marked(own_office: Office) -> None:
    appeals_of(own_office, 1)
    own_office.site.clock.now = NOON + 2 * SECONDS_PER_DAY
    for language, said in (("en", r"0 h \d min too late"), ("zh", r"超时 0 小时 \d 分")):
        tom = own_office.visitor("tom", language)
        tom.get("/appeals")
        assert re.search(said, tom.text())
        assert 'class="tag high"' in tom.body


def test_a_supervisor_registers_an_order_and_ends_it_with_all_that_rests_on_it(
    office: Office,
) -> None:
    mei = office.visitor("mei")
    mei.get("/orders")
    form = {
        "kind": "border",
        "legal_basis": "Infectious Diseases Act, section 31",
        "place": "Ferry terminal <b>2</b>",
        "window_from": "2020-05-01",
        "window_to": TODAY,
        "ends": "2020-05-20",
        "most_people": "2",
    }
    for field, text in (
        *(("kind", ""), ("legal_basis", " "), ("most_people", "501"), ("most_people", "many")),
        *(("ends", "2020-07-20"), ("ends", ""), ("window_from", "2020-05-09")),
    ):
        assert mei.post("/orders", **(form | {field: text}))[0] == 400, (field, text)
        assert f'id="{field}-wrong"' in mei.body, (field, text, mei.text())
    assert mei.post("/orders", **form) == (303, "/desk/orders")
    order = office.world.authority.orders.all(by=MEI)[0]
    assert (order.most_people, order.window_to) == (2, NOON + SECONDS_PER_DAY / 2)
    mei.get("/orders")
    assert "Ferry terminal &lt;b&gt;2&lt;/b&gt;" in mei.body
    restricted = office.world.set(order, by=RAVI)
    status, asked = mei.post(f"/orders/{order.order_id}/end")
    assert (status, "End this order now?" in asked) == (200, True)
    assert mei.post(f"/orders/{order.order_id}/end", confirm="yes")[0] == 303
    assert state(office, restricted) == "over"
    assert mei.post("/orders/NONE/end")[0] == 404


def test_an_order_may_last_its_longest_time_to_the_day(office: Office) -> None:
    mei = office.visitor("mei")
    mei.get("/orders")
    form = {"kind": "contact", "legal_basis": "Act", "place": "Hall", "most_people": "5"}
    form |= {"window_from": TODAY, "window_to": TODAY, "ends": "2020-07-03"}
    assert mei.post("/orders", **form)[0] == 303


def test_an_issuer_gives_a_code_in_the_persons_language_and_ends_a_charge(office: Office) -> None:
    issa = office.visitor("issa", "zh")
    issa.get("/charges")
    status, shown = issa.post("/charges", spoken="ta")
    assert status == 200
    code = re.search(r"[A-Z2-7]{5}-[A-Z2-7]{5}", shown)
    assert code
    assert '<div lang="ta">' in shown
    assert "சம்மதித்தால்" in shown
    daughter = office.world.user()
    charge = office.world.authority.charges.add(daughter, code[0], office.site.clock.now)
    assert charge.charge_id in shown
    assert issa.post("/charges/end", number=charge.charge_id, reason="")[0] == 400
    assert 'id="reason-wrong"' in issa.body
    assert issa.post("/charges/end", number="NONE", reason="asked")[0] == 404
    assert 'id="number-wrong"' in issa.body
    assert "没有这个编号的代办，可能已经结束。" in issa.text()
    done = issa.post("/charges/end", number=charge.charge_id.lower(), reason="asked")
    assert done == (303, "/desk/charges?ended=1")
    assert office.world.authority.charges.of(daughter) == []


def test_no_page_takes_more_than_one_person_and_none_uploads_a_file(office: Office) -> None:
    both = office.visitor("both")
    for page in ("/restrictions", "/appeals", "/orders"):
        both.get(page)
        assert 'type="file"' not in both.body
        assert "multipart" not in both.body
        assert "<textarea" not in both.body
        assert 'type="checkbox"' not in both.body
        assert " multiple" not in both.body
    both.get("/restrictions")
    two = "\n".join(office.world.user() for _ in range(2))
    assert both.post("/restrictions", **office.form(user_id=two))[0] == 404
    assert office.world.store.status.not_over(NOON) == []


# --- negative tests ---


def test_a_negative_test_lifts_restrictions_after_a_question(office: Office) -> None:
    world, site = office.world, office.site
    order = world.order(OrderKind.CONTACT)
    held = world.restricted(order)
    site.operator("lena", Role.ISSUER)
    lena = office.visitor("lena")
    assert "/desk/test-results" in lena.get("/")[1]
    lena.get("/test-results")
    sent = {"user_id": held.user_id, "date": TODAY, "laboratory": "National laboratory"}
    status, body = lena.post("/test-results", **sent | {"laboratory": " "})
    assert (status, "National" in body, held.user_id in body) == (400, False, True)
    status, body = lena.post("/test-results", **sent | {"date": "2031-01-01"})
    assert status == 400
    assert lena.post("/test-results", **sent | {"user_id": "nobody"})[0] == 404
    status, body = lena.post("/test-results", **sent)
    assert (status, "National laboratory" in body) == (200, True)
    assert world.authority.restrictions.in_force(held.user_id, site.clock.now) is not None
    status, where = lena.post("/test-results", **sent, confirm="yes")
    assert (status, where) == (303, "/desk/test-results?lifted=1")
    assert "1 restriction ended." in lena.get("/test-results?lifted=1")[1]
    assert world.authority.restrictions.in_force(held.user_id, site.clock.now) is None
    act, by, _ = office.newest_act()
    assert (act, by) == ("test.reported", "lena")
    assert office.visitor("ravi").get("/test-results")[0] == 403
