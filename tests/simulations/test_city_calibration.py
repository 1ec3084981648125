"""First cases infect as many others as the scenario says."""

import numpy as np
import pytest

from simulations.city.calibration import SAMPLE, attempt_scale, first_share, spread_people
from simulations.city.disease import Disease
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.city.transmission import Transmission

_CASES = 4_000


def _large(name: str, settings: dict[str, str]) -> CityScenario:
    """Return a city so large that first cases hardly ever meet, without measures."""
    off = {f"{table}.start_day": "10000" for table in ("isolation", "tests", "masks")}
    size = {"people.count": "3000000", "disease.start_cases": str(_CASES), "days": "15"}
    return load_city(name, off | size | settings)


def _offspring(scenario: CityScenario, seed: int) -> float:
    played = run_city(scenario, seed=seed)
    first = np.flatnonzero(played.people.infected_on == 0).astype(np.int64)
    sources = played.people.source[played.people.source >= 0]
    caused = (played.people.infected_on[sources] == 0).sum() / len(first)
    # Infectiousness varies, and 4,000 cases are few: what their own mean adds is no fault.
    levels, shares = played.disease.levels()
    own = played.disease.infectiousness(first).mean() / 1024
    return float(caused / own * (levels @ shares))


@pytest.mark.parametrize("name", ["test-town", "singapore-2020"])
def test_first_cases_infect_as_many_as_the_key_says(name: str) -> None:
    scenario = _large(name, {"disease.spread": "0"})
    wanted = scenario.disease.reproduction_number
    assert _offspring(scenario, 3) == pytest.approx(wanted, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test-town", "small-town", "university", "singapore-2020"])
@pytest.mark.parametrize("reproduction", [1.3, 3.5])
def test_first_cases_do_so_in_all_scenarios(name: str, reproduction: float) -> None:
    scenario = _large(name, {"disease.reproduction_number": str(reproduction)})
    found = [_offspring(scenario, seed) for seed in (11, 12, 13)]
    assert np.mean(found) == pytest.approx(reproduction, rel=0.03)


def test_those_whom_a_case_infects_get_ahead_of_it_at_home() -> None:
    def share(settings: dict[str, str]) -> float:
        scenario = load_city("test-town", {"people.count": "40000000"} | settings)
        network = Network(scenario, 0)
        disease = Disease(scenario.disease, network, 0)
        transmission = Transmission(scenario, network, disease, 0, attempt_scale(scenario))
        return first_share(transmission, spread_people(network, 1_000))

    alone = {f"people.households.size_{size}": "0" for size in range(2, 9)}
    none = {"pupils": "0", "students": "0", "workers": "0", "riders": "0"}
    assert 0.9 < share({"contacts.household.hazard": "8"}) < 0.993
    assert share(alone | none | {"people.households.size_1": "1"}) > 0.998


def test_a_city_is_calibrated_once_whatever_its_size_and_measures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = []
    whole = Transmission.infections

    def counted(self: Transmission, *arguments: object) -> object:
        played.append(arguments)
        return whole(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Transmission, "infections", counted)
    scale = attempt_scale(load_city("test-town", {"disease.reproduction_number": "1.4711"}))
    assert len(played) == 14
    for key, value in (("people.count", "777"), ("app.adoption", "0.5"), ("days", "9")):
        again = load_city("test-town", {"disease.reproduction_number": "1.4711", key: value})
        assert attempt_scale(again) == scale
    assert len(played) == 14


def test_the_sample_stands_for_all_places_in_neighbourhoods_of_their_own() -> None:
    network = Network(load_city("test-town", {"people.count": "40000000"}), 0)
    people = spread_people(network, SAMPLE)
    places = network.tables.places
    assert len(np.unique(people // places)) == SAMPLE
    rows = np.sort(network.place(people))
    assert np.diff(rows).max() <= len(network.tables.age) // SAMPLE + 1
