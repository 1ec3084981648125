"""The run of one shard, day by day: a city's people from one number up to another.

A run with one shard is the run of the whole city. With several shards, infections and warnings
reach people of other shards through an ``exchange``. Everything is a function of hashes and of
sorted sets, so the digest does not depend on how people are divided.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.detection import DetectionTable
from simulations.city.disease import Disease
from simulations.city.exchange import Exchange, OwnPeople
from simulations.city.gates import GateCosts, Gates
from simulations.city.hashes import below, hashed, key_of
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure, Watch, effect_with, open_shares_with
from simulations.city.people import NOBODY, People
from simulations.city.presence import CityPresence, PresenceCosts
from simulations.city.response import CityCosts, Response
from simulations.city.tracing import CityTracing
from simulations.city.transmission import Attempts, Infections, Transmission
from tracetogether.units import Ints

CHUNK: Final = 1 << 16
"""Attempts that are worked on at a time, so that columns stay in the processor's cache."""
_ATTEMPTS_PER_CASE: Final = 16  # about; it only sets how many cases are worked on at a time
_CASES_PER_PERSON: Final = 20_000
_FEWEST_CASES: Final = 20


@dataclass(frozen=True, slots=True)
class ShardAnswer:
    """What one shard counted.

    Attributes:
        new_infections: number of its people infected on each day.
        costs: what measures cost.
        daily: (days,) columns of what measures did on each day; see ``Response.daily``.
        gates: whom gates kept out.
        presence: whom check-in and places found.
    """

    new_infections: Ints
    costs: CityCosts
    daily: Mapping[str, Ints]
    gates: GateCosts
    presence: PresenceCosts


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a process must know to run any shard of a city.

    Attributes:
        scenario, seed: what is run.
        scale: see ``calibration.attempt_scale``.
        bounds: the first person of each shard, and last the number of people.
        detection: what the app finds.
        measures: measures of your own.
        chunk: attempts worked on at a time.

    Raises:
        ValueError: the bounds don't go from 0 to the number of people, in order.
    """

    scenario: CityScenario
    seed: int
    scale: float
    bounds: tuple[int, ...]
    detection: DetectionTable
    measures: tuple[Measure, ...] = ()
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        people = self.scenario.people.count
        ordered = all(low <= high for low, high in itertools.pairwise(self.bounds))
        if len(self.bounds) < 2 or self.bounds[0] or self.bounds[-1] != people or not ordered:
            msg = f"bounds of shards go from 0 to {people} in order, got {self.bounds}"
            raise ValueError(msg)

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return len(self.bounds) - 1

    def shard(
        self, number: int, network: Network, people: People, watch: Watch | None = None
    ) -> "CityShard":
        """Return the shard with this number, from 0; see ``CityShard``."""
        return CityShard(self, OwnPeople(self.bounds, number), network, people, watch)


class CityShard:
    """One shard of a city.

    Args:
        plan: of the run.
        own: the people of this shard.
        network: of the city.
        people: everybody's state; the shard touches only rows of its own people.
        watch: called with everybody of this shard who is named.
    """

    def __init__(
        self,
        plan: ShardPlan,
        own: OwnPeople,
        network: Network,
        people: People,
        watch: Watch | None = None,
    ) -> None:
        scenario, seed = plan.scenario, plan.seed
        self._plan, self._own, self._people = plan, own, people
        disease = Disease(scenario.disease, network, seed)
        self._transmission = Transmission(scenario, network, disease, seed, plan.scale)
        self._gates = Gates(scenario, people, slice(own.low, own.high), seed)
        open_shares = open_shares_with(scenario, scenario.days, plan.measures)
        chances = plan.detection.drawn(seed)
        tracing = CityTracing(scenario, network, people, chances, open_shares, seed, self._gates)
        self._presence = CityPresence(
            scenario, network, people, own, tracing, self._gates, open_shares, seed
        )
        self._response = Response(
            own,
            scenario,
            network,
            disease,
            people,
            tracing,
            self._gates,
            self._presence,
            seed,
            plan.measures,
            watch,
        )
        self._waiting: defaultdict[int, list[Attempts]] = defaultdict(list)

    def run(self) -> Exchange[ShardAnswer]:
        """Run all days."""
        scenario, own = self._plan.scenario, self._own
        new = np.zeros(scenario.days, dtype=np.int64)
        for day in range(scenario.days):
            yield from self._response.act(day)
            if day == 0:
                cases = first_cases(scenario, self._plan.seed)
                cases = cases[own.owns(cases)]
                self._people.infect(cases, NOBODY, NOBODY, 0)
            else:
                found = yield from self._infections(day)
                cases = found.target
                self._people.infect(cases, found.source, found.layer, day)
            new[day] = len(cases)
            self._response.expect_symptoms(cases, day)
            at_a_time = max(self._plan.chunk // _ATTEMPTS_PER_CASE, 1)
            for start in range(0, len(cases), at_a_time):
                part = cases[start : start + at_a_time]
                for later, attempts in self._transmission.attempts(part, day):
                    self._waiting[later].append(attempts)
        costs, daily = self._response.costs, self._response.daily()
        return ShardAnswer(new, costs, daily, self._gates.costs, self._presence.costs)

    def _infections(self, day: int) -> Exchange[Infections]:
        """Return the first infection of each person of this shard whom attempts reach."""
        made, chunk = Attempts.joined(self._waiting.pop(day, [])), self._plan.chunk
        effect = effect_with(self._plan.scenario, day, self._plan.measures)
        found = Infections.joined(
            [
                self._transmission.infections(
                    made.rows(low, low + chunk), day, self._people, effect, self._gates
                )
                for low in range(0, len(made.source), chunk)
            ]
        )
        columns = yield from self._own.to_owners(found.target, *found.columns)
        return Infections(*columns).possible(self._people, day, self._gates).first_of_each()


def first_cases(scenario: CityScenario, seed: int) -> Ints:
    """Return the people who are infected on day 0, sorted."""
    count = scenario.people.count
    wanted = scenario.disease.start_cases or max(_FEWEST_CASES, count // _CASES_PER_PERSON)
    wanted = min(wanted, count)
    chosen = np.zeros(0, dtype=np.int64)
    drawn = 0
    while len(chosen) < wanted:
        more = np.arange(drawn, drawn + wanted, dtype=np.int64)
        drawn += wanted
        found = below(hashed(key_of(seed, "first cases"), more), count)
        listed = np.concatenate([chosen, found])
        _, first = np.unique(listed, return_index=True)
        chosen = listed[np.sort(first)][:wanted]
    return np.sort(chosen)
