"""What a network's contacts look like: symmetry, partners and numbers of contacts by layer.

Each figure has a theory: contacts are mutual, partners are uniform, and numbers of contacts follow
the keys of the scenario.
"""

from typing import Final

import numpy as np
from scipy import stats

from simulations.city.hashes import below, hashed, key_of
from simulations.city.keys import (
    CITY,
    CLASSROOM,
    HOUSEHOLD,
    LAYERS,
    NEIGHBOURHOOD,
    SCHOOL,
    TEAM,
    TRANSPORT,
    CityScenario,
    RandomKeys,
)
from simulations.city.neighbourhoods import workplace_sizes
from simulations.city.network import PER_TRIP, TRIPS, WORK_CYCLE, Network
from tracetogether.units import Floats, Ints

_EDGES: Final = 1_250_000  # slots; some are empty, and more than a million contacts are left
_ASKED: Final = 100  # people whose partners are counted
_BLOCKS: Final = 500  # of people who can be partners
_COUNTED: Final = 4_000  # people of a layer whose contacts are counted
_WEEKDAY: Final = 1
_FEWEST: Final = 5.0  # expected people; rarer numbers of contacts are counted together
_MOST: Final = 260  # contacts of one person in one layer


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


def uniformity_p(network: Network, layer: int) -> float:
    """Return the p of a chi-square test of the partners of some people in 50 weekdays.

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
    return _chi_square_p(counts, weight / weight.sum() * counts.sum())


def degree_p(scenario: CityScenario, network: Network, layer: int) -> float:
    """Return the p of a chi-square test: do numbers of contacts in a layer follow the keys?

    The sample is random people who have the role for the layer, on a weekday. 1 if nobody has it.
    """
    wanted = expected_degrees(scenario, network, layer)
    with_role = network.slots[layer] > 0
    if layer in {HOUSEHOLD, NEIGHBOURHOOD, CITY}:  # everybody, also those who meet nobody
        with_role[:] = True
    if not with_role.any() or not wanted[1:].any():
        return 1.0
    draws = hashed(key_of(0, "counted"), np.arange(_COUNTED * 50, dtype=np.int64))
    people = below(draws, network.people)
    people = np.unique(people[with_role[network.place(people)]][:_COUNTED])
    met = network.contacts(people, _WEEKDAY, [layer])
    degrees = np.bincount(met.of, minlength=len(people))
    return _chi_square_p(np.bincount(degrees, minlength=_MOST + 1), wanted * len(people))


def _chi_square_p(found: Ints | Floats, wanted: Floats) -> float:
    """Return the p of Pearson's test, with rare numbers in one class."""
    often = wanted >= _FEWEST
    counts = np.append(found[often], found[~often].sum())
    expected = np.append(wanted[often], wanted[~often].sum())
    if counts[expected == 0].any():
        return 0.0
    counts, expected = counts[expected > 0], expected[expected > 0]
    if len(counts) < 2:
        return 1.0
    return float(stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue)


def expected_degrees(scenario: CityScenario, network: Network, layer: int) -> Floats:
    """Return which shares of those with the role should have 0, 1, 2 ... contacts on a weekday."""
    contacts = scenario.contacts
    if layer == HOUSEHOLD:
        homes = scenario.people.households
        shares = np.array([getattr(homes, f"size_{size}") * size for size in range(1, 9)])
    elif layer in {NEIGHBOURHOOD, CITY}:
        shares = _negative_binomial(contacts.city if layer == CITY else contacts.neighbourhood)
    elif layer == TRANSPORT:
        shares = _on_the_way(network)
    elif layer == CLASSROOM:
        full, left = divmod(
            network.tables.per_table(network.tables.pupils), contacts.classroom.size
        )
        sizes = np.array([contacts.classroom.size] * full + [left] * (left > 0), dtype=np.int64)
        shares = np.bincount(sizes - 1, sizes) if sizes.size else np.zeros(1)
    elif layer == SCHOOL:
        pupils = np.array([network.tables.per_table(network.tables.pupils)])
        shares = _reflected(contacts.school.number, pupils, pupils)
    else:
        shares = _at_work(scenario, network, layer)
    found = np.zeros(_MOST + 1)
    found[: len(shares)] = shares
    return _without_missing(found / max(found.sum(), 1e-300), network)


def _without_missing(shares: Floats, network: Network) -> Floats:
    """Return the shares when the last places of the last neighbourhood are empty."""
    places = network.tables.places
    missing = -(-network.people // places) * places - network.people
    lost = np.arange(len(shares)) * shares * (missing / (network.people + missing))
    return np.asarray(shares - lost + np.append(lost[1:], 0.0), dtype=np.float64)


def _negative_binomial(keys: RandomKeys) -> Floats:
    if not keys.spread:
        return np.bincount([round(keys.number)]).astype(np.float64)
    shape = 1 / keys.spread**2
    shares = stats.nbinom(shape, shape / (shape + keys.number)).pmf(np.arange(_MOST + 1))
    return np.asarray(shares, dtype=np.float64)


def _reflected(number: int, sizes: Ints, present: Ints) -> Floats:
    """Return how many of ``number`` reflections in groups find somebody else who is present."""
    chance = np.maximum(present - 1, 0) / np.maximum(sizes, 1)
    degrees = stats.binom(number, chance[:, None]).pmf(np.arange(number + 1))
    return np.asarray(present @ degrees, dtype=np.float64)


def _on_the_way(network: Network) -> Floats:
    """Return the shares on the way: full trips, but fewer contacts on the last, shorter line."""
    neighbourhoods = -(-network.people // network.tables.places)
    riders = network.tables.per_table(network.tables.riders)
    left = neighbourhoods % network.line
    shares = np.zeros(TRIPS * PER_TRIP + 1)
    shares[-1] = neighbourhoods - left
    chance = (left * riders - 1) / max(network.line * riders - 1, 1)
    if left and riders:
        shares += left * stats.binom(TRIPS * PER_TRIP, chance).pmf(np.arange(len(shares)))
    return shares


def _at_work(scenario: CityScenario, network: Network, layer: int) -> Floats:
    """Return the shares at work, where the sizes of workplaces repeat and the last one is cut."""
    keys = scenario.contacts
    workers = network.tables.per_table(network.tables.workers)
    workers *= -(-network.people // network.tables.places)
    if not workers:
        return np.zeros(1)
    cycle = workplace_sizes(
        keys.workplace.size_median, keys.workplace.size_spread, min(WORK_CYCLE, workers)
    )
    sizes = np.tile(cycle, -(-workers // int(cycle.sum())))
    first = np.cumsum(sizes) - sizes
    present = np.clip(workers - first, 0, sizes)
    if layer != TEAM:
        return _reflected(keys.workplace.number, sizes, present)
    # A workplace has teams of one size, and the rest is a smaller one.
    teams = -(-sizes // keys.team.size)
    size = -(-sizes // teams)
    shares = np.zeros(keys.team.size)
    for team in range(int(teams.max())):
        there = np.clip(present - team * size, 0, size)
        np.add.at(shares, np.maximum(there - 1, 0), there)
    return shares
