"""The audit log, and the state of keys and purges."""

from collections.abc import Sequence
from itertools import groupby

from starlette.responses import Response

from tracetogether.adapters.operator_pages.doors import Door, Visit
from tracetogether.adapters.operator_pages.listing import last_offset
from tracetogether.authority.access.permissions import Action
from tracetogether.errors import AuditError
from tracetogether.keyring import DayKeys
from tracetogether.units import utc_day

_ENTRIES = 50
_DAYS = frozenset({"day", "first_day", "last_day", "before_day"})
"""Details of entries that are the number of a UTC day; people read dates."""


def show_audit(visit: Visit) -> Response:
    """Show a page of the audit log, the newest first."""
    return _audit(visit, "", tampered=False)


def verify_audit(visit: Visit) -> Response:
    """Check every entry against the one before, and say what was found."""
    try:
        number, digest = visit.authority.audit.verify()
    except AuditError as error:
        return _audit(visit, visit.advice(str(error)), tampered=True)
    said = visit.say("{count} entries, none changed.", count=f"{number:,}")
    return _audit(visit, f"{said} {number}:{digest.hex()}", tampered=False)


def _audit(visit: Visit, said: str, *, tampered: bool) -> Response:
    newest, _ = visit.authority.store.last_audit()
    offset = min(visit.number("offset", 0), last_offset(newest, _ENTRIES))
    after = max(newest - offset - _ENTRIES, 0)
    wanted = newest - offset - after
    entries = list(visit.authority.audit.entries(after, wanted))[::-1] if wanted > 0 else []
    return visit.page(
        "audit.html",
        entries=entries,
        days=_DAYS,
        total=newest,
        offset=offset,
        limit=_ENTRIES,
        said=said,
        tampered=tampered,
    )


def show_keys(visit: Visit) -> Response:
    """Show which days' keys there are, never the keys, and when was last purged."""
    authority = visit.authority
    days = authority.custody.known_days(visit.now)
    return visit.page(
        "keys.html",
        spans=_spans(days),
        days=len(days),
        quarantined=sum(one.quarantined for one in days),
        oldest=utc_day(visit.now) - days[0].day if days else None,
        last_purge=authority.purge.last(),
        overdue=authority.purge.overdue(visit.now),
        counts=authority.store.counts(visit.now) if visit.allows(Action.COUNT) else None,
    )


def _spans(days: Sequence[DayKeys]) -> list[tuple[int, int, int, bool]]:
    """Return (first day, last day, chain, whether quarantined), days of a kind together."""
    spans = []
    for (chain, quarantined), some in groupby(days, lambda one: (one.chain, one.quarantined)):
        listed = [one.day for one in some]
        spans.append((listed[0], listed[-1], chain, quarantined))
    return spans[::-1]


DOORS = (
    Door("GET", "/audit", show_audit),
    Door("POST", "/audit/verify", verify_audit),
    Door("GET", "/keys", show_keys),
)
