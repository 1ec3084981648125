"""Who infects whom, without listing anybody's contacts.

The hazard of a contact is at most a bound. An infected person makes attempts: their number is
Poisson with mean (bound of all contacts) x infectiousness. Each attempt gets a day by the
generation time, and on that day it gets a slot in proportion to the slots' bounds. It succeeds with
probability (hazard of the contact) / bound, if the other is susceptible and both are there. This is
thinning of a Poisson process, and it is exact: the number of successes per contact is Poisson with
the contact's hazard. Measures that lower a hazard only lower the probability of success.

Of several successes on one person and day, the one with the smallest hash counts. So the result
does not depend on the order of work.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from simulations.city.disease import (
    INFECTIOUS_DAYS,
    MEAN_INFECTIOUSNESS,
    Disease,
    generation_shares,
)
from simulations.city.exchange import Columns, joined
from simulations.city.gates import Gates
from simulations.city.hashes import (
    ONE,
    PERSON_BITS,
    happens,
    hashed,
    high_bits,
    key_of,
    low_bits,
    rehashed,
)
from simulations.city.keys import HOUSEHOLD, LAYERS, CityScenario
from simulations.city.network import MEAN_INTENSITY, Network
from simulations.city.people import People
from simulations.streams import Hashes
from tracetogether.units import Floats, Ints

HAZARD_UNIT: Final = 1024
"""Hazards of layers are whole numbers of 1/1024."""
_LARGEST_MEAN: Final = 16
_STEPS: Final = 8  # means per 1, in the table of the Poisson distribution
_CHANCE_BITS: Final = 40
_DAY_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts of one day in columns: who makes them, and which of this person's it is."""

    source: npt.NDArray[np.int32]
    number: npt.NDArray[np.uint16]

    @classmethod
    def joined(cls, parts: Sequence["Attempts"]) -> "Attempts":
        """Return all attempts of several parts."""
        if not parts:
            return cls(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint16))
        return cls(
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.number for part in parts]),
        )

    def rows(self, low: int, high: int) -> "Attempts":
        """Return the rows from ``low`` up to ``high``."""
        return Attempts(self.source[low:high], self.number[low:high])


@dataclass(frozen=True, slots=True)
class Infections:
    """Successful attempts of one day in columns; the hash settles who was first."""

    target: Ints
    source: Ints
    layer: npt.NDArray[np.int8]
    hashes: Hashes

    @classmethod
    def none(cls) -> "Infections":
        """Return no infections."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none.astype(np.int8), none.astype(np.uint64))

    @classmethod
    def joined(cls, parts: Sequence["Infections"]) -> "Infections":
        """Return all infections of several parts."""
        if not parts:
            return cls.none()
        return cls(*joined([part.columns for part in parts]))

    @property
    def columns(self) -> Columns:
        """Return the columns in order."""
        return self.target, self.source, self.layer, self.hashes

    def first_of_each(self) -> "Infections":
        """Return for each target the infection with the smallest hash, sorted by target."""
        order = np.lexsort((self.hashes, self.target))
        target = self.target[order]
        first = np.ones(len(target), dtype=bool)
        first[1:] = target[1:] != target[:-1]
        return self.of(order[first])

    def possible(self, people: People, day: int, gates: Gates | None = None) -> "Infections":
        """Return those whose target is susceptible, and there.

        People at home are there for infections at home alone. Gates keep out who has no pass.
        """
        rows = np.flatnonzero(people.is_susceptible(self.target))
        home = self.layer[rows] == HOUSEHOLD
        found = self.of(rows[home | ~people.is_away(self.target[rows], day)])
        if gates is None or not gates.are_on(day):
            return found
        stopped = gates.stop(found.target, found.source, found.layer.astype(np.int64), day)
        return found.of(np.flatnonzero(~stopped))

    def of(self, rows: Ints) -> "Infections":
        """Return these rows."""
        return Infections(*(column[rows] for column in self.columns))


@dataclass(frozen=True, slots=True)
class Effect:
    """What measures leave on a day, for each layer, in 2**-32.

    Attributes:
        open_share: share of contacts that take place.
        hazard_share: share of the hazard of those.
    """

    open_share: Ints
    hazard_share: Ints


class PoissonTable:
    """Poisson numbers from hashes, by tables of whole numbers.

    A mean between two steps takes the next lower or higher one at random, so the mean of the
    numbers is exact. A larger mean is a sum of smaller ones.
    """

    def __init__(self) -> None:
        self._width = 4 * _LARGEST_MEAN + 16
        self._rows = _LARGEST_MEAN * _STEPS + 1
        table = np.empty((self._rows, self._width), dtype=np.int64)
        for row in range(self._rows):
            mean = row / _STEPS
            # Decimal rounds correctly everywhere; what follows are single IEEE operations.
            share = float((-Decimal(mean)).exp())
            total = 0.0
            for number in range(self._width):
                total += share
                table[row, number] = (row << _CHANCE_BITS) + int(total * (1 << _CHANCE_BITS))
                share = share * mean / (number + 1)
            table[row, -1] = (row + 1) << _CHANCE_BITS
        self._ends = table.ravel()

    def numbers(self, means: Floats, hashes: Hashes) -> Ints:
        """Return one Poisson number for each mean >= 0."""
        found = np.zeros(len(means), dtype=np.int64)
        index = np.arange(len(means))
        while index.size:
            part = np.minimum(means, _LARGEST_MEAN)
            step = part * _STEPS
            row = step.astype(np.int64)
            between = (step - row) * (1 << (64 - _CHANCE_BITS))
            row += (hashes & np.uint64((1 << (64 - _CHANCE_BITS)) - 1)).view(np.int64) < between
            where = (row << _CHANCE_BITS) + (hashes >> np.uint64(64 - _CHANCE_BITS)).view(np.int64)
            found[index] += np.searchsorted(self._ends, where, side="right") - row * self._width
            more = np.flatnonzero(means > _LARGEST_MEAN)
            index, means = index[more], means[more] - _LARGEST_MEAN
            hashes = rehashed(hashes[more])
        return found


@cache
def poisson_table() -> PoissonTable:
    """Return the table that all runs of this process share."""
    return PoissonTable()


class Transmission:
    """The attempts of a run.

    Args:
        scenario: of the city.
        network: of the city.
        disease: the infection in its people.
        seed: of the run.
        scale: mean attempts for a bound of 1 and mean infectiousness; see ``calibration``.
    """

    def __init__(
        self, scenario: CityScenario, network: Network, disease: Disease, seed: int, scale: float
    ) -> None:
        self._network, self._disease, self._seed = network, disease, seed
        self._bounds = layer_bounds(scenario, network)
        ends = np.cumsum(
            [slots * bound for slots, bound in zip(network.slots, self._bounds, strict=True)],
            axis=0,
            dtype=np.int64,
        )
        self._ends = [np.ascontiguousarray(row, dtype=np.int64) for row in ends]
        self._scale = scale / MEAN_INFECTIOUSNESS
        self._poisson = poisson_table()
        shares = np.rint(np.cumsum(generation_shares(scenario.disease)) * (1 << _DAY_BITS))
        self._day = np.repeat(
            np.arange(1, INFECTIOUS_DAYS + 1, dtype=np.uint8),
            np.diff(shares.astype(np.int64), prepend=0).astype(np.int64),
        )

    def attempts(self, infected: Ints, day: int) -> list[tuple[int, Attempts]]:
        """Return all attempts that people make who are infected on ``day``, by day."""
        place = self._network.place(infected)
        means = np.asarray(self._disease.infectiousness(infected) * self._scale, dtype=np.float64)
        means *= self._ends[-1][place]
        numbers = self._poisson.numbers(means, hashed(key_of(self._seed, "attempts"), infected))
        source = np.repeat(infected.astype(np.int32), numbers)
        number = np.arange(len(source)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        packed = source.astype(np.int64) | number << PERSON_BITS
        hashes = hashed(key_of(self._seed, "day of attempt"), packed)
        after = self._day[(hashes >> np.uint64(64 - _DAY_BITS)).view(np.int64)]
        order = np.argsort(after, kind="stable")
        source, numbers_16 = source[order], number[order].astype(np.uint16)
        ends = np.cumsum(np.bincount(after, minlength=INFECTIOUS_DAYS + 1))
        # Copies, because views of a day would keep the memory of all days until the last one.
        return [
            (day + later, Attempts(source[low:high].copy(), numbers_16[low:high].copy()))
            for later, (low, high) in enumerate(itertools.pairwise(ends), start=1)
            if high > low
        ]

    def infections(
        self,
        made: Attempts,
        day: int,
        people: People,
        effect: Effect,
        gates: Gates | None = None,
    ) -> Infections:
        """Return the attempts of ``day`` that succeed, if the other is there and susceptible.

        Args:
            made: the attempts.
            day: the day.
            people: which of those who make them stay at home.
            effect: what measures leave of contacts and hazards.
            gates: which keep out those of them who have no pass.
        """
        source = made.source.astype(np.int64)
        packed = source | made.number.astype(np.int64) << PERSON_BITS
        hashes = hashed(key_of(self._seed, "slot of attempt"), packed)
        place = self._network.place(source)
        at = high_bits(hashes)
        at *= self._ends[-1][place]  # the ends are below 2**31
        at >>= 32
        layer = np.zeros(len(source), dtype=np.int8)
        for ends in self._ends[:-1]:
            layer += ends[place] <= at
        goes_out = ~people.is_away(source, day)
        parts = []
        for number, bound in enumerate(self._bounds):
            inside = layer == number
            rows = np.flatnonzero(inside if number == HOUSEHOLD else inside & goes_out)
            if rows.size:
                start = self._ends[number - 1][place[rows]] if number else 0
                slots = (at[rows] - start) // bound
                meeting = _Meeting(number, source[rows], slots, hashes[rows])
                parts.append(self._caught(meeting, day, effect))
        found = Infections.joined(parts)
        if gates is None or not gates.are_on(day):
            return found
        stopped = gates.stop(found.source, found.target, found.layer.astype(np.int64), day)
        return found.of(np.flatnonzero(~stopped))

    def _caught(self, meeting: "_Meeting", day: int, effect: Effect) -> Infections:
        """Return which attempts of one layer succeed."""
        layer, source = meeting.layer, meeting.source
        target = self._network.partner(layer, source, meeting.slots, day)
        met = np.flatnonzero(target >= 0)
        source, target, hashes = source[met], target[met], rehashed(meeting.hashes[met])
        intensity = self._network.intensity(
            layer, source, target, day, int(effect.open_share[layer])
        )
        caught = low_bits(hashes) * self._network.most[layer] < intensity << 32
        left = int(effect.hazard_share[layer])
        if left < ONE:
            caught &= happens(hashes, left)
        rows = np.flatnonzero(caught)
        layers = np.full(len(rows), layer, dtype=np.int8)
        return Infections(target[rows], source[rows], layers, hashes[rows])


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Attempts of one layer in columns."""

    layer: int
    source: Ints
    slots: Ints
    hashes: Hashes


def layer_bounds(scenario: CityScenario, network: Network) -> list[int]:
    """Return the greatest hazard of a contact in each layer, in whole numbers."""
    hazards = [getattr(scenario.contacts, name).hazard for name in LAYERS]
    return [
        round(hazard * HAZARD_UNIT * most / MEAN_INTENSITY)
        for hazard, most in zip(hazards, network.most, strict=True)
    ]
