"""One person who is near several cases is one line: whom to call, for which cases, until when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.cases.calls import PeopleQuery
from tracetogether.authority.cases.followed import (
    CALLED_TOGETHER,
    ContactState,
    KeptContact,
    Priority,
)
from tracetogether.authority.cases.person_index import language_digests
from tracetogether.authority.desk.views import Desk, Followed

_GONE = frozenset({ContactState.MERGED, ContactState.BECAME_CASE})


@dataclass(frozen=True, slots=True)
class PersonToCall:
    """One person, with the line of each case that the caller needs to know.

    Attributes:
        pseudonym: "" if the key of the day is gone.
        lines: those that are called today first, then the most urgent; one at least.
        elsewhere: number of lines of cases that the caller does not need to know.
        reserved_by: name of the operator who calls the person now, or "".
    """

    pseudonym: str
    lines: tuple[Followed, ...]
    elsewhere: int = 0
    reserved_by: str = ""

    @property
    def first(self) -> KeptContact:
        """The most urgent line; one that still says who it is, if there is any."""
        readable = (line.kept for line in self.lines if line.pseudonym)
        return next(readable, self.lines[0].kept)

    @property
    def contact_id(self) -> str:
        """The id of the most urgent line: pages and calls name the person by it."""
        return self.first.contact_id

    @property
    def priority(self) -> Priority:
        """The highest priority of all lines."""
        return min((line.kept.priority for line in self.lines), key=lambda found: found.value)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of all lines, each once."""
        return tuple(dict.fromkeys(code for line in self.lines for code in line.kept.reasons))

    @property
    def states(self) -> tuple[ContactState, ...]:
        """The states of all lines, each once."""
        return tuple(dict.fromkeys(line.kept.state for line in self.lines))

    @property
    def probability(self) -> float:
        """The largest probability of a close contact; cases' probabilities are not combined."""
        return max(line.kept.probability for line in self.lines)

    @property
    def until_day(self) -> int:
        """The last day of the follow-up: the latest of all cases."""
        return max(line.kept.until_day for line in self.lines)

    @property
    def missed(self) -> int:
        """Days in a row on which nobody was reached."""
        return max(line.kept.missed for line in self.lines)

    @property
    def call_at(self) -> float | None:
        """When the next call was agreed on, epoch seconds; None for any time."""
        agreed = [line.kept.call_at for line in self.lines if line.kept.call_at is not None]
        return max(agreed) if agreed else None

    @property
    def version(self) -> int:
        """A number that every change of a line makes larger; forms send the one that they show."""
        return sum(line.kept.version for line in self.lines)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of people, the most urgent first."""

    people: tuple[PersonToCall, ...]
    total: int
    offset: int


@dataclass(frozen=True, slots=True)
class CallList:
    """Lists people in place of rows: a person due for three cases is one line with three reasons.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it.
    """

    desk: Desk
    store: CallingStore

    def page(self, query: PeopleQuery, now: float, *, by: Caller) -> PeoplePage:
        """Return a page of people near the cases that ``by`` needs to know.

        Raises:
            InvalidRequestError: the language is no code.
        """
        by.require(Action.LIST_FOLLOWED)
        if not by.needs_to_know(""):
            query = replace(query, assigned_to=by.name)
        spoken = (
            None
            if query.language is None
            else language_digests(query.language, now, self.desk.keys)
        )
        found, total = self.store.calls.people(query, spoken)
        return PeoplePage(tuple(self.lines(found, now, by)), total, query.offset)

    def due(self, now: float, offset: int = 0, limit: int = 50, *, by: Caller) -> PeoplePage:
        """Return the people to call today, the most urgent first."""
        query = PeopleQuery(due_on=self.desk.today(now), offset=offset, limit=limit)
        return self.page(query, now, by=by)

    def person(self, contact_id: str, now: float, *, by: Caller) -> PersonToCall:
        """Return the person of a contact that ``by`` needs to know.

        Raises:
            NotFoundError: there is no such contact in a case that ``by`` needs to know.
        """
        by.require(Action.LIST_FOLLOWED)
        kept = self.desk.kept(contact_id, by)
        (found,) = self.lines([self.store.desk.lines_of(kept.who) or [kept]], now, by)
        return found

    def lines(
        self,
        people: Sequence[Sequence[KeptContact]],
        now: float,
        by: Caller,
        *,
        nobodys: bool = False,
    ) -> list[PersonToCall]:
        """Return people with the lines that ``by`` needs to know; those without any are left out.

        Args:
            people: all lines of each person, the most urgent first.
            now: epoch seconds.
            by: the caller.
            nobodys: lines of cases that are assigned to nobody count as the caller's.
        """
        day = self.desk.today(now)
        present = [
            sorted(
                [kept for kept in lines if kept.state not in _GONE] or lines,
                key=lambda kept: kept.state not in CALLED_TOGETHER or kept.until_day < day,
            )
            for lines in people
        ]
        everything = [kept for lines in present for kept in lines]
        assignees = self.store.calls.assignees({kept.case_id for kept in everything})
        reserved = self.store.calls.reservations({kept.who for kept in everything}, now)
        known = {
            case_id
            for case_id, name in assignees.items()
            if by.needs_to_know(name) or (nobodys and not name)
        }
        seen = [[kept for kept in lines if kept.case_id in known] for lines in present]
        shown = iter(self.desk.all_shown([kept for lines in seen for kept in lines], by))
        found = []
        for lines, mine in zip(present, seen, strict=True):
            rows = tuple(next(shown) for _ in mine)
            if rows:
                elsewhere, who = len(lines) - len(mine), mine[0].who
                found.append(PersonToCall(_name_of(rows), rows, elsewhere, reserved.get(who, "")))
        return found


def _name_of(lines: Sequence[Followed]) -> str:
    """Return the pseudonym of a person; "" if the keys of all lines are destroyed."""
    return next((line.pseudonym for line in lines if line.pseudonym), "")
