"""The law of adoption: transmissions that the app traces go with the square of adoption.

The app traces a transmission only if both people have it. If a share u of all people has the app,
and having it does not depend on whom they meet, both have it with probability c u^2. The constant c
differs from 1 because the young and the old have the app less often. So the law is about the share
of transmissions, and not about the infections averted, which also depend on everything else.

For each adoption a city is run with seeds of its own, so points are independent. ``fit`` weighs
each point by its standard error over seeds, and tests by chi-square whether one constant fits all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import stats

from simulations.city.calibration import attempt_scale
from simulations.city.hashes import PERSON_BITS
from simulations.city.keys import CityScenario
from simulations.city.own_measures import open_shares_with
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.city.seed_means import SeedMean
from simulations.city.tracing import CityTracing, Named
from simulations.studies.executors import results_of
from tracetogether.units import Bools, Floats, Ints

ADOPTIONS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SEEDS: Final = 20
LAW_CITY: Final = "small-town"
LAW_SETTINGS: Final = {
    "people.count": "10000",
    "days": "120",
    "disease.start_cases": "100",  # enough that no epidemic dies out
    "app.false_listings": "0",  # a false listing names nobody whom the case infected
    "quarantine.compliance": "0",
}
"""The app warns, and nobody follows: else people with the app are infected less than others."""
FOLLOWED: Final = {"quarantine.compliance": "0.8"}
"""The same where most people follow, to show by how much the share falls below the law."""
_SEEDS_PER_POINT: Final = 1_000
_LEVEL: Final = 0.95

Task = tuple[CityScenario, int, float]


@dataclass(frozen=True, slots=True)
class AppShares:
    """Shares of one run's transmissions.

    Attributes:
        transmissions: people whom somebody in the city infected.
        both: share where both have the app.
        traced: share where the log of the one who infected lists the other.
    """

    transmissions: int
    both: float
    traced: float


@dataclass(frozen=True, slots=True)
class LawPoint:
    """The shares at one adoption.

    Attributes:
        adoption: share of people with the app.
        transmissions: over all seeds.
        both, traced: mean over seeds, see ``AppShares``.
        both_error, traced_error: standard error of the mean.
    """

    adoption: float
    transmissions: int
    both: SeedMean
    traced: SeedMean
    both_error: float
    traced_error: float


@dataclass(frozen=True, slots=True)
class LawFit:
    """How well share = constant * adoption^2 fits.

    Attributes:
        constant: the best one.
        p: of the chi-square test, with (points - 1) degrees of freedom.
        exponent, exponent_low, exponent_high: if the exponent is free, with its 95 %.
        admitted: greatest relative departure from the law that the 95 % of a point still holds.
    """

    constant: float
    p: float
    exponent: float
    exponent_low: float
    exponent_high: float
    admitted: float


def law_points(
    settings: dict[str, str],
    *,
    adoptions: Sequence[float] = ADOPTIONS,
    seeds: int = SEEDS,
    workers: int = 1,
    on_done: Callable[[int, int], None] | None = None,
) -> list[LawPoint]:
    """Run a city at several adoptions, each with seeds of its own.

    Args:
        settings: of the city; ``LAW_SETTINGS`` hold unless replaced here.
        adoptions: shares of people with the app.
        seeds: runs at each adoption.
        workers: number of processes; the result does not depend on it.
        on_done: called with (runs done, runs in all).
    """
    towns = [
        load_city(LAW_CITY, LAW_SETTINGS | settings | {"app.adoption": str(adoption)})
        for adoption in adoptions
    ]
    scale = attempt_scale(towns[0])  # adoption has no part in it
    tasks = [
        (town, round(adoption * _SEEDS_PER_POINT) * _SEEDS_PER_POINT + seed, scale)
        for town, adoption in zip(towns, adoptions, strict=True)
        for seed in range(1, seeds + 1)
    ]
    found = results_of(app_shares, tasks, workers, on_done)
    return [
        _point(adoption, found[number * seeds : (number + 1) * seeds])
        for number, adoption in enumerate(adoptions)
    ]


def _point(adoption: float, runs: Sequence[AppShares]) -> LawPoint:
    both, traced = [run.both for run in runs], [run.traced for run in runs]
    root = max(len(runs), 1) ** 0.5
    return LawPoint(
        adoption,
        sum(run.transmissions for run in runs),
        SeedMean.of(both),
        SeedMean.of(traced),
        float(np.std(both, ddof=1)) / root if len(runs) > 1 else 0.0,
        float(np.std(traced, ddof=1)) / root if len(runs) > 1 else 0.0,
    )


def app_shares(task: Task) -> AppShares:
    """Run a city, and return which shares of transmissions were between users, and traced."""
    scenario, seed, scale = task
    pairs: list[Ints] = []
    days: list[Ints] = []

    def note(by: str, named: Named, day: int) -> None:
        if by == "app":
            rows = named.of(named.listed & ~named.false)
            pair = np.unique(rows.case << PERSON_BITS | rows.other)
            pairs.append(pair)
            days.append(np.full(len(pair), day, dtype=np.int64))

    run = run_city(scenario, seed=seed, scale=scale, watch=note)
    target = np.flatnonzero(run.people.source >= 0).astype(np.int64)
    source = run.people.source[target].astype(np.int64)
    users = _users(run)
    both = users[source] & users[target]
    infected_on = run.people.infected_on[target].astype(np.int64)
    traced = _listed(source << PERSON_BITS | target, infected_on, pairs, days)
    number = max(len(target), 1)
    return AppShares(len(target), float(both.sum()) / number, float(traced.sum()) / number)


def _users(run: CityRun) -> Bools:
    """Return for everybody whether they have the app."""
    shares = open_shares_with(run.scenario, 1, ())
    tracing = CityTracing(
        run.scenario, run.network, run.people, run.detection.drawn(run.seed), shares, run.seed
    )
    return tracing.has_app(np.arange(run.network.people, dtype=np.int64))


def _listed(wanted: Ints, infected_on: Ints, pairs: list[Ints], days: list[Ints]) -> Bools:
    """Return which transmissions a log lists that was uploaded after them."""
    none = np.zeros(0, dtype=np.int64)
    pair, day = np.concatenate([none, *pairs]), np.concatenate([none, *days])
    if not pair.size:
        return np.zeros(len(wanted), dtype=bool)
    order = np.lexsort((-day, pair))  # the last upload first
    pair, day = pair[order], day[order]
    at = np.minimum(np.searchsorted(pair, wanted), len(pair) - 1)
    return np.asarray((pair[at] == wanted) & (day[at] > infected_on))


def fit(adoptions: Sequence[float], means: Sequence[float], errors: Sequence[float]) -> LawFit:
    """Fit share = constant * adoption^2, and share = constant * adoption^exponent.

    Args:
        adoptions: shares of people with the app, above 0.
        means: share of transmissions at each.
        errors: standard errors of the means, above 0.
    """
    u, y, error = (np.asarray(column, dtype=np.float64) for column in (adoptions, means, errors))
    weight = error**-2
    constant = float((weight * y) @ u**2 / (weight @ u**4))
    chi2 = float((((y - constant * u**2) / error) ** 2).sum())
    normal = float(stats.norm.ppf((1 + _LEVEL) / 2))
    exponent, exponent_error = _slope(np.log(u), np.log(y), error / y)
    beyond = np.abs(y - constant * u**2) + normal * error
    return LawFit(
        constant,
        float(stats.chi2.sf(chi2, len(u) - 1)),
        exponent,
        exponent - normal * exponent_error,
        exponent + normal * exponent_error,
        float((beyond / (constant * u**2)).max()),
    )


def _slope(x: Floats, y: Floats, error: Floats) -> tuple[float, float]:
    """Return the slope of a line by weighted least squares, and its standard error."""
    weight = error**-2
    middle = weight @ x / weight.sum()
    square = float(weight @ (x - middle) ** 2)
    return float(weight @ ((x - middle) * y)) / square, square**-0.5


def fits(points: Sequence[LawPoint]) -> tuple[LawFit, LawFit]:
    """Return the fit of the share where both have the app, and of the share that is traced."""
    adoptions = [point.adoption for point in points]
    return (
        fit(adoptions, [point.both.mean for point in points], [y.both_error for y in points]),
        fit(adoptions, [point.traced.mean for point in points], [y.traced_error for y in points]),
    )


def point_json(point: LawPoint) -> dict[str, Any]:
    """Return a point's figures by name."""
    return {
        "adoption": point.adoption,
        "transmissions": point.transmissions,
        "both": point.both.mean,
        "both_low": point.both.low,
        "both_high": point.both.high,
        "traced": point.traced.mean,
        "traced_low": point.traced.low,
        "traced_high": point.traced.high,
    }
