"""The routes that put lists of contacts together: the graph, and contacts of contacts."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from tracetogether.adapters.http_api.shapes import ContactLine, Policy
from tracetogether.authority.service import Authority
from tracetogether.authority.tracing.one_case import POLICIES, policy_named

_Policy = Annotated[str, Query(description=f"One of {', '.join(POLICIES)}.")]


class CaseOfPerson(BaseModel):
    """A case that is the person's own."""

    case_id: str
    date: Annotated[str, Field(examples=["2020-05-04"])]


class GraphPersonLine(BaseModel):
    """Somebody who is a case or was near one."""

    pseudonym: str
    cases: Annotated[
        list[CaseOfPerson], Field(description="His own, as far as the caller needs to know.")
    ]


class MeetingLine(BaseModel):
    """Two people who were near one another."""

    first: Annotated[str, Field(description="A case's person.")]
    second: str
    minutes: float
    minutes_low: float
    minutes_high: float
    probability: Annotated[float, Field(description="Of a close contact under the policy.")]
    close_contact: bool
    first_date: str
    last_date: str
    days: int
    seen_by: Annotated[str, Field(description="`case`, `contact` or `both`.")]


class CandidateLine(BaseModel):
    """Somebody who may have infected somebody: a ranking, no finding."""

    infector: str
    infector_case: str
    infected: str
    infected_case: str
    share: Annotated[float, Field(description="Of all sources of this infection, recorded or not.")]
    share_low: float
    share_high: float
    direction: Annotated[
        float, Field(description="This way's part of both ways between the two, 0 to 1.")
    ]
    days_between: Annotated[int, Field(description="From the infector's date to the other's.")]
    likeliest_date: str
    meeting_days: int
    minutes: float
    minutes_low: float
    minutes_high: float


class AssumptionLine(BaseModel):
    """What the ranking takes for granted."""

    code: str
    text: str
    source: str


class Graph(BaseModel):
    """Who met whom, and who may have infected whom."""

    policy: Policy
    people: list[GraphPersonLine]
    meetings: list[MeetingLine]
    candidates: list[CandidateLine]
    assumptions: list[AssumptionLine]
    cases: int
    cases_left_out: Annotated[
        int, Field(description="Cases with logs that are not in it: at most 1,000 are.")
    ]
    offset: int
    total: Annotated[int, Field(description="Cases with logs that the caller may see.")]


class OnwardLine(ContactLine):
    """Somebody near a contact, after that contact had met the case."""

    through: Annotated[str, Field(description="Pseudonym of the contact.")]
    days_after: Annotated[int, Field(description="From the contact's meeting with the case.")]


class OnwardLines(BaseModel):
    """Contacts of a case's contacts, in order of concern."""

    case_id: str
    policy: Policy
    contacts: list[OnwardLine]


def add_graph(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""

    @router.get("/graph", response_model=Graph)
    def show_graph(
        request: Request,
        policy: _Policy = "singapore",
        offset: Annotated[
            int, Query(ge=0, le=10_000_000, description="How many of the newest to leave out.")
        ] = 0,
    ) -> Response:
        """Show who met whom among the newest 1,000 cases, and rank who may have infected whom.

        Roles: tracer (of the cases given to him), supervisor. The audit log says who asked.
        """
        by = request.state.caller
        graph = authority.graphs.graph(policy_named(policy), by=by, skip=offset)
        authority.audit.record("graph.shown", clock(), by=by.name, cases=graph.cases)
        total = graph.cases + graph.cases_left_out
        return _json({**graph.to_json(), "offset": offset, "total": total})

    @router.get("/cases/{case_id}/contacts/onward", response_model=OnwardLines)
    def list_onward(request: Request, case_id: str, policy: _Policy = "singapore") -> Response:
        """List whom a case's contacts met after the case, where they have uploaded themselves.

        Roles: tracer, supervisor; through contacts whose own cases the caller needs to know.
        The audit log says who asked.
        """
        by = request.state.caller
        case, chosen = authority.casework.case(case_id, by=by), policy_named(policy)
        found = authority.graphs.second_degree(case, chosen, by=by)
        authority.audit.record("contacts.onward_listed", clock(), by=by.name, subject=case.case_id)
        return _json(
            {
                "case_id": case.case_id,
                "policy": chosen,
                "contacts": [one.to_json() for one in found],
            }
        )


def _json(said: object) -> Response:
    return Response(msgspec.json.encode(said), media_type="application/json")
