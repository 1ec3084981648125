"""Whom to call by cost: the curve, the chance that a supervisor sets, pages, commands, HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import urllib3
from click.testing import CliRunner

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import Pages, serving
from tests.test_contact_graph import Chain
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.followed import ContactState
from tracetogether.authority.contacts.costs import CostCurve, chance_to_call
from tracetogether.cli import cli
from tracetogether.cli.authority_folder import create_folder
from tracetogether.errors import InvalidRequestError, NotFoundError

CHANCES = np.array([0.1, 0.9, 0.5, 0.5, 0.02])


def test_calls_find_the_sum_of_the_chances_of_those_called() -> None:
    curve = CostCurve.of(CHANCES)
    assert curve.expected == pytest.approx(2.02)
    cut = curve.cut(0.5)
    assert (cut.calls, cut.found, cut.missed) == (3, pytest.approx(1.9), pytest.approx(0.12))
    assert cut.precision == pytest.approx(1.9 / 3)
    assert cut.recall == pytest.approx(1.9 / 2.02)
    assert curve.cut(0.95).precision is None
    assert CostCurve.of(np.empty(0)).cut(0.5).recall is None
    assert [line.calls for line in curve.cuts(0.5)] == sorted(
        line.calls for line in curve.cuts(0.5)
    )


def test_no_cut_gains_more_than_cost_over_value() -> None:
    curve = CostCurve.of(np.random.default_rng(5).random(200))
    best = curve.cut(chance_to_call(3.0, 10.0)).gain(3.0, 10.0)
    gains = [curve.cut(least).gain(3.0, 10.0) for least in np.linspace(0.0, 1.0, 1001)]
    assert best == pytest.approx(max(gains))
    assert best > max(curve.cut(0.2).gain(3.0, 10.0), curve.cut(0.4).gain(3.0, 10.0))


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cost_is_a_number_above_0(cost: float) -> None:
    with pytest.raises(InvalidRequestError, match="above 0"):
        chance_to_call(cost, 10.0)
    with pytest.raises(InvalidRequestError, match="above 0"):
        chance_to_call(10.0, cost)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(World.of(counted_entropy(811)))


def test_a_curve_is_of_the_cases_that_the_caller_may_see(chain: Chain) -> None:
    service = chain.world.authority
    everything = service.policies.costs("2m-15min", by=CONSOLE)
    lists = [
        service.tracing.found(case, service.tracing.policy("2m-15min")).contacts
        for case in (chain.case_a, chain.case_b)
    ]
    assert everything.cases == 2
    chances = sorted(contact.probability for contacts in lists for contact in contacts)
    assert sorted(everything.curve.chance.tolist()) == chances
    one = service.policies.costs("2m-15min", chain.case_a.case_id, by=CONSOLE)
    assert one.curve.expected == pytest.approx(sum(line.probability for line in lists[0]))
    tracer = Caller("tracer", frozenset({Role.TRACER}))
    assert service.policies.costs(by=tracer).cases == 0
    with pytest.raises(NotFoundError):
        service.policies.costs("2m-15min", chain.case_a.case_id, by=tracer)


@pytest.fixture
def unsure() -> Iterator[tuple[World, str]]:
    """A case whose contact may or may not be close."""
    world = World.of(counted_entropy(812))
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    assert world.authority.tracing.policy().least_chance == 0.3
    world.authority.policies.set_least_chance(0.99, NOON, by=CONSOLE)
    world.take(case, world.heard(world.user(), NOON - 7_200, 45, rssi_dbm=-66), NOON)
    world.authority.finder.refresh(case, NOON)
    return world, case.case_id


def test_a_lower_chance_calls_more_people_and_is_written_down(unsure: tuple[World, str]) -> None:
    world, case_id = unsure
    service = world.authority
    (before,) = world.store.desk.contacts_of([case_id])
    assert before.state is ContactState.CASUAL
    assert 0.01 < before.probability < 0.99
    service.policies.set_least_chance(0.01, NOON + 60, by=CONSOLE)
    (after,) = world.store.desk.contacts_of([case_id])
    assert after.state is ContactState.TO_TRACE
    assert after.close_contact
    assert (after.found_at, after.until_day, after.day) == (
        before.found_at,
        before.until_day,
        before.day,
    )
    newest, _ = world.store.last_audit()
    (entry,) = service.audit.entries(newest - 1, by=CONSOLE)
    assert (entry.act, entry.details) == (
        "policy.least-chance-set",
        {"least_chance": "0.01", "before": "0.99"},
    )
    service.policies.set_least_chance(0.99, NOON + 120, by=CONSOLE)
    (last,) = world.store.desk.contacts_of([case_id])
    assert (last.state, last.close_contact) == (ContactState.TO_TRACE, False)
    for name, policy in service.policies.all(by=CONSOLE).items():
        assert policy.least_chance == 0.99, name
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(InvalidRequestError, match=r"0\.01 to 0\.99"):
            service.policies.set_least_chance(wrong, NOON, by=CONSOLE)


@pytest.fixture
def pages(chain: Chain) -> Iterator[Pages]:
    with serving(chain.world) as served:
        yield served


def test_the_page_shows_the_curve_and_a_supervisor_sets_the_chance(
    pages: Pages, chain: Chain
) -> None:
    pages.operator("chief", Role.SUPERVISOR)
    pages.operator("tracer", Role.TRACER)
    visitor = pages.visitor("chief")
    assert visitor.get("/policy?policy=2m-15min&cost=1&value=10")[0] == 200
    assert "Expected gain" in visitor.text()
    assert "10 % likely or more" in visitor.text()
    costs = chain.world.authority.policies.costs("2m-15min", by=CONSOLE)
    assert f"{costs.curve.cut(0.1).calls} calls find" in visitor.body
    visitor.get(f"/policy?case={chain.case_a.case_id}&cost=few&value=10")
    assert "numbers above 0" in visitor.text()
    visitor.get("/policy?case=NONE")
    assert 'aria-invalid="true"' in visitor.body
    assert visitor.post("/policy", least_chance="30 %")[0] == 303
    assert chain.world.authority.tracing.policy().least_chance == pytest.approx(0.3)
    assert visitor.post("/policy", least_chance="300")[0] == 400
    assert "from 1 to 99" in visitor.text()
    other = pages.visitor("tracer")
    assert other.get("/policy")[0] == 200
    assert 'name="least_chance"' not in other.body
    assert other.post("/policy", least_chance="30")[0] == 403


@pytest.mark.network
def test_the_curve_over_http(pages: Pages, chain: Chain) -> None:
    staff = chain.world.authority.staff
    staff.add("curious", frozenset({Role.SUPERVISOR}), "curious-token", NOON, by=CONSOLE)
    headers = {"Authorization": "Bearer curious-token"}

    def ask(method: str, path: str, body: object = None) -> tuple[int, dict]:
        url = f"{pages.url}/v1/{path}"
        answer = urllib3.request(method, url, headers=headers, json=body)
        return answer.status, answer.json()

    status, said = ask("GET", "cost-curve?policy=2m-15min&cost=1&value=4")
    assert status == 200
    curve = chain.world.authority.policies.costs("2m-15min", by=CONSOLE).curve
    cut = curve.cut(0.25)
    assert said["cut"] == {
        "least_chance": 0.25,
        "calls": cut.calls,
        "found": pytest.approx(cut.found),
        "missed": pytest.approx(cut.missed),
        "precision": pytest.approx(cut.precision),
        "recall": pytest.approx(cut.recall),
    }
    assert said["gain"] == pytest.approx(cut.gain(1, 4))
    assert [line["least_chance"] for line in said["curve"]] == [n / 100 for n in range(99, 0, -1)]
    assert ask("GET", "cost-curve?cost=1")[0] == 400
    assert ask("POST", "policies/least-chance", {"least_chance": 0.4})[0] == 200
    status, policies = ask("GET", "policies")
    assert policies["least_chance"] == policies["policies"]["cwa"]["least_chance"] == 0.4
    assert ask("POST", "policies/least-chance", {"least_chance": 1.5})[0] == 400


def test_the_commands(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    create_folder(folder, now=NOON)

    def run(*arguments: str) -> str:
        line = ["authority", "policy", *arguments, "--dir", str(folder)]
        done = CliRunner().invoke(cli, line)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "30 % likely or more" in " ".join(run("show").split())
    assert "A contact is close from 20 % on" in run("set", "--least-chance", "0.2")
    assert json.loads(run("show", "--json"))["least_chance"] == 0.2
    said = json.loads(run("cost-curve", "--cost", "3", "--value", "10", "--json"))
    assert said["cut"]["least_chance"] == pytest.approx(0.3)
    assert (said["cases"], said["contacts"], said["expected"]) == (0, 0, 0)
    assert "<- here" in run("cost-curve")
