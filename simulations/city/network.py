"""Who meets whom on a day: a function of the seed that stores no contact.

Each person has a fixed number of slots in each layer. ``Network.partner`` says whom a slot meets on
a day. It is symmetric: if A meets B in a layer, then B meets A in it on the same day.

- Household, classroom and team are groups whose members all meet. Member r meets member
  (r + 1 + slot) modulo the size of the group.
- Other contacts at school and at work are reflections: r meets (c - r) modulo the size, where c is
  a hash of group, day and slot.
- DayContacts in the neighbourhood and the city pair the ends of contacts at random: an exact
  configuration model. Each end is shuffled to a place, and places 2k and 2k + 1 meet.
- On a trip, riders of a line are shuffled to places, and four places in a row meet.

A contact has an intensity, the same from both sides: its minutes and its hazard are in proportion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import log1p

from simulations.city.hashes import ONE, below, hashed, hashed_pairs, key_of, low_bits
from simulations.city.keys import (
    CITY,
    CLASSROOM,
    HOUSEHOLD,
    LAYERS,
    NEIGHBOURHOOD,
    SCHOOL,
    TEAM,
    TRANSPORT,
    WORKPLACE,
    CityScenario,
)
from simulations.city.neighbourhoods import draw, workplace_sizes
from simulations.city.shuffles import Days, Shuffle
from simulations.streams import Hashes
from tracetogether.units import Bools, Codes, Ints

MEAN_INTENSITY: Final = 256
"""The whole number that stands for a contact's mean intensity in its layer."""
GROUPS: Final = (HOUSEHOLD, CLASSROOM, TEAM)
WEEKDAY_LAYERS: Final = (CLASSROOM, TEAM, SCHOOL, WORKPLACE, TRANSPORT)
TRIPS: Final = 2
PER_TRIP: Final = 3
_INTENSITY_BITS: Final = 12
_MOST_INTENSE: Final = 4.0  # of random contacts, times the mean before the tail is cut
WORK_CYCLE: Final = 20_000
"""Workers after which the sizes of workplaces repeat."""
_CARRIAGE: Final = 64  # riders of a carriage; a power of 2
COMPANY: Final[Mapping[int, int]] = MappingProxyType(
    {NEIGHBOURHOOD: 16, CITY: 64, TRANSPORT: _CARRIAGE}
)
"""People who come to the same place in the same hour, by layer; powers of 2. All are assumed."""
_PERSON_SHIFT: Final = 8
_DAYS_OF_WORK: Final = 5
_DAYS_OF_WEEK: Final = 7

_ALL: Final = range(len(LAYERS))

Rows = Ints | slice
"""Rows of columns with one entry per person, one for each answer; a slice takes all as they are."""


def is_working_day(day: Days) -> Bools:
    """Return whether people work and learn on that day; day 0 is a Monday."""
    return np.asarray(day % _DAYS_OF_WEEK < _DAYS_OF_WORK)


@dataclass(frozen=True, slots=True)
class DayContacts:
    """DayContacts of some people in columns.

    Attributes:
        of: index into the people that were asked about.
        other: whom they met.
        layer: number of the layer.
    """

    of: Ints
    other: Ints
    layer: npt.NDArray[np.int8]


class Network:
    """The contacts of a city.

    Args:
        scenario: of the city.
        seed: of the city.

    Attributes:
        people: number of people, who are 0 to people - 1.
        tables: the neighbourhoods that were drawn.
        slots: number of slots of each place, for each layer.
        most: greatest intensity in each layer; see ``intensity``.
        line: neighbourhoods that share a line of buses or trains.
    """

    def __init__(self, scenario: CityScenario, seed: int) -> None:
        self.people = scenario.people.count
        self.tables = tables = draw(scenario, seed)
        self._seed = seed
        self._scenario = contacts = scenario.contacts
        self._number = -(-self.people // tables.places)
        self._pupils = tables.per_table(tables.pupils)
        self._workers = tables.per_table(tables.workers)
        self._riders = tables.per_table(tables.riders)
        self._near = tables.per_table(tables.near_owner)
        self._far = tables.per_table(tables.far_owner)
        self._near_shuffle = Shuffle(self._near, seed, "neighbourhood")
        self._far_shuffle = Shuffle(self._far * self._number, seed, "city")
        self._work_shuffle = Shuffle(self._workers * self._number, seed, "work")
        # Lines of nearly equal size: on a short last line most seats would be empty.
        lines = -(-self._number // contacts.transport.neighbourhoods)
        self.line = -(-self._number // lines)
        line_riders = self._riders * self.line
        self._trips = [Shuffle(line_riders, seed, f"trip {trip}") for trip in range(TRIPS)]
        self._lay_out_workplaces()
        self.slots = self._slots()
        random, group = _random_intensities(), _group_intensities()
        self._intensities = np.array([group if y in GROUPS else random for y in _ALL])
        self.most: list[int] = [int(row.max()) for row in self._intensities]

    def _lay_out_workplaces(self) -> None:
        keys = self._scenario.workplace
        total = min(WORK_CYCLE, self._workers * self._number)
        sizes = workplace_sizes(keys.size_median, keys.size_spread, total) if total else np.zeros(1)
        sizes = sizes.astype(np.int64)
        self._work_cycle = max(total, 1)
        self._work_first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._work_size = np.repeat(sizes, sizes)
        # Teams of a workplace are of nearly equal size.
        teams = -(-self._work_size // self._scenario.team.size)
        team_size = -(-self._work_size // np.maximum(teams, 1))
        offset = np.arange(total) - self._work_first
        self._team_first = self._work_first + offset // np.maximum(team_size, 1) * team_size
        end = self._work_first + self._work_size
        self._team_size = np.minimum(team_size, end - self._team_first)

    def _slots(self) -> list[Codes]:
        tables, keys = self.tables, self._scenario
        pupil, worker = tables.pupil_rank >= 0, tables.worker_rank >= 0
        numbers: dict[int, Codes] = {
            HOUSEHOLD: tables.home_size - np.int32(1),
            CLASSROOM: pupil * np.int32(keys.classroom.size - 1),
            TEAM: worker * np.int32(keys.team.size - 1),
            SCHOOL: pupil * np.int32(keys.school.number),
            WORKPLACE: worker * np.int32(keys.workplace.number),
            NEIGHBOURHOOD: tables.near_number,
            CITY: tables.far_number,
            TRANSPORT: (tables.rider_rank >= 0) * np.int32(TRIPS * PER_TRIP),
        }
        return [numbers[layer] for layer in _ALL]

    def place(self, people: Ints) -> Ints:
        """Return the row of each person in the tables of neighbourhoods."""
        places = self.tables.places
        return people % (places * self.tables.tables)

    def partner(
        self, layer: int, people: Ints, slots: Ints, days: Days, of: Ints | None = None
    ) -> Ints:
        """Return whom each person meets in that slot of a layer; -1 for nobody.

        Args:
            layer: its number.
            people: who meets somebody.
            slots: one for each answer, from 0.
            days: one for each answer, or one for all.
            of: index into ``people`` for each answer; None if there is one answer for each.
        """
        home = people // self.tables.places
        place = self.place(people)
        rows = slice(None) if of is None else of
        if layer == HOUSEHOLD:
            found = self._at_home(people, place, slots, rows)
        elif layer == NEIGHBOURHOOD:
            found = self._nearby(home, place, slots, days, rows)
        elif layer == CITY:
            found = self._far_away(home, place, slots, days, rows)
        elif layer in {CLASSROOM, SCHOOL}:
            found = self._at_school(layer, home, place, slots, days, rows)
        elif layer in {TEAM, WORKPLACE}:
            found = self._at_work(layer, home, place, slots, days, rows)
        else:
            found = self._on_the_way(home, place, slots, days, rows)
        nobody = (found == people[rows]) | (found >= self.people)
        if layer in WEEKDAY_LAYERS:
            nobody |= ~is_working_day(days)
        found[nobody] = -1
        return found

    def _owner(self, owners: Codes, index: Ints, each: int) -> Ints:
        """Return the person to whom entry ``index`` of a city-wide list belongs; -1 stays -1."""
        home = index // each
        row = home % self.tables.tables * each + (index - home * each)
        found: Ints = home * self.tables.places + owners.take(row, mode="wrap")
        found[index < 0] = -1
        return found

    def _at_home(self, people: Ints, place: Ints, slots: Ints, of: Rows) -> Ints:
        size = self.tables.home_size[place][of]
        position = (place % self.tables.places - self.tables.home_first[place])[of]
        found: Ints = people[of] - position + (position + 1 + slots) % size
        return found

    def _nearby(self, home: Ints, place: Ints, slots: Ints, days: Days, of: Rows) -> Ints:
        # Neighbourhoods share the shuffle of a day, each turned by another number of places.
        turn = below(hashed(key_of(self._seed, "turn"), home), self._near)
        end = (self.tables.near_first[place] + turn)[of] + slots
        met = self._near_shuffle.met(end % self._near, days)
        alone = met < 0
        met = (met - turn[of]) % self._near
        met += (home * self._near)[of]
        met[alone] = -1
        return self._owner(self.tables.near_owner, met, self._near)

    def _far_away(self, home: Ints, place: Ints, slots: Ints, days: Days, of: Rows) -> Ints:
        end = (home * self._far + self.tables.far_first[place])[of] + slots
        return self._owner(self.tables.far_owner, self._far_shuffle.met(end, days), self._far)

    def _at_school(
        self, layer: int, home: Ints, place: Ints, slots: Ints, days: Days, of: Rows
    ) -> Ints:
        rank, pupils = self.tables.pupil_rank[place].astype(np.int64), self._pupils
        if layer == CLASSROOM:
            size = self._scenario.classroom.size
            first = rank // size * size
            members = np.minimum(size, pupils - first)[of]
            met = first[of] + ((rank - first)[of] + 1 + slots) % members
            met[slots >= members - 1] = -1
        else:
            met = self._reflected(layer, home[of], slots, days, rank[of], pupils)
        alone = met < 0
        met += (home * pupils)[of]
        met[alone] = -1
        return self._owner(self.tables.pupils, met, pupils)

    def _desk(self, home: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Return the first desk of the cycle of workplaces and the desk within it, per person."""
        ranks = home * self._workers + self.tables.worker_rank[place]
        desk = self._work_shuffle.forward(ranks, 0)
        row = desk % self._work_cycle
        return desk - row, row

    def _at_work(
        self, layer: int, home: Ints, place: Ints, slots: Ints, days: Days, of: Rows
    ) -> Ints:
        cycle, row = self._desk(home, place)
        if layer == TEAM:
            first, members = self._team_first[row], self._team_size[row][of]
            met = first[of] + ((row - first)[of] + 1 + slots) % members
            alone = slots >= members - 1
        else:
            first, members = self._work_first[row], self._work_size[row][of]
            group = (cycle + first)[of]
            met = self._reflected(layer, group, slots, days, (row - first)[of], members)
            alone = met < 0
            met += first[of]
        met += cycle[of]
        alone |= met >= self._work_shuffle.size
        met[alone] = 0
        met = self._work_shuffle.backward(met, 0)
        met[alone] = -1
        return self._owner(self.tables.workers, met, self._workers)

    def _reflected(
        self, layer: int, group: Ints, slots: Ints, days: Days, rank: Ints, size: int | Ints
    ) -> Ints:
        """Return the rank within the group that meets ``rank``; -1 for nobody."""
        key = self._day_keys("reflection", layer, days)
        centre = below(hashed(key, group << _PERSON_SHIFT | slots), size)
        met = (centre - rank) % size
        met[met == rank] = -1
        return met

    def _day_keys(self, name: str, layer: int, days: Days) -> np.uint64 | npt.NDArray[np.uint64]:
        if isinstance(days, int):
            return key_of(self._seed, name, layer, days)
        if not days.size:
            return np.zeros(0, np.uint64)
        first = int(days.min())
        keys = [key_of(self._seed, name, layer, day) for day in range(first, int(days.max()) + 1)]
        return np.array(keys, np.uint64)[days - first]

    def _on_the_way(
        self,
        home: Ints,
        place: Ints,
        slots: Ints,
        days: Days,
        of: Rows,
        *,
        per_trip: int = PER_TRIP,
    ) -> Ints:
        line = home // self.line
        each = self._riders * self.line
        turn = below(hashed(key_of(self._seed, "line"), line), each)
        seat = (home - line * self.line) * self._riders + self.tables.rider_rank[place] + turn
        seat = (seat % each)[of]
        trip = slots // per_trip
        met = np.full(len(seat), -1, dtype=np.int64)
        for number, shuffle in enumerate(self._trips):
            on = np.flatnonzero(trip == number)
            if on.size:
                days_on = days if isinstance(days, int) else days[on]
                met[on] = shuffle.met(seat[on], days_on, slots[on] - number * per_trip + 1)
        alone = met < 0
        met = (met - turn[of]) % each
        met += (line * each)[of]
        met[alone] = -1
        return self._owner(self.tables.riders, met, self._riders)

    def bystander(
        self, layer: int, people: Ints, days: Ints, draws: Hashes, of: Ints | None = None
    ) -> Ints:
        """Return somebody who was in the same place as each person, but need not be a contact.

        That is a person of the same neighbourhood, class, workplace or carriage, or anybody of
        the city; -1 or the person themselves for nobody.

        Args:
            layer: NEIGHBOURHOOD, CLASSROOM, WORKPLACE, TRANSPORT or CITY.
            people: with slots in this layer.
            days: when, one for each answer.
            draws: a hash for each answer.
            of: index into ``people`` for each answer; None if there is one answer for each.
        """
        home, place = people // self.tables.places, self.place(people)
        rows = slice(None) if of is None else of
        if layer == NEIGHBOURHOOD:
            found = (home * self.tables.places)[rows] + below(draws, self.tables.places)
        elif layer == CLASSROOM:
            slots = below(draws, self._scenario.classroom.size - 1)
            found = self._at_school(layer, home, place, slots, days, rows)
        elif layer == WORKPLACE:
            cycle, row = self._desk(home, place)
            first = cycle + self._work_first[row]
            met = first[rows] + below(draws, self._work_size[row][rows])
            met[met >= self._work_shuffle.size] = 0
            met = self._work_shuffle.backward(met, 0)
            found = self._owner(self.tables.workers, met, self._workers)
        elif layer == TRANSPORT:
            slots = PER_TRIP + below(draws, _CARRIAGE - PER_TRIP - 1)
            found = self._on_the_way(home, place, slots, days, rows, per_trip=_CARRIAGE)
        else:
            found = below(draws, self.people)
        found[found >= self.people] = -1
        return found

    def company(
        self, layer: int, people: Ints, visits: Ints, days: Ints, of: Ints
    ) -> tuple[Ints, Ints, Ints]:
        """Return who comes to the same place in the same hour as each visit.

        Each contact in the neighbourhood, in the city and in transport is made on a visit: shuffled
        places of contacts that are near each other are one place, so company is mutual too.

        Args:
            layer: NEIGHBOURHOOD, CITY or TRANSPORT.
            people: with slots in this layer.
            visits: which slot of the person, or which trip, one for each answer.
            days: when, one for each answer.
            of: index into ``people`` for each answer.

        Returns:
            (n,) the number of the place, and (n, COMPANY of the layer) who comes, with the person;
            -1 for nobody. Those who meet are side by side, two of them, and four in transport.
            Last (n,) the column of the person's own visit: a second visit there is in another.
        """
        home, place = (people // self.tables.places)[of], self.place(people)[of]
        size, turn, trips = COMPANY[layer], np.zeros(len(of), dtype=np.int64), 1
        if layer == NEIGHBOURHOOD:
            each, group, owners = self._near, home, self.tables.near_owner
            shuffles, first = [self._near_shuffle], self.tables.near_first[place] + visits
            turn = below(hashed(key_of(self._seed, "turn"), group), each)
        elif layer == CITY:
            each, group, owners = self._far_shuffle.size, np.zeros_like(home), self.tables.far_owner
            shuffles = [self._far_shuffle]
            first = home * self._far + self.tables.far_first[place] + visits
        else:
            each, group, owners = self._riders * self.line, home // self.line, self.tables.riders
            shuffles, trips = self._trips, TRIPS
            first = (home - group * self.line) * self._riders + self.tables.rider_rank[place]
            turn = below(hashed(key_of(self._seed, "line"), group), each)
        start, own = np.empty(len(of), dtype=np.int64), np.empty(len(of), dtype=np.int64)
        around = np.empty((len(of), size), dtype=np.int64)
        for trip, shuffle in enumerate(shuffles):
            on = np.flatnonzero(visits == trip) if trips > 1 else np.arange(len(of))
            at = shuffle.forward((first + turn)[on] % each, days[on])
            start[on], own[on] = at // size * trips + trip, at % size
            near = (at // size * size)[:, None] + np.arange(size)
            real = near < each
            there = np.where(real, near, 0).ravel()
            back = shuffle.backward(there, np.repeat(days[on], size)).reshape(near.shape)
            back = (back - turn[on, None]) % each + group[on, None] * each
            around[on] = np.where(real, back, -1)
        per_home = {NEIGHBOURHOOD: self._near, CITY: self._far}.get(layer, self._riders)
        found = self._owner(owners, around.ravel(), per_home).reshape(around.shape)
        found[found >= self.people] = -1
        return group * (each // size + 1) * trips + start, found, own

    def contacts(self, people: Ints, days: Days, layers: Iterable[int] = _ALL) -> DayContacts:
        """Return all contacts of ``people``, each on its day or all on one day."""
        asked = np.arange(len(people), dtype=np.int64)
        return self.contacts_on(people, asked, days, layers)

    def contacts_on(
        self, people: Ints, asked: Ints, days: Days, layers: Iterable[int] = _ALL
    ) -> DayContacts:
        """Return all contacts of people on several days each.

        Args:
            people: who meets others.
            asked: index into ``people``, one for each person and day that are asked about.
            days: the day of each, or one for all.
            layers: their numbers.

        Returns:
            The contacts; ``of`` is an index into ``asked``.
        """
        place = self.place(people)
        of, other, layer_of = [], [], []
        for layer in layers:
            numbers = self.slots[layer][place][asked]
            total = int(numbers.sum())
            if not total:
                continue
            index = np.repeat(np.arange(len(asked)), numbers)
            slots = np.arange(total)
            slots -= np.repeat(np.cumsum(numbers) - numbers, numbers)
            on = days if isinstance(days, int) else days[index]
            met = self.partner(layer, people, slots, on, asked[index])
            real = np.flatnonzero(met >= 0)
            of.append(index[real])
            other.append(met[real])
            layer_of.append(np.full(len(real), layer, dtype=np.int8))
        if not of:
            none = np.zeros(0, dtype=np.int64)
            return DayContacts(none, none, none.astype(np.int8))
        return DayContacts(np.concatenate(of), np.concatenate(other), np.concatenate(layer_of))

    def intensity(
        self, layer: int, people: Ints, others: Ints, days: Days, open_share: int | Ints = ONE
    ) -> Ints:
        """Return how intense contacts in a layer are, relative to ``MEAN_INTENSITY``.

        Args:
            layer: its number.
            people: one of the two.
            others: the other.
            days: one for each contact, or one for all.
            open_share: share of contacts that take place, in 2**-32; others have intensity 0.
        """
        key = self._day_keys("intensity", layer, days)
        hashes = hashed_pairs(key, people, others, layer)
        row = (hashes >> np.uint64(64 - _INTENSITY_BITS)).view(np.int64)
        found: Ints = self._intensities[layer].take(row)
        if isinstance(open_share, int):
            if open_share < ONE:
                found[low_bits(hashes) >= open_share] = 0
        else:
            found[low_bits(hashes) >= open_share] = 0
        return found


def _quantiles() -> npt.NDArray[np.float64]:
    number = 1 << _INTENSITY_BITS
    return np.asarray((np.arange(number) + 0.5) / number, dtype=np.float64)


def _group_intensities() -> Ints:
    """Return the intensities of group contacts: uniform from 0 to twice the mean."""
    return np.asarray(np.rint(2 * MEAN_INTENSITY * _quantiles()), dtype=np.int64)


def _random_intensities() -> Ints:
    """Return the intensities of random contacts: exponential, with the tail cut off."""
    share = -np.expm1(-_MOST_INTENSE)
    drawn = -log1p(-share * _quantiles())
    return np.asarray(np.rint(MEAN_INTENSITY * drawn / drawn.mean()), dtype=np.int64)
