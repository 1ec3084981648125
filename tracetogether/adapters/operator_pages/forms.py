"""Forms: read within bounds, checked for their token, and given back after a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from tracetogether.adapters.operator_pages.cookies import local_path
from tracetogether.authority.access.sign_in import form_token
from tracetogether.crypto import equal
from tracetogether.plain_text import one_newline

FORM_TOKEN: Final = "form_token"  # noqa: S105 - a field's name
MAX_FORM_BYTES: Final = 65_536
"""Room for every field at its longest: 2,000 characters of four UTF-8 bytes take 24,000."""
MAX_FIELD_CHARACTERS: Final = 16_384
HELD: Final = "held."
"""Prefix of the fields of a form that a sign-in carries along."""
HELD_PATH: Final = "held-path"
_ROOM_FOR_SIGN_IN: Final = 16_384
_MOST_DRAINED_BYTES: Final = 4_000_000
FIELDS: Final = frozenset(
    {
        *("user_id", "date", "operator", "into", "text", "reason", "day", "outcome"),
        *("name", "phone", "least_chance"),
        *("ground", "reference", "evidence", "begins", "until"),
        *("kind", "legal_basis", "place", "window_from", "window_to", "ends", "most_people"),
        *("number", "spoken", "laboratory"),
        *("place_name", "site"),
        *("warned_place", "warn_day", "warn_from", "warn_to", "warn_reason"),
        *("visit", "visit_reason", "trip", "trip_reason", "aboard"),
        *("seat_row", "seat_rows"),
        *("shift_reason", "next_day", "next_time", "who_rings"),
        *("handed", "handed_all", "role", "operator_name", "works_by"),
        *("hours_from", "hours_until"),
    }
)
"""The fields that people fill in; of several boxes, what is before the dot of each name."""
SECRET: Final = frozenset({FORM_TOKEN, "password", "code", "pin"})
"""Fields that no page gives back."""


def is_typed(name: str) -> bool:
    """Return whether people fill in this field; boxes to tick are named ``field.choice``."""
    return name.partition(".")[0] in FIELDS


def ticked(form: Mapping[str, str], field: str) -> dict[str, str]:
    """Return the boxes of a field that are ticked: choice -> value."""
    return {
        name.partition(".")[2]: value
        for name, value in form.items()
        if name.startswith(f"{field}.") and value
    }


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was wrong with a form.

    Attributes:
        why: as the page says it.
        field: name of the field that it is about, or "".
        both: what is stored now beside what was sent, if it was changed meanwhile.
    """

    why: str
    field: str = ""
    both: tuple["Both", ...] = ()

    @property
    def typed(self) -> bool:
        """Whether the error is about a field that people fill in."""
        return is_typed(self.field)


@dataclass(frozen=True, slots=True)
class Both:
    """One thing as it is stored now, and as a form has it.

    Attributes:
        field: name of the field, or of another property.
        stored, sent: as the page says them.
    """

    field: str
    stored: str
    sent: str


@dataclass(frozen=True, slots=True)
class Given:
    """One field of a form that is given back.

    Attributes:
        name: the field's.
        value: what was filled in.
        typed: whether it is a field that people fill in.
    """

    name: str
    value: str
    typed: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was sent.

    Attributes:
        values: field -> what was filled in; line breaks are single newlines.
        cut: whether it was too large, and ``values`` holds its beginning alone.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


async def filled_in(request: Request, *, signing_in: bool = False) -> Filled:
    """Return the fields of a form; of one that is too large, its beginning.

    Args:
        request: read to the end, within bounds, because browsers show no answer that comes
            before they have sent everything.
        signing_in: whether the form may carry another one along.
    """
    limit = MAX_FORM_BYTES + (_ROOM_FOR_SIGN_IN if signing_in else 0)
    body, seen = bytearray(), 0
    async for chunk in request.stream():
        seen += len(chunk)
        body += chunk[: max(0, limit - len(body))]
        if seen > _MOST_DRAINED_BYTES:
            break
    cut = seen > limit
    text = body.decode("utf-8", "replace")
    if cut and "%" in text[-2:]:
        text = text[: text.rindex("%")]
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=None)
    values = {name: one_newline(value) for name, value in pairs}
    if cut and pairs:
        values[pairs[-1][0]] = values[pairs[-1][0]].rstrip("\ufffd")
    cut = cut or any(len(value) > MAX_FIELD_CHARACTERS for value in values.values())
    return Filled({name: value[:MAX_FIELD_CHARACTERS] for name, value in values.items()}, cut)


def from_here(request: Request, form: Mapping[str, str], shown: str) -> bool:
    """Return whether a form was sent by a page of the session whose cookie is ``shown``."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    offered = form.get(FORM_TOKEN, "").encode()
    return bool(shown) and site == "same-origin" and equal(offered, form_token(shown).encode())


def same_site(request: Request) -> bool | None:
    """Return whether a page of this site sent a form, by the browser's own headers.

    None: the browser sends no such header. Browsers always send one with a form of another site.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return None


def given_back(form: Mapping[str, str]) -> tuple[Given, ...]:
    """Return the fields of a form that a page gives back, in the order of the form."""
    return tuple(
        Given(name, value.replace("\0", "\ufffd"), is_typed(name))
        for name, value in form.items()
        if name not in SECRET and value and not name.startswith(HELD) and name != HELD_PATH
    )


def held_form(form: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
    """Return the form that a sign-in carries along, and its path; None without one."""
    held = {name.removeprefix(HELD): text for name, text in form.items() if name.startswith(HELD)}
    kept = {name: value for name, value in held.items() if name not in SECRET}
    return (kept, local_path(form.get(HELD_PATH, "/"))) if kept else None
