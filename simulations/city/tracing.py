"""Whom tracing names: contacts of cases, listed by the app or named to tracers.

The contacts of cases are listed for the days of the look-back, and for nobody else. Whether the app
lists a contact depends on a hash of the pair, not of the day: the same two phones fail in the same
way. So repeated contacts don't become certain by repetition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulations.city.detection import SETTINGS, DetectionChances, band_of
from simulations.city.exchange import Columns, joined
from simulations.city.hashes import (
    PERSON_BITS,
    chance,
    chances,
    happens,
    hashed,
    hashed_pairs,
    high_bits,
    key_of,
    rehashed,
)
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
from simulations.city.neighbourhoods import ADULT_DECADE, OLD_DECADE
from simulations.city.network import MEAN_INTENSITY, Network, is_working_day
from simulations.city.people import People
from tracetogether.units import Bools, Floats, Ints

CHUNK: Final = 4_096
"""Person-days whose contacts are listed at a time."""
_DAY_BITS: Final = 12
_MOST_FALSE: Final = 64  # people listed falsely per person-day and setting
_LAYER_OF_SETTING: Final = (NEIGHBOURHOOD, CLASSROOM, WORKPLACE, TRANSPORT, CITY)
"""Layer whose people the false listings of each setting are drawn from."""


@dataclass(frozen=True, slots=True)
class Named:
    """People whom tracing names, in columns.

    Attributes:
        case: who was asked.
        other: who was named.
        day: day of the contact.
        false: whether there was no contact in truth.
        listed: whether the person is to be warned; others are only known to the authority.
        at_home: whether they met at home, so that a stay at home prevents nothing.
    """

    case: Ints
    other: Ints
    day: Ints
    false: Bools
    listed: Bools
    at_home: Bools

    @property
    def columns(self) -> Columns:
        """Return the columns in order."""
        return self.case, self.other, self.day, self.false, self.listed, self.at_home

    @classmethod
    def joined(cls, parts: Sequence["Named"]) -> "Named":
        """Return all rows of several parts."""
        if not parts:
            none = np.zeros(0, dtype=np.int64)
            return cls(none, none, none, *[none.astype(bool)] * 3)
        return cls(*joined([part.columns for part in parts]))

    def of(self, rows: Bools) -> "Named":
        """Return these rows."""
        return Named(*(column[rows] for column in self.columns))


class CityTracing:
    """CityTracing in a city.

    Args:
        scenario: of the city.
        network: of the city.
        people: who stayed at home when.
        detection: what the app finds.
        open_shares: (layers, days) contacts that take place; see ``effects``.
        seed: of the run.
    """

    def __init__(
        self,
        scenario: CityScenario,
        network: Network,
        people: People,
        detection: DetectionChances,
        open_shares: Ints,
        seed: int,
    ) -> None:
        self._scenario, self._network, self._people = scenario, network, people
        self._detection, self._open, self._seed = detection, open_shares, seed
        self._app = chances(adoption_by_decade(scenario, network))
        self._ios = chance(scenario.app.ios)
        minutes = [getattr(scenario.contacts, name).minutes for name in LAYERS]
        self._minutes_per_intensity = np.array(minutes) / MEAN_INTENSITY
        keys = scenario.tracers
        recall = {
            HOUSEHOLD: keys.recall_home,
            CLASSROOM: keys.recall_known,
            TEAM: keys.recall_known,
            SCHOOL: keys.recall_seen,
            WORKPLACE: keys.recall_seen,
            NEIGHBOURHOOD: keys.recall_seen,
            CITY: keys.recall_strangers,
            TRANSPORT: keys.recall_strangers,
        }
        self._recall = chances([recall[layer] for layer in range(len(LAYERS))])

    def has_app(self, people: Ints) -> Bools:
        """Return who has the app."""
        age = self._network.tables.age[self._network.place(people)]
        decade = np.minimum(age // 10, len(self._app) - 1)
        return happens(hashed(key_of(self._seed, "app"), people), self._app[decade])

    def _is_ios(self, people: Ints) -> npt.NDArray[np.int64]:
        return happens(hashed(key_of(self._seed, "system"), people), self._ios).astype(np.int64)

    def prevented(self, named: Named) -> Bools:
        """Return which contacts did not happen, because the other stayed at home then."""
        stayed = self._people.was_away(named.other, named.day)
        return np.asarray(stayed & ~named.at_home & ~named.false)

    def by_app(self, cases: Ints, day: int) -> Named:
        """Return whom the logs of cases with the app hold, on the days before ``day``.

        Those who stayed at home themselves are among them: see ``prevented``.
        """
        found = []
        keys = self._scenario.app
        for people, days in self._person_days(cases, day, keys.look_back_days, keys.start_day):
            met = self._network.contacts(people, days)
            both = np.flatnonzero(self.has_app(met.other))
            of, other, layer = met.of[both], met.other[both], met.layer[both].astype(np.int64)
            case, on = people[of], days[of]
            band = band_of(self._minutes(case, other, on, layer))
            cell = layer, self._is_ios(case) + self._is_ios(other), np.maximum(band, 0)
            draw = high_bits(hashed_pairs(key_of(self._seed, "detection"), case, other, 0))
            kept = (draw < self._detection.kept[cell]) & (band >= 0)
            listed = (draw < self._detection.listed[cell]) & kept
            true, at_home = np.zeros(len(case), dtype=bool), layer == HOUSEHOLD
            named = Named(case, other, on, true, listed, at_home)
            found += [named.of(kept), self._falsely_listed(people, days)]
        return Named.joined(found)

    def by_tracers(self, cases: Ints, day: int) -> Named:
        """Return whom cases name to tracers, on the days before ``day``; see ``prevented``."""
        found = []
        keys = self._scenario.tracers
        for people, days in self._person_days(cases, day, keys.look_back_days, 0):
            met = self._network.contacts(people, days)
            layer, case, on = met.layer.astype(np.int64), people[met.of], days[met.of]
            draw = high_bits(hashed_pairs(key_of(self._seed, "recall"), case, met.other, 0))
            said = np.flatnonzero(draw < self._recall[layer])
            case, other, on, layer = case[said], met.other[said], on[said], layer[said]
            long = self._minutes(case, other, on, layer) >= keys.least_minutes
            true = np.zeros(len(case), dtype=bool)
            found.append(Named(case, other, on, true, ~true, layer == HOUSEHOLD).of(long))
        return Named.joined(found)

    def _person_days(
        self, cases: Ints, day: int, look_back: int, first_day: int
    ) -> list[tuple[Ints, Ints]]:
        """Return the person-days of the look-back in parts, without days at home."""
        days = np.arange(max(first_day, day - look_back), day, dtype=np.int64)
        people, on = np.repeat(cases, len(days)), np.tile(days, len(cases))
        return [
            (people[low : low + CHUNK], on[low : low + CHUNK])
            for low in range(0, len(people), CHUNK)
        ]

    def _minutes(self, case: Ints, other: Ints, days: Ints, layers: Ints) -> Floats:
        """Return the minutes of contacts; 0 where a closure or a stay at home prevents it."""
        minutes = np.zeros(len(case))
        at_home = self._people.was_away(case, days)
        for layer in range(len(LAYERS)):
            rows = np.flatnonzero(
                (layers == layer) if layer == HOUSEHOLD else (layers == layer) & ~at_home
            )
            if rows.size:
                on = days[rows]
                shares: int | Ints = self._open[layer][on]
                found = self._network.intensity(layer, case[rows], other[rows], on, shares)
                minutes[rows] = found * self._minutes_per_intensity[layer]
        return minutes

    def _falsely_listed(self, people: Ints, days: Ints) -> Named:
        """Return people of the same neighbourhood, school, workplace or line who were not near."""
        keys = self._scenario.app
        hours = (
            keys.hours_home,
            keys.hours_school,
            keys.hours_work,
            keys.hours_transport,
            keys.hours_city,
        )
        there = ~self._people.was_away(people, days)
        working = is_working_day(days)
        place = self._network.place(people)
        found = []
        for setting, layer in enumerate(_LAYER_OF_SETTING):
            mean = float(self._detection.false_per_hour[setting]) * hours[setting]
            mean *= keys.false_listings
            if not mean:
                continue
            inside = there & (self._network.slots[layer][place] > 0)
            if SETTINGS[setting] in {"school", "work", "transport"}:
                inside &= working
            rows = np.flatnonzero(inside)
            if rows.size:
                found.append(self._drawn(people[rows], days[rows], layer, setting, mean))
        return Named.joined(found)

    def _drawn(self, people: Ints, days: Ints, layer: int, setting: int, mean: float) -> Named:
        """Draw people listed falsely: the mean number, rounded up or down by chance."""
        packed = people | days << PERSON_BITS | setting << (PERSON_BITS + _DAY_BITS)
        draw = hashed(key_of(self._seed, "falsely listed"), packed)
        whole = min(int(mean), _MOST_FALSE)
        number = whole + happens(draw, chance(mean - int(mean))).astype(np.int64)
        index = np.repeat(np.arange(len(people)), number)
        turn = np.arange(len(index)) - np.repeat(np.cumsum(number) - number, number)
        case, on = people[index], days[index]
        other = self._network.bystander(
            layer, case, on, rehashed(draw[index] + turn.astype(np.uint64))
        )
        both = (other >= 0) & (other != case)
        both[both] &= self.has_app(other[both])
        case, other, on = case[both], other[both], on[both]
        false = np.ones(len(case), dtype=bool)
        return Named(case, other, on, false, false, ~false)


def adoption_by_decade(scenario: CityScenario, network: Network) -> Floats:
    """Return the share of people with the app by decade of age.

    The shares of the three ages keep their proportions as long as none is over 1, and the mean over
    all people is the key ``app.adoption``.
    """
    keys = scenario.app
    age = np.minimum(network.tables.age // 10, 8)
    people = np.bincount(age, minlength=9).astype(np.float64)
    weight = np.ones(9)
    weight[:ADULT_DECADE], weight[OLD_DECADE:] = keys.young_weight, keys.old_weight
    low, high = 0.0, 1.0
    total = float(people.sum())

    def mean(factor: float) -> float:
        return float(people @ np.minimum(1.0, weight * factor)) / total

    while mean(high) < keys.adoption and high < 1e6:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < keys.adoption else (low, middle)
    shares = np.minimum(1.0, weight * high)
    if keys.adoption >= 1:
        shares[:] = 1.0
    return np.asarray(np.round(shares, 9), dtype=np.float64)
