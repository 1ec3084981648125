"""Gates that let people in who show a pass: whom they keep out, and what they learn.

A place with a gate lets in who shows a pass. A positive test takes the passes away; under some
policies, so does a close contact that the app listed. A contact behind a gate does not take place
if one of the two has no pass and is asked for it. Whether a contact is behind a gate is a hash of
the two people, the layer and the day; whether a person is asked, a hash of the two in order. So
both sides, tracing and every shard get the same answer.

Only contacts in the neighbourhood, in the city and in transport are in places with gates: gates at
schools and offices would keep the same people from each other every day, which is what quarantine
does. Nobody is kept from home.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.disease import INFECTIOUS_DAYS
from simulations.city.distinct import count_distinct, distinct
from simulations.city.hashes import PERSON_BITS, chance, happens, hashed, key_of
from simulations.city.keys import CITY, LAYERS, NEIGHBOURHOOD, TRANSPORT, CityScenario
from simulations.city.network import Network, is_working_day
from simulations.city.people import NEVER, DaysAway, People
from simulations.city.tally import Tally
from simulations.streams import Hashes
from simulations.studies.gate_policies import POLICIES, entropy_bits
from tracetogether.units import Bools, Ints

TRIPS: Final = 2
"""Rides of a rider on a working day."""
_LAYER_SHIFT: Final = 2 * PERSON_BITS


@dataclass(slots=True)
class GateCosts(Tally):
    """Whom gates kept out, counted. All are 0 without gates.

    Attributes:
        kept_out_cases: people without passes because of a positive test.
        kept_out_contacts: times that a contact's passes were withheld.
        kept_out_contacts_infected: those of them who were infected then.
        kept_out_contacts_falsely: those whom only a false listing named.
        kept_out_days_cases: person-days without passes because of a positive test.
        kept_out_days_infected: person-days without passes of contacts who were infected when they
            were withheld.
        kept_out_days_not: the same of all other contacts.
    """

    kept_out_cases: int = 0
    kept_out_contacts: int = 0
    kept_out_contacts_infected: int = 0
    kept_out_contacts_falsely: int = 0
    kept_out_days_cases: int = 0
    kept_out_days_infected: int = 0
    kept_out_days_not: int = 0


class Gates:
    """The gates of a city, and who of one shard's people has no pass.

    Args:
        scenario: of the city.
        people: everybody's state.
        own: the people of the shard.
        seed: of the run.

    Attributes:
        costs: whom the gates kept out so far.
    """

    def __init__(self, scenario: CityScenario, people: People, own: slice, seed: int) -> None:
        self._keys, self._days = scenario.gates, scenario.days
        self._policy = POLICIES[scenario.gates.policy]
        self._people, self._own, self._seed = people, own, seed
        shares = np.zeros(len(LAYERS))
        shares[[NEIGHBOURHOOD, CITY]] = self._keys.venues
        shares[TRANSPORT] = self._keys.transport
        self._share = np.array([chance(share) for share in shares.tolist()], dtype=np.int64)
        self._asked = chance(self._keys.shown)
        self.act = has_gates(scenario)
        self._stays = DaysAway(
            scenario.people.count if self.act else 0, own if self.act else slice(0)
        )
        self._contacts: defaultdict[int, list[tuple[Ints, Bools]]] = defaultdict(list)
        self.costs = GateCosts()
        self._kept_out: list[int] = []
        self._refused: list[int] = []

    def are_on(self, day: int) -> bool:
        """Return whether gates ask for passes on ``day``."""
        return self.act and self._keys.start_day <= day < self._keys.end_day

    def withhold_from_cases(self, cases: Ints, day: int) -> None:
        """Withhold the passes of people whose positive result came on ``day``."""
        if self.are_on(day):
            self.costs.kept_out_cases += len(cases)
            added = self._withhold(cases, self._policy.case_days, day)
            self.costs.kept_out_days_cases += int(added.sum())

    def expect_contacts(self, contacts: Ints, false: Bools, day: int) -> None:
        """Note that the app warns contacts on ``day``, which may take their passes.

        Args:
            contacts: may hold a person several times.
            false: whether each was listed without a contact in truth.
            day: today, or later.
        """
        if self.act and self._policy.contact_days:
            self._contacts[day].append((contacts, false))

    def withhold_from_contacts(self, day: int) -> None:
        """Withhold the passes of contacts whom the app warns today, where the policy says so."""
        warned = self._contacts.pop(day, [])
        if not warned or not self.are_on(day):
            return
        contacts, false = (np.concatenate(column) for column in zip(*warned, strict=True))
        everybody, fresh = distinct(contacts), ~self._stays.is_away(contacts, day)
        contacts, false = contacts[fresh], false[fresh]
        people = distinct(contacts)
        self.costs.kept_out_contacts += len(people)
        self.costs.kept_out_contacts_infected += int(self._is_infected(people, day).sum())
        self.costs.kept_out_contacts_falsely += len(people) - count_distinct(contacts[~false])
        added = self._withhold(everybody, self._policy.contact_days, day)  # some for longer
        infected = self._is_infected(everybody, day)
        self.costs.kept_out_days_infected += int(added[infected].sum())
        self.costs.kept_out_days_not += int(added[~infected].sum())

    def end_morning(self, day: int) -> None:
        """Count who has no pass on ``day``, when all results and warnings of it are in."""
        if not self.are_on(day):
            self._kept_out.append(0)
            self._refused.append(0)
            return
        kept_out = self._stays.away_until[self._own] > day
        at_home = self._people.away_until[self._own] > day
        self._kept_out.append(int(kept_out.sum()))
        self._refused.append(int((kept_out & ~at_home).sum()))

    def daily(self) -> dict[str, Ints]:
        """Return (days,) columns: people without a pass, and those of them not at home."""
        kept_out = np.array(self._kept_out, dtype=np.int64)
        return {"kept_out": kept_out, "kept_out_at_large": np.array(self._refused, dtype=np.int64)}

    def stop(self, who: Ints, other: Ints, layers: Ints | int, days: Ints | int) -> Bools:
        """Return which contacts a gate prevents because ``who`` has no pass.

        Args:
            who: people of this shard.
            other: whom they would meet.
            layers: of each contact, or of all; -1 where it is not known, and no gate is.
            days: of each contact, or of all; at most 32 days ago.
        """
        stopped = np.zeros(len(who), dtype=bool)
        if not self.act:
            return stopped
        rows = np.flatnonzero(self._stays.was_away(who, days))
        layer = np.broadcast_to(np.asarray(layers, dtype=np.int64), len(who))[rows]
        day = np.broadcast_to(np.asarray(days, dtype=np.int64), len(who))[rows]
        gated = (layer >= 0) & (self._share[layer] > 0)
        gated &= (day >= self._keys.start_day) & (day < self._keys.end_day)
        rows, layer, day = rows[gated], layer[gated], day[gated]
        who, other = who[rows], other[rows]
        packed = layer << _LAYER_SHIFT
        pair = np.minimum(who, other) | np.maximum(who, other) << PERSON_BITS | packed
        behind = happens(hashed(self._keys_of("gate", day), pair), self._share[layer])
        in_order = who | other << PERSON_BITS | packed
        asked = happens(hashed(self._keys_of("asked for a pass", day), in_order), self._asked)
        stopped[rows] = behind & asked
        return stopped

    def _keys_of(self, name: str, days: Ints) -> Hashes:
        different, of = np.unique(days, return_inverse=True)
        keys = [key_of(self._seed, name, day) for day in different.tolist()]
        return np.array(keys, dtype=np.uint64)[of]

    def _withhold(self, people: Ints, length: int, day: int) -> Ints:
        """Withhold passes of sorted people, and return the days that are added for each."""
        until = np.full(len(people), min(day + length, self._days), dtype=np.int64)
        return self._stays.keep_home(people, day, until)

    def _is_infected(self, people: Ints, day: int) -> Bools:
        since = self._people.infected_on[people].astype(np.int64)
        return np.asarray((since != NEVER) & (since > day - INFECTIOUS_DAYS) & (since <= day))


def has_gates(scenario: CityScenario) -> bool:
    """Return whether a place has a gate at which somebody shows a pass."""
    keys = scenario.gates
    return bool((keys.venues or keys.transport) and keys.shown)


@dataclass(frozen=True, slots=True)
class GateLessons:
    """What all gates together learn of people's health, if no pass has a hint of its holder.

    A gate learns whether a pass was shown. If a share p of those who come has none, that is the
    entropy of p in bits, at most 1. Those without a pass are taken to come as often as others do,
    which they hardly would: so the bits are an upper bound.

    Attributes:
        showings: people who were asked for a pass, expected.
        refusals: those of them who had none.
        bits: what the answers say about health, in all.
    """

    showings: float
    refusals: float
    bits: float


def lessons(scenario: CityScenario, network: Network, daily: Mapping[str, Ints]) -> GateLessons:
    """Return what gates learn in a run.

    Args:
        scenario: of the city.
        network: of the city.
        daily: (days,) columns of the run; see ``Response.daily``.
    """
    keys = scenario.gates
    day = np.arange(len(daily["kept_out"]), dtype=np.int64)
    if not has_gates(scenario):
        return GateLessons(0.0, 0.0, 0.0)
    riders = float((network.slots[TRANSPORT] > 0).mean())
    visits = keys.visits * keys.venues + TRIPS * riders * keys.transport * is_working_day(day)
    visits = np.where((day >= keys.start_day) & (day < keys.end_day), visits * keys.shown, 0.0)
    at_home = daily["home_isolated"] + daily["home_infected"] + daily["home_not"]
    out = network.people - at_home
    showings, refusals = out * visits, daily["kept_out_at_large"] * visits
    bits = showings * entropy_bits(daily["kept_out_at_large"] / np.maximum(out, 1))
    return GateLessons(float(showings.sum()), float(refusals.sum()), float(bits.sum()))
