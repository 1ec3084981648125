"""The pages put together: routes, style sheet, sign-in; mounted under /desk."""

import time
from collections.abc import Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages import (
    appeals,
    calls,
    case_person,
    cases,
    charges,
    orders,
    oversight,
    overview,
    partners,
    people,
    places,
    policy,
    restrictions,
    signing,
    staff,
    team,
    test_results,
    visits,
    wall,
    who_met,
)
from tracetogether.adapters.operator_pages.credentials import Argon2, Totp
from tracetogether.adapters.operator_pages.page_request import Site
from tracetogether.adapters.operator_pages.rendering import BASE, environment
from tracetogether.adapters.operator_pages.routing import NOT_FOUND, Page
from tracetogether.authority.access.sign_in import Hashing, SignIn
from tracetogether.authority.service import Authority

ALL_PAGES: tuple[Page, ...] = (
    *signing.PAGES,
    *overview.PAGES,
    *cases.PAGES,
    *case_person.PAGES,
    *visits.PAGES,
    *people.PAGES,
    *calls.PAGES,
    *who_met.PAGES,
    *policy.PAGES,
    *restrictions.PAGES,
    *appeals.PAGES,
    *orders.PAGES,
    *places.PAGES,
    *charges.PAGES,
    *test_results.PAGES,
    *wall.PAGES,
    *partners.PAGES,
    *oversight.PAGES,
    *team.PAGES,
    *staff.PAGES,
)
_KINDS = {"desk.css": "text/css", "wall.css": "text/css", "mark.svg": "image/svg+xml"}
_AN_HOUR = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}


def create_pages(
    authority: Authority,
    *,
    name: str,
    clock: Callable[[], float] = time.time,
    hashing: Hashing | None = None,
    root_path: str = "",
) -> Starlette:
    """Return the pages, to be mounted at ``rendering.BASE``.

    Args:
        authority: the service.
        name: what the authority is called.
        clock: returns UTC epoch seconds.
        hashing: of passwords; argon2id if None.
        root_path: what stands before the base in the site's paths, such as "/tracing".
    """
    base = root_path + BASE
    site = Site(
        authority=authority,
        sign_in=sign_in_for(authority, hashing),
        clock=clock,
        templates=environment(authority.days, base),
        name=name,
        base=base,
    )
    routes = [page.route(site) for page in ALL_PAGES]
    shown = {page.path for page in ALL_PAGES if page.method == "GET"}
    back = [page.way_back(site) for page in ALL_PAGES if page.path not in shown]
    files = [_file(name) for name in _KINDS]
    pages = Starlette(routes=[*routes, *back, *files, NOT_FOUND.route(site)])
    pages.router.redirect_slashes = False  # that would repeat what the request calls its host
    return pages


def sign_in_for(authority: Authority, hashing: Hashing | None = None) -> SignIn:
    """Return what lets operators in, with passwords by argon2id and codes by TOTP."""
    return SignIn(
        store=authority.store,
        audit=authority.audit,
        limits=authority.limits,
        tallies=authority.tallies,
        hashing=hashing or Argon2(),
        codes=Totp(),
    )


def _file(name: str) -> Route:
    content = (resources.files(__package__) / "static" / name).read_bytes()

    def answer(_: Request) -> Response:
        return Response(content, media_type=_KINDS[name], headers=_AN_HOUR)

    return Route(f"/static/{name}", answer, methods=["GET"])
