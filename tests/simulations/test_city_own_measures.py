"""A measure of one's own takes part in a run: check-in at a place names people, a gate closes."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from simulations.city.calibration import attempt_scale
from simulations.city.hashes import ONE, PERSON_BITS, happens, hashed, key_of
from simulations.city.keys import CITY, NEIGHBOURHOOD, CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.city.tracing import Named
from simulations.city.transmission import Effect
from tracetogether.units import Ints

SEED = 3


@dataclass(frozen=True)
class CheckIn:
    """Half of all contacts of the neighbourhood and the city are in places with a visitors' list.

    The list names everybody whom a case met there in the last days.
    """

    look_back_days: int = 7
    delay_days: int = 1
    quarantine_days: int = 14

    def left(self, _day: int, effect: Effect) -> Effect:
        return effect

    def named(self, network: Network, seed: int, cases: Ints, day: int) -> Named:
        days = np.arange(max(0, day - self.look_back_days), day)
        people, on = np.repeat(cases, len(days)), np.tile(days, len(cases))
        met = network.contacts(people, on, [NEIGHBOURHOOD, CITY])
        case, when = people[met.of], on[met.of]
        pair = np.minimum(case, met.other) << PERSON_BITS | np.maximum(case, met.other)
        rows = happens(hashed(key_of(seed, "place with a list"), pair), ONE // 2)
        none = np.zeros(int(rows.sum()), dtype=bool)
        return Named(case[rows], met.other[rows], when[rows], none, ~none, none)


@dataclass(frozen=True)
class Gate:
    """Gates at shops let in a share of those who come."""

    share: float
    delay_days: int = 0
    quarantine_days: int = 0

    def left(self, _day: int, effect: Effect) -> Effect:
        left = effect.open_share.copy()
        left[CITY] = int(left[CITY] * self.share)
        return replace(effect, open_share=left)

    def named(self, _network: Network, _seed: int, _cases: Ints, _day: int) -> Named:
        return Named.joined([])


def town() -> CityScenario:
    settings = {"people.count": "6000", "days": "50", "tests.share": "0.8"}
    return load_city("test-town", settings | {"isolation.compliance": "0.5"})


@cache
def scale() -> float:
    return attempt_scale(town())


@cache
def played(*measures: Measure) -> CityRun:
    return run_city(town(), seed=SEED, scale=scale(), measures=measures)


def infections(run: CityRun) -> int:
    return int(run.new_infections.sum())


def test_check_in_warns_people_and_averts_infections() -> None:
    with_lists, without = played(CheckIn()), played()
    assert infections(with_lists) < infections(without)
    assert with_lists.costs.quarantine_days_infected > 0 == without.costs.quarantine_days_infected
    assert with_lists.costs.calls > 0 == without.costs.calls
    assert with_lists.costs.learned_person_contacts >= with_lists.costs.calls


def test_a_later_warning_averts_less() -> None:
    assert infections(played(CheckIn())) < infections(played(CheckIn(delay_days=9)))


def test_a_gate_lowers_infections_in_its_layer() -> None:
    shut, half, wide = (played(Gate(share)) for share in (0.0, 0.5, 1.0))
    at_shops = [int((run.people.layer == CITY).sum()) for run in (shut, half, wide)]
    assert 0 == at_shops[0] < at_shops[1] < at_shops[2]
    assert wide.digest == played().digest


def test_the_app_does_not_find_contacts_that_a_gate_prevents() -> None:
    def named_in_city(*measures: Measure) -> int:
        found: list[int] = []
        on = replace(town(), app=replace(town().app, adoption=1.0))
        run_city(
            on,
            seed=SEED,
            scale=scale(),
            measures=measures,
            watch=lambda by, named, _day: found.append(int((~named.false).sum() * (by == "app"))),
        )
        return sum(found)

    assert 0 < named_in_city(Gate(0.0)) < named_in_city()


def test_a_measure_that_names_nobody_changes_nothing() -> None:
    assert played(CheckIn(look_back_days=0)).digest == played().digest
