"""What happens because of symptoms and tests: isolation, tests, tracing, quarantine, and its cost.

Each day begins with the people whose symptoms begin, then results of tests, then warnings that
arrive. Everything works on sorted sets of people and on hashes, so the order of work has no effect.

Each shard does this for its own people. Those who wait for a test and those whom tracers ask are
chosen in the first shard, because the capacity is that of the whole city.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.city.disease import INFECTIOUS_DAYS, Disease
from simulations.city.distinct import count_distinct, distinct
from simulations.city.exchange import Exchange, OwnPeople
from simulations.city.gates import Gates
from simulations.city.hashes import chance, chances, happens, hashed, high_bits, key_of
from simulations.city.keys import HOUSEHOLD, CityScenario
from simulations.city.network import Network
from simulations.city.own_measures import Measure, Watch
from simulations.city.people import BY_APP, BY_MEASURE, BY_TRACERS, NEVER, People, longest
from simulations.city.presence import CityPresence
from simulations.city.tally import Tally
from simulations.city.tracing import CityTracing, Named
from tracetogether.units import Bools, Ints

_ALARM_LEVELS = 16
COUNTED_BY_DAY: Final = (
    "tests",
    "positives",
    "uploads",
    "warned",
    "warned_falsely",
    "interviews",
    "calls",
    "learned_person_contacts",
)
"""The costs that are known for each day."""
AT_HOME: Final = ("home_isolated", "home_infected", "home_not")
"""Columns of the people at home on a day: cases, contacts infected when warned, other contacts."""


@dataclass(slots=True)
class CityCosts(Tally):
    """What a run cost, counted.

    Attributes:
        isolation_days: person-days at home of people with symptoms or a positive test.
        quarantine_days_infected: person-days at home of contacts who were infected when warned.
        quarantine_days_not: the same of all other contacts.
        tests: tests done.
        positives: positive results.
        uploads: contact logs uploaded.
        warned: people whom the app advised to stay at home.
        warned_falsely: those of them whom only a false listing named.
        interviews: cases whom tracers asked.
        calls: calls by tracers, to cases and contacts.
        learned_person_contacts: pairs of a case and a contact that the authority learned.
    """

    isolation_days: int = 0
    quarantine_days_infected: int = 0
    quarantine_days_not: int = 0
    tests: int = 0
    positives: int = 0
    uploads: int = 0
    warned: int = 0
    warned_falsely: int = 0
    interviews: int = 0
    calls: int = 0
    learned_person_contacts: int = 0


class Response:
    """The measures of a run that act on the people of one shard.

    Args:
        own: the people of the shard.
        scenario: of the city.
        network: of the city.
        disease: the infection in its people.
        people: the state, which this changes.
        tracing: names contacts.
        gates: which keep people out.
        presence: check-in and places.
        seed: of the run.
        measures: measures of your own.
        watch: called with everybody who is named.
    """

    def __init__(
        self,
        own: OwnPeople,
        scenario: CityScenario,
        network: Network,
        disease: Disease,
        people: People,
        tracing: CityTracing,
        gates: Gates,
        presence: CityPresence,
        seed: int,
        measures: Sequence[Measure] = (),
        watch: Watch | None = None,
    ) -> None:
        self._measures, self._watch = measures, watch
        self._own, self._scenario = own, scenario
        self._network, self._disease = network, disease
        self._people, self._tracing, self._gates = people, tracing, gates
        self._seed, self._presence = seed, presence
        self._tests_left = 0
        self.costs = CityCosts()
        self._totals: list[list[int]] = []
        self._home = {name: np.zeros(scenario.days + 1, dtype=np.int64) for name in AT_HOME}
        self._onsets: defaultdict[int, list[Ints]] = defaultdict(list)
        self._results: defaultdict[int, list[Ints]] = defaultdict(list)
        self._warnings: defaultdict[int, list[tuple[Ints, Ints]]] = defaultdict(list)
        self._waiting: Ints = np.zeros(0, dtype=np.int64)
        quarantine = scenario.quarantine
        alarms = np.arange(_ALARM_LEVELS)
        self._compliance = chances(
            quarantine.compliance * (1 - quarantine.lost_per_false_alarm) ** alarms
        )
        # A byte for each person, where compliance falls with alarms.
        self._alarms = np.zeros(
            network.people if quarantine.lost_per_false_alarm else 0, dtype=np.uint8
        )
        self._per_100k = network.people / 100_000
        self._acts = bool(scenario.isolation.compliance or scenario.tests.share)

    def expect_symptoms(self, infected: Ints, day: int) -> None:
        """Note when people who were infected on ``day`` will have symptoms."""
        if not self._acts:
            return
        loud = infected[~self._disease.is_silent(infected)]
        if not loud.size:
            return
        onset = day + self._disease.incubation_days(loud)
        order = np.argsort(onset, kind="stable")
        onset, loud = onset[order], loud[order]
        days, first = np.unique(onset, return_index=True)
        for later, part in zip(days.tolist(), np.split(loud, first[1:]), strict=True):
            self._onsets[later].append(part)

    def act(self, day: int) -> Exchange[None]:
        """Do everything that measures do on the morning of ``day``."""
        yield from self._symptoms(_sorted(self._onsets.pop(day, [])), day)
        if self._presence.act:
            yield from self._alert(day)
        yield from self._tested(_sorted(self._results.pop(day, [])), day)
        warnings = self._warnings.pop(day, [])
        if warnings:
            others, until = (np.concatenate(column) for column in zip(*warnings, strict=True))
            self._warn(others, until, day)
        self._gates.withhold_from_contacts(day)
        self._gates.end_morning(day)
        self._totals.append([getattr(self.costs, name) for name in COUNTED_BY_DAY])

    def daily(self) -> dict[str, Ints]:
        """Return (days,) columns: what was counted on each day, and who was at home or kept out."""
        days = len(self._totals)
        totals = np.array(self._totals, dtype=np.int64).reshape(days, len(COUNTED_BY_DAY))
        counted = np.diff(totals, axis=0, prepend=0).T
        at_home = {name: np.cumsum(change[:days]) for name, change in self._home.items()}
        return dict(zip(COUNTED_BY_DAY, counted, strict=True)) | at_home | self._gates.daily()

    def _chance(self, name: str, people: Ints, share: float) -> Bools:
        return happens(hashed(key_of(self._seed, name), people), chance(share))

    def _alert(self, day: int) -> Exchange[None]:
        """Let those who were in a place with a case stay at home, and test some of them.

        Tests of people with symptoms come first. A test shows an infection from some day on.
        """
        keys, tests = self._scenario.presence, self._scenario.tests
        people = self._presence.alerted(day)
        costs = self._presence.costs
        home = people[self._chance("warned stays", people, keys.stay_home)]
        infected, others = self._quarantine(
            home, np.full(len(home), day + keys.home_days, dtype=np.int64), day
        )
        costs.warned_home_days_infected += infected
        costs.warned_home_days_not += others
        if not tests.share or not tests.start_day <= day < tests.end_day:
            return
        wanted = people[self._chance("warned tests", people, keys.tested)]
        (wanted,) = yield from self._own.to_first(wanted)
        done = self._first_drawn(wanted, self._tests_left, day)
        self.costs.tests += len(done)
        costs.tests_of_warned += len(done)
        (done,) = yield from self._own.to_owners(done, done)
        since = self._people.infected_on[done].astype(np.int64)
        done = np.sort(done[(since <= day - keys.test_from_day) & ~self._people.tested[done]])
        costs.positives_of_warned += len(done)
        if done.size:
            self._results[day + tests.delay_days].append(done)

    def _symptoms(self, people: Ints, day: int) -> Exchange[None]:
        isolation, tests = self._scenario.isolation, self._scenario.tests
        if isolation.start_day <= day < isolation.end_day:
            self._isolate(people[self._chance("isolation", people, isolation.compliance)], day)
        if not tests.share or not tests.start_day <= day < tests.end_day:
            return
        wanted = people[self._chance("test", people, tests.share)]
        (wanted,) = yield from self._own.to_first(wanted)
        waiting = np.concatenate([self._waiting, wanted])  # those who waited come first
        capacity = int(tests.daily_per_100k * self._per_100k)
        if len(waiting) > capacity:
            # Of those who came today, chance decides who waits.
            draw = high_bits(hashed(key_of(self._seed, "queue", day), wanted))
            order = np.argsort(draw, kind="stable")
            waiting = np.concatenate([self._waiting, wanted[order]])
        done, self._waiting = waiting[:capacity], waiting[capacity:]
        self._tests_left = capacity - len(done)
        self.costs.tests += len(done)
        (done,) = yield from self._own.to_owners(done, done)
        if done.size:
            self._results[day + tests.delay_days].append(done)

    def _isolate(self, people: Ints, day: int) -> None:
        until = np.full(len(people), day + self._scenario.isolation.days, dtype=np.int64)
        added = self._people.keep_home(people, day, self._cut(until))
        self.costs.isolation_days += int(added.sum())
        self._note_stays("home_isolated", np.unique(people), added)

    def _cut(self, until: Ints) -> Ints:
        """Return the ends of stays, no later than the end of the run, so that days are counted."""
        return np.minimum(until, self._scenario.days)

    def _tested(self, people: Ints, day: int) -> Exchange[None]:
        people = people[~self._people.tested[people]]
        self._people.tested[people] = True
        self.costs.positives += len(people)
        self._isolate(people, day)
        self._gates.withhold_from_cases(people, day)
        home = self._scenario.household_quarantine
        if home.compliance and home.start_day <= day < home.end_day:
            others = distinct(self._network.contacts(people, day, [HOUSEHOLD]).other)
            others = others[self._chance("household", others, home.compliance)]
            (others,) = yield from self._own.to_owners(others, others)
            self._quarantine(others, np.full(len(others), day + home.days, np.int64), day)
        app = self._scenario.app
        if app.adoption and app.start_day <= day < app.end_day:
            cases = people[self._tracing.has_app(people)]
            cases = cases[self._chance("consent", cases, app.consent)]
            listed = yield from self._upload(cases, day)
            if self._presence.are_on(day):
                yield from self._presence.report(people, cases, listed, day)
        tracers = self._scenario.tracers
        if tracers.cases_per_100k and tracers.start_day <= day < tracers.end_day:
            yield from self._ask(people, day)
        for measure in self._measures:
            yield from self._name(measure, people, day)

    def _name(self, measure: Measure, cases: Ints, day: int) -> Exchange[None]:
        named = yield from self._here(measure.named(self._network, self._seed, cases, day))
        self.costs.calls += count_distinct(named.other)
        self.costs.learned_person_contacts += _pairs(named)
        self._show("measure", named, day)
        self._note_found(named, BY_MEASURE, day)
        self._warnings[day + measure.delay_days].append(
            (named.other, named.day + measure.quarantine_days)
        )

    def _here(self, named: Named) -> Exchange[Named]:
        """Return the people of this shard whom any shard names."""
        columns = yield from self._own.to_owners(named.other, *named.columns)
        return Named(*columns)

    def _met(self, named: Named) -> Exchange[Named]:
        """Return the people of this shard whom any shard names, without prevented contacts."""
        named = yield from self._here(named)
        return named.of(~self._tracing.prevented(named))

    def _show(self, by: str, named: Named, day: int) -> None:
        if self._watch is not None:
            self._watch(by, named, day)

    def _upload(self, cases: Ints, day: int) -> Exchange[Named]:
        app = self._scenario.app
        self.costs.uploads += len(cases)
        named = yield from self._met(self._tracing.by_app(cases, day))
        self._show("app", named, day)
        self._learn(named)
        listed = named.of(named.listed)
        if app.second_degree:
            first = distinct(listed.other)
            more = yield from self._met(self._tracing.by_app(first, day))
            self._show("app", more, day)
            self.costs.uploads += len(first)
            self._learn(more)
            listed = Named.joined([listed, more.of(more.listed)])
        self._note_found(listed, BY_APP, day)
        warned = count_distinct(listed.other)
        self.costs.warned += warned
        self.costs.warned_falsely += warned - count_distinct(listed.other[~listed.false])
        if app.protocol == "bluetrace":
            self.costs.calls += warned
        self._warnings[day + app.pin_delay_days].append(
            (listed.other, listed.day + app.quarantine_days)
        )
        self._gates.expect_contacts(listed.other, listed.false, day + app.pin_delay_days)
        return listed

    def _note_found(self, named: Named, by: int, day: int) -> None:
        rows = np.flatnonzero(self._is_infected(named.other, day))
        self._people.note_found(named.other[rows], named.case[rows], by)

    def _learn(self, named: Named) -> None:
        if self._scenario.app.protocol == "bluetrace":  # phones of others match broadcasts alone
            self.costs.learned_person_contacts += _pairs(named)

    def _ask(self, people: Ints, day: int) -> Exchange[None]:
        tracers = self._scenario.tracers
        asked = yield from self._drawn(people, int(tracers.cases_per_100k * self._per_100k), day)
        named = yield from self._met(self._tracing.by_tracers(asked, day))
        self._show("tracers", named, day)
        self._note_found(named, BY_TRACERS, day)
        pairs = _pairs(named)
        self.costs.interviews += len(asked)
        self.costs.calls += len(asked) + count_distinct(named.other)
        self.costs.learned_person_contacts += pairs
        self._warnings[day + tracers.delay_days].append(
            (named.other, named.day + tracers.quarantine_days)
        )

    def _drawn(self, people: Ints, capacity: int, day: int) -> Exchange[Ints]:
        """Return which people of this shard are among ``capacity`` that are drawn of all."""
        (people,) = yield from self._own.to_first(self._first_drawn(people, capacity, day))
        people = self._first_drawn(people, capacity, day)
        (people,) = yield from self._own.to_owners(people, people)
        return np.sort(people)

    def _first_drawn(self, people: Ints, capacity: int, day: int) -> Ints:
        draw = high_bits(hashed(key_of(self._seed, "interview", day), people))
        return people[np.argsort(draw, kind="stable")[:capacity]]

    def _warn(self, people: Ints, until: Ints, day: int) -> None:
        people, until = longest(people, until)
        level: Ints | int = 0
        if self._alarms.size:
            level = np.minimum(self._alarms[people], _ALARM_LEVELS - 1).astype(np.int64)
        draw = high_bits(hashed(key_of(self._seed, "compliance"), people))
        self._quarantine_those(people, until, draw < self._compliance[level], day)
        if self._alarms.size:
            wrong = people[~self._is_infected(people, day)]
            self._alarms[wrong] = np.minimum(self._alarms[wrong], 254) + 1

    def _quarantine_those(self, people: Ints, until: Ints, stays: Bools, day: int) -> None:
        self._quarantine(people[stays], until[stays], day)

    def _quarantine(self, people: Ints, until: Ints, day: int) -> tuple[int, int]:
        """Keep people at home, and return the days added of infected people and of others."""
        if not people.size:
            return 0, 0
        added = self._people.keep_home(people, day, self._cut(until))
        people = distinct(people)
        infected = self._is_infected(people, day)
        days = int(added[infected].sum()), int(added[~infected].sum())
        self.costs.quarantine_days_infected += days[0]
        self.costs.quarantine_days_not += days[1]
        self._note_stays("home_infected", people[infected], added[infected])
        self._note_stays("home_not", people[~infected], added[~infected])
        return days

    def _note_stays(self, name: str, people: Ints, added: Ints) -> None:
        """Note on which days people stay at home, the last ``added`` days of their stays."""
        until = self._people.away_until[people[added > 0]].astype(np.int64)
        change, length = self._home[name], len(self._home[name])
        change += np.bincount(until - added[added > 0], minlength=length)
        change -= np.bincount(until, minlength=length)

    def _is_infected(self, people: Ints, day: int) -> Bools:
        since = self._people.infected_on[people].astype(np.int64)
        return np.asarray((since != NEVER) & (since > day - INFECTIOUS_DAYS) & (since <= day))


def total_of_days(parts: Sequence[Mapping[str, Ints]]) -> dict[str, Ints]:
    """Return the sums of ``Response.daily`` over shards."""
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}


def _sorted(parts: list[Ints]) -> Ints:
    return np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)


def _pairs(named: Named) -> int:
    """Return the number of different pairs of a case and a contact."""
    return count_distinct(named.case << 32 | named.other)
