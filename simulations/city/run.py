"""One run of a city, day by day."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulations.city.calibration import attempt_scale
from simulations.city.cluster import on_cluster
from simulations.city.detection import DetectionTable, detection_table
from simulations.city.disease import Disease
from simulations.city.exchange import even_bounds, in_turn
from simulations.city.gates import GateCosts, GateLessons, lessons
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure, Watch
from simulations.city.people import People
from simulations.city.presence import PresenceCosts
from simulations.city.processes import in_processes
from simulations.city.remote_shards import RemoteRun
from simulations.city.response import CityCosts, total_of_days
from simulations.city.scenario import replaced
from simulations.city.shard import CHUNK, ShardPlan
from simulations.studies.memory import peak_mb
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
        gates: whom gates kept out.
        presence: whom check-in and places found.
        detection: the table of what the app finds.
        cpu_s: CPU seconds of all processes, from the first table to the last day.
        peak_mb: largest memory of each process until the last day, added up, megabytes.
    """

    scenario: CityScenario
    seed: int
    network: Network
    disease: Disease
    people: People
    new_infections: Ints
    costs: CityCosts
    daily: Mapping[str, Ints]
    gates: GateCosts
    presence: PresenceCosts
    detection: DetectionTable
    cpu_s: float
    peak_mb: float

    @property
    def digest(self) -> str:
        """Return a digest of everybody's state and of the costs, as hex digits."""
        counts = self.costs.to_json()
        if self.gates != GateCosts():  # a city without gates keeps the digest that it always had
            counts |= self.gates.to_json()
        if self.presence != PresenceCosts():
            counts |= self.presence.to_json()
        costs = json.dumps(counts, sort_keys=True)
        return hashlib.sha256(f"{self.people.digest()} {costs}".encode()).hexdigest()[:32]

    @property
    def lessons(self) -> GateLessons:
        """Return what gates learned."""
        return lessons(self.scenario, self.network, self.daily)


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
    processes: int = 1,
    cluster: str | None = None,
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
            depend on it. Even shards if None, one for each process.
        processes: number of processes; with more than one, each runs a shard.
        cluster: address of a Dask scheduler, whose workers run as many shards.

    Raises:
        UnreachableError: a process was killed, or the cluster does not answer or lost a worker.
        MissingExtraError: a cluster is given, and Dask is not installed.
        StoreError: a worker of the cluster has another version, other code or other tables.
        ValueError: the bounds don't fit the city, or ``watch`` is given with several processes.
    """
    here = processes == 1 and cluster is None
    if watch is not None and not here:
        msg = "watch is called in this process, so it needs processes=1 and no cluster"
        raise ValueError(msg)
    began = time.process_time()
    network = Network(scenario, seed)
    table = detection_table(scenario.app.protocol) if detection is None else detection
    plan = ShardPlan(
        scenario,
        seed,
        attempt_scale(scenario) if scale is None else scale,
        even_bounds(network.people, processes) if bounds is None else tuple(bounds),
        table,
        tuple(measures),
        chunk,
    )
    if cluster is not None:
        done = on_cluster(plan, cluster)
    elif processes > 1:
        done = in_processes(plan)
    else:
        people = People(network.people)
        shards = [plan.shard(number, network, people, watch) for number in range(plan.shards)]
        done = RemoteRun(in_turn([shard.run() for shard in shards]), people, 0.0, 0.0)
    return CityRun(
        scenario,
        seed,
        network,
        Disease(scenario.disease, network, seed),
        done.people,
        np.sum([answer.new_infections for answer in done.answers], axis=0),
        CityCosts.total([answer.costs for answer in done.answers]),
        total_of_days([answer.daily for answer in done.answers]),
        GateCosts.total([answer.gates for answer in done.answers]),
        PresenceCosts.total([answer.presence for answer in done.answers]),
        table,
        time.process_time() - began + done.cpu_s,
        # Before this process reads shared memory, which counts where it was written.
        done.peak_mb + peak_mb(),
    )


def with_people(scenario: CityScenario, count: int | None, days: int | None) -> CityScenario:
    """Return the scenario with another number of people or days, where one is given.

    Raises:
        ScenarioError: a number is outside the limits of its key.
    """
    given = {"people.count": count, "days": days}
    return replaced(scenario, {key: number for key, number in given.items() if number is not None})
