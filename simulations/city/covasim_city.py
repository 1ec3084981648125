"""A city in covasim 4, and our city with the same people, contacts, infection and measures.

Both have the same numbers of contacts in households, schools, workplaces and at random, with the
same relative hazards: covasim's own. Schools and workplaces are groups whose members all meet. In
our city nobody is there at the weekend, so hazards there are 7/5 as large.

The infection is matched by measurement. In a large city of covasim, few people are infected on
day 0. How many they infect, and after how many days, is what our city is calibrated to. What only
one of the two has is off: susceptibility by age, deaths, reinfection, and transport.

Measures are a test of half of those with symptoms, with its result on the next day, isolation of
positive cases, and tracing on the day after: everybody at home, and half of the others at school
and at work, stay at home for 14 days. At home they can still infect.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import numpy as np
from scipy.special import ndtri

from simulations.city.disease import INFECTIOUS_DAYS, generation_shares
from simulations.city.keys import CityScenario
from simulations.city.scenario import load_city
from tracetogether.errors import MissingExtraError
from tracetogether.units import Floats, Ints

HOUSEHOLD_MEAN: Final = 2.0
"""Mean size of covasim's households before empty ones are left out; Poisson."""
SCHOOL, WORK, RANDOM = 21, 17, 20
"""Members of a school group and of a work group, and random contacts a day."""
HAZARDS: Final = {"h": 3.0, "s": 0.6, "w": 0.6, "c": 0.3}
"""Relative hazard of a contact a day, by layer of covasim."""
LEARNING, WORKING = (6, 22), (22, 65)
"""Ages in school and at work."""
TESTED, TRACED, STAY_DAYS = 0.5, 0.5, 14
INCUBATION_SPREAD: Final = 0.3
"""Standard deviation of the logarithm of covasim's incubation: 4.5 and 1.1 days, lognormal."""
_LIKE_PEOPLE: Final = 100_000  # of the cities in which the first generation is measured
_LIKE_CASES: Final = 300
_LIKE_DAYS: Final = 24
_LIKE_SEEDS: Final = tuple(range(101, 109))
_DECADES: Final = 9


@dataclass(frozen=True, slots=True)
class Likeness:
    """What our city takes from covasim's cities.

    Attributes:
        reproduction_number: mean number of people whom a case on day 0 infects.
        generation: share of these infections by day after its own infection, from day 1.
        before_result: share of infections by people with symptoms that they cause up to the day
            after symptoms begin, when the result of a test can isolate them.
        ages: share of people by decade.
        pupils: share of those below 20 years who are in school.
        students: the same of those from 20 to 29.
        workers: share of the others from 20 to 69 who work.
    """

    reproduction_number: float
    generation: tuple[float, ...]
    before_result: float
    ages: tuple[float, ...]
    pupils: float
    students: float
    workers: float


@dataclass(frozen=True, slots=True)
class Epidemic:
    """New infections by day, and what a run cost."""

    new_infections: Ints
    cpu_s: float


def play_covasim(people: int, days: int, seed: int, cases: int, *, traced: bool) -> Epidemic:
    """Run a city in covasim, its construction included.

    Raises:
        MissingExtraError: covasim is not installed.
    """
    began = time.process_time()
    sim = _sim(people, days, seed, cases, traced=traced)
    sim.run()
    new = np.asarray(sim.results["new_infections"], dtype=np.float64)
    first = cases - int(new[0])  # the cases of day 0, where covasim leaves them out
    new[0] += max(first, 0)
    return Epidemic(np.rint(new).astype(np.int64), time.process_time() - began)


def _sim(people: int, days: int, seed: int, cases: int, *, traced: bool) -> Any:  # noqa: ANN401 - covasim has no types
    covasim, starsim = _imported()
    everybody_alike = covasim.get_prognoses()
    for name in ("sus_ORs", "trans_ORs"):
        everybody_alike[name] = np.ones_like(everybody_alike[name])
    at_home_only = {"h": 1.0, "s": 0.0, "w": 0.0, "c": 0.0}
    networks = [
        starsim.ClusterNet(name="h", cluster_size=starsim.poisson(HOUSEHOLD_MEAN)),
        starsim.ClusterNet(name="s", cluster_size=starsim.constant(SCHOOL), age_range=LEARNING),
        starsim.ClusterNet(name="w", cluster_size=starsim.constant(WORK), age_range=WORKING),
        starsim.RandomNet(
            name="c", n_contacts=starsim.poisson(RANDOM), dynamic=False, uniform_targets=True
        ),
    ]
    measures = []
    if traced:
        untested = {
            "inds": np.random.default_rng(seed).permutation(people)[round(TESTED * people) :],
            "vals": 0.0,
        }
        traced_share = {"h": 1.0, "s": TRACED, "w": TRACED, "c": 0.0}
        measures = [
            covasim.test_prob(symp_prob=1.0, test_delay=1, subtarget=untested),
            covasim.contact_tracing(
                trace_probs=traced_share, trace_time=1, quar_period=STAY_DAYS + 1
            ),
        ]
    return covasim.Sim(
        pop_type="hybrid",
        networks=networks,
        pop_size=people,
        pop_infected=cases,
        n_days=days,
        rand_seed=seed,
        verbose=0,
        use_waning=False,
        prognoses=everybody_alike,
        rel_death_prob=0.0,
        beta_layer=HAZARDS,
        iso_factor=at_home_only,
        quar_factor=at_home_only,
        interventions=measures,
    )


def _imported() -> tuple[Any, Any]:
    try:
        return import_module("covasim"), import_module("starsim")
    except ImportError:
        raise MissingExtraError("The comparison with covasim", "test") from None


def likeness() -> Likeness:
    """Measure the first generation and the people of covasim's cities.

    Raises:
        MissingExtraError: covasim is not installed.
    """
    caused, infectiousness, intervals, after_onset = [], [], [], []
    ages: Floats = np.zeros(0)
    for seed in _LIKE_SEEDS:
        sim = _sim(_LIKE_PEOPLE, _LIKE_DAYS, seed, _LIKE_CASES, traced=False)
        sim.run()
        log = sim.diseases.covid.infection_log.to_df()
        source = log["source"].to_numpy(dtype=np.int64)
        first = log["target"].to_numpy(dtype=np.int64)[source < 0]
        of_first = np.isin(source, first)
        caused.append(of_first.sum() / len(first))
        # 300 cases are few: what the mean of their own infectiousness adds is chance.
        infectiousness.append(float(sim.diseases.covid.rel_trans_base.raw[first].mean()))
        intervals.append(log["day"].to_numpy(dtype=np.float64)[of_first])
        onset = sim.diseases.covid.ti_symptomatic.raw[source[of_first]]
        after_onset.append((intervals[-1] - onset)[~np.isnan(onset)])
        ages = np.asarray(sim.people.age.raw[:_LIKE_PEOPLE], dtype=np.float64)
    days = np.concatenate(intervals).astype(np.int64)
    decade = np.minimum((ages // 10).astype(np.int64), _DECADES - 1)
    learns = (ages >= LEARNING[0]) & (ages < LEARNING[1])
    works = (ages >= WORKING[0]) & (ages < WORKING[1])
    of_age = (decade >= 2) & (decade <= 6) & ~learns
    return Likeness(
        reproduction_number=float(np.mean(np.array(caused) / infectiousness)),
        generation=tuple((np.bincount(days)[1:] / len(days)).round(6).tolist()),
        before_result=float((np.concatenate(after_onset) <= 1).mean()),
        ages=tuple((np.bincount(decade, minlength=_DECADES) / len(ages)).tolist()),
        pupils=float(learns[decade < 2].mean()),
        students=float(learns[decade == 2].mean()),
        workers=float(works[of_age].mean()),
    )


def incubation_key(before_result: float, generation: tuple[float, float]) -> float:
    """Return the median incubation that gives a share of infections before a test's result.

    In covasim a case is infectious from about a day before its symptoms. In our city the times of
    symptoms and of infections are independent, so the median is what makes the shares equal.

    Args:
        before_result: the share, up to the day after symptoms begin.
        generation: values of ``generation_mean_days`` and ``generation_sd_days``.
    """
    plain = load_city("test-town").disease
    keys = replace(plain, generation_mean_days=generation[0], generation_sd_days=generation[1])
    up_to = np.concatenate([[0.0], np.cumsum(generation_shares(keys))])
    deviate = np.exp(INCUBATION_SPREAD * ndtri((np.arange(200) + 0.5) / 200))

    def share(median: float) -> float:
        onset = np.maximum(np.rint(median * deviate), 1).astype(np.int64)
        return float(up_to[np.minimum(onset + 1, INFECTIOUS_DAYS)].mean())

    medians = [tenth / 10 for tenth in range(10, 141)]
    return min(medians, key=lambda median: abs(share(median) - before_result))


def generation_keys(generation: Sequence[float]) -> tuple[float, float]:
    """Return the keys of the generation time that is nearest to shares by day.

    In our city it is a gamma distribution that ends after 14 days. Nearest is that whose shares up
    to each day differ least, by the sum of squares.

    Args:
        generation: share of infections by day, from day 1.

    Returns:
        Values of ``generation_mean_days`` and ``generation_sd_days``.
    """
    plain = load_city("test-town").disease
    wanted = np.zeros(max(INFECTIOUS_DAYS, len(generation)))
    wanted[: len(generation)] = generation
    wanted = np.cumsum(wanted)

    def distance(keys: tuple[float, float]) -> float:
        own = generation_shares(
            replace(plain, generation_mean_days=keys[0], generation_sd_days=keys[1])
        )
        up_to = np.ones(len(wanted))
        up_to[:INFECTIOUS_DAYS] = np.cumsum(own)
        return float(((up_to - wanted) ** 2).sum())

    tries = [(low / 10, wide / 10) for low in range(20, 121) for wide in range(5, 61)]
    return min(tries, key=distance)


def city_like(like: Likeness, people: int, days: int, cases: int, *, traced: bool) -> CityScenario:
    """Return our city that is like those of covasim."""
    per_week = 7 / 5
    generation = generation_keys(like.generation)
    settings: dict[str, float] = {
        "days": days,
        "people.count": people,
        "people.pupils": like.pupils,
        "people.students": like.students,
        "people.workers": like.workers,
        "people.riders": 0,
        "contacts.household.hazard": HAZARDS["h"],
        "contacts.classroom.size": SCHOOL,
        "contacts.classroom.hazard": HAZARDS["s"] * per_week,
        "contacts.team.size": WORK,
        "contacts.team.hazard": HAZARDS["w"] * per_week,
        "contacts.workplace.size_median": WORK,
        "contacts.workplace.size_spread": 0,
        "contacts.workplace.number": 0,
        "contacts.school.number": 0,
        "contacts.neighbourhood.number": 0,
        "contacts.city.number": RANDOM,
        "contacts.city.spread": 0.05,
        "contacts.city.hazard": HAZARDS["c"],
        "disease.reproduction_number": like.reproduction_number,
        "disease.generation_mean_days": generation[0],
        "disease.generation_sd_days": generation[1],
        "disease.spread": 1.49,  # covasim: negative binomial, dispersion 0.45
        "disease.incubation_median_days": incubation_key(like.before_result, generation),
        "disease.incubation_spread": INCUBATION_SPREAD,
        "disease.silent_young": 0.475,
        "disease.silent_adult": 0.325,
        "disease.silent_old": 0.15,
        "disease.silent_infectiousness": 1,
        "disease.start_cases": cases,
    }
    poisson = np.exp(-HOUSEHOLD_MEAN)
    for size in range(1, 9):
        poisson *= HOUSEHOLD_MEAN / size
        settings[f"people.households.size_{size}"] = float(poisson)
    for decade, share in enumerate(like.ages):
        settings[f"people.ages.from_{10 * decade}"] = share
    if traced:
        settings |= {
            "tests.share": TESTED,
            "tests.delay_days": 1,
            "isolation.days": 30,
            "tracers.cases_per_100k": 100_000,
            "tracers.delay_days": 1,
            "tracers.quarantine_days": STAY_DAYS + 2,  # from the contact, not from the call
            "tracers.recall_home": 1,
            "tracers.recall_known": TRACED,
            "tracers.recall_seen": 0,
            "tracers.recall_strangers": 0,
            "tracers.least_minutes": 0,
            "quarantine.compliance": 1,
        }
    return load_city("test-town", {key: f"{value:.10g}" for key, value in settings.items()})
