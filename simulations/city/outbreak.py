"""Everybody who was infected in a run, in columns, and what follows from who infected whom.

The reproduction number R is the mean number of people whom a case infects. Cases of a day count
only if the run went on for the 14 days in which they infect others. So R of a day is missing at
the end of a run; the instantaneous R (Fraser 2007) is known until the last day. It divides the
infections of a day by the infections of earlier days, weighted by the generation time.

R of a run (``r``) counts cases early in the epidemic: those from the second generation on, as first
cases are drawn at random and meet fewer people than typical cases, and those whose 14 days end
before 10 % of all were infected, as later ones meet people who were infected already.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import digamma

from simulations.city.disease import INFECTIOUS_DAYS, SEVERE, generation_shares
from simulations.city.keys import CityScenario
from simulations.city.people import BY_APP, BY_TRACERS, NEVER, OF_SOURCE, People
from simulations.city.run import CityRun
from tracetogether.units import Floats, Ints

EARLY_SHARE: Final = 0.1
"""Share of all people who may be infected in the days that R of a run counts."""
EARLY_GENERATION: Final = 2
"""First generation that R of a run counts."""
_CHUNK: Final = 1 << 17
_NAMED_BY: Final = MappingProxyType({"app": BY_APP, "tracers": BY_TRACERS})
_LEAST_K, _LARGEST_K = 1e-3, 1e3

People32 = npt.NDArray[np.int32]
Small = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Outbreak:
    """Everybody who was infected in a run, in columns sorted by day and then by person.

    Attributes:
        played: the run.
        person: who was infected.
        source: the row of who infected them; -1 for cases of day 0.
        layer: number of the layer of contacts; -1 for cases of day 0.
        day: day of infection.
        generation: 0 for cases of day 0, else that of the source and 1.
        offspring: number of people whom they infected.
        found: who named them while they were infected; see ``People.found``.
    """

    played: CityRun
    person: People32
    source: People32
    layer: npt.NDArray[np.int8]
    day: Small
    generation: Small
    offspring: People32
    found: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, played: CityRun) -> "Outbreak":
        """Return the infected people of a run."""
        people = played.people
        infected = _infected(people)
        day = people.infected_on[infected]
        # Day by day and in parts, because whole columns of 64 bits would be a run's largest memory.
        order = np.empty(len(day), dtype=np.int32)
        ends = np.cumsum([0, *played.new_infections])
        for on, (low, high) in enumerate(itertools.pairwise(ends.tolist())):
            order[low:high] = np.flatnonzero(day == on)
        row_of = np.empty(len(order), dtype=np.int32)
        row_of[order] = np.arange(len(order), dtype=np.int32)
        person, day = infected[order], day[order]
        source = np.full(len(person), -1, dtype=np.int32)
        offspring = np.zeros(len(person), dtype=np.int32)
        for low in range(ends[1], len(person), _CHUNK):  # nobody infected the cases of day 0
            rows = row_of[np.searchsorted(infected, people.source[person[low : low + _CHUNK]])]
            source[low : low + _CHUNK] = rows
            np.add.at(offspring, rows, 1)
        generation = np.zeros(len(person), dtype=np.int16)
        for low, high in zip(ends[1:-1].tolist(), ends[2:].tolist(), strict=True):
            generation[low:high] = generation[source[low:high]] + 1
        found = people.found[person]
        return cls(played, person, source, people.layer[person], day, generation, offspring, found)

    @property
    def last_whole_day(self) -> int:
        """Return the last day whose cases could infect others for all 14 days; may be below 0."""
        return self.played.scenario.days - 1 - INFECTIOUS_DAYS

    def blocks(self, *, whole: bool = False) -> Iterator[slice]:
        """Yield all rows in blocks, so that no column of 64 bits is as long as the outbreak.

        Args:
            whole: only cases who could infect others for all 14 days before the run ended.
        """
        rows = len(self.day)
        if whole:
            rows = int(np.searchsorted(self.day, self.last_whole_day, side="right"))
        for low in range(0, rows, _CHUNK):
            yield slice(low, min(low + _CHUNK, rows))

    def r_of_cases(self) -> Floats:
        """Return (days,) R of the cases of each day; NaN without cases and at the end."""
        days = self.played.scenario.days
        cases = self.played.new_infections.astype(np.float64)
        caused = np.zeros(days)
        for rows in self.blocks():
            caused += np.bincount(self.day[rows], self.offspring[rows], minlength=days)
        cases[max(self.last_whole_day + 1, 0) :] = 0
        return _ratio(caused, cases)

    def r_instant(self) -> Floats:
        """Return (days,) the instantaneous R of each day; NaN on day 0 and without cases before."""
        new = self.played.new_infections.astype(np.float64)
        shares = np.concatenate([[0.0], generation_shares(self.played.scenario.disease)])
        expected = np.convolve(new, shares)[: len(new)]
        return _ratio(new, np.where(expected > 1e-9, expected, 0.0))

    def generations(self) -> tuple[Ints, Ints]:
        """Return (generations,) the number of cases and of people whom they infected.

        Cases whose 14 days did not end before the run are left out.
        """
        number = int(self.generation.max(initial=0)) + 1
        cases, caused = np.zeros(number, np.int64), np.zeros(number)
        for rows in self.blocks(whole=True):
            cases += np.bincount(self.generation[rows], minlength=number)
            caused += np.bincount(self.generation[rows], self.offspring[rows], minlength=number)
        known = int(np.flatnonzero(cases)[-1]) + 1 if cases.any() else 0
        return cases[:known], caused[:known].astype(np.int64)

    def early(self) -> tuple[int, int]:
        """Return the number of early cases and of people whom they infected; see the module."""
        total = np.cumsum(self.played.new_infections)
        within = np.flatnonzero(total <= EARLY_SHARE * self.played.network.people)
        last = min(self.last_whole_day, int(within[-1]) - INFECTIOUS_DAYS if within.size else -1)
        start, end = measured_days(self.played.scenario)
        rows = (self.generation >= EARLY_GENERATION) & (self.day <= min(last, end - 1))
        rows &= self.day >= start
        return int(rows.sum()), int(self.offspring[rows].sum())

    def offspring_counts(self) -> Ints:
        """Return how many cases infected 0, 1, 2 and so on others, of cases with all 14 days."""
        counts = np.zeros(int(self.offspring.max(initial=0)) + 1, dtype=np.int64)
        for rows in self.blocks(whole=True):
            counts += np.bincount(self.offspring[rows], minlength=len(counts))
        return np.trim_zeros(counts, "b")

    def named(self) -> dict[str, int]:
        """Return how many infected people were named by whom, and by a contact with their source.

        Such a contact is a transmission that tracing found. ``named`` is by anybody.
        """
        counts = {"infected_named": int((self.found > 0).sum())}
        for who, bit in _NAMED_BY.items():
            counts[f"infected_named_by_{who}"] = int((self.found & bit > 0).sum())
        for who, bit in _NAMED_BY.items():
            rows = self.found & (bit << OF_SOURCE) > 0
            counts[f"transmissions_named_by_{who}"] = int(rows.sum())
        return counts

    def by_age(self) -> list[dict[str, int]]:
        """Return a line for each decade of age: people, and infected, severe and deadly cases."""
        disease, decades = self.played.disease, len(SEVERE)
        counts = np.zeros((4, decades), dtype=np.int64)
        for low in range(0, self.played.network.people, _CHUNK):
            some = np.arange(low, min(low + _CHUNK, self.played.network.people), dtype=np.int64)
            counts[0] += np.bincount(disease.decade(some), minlength=decades)
        for block in self.blocks():
            some = self.person[block].astype(np.int64)
            decade = disease.decade(some)
            severe, deadly = disease.is_severe(some), disease.is_deadly(some)
            for row, rows in ((1, slice(None)), (2, severe), (3, deadly)):
                counts[row] += np.bincount(decade[rows], minlength=decades)
        names = ("people", "infections", "severe", "deaths")
        return [
            {"from_age": 10 * decade} | dict(zip(names, counts[:, decade].tolist(), strict=True))
            for decade in range(decades)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what follows from who infected whom, for JSON; NaN is None."""
        cases, caused = self.generations()
        early_cases, early_caused = self.early()
        return {
            "early": {"cases": early_cases, "infected": early_caused},
            "generations": {"cases": cases.tolist(), "infected": caused.tolist()},
            "offspring": self.offspring_counts().tolist(),
            "by_age": self.by_age(),
        }


def _infected(people: People) -> People32:
    """Return the sorted people who were infected."""
    parts = [
        (low + np.flatnonzero(people.infected_on[low : low + _CHUNK] != NEVER)).astype(np.int32)
        for low in range(0, len(people.infected_on), _CHUNK)
    ]
    return np.concatenate(parts)


def measured_days(scenario: CityScenario) -> tuple[int, int]:
    """Return the first day on which all measures are in force, and the first after such days.

    Measures that are off count by their days too, so that all settings of a sweep have the same
    days.
    """
    tables = (
        scenario.isolation,
        scenario.tests,
        scenario.household_quarantine,
        scenario.app,
        scenario.tracers,
        scenario.closures,
        scenario.masks,
        scenario.gates,
        scenario.presence,
    )
    starts, ends = zip(*((table.start_day, table.end_day) for table in tables), strict=True)
    return max(starts), min(ends)


def dispersion(counts: Ints) -> float | None:
    """Return the dispersion k of a negative binomial distribution, by greatest likelihood.

    Small k means that few cases infect most people. The derivative of the log likelihood by k, at
    the mean m of the counts, is the sum of digamma(n + k) - digamma(k) + log(k / (k + m)).

    Args:
        counts: how many cases infected 0, 1, 2 and so on others.

    Returns:
        None if the counts vary no more than Poisson numbers would.
    """
    number = np.arange(len(counts))
    cases = float(counts.sum())
    if not cases:
        return None
    mean = float(counts @ number) / cases
    variance = float(counts @ (number - mean) ** 2) / cases
    if not mean or variance <= mean:
        return None

    def slope(log_k: float) -> float:
        k = float(np.exp(log_k))
        gain = float(counts @ (digamma(number + k) - digamma(k)))
        return gain + cases * float(np.log(k / (k + mean)))

    low, high = np.log(_LEAST_K), np.log(_LARGEST_K)
    if slope(low) < 0 or slope(high) > 0:
        return None
    return float(np.exp(brentq(slope, low, high)))


def most_infectious_share(counts: Ints, caused: float = 0.8) -> float | None:
    """Return the smallest share of cases who infected ``caused`` of all; None if nobody did."""
    number = np.arange(len(counts))[::-1]
    cases = counts[::-1]
    infected = np.cumsum(cases * number)
    if not len(counts) or not infected[-1]:
        return None
    wanted = caused * infected[-1]
    at = int(np.searchsorted(infected, wanted))
    before = infected[at - 1] if at else 0
    enough = cases[:at].sum() + (wanted - before) / number[at]
    return float(enough / counts.sum())


def _ratio(over: Floats, under: Floats) -> Floats:
    found = np.full(len(over), np.nan)
    np.divide(over, under, out=found, where=under > 0)
    return found
