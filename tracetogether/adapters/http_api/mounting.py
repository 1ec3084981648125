"""Serving below a root path such as `/tracing`, whether or not a proxy strips it."""

import re
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tracetogether.errors import AuthorityError

_ROOT: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", re.ASCII)
_TAKEN: Final = frozenset({"desk", "open", "v1", "openapi.json"})


def root_path_of(text: str) -> str:
    """Return a path that everything is served below, without a slash at its end; "" for "/".

    Raises:
        AuthorityError: it is not a path, or it looks like a path of the service.
    """
    path = text.rstrip("/")
    if path and not _ROOT.fullmatch(path):
        msg = f"{text!r} is not a path to serve below: give one such as /tracing"
        raise AuthorityError(msg)
    if path and path.split("/")[1] in _TAKEN:
        msg = f"{text!r} begins like a path of the service itself: choose another, such as /tracing"
        raise AuthorityError(msg)
    return path


class BelowRoot:
    """ASGI middleware: strips the root path, unless a proxy has done so.

    Args:
        app: the application, which uses the root path for links only.
        root_path: from ``root_path_of``.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._root}/"):
            raw = scope.get("raw_path") or b""
            scope = {
                **scope,
                "path": scope["path"][len(self._root) :] or "/",
                "raw_path": raw.removeprefix(self._root.encode()) or b"/",
            }
        await self._app(scope, receive, send)


def mount_pages(app: FastAPI, base: str, pages: ASGIApp, *, root_path: str = "") -> None:
    """Serve pages at ``base``, and redirect there from the path without its last slash.

    The redirect names a path, never the host that a request claims.
    """

    def onward(_: Request) -> Response:
        return RedirectResponse(f"{root_path}{base}/", 307)

    app.add_route(base, onward, methods=["GET"], include_in_schema=False)
    app.mount(base, pages)
