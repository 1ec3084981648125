"""The end of an operator's shift: people whom the operator calls are free again."""

from dataclasses import replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.call_store import CallingStore


def end_shift(name: str, now: float, *, store: CallingStore, audit: Audit, by: str) -> bool:
    """End an operator's shift, and free the people whom the operator has reserved.

    Drafts stay, sealed, until the operator saves them or they are deleted on time.

    Args:
        name: the operator's.
        now: epoch seconds.
        store: where shifts and reservations are.
        audit: the log.
        by: who ends it.

    Returns:
        Whether there was a shift to end.
    """
    with audit.atomic():
        store.calls.release(name)
        shift = store.calls.shift(name)
        if shift is None or now >= shift.until:
            return False
        store.calls.put_shift(replace(shift, until=now))
        audit.record("shift.ended", now, by=by, subject=name)
    return True
