"""The routes of calling: shifts, people in place of rows, the next person, what a call found."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.cases.calls import Draft, PeopleQuery, ShiftReason
from tracetogether.authority.cases.followed import ContactState, Outcome
from tracetogether.authority.desk.calling import CallSheet
from tracetogether.authority.service import Authority
from tracetogether.shapes import calls as shapes
from tracetogether.shapes.oversight import Done


def add_calls(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""
    _shifts(router, authority, clock)
    _people(router, authority, clock)
    _calls(router, authority, clock)


def _shifts(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    calling = authority.calling

    @router.post("/shift", status_code=201)
    def begin_shift(by: By, asked: shapes.NewShift) -> shapes.ShiftLine:
        """Begin a shift: its reason goes to the audit log with each reveal. Role: tracer."""
        begun = calling.begin_shift(ShiftReason(asked.reason), clock(), by=by)
        return shapes.ShiftLine.of(begun)

    @router.post("/shift/end")
    def end_shift(by: By) -> Done:
        """End your shift; the person whom you have taken is free again. Role: tracer."""
        calling.end_shift(clock(), by=by)
        return Done(done=True)


def _people(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/people")
    def list_people(
        by: By,
        due: Annotated[bool, Query(description="Only those to be called today.")] = True,  # noqa: FBT002 - FastAPI passes it by name
        case_id: str | None = None,
        state: Annotated[list[ContactState] | None, Query()] = None,
        without_number: Annotated[bool, Query(description="Without a number.")] = False,  # noqa: FBT002 - FastAPI passes it by name
        language: Annotated[
            str | None,
            Query(description="Only those who speak it, such as `ms`; `und`: not known."),
        ] = None,
        mine: Annotated[bool, Query(description="Only of cases assigned to you.")] = False,  # noqa: FBT002 - FastAPI passes it by name
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> shapes.PeoplePageShape:
        """List people, the most urgent first. Roles: tracer, supervisor.

        A person near several cases is one entry. A tracer sees lines of the cases assigned to
        them.
        """
        now = clock()
        query = PeopleQuery(
            due_on=authority.desk.today(now) if due else None,
            case_id=case_id,
            states=frozenset(state or ()),
            without_number=without_number,
            language=language or None,
            assigned_to=by.name if mine else None,
            offset=offset,
            limit=limit,
        )
        page = shapes.PeoplePageShape.of(authority.people.page(query, now, by=by))
        return page.model_copy(update={"time_zone": authority.days.name})

    @router.post("/people/find")
    def find_people(by: By, asked: shapes.WhoRings) -> shapes.FoundPeopleShape:
        """Find the one who rings back by number, name, pseudonym or user id.

        Roles: tracer, supervisor. Take the call by `POST /v1/calls/{contact_id}/take`. A tracer
        finds people of own cases and of cases that nobody has. The audit log has the search
        without the text; 60 searches an hour are allowed.
        """
        return shapes.FoundPeopleShape.of(authority.search.find(asked.text, clock(), by=by))


def _calls(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    calling = authority.calling

    def sheet(found: CallSheet | None, now: float, by: Caller) -> shapes.MaybeCall:
        ready, more = calling.ready(now, by=by)
        call = None if found is None else shapes.CallSheetShape.of(found)
        return shapes.MaybeCall(call=call, ready=ready, more=more, time_zone=authority.days.name)

    @router.get("/calls")
    def current(by: By) -> shapes.MaybeCall:
        """Show the person whom you have taken. Role: tracer."""
        now = clock()
        return sheet(calling.current(now, by=by), now, by)

    @router.post("/calls/next")
    def call_next(by: By, asked: shapes.Skip) -> shapes.MaybeCall:
        """Take the most urgent person who is due, for 20 minutes. Role: tracer.

        It takes people of your cases, and of cases that are assigned to nobody. The reveal is
        audited. Whom you had taken before is free again.
        """
        now = clock()
        return sheet(calling.next(now, skip=asked.skip, by=by), now, by)

    @router.post("/calls/{contact_id}/take")
    def take(by: By, contact_id: str) -> shapes.MaybeCall:
        """Take one person: one who rings back, or one of the list. Role: tracer."""
        now = clock()
        return sheet(calling.open(contact_id, now, by=by), now, by)

    @router.post("/calls/{contact_id}/save")
    def save(by: By, contact_id: str, asked: shapes.SavedCall) -> shapes.PersonToCallLine:
        """Record what the call found, for all cases of the person. Role: tracer."""
        saved = calling.save(
            contact_id,
            Outcome(asked.outcome),
            clock(),
            note=asked.note,
            call_at=asked.call_at,
            name=asked.name,
            phone=asked.phone,
            language=asked.language,
            version=asked.version,
            by=by,
        )
        return shapes.PersonToCallLine.of(saved)

    @router.put("/calls/{contact_id}/draft")
    def keep_draft(by: By, contact_id: str, asked: shapes.DraftShape) -> Done:
        """Keep what is typed, encrypted, and the person for 20 more minutes. Role: tracer."""
        draft = Draft(**asked.model_dump())
        calling.keep_draft(contact_id, draft, clock(), by=by)
        return Done(done=True)

    @router.put("/calls/{contact_id}/particulars")
    def describe_person(by: By, contact_id: str, asked: shapes.NameAndNumber) -> Done:
        """Store name, telephone number and language for all cases of the person. Role: tracer."""
        calling.describe(
            contact_id,
            asked.name,
            asked.phone,
            clock(),
            language=asked.language,
            version=asked.version,
            by=by,
        )
        return Done(done=True)
