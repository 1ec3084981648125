"""Check-in and places in a city: whom they warn, and whom they find beside Bluetooth.

A case who uploads the contact log reports the visits too. By *check-in* those are found who scanned
the poster of the same place, and overlap with what is warned of for 10 minutes. By *places* those
are found whose phone noted the same device. Both need the app on both sides. What is warned of are
the rules of ``tracetogether.presence``. Who was there at all is ``venues``.

Beside it, this counts whom cases met and with whom they shared the air in truth, and which of them
each way finds. All figures of pairs are of cases with a positive test, with the app or without.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from simulations.city.disease import INFECTIOUS_DAYS
from simulations.city.distinct import distinct
from simulations.city.exchange import Columns, Exchange, OwnPeople, joined
from simulations.city.gates import Gates
from simulations.city.hashes import PERSON_BITS, chance, happens, hashed, key_of
from simulations.city.keys import CITY, HOUSEHOLD, NEIGHBOURHOOD, TRANSPORT, CityScenario
from simulations.city.look_back import LookBack
from simulations.city.network import Network
from simulations.city.people import NEVER, People
from simulations.city.tally import Tally
from simulations.city.tracing import CityTracing, Named
from simulations.city.venues import (
    SharedRooms,
    Venues,
    heard_minutes,
    overlaps,
    pair_code,
    warned_minutes,
)
from tracetogether.units import Bools, Ints

HEARD: Final = MappingProxyType(
    {
        NEIGHBOURHOOD: ((0.3, 1.0), (0.8, 0.98)),
        CITY: ((0.3, 0.59), (0.8, 0.13)),
        TRANSPORT: ((0.3, 0.85), (0.8, 0.52)),
    }
)
"""Adoption, and share of pairs with the app in one place whose phones both noted its device.

From crowds with one device in the middle (classroom, hawker centre, train; five seeds): see
docs/explanation/visits.md. Between the two adoptions the share is interpolated, and outside
them it stays. More phones share the links of one device, so each notes it less often.
"""
CONTACT_MINUTES: Final = 15.0
"""Minutes within 2 m in one day that make a contact, as the authority's policy has it."""
COUNTED_PEOPLE: Final = 200_000
"""In a larger city, contacts and air are counted for that share of the cases only."""
_CONTACT, _AIR, _BLUETOOTH, _CHECK_IN, _PLACES = (1 << bit for bit in range(5))
_COUNTED: Final = _CONTACT | _AIR
_WARNED: Final = _CHECK_IN | _PLACES
_FOUND: Final = MappingProxyType(
    {
        "bluetooth": _BLUETOOTH,
        "check_in": _CHECK_IN,
        "places": _PLACES,
        "any": _BLUETOOTH | _CHECK_IN | _PLACES,
    }
)


@dataclass(slots=True)
class PresenceCosts(Tally):
    """Whom check-in and places find, counted. All are 0 without them.

    A pair is a case and somebody else, counted once however often they met.

    Attributes:
        reports: cases who reported their visits.
        pairs_warned: pairs of such a case and a person who was warned.
        pairs_warned_by_check_in, pairs_warned_by_places: those of them whom each way warned.
        pairs_warned_infected: those of them in which the other was infected then.
        pairs_warned_no_contact: pairs warned of counted cases who did not meet for 15 minutes.
        pairs_warned_counted: pairs warned of counted cases.
        counted_cases: cases with a positive test whose contacts and air are counted.
        contacts: pairs of a counted case and a contact of 15 minutes, household left out.
        contacts_at_places: those of them who met in a place or a vehicle.
        contacts_by_bluetooth, contacts_by_check_in, contacts_by_places, contacts_by_any: found.
        air: pairs of a counted case and somebody who shared the air of a place for 15 minutes.
        air_by_bluetooth, air_by_check_in, air_by_places, air_by_any: found.
        alerted: people whom the phone warned; somebody warned again within days counts once.
        tests_of_warned, positives_of_warned: their tests, and those that were positive.
        warned_home_days_infected, warned_home_days_not: days at home that the warning added, of
            people who were infected then and of others; they are among the days of quarantine.
        published: visits of cases that were published, for all who know the poster.
        stays_learned: stays of cases at places with a device, which the authority learned.
    """

    reports: int = 0
    pairs_warned: int = 0
    pairs_warned_by_check_in: int = 0
    pairs_warned_by_places: int = 0
    pairs_warned_infected: int = 0
    pairs_warned_no_contact: int = 0
    pairs_warned_counted: int = 0
    counted_cases: int = 0
    contacts: int = 0
    contacts_at_places: int = 0
    contacts_by_bluetooth: int = 0
    contacts_by_check_in: int = 0
    contacts_by_places: int = 0
    contacts_by_any: int = 0
    air: int = 0
    air_by_bluetooth: int = 0
    air_by_check_in: int = 0
    air_by_places: int = 0
    air_by_any: int = 0
    alerted: int = 0
    tests_of_warned: int = 0
    positives_of_warned: int = 0
    warned_home_days_infected: int = 0
    warned_home_days_not: int = 0
    published: int = 0
    stays_learned: int = 0


def has_presence(scenario: CityScenario) -> bool:
    """Return whether anybody checks in, or a place has a device, and phones have the app."""
    keys = scenario.presence
    places = keys.places_shops or keys.places_halls or keys.places_vehicles
    return bool(scenario.app.adoption and (keys.check_in or places))


class CityPresence:
    """Check-in and places, for one shard's cases and people.

    Args:
        scenario: of the city.
        network: of the city.
        people: everybody's state.
        own: the people of the shard.
        tracing: says who has the app, and which contacts did not happen.
        gates: which keep people out.
        open_shares: (layers, days) contacts that take place.
        seed: of the run.

    Attributes:
        act: whether there is any check-in or any place with a device.
        costs: what was counted so far.
    """

    def __init__(
        self,
        scenario: CityScenario,
        network: Network,
        people: People,
        own: OwnPeople,
        tracing: CityTracing,
        gates: Gates,
        open_shares: Ints,
        seed: int,
    ) -> None:
        self._scenario, self._network, self._people, self._own = scenario, network, people, own
        self._tracing, self._gates, self._seed, self._open = tracing, gates, seed, open_shares
        keys = self._keys = scenario.presence
        self.act = has_presence(scenario)
        self.costs = PresenceCosts()
        self._venues = Venues(scenario, network, people, open_shares, seed)
        self._look_back = LookBack(network, people)
        self._counted = chance(min(1.0, COUNTED_PEOPLE / network.people))
        self._posters = {
            NEIGHBOURHOOD: chance(keys.posters_shops),
            CITY: chance(keys.posters_halls),
            TRANSPORT: chance(keys.posters_vehicles),
        }
        self._devices = {
            NEIGHBOURHOOD: chance(keys.places_shops),
            CITY: chance(keys.places_halls),
            TRANSPORT: chance(keys.places_vehicles),
        }
        self._heard = {
            layer: chance(heard_by_a_phone(layer, scenario.app.adoption)) for layer in HEARD
        }
        self._warnings: defaultdict[int, list[Ints]] = defaultdict(list)
        self._last = np.full(network.people if self.act else 0, -NEVER, dtype=np.int16)

    def are_on(self, day: int) -> bool:
        """Return whether visits are reported on ``day``."""
        return self.act and self._keys.start_day <= day < self._keys.end_day

    def report(self, cases: Ints, reporting: Ints, listed: Named, day: int) -> Exchange[None]:
        """Publish the visits of cases, and count whom each way finds.

        Args:
            cases: people of this shard with a new positive result.
            reporting: those of them who upload.
            listed: people of this shard whom the app lists for these cases of any shard.
            day: today.
        """
        counted = cases[self._are_counted(cases)]
        self.costs.reports += len(reporting)
        self.costs.counted_cases += len(counted)
        days = np.arange(
            max(self._keys.start_day, day - self._scenario.app.look_back_days), day, dtype=np.int64
        )
        asked = distinct(np.concatenate([counted, reporting]))
        rows = [*self._met(counted, days), *self._in_rooms(asked, counted, reporting, days)]
        nothing = np.zeros(0, dtype=np.int64)
        columns = joined(rows) if rows else (nothing,) * 5
        case, other, on, layer, found = yield from self._own.to_owners(columns[1], *columns)
        no = np.zeros(len(case), dtype=bool)
        named = Named(case, other, on, no, no, no, layer.astype(np.int8))
        real = ~self._tracing.prevented(named)
        by_app = listed.of(self._are_counted(listed.case))
        code, found = _together(
            np.concatenate([pair_code(case, other)[real], pair_code(by_app.case, by_app.other)]),
            np.concatenate([found[real], np.full(len(by_app.case), _BLUETOOTH, dtype=np.int64)]),
        )
        self._count(code, found, day)
        warned = code[found & _WARNED > 0] & ((1 << PERSON_BITS) - 1)
        self._warnings[day + self._keys.delay_days].append(distinct(warned))

    def alerted(self, day: int) -> Ints:
        """Return the sorted people whom phones warn today, and who did not act on one lately."""
        warned = self._warnings.pop(day, [])
        if not warned:
            return np.zeros(0, dtype=np.int64)
        people = distinct(np.concatenate(warned))
        people = people[self._last[people] <= day - self._keys.home_days]
        self._last[people] = day
        self.costs.alerted += len(people)
        return people

    def _are_counted(self, cases: Ints) -> Bools:
        return happens(hashed(key_of(self._seed, "counted"), cases), self._counted)

    def _met(self, cases: Ints, days: Ints) -> list[Columns]:
        """Return contacts of 15 minutes outside the household, in truth."""
        rows: list[Columns] = []

        def all_but_home(layer: int, _cases: Ints, others: Ints) -> tuple[Ints, Ints]:
            index = np.arange(0 if layer == HOUSEHOLD else len(others), dtype=np.int64)
            return index, index

        for met in self._look_back.contacts(cases, days, all_but_home):
            minutes = self._tracing.minutes(met)
            long = np.flatnonzero(minutes >= CONTACT_MINUTES)
            of = np.full(len(long), met.layer, dtype=np.int64)
            flag = np.full(len(long), _CONTACT, dtype=np.int64)
            rows.append((met.case[long], met.other[long], met.day[long], of, flag))
        return rows

    def _in_rooms(self, cases: Ints, counted: Ints, reporting: Ints, days: Ints) -> list[Columns]:
        """Return who was in a room with a case: with the air shared, or found by a way."""
        rows: list[Columns] = []
        for rooms in self._venues.rooms(cases, days):
            if not rooms.case.size:
                continue
            reported = np.isin(rooms.case, reporting)
            found = np.where(rooms.shared & np.isin(rooms.case, counted), _AIR, 0)
            found |= np.where(reported & self._by_check_in(rooms), _CHECK_IN, 0)
            found |= np.where(reported & self._by_places(rooms), _PLACES, 0)
            kept = found > 0
            layer = np.full(len(found), rooms.layer, dtype=np.int64)
            kept &= ~self._gates.stop(rooms.case, rooms.other, layer, rooms.day)
            columns = (rooms.case, rooms.other, rooms.day, layer, found)
            rows.append(tuple(column[kept] for column in columns))
            self._note_published(rooms, reported)
        return rows

    def _by_check_in(self, rooms: SharedRooms) -> Bools:
        poster = self._at(rooms, "poster", self._posters)
        found = np.zeros(len(rooms.case), dtype=bool)
        rows = np.flatnonzero(poster & self._checks_in(rooms.case))
        rows = rows[self._checks_in(rooms.other[rows])]
        first, last = warned_minutes(rooms.begin[rows], rooms.end[rows])
        found[rows] = overlaps(first, last, rooms.came[rows], rooms.left[rows])
        return found

    def _by_places(self, rooms: SharedRooms) -> Bools:
        found = np.zeros(len(rooms.case), dtype=bool)
        if not self._devices[rooms.layer]:
            return found
        rows = np.flatnonzero(self._at(rooms, "device", self._devices))
        rows = rows[self._hears(rooms, rooms.case, rows)]
        rows = rows[self._tracing.has_app(rooms.other[rows])]
        rows = rows[self._hears(rooms, rooms.other, rows)]
        first, last = heard_minutes(rooms.begin[rows], rooms.end[rows])
        found[rows] = overlaps(first, last, rooms.came[rows], rooms.left[rows])
        return found

    def _at(self, rooms: SharedRooms, name: str, shares: dict[int, int]) -> Bools:
        """Return whether a place has a poster or a device: the same place has it every day."""
        share = shares[rooms.layer]
        return happens(hashed(key_of(self._seed, name), rooms.place), share)

    def _checks_in(self, people: Ints) -> Bools:
        habit = happens(
            hashed(key_of(self._seed, "checks in"), people), chance(self._keys.check_in)
        )
        return habit & self._tracing.has_app(people)

    def _hears(self, rooms: SharedRooms, people: Ints, rows: Ints) -> Bools:
        """Return whether the phones of people noted the device of the place on that day."""
        key = key_of(self._seed, "hears a place", rooms.layer)
        packed = people[rows] | rooms.day[rows] << PERSON_BITS
        packed ^= (rooms.place[rows] & ((1 << 22) - 1)) << (PERSON_BITS + 12)
        return happens(hashed(key, packed), self._heard[rooms.layer])

    def _note_published(self, rooms: SharedRooms, reported: Bools) -> None:
        """Count the visits that reports publish, and the stays that the authority learns."""
        first = np.append(True, rooms.visit[1:] != rooms.visit[:-1])  # a row of each visit
        rows = np.flatnonzero(reported & first)
        long = warned_minutes(rooms.begin[rows], rooms.end[rows])[1] > 0
        checked = self._at(rooms, "poster", self._posters)[rows] & self._checks_in(rooms.case[rows])
        self.costs.published += int((checked & long).sum())
        noted = self._at(rooms, "device", self._devices)[rows]
        self.costs.stays_learned += int((noted & self._hears(rooms, rooms.case, rows)).sum())

    def _count(self, code: Ints, found: Ints, day: int) -> None:
        costs = self.costs
        warned = found & _WARNED > 0
        people = code & ((1 << PERSON_BITS) - 1)
        costs.pairs_warned += int(warned.sum())
        costs.pairs_warned_by_check_in += int((found & _CHECK_IN > 0).sum())
        costs.pairs_warned_by_places += int((found & _PLACES > 0).sum())
        costs.pairs_warned_infected += int(self._is_infected(people[warned], day).sum())
        counted = self._are_counted(code >> PERSON_BITS)
        costs.pairs_warned_counted += int((warned & counted).sum())
        costs.pairs_warned_no_contact += int((warned & counted & (found & _CONTACT == 0)).sum())
        costs.contacts_at_places += int((found & _COUNTED == _COUNTED).sum())
        for name, bit in (("contacts", _CONTACT), ("air", _AIR)):
            truth = found[found & bit > 0]
            setattr(costs, name, getattr(costs, name) + len(truth))
            for way, bits in _FOUND.items():
                figure = f"{name}_by_{way}"
                more = int((truth & bits > 0).sum())
                setattr(costs, figure, getattr(costs, figure) + more)

    def _is_infected(self, people: Ints, day: int) -> Bools:
        since = self._people.infected_on[people].astype(np.int64)
        return np.asarray((since != NEVER) & (since > day - INFECTIOUS_DAYS) & (since <= day))


def heard_by_a_phone(layer: int, adoption: float) -> float:
    """Return the chance that a phone notes the device of a place on a visit.

    Two phones of a pair note it independently, so it is the root of the share of pairs.

    >>> round(heard_by_a_phone(TRANSPORT, 0.1) ** 2, 3)
    0.85
    """
    adoptions, shares = zip(*HEARD[layer], strict=True)
    return math.sqrt(float(np.interp(adoption, adoptions, shares)))


def _together(code: Ints, flags: Ints) -> tuple[Ints, Ints]:
    """Return the sorted different codes, and the flags of all rows of each."""
    if not code.size:
        return code, flags
    order = np.argsort(code, kind="stable")
    code, flags = code[order], flags[order]
    first = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    return code[first], np.bitwise_or.reduceat(flags, first)
