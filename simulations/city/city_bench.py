"""What a city costs, beside another simulator of the same size: `tracetogether city bench`.

Each run has a fresh process, so that its peak memory is its own. Building the city counts.
"""

import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any, Final

from simulations.city.city_statistics import unmeasured
from simulations.city.run import run_city, with_people
from simulations.city.scenario import load_city
from simulations.studies.bench import peak_mb
from simulations.studies.executors import executor_of
from tracetogether.errors import MissingExtraError

SIMULATORS: Final = ("tracetogether", "covasim")


@dataclass(frozen=True, slots=True)
class CityTiming:
    """What one run cost.

    Attributes:
        simulator: whose run it was.
        people, days: size of the run.
        cpu_s: CPU seconds, from the first table to the last day.
        peak_mb: largest memory of the process, megabytes.
        attack_rate: share of people infected.
        agent_days_per_cpu_s: people times days per CPU second.
    """

    simulator: str
    people: int
    days: int
    cpu_s: float
    peak_mb: float
    attack_rate: float
    agent_days_per_cpu_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def time_city(simulator: str, people: int, days: int, seed: int) -> CityTiming:
    """Run a city without measures in a process of its own.

    Raises:
        MissingExtraError: the simulator is not installed.
    """
    with executor_of(1, None) as executor:
        return executor.submit(_timed, simulator, people, days, seed).result()


def _timed(simulator: str, people: int, days: int, seed: int) -> CityTiming:
    run = _covasim if simulator == "covasim" else _own
    with redirect_stdout(sys.stderr):  # covasim greets on stdout, which has one JSON document
        cpu_s, attack = run(people, days, seed)
    return CityTiming(
        simulator, people, days, cpu_s, peak_mb(), attack, people * days / max(cpu_s, 1e-9)
    )


def _cases(people: int) -> int:
    return max(20, people // 2_000)


def _own(people: int, days: int, seed: int) -> tuple[float, float]:
    scenario = with_people(unmeasured(load_city("small-town")), people, days)
    scenario = replace(scenario, disease=replace(scenario.disease, start_cases=_cases(people)))
    played = run_city(scenario, seed=seed)
    return played.cpu_s, float(played.new_infections.sum()) / people


def _covasim(people: int, days: int, seed: int) -> tuple[float, float]:
    try:
        covasim: Any = import_module("covasim")
    except ImportError:
        raise MissingExtraError("The comparison with covasim", "test") from None
    began = time.process_time()
    sim = covasim.Sim(
        pop_type="hybrid",
        pop_size=people,
        pop_infected=_cases(people),
        n_days=days,
        rand_seed=seed,
        verbose=0,
    )
    sim.run()
    return time.process_time() - began, float(sim.summary["cum_infections"]) / people
