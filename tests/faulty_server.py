"""The authority's server with a fault in its answers, for tests of what checks servers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Sent:
    """An answer that a fault may change, and the request that it answers."""

    route: str
    asked: dict[str, str]
    status: int
    headers: dict[str, str]
    body: bytes
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    def say(self, said: object) -> None:
        self.body = json.dumps(said).encode()


Fault = Callable[[Sent], None]


class FaultyServer:
    """ASGI middleware: the service, with one fault in what it answers."""

    def __init__(self, app: Any) -> None:
        self._app: ASGIApp = app
        self.state = app.state
        self.fault: Fault | None = None
        self.seen: dict[str, Any] = {}  # what a fault remembers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.fault is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def held(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self._app(scope, receive, held)
        route = re.sub("^/v1", "", scope["path"])
        asked = {name.decode(): value.decode() for name, value in scope["headers"]}
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        sent = Sent(f"{scope['method']} {route}", asked, start["status"], headers, body, self.seen)
        self.fault(sent)
        sent.headers["content-length"] = str(len(sent.body))
        pairs = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
        await send({"type": "http.response.start", "status": sent.status, "headers": pairs})
        await send({"type": "http.response.body", "body": sent.body})
