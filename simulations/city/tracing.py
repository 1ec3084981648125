"""Whom tracing names: contacts of cases, listed by the app or named to tracers.

The contacts of cases are listed for the days of the look-back, and for nobody else. Whether the app
lists a contact depends on a hash of the pair, not of the day: the same two phones fail in the same
way. So repeated contacts don't become certain by repetition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from simulations.city.detection import BANDS, SETTINGS, DetectionChances, band_of
from simulations.city.exchange import Columns, joined
from simulations.city.gates import Gates
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
from simulations.city.look_back import CASES, LookBack, PastContacts
from simulations.city.neighbourhoods import ADULT_DECADE, OLD_DECADE
from simulations.city.network import MEAN_INTENSITY, Network, is_working_day
from simulations.city.people import People
from tracetogether.units import Bools, Floats, Ints

_DAY_BITS: Final = 12
_SYSTEMS_BITS: Final = 2
_MOST_FALSE: Final = 64  # people listed falsely per person-day and setting
_NO_LAYERS: Final = np.zeros(0, dtype=np.int8)
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
        layer: number of the layer of contacts, -1 where none is known; if left out, of all rows.
    """

    case: Ints
    other: Ints
    day: Ints
    false: Bools
    listed: Bools
    at_home: Bools
    layer: npt.NDArray[np.int8] = field(default_factory=lambda: _NO_LAYERS)

    def __post_init__(self) -> None:
        if self.layer is _NO_LAYERS:
            object.__setattr__(self, "layer", np.full(len(self.case), -1, dtype=np.int8))

    @property
    def columns(self) -> Columns:
        """Return the columns in order."""
        return (
            self.case,
            self.other,
            self.day,
            self.false,
            self.listed,
            self.at_home,
            self.layer,
        )

    @classmethod
    def joined(cls, parts: Sequence["Named"]) -> "Named":
        """Return all rows of several parts."""
        if not parts:
            none = np.zeros(0, dtype=np.int64)
            return cls(none, none, none, *[none.astype(bool)] * 3)
        return cls(*joined([part.columns for part in parts]))

    def of(self, rows: Bools) -> "Named":
        """Return these rows."""
        index = np.flatnonzero(rows)
        return Named(*(column[index] for column in self.columns))


class CityTracing:
    """CityTracing in a city.

    Args:
        scenario: of the city.
        network: of the city.
        people: who stayed at home when.
        detection: what the app finds.
        open_shares: (layers, days) contacts that take place; see ``effects``.
        seed: of the run.
        gates: which kept people out, if there are any.
    """

    def __init__(
        self,
        scenario: CityScenario,
        network: Network,
        people: People,
        detection: DetectionChances,
        open_shares: Ints,
        seed: int,
        gates: Gates | None = None,
    ) -> None:
        self._gates = gates if gates is not None and gates.act else None
        self._scenario, self._network, self._people = scenario, network, people
        self._detection, self._open, self._seed = detection, open_shares, seed
        self._app = chances(adoption_by_decade(scenario, network))
        self._ios = chance(scenario.app.ios)
        minutes = [getattr(scenario.contacts, name).minutes for name in LAYERS]
        self._minutes_per_intensity = np.array(minutes) / MEAN_INTENSITY
        self._look_back = LookBack(network, people)
        # The band of each intensity, from 0 for too few minutes; and chances by systems and band.
        self._band_of_intensity = [
            band_of(np.arange(most + 1) * per) + 1
            for most, per in zip(network.most, self._minutes_per_intensity, strict=True)
        ]
        self._kept, self._listed = (
            np.pad(cells, ((0, 0), (0, 0), (1, 0))).reshape(len(LAYERS), -1)
            for cells in (detection.kept, np.minimum(detection.listed, detection.kept))
        )
        self._most_kept = detection.kept.max(axis=2)
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
        """Return which contacts did not happen, because the other was at home or kept out then."""
        stayed = np.zeros(len(named.other), dtype=bool)
        outside = np.flatnonzero(~(named.at_home | named.false))
        stayed[outside] = self._people.was_away(named.other[outside], named.day[outside])
        if self._gates is not None:
            rows = outside[~stayed[outside]]
            layers = named.layer[rows].astype(np.int64)
            stopped = self._gates.stop(named.other[rows], named.case[rows], layers, named.day[rows])
            stayed[rows] = stopped
        return stayed

    def by_app(self, cases: Ints, day: int) -> Named:
        """Return whom the logs of cases with the app hold, on the days before ``day``.

        Those who stayed at home themselves are among them: see ``prevented``.
        """
        keys = self._scenario.app
        days = _days_before(day, keys.look_back_days, keys.start_day)
        found = [
            self._logged(met) for met in self._look_back.contacts(cases, days, self._may_be_logged)
        ]
        found += [
            self._falsely_listed(cases[low : low + CASES], days)
            for low in range(0, len(cases), CASES)
        ]
        return Named.joined(found)

    def _may_be_logged(self, layer: int, cases: Ints, others: Ints) -> tuple[Ints, Ints]:
        """Return pairs that could be in a log, and the draw and the systems of each in one."""
        both = np.flatnonzero(self.has_app(others))
        cases, others = cases[both], others[both]
        systems = self._is_ios(cases)
        systems += self._is_ios(others)
        draw = high_bits(hashed_pairs(key_of(self._seed, "detection"), cases, others, 0))
        rows = np.flatnonzero(draw < self._most_kept[layer].take(systems))
        mark = draw[rows]
        mark <<= _SYSTEMS_BITS
        mark |= systems[rows]
        return both[rows], mark

    def _logged(self, met: PastContacts) -> Named:
        """Return the contacts that logs hold."""
        intensity = self._intensity(met)
        cell = self._band_of_intensity[met.layer].take(intensity)
        cell += (met.mark & ((1 << _SYSTEMS_BITS) - 1)) * (len(BANDS) + 1)
        draw = met.mark >> _SYSTEMS_BITS
        kept = np.flatnonzero(draw < self._kept[met.layer].take(cell))
        listed = draw[kept] < self._listed[met.layer].take(cell[kept])
        return _named(met, kept, listed)

    def by_tracers(self, cases: Ints, day: int) -> Named:
        """Return whom cases name to tracers, on the days before ``day``; see ``prevented``."""
        keys = self._scenario.tracers
        days = _days_before(day, keys.look_back_days, 0)
        return Named.joined(
            [self._said(met) for met in self._look_back.contacts(cases, days, self._may_be_said)]
        )

    def _may_be_said(self, layer: int, cases: Ints, others: Ints) -> tuple[Ints, Ints]:
        draw = high_bits(hashed_pairs(key_of(self._seed, "recall"), cases, others, 0))
        rows = np.flatnonzero(draw < self._recall[layer])
        return rows, rows

    def _said(self, met: PastContacts) -> Named:
        """Return the contacts that were long enough to count."""
        long = np.flatnonzero(self.minutes(met) >= self._scenario.tracers.least_minutes)
        return _named(met, long, np.ones(len(long), dtype=bool))

    def minutes(self, met: PastContacts) -> Floats:
        """Return the minutes of contacts; 0 where a closure or a gate prevents one."""
        return np.asarray(self._intensity(met) * self._minutes_per_intensity[met.layer])

    def _intensity(self, met: PastContacts) -> Ints:
        """Return the intensity of contacts; 0 where a closure or a gate prevents it."""
        shares = self._open[met.layer]
        share: int | Ints = int(shares[0])
        if (shares != share).any():
            share = shares.take(met.day)
        found = self._network.intensity(met.layer, met.case, met.other, met.day, share)
        if self._gates is not None:
            found[self._gates.stop(met.case, met.other, met.layer, met.day)] = 0
        return found

    def _falsely_listed(self, cases: Ints, days: Ints) -> Named:
        """Return people of the same neighbourhood, school, workplace or line who were not near."""
        keys = self._scenario.app
        hours = (
            keys.hours_home,
            keys.hours_school,
            keys.hours_work,
            keys.hours_transport,
            keys.hours_city,
        )
        out = self._look_back.was_out(cases, days)
        out_working = out & is_working_day(days)
        place = self._network.place(cases)
        found = []
        for setting, layer in enumerate(_LAYER_OF_SETTING):
            mean = float(self._detection.false_per_hour[setting]) * hours[setting]
            mean *= keys.false_listings
            if not mean:
                continue
            there = out_working if SETTINGS[setting] in {"school", "work", "transport"} else out
            visitors = np.flatnonzero(self._network.slots[layer][place] > 0)
            asked, on = np.nonzero(there[visitors])
            if asked.size:
                asked = visitors[asked]
                found.append(self._drawn(cases, asked, days[on], layer, setting, mean))
        return Named.joined(found)

    def _drawn(
        self, cases: Ints, asked: Ints, days: Ints, layer: int, setting: int, mean: float
    ) -> Named:
        """Draw people listed falsely: the mean number, rounded up or down by chance."""
        packed = cases[asked] | days << PERSON_BITS | setting << (PERSON_BITS + _DAY_BITS)
        draw = hashed(key_of(self._seed, "falsely listed"), packed)
        whole = min(int(mean), _MOST_FALSE)
        number = whole + happens(draw, chance(mean - int(mean))).astype(np.int64)
        index = np.repeat(np.arange(len(asked)), number)
        turn = np.arange(len(index)) - np.repeat(np.cumsum(number) - number, number)
        draws = rehashed(draw[index] + turn.astype(np.uint64))
        of, on = asked[index], days[index]
        visitors, of = _used(of, len(cases))
        other = self._network.bystander(layer, cases[visitors], on, draws, of)
        case = cases[visitors][of]
        real = np.flatnonzero((other >= 0) & (other != case))
        both = real[self.has_app(other[real])]
        true = np.ones(len(both), dtype=bool)
        return Named(case[both], other[both], on[both], true, true, ~true)


def _used(index: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the sorted unique values of an index below ``size``, and where each entry is there."""
    used = np.zeros(size, dtype=bool)
    used[index] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[index]


def _days_before(day: int, look_back: int, first_day: int) -> Ints:
    return np.arange(max(first_day, day - look_back), day, dtype=np.int64)


def _named(met: PastContacts, rows: Ints, listed: Bools) -> Named:
    """Return rows of contacts as people who are named for a contact in truth."""
    false = np.zeros(len(rows), dtype=bool)
    at_home = np.full(len(rows), met.layer == HOUSEHOLD)
    layer = np.full(len(rows), met.layer, dtype=np.int8)
    return Named(met.case[rows], met.other[rows], met.day[rows], false, listed, at_home, layer)


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
