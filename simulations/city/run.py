"""One run of a city, day by day."""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulations.city.calibration import attempt_scale
from simulations.city.detection import DetectionTable, detection_table
from simulations.city.disease import Disease
from simulations.city.hashes import below, hashed, key_of
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure, Watch, effect_with, open_shares_with
from simulations.city.people import NOBODY, People
from simulations.city.response import CityCosts, Response
from simulations.city.tracing import CityTracing
from simulations.city.transmission import Attempts, Effect, Infections, Transmission
from tracetogether.units import Ints

CHUNK: Final = 1 << 16
"""Attempts that are worked on at a time, so that columns stay in the processor's cache."""
_CASES_PER_PERSON: Final = 20_000
_FEWEST_CASES: Final = 20


@dataclass(frozen=True, slots=True)
class CityRun:
    """A finished run.

    Attributes:
        scenario, seed: what was run.
        network, disease: of the city, to compute from them what was not stored.
        people: everybody's state at the end.
        new_infections: number of people infected on each day.
        costs: what measures cost.
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
    """
    began = time.process_time()
    network = Network(scenario, seed)
    disease = Disease(scenario.disease, network, seed)
    scale = attempt_scale(scenario) if scale is None else scale
    transmission = Transmission(scenario, network, disease, seed, scale)
    people = People(network.people)
    table = detection_table(scenario.app.protocol) if detection is None else detection
    tracing = CityTracing(
        scenario,
        network,
        people,
        table.drawn(seed),
        open_shares_with(scenario, scenario.days, measures),
        seed,
    )
    response = Response(scenario, network, disease, people, tracing, seed, measures, watch)
    waiting: defaultdict[int, list[Attempts]] = defaultdict(list)
    new = np.zeros(scenario.days, dtype=np.int64)
    for day in range(scenario.days):
        response.act(day)
        if day == 0:
            cases = first_cases(scenario, seed)
            people.infect(cases, NOBODY, NOBODY, 0)
        else:
            made = waiting.pop(day, [])
            effect = effect_with(scenario, day, measures)
            found = _infections(transmission, made, day, people, effect, chunk)
            cases = found.target
            people.infect(cases, found.source, found.layer, day)
        new[day] = len(cases)
        response.expect_symptoms(cases, day)
        for start in range(0, len(cases), chunk):
            for later, attempts in transmission.attempts(cases[start : start + chunk], day):
                waiting[later].append(attempts)
    return CityRun(
        scenario,
        seed,
        network,
        disease,
        people,
        new,
        response.costs,
        table,
        time.process_time() - began,
    )


def with_people(scenario: CityScenario, count: int | None, days: int | None) -> CityScenario:
    """Return the scenario with another number of people or days, where one is given."""
    people = scenario.people if count is None else replace(scenario.people, count=count)
    return replace(scenario, people=people, days=scenario.days if days is None else days)


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


def _infections(
    transmission: Transmission,
    made: list[Attempts],
    day: int,
    people: People,
    effect: Effect,
    chunk: int,
) -> Infections:
    """Return the first infection of each person whom attempts of a day reach."""
    if not made:
        return Infections.none()
    source = np.concatenate([part.source for part in made])
    number = np.concatenate([part.number for part in made])
    parts = [
        transmission.infections(
            Attempts(source[low : low + chunk], number[low : low + chunk]), day, people, effect
        )
        for low in range(0, len(source), chunk)
    ]
    return Infections.joined(parts).first_of_each()
