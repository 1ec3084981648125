"""The page of figures for everybody at /open/: pictures and the newest day, without a sign-in."""

import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Final

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tracetogether.adapters.operator_pages.rendering import day_text, environment
from tracetogether.adapters.operator_pages.texts import HTML_LANGUAGE, LANGUAGES, TEXTS, language_of
from tracetogether.authority.open_data.cells import FIGURES
from tracetogether.authority.open_data.publishing import OpenCell, OpenDay, OpenSettings
from tracetogether.authority.service import Authority
from tracetogether.crypto import sha256
from tracetogether.parameters import OPEN_DATA
from tracetogether.svg import box, line, picture, text
from tracetogether.units import SECONDS_PER_MINUTE

OPEN_BASE: Final = "/open"
"""Where the page is mounted, below the root path; the files are routes of the HTTP interface."""
FILES: Final = ("figures.csv", "datapackage.json")
_SHOWN_DAYS: Final = 28
_LOOKS_EVERY_S: Final = 10  # for something new; in between strangers cost no query
_MAX_AGE_S: Final = 10 * SECONDS_PER_MINUTE
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Access-Control-Allow-Origin": "*",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Language",
    "Cache-Control": f"public, max-age={_MAX_AGE_S}",
}


class OpenPage:
    """Draws the page when something else is published, and keeps its bytes by language."""

    def __init__(self, authority: Authority, name: str, root_path: str) -> None:
        self._authority = authority
        self._name = name
        self._templates = environment(authority.days, root_path + OPEN_BASE)
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._edition: tuple[OpenSettings, int] | None = None
        self._made: dict[str, bytes] = {}

    def at(self, now: float, language: str) -> bytes | None:
        """Return the page at ``now`` (epoch seconds); None if nothing is served."""
        with self._lock:
            if not 0 <= now - self._looked < _LOOKS_EVERY_S or self._edition is None:
                edition = self._authority.open_data.edition()
                if edition != self._edition:
                    self._edition, self._made = edition, {}
                self._looked = now
            settings, _ = self._edition
            if not settings.served:
                return None
            if language not in self._made:
                self._made[language] = self._drawn(language, settings).encode()
            return self._made[language]

    def _drawn(self, language: str, settings: OpenSettings) -> str:
        days = self._authority.open_data.published() or []
        t, shown = TEXTS[language], days[-_SHOWN_DAYS:]
        names = [(figure.name, t.label("open-figure", figure.name)) for figure in FIGURES]
        return self._templates.get_template("open.html").render(
            t=t,
            label=t.label,
            language=language,
            html_language=HTML_LANGUAGE[language],
            languages=LANGUAGES,
            authority_name=self._name,
            licence=settings.licence,
            files=FILES,
            newest=days[-1] if days else None,
            charts=[(said, _chart(shown, name, said)) for name, said in names] if days else [],
            small=OPEN_DATA.small,
            of_a_case=OPEN_DATA.contacts_of_a_case,
        )


def _chart(days: Sequence[OpenDay], figure: str, about: str) -> Markup:
    """Return a figure by day: a column, and a line as long as 95 % of the noise."""
    width, height, left, top, foot = 520.0, 150, 44, 10, 22
    found = [(day.day, _cell(day, figure)) for day in days]
    tops = [cell.people + cell.noise_95 for _, cell in found if cell and cell.people is not None]
    most = max([*tops, OPEN_DATA.small])
    room, step = height - top - foot, (width - left - 16) / max(len(days), 1)
    parts = []
    for mark in (0, most):
        y = top + room * (1 - mark / most)
        parts += [line(left, y, width, y, "axis" if mark == 0 else "rule")]
        parts += [text(left - 8, y + 4, f"{mark:,}", "number quiet")]
    wide = min(18.0, step * 0.7)
    for place, (day, cell) in enumerate(found):
        middle = left + (place + 0.5) * step
        if cell is not None and cell.people is not None:
            tall, low, high = (
                room * min(max(count, 0), most) / most
                for count in (
                    cell.people,
                    cell.people - cell.noise_95,
                    cell.people + cell.noise_95,
                )
            )
            parts.append(box(middle - wide / 2, top + room - tall, wide, tall, "accent", 1))
            parts.append(line(middle, top + room - low, middle, top + room - high, "whisker"))
        if place % max(1, len(days) // 6) == 0:
            parts.append(text(middle, height - 6, day_text(day)[5:], "middle quiet"))
    return picture(width, height, about, parts)


def _cell(day: OpenDay, figure: str) -> OpenCell | None:
    return next((cell for cell in day.cells if cell.figure == figure), None)


def create_open_pages(
    authority: Authority,
    *,
    name: str,
    clock: Callable[[], float] = time.time,
    root_path: str = "",
) -> Starlette:
    """Return the page and its style sheet, to be mounted at ``OPEN_BASE``.

    Args:
        authority: the service.
        name: what the authority is called.
        clock: returns UTC epoch seconds.
        root_path: what stands before the base in the site's paths.
    """
    page = OpenPage(authority, name, root_path)
    style = (resources.files(__package__) / "static" / "open.css").read_bytes()

    def show(request: Request) -> Response:
        accepted = request.headers.get("accept-language", "")
        language = language_of(request.query_params.get("lang", ""), accepted)
        body = page.at(clock(), language)
        if body is None:
            said = TEXTS[language]("This authority publishes no figures.")
            headers = {**_HEADERS, "Cache-Control": "no-store"}
            return PlainTextResponse(said + "\n", 404, headers)
        tag = f'"{sha256(body).hex()[:32]}"'
        headers = {**_HEADERS, "ETag": tag}
        if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="text/html", headers=headers)

    def css(_: Request) -> Response:
        return Response(style, media_type="text/css", headers=_HEADERS)

    made = Starlette(routes=[Route("/", show), Route("/open.css", css)])
    made.router.redirect_slashes = False  # that would repeat what the request calls its host
    return made
