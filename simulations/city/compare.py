"""Two sets of measures in the same city: who is spared, and at which cost.

Both are run with the same seeds: the same people, contacts and hashes. So their difference varies
less between seeds than each of them does ("common random numbers"). Each seed also draws its own
detection table. The interval of a mean difference is Student's, over seeds.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulations.city.keys import CityScenario
from simulations.city.many_runs import run_tasks, tasks_of
from simulations.city.seed_means import SeedMean

_NOT_SHOWN: Final = ("scenario", "seed", "people", "days", "peak_mb")


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


def compare_cities(
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
    tasks = tasks_of((scenario, other), range(1, seeds + 1))
    found: list[Mapping[str, Any]] = [{}] * len(tasks)
    done = itertools.count(1)

    def keep(index: int, findings: Mapping[str, Any]) -> None:
        found[index] = findings
        if on_done is not None:
            on_done(next(done), len(tasks))

    run_tasks(tasks, workers=workers, on_found=keep)
    both = list(zip(found[::2], found[1::2], strict=True))
    rows = [
        _figures(first)
        | {f"against_{name}": value for name, value in _figures(second).items() if _compared(name)}
        for first, second in both
    ]
    averted = [row["against_infections"] - row["infections"] for row in rows]
    rows = [row | {"averted": value} for row, value in zip(rows, averted, strict=True)]
    return Comparison(scenario, other, rows, SeedMean.of(averted))


def _compared(name: str) -> bool:
    return name not in _NOT_SHOWN


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a run's findings, without its columns."""
    return {name: value for name, value in found.items() if not isinstance(value, dict | list)}
