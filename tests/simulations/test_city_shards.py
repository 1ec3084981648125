"""A city that is divided into shards has the digest of one process, however it is divided."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from simulations.city.calibration import attempt_scale
from simulations.city.exchange import Columns, Exchange, OwnPeople, Stepper, even_bounds, in_turn
from simulations.city.keys import CityScenario
from simulations.city.people import NEVER, People
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city

PEOPLE = 2_000
MEASURES = {
    "people.count": str(PEOPLE),
    "days": "26",
    "reproduction_number": "4",
    "tests.share": "0.9",
    "daily_per_100k": "400",
    "isolation.compliance": "0.6",
    "household_quarantine.compliance": "0.7",
    "quarantine.lost_per_false_alarm": "0.2",
    "cases_per_100k": "120",
    "app.adoption": "0.6",
    "second_degree": "true",
    "masks.wearing": "0.5",
}
"""All measures that reach other people, and capacities of tests and tracers that are too small."""


@cache
def town() -> tuple[CityScenario, float]:
    scenario = load_city("test-town", MEASURES)
    return scenario, attempt_scale(scenario)


@cache
def whole() -> CityRun:
    scenario, scale = town()
    return run_city(scenario, seed=5, scale=scale)


@pytest.mark.parametrize(
    "bounds",
    [
        even_bounds(PEOPLE, 2),
        even_bounds(PEOPLE, 3),
        (0, 1, 1, 1_111, PEOPLE),  # one person, nobody, and a household that is cut
        (0, 0, PEOPLE, PEOPLE),
    ],
)
def test_the_digest_does_not_depend_on_shards(bounds: tuple[int, ...]) -> None:
    scenario, scale = town()
    divided = run_city(scenario, seed=5, scale=scale, bounds=bounds, chunk=999)
    assert divided.digest == whole().digest
    assert divided.new_infections.tolist() == whole().new_infections.tolist()
    assert divided.costs == whole().costs


def test_the_capacities_of_that_town_matter() -> None:
    """The test above would pass without exchanges of queues if nobody had to wait."""
    costs = whole().costs
    assert 0 < costs.interviews < costs.positives < costs.tests + 1
    assert costs.tests > 40
    assert (whole().people.before != 0).any()


@pytest.mark.parametrize("bounds", [(0,), (1, PEOPLE), (0, PEOPLE - 1), (0, 20, 10, PEOPLE)])
def test_bounds_that_leave_people_out_are_refused(bounds: tuple[int, ...]) -> None:
    scenario, scale = town()
    with pytest.raises(ValueError, match="bounds of shards go from 0 to 2000 in order"):
        run_city(scenario, seed=5, scale=scale, bounds=bounds)


def test_rows_reach_the_owners_of_their_people() -> None:
    bounds = (0, 4, 4, 10)

    def shard(number: int) -> Exchange[tuple[list[int], list[int]]]:
        own = OwnPeople(bounds, number)
        people = np.array([0, 9, 5, 3]) if number != 1 else np.array([7])
        columns = yield from own.to_owners(people, people, np.full(len(people), number))
        (drawn,) = yield from own.to_first(people)
        assert all(own.owns(columns[0]))
        return columns[1].tolist(), drawn.tolist()

    found = in_turn([shard(number) for number in range(3)])
    assert found == [
        ([0, 0, 2, 2], [0, 9, 5, 3, 7, 0, 9, 5, 3]),
        ([], []),
        ([0, 0, 1, 2, 2], []),
    ]


def test_one_shard_never_stops() -> None:
    def shard() -> Exchange[Sequence[Columns]]:
        own, people = OwnPeople.all_of(10), np.arange(5)
        owned = yield from own.to_owners(people, people)
        first = yield from own.to_first(people)
        return [owned, first]

    stepper = Stepper(shard())
    assert stepper.step() is None
    (answer,) = stepper.answers
    assert [columns[0].tolist() for columns in answer] == [[0, 1, 2, 3, 4]] * 2


def test_shards_that_share_memory_fill_their_own_rows() -> None:
    memory = bytearray(People.memory_for(7))
    first = People(7, slice(0, 3), memoryview(memory))
    People(7, slice(3, 7), memoryview(memory)).infect(np.array([5]), 1, 2, 9)
    assert first.infected_on.tolist() == [NEVER] * 5 + [9, NEVER]
    assert first.source.tolist() == [-1] * 5 + [1, -1]
    alone = People(7)
    alone.infect(np.array([5]), 1, 2, 9)
    assert first.digest() == alone.digest()
