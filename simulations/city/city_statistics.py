"""A city's network and epidemics beside theory and publications: `tracetogether city validate`.

The ranges were fixed before the comparison, and nothing is fitted to them. A figure outside its
range is shown as such.
"""

from collections.abc import Callable
from dataclasses import replace
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
from simulations.city.network import Network
from simulations.city.run import CityRun, run_city
from simulations.city.scenario import load_city
from simulations.studies.validation import ComparedStatistic
from tracetogether.units import Ints

REPRODUCTION_NUMBERS: Final = (1.3, 1.7, 2.5, 3.4)
_MIXED_PEOPLE: Final = 100_000
_MIXED_CASES: Final = 200
_EDGES: Final = 1_000_000
_ASKED: Final = 100  # people whose partners are counted
_BLOCKS: Final = 500  # of people who can be partners
_THEORY: Final = "theory"

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


def validate_city(
    scenario: CityScenario,
    *,
    seeds: int,
    on_done: Callable[[int, int], None] | None = None,
) -> list[ComparedStatistic]:
    """Return the statistics of a city, and of mixed cities for the theory of final sizes.

    Args:
        scenario: whose network and first cases are looked at; its measures are ignored.
        seeds: number of runs behind each figure of epidemics.
        on_done: called with (steps done, steps in all).
    """
    steps = len(REPRODUCTION_NUMBERS) + 2
    rows = _network(Network(scenario, 1))
    if on_done is not None:
        on_done(1, steps)
    for number, reproduction in enumerate(REPRODUCTION_NUMBERS, start=2):
        rows.append(final_size(reproduction, seeds))
        if on_done is not None:
            on_done(number, steps)
    rows += _first_generation(scenario, seeds)
    if on_done is not None:
        on_done(steps, steps)
    return rows


def _compared(
    statistic: str, simulated: float, reference: float, within: tuple[float, float], source: str
) -> ComparedStatistic:
    return ComparedStatistic(
        statistic, float(simulated), reference, *within, source, beside="expected"
    )


def _network(network: Network) -> list[ComparedStatistic]:
    wrong, seen = asymmetric_contacts(network)
    rows = [_compared(f"one-sided of {seen:,} contacts", wrong, 0.0, (0.0, 0.0), "must be mutual")]
    for layer in (NEIGHBOURHOOD, CITY, TRANSPORT):
        name = f"partners in {LAYERS[layer]}, chi2 per degree"
        figure = uniformity(network, layer)
        rows.append(_compared(name, figure, 1.0, (0.8, 1.2), "uniform partners"))
    return rows


def asymmetric_contacts(network: Network) -> tuple[int, int]:
    """Return how many contacts are not mutual, and how many were looked at, about a million."""
    people = network.people
    per_day = sum(int(slots.sum()) for slots in network.slots) / len(network.slots[0])
    asked = np.arange(0, people, max(1, int(people * per_day * 5 / _EDGES)), dtype=np.int64)
    wrong = seen = 0
    for day in range(5):
        met = network.contacts(asked, day)
        others = np.unique(met.other)
        back = network.contacts(others, day)
        to = _codes(asked[met.of], met.other, met.layer, people)
        fro = _codes(back.other, others[back.of], back.layer, people)
        codes, counts = np.unique(to, return_counts=True)
        back_codes, back_counts = np.unique(fro, return_counts=True)
        at = np.minimum(np.searchsorted(back_codes, codes), len(back_codes) - 1)
        same = (back_codes[at] == codes) & (back_counts[at] == counts)
        wrong += int((~same).sum())
        seen += len(to)
    return wrong, seen


def _codes(one: Ints, other: Ints, layer: np.ndarray, people: int) -> Ints:
    return np.asarray((one * people + other) * len(LAYERS) + layer, dtype=np.int64)


def uniformity(network: Network, layer: int) -> float:
    """Return chi-square per degree of freedom of the partners of some people in 50 weekdays.

    Blocks of people of the same neighbourhood should be met in proportion to their contacts.
    """
    places = network.tables.places
    near = layer == NEIGHBOURHOOD
    asked = np.arange(0, min(network.people, places), max(1, places // _ASKED), dtype=np.int64)
    groups = places if near else network.people
    blocks = np.arange(groups, dtype=np.int64) * _BLOCKS // groups
    slots = network.slots[layer][network.place(np.arange(groups, dtype=np.int64))]
    if layer == TRANSPORT:  # a line's riders
        reach = network.contacts(asked, 0, [layer]).other
        slots = slots * (np.arange(groups) // places <= reach.max() // places)
    weight = np.bincount(blocks, slots, minlength=_BLOCKS)
    counts = np.zeros(_BLOCKS)
    for day in [day for day in range(70) if day % 7 < 5]:
        met = network.contacts(asked, day, [layer]).other
        counts += np.bincount(blocks[met], minlength=_BLOCKS)
    used = weight > 0
    wanted = weight[used] / weight.sum() * counts.sum()
    return float(((counts[used] - wanted) ** 2 / wanted).sum() / (used.sum() - 1))


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
    played = [run_city(plain, seed=seed, scale=scale) for seed in range(1, seeds + 1)]
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
