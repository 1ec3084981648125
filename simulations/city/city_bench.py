"""What a city costs, beside another simulator: `tracetogether city bench`.

Each run has a fresh process, so that its peak memory is its own. Building the city counts. Both
simulators have the same people, contacts, infection and measures; see ``covasim_city``.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from simulations.city.covasim_city import Likeness, city_like, likeness, play_covasim
from simulations.city.run import run_city
from simulations.studies.executors import executor_of
from simulations.studies.memory import peak_mb
from tracetogether.units import Ints

OWN, OTHER = "tracetogether", "covasim"
SIMULATORS: Final = (OWN, OTHER)
MEASURES: Final = ("none", "tracing")
_PEOPLE_PER_CASE: Final = 2_000
_FEWEST_CASES: Final = 20
_WEEK: Final = 7

UNMATCHED: Final = Likeness(
    reproduction_number=2.5,
    generation=(0, 0, 0.05, 0.1, 0.15, 0.15, 0.12, 0.1, 0.09, 0.08, 0.06, 0.05, 0.03, 0.02),
    before_result=0.5,
    ages=(0.12, 0.11, 0.15, 0.16, 0.14, 0.13, 0.11, 0.05, 0.03),
    pupils=0.69,
    students=0.17,
    workers=0.93,
)
"""Our city of a bench without another simulator: about what covasim's are like."""


@dataclass(frozen=True, slots=True)
class CityTiming:
    """What one run cost.

    Attributes:
        simulator: whose run it was.
        measures: "none" or "tracing".
        seed: of the run.
        people, days: size of the run.
        cpu_s: CPU seconds, from the first table to the last day.
        peak_mb: largest memory of the process, megabytes.
        attack_rate: share of people infected; nobody counts twice.
        peak_day: the middle of the seven days with most new infections.
        agent_days_per_cpu_s: people times days per CPU second.
    """

    simulator: str
    measures: str
    seed: int
    people: int
    days: int
    cpu_s: float
    peak_mb: float
    attack_rate: float
    peak_day: int
    agent_days_per_cpu_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def bench(
    people: int,
    days: int,
    seeds: int,
    *,
    against: bool,
    on_done: Callable[[CityTiming], None] | None = None,
) -> tuple[list[CityTiming], Likeness]:
    """Time runs of a city without measures and with tracing, each in a process of its own.

    Args:
        people: in the city.
        days: of a run.
        seeds: runs of each simulator with the same measures.
        against: whether to time covasim too, and match our city to it.
        on_done: called after each run.

    Returns:
        A row for each run, and what our city has in common with those of covasim.

    Raises:
        MissingExtraError: covasim is not installed.
    """
    like = _in_a_process(likeness) if against else UNMATCHED
    rows = []
    for measures in MEASURES:
        for simulator in SIMULATORS if against else (OWN,):
            for seed in range(1, seeds + 1):
                rows.append(_in_a_process(time_city, simulator, measures, like, people, days, seed))
                if on_done is not None:
                    on_done(rows[-1])
    return rows, like


def _in_a_process(call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - any answer
    with executor_of(1, None) as executor:
        return executor.submit(_quiet, call, *arguments).result()


def _quiet(call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - any answer
    with redirect_stdout(sys.stderr):  # covasim greets on stdout, which has one JSON document
        return call(*arguments)


def time_city(
    simulator: str, measures: str, like: Likeness, people: int, days: int, seed: int
) -> CityTiming:
    """Run a city in this process.

    Raises:
        MissingExtraError: covasim is not installed.
    """
    traced = measures == "tracing"
    cases = max(_FEWEST_CASES, people // _PEOPLE_PER_CASE)
    if simulator == OTHER:
        played = play_covasim(people, days, seed, cases, traced=traced)
        new, cpu_s = played.new_infections, played.cpu_s
    else:
        run = run_city(city_like(like, people, days, cases, traced=traced), seed=seed)
        new, cpu_s = run.new_infections, run.cpu_s
    return CityTiming(
        simulator,
        measures,
        seed,
        people,
        days,
        cpu_s,
        peak_mb(),
        float(new.sum()) / people,
        worst_week(new),
        people * days / max(cpu_s, 1e-9),
    )


def worst_week(new: Ints) -> int:
    """Return the middle of the seven days with most new infections; the first if several tie."""
    width = min(_WEEK, len(new))
    return int(np.argmax(np.convolve(new, np.ones(width), "valid"))) + width // 2


def means(rows: Sequence[CityTiming]) -> list[dict[str, Any]]:
    """Return means over seeds for each simulator and measures, with the spread of two figures."""
    found = []
    for measures in MEASURES:
        for simulator in SIMULATORS:
            some = [row for row in rows if (row.simulator, row.measures) == (simulator, measures)]
            if some:
                found.append(
                    {
                        "simulator": simulator,
                        "measures": measures,
                        "seeds": len(some),
                        **_mean(some, "cpu_s"),
                        **_mean(some, "peak_mb"),
                        **_mean(some, "agent_days_per_cpu_s"),
                        **_mean(some, "attack_rate", spread=True),
                        **_mean(some, "peak_day", spread=True),
                    }
                )
    return found


def _mean(rows: Sequence[CityTiming], name: str, *, spread: bool = False) -> dict[str, float]:
    values = [float(getattr(row, name)) for row in rows]
    found = {name: float(np.mean(values))}
    if spread:
        found |= {f"{name}_lowest": min(values), f"{name}_highest": max(values)}
    return found
