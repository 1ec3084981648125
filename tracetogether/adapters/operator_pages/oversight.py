"""The audit log, the state of keys and purges, and contact lists as files."""

import re
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from starlette.responses import Response, StreamingResponse

from tracetogether.adapters.operator_pages.listing import last_offset
from tracetogether.adapters.operator_pages.page_request import PageRequest
from tracetogether.adapters.operator_pages.rendering import day_text
from tracetogether.adapters.operator_pages.routing import Page
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.desk.exports import LAYOUTS, layout_named
from tracetogether.errors import AuditError, InvalidRequestError
from tracetogether.keyring import DayKeys
from tracetogether.tables.spreadsheets import MEDIA_TYPES, file_of
from tracetogether.units import utc_day

_ENTRIES = 50
_PLACEHOLDER = re.compile(r"\{\w+\}")
_DAYS = frozenset({"day", "first_day", "last_day", "before_day"})
"""Details of entries that are the number of a UTC day; people read dates."""


def show_audit(request: PageRequest) -> Response:
    """Show a page of the audit log, the newest first."""
    return _audit(request, "", tampered=False)


def verify_audit(request: PageRequest) -> Response:
    """Check every entry against the one before, and say what was found."""
    try:
        number, digest = request.authority.audit.verify(by=request.caller)
    except AuditError as error:
        return _audit(request, request.t.error(error.code, **error.figures), tampered=True)
    said = request.t.plural(
        "{count} entry verified, none changed.", "{count} entries verified, none changed.", number
    )
    value = f"{number}:{digest.hex()}"
    why = request.t(
        "Copy this check value of the newest entry, and keep it outside of the server. With it, a "
        "later check also finds a log that was rewritten as a whole: {value}",
        value=value,
    )
    return _audit(request, f"{said} {why}", tampered=False)


def _audit(request: PageRequest, said: str, *, tampered: bool) -> Response:
    newest, _ = request.authority.store.last_audit()
    offset = min(request.number("offset", 0), last_offset(newest, _ENTRIES))
    after = max(newest - offset - _ENTRIES, 0)
    wanted = newest - offset - after
    audit, by = request.authority.audit, request.caller
    entries = list(audit.entries(after, wanted, by=by))[::-1] if wanted > 0 else []
    return request.render(
        "audit.html",
        entries=entries,
        shown=partial(_detail, request),
        total=newest,
        offset=offset,
        limit=_ENTRIES,
        said=said,
        tampered=tampered,
    )


def _detail(request: PageRequest, name: str, value: str | int) -> str:
    """Return a detail of an entry in words; a route's placeholders are shown as dots."""
    t, text = request.t, str(value)
    match name:
        case "outcome":
            text = t.label("outcome", text)
        case "state":
            text = t.label("contact-state", text)
        case "roles":
            text = t(", ").join(t.label("role", role) for role in text.split(","))
        case "fields":
            text = t(", ").join(t.label("field", field) for field in text.split())
        case "page" | "route":
            text = _PLACEHOLDER.sub("…", text)
        case "since" | "until" if isinstance(value, int):
            text = request.authority.days.text(value)
        case _ if name in _DAYS and isinstance(value, int):
            text = day_text(value)
    return f"{t.label('detail', name)}: {text or '–'}"


def show_keys(request: PageRequest) -> Response:
    """Show which days have keys, never the keys, and the time of the last purge."""
    authority, by = request.authority, request.caller
    days = authority.custody.known_days(request.now, by=by)
    return request.render(
        "keys.html",
        spans=_spans(days),
        days=len(days),
        quarantined=sum(day.quarantined for day in days),
        oldest=utc_day(request.now) - days[0].day if days else None,
        last_purge=authority.purge.last(),
        overdue=authority.purge.overdue(request.now),
        counts=authority.monitoring.counts(request.now, by=by)
        if request.allows(Action.COUNT)
        else None,
    )


def _spans(days: Sequence[DayKeys]) -> list[tuple[int, int, int, bool]]:
    """Return (first day, last day, chain, whether quarantined) of each run of like days."""
    spans = []
    for (chain, quarantined), alike in groupby(days, lambda day: (day.chain, day.quarantined)):
        listed = [day.day for day in alike]
        spans.append((listed[0], listed[-1], chain, quarantined))
    return spans[::-1]


def show_exports(request: PageRequest) -> Response:
    """Show what can be let out."""
    return request.render("exports.html", layouts=list(LAYOUTS), forms=list(MEDIA_TYPES))


def export(request: PageRequest) -> Response:
    """Let the contacts of all cases out in a file, row by row."""
    layout, form = layout_named(request.form.get("layout", "")), request.form.get("form", "")
    if form not in MEDIA_TYPES:
        msg = "choose one of the file formats on the page"
        raise InvalidRequestError(msg, "no-such-format")
    rows = request.authority.exports.rows(layout, form, request.now, by=request.caller)
    return StreamingResponse(
        file_of(rows, form),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="contacts-{layout.name}.{form}"'},
    )


PAGES = (
    Page("GET", "/exports", show_exports),
    Page("POST", "/exports", export, show_exports),
    Page("GET", "/audit", show_audit),
    Page("POST", "/audit/verify", verify_audit),
    Page("GET", "/keys", show_keys),
)
