"""The tracers' routes: assignment, followed contacts and their calendars, notes, the dashboard."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.cases.case import Case, day_of
from tracetogether.authority.cases.followed import ContactQuery, ContactState, Outcome, Priority
from tracetogether.authority.desk.unmerging import Unmerged
from tracetogether.authority.service import Authority
from tracetogether.shapes import follow_up as shapes
from tracetogether.shapes.cases import Assignment, CaseLine, CaseStep, NewNote, NoteLine, NoteLines
from tracetogether.shapes.oversight import Done

_Page = Annotated[int, Query(ge=1, le=1_000)]
_Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def case_line(authority: Authority, case: Case) -> CaseLine:
    """Return a case as the routes answer it."""
    return CaseLine.of(case, authority.desk.name_of(case.user_id))


def add_follow_up(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""
    _cases(router, authority, clock)
    _contacts(router, authority, clock)
    _steps(router, authority, clock)


def _cases(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.post("/cases/{case_id}/assign")
    def assign(by: By, case_id: str, asked: Assignment) -> CaseLine:
        """Assign a case to a tracer. Role: supervisor."""
        work, version = authority.casework, asked.version
        assigned = work.assign(case_id, asked.operator, clock(), version=version, by=by)
        return case_line(authority, assigned)

    @router.post("/cases/{case_id}/state")
    def close(by: By, case_id: str, asked: CaseStep) -> CaseLine:
        """Close a case, or open a closed one again. Roles: tracer, supervisor."""
        work = authority.casework
        step = work.close if asked.state == "closed" else work.reopen
        return case_line(authority, step(case_id, clock(), version=asked.version, by=by))

    @router.post("/cases/{case_id}/merge")
    def merge_cases(by: By, case_id: str, asked: shapes.Into) -> CaseLine | shapes.MergedLine:
        """Merge a case into another one, which takes its contacts. Role: supervisor."""
        dry_run = asked.dry_run
        found = authority.merging.merge_cases(
            case_id, asked.into, clock(), version=asked.version, dry_run=dry_run, by=by
        )
        if dry_run:
            return shapes.MergedLine.of(found)
        return case_line(authority, authority.casework.case(asked.into, by=by))

    @router.post("/cases/{case_id}/unmerge")
    def unmerge_cases(by: By, case_id: str, asked: shapes.Undo) -> shapes.UndoneLine:
        """Undo the merge of a case into another one. Role: supervisor."""
        return _undone(authority.unmerging.undo_cases, case_id, asked, clock(), by)

    @router.get("/cases/{case_id}/notes")
    def read_notes(by: By, case_id: str) -> NoteLines:
        """Read the notes on a case and its contacts. Roles: tracer, supervisor."""
        found = authority.desk.notes_on(case_id, by=by)
        return NoteLines(notes=[NoteLine.of(note) for note in found])

    @router.post("/cases/{case_id}/notes", status_code=201)
    def write_note(by: By, case_id: str, asked: NewNote) -> NoteLine:
        """Write a note on a case, or on a contact of it. Roles: tracer, supervisor."""
        contact_id, follow_up = asked.contact_id, authority.follow_up
        note = follow_up.note(case_id, asked.text, clock(), contact_id=contact_id, by=by)
        return NoteLine.of(note)

    @router.get("/cases/{case_id}/person")
    def about_person(by: By, case_id: str) -> shapes.AboutCaseShape:
        """Show what is stored of a case's person, and which contacts became the case.

        Roles: tracer, supervisor. Name and number stay hidden.
        """
        case = authority.casework.case(case_id, by=by)
        merged = authority.merging.cases_into(case.case_id, by=by)
        found = authority.case_people.about(case, merged, by=by)
        return shapes.AboutCaseShape.of_case(case, found)

    @router.post("/cases/{case_id}/person/reveal")
    def reveal_person(by: By, case_id: str, asked: shapes.WhyReveal) -> shapes.PersonLine:
        """Return who a case is, with name and number. Role: tracer. The audit log has the reason.

        `version` is the case's.
        """
        person = authority.case_people.reveal(case_id, asked.reason, clock(), by=by)
        return shapes.PersonLine.of(person)

    @router.put("/cases/{case_id}/particulars")
    def describe_person(by: By, case_id: str, asked: shapes.Particulars) -> Done:
        """Store name, telephone number or both of a case's person, encrypted. Role: tracer.

        A field that is left out, null or blank stays as it is; `clear` deletes.
        """
        authority.case_people.describe(
            case_id,
            asked.name or "",
            asked.phone or "",
            clock(),
            language=asked.language,
            clear=asked.clear,
            version=asked.version,
            by=by,
        )
        return Done(done=True)

    @router.get("/dashboard")
    def dashboard(by: By) -> shapes.DashboardShape:
        """Count the work on all cases, or on a tracer's own. Roles: tracer, supervisor."""
        seen = authority.desk.dashboard(clock(), by=by)
        return shapes.DashboardShape.of(seen, authority.days.name)


def _contacts(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/followed")
    def list_followed(
        by: By,
        case_id: str | None = None,
        state: Annotated[list[ContactState] | None, Query()] = None,
        priority: Annotated[
            list[str] | None, Query(description="`high`, `medium` or `low`.")
        ] = None,
        due: Annotated[bool, Query(description="Only those to be called today.")] = False,  # noqa: FBT002 - FastAPI passes it by name
        offset: _Offset = 0,
        limit: _Page = 100,
    ) -> shapes.FollowedPage:
        """List contacts under follow-up, the most urgent first. Roles: tracer, supervisor.

        A tracer sees contacts of the cases assigned to them.
        """
        query = ContactQuery(
            case_id=case_id,
            states=frozenset(state or ()),
            priorities=frozenset(known for known in Priority if known.word in (priority or ())),
            due_on=authority.desk.today(clock()) if due else None,
            offset=offset,
            limit=limit,
        )
        return shapes.FollowedPage.of(authority.desk.page(query, by=by))

    @router.get("/followed/{contact_id}")
    def one_followed(by: By, contact_id: str) -> shapes.FollowedContact:
        """Show a contact with its calendar. Roles: tracer, supervisor."""
        found = shapes.FollowedLine.of(authority.desk.contact(contact_id, by=by))
        days = authority.desk.calendar(contact_id, by=by)
        return shapes.FollowedContact(
            **found.model_dump(), calendar=[shapes.CalendarDay.of(day) for day in days]
        )

    @router.post("/followed/{contact_id}/reveal")
    def reveal_followed(by: By, contact_id: str, asked: shapes.WhyReveal) -> shapes.PersonLine:
        """Return the identity of a contact. Role: tracer. The audit log keeps the reason."""
        person = authority.follow_up.reveal(contact_id, asked.reason, clock(), by=by)
        return shapes.PersonLine.of(person)

    @router.put("/followed/{contact_id}/particulars")
    def describe(by: By, contact_id: str, asked: shapes.Particulars) -> Done:
        """Store a contact's name, telephone number or both, encrypted. Role: tracer.

        A field that is left out, null or blank stays as it is; `clear` deletes.
        """
        authority.follow_up.describe(
            contact_id,
            asked.name or "",
            asked.phone or "",
            clock(),
            language=asked.language,
            clear=asked.clear,
            version=asked.version,
            by=by,
        )
        return Done(done=True)


def _steps(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.post("/followed/{contact_id}/state")
    def step(by: By, contact_id: str, asked: shapes.ContactStep) -> shapes.FollowedLine:
        """Record that a contact was informed, or put it on the call list. Role: tracer."""
        work = authority.follow_up
        act = work.reach if asked.state == "reached" else work.call_anyway
        return shapes.FollowedLine.of(act(contact_id, clock(), version=asked.version, by=by))

    @router.post("/followed/{contact_id}/outcomes")
    def call(by: By, contact_id: str, asked: shapes.Call) -> shapes.FollowedLine:
        """Record the outcome of a day's call. Role: tracer.

        A contact not reached on three days in a row is lost; one reached on the last day is
        completed.
        """
        now, outcome = clock(), Outcome(asked.outcome)
        day, version = _day(authority, asked.date, now), asked.version
        record = authority.follow_up.record
        called = record(
            contact_id, day, outcome, now, call_at=asked.call_at, version=version, by=by
        )
        return shapes.FollowedLine.of(called)

    @router.post("/followed/{contact_id}/merge")
    def merge(
        by: By, contact_id: str, asked: shapes.Into
    ) -> shapes.FollowedLine | shapes.MergedLine:
        """Merge a contact into another one of the same case. Role: tracer."""
        dry_run = asked.dry_run
        found = authority.merging.merge(
            contact_id, asked.into, clock(), version=asked.version, dry_run=dry_run, by=by
        )
        if dry_run:
            return shapes.MergedLine.of(found)
        return shapes.FollowedLine.of(authority.desk.contact(asked.into, by=by))

    @router.post("/followed/{contact_id}/unmerge")
    def unmerge(by: By, contact_id: str, asked: shapes.Undo) -> shapes.UndoneLine:
        """Undo the merge of a contact into another one. Role: tracer."""
        return _undone(authority.unmerging.undo, contact_id, asked, clock(), by)

    @router.post("/followed/{contact_id}/convert", status_code=201)
    def convert(by: By, contact_id: str, asked: shapes.Diagnosis) -> CaseLine:
        """Open a case for a contact who tested positive. Role: tracer.

        It waits until an issuer confirms it, or until the person uploads a log with a PIN.
        """
        now = clock()
        day = _day(authority, asked.date, now)
        opened = authority.merging.convert(contact_id, now, day, version=asked.version, by=by)
        return case_line(authority, opened)


def _undone(
    act: Callable[..., Unmerged], gone: str, asked: shapes.Undo, now: float, by: Caller
) -> shapes.UndoneLine:
    found = act(gone, now, version=asked.version, dry_run=asked.dry_run, by=by)
    return shapes.UndoneLine.of(found)


def _day(authority: Authority, date: dt.date | None, now: float) -> int:
    return authority.desk.today(now) if date is None else day_of(date)
