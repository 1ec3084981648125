"""The infectiousness that gives a city its reproduction number.

A person who meets the same people each day can infect each of them only once. So the reproduction
number is less than the sum of all hazards. For people drawn at random, all contacts of 14 days are
listed, and hazards with the same other person are summed. A person of infectiousness i infects
``sum of (1 - exp(-scale * i * hazard))`` others.
"""

from typing import Final

import numpy as np
from scipy.optimize import brentq

from simulations.city.disease import INFECTIOUS_DAYS, Disease, generation_shares
from simulations.city.keys import CityScenario
from simulations.city.network import Network
from simulations.city.transmission import layer_bounds
from tracetogether.units import Floats, Ints

SAMPLE: Final = 3_000
_SEED: Final = 0  # the same infectiousness for every seed of a scenario
_BINS: Final = 400
_MOST_DOUBLINGS: Final = 60


def attempt_scale(scenario: CityScenario) -> float:
    """Return the mean number of attempts for a bound of 1 and mean infectiousness.

    Depends on people, contacts and disease alone.
    """
    wanted = scenario.disease.reproduction_number
    hazards, counts, levels, shares = _hazards(scenario)
    if not wanted or not hazards.size:
        return 0.0

    def missing(scale: float) -> float:
        escaped = np.exp(-scale * np.outer(hazards, levels)) @ shares
        return float(counts @ (1 - escaped)) - wanted

    high = wanted / float(counts @ hazards) / float(levels @ shares)
    for _ in range(_MOST_DOUBLINGS):
        if missing(high) > 0:
            break
        high *= 2
    # Fewer digits than a float has: the same number on every processor.
    return float(f"{brentq(missing, 0.0, high, xtol=high * 1e-12):.9g}")


def _hazards(scenario: CityScenario) -> tuple[Floats, Floats, Floats, Floats]:
    """Return hazards and their number per person, and infectiousnesses and their shares."""
    network = Network(scenario, _SEED)
    disease = Disease(scenario.disease, network, _SEED)
    number = min(SAMPLE, network.people)
    people = np.arange(number, dtype=np.int64) * network.people // number
    bounds = np.array(layer_bounds(scenario, network), dtype=np.float64)
    share = generation_shares(scenario.disease)
    pair, hazard = [], []
    for day in range(INFECTIOUS_DAYS):
        met = network.contacts(people, day)
        for layer in np.unique(met.layer):
            rows = met.layer == layer
            of, other = met.of[rows], met.other[rows]
            intensity = network.intensity(int(layer), people[of], other, day)
            pair.append(of * network.people + other)
            hazard.append(share[day] * bounds[layer] * intensity / network.most[layer])
    if not pair:
        return np.zeros(0), np.zeros(0), np.ones(1), np.ones(1)
    _pairs, index = np.unique(np.concatenate(pair), return_inverse=True)
    total = np.bincount(index, np.concatenate(hazard)).astype(np.float64)
    bins = _bins(total)
    counts = np.bincount(bins, minlength=_BINS) / len(people)
    sums = np.bincount(bins, total, minlength=_BINS) / len(people)
    used = counts > 0
    return sums[used] / counts[used], counts[used], *disease.levels()


def _bins(values: Floats) -> Ints:
    logs = np.log(np.maximum(values, values.max() * 1e-6))
    span = max(float(logs.max() - logs.min()), 1e-9)
    bins = np.minimum((logs - logs.min()) / span * _BINS, _BINS - 1)
    return np.asarray(bins, dtype=np.int64)
