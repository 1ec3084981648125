"""The infectiousness that gives a city its reproduction number.

Two things make the reproduction number less than the sum of all hazards. A case that meets the same
people each day infects each of them only once. And those whom it infects soon infect some of the
others at home, in class and in the team before the case does: about one in a hundred.

The first is computed. For a sample of people, all contacts of 14 days are listed, and hazards with
the same other person are summed. A person of infectiousness i reaches
``sum of (1 - exp(-scale * i * hazard))`` others. Children have other contacts than adults and fewer
symptoms, so each person has the chance of symptoms of their own age.

The second is played. Cases that are too far apart to meet are infected on day 0 of an endless city,
and so are those whom they and their contacts infect in 14 days. Counted is the share of those whom
cases reach that they infect before anybody else does. This share hardly changes with the scale.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from simulations.city.disease import INFECTIOUS_DAYS, Disease, generation_shares
from simulations.city.distinct import count_distinct
from simulations.city.hashes import ONE, PERSON_BITS
from simulations.city.keys import LAYERS, CityScenario
from simulations.city.network import GROUPS, WEEKDAY_LAYERS, Network, is_working_day
from simulations.city.people import People
from simulations.city.transmission import (
    Attempts,
    Effect,
    Transmission,
    layer_bounds,
)
from tracetogether.units import Bools, Floats, Ints

SAMPLE: Final = 3_000
"""People whose contacts are listed."""
_SEED: Final = 0  # the same infectiousness for every seed of a scenario
_PEOPLE: Final = 40_000_000  # of the endless city
_MOST_PLAYED: Final = 40_000  # infections; a large reproduction number takes fewer cases
_CASES: Final = 1_000  # that are played
_FEWEST_CASES: Final = 200
_BINS: Final = 200
_LEVELS_TOGETHER: Final = 4  # of 256 infectiousnesses with symptoms, and as many without
_MOST_DOUBLINGS: Final = 60
_HALVINGS: Final = 40  # relative error below 1e-11
_CACHED: Final = 64


def attempt_scale(scenario: CityScenario) -> float:
    """Return the mean number of attempts for a bound of 1 and mean infectiousness.

    Depends on contacts, disease and who the people are, and not on how many they are.
    """
    people = replace(scenario.people, count=_PEOPLE)
    disease = replace(scenario.disease, start_cases=0)
    return _scale(replace(_plain(scenario), people=people, disease=disease))


def _plain(scenario: CityScenario) -> CityScenario:
    """Return the scenario without what has no effect here, so that it is calibrated once."""
    return CityScenario(
        name="",
        title="",
        modelled_on="",
        schema=scenario.schema,
        people=scenario.people,
        contacts=scenario.contacts,
        disease=scenario.disease,
    )


@lru_cache(maxsize=_CACHED)
def _scale(scenario: CityScenario) -> float:
    wanted = scenario.disease.reproduction_number
    network = Network(scenario, _SEED)
    disease = Disease(scenario.disease, network, _SEED)
    sample = spread_people(network, SAMPLE)
    reached = _reached(scenario, network, disease, sample)
    if not wanted or reached is None:
        return 0.0
    # Those infected in 14 days: cases, theirs, most of the next and some of those after them.
    infected = 1 + wanted + wanted**2 + wanted**3 / 4
    number = max(_FEWEST_CASES, min(_CASES, int(_MOST_PLAYED / infected)))
    cases = spread_people(network, number)
    scale = _root(reached, wanted)
    share = first_share(Transmission(scenario, network, disease, _SEED, scale), cases)
    scale = _root(reached, wanted / share)
    # Fewer digits than a float has: the same number on every processor.
    return float(f"{scale:.9g}")


def spread_people(network: Network, number: int) -> Ints:
    """Return people of as many neighbourhoods, who stand for all places of the drawn ones."""
    tables = network.tables
    rows = len(tables.age)
    place = np.arange(number, dtype=np.int64) * rows // number
    blocks = network.people // rows
    return np.sort(place + np.arange(number) % blocks * rows)


def _root(reached: Callable[[float], float], wanted: float) -> float:
    high = 1e-6
    for _ in range(_MOST_DOUBLINGS):
        if reached(high) > wanted:
            break
        high *= 2
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) < wanted else (low, middle)
    return high


def _reached(
    scenario: CityScenario, network: Network, disease: Disease, people: Ints
) -> Callable[[float], float] | None:
    """Return how many others people reach at a scale; None if they meet nobody."""
    pair, hazard = _hazards(scenario, network, people)
    if not hazard.any():
        return None
    order = np.argsort(pair)
    pair, hazard = pair[order], hazard[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    total = np.maximum(np.add.reduceat(hazard, first), hazard.max() * 1e-6)
    # Hazards of nearly the same size together, so that an evaluation takes few exponentials.
    logs = np.log(total)
    span = max(float(logs.max() - logs.min()), 1e-9)
    bins = np.minimum((logs - logs.min()) / span * _BINS, _BINS - 1).astype(np.int64)
    counts = np.bincount(bins, minlength=_BINS)
    means = np.bincount(bins, total, minlength=_BINS) / np.maximum(counts, 1)
    # Children have other contacts than adults, and fewer symptoms.
    silent = disease.silent_share(people)[pair[first] // network.people]
    numbers = np.stack([np.bincount(bins, w, minlength=_BINS) for w in (1 - silent, silent)])
    levels = disease.levels()[0].reshape(2, -1, _LEVELS_TOGETHER).mean(axis=2)

    def found(scale: float) -> float:
        caught = -np.expm1(-scale * levels[:, :, np.newaxis] * means).mean(axis=1)
        return float((numbers * caught).sum()) / len(people)

    return found


def _hazards(scenario: CityScenario, network: Network, people: Ints) -> tuple[Ints, Floats]:
    """Return pairs of a person and another, some of them repeatedly, and hazards for each."""
    bounds = layer_bounds(scenario, network)
    share = generation_shares(scenario.disease)
    days = np.arange(1, INFECTIOUS_DAYS + 1, dtype=np.int64)
    pair, hazard = [], []
    for layer in range(len(LAYERS)):
        factor = bounds[layer] / network.most[layer]
        open_days = days[is_working_day(days)] if layer in WEEKDAY_LAYERS else days
        if layer in GROUPS:
            # Members are the same each day, so they are looked up once, on a working day.
            met = network.contacts(people, 0, [layer])
            pair.append(met.of * network.people + met.other)
            total = np.zeros(len(met.of))
            for day in open_days.tolist():
                intensity = network.intensity(layer, people[met.of], met.other, day)
                total += share[day - 1] * intensity
            hazard.append(total * factor)
        else:
            for day in open_days.tolist():
                met = network.contacts(people, day, [layer])
                pair.append(met.of * network.people + met.other)
                intensity = network.intensity(layer, people[met.of], met.other, day)
                hazard.append(share[day - 1] * factor * intensity)
    return np.concatenate(pair), np.concatenate(hazard)


def first_share(transmission: Transmission, cases: Ints) -> float:
    """Return which share of those whom cases reach they infect before anybody else does.

    Args:
        transmission: in an endless city.
        cases: sorted people who are infected on day 0, too far apart to meet.
    """
    effect = Effect(np.full(len(LAYERS), ONE), np.full(len(LAYERS), ONE))
    waiting: defaultdict[int, list[Attempts]] = defaultdict(list)
    infected = new = cases
    reached, direct = [], 0
    for day in range(INFECTIOUS_DAYS + 1):
        if day:
            made = Attempts.joined(waiting.pop(day, []))
            found = transmission.infections(made, day, _NobodyAtHome(), effect)
            of_case = _is_among(found.source, cases)
            reached.append(found.source[of_case] << PERSON_BITS | found.target[of_case])
            found = found.of(np.flatnonzero(~_is_among(found.target, infected))).first_of_each()
            direct += int(_is_among(found.source, cases).sum())
            new = found.target
            infected = np.sort(np.concatenate([infected, new]))
        for later, attempts in transmission.attempts(new, day):
            waiting[later].append(attempts)
    number = count_distinct(np.concatenate(reached))
    return direct / number if number else 1.0


def _is_among(people: Ints, ordered: Ints) -> Bools:
    """Return which people are among some others, who are sorted."""
    at = np.minimum(np.searchsorted(ordered, people), len(ordered) - 1)
    return np.asarray(ordered[at] == people)


class _NobodyAtHome(People):
    """A city in which nobody stays at home. It stores nothing, however large the city is."""

    def __init__(self) -> None:
        """Store nothing."""

    def is_away(self, people: Ints, days: int | Ints) -> Bools:  # noqa: ARG002 - never
        """Return False for everybody."""
        return np.zeros(len(people), dtype=bool)
