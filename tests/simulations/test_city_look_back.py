"""Contacts of cases on past days: the same as day by day, with fewer look-ups."""

from collections import Counter

import numpy as np
import pytest

from simulations.city.keys import HOUSEHOLD, LAYERS
from simulations.city.look_back import CASES, LookBack
from simulations.city.network import GROUPS, Network
from simulations.city.people import People
from simulations.city.scenario import load_city
from tracetogether.units import Ints

_DAYS = np.arange(6, 20)


def _everybody(_layer: int, _cases: Ints, others: Ints) -> tuple[Ints, Ints]:
    rows = np.arange(len(others))
    return rows, others % 7


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(load_city("test-town"), 3)


@pytest.fixture
def people(network: Network) -> People:
    state = People(network.people)
    for person in range(0, network.people, 3):
        state.keep_home(np.array([person]), 4, np.array([9]))
        state.keep_home(np.array([person]), 15, np.array([17 + person % 5]))
    return state


def test_they_are_those_of_each_day_without_days_at_home(network: Network, people: People) -> None:
    cases = np.arange(40, 40 + CASES + 90)
    found = Counter[tuple[int, ...]]()
    for met in LookBack(network, people).contacts(cases, _DAYS, _everybody):
        assert (met.mark == met.other % 7).all()
        rows = zip(met.case.tolist(), met.other.tolist(), met.day.tolist(), strict=True)
        found.update((met.layer, *row) for row in rows)
    wanted = Counter[tuple[int, ...]]()
    for day in _DAYS.tolist():
        day_met = network.contacts(cases, day)
        case = cases[day_met.of]
        out = (day_met.layer == HOUSEHOLD) | ~people.was_away(case, day)
        columns = (day_met.layer[out], case[out], day_met.other[out])
        wanted.update((*row, day) for row in zip(*(c.tolist() for c in columns), strict=True))
    assert found == wanted


def test_groups_are_looked_up_once_and_days_at_home_not(
    network: Network, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = Counter[int]()
    whole = Network.partner

    def counted(
        self: Network, layer: int, people: Ints, slots: Ints, days: int | Ints, of: Ints
    ) -> Ints:
        looked_up[layer] += len(slots)
        return whole(self, layer, people, slots, days, of)

    monkeypatch.setattr(Network, "partner", counted)
    cases = np.arange(300)
    list(LookBack(network, people).contacts(cases, _DAYS, _everybody))
    place = network.place(cases)
    out = np.array([(~people.was_away(cases, day)).tolist() for day in _DAYS.tolist()])
    working = _DAYS % 7 < 5
    for layer, name in enumerate(LAYERS):
        slots = network.slots[layer][place]
        if layer in GROUPS:
            wanted = slots.sum()
        else:
            days = out if name in {"neighbourhood", "city"} else out[working]
            wanted = (days * slots).sum()
        assert looked_up[layer] == wanted


def test_pairs_that_cannot_be_named_are_dropped(network: Network, people: People) -> None:
    def nobody(_layer: int, _cases: Ints, others: Ints) -> tuple[Ints, Ints]:
        return np.zeros(0, np.int64), others[:0]

    look_back = LookBack(network, people)
    assert list(look_back.contacts(np.arange(50), _DAYS, nobody)) == []
    assert list(look_back.contacts(np.arange(50), _DAYS[:0], _everybody)) == []
