"""The routes that put lists of contacts together: the graph, and contacts of contacts."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from tracetogether.authority.service import Authority
from tracetogether.authority.tracing.one_case import POLICIES, policy_named
from tracetogether.shapes.contacts import Graph, OnwardLine, OnwardLines, Policy

_Policy = Annotated[str, Query(description=f"One of {', '.join(POLICIES)}.")]


def add_graph(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""

    @router.get("/graph")
    def show_graph(
        request: Request,
        policy: _Policy = "singapore",
        offset: Annotated[
            int, Query(ge=0, le=10_000_000, description="How many of the newest cases to skip.")
        ] = 0,
    ) -> Graph:
        """Show who met whom among the newest 1,000 cases, and rank who may have infected whom.

        Roles: tracer (of assigned cases), supervisor. The audit log records the request.
        """
        by = request.state.caller
        graph = authority.graphs.graph(policy_named(policy), by=by, skip=offset)
        authority.audit.record("graph.shown", clock(), by=by.name, cases=graph.cases)
        return Graph.of(graph, offset)

    @router.get("/cases/{case_id}/contacts/onward")
    def list_onward(request: Request, case_id: str, policy: _Policy = "singapore") -> OnwardLines:
        """List the people whom a case's contacts met after the case, if these have uploaded too.

        Roles: tracer, supervisor; through contacts whose own cases the caller needs to know.
        The audit log records the request.
        """
        by = request.state.caller
        case, chosen = authority.casework.case(case_id, by=by), policy_named(policy)
        found = authority.graphs.second_degree(case, chosen, by=by)
        authority.audit.record("contacts.onward_listed", clock(), by=by.name, subject=case.case_id)
        return OnwardLines(
            case_id=case.case_id,
            policy=Policy.of(chosen),
            contacts=[OnwardLine.of(onward) for onward in found],
        )
