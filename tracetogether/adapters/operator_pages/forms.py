"""Forms: read within bounds, checked for their token, and shown again if they were refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from tracetogether.authority.access.sign_in import form_token
from tracetogether.crypto import equal

FORM_TOKEN: Final = "form_token"  # noqa: S105 - a field's name
MAX_FORM_BYTES: Final = 16_384
FIELDS: Final[Mapping[str, str]] = {
    "user_id": "User id",
    "date": "Day of diagnosis or first symptoms",
    "operator": "Tracer",
    "into": "Merge",
    "text": "New note",
    "reason": "Reason",
    "outcome": "What it found",
    "name": "Name",
}
"""What the fields that can be wrong are called on the pages, in English."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was wrong with a form.

    Attributes:
        why: as the page says it.
        field: name of the field that it is about, or "".
    """

    why: str
    field: str = ""

    @property
    def label(self) -> str:
        """What the field is called on the page, in English."""
        return FIELDS.get(self.field, "")


async def filled_in(request: Request) -> Mapping[str, str] | None:
    """Return what was filled in; None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return None
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None)
    return dict(pairs)


def from_here(request: Request, form: Mapping[str, str], shown: str) -> bool:
    """Return whether a form was sent by a page of the session whose cookie is ``shown``."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    offered = form.get(FORM_TOKEN, "").encode()
    return bool(shown) and site == "same-origin" and equal(offered, form_token(shown).encode())
