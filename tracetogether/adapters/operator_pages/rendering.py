"""The templates' environment: text is escaped, times are in the authority's time zone."""

from datetime import date
from functools import partial
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.local_days import LocalDays
from tracetogether.plain_text import visible
from tracetogether.units import Interval

_EPOCH: Final = date(1970, 1, 1).toordinal()
BASE: Final = "/desk"
"""Where the pages are mounted, below the root path."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every page."""


def environment(days: LocalDays, base: str = BASE) -> Environment:
    """Return the environment of all templates.

    Args:
        days: the authority's time zone, in which times are shown.
        base: the path that all links begin with.
    """
    made = Environment(
        loader=PackageLoader("tracetogether.adapters.operator_pages"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters.update(
        time=partial(time_text, days=days),
        day=day_text,
        count=count_text,
        minutes=minutes_text,
        metres=metres_text,
        percent=percent_text,
        likely=likely_text,
        spoken=spoken_user_id,
        dialled=dialled_text,
    )
    made.globals["base"] = base
    made.globals["zone"] = days.name
    return made


def _shown(value: object) -> object:
    """Return a value as templates show it: text without hidden characters, except line feeds."""
    return visible(value, lines=True) if type(value) is str else value


def time_text(time: float | None, days: LocalDays) -> str:
    """Return epoch seconds as date and time in the time zone of ``days``; a dash for None."""
    return "–" if time is None else days.text(time)


def day_text(day: int) -> str:
    """Return a day's number as YYYY-MM-DD."""
    return date.fromordinal(_EPOCH + day).isoformat()


def count_text(count: int) -> str:
    """Return a count with thousands separators."""
    return f"{count:,}"


def minutes_text(minutes: Interval) -> str:
    """Return minutes as text: the median, then 5 % to 95 % in brackets."""
    return f"{minutes.median:.0f} ({minutes.low:.0f}–{minutes.high:.0f})"


def metres_text(metres: Interval) -> str:
    """Return metres as text: the median, then 5 % to 95 % in brackets."""
    return f"{metres.median:.1f} ({metres.low:.1f}–{metres.high:.1f})"


def likely_text(share: float) -> str:
    """Return a probability (0 to 1) in per cent; beyond 1 % and 99 % only the bound."""
    return "<1 %" if share < 0.01 else ">99 %" if share > 0.99 else f"{100 * share:.0f} %"


def dialled_text(number: str) -> str:
    """Return a telephone number as a link dials it: digits, and a plus at the front."""
    digits = "".join(sign for sign in number if sign.isascii() and sign.isdecimal())
    return f"+{digits}" if number.strip().startswith("+") else digits


def percent_text(share: float | None) -> str:
    """Return a share (0 to 1) in per cent; a dash for None."""
    return "–" if share is None else f"{100 * share:.0f} %"
