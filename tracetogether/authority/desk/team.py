"""A team's day: who is due, done and overdue per tracer, and cases that change hands in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.cases.case import OPEN_STATES, Case, CasePage, CaseQuery
from tracetogether.authority.cases.casework import NOBODY, Casework
from tracetogether.authority.cases.team import TracerDay
from tracetogether.authority.desk.hours import CallingHours, calling_hours, set_calling_hours
from tracetogether.authority.desk.shifts import end_shift
from tracetogether.authority.desk.views import Desk
from tracetogether.errors import InvalidRequestError, NotFoundError

MOST_CASES: Final = 200
"""Cases that change hands at once."""


@dataclass(frozen=True, slots=True)
class TeamDay:
    """A team's day.

    Attributes:
        tracers: by name; first the cases of nobody ("").
        due: people who are due in all; somebody who is near cases of two tracers counts once.
    """

    tracers: tuple[TracerDay, ...]
    due: int

    @property
    def on_shift(self) -> tuple[str, ...]:
        """The names of those who have a shift now."""
        return tuple(row.name for row in self.tracers if row.shift_since is not None)

    @property
    def done(self) -> int:
        """How many people the tracers have called today."""
        return sum(row.done for row in self.tracers)

    @property
    def busy(self) -> tuple[TracerDay, ...]:
        """Nobody's cases, and the tracers who have work or a shift."""
        return tuple(row for row in self.tracers if not row.name or row != TracerDay(row.name))

    @property
    def idle(self) -> tuple[str, ...]:
        """The names of the tracers who have neither work nor a shift."""
        return tuple(row.name for row in self.tracers if row.name and row == TracerDay(row.name))


@dataclass(frozen=True, slots=True)
class Team:
    """A supervisor's view of the tracers, and the cases that change hands.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it.
    """

    desk: Desk
    casework: Casework
    store: CallingStore
    audit: Audit

    def today(self, now: float, *, by: Caller) -> TeamDay:
        """Return the day of each tracer, also of those without any work."""
        by.require(Action.SHOW_TEAM)
        rows, due = self.store.calls.team(self.desk.today(now), now)
        found = {"": TracerDay(""), **{row.name: row for row in rows}}
        for name in self.casework.tracers(by=by):
            found.setdefault(name, TracerDay(name))
        return TeamDay(tuple(found[name] for name in sorted(found)), due)

    def cases(self, tracer: str, now: float, offset: int = 0, *, by: Caller) -> CasePage:
        """Return the open cases of a tracer ("" for those of nobody), with what is due."""
        by.require(Action.SHOW_TEAM)
        query = CaseQuery(states=OPEN_STATES, assigned_to=tracer, offset=offset)
        return self.casework.page(query, now, by=by)

    def all_cases(self, tracer: str, now: float, *, by: Caller) -> dict[str, int]:
        """Return the versions of all open cases of a tracer ("" for those of nobody).

        Raises:
            InvalidRequestError: they are too many to change hands at once.
        """
        found: dict[str, int] = {}
        while (page := self.cases(tracer, now, len(found), by=by)).cases:
            if page.total > MOST_CASES:
                raise _too_many()
            found.update((row.case.case_id, row.case.version) for row in page.cases)
        return found

    def spread(
        self, case_ids: Sequence[str], tracers: Sequence[str], now: float, *, by: Caller
    ) -> dict[str, str]:
        """Return to whom each case would go, so that all tracers have as many people due.

        Nothing is changed.
        The case with most people due goes first, each to the tracer with least due until then.
        What the tracers have to do already counts, the cases themselves left out.

        Raises:
            InvalidRequestError: there are no tracers, or no cases, or too many.
        """
        by.require(Action.SHOW_TEAM)
        _check_number(case_ids)
        if not tracers:
            msg = "nobody has a shift: choose a tracer, or let one begin a shift"
            raise InvalidRequestError(msg, "nobody-on-shift")
        due = self.store.calls.due_by_case(case_ids, self.desk.today(now))
        assigned = self.store.calls.assignees(case_ids)
        load = {row.name: row.due for row in self.today(now, by=by).tracers}
        work = {name: load.get(name, 0) for name in sorted(tracers)}
        for case_id, name in assigned.items():
            if name in work:
                work[name] -= due.get(case_id, 0)
        share = dict.fromkeys(work, 0)
        found = {}
        for case_id in sorted(case_ids, key=lambda case_id: (-due.get(case_id, 0), case_id)):
            name = min(work, key=lambda name: (work[name], share[name], name))
            found[case_id] = name
            work[name] += due.get(case_id, 0)
            share[name] += 1
        return found

    def hand_over(
        self,
        cases: Mapping[str, str],
        now: float,
        *,
        versions: Mapping[str, int] | None = None,
        by: Caller,
    ) -> list[Case]:
        """Assign cases to tracers, all or none; the audit log gets an entry for each.

        A case that its tracer has already is left as it is.

        Args:
            cases: case id -> the tracer's name; ``casework.NOBODY`` for nobody.
            now: epoch seconds.
            versions: of the cases, as the caller saw them; any for those that are left out.
            by: the caller.

        Raises:
            InvalidRequestError: there are no cases, or too many.
            NotFoundError: there is no such case, or no such tracer.
            StaleError: somebody has changed a case since.
        """
        by.require(Action.ASSIGN_CASE)
        _check_number(tuple(cases))
        known, changed = versions or {}, []
        with self.audit.atomic():
            for case_id in sorted(cases):
                name, version = cases[case_id], known.get(case_id)
                case = self.casework.locked(case_id, version=version, by=by)
                if case.assigned_to != ("" if name == NOBODY else name):
                    changed.append(self.casework.assign(case_id, name, now, version=version, by=by))
        return changed

    def end_shift(self, tracer: str, now: float, *, by: Caller) -> None:
        """End the shift of a tracer; whom the tracer calls now is free for others.

        Raises:
            NotFoundError: no operator of that name has a shift.
        """
        by.require(Action.END_SHIFT)
        if not end_shift(tracer, now, store=self.store, audit=self.audit, by=by.name):
            raise NotFoundError("the tracer has no shift now", "no-such-shift")

    def hours(self, *, by: Caller) -> CallingHours | None:
        """Return the hours in which people are called; None for any hour."""
        by.require(Action.LIST_FOLLOWED)
        return calling_hours(self.store)

    def set_hours(self, hours: CallingHours | None, now: float, *, by: Caller) -> None:
        """Set the hours in which people are called; None for any hour.

        Outside of them "next" warns, and no next call can be agreed on. Agreed times stay.
        """
        set_calling_hours(hours, now, store=self.store, audit=self.audit, by=by)


def _check_number(case_ids: Sequence[str]) -> None:
    if not case_ids:
        raise InvalidRequestError("choose one case at least", "choose-case")
    if len(case_ids) > MOST_CASES:
        raise _too_many()


def _too_many() -> InvalidRequestError:
    msg = "choose {most} cases at most"
    return InvalidRequestError(msg, "too-many-cases", most=MOST_CASES)
