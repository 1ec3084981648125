"""Who is behind a proxy: the address that a trusted one names takes the proxy's place."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tracetogether.authority.access.sources import TrustedProxies


class Forwarded:
    """ASGI middleware: puts the client's address where the proxy's was.

    Args:
        app: what is behind it.
        proxies: whose X-Forwarded-For is believed.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"]
            lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            address = self._proxies.client(peer, [line.decode("latin-1") for line in lines])
            scope = {**scope, "client": (address, port)}
        await self._app(scope, receive, send)


def address_of(request: Request) -> str:
    """Return the address that a request comes from, "" if it has none."""
    return request.client.host if request.client else ""
