"""What runs of different sizes cost: `tracetogether city cost`.

Each run has a fresh process, so that its peak memory is its own. The city of all runs is
singapore-2020 with another number of people, and with its tests, tracers, isolation and masks:

- ``suppressed``: also the app, and an infection that they keep down: few are infected.
- ``held back``: also the app, and the infection of singapore-2020, which grows slowly.
- ``traced wave``: also the app, and an infection that spreads so well that some 40 % catch it. So
  cases are traced all the time, until tests and tracers can do no more.
- ``wave``: no measure, and an infection that spreads badly; nobody is traced.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from simulations.city.city_statistics import unmeasured
from simulations.city.keys import CityScenario
from simulations.city.run import run_city
from simulations.city.scenario import load_city
from simulations.studies.executors import executor_of

_CITY: Final = "singapore-2020"
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "suppressed": {"app.adoption": "0.3", "disease.reproduction_number": "2"},
    "held back": {"app.adoption": "0.3"},
    "traced wave": {"app.adoption": "0.3", "disease.reproduction_number": "2.8"},
    "wave": {"disease.reproduction_number": "1.3"},
}
SPREADS: Final = tuple(_SETTINGS)
"""The kinds of runs, by name."""
_PEOPLE_PER_FIRST_CASE: Final[Mapping[str, int]] = {
    "suppressed": 20_000,
    "held back": 20_000,
    "traced wave": 2_000,
    "wave": 2_000,
}


@dataclass(frozen=True, slots=True)
class CostOfSize:
    """What one run cost.

    Attributes:
        spread: kind of the run; see the module.
        people, days: size of the run.
        processes: number of processes that shared the city.
        cpu_s: CPU seconds of all processes, from the first table to the last day.
        peak_mb: largest memory of the processes, added up, megabytes.
        attack_rate: share of people infected.
        agent_days_per_cpu_s: people times days per CPU second.
        digest: of the run; it does not depend on the processes.
    """

    spread: str
    people: int
    days: int
    processes: int
    cpu_s: float
    peak_mb: float
    attack_rate: float
    agent_days_per_cpu_s: float
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def city_of_cost(spread: str, people: int, days: int) -> CityScenario:
    """Return the scenario of a run."""
    sizes = {
        "people.count": str(people),
        "days": str(days),
        "disease.start_cases": str(max(20, people // _PEOPLE_PER_FIRST_CASE[spread])),
    }
    scenario = load_city(_CITY, {**_SETTINGS[spread], **sizes})
    return unmeasured(scenario) if spread == "wave" else scenario


def cost_of_size(
    spread: str, people: int, *, days: int = 120, processes: int = 1, seed: int = 1
) -> CostOfSize:
    """Run a city in processes of its own, and return what it cost.

    Args:
        spread: a name from ``SPREADS``.
        people: number of people.
        days: number of days.
        processes: number of processes that share the city.
        seed: of the run.
    """
    with executor_of(1, None) as executor:
        return executor.submit(_cost, spread, people, days, processes, seed).result()


def _cost(spread: str, people: int, days: int, processes: int, seed: int) -> CostOfSize:
    played = run_city(city_of_cost(spread, people, days), seed=seed, processes=processes)
    return CostOfSize(
        spread,
        people,
        days,
        processes,
        played.cpu_s,
        played.peak_mb,
        float(played.new_infections.sum()) / people,
        people * days / max(played.cpu_s, 1e-9),
        played.digest,
    )
