"""The work of made-up operators in a made-up town: cases, uploads, calls and notes by day."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulations.streams import Streams
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.calls import PeopleQuery
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ACTIVE, ContactQuery, ContactState, Outcome
from tracetogether.authority.desk.views import Followed
from tracetogether.authority.intake.issuance import Registration, new_secret
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.tempid import TempIDBatch
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.demo_days import Town
from tracetogether.crypto import sha256
from tracetogether.errors import ConflictError
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, utc_day

STAFF: Final = {
    "mei-supervisor": {Role.SUPERVISOR, Role.TRACER},
    "ravi": {Role.TRACER},
    "siti": {Role.TRACER},
    "tom": {Role.TRACER},
    "desk-one": {Role.ISSUER},
    "nora-reports": {Role.EXPORTER},
    "omar-audit": {Role.AUDITOR},
}
"""Invented operators and their roles; their tokens are discarded."""
_TRACERS: Final = ("ravi", "siti", "tom")
_NAMES: Final = (
    *("Aisha Tan", "Ben Okafor", "Chen Wei", "Devi Nair", "Elif Kaya", "Farid Rahman"),
    *("Grace Lim", "Hana Sato", "Ivan Petrov", "Julia Costa", "Kofi Mensah", "Lena Berg"),
)
_NOTES: Final = (
    "Works from home from tomorrow; call after six in the evening.",
    "Lives with two parents over seventy.",
    "Prefers to be called in Mandarin.",
    "No answer on the first number, try the second.",
    "Went for a test this morning, result tomorrow.",
)
_CASES_IN_TWENTY: Final = 1  # people out of twenty who test positive
_HOUR: Final = SECONDS_PER_HOUR


@dataclass
class MadeUpWork:
    """Plays the days in the order of time, through the same services that people use.

    Attributes:
        service: the authority, without users yet.
        town: who met whom.
        now: the end, epoch seconds.
        days: number of days.
        phones: the registration of each person's phone.
        users: user id of each person.
    """

    service: Authority
    town: Town
    now: float
    days: int
    phones: list[Registration] = field(default_factory=list, repr=False)
    users: list[str] = field(default_factory=list, repr=False)
    _batches: dict[tuple[int, int], TempIDBatch] = field(default_factory=dict, repr=False)
    _staff: dict[str, Caller] = field(default_factory=dict)
    _infected: set[int] = field(default_factory=set)

    def __call__(self, on_progress: Callable[[int, int], None]) -> None:
        """Play all days."""
        chance = Streams(self.town.seed).generator("demo-work")
        first = utc_day(self.now) - self.days + 1
        self._enrol(first * SECONDS_PER_DAY)
        begin = max(first, utc_day(self.now) - 13)
        plan = self._plan(begin, chance)
        for done, day in enumerate(range(begin, utc_day(self.now) + 1)):
            on_progress(done, utc_day(self.now) + 1 - begin)
            with self.service.store.atomic():
                self._work(day, plan.get(day, []), chance)
        self._rare_events()
        # Find every list now: otherwise the first page that shows one waits for it.
        for case in self.service.casework.cases(by=CONSOLE):
            self.service.tracing.refresh(case)

    def _enrol(self, start: float) -> None:
        with self.service.store.atomic():
            for name, roles in STAFF.items():
                added = self.service.staff.add(
                    name, frozenset(roles), new_secret(), start, by=CONSOLE
                )
                self._staff[name] = added.caller
            self.phones = [self.service.issuance.register() for _ in range(self.town.people)]
            self.users = [phone.user_id for phone in self.phones]
            for time, share in ((self.now, 0.86), (self.now - SECONDS_PER_DAY, 0.9)):
                for user_id in self.users[: int(share * len(self.users))]:
                    self.service.limits.take(BATCHES, user_id, time)

    def untested(self) -> tuple[Registration, list[Sighting]]:
        """Return the phone of a person without a case, and its log until now."""
        person = next(n for n in range(self.town.people) if n not in self._infected)
        days = self._days_of_log(utc_day(self.now))
        return self.phones[person], self.town.log(person, days, self.now, self._tempid)

    def _days_of_log(self, last: int) -> range:
        return range(max(last - 14, utc_day(self.now) - self.days + 1), last + 1)

    def _plan(self, begin: int, chance: np.random.Generator) -> dict[int, list[int]]:
        """Return day -> people who test positive; people found by tracing are added later."""
        count = max(3, self.town.people * _CASES_IN_TWENTY // 20)
        people = chance.choice(self.town.people, min(count, self.town.people), replace=False)
        days = chance.integers(begin, utc_day(self.now) + 1, len(people))
        plan: dict[int, list[int]] = {}
        for person, day in zip(people.tolist(), days.tolist(), strict=True):
            plan.setdefault(day, []).append(person)
        return plan

    def _work(self, day: int, positive: list[int], chance: np.random.Generator) -> None:
        morning = day * SECONDS_PER_DAY + 2 * _HOUR
        self.service.store.desk.end_follow_ups(day, morning)
        if morning < self.now:
            self._calls(day, morning, chance)
        for place, person in enumerate(positive):
            at = morning + (4 + place) * _HOUR
            if at < self.now and person not in self._infected:
                self._infected.add(person)
                issuer = self._staff["desk-one"]
                case = self.service.casework.open_case(self.users[person], at, day, by=issuer)
                self._opened(case, person, at, chance)

    def _opened(self, case: Case, person: int, at: float, chance: np.random.Generator) -> None:
        """Issue a PIN for a new case and, mostly, upload the log and assign a tracer."""
        draw = chance.random()
        pin = self.service.pins.issue(case, min(at + 600, self.now), by=self._staff["desk-one"])
        if draw > 0.12 and at + _HOUR < self.now:
            log = self.town.log(person, self._days_of_log(case.day), at, self._tempid)
            body = write_upload(log)
            intake, user_id = self.service.intake, self.users[person]
            token = intake.redeem_pin(user_id, pin, sha256(body), at + _HOUR / 2)
            intake.take_upload(token, body, at + _HOUR)
            taken = self.service.casework.case(case.case_id, by=CONSOLE)  # the log has confirmed it
            self.service.finder.refresh(taken, at + _HOUR)
            self.service.store.due_list_done(case.case_id, at + _HOUR)
        if draw > 0.2:
            tracer = _TRACERS[int(chance.integers(len(_TRACERS)))]
            boss = self._staff["mei-supervisor"]
            when = min(at + 2 * _HOUR, self.now)  # today's work is never in the future
            self.service.casework.assign(case.case_id, tracer, when, by=boss)

    def _calls(self, day: int, morning: float, chance: np.random.Generator) -> None:
        """Call the people who are due, except for some of today's."""
        query = PeopleQuery(due_on=day, limit=10_000)
        due = self.service.people.page(query, morning, by=CONSOLE).people
        share = 0.4 if day == utc_day(self.now) else 0.93
        for number, person in enumerate(due):
            at = morning + number * 120.0
            lines = [line for line in person.lines if line.kept.due(day)]
            assigned = [(self._tracer_of(line), line) for line in lines]
            tracer, followed = max(assigned, key=lambda pair: bool(pair[0]))
            if tracer and at < self.now and chance.random() < share:
                self._call(followed, day, at, self._staff[tracer], chance)

    def _tracer_of(self, line: Followed) -> str:
        return self.service.casework.case(line.kept.case_id, by=CONSOLE).assigned_to

    def _call(
        self, followed: Followed, day: int, at: float, by: Caller, chance: np.random.Generator
    ) -> None:
        follow, contact_id = self.service.follow_up, followed.kept.contact_id
        answers = int(followed.pseudonym[0] in "ABCDEFGHIJKLMNOPQRSTUV23456")  # some never answer
        draw = chance.random()
        if not answers or draw < 0.06:
            follow.record(contact_id, day, Outcome.NOT_REACHED, at, by=by)
            return
        if followed.kept.state is ContactState.TO_TRACE:
            follow.reach(contact_id, at, by=by)
            name = _NAMES[int(chance.integers(len(_NAMES)))]
            phone = f"+65 0000 {int(chance.integers(10_000)):04d}"
            if not follow.described(contact_id, by=by):  # another case's tracer may have asked
                follow.describe(contact_id, name, phone, at, by=by)
            follow.record(contact_id, day, Outcome.NO_SYMPTOMS, at, by=by)
        elif followed.kept.symptoms and draw < 0.5:
            self._ill(followed, day, at, by, chance)
        else:
            outcome = Outcome.SYMPTOMS if draw > 0.97 else Outcome.NO_SYMPTOMS
            follow.record(contact_id, day, outcome, at, by=by)
        if draw > 0.9:
            note = _NOTES[int(chance.integers(len(_NOTES)))]
            follow.note(followed.kept.case_id, note, at, contact_id=contact_id, by=by)

    def _ill(
        self, followed: Followed, day: int, at: float, by: Caller, chance: np.random.Generator
    ) -> None:
        person = self.users.index(self.service.desk.user_of(followed.kept))
        if person not in self._infected:
            self._infected.add(person)
            case = self.service.merging.convert(followed.kept.contact_id, at, day, by=by)
            self._opened(case, person, at + _HOUR, chance)

    def _rare_events(self) -> None:
        """Make rare events happen once: a closed case, merged cases, a revealed contact."""
        cases, boss = self.service.casework.cases(by=CONSOLE), self._staff["mei-supervisor"]
        oldest = cases[-1]
        if len(cases) > 2:
            with self.service.store.atomic():
                self.service.casework.close(oldest.case_id, self.now - 2 * _HOUR, by=boss)
                second_phone = self.service.issuance.register(self.now - _HOUR).user_id
                again = self.service.casework.open_case(
                    second_phone, self.now - _HOUR, by=self._staff["desk-one"]
                )
                self.service.merging.merge_cases(
                    again.case_id, cases[1].case_id, self.now - _HOUR / 2, by=boss
                )
        page = self.service.desk.page(ContactQuery(states=ACTIVE, limit=1), by=CONSOLE)
        for followed in page.contacts:
            at = self.now - _HOUR / 2
            self.service.follow_up.reveal(
                followed.kept.contact_id, "Asked to call back", at, by=boss
            )

    def _tempid(self, person: int, time: float) -> str:
        key = (person, utc_day(time))
        batch = self._batches.get(key)
        found = None if batch is None else batch.at(time)
        if found is None:
            batch = self.service.issuance.batch(self.users[person], time)
            self._batches[key] = batch
            found = batch.at(time)
        if found is None:
            msg = "a batch begins before it is asked for"
            raise ConflictError(msg)
        return found.text
