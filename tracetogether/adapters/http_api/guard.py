"""Who may call a route: asked before anything of the request is judged; by default nobody."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.authority.access.operators import Caller, Operator, Role
from tracetogether.errors import AccessDeniedError

_DESK: Final = frozenset({Role.TRACER, Role.SUPERVISOR})
ROLES: Final[Mapping[tuple[str, str], frozenset[Role]]] = {
    ("POST", "/v1/cases"): frozenset({Role.ISSUER}),
    ("GET", "/v1/cases"): frozenset({Role.ISSUER, Role.TRACER, Role.SUPERVISOR}),
    ("POST", "/v1/cases/{case_id}/pin"): frozenset({Role.ISSUER}),
    ("GET", "/v1/cases/{case_id}/contacts"): _DESK,
    ("GET", "/v1/cases/{case_id}/contacts/onward"): _DESK,
    ("GET", "/v1/graph"): _DESK,
    ("POST", "/v1/cases/{case_id}/assign"): frozenset({Role.SUPERVISOR}),
    ("POST", "/v1/cases/{case_id}/state"): _DESK,
    ("POST", "/v1/cases/{case_id}/merge"): _DESK,
    ("GET", "/v1/cases/{case_id}/notes"): _DESK,
    ("POST", "/v1/cases/{case_id}/notes"): _DESK,
    ("GET", "/v1/dashboard"): _DESK,
    ("GET", "/v1/followed"): _DESK,
    ("GET", "/v1/followed/{contact_id}"): _DESK,
    ("POST", "/v1/followed/{contact_id}/reveal"): frozenset({Role.TRACER}),
    ("PUT", "/v1/followed/{contact_id}/particulars"): frozenset({Role.TRACER}),
    ("POST", "/v1/followed/{contact_id}/state"): frozenset({Role.TRACER}),
    ("POST", "/v1/followed/{contact_id}/outcomes"): frozenset({Role.TRACER}),
    ("POST", "/v1/followed/{contact_id}/merge"): frozenset({Role.TRACER}),
    ("POST", "/v1/followed/{contact_id}/convert"): frozenset({Role.TRACER}),
    ("POST", "/v1/cases/{case_id}/reveal"): frozenset({Role.TRACER}),
    ("GET", "/v1/exports/contacts"): frozenset({Role.EXPORTER}),
    ("GET", "/v1/statistics"): frozenset({Role.EXPORTER, Role.AUDITOR}),
    ("GET", "/v1/keys"): frozenset({Role.KEYHOLDER}),
    ("GET", "/v1/audit"): frozenset({Role.AUDITOR}),
    ("GET", "/v1/metrics"): frozenset({Role.AUDITOR}),
    ("GET", "/v1/operators"): frozenset({Role.ADMIN}),
    ("POST", "/v1/operators"): frozenset({Role.ADMIN}),
    ("POST", "/v1/operators/{name}/disable"): frozenset({Role.ADMIN}),
}
"""Which roles may call an operators' route; one that is missing here is denied to all."""

Check = Callable[[str | None], object]
Denied = Callable[[Operator, str], object]


def guarded(scheme: str, tag: str, check: Check, denied: Denied | None = None) -> APIRouter:
    """Return a router whose every route asks ``check`` about the bearer first.

    Before the body is read, so that a stranger learns nothing from how it is judged. What
    ``check`` returns is ``request.state.caller``; of an operator, the route's roles are asked,
    and ``denied`` is told of one whose roles do not allow the route.
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
                if isinstance(caller, Operator):
                    if not caller.may(*ROLES.get((request.method, path), ())):
                        if denied is not None:
                            await run_in_threadpool(denied, caller, f"{request.method} {path}")
                        raise RefusedError(403, "denied", "your roles do not allow this")
                    caller = Caller.of(caller)
                request.state.caller = caller
                answer: Response = await handle(request)
                return answer

            return handle_if_allowed

    described = HTTPBearer(scheme_name=scheme, auto_error=False)  # for the OpenAPI document
    return APIRouter(
        prefix="/v1", tags=[tag], route_class=Guarded, dependencies=[Security(described)]
    )


def bearer(request: Request) -> str | None:
    """Return what a request shows to say who it comes from."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None
