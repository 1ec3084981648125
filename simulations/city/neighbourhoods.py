"""Neighbourhoods: who lives with whom, how old they are, and where they go by day.

A few neighbourhoods are drawn in detail, as tables of places. Each neighbourhood of the city uses
one of these tables. A person is a neighbourhood and a place in it. All tables have the same numbers
of households of each size, of people of each decade, of pupils, workers and riders, and of random
contacts. So shuffles of the whole city know the number of pupils or workers without asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from simulations.city.keys import CityPeopleKeys, CityScenario, RandomKeys
from simulations.streams import Streams
from tracetogether.units import Bools, Codes, Floats, Ints

PLACES: Final = 5_000
"""Greatest number of people of a neighbourhood."""
DRAWN: Final = 16
"""Neighbourhoods that are drawn; others repeat them."""
DECADES: Final = 9
ADULT_DECADE: Final = 2
OLD_DECADE: Final = 6
_MOST_CONTACTS: Final = 40

# Chance that a household's adults are old, by its size: assumed, so that most old people live
# alone or in twos and some with a family. Scaled until the number of old people is right.
_OLD_WEIGHT: Final = (1.0, 1.0, 0.35, 0.15, 0.2, 0.25, 0.25, 0.25)


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Tables of all drawn neighbourhoods, one behind the other; see ``draw``.

    Attributes:
        places: people of one neighbourhood.
        age: years of each place.
        home_first, home_size: first place of the household of each place, and its size.
        pupil_rank, worker_rank, rider_rank: number among those of the neighbourhood; -1: none.
        pupils, workers, riders: place (within the neighbourhood) of each rank, per table.
        near_first, far_first: first of the place's contacts among those of the neighbourhood.
        near_owner, far_owner: place (within the neighbourhood) of each such contact, per table.
        near_number, far_number: numbers of contacts per day of each place.
    """

    places: int
    age: npt.NDArray[np.int8]
    home_first: Codes
    home_size: Codes
    pupil_rank: Codes
    worker_rank: Codes
    rider_rank: Codes
    pupils: Codes
    workers: Codes
    riders: Codes
    near_first: Codes
    far_first: Codes
    near_owner: Codes
    far_owner: Codes
    near_number: Codes
    far_number: Codes

    @property
    def tables(self) -> int:
        """Return how many neighbourhoods were drawn."""
        return len(self.age) // self.places

    def per_table(self, column: npt.NDArray[np.generic]) -> int:
        """Return how many entries of ``column`` a neighbourhood has."""
        return len(column) // self.tables


def draw(scenario: CityScenario, seed: int) -> Neighbourhoods:
    """Draw neighbourhoods for a city."""
    keys = scenario.people
    number = -(-keys.count // PLACES)
    places = -(-keys.count // number)  # so the last neighbourhood is nearly full
    tables = min(DRAWN, number)
    streams = Streams(seed)
    drawn = [
        _table(scenario, places, streams.generator("city", "neighbourhood", table))
        for table in range(tables)
    ]
    return Neighbourhoods(places, *(np.concatenate(column) for column in zip(*drawn, strict=True)))


def _table(
    scenario: CityScenario, places: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.generic], ...]:
    keys, contacts = scenario.people, scenario.contacts
    first, size = _homes(keys, places, rng)
    age = _ages(keys, first, size, rng)
    decade = np.minimum(age // 10, DECADES - 1)
    young, twenties = decade < ADULT_DECADE, decade == ADULT_DECADE
    of_age = (decade >= ADULT_DECADE) & (decade <= OLD_DECADE)
    pupil = _share(young, keys.pupils, rng) | _share(twenties, keys.students, rng)
    worker = _share(of_age & ~pupil, keys.workers, rng)
    rider = _share(pupil | worker, keys.riders, rng)
    pupil_rank, pupils = _ranks(pupil, rng, 1)
    worker_rank, workers = _ranks(worker, rng, 1)
    rider_rank, riders = _ranks(rider, rng, 4)
    near_first, near_owner, near = _stubs(contacts.neighbourhood, places, rng)
    far_first, far_owner, far = _stubs(contacts.city, places, rng)
    return (
        age.astype(np.int8),
        first.astype(np.int32),
        size.astype(np.int32),
        pupil_rank,
        worker_rank,
        rider_rank,
        pupils,
        workers,
        riders,
        near_first,
        far_first,
        near_owner,
        far_owner,
        near,
        far,
    )


def _apportioned(shares: Sequence[float], total: int) -> Ints:
    """Return whole numbers in proportion to ``shares`` that sum to ``total``."""
    ends = np.rint(np.cumsum(shares) / np.sum(shares) * total).astype(np.int64)
    return np.asarray(np.diff(ends, prepend=0), dtype=np.int64)


def _values(table: object) -> list[float]:
    return [getattr(table, key) for key in type(table).__slots__]  # type: ignore[attr-defined]


def _homes(keys: CityPeopleKeys, places: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return the first place and the size of the household of each place."""
    shares = np.array(_values(keys.households))
    sizes = np.arange(1, len(shares) + 1)
    homes = _apportioned(list(shares), int(places / (shares / shares.sum() @ sizes)))
    listed = np.repeat(sizes, homes)
    while listed.sum() > places:
        listed = np.delete(listed, np.argmax(listed))
    largest = int(sizes[shares > 0].max())
    rest = places - int(listed.sum())
    more = [largest] * (rest // largest) + [rest % largest] * (rest % largest > 0)
    listed = np.concatenate([listed, np.array(more, dtype=np.int64)])
    listed = listed[np.argsort(rng.random(len(listed)))]
    return np.repeat(np.cumsum(listed) - listed, listed), np.repeat(listed, listed)


def _ages(keys: CityPeopleKeys, first: Ints, size: Ints, rng: np.random.Generator) -> Ints:
    """Return everybody's age: children live with adults, and old people in few households.

    The number of people of each decade is exact.
    """
    places = len(first)
    counts = _apportioned(_values(keys.ages), places)
    position = np.arange(places) - first
    # Old people: whole households by a random key, then single people until the number is right.
    weight = np.array(_OLD_WEIGHT)[size - 1]
    of_home = rng.random(places)[first] / weight
    grown = np.lexsort((position, of_home, position >= 2))
    decade = np.full(places, -1)
    old = grown[: counts[OLD_DECADE:].sum()]
    # Children: the third and further people of a household first.
    left = np.flatnonzero(~_marked(old, places))
    younger = left[np.lexsort((rng.random(len(left)), -np.minimum(position[left], 2)))]
    children = younger[: counts[:ADULT_DECADE].sum()]
    adults = left[~_marked(children, places)[left]]
    for group, low, high in (
        (children, 0, ADULT_DECADE),
        (adults, ADULT_DECADE, OLD_DECADE),
        (old, OLD_DECADE, DECADES),
    ):
        mixed = group[np.argsort(rng.random(len(group)))]
        decade[mixed] = np.repeat(np.arange(low, high), counts[low:high])
    return decade * 10 + (rng.random(places) * 10).astype(np.int64)


def _marked(chosen: Ints, places: int) -> Bools:
    marks = np.zeros(places, dtype=bool)
    marks[chosen] = True
    return marks


def _share(among: Bools, share: float, rng: np.random.Generator) -> Bools:
    """Return a random choice of exactly this share of those that ``among`` marks."""
    where = np.flatnonzero(among)
    mixed = where[np.argsort(rng.random(len(where)))]
    chosen = np.zeros(len(among), dtype=bool)
    chosen[mixed[: round(share * len(where))]] = True
    return chosen


def _ranks(chosen: Bools, rng: np.random.Generator, multiple: int) -> tuple[Codes, Codes]:
    """Return each place's random rank among the chosen (-1: none), and the place of each rank."""
    where = np.flatnonzero(chosen)
    mixed = where[np.argsort(rng.random(len(where)))].astype(np.int32)
    mixed = mixed[: len(mixed) // multiple * multiple]
    ranks = np.full(len(chosen), -1, np.int32)
    ranks[mixed] = np.arange(len(mixed), dtype=np.int32)
    return ranks, mixed


def _stubs(keys: RandomKeys, places: int, rng: np.random.Generator) -> tuple[Codes, Codes, Codes]:
    """Return the first contact of each place, the place of each contact, and the numbers.

    The numbers have exactly the shares of a negative binomial distribution, or are all alike. Their
    sum is even, because contacts come in pairs.
    """
    shuffled = np.argsort(rng.random(places))
    number: Codes = _numbers(keys, places)[shuffled].astype(np.int32)
    owner = np.repeat(np.arange(places, dtype=np.int32), number)
    ends: Codes = np.cumsum(number, dtype=np.int32)
    return ends - number, owner.astype(np.int32), number


def _numbers(keys: RandomKeys, places: int) -> Ints:
    if not keys.spread:
        number = np.full(places, round(keys.number))
    else:
        shape = 1 / keys.spread**2
        share = np.zeros(_MOST_CONTACTS + 1)
        share[0] = (shape / (shape + keys.number)) ** shape
        for count in range(_MOST_CONTACTS):
            odds = keys.number / (shape + keys.number)
            share[count + 1] = share[count] * (count + shape) / (count + 1) * odds
        number = np.repeat(np.arange(len(share)), _apportioned(list(share), places))
    if number.sum() % 2:
        number[-1] += 1
    return number


def workplace_sizes(median: float, spread: float, total: int) -> Ints:
    """Return sizes of workplaces, lognormal, that sum to ``total``; the same for each seed."""
    quantiles: Floats = (np.arange(2_000) + 0.5) / 2_000
    sizes = np.rint(median * np.exp(spread * ndtri(quantiles))).astype(np.int64)
    sizes = np.clip(sizes, 2, 2_000)
    sizes = sizes[np.argsort(Streams(0).generator("city", "workplaces").random(len(sizes)))]
    sizes = np.tile(sizes, -(-total // int(sizes.sum())))
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), total)) + 1]
    sizes[-1] -= sizes.sum() - total
    return sizes
