"""Two sets of measures in the same city: who is spared, and at which cost.

Both are run with the same seeds: the same people, contacts and hashes. So their difference varies
less between seeds than each of them does ("common random numbers"). Each seed also draws its own
detection table. The interval of a mean difference is Student's, over seeds.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from simulations.city.keys import CityScenario
from simulations.city.many_runs import run_tasks, tasks_of
from simulations.city.seed_means import SeedMean, SeedRatio
from simulations.city.sweep_points import Findings, curves_of, early_r, r_text
from simulations.progress_line import OnProgress
from tracetogether.plain_text import counted

_SMALL: Final = 10
_NOT_SHOWN: Final = ("scenario", "seed", "people", "days", "peak_mb")
_COST_WORDS: Final = MappingProxyType(
    {
        "quarantine_days_not": "days of quarantine of people who were not infected",
        "calls": "calls",
        "tests": "tests",
        "uploads": "uploads",
        "learned_person_contacts": "contacts that the authority learns",
        "kept_out_days_not": "days without a pass of contacts who were not infected",
        "gate_bits": "bits about health that gates learn",
        "cost": "in money",
    }
)


COSTS: Final = (
    "quarantine_days_not",
    "quarantine_days_infected",
    "isolation_days",
    "tests",
    "interviews",
    "calls",
    "uploads",
    "learned_person_contacts",
    "kept_out_days_not",
    "gate_bits",
    "cost",
)
"""What an infection averted is said to cost."""
CURVES: Final = ("infections", "r_instant", "home_infected", "home_not")
"""The columns of days that a comparison shows of both sides."""


@dataclass(frozen=True)
class Comparison:
    """What two sets of measures did.

    Attributes:
        scenario: with the first set.
        other: with the second set.
        runs: findings of each seed with the first set; see ``results.findings``.
        other_runs: the same with the second set.
    """

    scenario: CityScenario
    other: CityScenario
    runs: Sequence[Findings]
    other_runs: Sequence[Findings]

    @cached_property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return a line for each seed: the figures of both, the second ones with ``against_``."""
        rows = []
        for run, other in zip(self.runs, self.other_runs, strict=True):
            second = {f"against_{name}": value for name, value in _figures(other).items()}
            for name in _NOT_SHOWN:
                second.pop(f"against_{name}")
            averted = other["infections"] - run["infections"]
            rows.append(_figures(run) | second | {"averted": averted})
        return rows

    @property
    def averted(self) -> SeedMean:
        """Return how many infections the first set averts."""
        return SeedMean.of([row["averted"] for row in self.rows])

    def more(self, name: str) -> SeedMean:
        """Return how much more of a figure the first set has, seed by seed."""
        return SeedMean.of(self._more(name))

    def per_averted(self, name: str) -> SeedRatio:
        """Return how much more of a figure the first set has for each infection averted.

        The interval is Fieller's. It is missing if the number averted is not clearly above 0.
        """
        return SeedRatio.of(self._more(name), [row["averted"] for row in self.rows])

    def kept_out_wrongly(self) -> Mapping[str, SeedRatio]:
        """Return which share of the contacts whom gates of the first set kept out was wrong.

        Returns:
            ``not_infected``: share who were not infected. ``met_no_case``: share whom only a false
            listing named. None without such contacts; the intervals are Fieller's.
        """
        kept_out = [row["kept_out_contacts"] for row in self.rows]
        infected = [row["kept_out_contacts_infected"] for row in self.rows]
        healthy = [all_of - part for all_of, part in zip(kept_out, infected, strict=True)]
        falsely = [row["kept_out_contacts_falsely"] for row in self.rows]
        return {
            "not_infected": SeedRatio.of(healthy, kept_out, most=1.0),
            "met_no_case": SeedRatio.of(falsely, kept_out, most=1.0),
        }

    def answer(self, named: str, against: str) -> str:
        """Return the result in one sentence.

        Args:
            named: the first set in words.
            against: the second set in words.
        """
        before = float(np.mean([row["against_infections"] for row in self.rows]))
        averted = self.averted
        share = averted.mean / before if before else 0.0
        verb = "averts" if averted.mean >= 0 else "adds"
        quarantine = self.more("quarantine_days_not").mean
        does = "costs" if quarantine >= 0 else "saves"
        more = " more" if quarantine >= 0 else ""
        return (
            f"In {self.scenario.name} ({self.scenario.people.count:,} people, "
            f"{counted(self.scenario.days, 'days')}), {named} instead of {against} {verb} "
            f"{abs(averted.mean):,.0f} of {before:,.0f} infections, {abs(share):.0%} "
            f"({self._interval(averted)}{_chance(averted)}); it {does} {abs(quarantine):,.0f}"
            f"{more} days of quarantine of people who were not infected."
        )

    def details(self) -> list[str]:
        """Return sentences about R, severe cases and deaths, and the cost of each infection."""
        mine, others = r_text(early_r(self.runs)), r_text(early_r(self.other_runs))
        said = [
            f"R of early cases is {mine}, and {others} on the other side.",
            f"It averts {self._less('severe')} severe cases and {self._less('deaths')} deaths.",
            *self._wrongly(),
        ]
        ratios = {words: self.per_averted(name) for name, words in _COST_WORDS.items()}
        if self.averted.mean <= 0:
            return [*said, "It averts no infection, so none has a cost."]
        for verb, sign in (("costs", 1), ("saves", -1)):
            parts = [
                f"{_number(sign * ratio.ratio)} {words}{_bounds(ratio, sign)}"
                for words, ratio in ratios.items()
                if ratio.ratio is not None and sign * ratio.ratio > 0
            ]
            if parts:
                said.append(f"Each infection averted {verb} {'; '.join(parts)}.")
        if self.averted.low is not None and self.averted.low <= 0:
            said.append(
                "The number averted is not clearly above 0, so these figures have no interval: run "
                "more seeds."
            )
        return said

    def to_json(self, named: str, against: str) -> dict[str, Any]:
        """Return everything for JSON; docs/howto/city.md describes it."""
        averted = self.averted
        return {
            "answer": self.answer(named, against),
            "averted": averted.mean,
            "averted_low": averted.low,
            "averted_high": averted.high,
            "details": self.details(),
            "r": early_r(self.runs),
            "against_r": early_r(self.other_runs),
            "kept_out_wrongly": {
                name: share.to_json() for name, share in self.kept_out_wrongly().items()
            },
            "more": {name: self.more(name).to_json() for name in (*COSTS, "severe", "deaths")},
            "per_averted": self.in_short()["per_averted"],
            "curves": curves_of(self.runs, CURVES),
            "against_curves": curves_of(self.other_runs, CURVES),
            "rows": self.rows,
        }

    def in_short(self) -> dict[str, Any]:
        """Return the infections averted, and what each of them costs, for JSON."""
        return {
            "averted": self.averted.to_json(),
            "per_averted": {name: self.per_averted(name).to_json() for name in COSTS},
        }

    def _wrongly(self) -> list[str]:
        """Return a sentence about the contacts whom gates kept out."""
        wrong = self.kept_out_wrongly()
        healthy, falsely = wrong["not_infected"], wrong["met_no_case"]
        if healthy.ratio is None or falsely.ratio is None:
            return []
        days = SeedMean.of([row["kept_out_days_not"] for row in self.rows])
        said = (
            f"Of contacts whom gates kept out, {_share(healthy)} were not infected and "
            f"{_share(falsely)} met no case: {days.mean:,.0f} days of people who were not infected."
        )
        return [said]

    def _more(self, name: str) -> list[float]:
        return [row[name] - row[f"against_{name}"] for row in self.rows]

    def _less(self, name: str) -> str:
        more = self.more(name)
        if more.low is None or more.high is None:
            return _number(-more.mean)
        return f"{_number(-more.mean)} ({_number(-more.high)} to {_number(-more.low)})"

    def _interval(self, averted: SeedMean) -> str:
        """Return the interval of the infections averted, or added, in words."""
        if averted.low is None or averted.high is None:
            return "no interval with one seed"
        sign = 1 if averted.mean >= 0 else -1
        low, high = sorted((sign * averted.low, sign * averted.high))
        return f"90 % interval {low:,.0f} to {high:,.0f}, {len(self.rows)} seeds"


def _chance(averted: SeedMean) -> str:
    if averted.low is None or averted.high is None or averted.low * averted.high >= 0:
        return ""
    return ", so it may be chance"


def _bounds(ratio: SeedRatio, sign: int) -> str:
    if ratio.low is None or ratio.high is None:
        return ""
    low, high = sorted((sign * ratio.low, sign * ratio.high))
    return f" ({_number(low)} to {_number(high)})"


def _share(ratio: SeedRatio) -> str:
    said = f"{ratio.ratio:.1%}"
    if ratio.low is None or ratio.high is None:
        return said
    return f"{said} ({max(ratio.low, 0.0):.1%} to {ratio.high:.1%})"


def _number(value: float) -> str:
    """Return a number with a digit behind the point if it is small, and no minus before 0."""
    value = round(value, 1) if abs(value) < _SMALL else round(value)
    return f"{value or 0:,}".removesuffix(".0")


def compare_cities(
    scenario: CityScenario,
    other: CityScenario,
    *,
    seeds: int,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Run two scenarios with seeds 1, 2 and so on.

    Args:
        scenario: the city with the first set of measures.
        other: the city with the second set.
        seeds: number of seeds.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (runs done, runs in all).
    """
    tasks = tasks_of((scenario, other), range(1, seeds + 1))
    found: list[Mapping[str, Any]] = [{}] * len(tasks)
    done = itertools.count(1)

    def keep(index: int, findings: Mapping[str, Any]) -> None:
        found[index] = findings
        if on_progress is not None:
            on_progress(next(done), len(tasks))

    run_tasks(tasks, workers=workers, on_found=keep)
    return Comparison(scenario, other, found[::2], found[1::2])


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a run's findings, without its columns."""
    return {name: value for name, value in found.items() if not isinstance(value, dict | list)}
