"""The wall for a screen, the code that lets a screen in, and the line on top of all pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from tracetogether.adapters.operator_pages.cookies import SCREEN_COOKIE, keep
from tracetogether.adapters.operator_pages.dates import day_needed, end_within
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.responses import with_retry_after
from tracetogether.adapters.operator_pages.routing import Blames, Page
from tracetogether.adapters.operator_pages.texts import Texts
from tracetogether.authority.oversight.wall import Delay
from tracetogether.authority.status.restriction import Ground
from tracetogether.errors import AccessDeniedError, RateLimitedError
from tracetogether.parameters import BULLETIN_LONGEST_S, SCREEN_LONGEST_S
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

REFRESH_S: Final = 60
_LOOKS: Final = frozenset({"dark", "light"})


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the wall.

    Attributes:
        name: what it is.
        figure: as people read it.
        under: further figures, each a line.
        page: of the desk, what the figure is made of; "" without one.
        query: of the page's address, such as "?who=lost".
        alarm: whether somebody has to act.
    """

    name: str
    figure: str
    under: Sequence[str] = ()
    page: str = ""
    alarm: bool = False
    query: str = ""


def show_wall(request: PageRequest) -> Response:
    """Show the figures of today, with links to what they are made of if the roles allow that.

    The page loads again each minute, unless its reader stops that.
    """
    asked = request.http.query_params
    look, still = asked.get("look", ""), asked.get("refresh") == "off"
    page = request.render(
        "wall.html",
        tiles=_tiles(request),
        still=still,
        look=look if look in _LOOKS else "",
        screen=request.screen,
    )
    if not still:
        page.headers["Refresh"] = str(REFRESH_S)
    return page


def _tiles(request: PageRequest) -> list[Tile]:
    found, t = request.authority.wall.figures(request.now, by=request.caller), request.t
    counted = found.counted
    grounds = [
        f"{t.label('ground', ground.value)}: {counted.in_force.get(ground.value, 0):,}"
        for ground in Ground
    ]
    unproven = t("without evidence: {count}", count=f"{counted.without_evidence:,}")
    quarter, hour, day = (f"{count:,}" for count in found.lists_given)
    phones, before = ("–" if count is None else f"{count:,}" for count in found.phones)
    purged = "–"
    if found.last_purge is not None:
        purged = _span(t, request.now - found.last_purge)
    overdue = t("{count} not called since before yesterday", count=f"{counted.overdue:,}")
    late = t.plural(
        "{count} waits for more than 48 hours",
        "{count} wait for more than 48 hours",
        counted.appeals_overdue,
    )
    waiting = t.plural(
        "{count} contact list waits", "{count} contact lists wait", counted.lists_waiting
    )
    return [
        Tile(t("Cases opened today"), f"{counted.cases_today:,}", (), "/cases"),
        _delay(t, t("From test to log"), found.test_to_log),
        _delay(t, t("From log to first call"), found.log_to_call),
        Tile(
            t("Calls due today"),
            f"{counted.due:,}",
            (t("{count} done", count=f"{counted.done:,}"), overdue),
            "/follow-up",
            counted.overdue > 0,
        ),
        Tile(t("Lost contacts"), f"{counted.lost:,}", (), "/follow-up", query="?who=lost"),
        Tile(t("Places warned in 14 days"), f"{counted.places:,}", (), "/places"),
        Tile(
            t("Restricted now"),
            f"{sum(counted.in_force.values()):,}",
            (*grounds, unproven),
            "/restrictions",
            counted.without_evidence > 0,
        ),
        Tile(
            t("Open appeals"),
            f"{counted.appeals:,}",
            (late,),
            "/appeals",
            counted.appeals_overdue > 0,
        ),
        Tile(
            t("Phones today"),
            phones,
            (t("{count} yesterday", count=before), t("counted hourly")),
            "/",
        ),
        Tile(
            t("Lists fetched by gates"),
            quarter,
            (t("in a quarter of an hour"), t("hour: {hour}, day: {day}", hour=hour, day=day)),
        ),
        Tile(t("Since the last purge"), purged, (waiting,), "/keys", found.purge_overdue),
    ]


def _delay(t: Texts, name: str, delay: Delay) -> Tile:
    if delay.median_s is None or delay.most_s is None:
        return Tile(name, "–", (t("no case yet"),), "/cases")
    most = t("90 % within {span}", span=_span(t, delay.most_s))
    of = t.plural("the newest case", "the newest {count} cases", delay.cases)
    return Tile(name, _span(t, delay.median_s), (most, of), "/cases")


def _span(t: Texts, seconds: float) -> str:
    if seconds < 2 * SECONDS_PER_HOUR:
        return t("{count} min", count=round(seconds / 60))
    if seconds < 2 * SECONDS_PER_DAY:
        return t("{count} h", count=f"{seconds / SECONDS_PER_HOUR:.0f}")
    return t("{count} d", count=f"{seconds / SECONDS_PER_DAY:.1f}")


# --- a screen's code ---


def show_enter(request: PageRequest) -> Response:
    """Ask for the code of a screen."""
    return request.render("wall_enter.html", why="", code=request.http.query_params.get("code", ""))


def enter(request: PageRequest) -> Response:
    """Let a screen in, or show what was wrong."""
    client = request.http.client
    try:
        token = request.authority.screens.enter(
            request.form.get("code", ""), request.now, address=client.host if client else ""
        )
    except (AccessDeniedError, RateLimitedError) as error:
        status = 429 if isinstance(error, RateLimitedError) else 403
        why = request.t.error(error.code, **error.figures)
        page = request.render("wall_enter.html", status=status, why=why, code="")
        return with_retry_after(page, error)
    answer = request.redirect("/wall")
    keep(answer, SCREEN_COOKIE, token, longest_s=SCREEN_LONGEST_S)
    return answer


# --- the bulletin ---


def show_bulletin(request: PageRequest) -> Response:
    """Show the line that is on top of all pages, and the form for another."""
    days = BULLETIN_LONGEST_S // SECONDS_PER_DAY
    return request.render("bulletin.html", days=days)


def put_bulletin(request: PageRequest) -> Response:
    """Put a line on top of all pages until the end of a day."""
    ends = day_needed(request.form, "ends")
    until = end_within(ends, request.now, BULLETIN_LONGEST_S, request.authority.days)
    text = request.form.get("text", "")
    request.authority.bulletins.put(text, until, request.now, by=request.caller)
    return request.redirect("/bulletin")


def end_bulletin(request: PageRequest) -> Response:
    """Take the line away."""
    request.authority.bulletins.end(request.now, by=request.caller)
    return request.redirect("/bulletin")


_BLAMES: Final[Blames] = {
    "bulletin-text": "text",
    "bulletin-end": "ends",
    "date-needed": "ends",
    "date-form": "ends",
}
PAGES: Final = (
    Page("GET", "/wall", show_wall),
    Page("GET", "/wall/enter", show_enter),
    Page("POST", "/wall/enter", enter),
    Page("GET", "/bulletin", show_bulletin),
    Page("POST", "/bulletin", put_bulletin, show_bulletin, _BLAMES),
    Page("POST", "/bulletin/end", end_bulletin),
)
