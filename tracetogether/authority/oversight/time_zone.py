"""The authority's time zone, in whose days contacts are called and dates are shown."""

from dataclasses import replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.followed import with_times
from tracetogether.authority.cases.store import CaseStore
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_NAME, LocalDays
from tracetogether.parameters import FOLLOW_UP

TIME_ZONE: Final = "time-zone"
_ROWS_AT_ONCE: Final = 1_000


def local_days(store: CaseStore) -> LocalDays:
    """Return the days of the authority's time zone: UTC until one is set.

    Raises:
        AuthorityError: this computer does not know the time zone that is set.
    """
    return LocalDays.named(store.setting(TIME_ZONE) or UTC_NAME)


def set_time_zone(
    name: str,
    now: float,
    *,
    keys: KeyRing,
    store: CaseStore,
    audit: Audit,
    by: str,
) -> int:
    """Set the time zone, and recompute the last day of each follow-up.

    Days that calls were recorded for stay as they were recorded. Servers that run take the zone
    over when they are started next.

    Args:
        name: IANA name.
        now: epoch seconds.
        keys: those of the authority, to open when people met.
        store: where settings and contacts are kept.
        audit: the log.
        by: on whose behalf.

    Returns:
        The number of contacts with another last day.

    Raises:
        AuthorityError: there is no such time zone: nothing was changed.
    """
    days = LocalDays.named(name)
    after, moved = "", 0
    with audit.atomic():
        store.put_setting(TIME_ZONE, name)
        while batch := store.desk.contacts_after(after, _ROWS_AT_ONCE):
            after = batch[-1][0].contact_id
            for kept, _ in batch:
                until_day = days.day(with_times(kept, keys).last_s) + FOLLOW_UP.days
                if until_day == kept.until_day:
                    continue
                locked = store.desk.contact(kept.contact_id)
                if locked is not None:
                    store.desk.put_contacts([replace(locked, until_day=until_day)])
                    moved += 1
        audit.record("authority.time-zone-set", now, by=by, zone=name)
    return moved
