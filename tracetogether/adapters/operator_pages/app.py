"""The pages put together: doors, style sheet, sign-in; mounted under /desk."""

import time
from collections.abc import Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages import (
    cases,
    exports,
    oversight,
    overview,
    people,
    signing,
    who_met,
)
from tracetogether.adapters.operator_pages.credentials import Argon2, Totp
from tracetogether.adapters.operator_pages.doors import NOWHERE, Desk, Door
from tracetogether.adapters.operator_pages.rendering import BASE, environment
from tracetogether.authority.access.sign_in import Hashing, SignIn
from tracetogether.authority.service import Authority

ALL_DOORS: tuple[Door, ...] = (
    *signing.DOORS,
    *overview.DOORS,
    *cases.DOORS,
    *people.DOORS,
    *who_met.DOORS,
    *exports.DOORS,
    *oversight.DOORS,
)
_KINDS = {"desk.css": "text/css", "mark.svg": "image/svg+xml"}
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
    desk = Desk(
        authority=authority,
        sign_in=sign_in_for(authority, hashing),
        clock=clock,
        templates=environment(authority.days, base),
        name=name,
        base=base,
    )
    routes = [door.route(desk) for door in ALL_DOORS]
    shown = {door.path for door in ALL_DOORS if door.method == "GET"}
    back = [door.way_back(desk) for door in ALL_DOORS if door.path not in shown]
    files = [_file(one) for one in _KINDS]
    pages = Starlette(routes=[*routes, *back, *files, NOWHERE.route(desk)])
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
