"""The statistics of a city find what is wrong with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.city import city_statistics
from simulations.city.city_statistics import check_names
from simulations.city.keys import CITY, HOUSEHOLD, LAYERS, NEIGHBOURHOOD, TRANSPORT
from simulations.city.measure_keys import AppKeys, SymptomTestKeys, TracerKeys
from simulations.city.network import Network
from simulations.city.network_statistics import (
    asymmetric_contacts,
    degree_p,
    expected_degrees,
    uniformity_p,
)
from simulations.city.scenario import load_city
from simulations.city.tracing import CityTracing, Named
from tracetogether.cli.city import city
from tracetogether.units import Ints


def test_the_statistics_find_a_one_sided_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(load_city("test-town", {"people.count": "3000"}), 1)
    wrong, seen = asymmetric_contacts(network)
    assert wrong == 0
    assert seen > 200_000
    whole = Network.partner

    def spoiled(
        self: Network, layer: int, people: Ints, slots: Ints, days: int | Ints, of: Ints
    ) -> Ints:
        found = whole(self, layer, people, slots, days, of)
        found[people[of] == 17] = 5
        return found

    monkeypatch.setattr(Network, "partner", spoiled)
    assert asymmetric_contacts(network)[0] > 0


@pytest.mark.parametrize("count", [3_000, 12_347])
def test_numbers_of_contacts_follow_the_keys(count: int) -> None:
    scenario = load_city("test-town", {"people.count": str(count)})
    network = Network(scenario, 2)
    for layer in range(len(LAYERS)):
        assert degree_p(scenario, network, layer) > 1e-3, LAYERS[layer]
        assert expected_degrees(scenario, network, layer).sum() == pytest.approx(1)


@pytest.mark.parametrize("layer", range(len(LAYERS)), ids=LAYERS)
def test_a_layer_that_loses_contacts_does_not_follow_the_keys(
    layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_city("test-town")
    network, whole = Network(scenario, 2), Network.partner

    def lossy(
        self: Network, layer: int, people: Ints, slots: Ints, days: int | Ints, of: Ints
    ) -> Ints:
        found = whole(self, layer, people, slots, days, of)
        found[(people[of] + found) % 9 == 0] = -1
        return found

    monkeypatch.setattr(Network, "partner", lossy)
    assert degree_p(scenario, network, layer) < 1e-3


@pytest.mark.parametrize("layer", [NEIGHBOURHOOD, CITY, TRANSPORT], ids=lambda y: LAYERS[y])
def test_partners_who_are_not_uniform_are_found(
    layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, whole = Network(load_city("test-town"), 2), Network.partner
    assert uniformity_p(network, layer) > 1e-3

    def choosy(
        self: Network, layer: int, people: Ints, slots: Ints, days: int | Ints, of: Ints
    ) -> Ints:
        found = whole(self, layer, people, slots, days, of)
        found[(found % 5_000 < 700) & (slots % 3 == 0)] = -1
        return found

    monkeypatch.setattr(Network, "partner", choosy)
    assert uniformity_p(network, layer) < 1e-3


def test_lines_of_transport_are_of_nearly_equal_size() -> None:
    """Riders of a short last line would ride alone."""
    scenario = load_city("small-town")
    network = Network(scenario, 1)
    assert (scenario.contacts.transport.neighbourhoods, network.line) == (8, 5)
    riders = np.flatnonzero(network.slots[TRANSPORT][network.place(np.arange(50_000))])
    met = network.contacts(riders, 1, [TRANSPORT])
    assert (np.bincount(met.of, minlength=len(riders)) == 6).all()


def test_a_layer_without_contacts_follows_its_keys() -> None:
    none = {"contacts.city.number": "0", "people.riders": "0"}
    scenario = load_city("test-town", none | {"people.households.size_1": "1"})
    alone = {f"people.households.size_{size}": "0" for size in range(2, 9)}
    scenario = load_city("test-town", none | alone)
    network = Network(scenario, 2)
    assert [degree_p(scenario, network, y) for y in (CITY, TRANSPORT, HOUSEHOLD)] == [1, 1, 1]


def test_names_without_a_contact_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = replace(
        load_city("test-town", {"people.count": "2000", "days": "30"}),
        tests=SymptomTestKeys(share=0.9),
        app=AppKeys(adoption=0.8),
        tracers=TracerKeys(cases_per_100k=500.0),
    )
    found = check_names(scenario, 1)
    assert found.true > 1_000
    assert found.without_contact == 0
    assert found.counted == found.false_people > 0
    by_tracers = CityTracing.by_tracers

    def guessing(self: CityTracing, cases: Ints, day: int) -> Named:
        named = by_tracers(self, cases, day)
        return replace(named, other=(named.other + 1) % 2_000)

    monkeypatch.setattr(CityTracing, "by_tracers", guessing)
    assert check_names(scenario, 1).without_contact > 50


def test_the_command_fails_when_a_figure_is_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(city_statistics, "REPRODUCTION_NUMBERS", ())
    words = ["validate", "test-town", "--set", "people.count=2000", "--seeds", "1", "--json"]
    done = CliRunner().invoke(city, [*words, "--set", "contacts.household.hazard=50"])
    rows = {row["statistic"]: row for row in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert not rows["household attack rate"]["ok"]
    assert sum(name.startswith("contacts in ") for name in rows) == len(LAYERS)
    assert next(row for name, row in rows.items() if name.startswith("without a con"))["ok"]
