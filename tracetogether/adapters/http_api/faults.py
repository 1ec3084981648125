"""Errors of the service itself: one line in the log for each, and an answer without details."""

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
    """Log an answer of 5xx in one line: method, path without ids, status and reason."""
    steps = scope["path"].split("/")[1:]
    shown = [step for step in steps[:_STEPS] if _NAME.fullmatch(step)]
    path = "/".join(["", *shown, *(["…"] if shown != steps else [])])
    reason = error if isinstance(error, str) else reason_of(error)
    _LOG.error("%s %s answered %d: %s", scope["method"], path, status, reason)


class FaultMiddleware:
    """ASGI middleware that answers 500 to unexpected errors and logs each in one line.

    Args:
        app: the application that it wraps.
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
            if (
                not begun
            ):  # an answer that has begun can't be replaced: the server closes the connection
                await error_response(error)(scope, receive, send)
