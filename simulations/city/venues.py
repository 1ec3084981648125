"""Visits of places: who was in the same room as a case, at an overlapping time.

Nothing is stored. Each contact in the neighbourhood and in the city, and each ride, may be a visit.
``Network.company`` says who comes to the same place in the same hour. Those who meet come and leave
together, and stay at least as long as their contact. Others come at any minute of that hour.

Three kinds of places stand for all: shops in the neighbourhood (16 visits begin in an hour), halls
in the city (64) and vehicles (64 riders). A share of the contacts is at places, so that the mean
number of visits is ``presence.visits``; other contacts are in streets and homes. Infections are
made by contacts alone: who shared the air without a contact is never infected by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.hashes import PERSON_BITS, below, chance, happens, hashed, key_of, rehashed
from simulations.city.keys import CITY, LAYERS, NEIGHBOURHOOD, TRANSPORT, CityScenario
from simulations.city.look_back import LookBack
from simulations.city.network import (
    COMPANY,
    MEAN_INTENSITY,
    PER_TRIP,
    WEEKDAY_LAYERS,
    Network,
    is_working_day,
)
from simulations.city.people import People
from tracetogether.parameters import VISITS
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Ints

PLACES: Final = (NEIGHBOURHOOD, CITY, TRANSPORT)
"""Layers whose contacts are made on visits."""
AIR_MINUTES: Final = 15
"""Who was in one place together for so long shared the air, as `simulate check-in` counts it."""
CASES_AT_A_TIME: Final = 96
"""Cases whose visits are listed at a time, so that columns stay small."""
_HOUR: Final = 60
_LAYER_SHIFT: Final = 32
_STEP, _LEAST, _AIR = (
    int(seconds // SECONDS_PER_MINUTE)
    for seconds in (VISITS.interval_s, VISITS.least_s, VISITS.air_s)
)


@dataclass(frozen=True, slots=True)
class SharedRooms:
    """A case and somebody else in the same place in the same hour, in columns.

    Attributes:
        layer: of the visits.
        case, other: the two.
        day: when.
        place: a number of the place, different for each place of all kinds.
        begin, end: minutes of the hour from and until which the case was there.
        came, left: the same of the other.
        visit: number of the case's visit; the rows of a visit follow each other.
    """

    layer: int
    case: Ints
    other: Ints
    day: Ints
    place: Ints
    begin: Ints
    end: Ints
    came: Ints
    left: Ints
    visit: Ints

    @property
    def shared(self) -> Bools:
        """Return whether the two shared the air for 15 minutes."""
        together = np.minimum(self.end, self.left) - np.maximum(self.begin, self.came)
        return np.asarray(together >= AIR_MINUTES)


class Venues:
    """The visits of a city.

    Args:
        scenario: of the city.
        network: of the city.
        people: who stayed at home when.
        open_shares: (layers, days) contacts that take place; see ``effects``.
        seed: of the run.
    """

    def __init__(
        self,
        scenario: CityScenario,
        network: Network,
        people: People,
        open_shares: Ints,
        seed: int,
    ) -> None:
        keys = scenario.presence
        self._network, self._open, self._seed = network, open_shares, seed
        self._look_back = LookBack(network, people)
        self._minutes = [
            getattr(scenario.contacts, name).minutes / MEAN_INTENSITY for name in LAYERS
        ]
        self._stay = [keys.visit_minutes] * len(LAYERS)
        self._stay[TRANSPORT] = keys.ride_minutes
        made = sum(float(network.slots[layer].mean()) for layer in (NEIGHBOURHOOD, CITY))
        self._are_places = chance(min(1.0, keys.visits / made) if made else 0.0)

    def rooms(self, cases: Ints, days: Ints) -> Iterator[SharedRooms]:
        """Yield everybody who came to the same place in the same hour as a case, by layer.

        Days on which the case stayed at home are left out. The others' days at home are not: only
        the shard that owns them knows these.
        """
        for low in range(0, len(cases), CASES_AT_A_TIME):
            part = cases[low : low + CASES_AT_A_TIME]
            out = self._look_back.was_out(part, days)
            for layer in PLACES:
                there = out & is_working_day(days) if layer in WEEKDAY_LAYERS else out
                yield self._rooms(layer, part, days, there)

    def _rooms(self, layer: int, cases: Ints, days: Ints, there: Bools) -> SharedRooms:
        network = self._network
        on, of = np.nonzero(there.T)  # day after day, so that the tables of a day are in the cache
        number = network.slots[layer][network.place(cases)][of].astype(np.int64)
        if layer == TRANSPORT:
            number //= PER_TRIP
        of, day = np.repeat(of, number), np.repeat(days[on], number)
        visit = np.arange(len(of)) - np.repeat(np.cumsum(number) - number, number)
        place, company, mine = network.company(layer, cases, visit, day, of)
        place |= layer << _LAYER_SHIFT
        if layer != TRANSPORT:
            kept = happens(hashed(key_of(self._seed, "is a place"), place), self._are_places)
            of, day, place = of[kept], day[kept], place[kept]
            company, mine = company[kept], mine[kept]
        own = cases[of]
        if not own.size:
            return SharedRooms(layer, *[own] * 9)
        came, left = self._times(layer, company, place, day)
        row = np.arange(len(own))
        begin, end = came[row, mine], left[row, mine]
        # Those who came late or left early are not listed: at most the air of half an hour stays.
        near = (left > begin[:, None]) & (came < end[:, None] + _AIR + _STEP)
        near &= (company >= 0) & (company != own[:, None]) & (end > begin)[:, None]
        at, column = np.nonzero(near)
        return SharedRooms(
            layer,
            own[at],
            company[at, column],
            day[at],
            place[at],
            begin[at],
            end[at],
            came[at, column],
            left[at, column],
            at,
        )

    def _times(self, layer: int, company: Ints, place: Ints, day: Ints) -> tuple[Ints, Ints]:
        """Return (n, COMPANY) minutes of coming and leaving, equal for people who don't come.

        People who have contacts stay away if closures prevent all of them.
        """
        together = PER_TRIP + 1 if layer == TRANSPORT else 2
        groups = COMPANY[layer] // together
        # Equal keys of a day from both sides: the day is part of the number that is hashed.
        packed = (place[:, None] * groups + np.arange(groups)) << 12 | day[:, None]
        draw = hashed(key_of(self._seed, "comes"), packed)
        mean = self._stay[layer]
        came = below(draw, _HOUR)
        stay = round(mean / 2) + below(rehashed(draw), max(round(mean), 1))
        shape = (*packed.shape, together)
        people = company.reshape(shape)
        longest = np.zeros(packed.shape, dtype=np.int64)
        met = np.zeros(packed.shape, dtype=bool)
        share = self._open[layer]
        for turn in range(1, together):
            others = people[..., np.arange(together) ^ turn]
            real = (people >= 0) & (others >= 0) & (people != others)
            rows = np.nonzero(real)
            on = day[rows[0]]
            found = self._network.intensity(layer, people[rows], others[rows], on, share.take(on))
            minutes = np.zeros(shape, dtype=np.int64)
            minutes[rows] = np.ceil(found * self._minutes[layer]).astype(np.int64)
            longest = np.maximum(longest, minutes.max(axis=2))
            met |= real.any(axis=2)
        stay = np.maximum(stay, longest)
        stay[met & (longest == 0)] = 0
        came, stay = (np.repeat(column, together, axis=1) for column in (came, stay))
        return came, came + stay


def warned_minutes(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return from which to which minute a case's visit is warned of, for columns of visits.

    The rule is that of ``presence.sealed.WarnedTime``: the stay and the air after it, in whole
    steps of 10 minutes. A visit that is too short is warned of from minute 0 to 0.

    >>> warned_minutes(np.array([0, 0]), np.array([45, 9]))
    (array([0, 0]), array([80,  0]))
    """
    length = end - begin
    until = end + np.minimum(length, _AIR)
    number = np.maximum((2 * (until - begin) + _STEP) // (2 * _STEP), 1)
    first, last = begin // _STEP, until // _STEP
    later = until - last * _STEP > (first + 1) * _STEP - begin
    first = np.where(later, last + 1 - number, first)
    long = length >= _LEAST
    return np.where(long, first * _STEP, 0), np.where(long, (first + number) * _STEP, 0)


def heard_minutes(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return for which minutes TempIDs of a place are published, for columns of a case's stays.

    A place sends a new TempID each quarter of an hour. Those that the case may have heard are
    published whole.
    """
    quarter = 15
    return begin // quarter * quarter, -(-end // quarter) * quarter


def overlaps(first: Ints, last: Ints, came: Ints, left: Ints) -> Bools:
    """Return whether a guest was there for at least 10 minutes of what is warned of."""
    return np.asarray(np.minimum(last, left) - np.maximum(first, came) >= _LEAST)


def pair_code(case: Ints, other: Ints) -> Ints:
    """Return one whole number for each case and other."""
    return case << PERSON_BITS | other
