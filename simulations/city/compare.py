"""Two sets of measures in the same city: who is spared, and at which cost.

Both are run with the same seeds: the same people, contacts and hashes. So their difference varies
less between seeds than each of them does ("common random numbers"). Each seed also draws its own
detection table. The interval of a mean difference is Student's, over seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import stdtrit

from simulations.city.calibration import attempt_scale
from simulations.city.keys import CityScenario
from simulations.city.results import summary
from simulations.city.run import run_city
from simulations.studies.executors import executor_of

Task = tuple[CityScenario, int, float]
_HIGH: Final = 0.95
_NOT_SHOWN: Final = ("scenario", "seed", "people", "days", "peak_mb")


@dataclass(frozen=True, slots=True)
class SeedMean:
    """A mean over seeds with its central 90 %.

    Attributes:
        mean: over seeds.
        low, high: bounds; None with one seed.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "SeedMean":
        """Return the mean of values, one for each seed."""
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None, None)
        error = float(np.std(values, ddof=1)) / len(values) ** 0.5
        half = error * float(stdtrit(len(values) - 1, _HIGH))
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two sets of measures did.

    Attributes:
        scenario: with the first set.
        other: with the second set.
        rows: a line for each seed: the figures of both, the second ones with ``against_``.
        averted: infections that the first set averts.
    """

    scenario: CityScenario
    other: CityScenario
    rows: Sequence[Mapping[str, Any]]
    averted: SeedMean

    def answer(self, named: str, against: str) -> str:
        """Return the result in one sentence.

        Args:
            named: the first set in words.
            against: the second set in words.
        """
        before = float(np.mean([row["against_infections"] for row in self.rows]))
        share = self.averted.mean / before if before else 0.0
        verb = "averts" if self.averted.mean >= 0 else "adds"
        count, low, high = (
            abs(self.averted.mean),
            *sorted(_signed(self.averted.mean, bound) for bound in _bounds(self.averted)),
        )
        bounds = (
            "no interval with one seed"
            if self.averted.low is None
            else f"90 % interval {low:,.0f} to {high:,.0f}, {len(self.rows)} seeds"
        )
        return (
            f"In {self.scenario.name} ({self.scenario.people.count:,} people, "
            f"{self.scenario.days} days), {named} instead of {against} {verb} {count:,.0f} of "
            f"{before:,.0f} infections, {abs(share):.0%} ({bounds}); it costs "
            f"{self._more('quarantine_days_not'):,.0f} more days of quarantine of people who were "
            "not infected."
        )

    def _more(self, name: str) -> float:
        return float(np.mean([row[name] - row[f"against_{name}"] for row in self.rows]))


def _bounds(value: SeedMean) -> tuple[float, float]:
    return (0.0, 0.0) if value.low is None or value.high is None else (value.low, value.high)


def _signed(mean: float, bound: float) -> float:
    return bound if mean >= 0 else -bound


def compare(
    scenario: CityScenario,
    other: CityScenario,
    *,
    seeds: int,
    workers: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run two scenarios with seeds 1, 2 and so on.

    Args:
        scenario: the city with the first set of measures.
        other: the city with the second set.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it.
        on_done: called with (runs done, runs in all).
    """
    scale = attempt_scale(scenario)
    parts = ("people", "contacts", "disease")
    same = all(getattr(scenario, part) == getattr(other, part) for part in parts)
    other_scale = scale if same else attempt_scale(other)
    tasks = [
        task
        for seed in range(1, seeds + 1)
        for task in ((scenario, seed, scale), (other, seed, other_scale))
    ]
    found = run_all(tasks, workers, on_done)
    rows = [
        first | {f"against_{name}": value for name, value in second.items() if _compared(name)}
        for first, second in zip(found[::2], found[1::2], strict=True)
    ]
    averted = [row["against_infections"] - row["infections"] for row in rows]
    rows = [row | {"averted": value} for row, value in zip(rows, averted, strict=True)]
    return Comparison(scenario, other, rows, SeedMean.of(averted))


def _compared(name: str) -> bool:
    return name not in _NOT_SHOWN


def run_all(
    tasks: Sequence[Task], workers: int, on_done: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Return the figures of runs, in order."""
    found: list[dict[str, Any]] = []

    def keep(figures: dict[str, Any]) -> None:
        found.append(figures)
        if on_done is not None:
            on_done(len(found), len(tasks))

    if workers == 1 or len(tasks) == 1:
        for task in tasks:
            keep(figures_of(task))
        return found
    with executor_of(min(workers, len(tasks)), None) as executor:
        for figures in executor.map(figures_of, tasks):
            keep(figures)
    return found


def figures_of(task: Task) -> dict[str, Any]:
    """Run one scenario with a seed, and return its figures."""
    scenario, seed, scale = task
    return summary(run_city(scenario, seed=seed, scale=scale))
