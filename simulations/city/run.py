"""One run of a city, day by day."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulations.city.calibration import attempt_scale
from simulations.city.detection import DetectionTable, detection_table
from simulations.city.disease import Disease
from simulations.city.exchange import in_turn
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure, Watch
from simulations.city.people import People
from simulations.city.response import CityCosts, total_of_days
from simulations.city.shard import CHUNK, ShardPlan
from tracetogether.units import Ints


@dataclass(frozen=True, slots=True)
class CityRun:
    """A finished run.

    Attributes:
        scenario, seed: what was run.
        network, disease: of the city, to compute from them what was not stored.
        people: everybody's state at the end.
        new_infections: number of people infected on each day.
        costs: what measures cost.
        daily: (days,) columns of what measures did on each day; see ``Response.daily``.
        detection: the table of what the app finds.
        cpu_s: CPU seconds of this process, from the first table to the last day.
    """

    scenario: CityScenario
    seed: int
    network: Network
    disease: Disease
    people: People
    new_infections: Ints
    costs: CityCosts
    daily: Mapping[str, Ints]
    detection: DetectionTable
    cpu_s: float

    @property
    def digest(self) -> str:
        """Return a digest of everybody's state and of the costs, as hex digits."""
        costs = json.dumps(self.costs.to_json(), sort_keys=True)
        return hashlib.sha256(f"{self.people.digest()} {costs}".encode()).hexdigest()[:32]


def run_city(
    scenario: CityScenario,
    *,
    seed: int,
    chunk: int = CHUNK,
    scale: float | None = None,
    detection: DetectionTable | None = None,
    measures: Sequence[Measure] = (),
    watch: Watch | None = None,
    bounds: Sequence[int] | None = None,
) -> CityRun:
    """Run a city.

    Args:
        scenario: what to run.
        seed: of all random numbers.
        chunk: attempts worked on at a time; the result does not depend on it.
        scale: as ``attempt_scale`` returns it for the scenario; computed if None.
        detection: what the app finds; the table that comes with the library if None.
        measures: measures of your own, beside those of the scenario.
        watch: called with everybody whom the app, tracers or a measure name.
        bounds: the first person of each shard, and last the number of people; the result does not
            depend on it. One shard if None.
    """
    began = time.process_time()
    network = Network(scenario, seed)
    people = People(network.people)
    table = detection_table(scenario.app.protocol) if detection is None else detection
    plan = ShardPlan(
        scenario,
        seed,
        attempt_scale(scenario) if scale is None else scale,
        (0, network.people) if bounds is None else tuple(bounds),
        table,
        tuple(measures),
        chunk,
    )
    shards = [plan.shard(number, network, people, watch) for number in range(plan.shards)]
    answers = in_turn([shard.run() for shard in shards])
    return CityRun(
        scenario,
        seed,
        network,
        Disease(scenario.disease, network, seed),
        people,
        np.sum([answer.new_infections for answer in answers], axis=0),
        CityCosts.total([answer.costs for answer in answers]),
        total_of_days([answer.daily for answer in answers]),
        table,
        time.process_time() - began,
    )


def with_people(scenario: CityScenario, count: int | None, days: int | None) -> CityScenario:
    """Return the scenario with another number of people or days, where one is given."""
    people = scenario.people if count is None else replace(scenario.people, count=count)
    return replace(scenario, people=people, days=scenario.days if days is None else days)
