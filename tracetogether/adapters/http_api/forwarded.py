"""A proxy's headers about the client: its address, and whether it used https."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracetogether.authority.access.sources import TrustedProxies

_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class Forwarded:
    """ASGI middleware: puts the client's address where the proxy's was.

    Answers over https carry HSTS, so that browsers use https from then on.

    Args:
        app: the application.
        proxies: proxies whose headers count.
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
            said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
            if said == [b"https"] and self._proxies.trusts(peer):
                scope["scheme"] = "https"

        async def by_https(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), _HSTS]
            await send(message)

        await self._app(scope, receive, by_https if scope.get("scheme") == "https" else send)


def address_of(request: Request) -> str:
    """Return the address that a request comes from, "" if it has none."""
    return request.client.host if request.client else ""
