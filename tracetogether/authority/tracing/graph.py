"""The contact graph of all cases, and contacts of contacts, from the cases' contact lists."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.contacts.lines import Contact, ContactDay, pseudonym
from tracetogether.authority.contacts.transmission import (
    Candidate,
    Infection,
    candidates,
)
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Interval

MOST_CASES: Final = 1_000


@dataclass(frozen=True, slots=True)
class GraphPerson:
    """A person who was near a case, or is one.

    Attributes:
        pseudonym: the name in lists.
        cases: the person's own cases that the operator needs to know, the newest first.
    """

    pseudonym: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two people who were near one another, at least one of them a case.

    Attributes:
        case_id: the case whose contact list it is from.
        first: pseudonym of the case's person.
        contact: the line of the list.
    """

    case_id: str
    first: str
    contact: Contact

    @property
    def pair(self) -> tuple[str, str]:
        """Both pseudonyms, in alphabetical order."""
        one, other = sorted((self.first, self.contact.pseudonym))
        return one, other


@dataclass(frozen=True, slots=True)
class ContactGraph:
    """Cases and their contacts, with the meetings between them.

    Attributes:
        policy: the close-contact policy that was applied.
        people: in the order of pseudonyms.
        meetings: one for each pair that met, the likeliest close contacts first. Of two cases that
            met, the list that knows more days is taken.
        candidates: who may have infected whom; a ranking, no finding.
        asked: the cases whose lists are included, the newest first.
        near, close: how many people, and close contacts, each of them has on its list.
        cases_left_out: how many were not, because there are too many.
    """

    policy: CloseContactPolicy
    people: tuple[GraphPerson, ...]
    meetings: tuple[Meeting, ...]
    candidates: tuple[Candidate, ...]
    asked: tuple[Case, ...]
    near: Mapping[str, int]
    close: Mapping[str, int]
    cases_left_out: int

    @property
    def cases(self) -> int:
        """Number of cases whose lists are included."""
        return len(self.asked)


@dataclass(frozen=True, slots=True)
class Onward:
    """A person near a contact of a case, after that contact had met the case.

    Attributes:
        through: pseudonym of the contact, who has uploaded.
        through_case: the contact's own case.
        through_probability: P that the contact is a close contact of the case.
        met_day: number of the day on which the contact first met the case.
        contact: the person, as the contact's own list has it: its figures are of all its days.
    """

    through: str
    through_case: Case
    through_probability: float
    met_day: int
    contact: Contact

    @property
    def chain_probability(self) -> float:
        """P that both meetings were close: the case with the contact, the contact with the person.

        Other phones recorded each of the two, at other times, so the errors of the two estimates
        are taken as independent and the probabilities are multiplied. It is not the probability of
        an infection.
        """
        return self.through_probability * self.contact.probability

    @property
    def days_after(self) -> int:
        """Days from the contact's first meeting with the case to the first with this person."""
        days = [day.day for day in self.contact.days]
        return min(day for day in days if day >= self.met_day) - self.met_day


@dataclass(frozen=True, slots=True)
class ContactGraphs:
    """Builds graphs from contact lists, with the cases that the caller needs to know.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    tracing: Tracing
    store: IntakeStore

    def graph(
        self,
        policy: CloseContactPolicy | None = None,
        *,
        by: Caller,
        skip: int = 0,
        most: int = MOST_CASES,
    ) -> ContactGraph:
        """Return the graph of the newest cases that ``by`` needs to know and that have uploads.

        Args:
            policy: when a contact is close; Singapore's if None.
            by: the caller; tracers see their own cases, supervisors and the console all.
            skip: number of newest cases to leave out.
            most: largest number of cases to include; the work grows with it.
        """
        by.require(Action.SHOW_GRAPH)
        policy = self.tracing.policy() if policy is None else policy
        name_of = self._name_of
        with_logs = {case_id for case_id, _ in self.store.all_upload_ids()}
        known = [case for case in self.store.cases() if _counts(case, by)]
        all_asked = [case for case in known if case.case_id in with_logs]
        asked = all_asked[skip : skip + most]
        near, close = Counter[str](), Counter[str]()

        def all_meetings() -> Iterator[Meeting]:
            for case in asked:
                for contact in self.tracing.found(case, policy).contacts:
                    near[case.case_id] += 1
                    close[case.case_id] += contact.close_contact
                    yield Meeting(case.case_id, name_of(case.user_id), contact)

        meetings = _once_a_pair(all_meetings())
        # Only people in meetings are needed, which saves computing thousands of pseudonyms.
        met = {meeting.contact.user_id for meeting in meetings} | {case.user_id for case in asked}
        own: dict[str, list[Case]] = {}
        for case in known:
            if case.user_id in met:
                own.setdefault(name_of(case.user_id), []).append(case)
        there = {name for meeting in meetings for name in meeting.pair}
        there.update(name_of(case.user_id) for case in asked)
        return ContactGraph(
            policy=policy,
            people=tuple(GraphPerson(name, tuple(own.get(name, ()))) for name in sorted(there)),
            meetings=tuple(sorted(meetings, key=_weight)),
            candidates=candidates(
                [
                    Infection(case.case_id, name_of(case.user_id), case.day)
                    for case in known
                    if case.user_id in met
                ],
                {meeting.pair: _minutes_by_day(meeting.contact.days) for meeting in meetings},
            ),
            asked=tuple(asked),
            near=near,
            close=close,
            cases_left_out=len(all_asked) - len(asked),
        )

    def _name_of(self, user_id: str) -> str:
        return pseudonym(user_id, self.tracing.logs.keys.naming_key)

    def second_degree(
        self,
        case: Case,
        policy: CloseContactPolicy | None = None,
        *,
        by: Caller,
    ) -> tuple[Onward, ...]:
        """Return the contacts of those contacts of a case that are cases with a log themselves.

        The likeliest chain is first. Contacts who are no cases have sent no log, so nothing is
        known about the people whom they met.

        Included are meetings on the day of meeting the case or later, with people who are not in
        the case's own list, through contacts whose cases ``by`` needs to know.

        Args:
            case: the case.
            policy: when a contact is close; Singapore's if None.
            by: the caller.
        """
        by.require(Action.LIST_CONTACTS)
        policy = self.tracing.policy() if policy is None else policy
        direct = {contact.user_id: contact for contact in self.tracing.found(case, policy).contacts}
        found = []
        ids = {case_id for _, case_id in self.store.desk.cases_of_users(sorted(direct))}
        for through in self.store.desk.cases_named(ids):
            if not _counts(through, by):
                continue
            between = direct[through.user_id]
            met_day = between.days[0].day
            found += [
                Onward(between.pseudonym, through, between.probability, met_day, contact)
                for contact in self.tracing.found(through, policy).contacts
                if contact.days[-1].day >= met_day
                and contact.user_id not in direct
                and contact.user_id != case.user_id
            ]
        return tuple(
            sorted(
                found,
                key=lambda onward: (
                    -onward.chain_probability,
                    *onward.contact.concern,
                    onward.through_case.case_id,
                ),
            )
        )


def _counts(case: Case, by: Caller) -> bool:
    counted = case.state is not CaseState.MERGED and not case.unconfirmed and not case.origin
    return counted and by.needs_to_know(case.assigned_to)


def _once_a_pair(meetings: Iterable[Meeting]) -> list[Meeting]:
    best: dict[tuple[str, str], Meeting] = {}
    for meeting in meetings:
        there = best.get(meeting.pair)
        if there is None or _known(meeting) > _known(there):
            best[meeting.pair] = meeting
    return list(best.values())


def _known(meeting: Meeting) -> tuple[int, float, str]:
    one = meeting.contact
    return len(one.days), one.minutes.median, meeting.case_id


def _weight(meeting: Meeting) -> tuple[float, float, float, tuple[str, str]]:
    return (*meeting.contact.concern[:3], meeting.pair)


def _minutes_by_day(days: Sequence[ContactDay]) -> dict[int, Interval]:
    return {day.day: day.minutes for day in days}
