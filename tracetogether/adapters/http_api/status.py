"""Routes of orders, restrictions, test results and appeals; each takes one person at most."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from tracetogether.adapters.http_api.guard import By
from tracetogether.authority.access.limits import Limit
from tracetogether.authority.cases.case import day_of
from tracetogether.authority.service import Authority
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.restricting import MOST_SHOWN
from tracetogether.authority.status.restriction import Restriction, RestrictionState
from tracetogether.authority.status.results import LaboratoryResult
from tracetogether.shapes import status as shapes
from tracetogether.shapes.passes import PassesAsked
from tracetogether.units import SECONDS_PER_HOUR

_APPEALS = Limit("appeals", 20, SECONDS_PER_HOUR)
_NOT_OVER = ("waiting", "later", "in-force", "suspended")


def add_status(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    """Add the routes to the operators' router."""
    _orders(router, authority, clock)
    _restrictions(router, authority, clock)
    _appeals(router, authority, clock)


def add_appeals_of_phones(
    router: APIRouter, authority: Authority, clock: Callable[[], float]
) -> None:
    """Add the phone's route to its router."""

    @router.post("/appeals", status_code=201)
    def appeal(request: Request, asked: PassesAsked | None = None) -> shapes.AppealLines:
        """Appeal against what withholds passes of this phone's owner, or of a charge. No text.

        Somebody decides who took no part in the restriction. If nobody does within 48 hours,
        passes come again. Asked again, the same appeal is returned, and its clock runs on.
        """
        now, user_id = clock(), request.state.caller
        authority.limits.take(_APPEALS, user_id, now)
        if asked is not None and asked.charge_id is not None:
            user_id = authority.charges.user_of(user_id, asked.charge_id)
        opened = authority.appeals.open(user_id, now)
        return shapes.AppealLines(appeals=[shapes.AppealLine.of(found) for found in opened])


def _orders(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/orders")
    def list_orders(by: By) -> shapes.OrderLines:
        """List all orders, the newest first. Roles: supervisor, restrictor, reviewer."""
        found = authority.orders.all(by=by)
        return shapes.OrderLines(orders=[shapes.OrderLine.of(order) for order in found])

    @router.post("/orders", status_code=201)
    def add_order(by: By, asked: shapes.NewOrder) -> shapes.OrderLine:
        """Register an order: for at most 500 people and 60 days. Role: supervisor.

        Who registers an order can't restrict anybody by it. The audit log records refusals too.
        """
        order = authority.orders.add(
            asked.kind,
            asked.legal_basis,
            asked.place,
            (asked.window_from, asked.window_to),
            asked.ends_at,
            asked.most_people,
            clock(),
            by=by,
        )
        return shapes.OrderLine.of(order)

    @router.post("/orders/{order_id}/end")
    def end_order(by: By, order_id: str) -> shapes.OrderEnded:
        """End an order, and every restriction that rests on it. Roles: supervisor, reviewer."""
        ended = authority.orders.end(order_id, clock(), by=by)
        return shapes.OrderEnded(restrictions=ended)


def _restrictions(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    def line(restriction: Restriction, now: float) -> shapes.RestrictionLine:
        return shapes.RestrictionLine.of(authority.restrictions.shown(restriction, now))

    @router.get("/restrictions")
    def list_restrictions(
        by: By,
        state: Annotated[
            list[RestrictionState] | None,
            Query(description=f"Of {', '.join(_NOT_OVER)}; default: all of these."),
        ] = None,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = MOST_SHOWN,
    ) -> shapes.RestrictionLines:
        """List restrictions that are not over, by pseudonym. Roles: restrictor, reviewer.

        A restrictor sees those that they set. There is no search by place, and no export.
        """
        states = frozenset(state or map(RestrictionState, _NOT_OVER))
        work = authority.restrictions
        page = work.page(clock(), states=states, offset=offset, limit=limit, by=by)
        return shapes.RestrictionLines.of(page)

    @router.post("/restrictions", status_code=201)
    def set_restriction(by: By, asked: shapes.NewRestriction) -> shapes.RestrictionLine:
        """Set a restriction on one person. Role: restrictor.

        It does nothing until a reviewer confirms it, who is another person. One person sets at
        most 20 a day. The audit log records refusals too.
        """
        now = clock()
        new = authority.restrictions.set(
            asked.user_id,
            asked.ground,
            asked.reference,
            asked.evidence,
            asked.until,
            now,
            begins_at=asked.begins_at,
            by=by,
        )
        return line(new, now)

    @router.post("/restrictions/{restriction_id}/confirm")
    def confirm_restriction(by: By, restriction_id: str) -> shapes.RestrictionLine:
        """Confirm a restriction that somebody else set: it is in force. Role: reviewer."""
        now = clock()
        return line(authority.restrictions.confirm(restriction_id, now, by=by), now)

    @router.post("/restrictions/{restriction_id}/lift")
    def lift_restriction(by: By, restriction_id: str) -> shapes.RestrictionLine:
        """End a restriction, or refuse one that waits. Roles: restrictor, reviewer."""
        now = clock()
        return line(authority.restrictions.lift(restriction_id, now, by=by), now)

    @router.post("/test-results")
    def report_test(by: By, asked: shapes.NewResult) -> shapes.ResultTaken:
        """Report a negative test. Roles: issuer, tracer.

        It lifts the person's restrictions by orders of kind contact at once. It is not stored.
        """
        result = LaboratoryResult(asked.negative, day_of(asked.date), asked.laboratory)
        lifted = authority.laboratory.report(asked.user_id, result, clock(), by=by)
        return shapes.ResultTaken(lifted=[restriction.restriction_id for restriction in lifted])


def _appeals(router: APIRouter, authority: Authority, clock: Callable[[], float]) -> None:
    @router.get("/appeals")
    def list_appeals(by: By) -> shapes.ShownAppealLines:
        """List all appeals, the open ones first. Role: reviewer."""
        found = authority.appeals.all(clock(), by=by)
        return shapes.ShownAppealLines(
            appeals=[shapes.ShownAppealLine.of(appeal) for appeal in found]
        )

    @router.post("/appeals/{appeal_id}/decide")
    def decide_appeal(
        by: By, appeal_id: str, asked: shapes.AppealDecision
    ) -> shapes.ShownAppealLine:
        """Decide an appeal: lifted, corrected (an earlier end) or upheld. Role: reviewer.

        Neither who set nor who confirmed the restriction can, nor who decided an earlier appeal.
        """
        outcome = AppealState(asked.outcome)
        decided = authority.appeals.decide(appeal_id, outcome, clock(), until=asked.until, by=by)
        return shapes.ShownAppealLine.of(decided)
