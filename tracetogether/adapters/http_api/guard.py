"""Permissions of routes: checked before anything else of a request; the default is nobody."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from tracetogether.adapters.http_api.described import OF_GUARDED_ROUTES, Answers
from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.errors import AccessDeniedError

ACTIONS: Final[Mapping[tuple[str, str], Action]] = {
    ("POST", "/v1/cases"): Action.OPEN_CASE,
    ("GET", "/v1/cases"): Action.LIST_CASES,
    ("POST", "/v1/cases/{case_id}/confirm"): Action.CONFIRM_CASE,
    ("POST", "/v1/cases/{case_id}/pin"): Action.ISSUE_PIN,
    ("GET", "/v1/cases/{case_id}/pin"): Action.ISSUE_PIN,
    ("GET", "/v1/cases/{case_id}/contacts"): Action.LIST_CONTACTS,
    ("GET", "/v1/cases/{case_id}/contacts/onward"): Action.LIST_CONTACTS,
    ("GET", "/v1/graph"): Action.SHOW_GRAPH,
    ("GET", "/v1/policies"): Action.SHOW_COSTS,
    ("POST", "/v1/policies/least-chance"): Action.SET_LEAST_CHANCE,
    ("GET", "/v1/cost-curve"): Action.SHOW_COSTS,
    ("GET", "/v1/cases/{case_id}/person"): Action.LIST_FOLLOWED,
    ("POST", "/v1/cases/{case_id}/person/reveal"): Action.REVEAL,
    ("PUT", "/v1/cases/{case_id}/particulars"): Action.DESCRIBE,
    ("POST", "/v1/cases/{case_id}/assign"): Action.ASSIGN_CASE,
    ("POST", "/v1/cases/{case_id}/state"): Action.CHANGE_CASE_STATE,
    ("POST", "/v1/cases/{case_id}/merge"): Action.MERGE_CASES,
    ("POST", "/v1/cases/{case_id}/unmerge"): Action.MERGE_CASES,
    ("GET", "/v1/cases/{case_id}/notes"): Action.READ_NOTES,
    ("POST", "/v1/cases/{case_id}/notes"): Action.WRITE_NOTE,
    ("GET", "/v1/dashboard"): Action.SHOW_DASHBOARD,
    ("GET", "/v1/followed"): Action.LIST_FOLLOWED,
    ("GET", "/v1/followed/{contact_id}"): Action.LIST_FOLLOWED,
    ("POST", "/v1/followed/{contact_id}/reveal"): Action.REVEAL,
    ("PUT", "/v1/followed/{contact_id}/particulars"): Action.DESCRIBE,
    ("POST", "/v1/followed/{contact_id}/state"): Action.RECORD_CALL,
    ("POST", "/v1/followed/{contact_id}/outcomes"): Action.RECORD_CALL,
    ("POST", "/v1/followed/{contact_id}/merge"): Action.MERGE_CONTACTS,
    ("POST", "/v1/followed/{contact_id}/unmerge"): Action.MERGE_CONTACTS,
    ("POST", "/v1/followed/{contact_id}/convert"): Action.CONVERT_CONTACT,
    ("POST", "/v1/shift"): Action.REVEAL,
    ("POST", "/v1/shift/end"): Action.REVEAL,
    ("GET", "/v1/people"): Action.LIST_FOLLOWED,
    ("POST", "/v1/people/find"): Action.FIND_PERSON,
    ("GET", "/v1/calls"): Action.RECORD_CALL,
    ("POST", "/v1/calls/next"): Action.RECORD_CALL,
    ("POST", "/v1/calls/{contact_id}/take"): Action.RECORD_CALL,
    ("POST", "/v1/calls/{contact_id}/save"): Action.RECORD_CALL,
    ("PUT", "/v1/calls/{contact_id}/draft"): Action.RECORD_CALL,
    ("PUT", "/v1/calls/{contact_id}/particulars"): Action.DESCRIBE,
    ("POST", "/v1/cases/{case_id}/reveal"): Action.REVEAL,
    ("GET", "/v1/exports/contacts"): Action.EXPORT,
    ("GET", "/v1/statistics"): Action.COUNT,
    ("GET", "/v1/keys"): Action.SHOW_KEYS,
    ("GET", "/v1/audit"): Action.READ_AUDIT,
    ("GET", "/v1/metrics"): Action.READ_METRICS,
    ("POST", "/v1/charges/codes"): Action.GIVE_CHARGE_CODE,
    ("POST", "/v1/charges/{charge_id}/end"): Action.END_CHARGE,
    ("GET", "/v1/orders"): Action.LIST_ORDERS,
    ("POST", "/v1/orders"): Action.ADD_ORDER,
    ("POST", "/v1/orders/{order_id}/end"): Action.END_ORDER,
    ("GET", "/v1/restrictions"): Action.LIST_RESTRICTIONS,
    ("POST", "/v1/restrictions"): Action.SET_RESTRICTION,
    ("POST", "/v1/restrictions/{restriction_id}/confirm"): Action.CONFIRM_RESTRICTION,
    ("POST", "/v1/restrictions/{restriction_id}/lift"): Action.LIFT_RESTRICTION,
    ("POST", "/v1/test-results"): Action.REPORT_TEST,
    ("GET", "/v1/appeals"): Action.LIST_APPEALS,
    ("POST", "/v1/appeals/{appeal_id}/decide"): Action.DECIDE_APPEAL,
    ("GET", "/v1/places"): Action.LIST_PLACES,
    ("POST", "/v1/places"): Action.ADD_PLACE,
    ("POST", "/v1/places/{place_id}/retire"): Action.RETIRE_PLACE,
    ("POST", "/v1/places/{place_id}/warn"): Action.WARN_PLACE,
    ("GET", "/v1/cases/{case_id}/stays"): Action.LIST_CONTACTS,
    ("GET", "/v1/cases/{case_id}/visits"): Action.LIST_VISITS,
    ("GET", "/v1/cases/{case_id}/days"): Action.LIST_VISITS,
    ("GET", "/v1/reports"): Action.LIST_VISITS,
    ("POST", "/v1/reports/visits/{visit_id}/confirm"): Action.DECIDE_WARNING,
    ("POST", "/v1/reports/visits/{visit_id}/refuse"): Action.DECIDE_WARNING,
    ("POST", "/v1/reports/trips/{trip_id}/confirm"): Action.DECIDE_WARNING,
    ("POST", "/v1/reports/trips/{trip_id}/refuse"): Action.DECIDE_WARNING,
    ("GET", "/v1/partners"): Action.LIST_PARTNERS,
    ("GET", "/v1/wall"): Action.SHOW_WALL,
    ("GET", "/v1/bulletin"): Action.USE_PAGES,
    ("PUT", "/v1/bulletin"): Action.SET_BULLETIN,
    ("DELETE", "/v1/bulletin"): Action.SET_BULLETIN,
    ("GET", "/v1/operators"): Action.LIST_OPERATORS,
    ("POST", "/v1/operators"): Action.ADD_OPERATOR,
    ("POST", "/v1/operators/{name}/disable"): Action.DISABLE_OPERATOR,
    ("PUT", "/v1/operators/{name}/roles"): Action.CHANGE_ROLES,
    ("GET", "/v1/code-resets"): Action.LIST_OPERATORS,
    ("POST", "/v1/operators/{name}/reset"): Action.RESET_CODES,
    ("POST", "/v1/operators/{name}/reset/confirm"): Action.RESET_CODES,
    ("DELETE", "/v1/operators/{name}/reset"): Action.RESET_CODES,
    ("GET", "/v1/team"): Action.SHOW_TEAM,
    ("POST", "/v1/team/hand-over"): Action.ASSIGN_CASE,
    ("POST", "/v1/team/{name}/shift/end"): Action.END_SHIFT,
    ("GET", "/v1/calling-hours"): Action.LIST_FOLLOWED,
    ("PUT", "/v1/calling-hours"): Action.SET_CALLING_HOURS,
}
"""Operators' route -> action; ``permissions`` says which roles allow it. No entry: denied."""


_RESTRICT: Final = frozenset({Action.ADD_ORDER, Action.SET_RESTRICTION})


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller  # from ``guarded``, which runs before
    return caller


By = Annotated[Caller, Depends(_caller)]
"""The operator who sends a request, as a parameter of a route."""

Check = Callable[[str | None], object]
Denied = Callable[[Operator, str], object]


def guarded(
    scheme: str,
    tag: str,
    check: Check,
    denied: Denied | None = None,
    *,
    malformed: Denied | None = None,
    responses: Answers | None = None,
) -> APIRouter:
    """Return a router whose routes all pass the bearer to ``check`` first.

    That happens before the body is read, so that a stranger learns nothing from its errors.

    Args:
        scheme: name of the credential in the OpenAPI document.
        tag: group of the routes there.
        check: returns ``request.state.caller`` for a bearer, or raises AccessDeniedError.
        denied: called with an operator whose roles don't allow the route, and the route.
        malformed: called with an operator whose body has the wrong form, such as a list, at a
            route that restricts people; and the route.
        responses: answers that all these routes have besides, for the OpenAPI document.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()
            path = self.path

            async def handle_if_allowed(request: Request) -> Response:
                try:
                    caller = await run_in_threadpool(check, bearer(request))
                except AccessDeniedError as error:
                    raise RefusedError(401, "unauthorized", str(error)) from None
                action, route = ACTIONS.get((request.method, path)), f"{request.method} {path}"
                operator = caller if isinstance(caller, Operator) else None
                if operator is not None and not operator.may(action):
                    if denied is not None:
                        await run_in_threadpool(denied, operator, route)
                    raise RefusedError(403, "denied", "your roles do not allow this")
                request.state.caller = caller if operator is None else operator.caller
                try:
                    answer: Response = await handle(request)
                except RequestValidationError:
                    if operator is not None and malformed is not None and action in _RESTRICT:
                        await run_in_threadpool(malformed, operator, route)
                    raise
                return answer

            return handle_if_allowed

    described = HTTPBearer(scheme_name=scheme, auto_error=False)  # for the OpenAPI document
    return APIRouter(
        prefix="/v1",
        tags=[tag],
        route_class=Guarded,
        dependencies=[Security(described)],
        responses={**OF_GUARDED_ROUTES, **(responses or {})},
    )


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request; None without one."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None
