"""Routes that an upload token lets in: the token is checked first, then the phone that sends it."""

from collections.abc import Callable

from fastapi import APIRouter

from tracetogether.adapters.http_api.guard import guarded
from tracetogether.authority.access.limits import UPLOADS
from tracetogether.authority.service import Authority
from tracetogether.errors import AccessDeniedError, InvalidUploadError


def by_upload_token(authority: Authority, clock: Callable[[], float]) -> APIRouter:
    """Return a router whose ``request.state.caller`` is an upload token that is good now."""

    def check(token: str | None) -> str:
        try:
            authority.intake.check_token(token or "", clock())
        except InvalidUploadError as error:
            raise AccessDeniedError(str(error), error.code) from None
        return token or ""

    return guarded("upload token", "phones", check)


def checked_sender(authority: Authority, token: str, credential: str | None, now: float) -> str:
    """Return the user of the phone that sends a request with a token, and count the request.

    Raises:
        AccessDeniedError: the token was given to another phone than the credential names.
        RateLimitedError: too many uploads of this user.
    """
    sender = authority.access.phone(credential)
    authority.intake.check_sender(token, sender, now)
    authority.limits.take(UPLOADS, sender, now)
    return sender
