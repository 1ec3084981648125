"""Faults of the service itself: one line in the log each, and an answer that says no more."""

import logging
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracetogether.adapters.http_api.refusals import error_response
from tracetogether.reasons_of_faults import reason_of

_LOG: Final = logging.getLogger(__name__)
_NAME: Final = re.compile("[a-z0-9-]{1,24}", re.ASCII)
_STEPS: Final = 2


def log_fault(scope: Scope, status: int, error: BaseException | str) -> None:
    """Write one line on an answer of 5xx: what was asked for, without ids, and why it failed."""
    steps = scope["path"].split("/")[1:]
    shown = [step for step in steps[:_STEPS] if _NAME.fullmatch(step)]
    path = "/".join(["", *shown, *(["…"] if shown != steps else [])])
    reason = error if isinstance(error, str) else reason_of(error)
    _LOG.error("%s %s answered %d: %s", scope["method"], path, status, reason)


class FaultMiddleware:
    """ASGI middleware: answers 500 to what nobody has foreseen; no traceback fills the log.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log_fault(scope, 500, error)
            if not begun:  # else the server ends the connection: the answer stays unfinished
                await error_response(error)(scope, receive, send)
