"""A city's network and epidemics beside theory and publications: `tracetogether city validate`.

The ranges were fixed before the comparison, and nothing is fitted to them. A figure outside its
range is shown as such.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from scipy.optimize import brentq

from simulations.city.calibration import attempt_scale
from simulations.city.keys import (
    CITY,
    HOUSEHOLD,
    LAYERS,
    NEIGHBOURHOOD,
    TRANSPORT,
    CityScenario,
)
from simulations.city.measure_keys import AppKeys, SymptomTestKeys, TracerKeys
from simulations.city.network import Network
from simulations.city.network_statistics import asymmetric_contacts, degree_p, uniformity_p
from simulations.city.run import CityRun, run_city, with_people
from simulations.city.scenario import load_city
from simulations.city.tracing import Named
from simulations.studies.validation import ComparedStatistic
from tracetogether.units import Ints

REPRODUCTION_NUMBERS: Final = (1.3, 1.7, 2.5, 3.4)
_MIXED_PEOPLE: Final = 100_000
_MIXED_CASES: Final = 200
_THEORY: Final = "theory"
_LEAST_P: Final = 0.001
_TRACED_PEOPLE: Final = 20_000
_TRACED_DAYS: Final = 60

_MIXED: Final = {
    **{f"people.{role}": "0" for role in ("pupils", "students", "workers", "riders")},
    **{f"people.households.size_{size}": "0" for size in range(2, 9)},
    "people.households.size_1": "1",
    "people.count": str(_MIXED_PEOPLE),
    "contacts.neighbourhood.number": "0",
    "contacts.city.number": "10",
    "contacts.city.spread": "0",
    "disease.start_cases": str(_MIXED_CASES),
    "disease.spread": "0",
    "days": "400",
}
"""People who live alone, meet ten others at random each day, and are equally infectious."""

_FIRST_CASES: Final = 2000
"""First cases of all runs, at least. Their offspring have a standard deviation of some 4, so the
mean has one of 0.09: a right city is hardly ever outside the range by chance."""


def validate_city(
    scenario: CityScenario,
    *,
    seeds: int,
    on_done: Callable[[int, int], None] | None = None,
) -> list[ComparedStatistic]:
    """Return the statistics of a city, and of mixed cities for the theory of final sizes.

    Args:
        scenario: whose network and first cases are looked at; its measures are ignored.
        seeds: number of runs behind each figure of epidemics. First cases have more runs if they
            are few.
        on_done: called with (steps done, steps in all).
    """
    parts: list[Callable[[], list[ComparedStatistic]]] = [
        lambda: _network(scenario, Network(scenario, 1)),
        lambda: _named(_traced(scenario)),
        *(
            partial(lambda reproduction: [final_size(reproduction, seeds)], reproduction)
            for reproduction in REPRODUCTION_NUMBERS
        ),
        lambda: _first_generation(scenario, seeds),
    ]
    rows = []
    for done, part in enumerate(parts, start=1):
        rows += part()
        if on_done is not None:
            on_done(done, len(parts))
    return rows


def _compared(
    statistic: str, simulated: float, reference: float, within: tuple[float, float], source: str
) -> ComparedStatistic:
    return ComparedStatistic(
        statistic, float(simulated), reference, *within, source, beside="expected"
    )


def _network(scenario: CityScenario, network: Network) -> list[ComparedStatistic]:
    wrong, seen = asymmetric_contacts(network)
    rows = [_compared(f"one-sided of {seen:,} contacts", wrong, 0.0, (0.0, 0.0), "must be mutual")]
    for layer in (NEIGHBOURHOOD, CITY, TRANSPORT):
        name = f"partners in {LAYERS[layer]}, p of chi2"
        figure = uniformity_p(network, layer)
        rows.append(_compared(name, figure, 0.5, (_LEAST_P, 1.0), "uniform partners"))
    rows += [
        _compared(
            f"contacts in {name}, p of chi2",
            degree_p(scenario, network, layer),
            0.5,
            (_LEAST_P, 1.0),
            "the keys",
        )
        for layer, name in enumerate(LAYERS)
    ]
    return rows


def _named(scenario: CityScenario) -> list[ComparedStatistic]:
    found = check_names(scenario, 1)
    return [
        _compared(
            f"without a contact, of {found.true:,} named",
            found.without_contact,
            0.0,
            (0.0, 0.0),
            "a contact in truth",
        ),
        _compared(
            f"not counted, of {found.false_people:,} warned falsely",
            abs(found.false_people - found.counted),
            0.0,
            (0.0, 0.0),
            "all are counted",
        ),
    ]


@dataclass(frozen=True, slots=True)
class CheckedNames:
    """Whom tracing named in a run, beside the contacts of the network.

    Attributes:
        true: rows of a case, a contact and a day that are not marked as false.
        without_contact: those of them without such a contact in the network.
        false_people: people warned by the app whom only false rows name, over all uploads.
        counted: people whom the run counted as warned falsely.
    """

    true: int
    without_contact: int
    false_people: int
    counted: int


def check_names(scenario: CityScenario, seed: int) -> CheckedNames:
    """Run a scenario, and look for each name that tracing gives in the network's contacts."""
    named: list[tuple[str, Named]] = []
    played = run_city(scenario, seed=seed, watch=lambda by, found, _day: named.append((by, found)))
    people = played.network.people
    true = without = false_people = 0
    for by, found in named:
        if by == "app":
            listed = found.of(found.listed)
            false_people += len(
                np.setdiff1d(listed.other[listed.false], listed.other[~listed.false])
            )
        rows = found.of(~found.false)
        asked = np.unique(rows.case * scenario.days + rows.day)
        met = played.network.contacts(asked // scenario.days, asked % scenario.days)
        real = asked[met.of] * people + met.other
        wanted = (rows.case * scenario.days + rows.day) * people + rows.other
        true += len(wanted)
        without += int((~np.isin(wanted, real)).sum())
    return CheckedNames(true, without, false_people, played.costs.warned_falsely)


def _traced(scenario: CityScenario) -> CityScenario:
    """Return the scenario with tests, app and tracers, in a city of moderate size."""
    return replace(
        with_people(scenario, min(scenario.people.count, _TRACED_PEOPLE), _TRACED_DAYS),
        tests=SymptomTestKeys(share=0.7),
        app=AppKeys(adoption=0.6),
        tracers=TracerKeys(cases_per_100k=100.0),
    )


def final_size(reproduction: float, seeds: int) -> ComparedStatistic:
    """Return the final size of epidemics in a mixed city, and that of theory."""
    mixed = load_city("test-town", _MIXED | {"reproduction_number": str(reproduction)})
    scale = attempt_scale(mixed)
    sizes = [
        run_city(mixed, seed=seed, scale=scale).new_infections.sum() / _MIXED_PEOPLE
        for seed in range(1, seeds + 1)
    ]
    start = _MIXED_CASES / _MIXED_PEOPLE

    def missing(size: float) -> float:
        return float(1 - size - (1 - start) * np.exp(-reproduction * size))

    theory = float(brentq(missing, 0.05, 1.0))
    within = (theory - 0.01, theory + 0.01)
    return _compared(f"final size, R {reproduction:g}", np.mean(sizes), theory, within, _THEORY)


def _first_generation(scenario: CityScenario, seeds: int) -> list[ComparedStatistic]:
    plain = unmeasured(scenario)
    # Few cases per person, so that their households and contacts are still susceptible.
    cases = max(20, plain.people.count // 200)
    plain = replace(plain, days=16, disease=replace(plain.disease, start_cases=cases))
    scale = attempt_scale(plain)
    runs = max(seeds, math.ceil(_FIRST_CASES / cases))
    played = [run_city(plain, seed=seed, scale=scale) for seed in range(1, runs + 1)]
    offspring = np.concatenate([offspring_of_first(run) for run in played])
    mean, variance = float(offspring.mean()), float(offspring.var())
    wanted = plain.disease.reproduction_number
    dispersion = mean**2 / max(variance - mean, 1e-9)
    return [
        _compared(
            "offspring of first cases", mean, wanted, (0.9 * wanted, 1.1 * wanted), "the scenario"
        ),
        _compared(
            "dispersion k of offspring", dispersion, 0.43, (0.1, 1.18), "Endo, Bi, Adam 2020"
        ),
        _compared(
            "household attack rate",
            float(np.mean([household_attack(run) for run in played])),
            0.166,
            (0.1, 0.3),
            "Madewell 2020, and its studies",
        ),
    ]


def unmeasured(scenario: CityScenario) -> CityScenario:
    """Return the scenario with every measure off."""
    plain = load_city("test-town")
    return replace(
        plain,
        name=scenario.name,
        days=scenario.days,
        people=scenario.people,
        contacts=scenario.contacts,
        disease=scenario.disease,
    )


def offspring_of_first(run: CityRun) -> Ints:
    """Return how many people each case of day 0 infected."""
    first = np.flatnonzero(run.people.infected_on == 0)
    sources = run.people.source[run.people.source >= 0]
    counts = np.bincount(sources, minlength=run.network.people)
    return np.asarray(counts[first], dtype=np.int64)


def household_attack(run: CityRun) -> float:
    """Return the share of those who live with a case of day 0 whom that case infected at home."""
    first = np.flatnonzero(run.people.infected_on == 0).astype(np.int64)
    met = run.network.contacts(first, 0, [HOUSEHOLD])
    caught = run.people.source[met.other] == first[met.of]
    caught &= run.people.layer[met.other] == HOUSEHOLD
    return float(caught.mean()) if caught.size else 0.0
