"""The graph of cases and contacts, contacts of contacts, and who may see how much of it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import urllib3

from tests.authority_world import DAY, NOON, World
from tests.conftest import counted_entropy
from tests.http_site import eventually
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import DEMO_POLICY
from tracetogether.shapes.contacts import Graph
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy

HOUR = 3_600.0
CHIEF = Caller("chief", frozenset({Role.SUPERVISOR}))
TRACER = Caller("tracer", frozenset({Role.TRACER}))


def at(day: int) -> float:
    """Ten in the morning of a UTC day."""
    return float(day * SECONDS_PER_DAY + 10 * HOUR)


class Chain:
    """A met B five days before B's date; B met C and D later; A fell ill first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.a, self.b, self.c, self.d, self.e = (world.user() for _ in range(5))
        together = [
            *world.heard(self.b, at(DAY - 5), 40, rssi_dbm=-45),
            *world.heard(self.e, at(DAY - 5), 30, rssi_dbm=-50),
        ]
        self.case_a = self.upload(self.a, DAY - 5, together)
        heard_by_b = [
            *world.heard(self.a, at(DAY - 5), 40, rssi_dbm=-45),
            *world.heard(self.c, at(DAY - 2), 40, rssi_dbm=-45),
            *world.heard(self.d, at(DAY - 8), 40, rssi_dbm=-45),  # before B met A
        ]
        self.case_b = self.upload(self.b, DAY, heard_by_b)

    def upload(self, user_id: str, day: int, rows: Sequence[Sighting]) -> Case:
        case = self.world.authority.casework.open_case(user_id, NOON, day, by=CONSOLE)
        self.world.take(case, rows, NOON)
        self.world.authority.finder.refresh(case, NOON)
        return case


@pytest.fixture
def chain(entropy: Entropy) -> Chain:
    return Chain(World.of(entropy))


def named(chain: Chain, user_id: str) -> str:
    """Return what lists call a person."""
    return chain.world.authority.desk.name_of(user_id)


def test_people_and_meetings_of_all_cases(chain: Chain) -> None:
    graph = chain.world.authority.graphs.graph(DEMO_POLICY, by=CONSOLE)
    name = {letter: named(chain, getattr(chain, letter)) for letter in "abcde"}
    assert {person.pseudonym for person in graph.people} == set(name.values())
    assert {person.pseudonym for person in graph.people if person.cases} == {name["a"], name["b"]}
    pairs = {frozenset(meeting.pair) for meeting in graph.meetings}
    assert pairs == {frozenset({name[x], name[y]}) for x, y in ("ab", "ae", "bc", "bd")}
    assert len(graph.meetings) == 4  # A and B met once, though both lists have it
    (ab,) = [meeting for meeting in graph.meetings if set(meeting.pair) == {name["a"], name["b"]}]
    assert (ab.contact.seen_by, ab.contact.close_contact) == ("both", True)
    likely = [meeting.contact.probability for meeting in graph.meetings]
    assert likely == sorted(likely, reverse=True)
    assert (graph.cases, graph.cases_left_out) == (2, 0)


def test_the_earlier_case_leads_the_ranking(chain: Chain) -> None:
    graph = chain.world.authority.graphs.graph(DEMO_POLICY, by=CONSOLE)
    (best,) = [
        candidate
        for candidate in graph.candidates
        if candidate.infected.case_id == chain.case_b.case_id
    ]
    assert best.infector.case_id == chain.case_a.case_id
    assert best.likeliest_day == DAY - 5
    assert best.direction > 0.8
    assert best.share.low < best.share.median < best.share.high < 1
    said = Graph.of(graph).json_value()
    assert {assumption["code"] for assumption in said["assumptions"]} >= {
        "incubation",
        "infectiousness",
    }
    for user_id in (chain.a, chain.b, chain.c, chain.d, chain.e):
        assert user_id not in json.dumps(said)
        assert user_id not in repr(graph)


def test_contacts_of_contacts_are_those_met_afterwards(chain: Chain) -> None:
    graphs = chain.world.authority.graphs
    (found,) = graphs.second_degree(chain.case_a, DEMO_POLICY, by=CONSOLE)
    assert found.contact.user_id == chain.c  # D was met before, E has not uploaded
    assert found.through == named(chain, chain.b)
    assert (found.through_case.case_id, found.days_after) == (chain.case_b.case_id, 3)
    (ab,) = [
        contact
        for contact in chain.world.authority.tracing.found(chain.case_a, DEMO_POLICY).contacts
        if contact.user_id == chain.b
    ]
    assert found.through_probability == ab.probability
    assert 0 < found.chain_probability == ab.probability * found.contact.probability
    assert graphs.second_degree(chain.case_b, DEMO_POLICY, by=CONSOLE)[0].contact.user_id == chain.e


def test_a_tracer_sees_the_graph_of_the_assigned_cases_only(chain: Chain) -> None:
    authority = chain.world.authority
    authority.staff.add("tracer", frozenset({Role.TRACER}), "token", NOON, by=CONSOLE)
    assert authority.graphs.graph(by=TRACER).people == ()
    authority.casework.assign(chain.case_a.case_id, "tracer", NOON, by=CHIEF)
    mine = authority.graphs.graph(by=TRACER)
    own = {person.pseudonym: [case.case_id for case in person.cases] for person in mine.people}
    assert own == {
        named(chain, chain.a): [chain.case_a.case_id],
        named(chain, chain.b): [],
        named(chain, chain.e): [],
    }
    assert mine.candidates == ()
    assert authority.graphs.second_degree(chain.case_a, by=TRACER) == ()
    authority.casework.assign(chain.case_b.case_id, "tracer", NOON, by=CHIEF)
    assert authority.graphs.graph(by=TRACER) == authority.graphs.graph(by=CHIEF)
    assert len(authority.graphs.second_degree(chain.case_a, by=TRACER)) == 1


def test_who_withdraws_is_gone_from_the_graph(chain: Chain) -> None:
    chain.world.authority.issuance.withdraw(chain.b, NOON)
    graph = chain.world.authority.graphs.graph(by=CONSOLE)
    assert {person.pseudonym for person in graph.people} == {
        named(chain, chain.a),
        named(chain, chain.e),
    }
    assert graph.candidates == ()


# --- over HTTP ---


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Chain]]:
    chain = Chain(World.of(counted_entropy(21)))
    authority = chain.world.authority
    authority.staff.add("chief", frozenset({Role.SUPERVISOR}), "chief-token", NOON, by=CONSOLE)
    authority.staff.add("tracer", frozenset({Role.TRACER}), "tracer-token", NOON, by=CONSOLE)
    with http_api.running(http_api.create_app(authority, clock=lambda: NOON)) as url:
        yield url, chain


def get(url: str, path: str, by: str = "chief") -> tuple[int, Any]:
    answer = urllib3.request("GET", url + path, headers={"Authorization": f"Bearer {by}-token"})
    return answer.status, answer.json()


@pytest.mark.network
def test_the_graph_over_http(served: tuple[str, Chain]) -> None:
    url, chain = served
    authority = chain.world.authority
    before = authority.audit.verify(by=CONSOLE)[0]
    status, said = get(url, "/v1/graph?policy=2m-15min")
    assert (status, said) == (
        200,
        {
            **Graph.of(authority.graphs.graph(DEMO_POLICY, by=CONSOLE)).json_value(),
            "offset": 0,
            "total": 2,
        },
    )
    status, other = get(url, "/v1/graph?policy=immuni")
    assert (status, other["policy"]["rule"]) == (200, "bucket-immuni")
    assert get(url, "/v1/graph?policy=none")[0] == 400
    assert get(url, "/v1/graph", "tracer")[1]["people"] == []
    entries = authority.audit.entries(after=before, by=CONSOLE)
    assert [(entry.act, entry.by) for entry in entries] == [
        ("graph.shown", "chief"),
        ("graph.shown", "chief"),
        ("graph.shown", "tracer"),
    ]


@pytest.mark.network
def test_contacts_of_contacts_over_http(served: tuple[str, Chain]) -> None:
    url, chain = served
    before = chain.world.authority.audit.verify(by=CONSOLE)[0]
    path = f"/v1/cases/{chain.case_a.case_id}/contacts/onward"
    status, said = get(url, path)
    (line,) = said["contacts"]
    assert (status, line["pseudonym"], line["through"]) == (
        200,
        named(chain, chain.c),
        named(chain, chain.b),
    )
    assert get(url, path, "tracer")[0] == 404  # it is not assigned to this tracer
    (entry,) = chain.world.authority.audit.entries(after=before, by=CONSOLE)
    assert (entry.act, entry.subject) == ("contacts.onward_listed", chain.case_a.case_id)


@pytest.mark.network
def test_a_log_brings_the_lists_of_others_up_to_date(served: tuple[str, Chain]) -> None:
    """The later log is of somebody whom the earlier case's phone had not heard."""
    url, chain = served
    world, authority = chain.world, chain.world.authority
    earlier = chain.upload(world.user(), DAY, [])
    with AuthorityClient(url, retries=0) as phone:
        silent = phone.register().user_id
        later = authority.casework.open_case(silent, NOON, by=CONSOLE)
        assert authority.tracing.concerned(later) == []
        body = write_upload(world.heard(earlier.user_id, at(DAY), 30, rssi_dbm=-45))
        pin = authority.pins.issue(later, NOON, by=CONSOLE)
        phone.upload(body, phone.redeem_pin(pin, body))
    assert [other_case.case_id for other_case in authority.tracing.concerned(later)] == [
        earlier.case_id
    ]
    assert eventually(lambda: bool(authority.store.desk.contacts_of([earlier.case_id])))
    (row,) = authority.store.desk.contacts_of([earlier.case_id])
    assert row.seen_by == "contact"
