"""Metrics in Prometheus's text form, read from the store: the same whichever process is asked."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from tracetogether.authority.access.limits import PIN_REFUSALS
from tracetogether.authority.service import Authority
from tracetogether.parameters import TEMPIDS_OF_A_DAY_KEY
from tracetogether.units import utc_day

_LINES: Final = """\
# HELP tracetogether_{name} {about}
# TYPE tracetogether_{name} {kind}
tracetogether_{name} {value}
"""


def metrics_text(authority: Authority, now: float) -> str:
    """Return all metrics; none of them has a label, so none can name anybody."""
    return "".join(
        _LINES.format(
            name=name,
            about=about,
            value=value,
            kind="counter" if name.endswith("_total") else "gauge",
        )
        for name, about, value in _values(authority, now)
    )


def _values(authority: Authority, now: float) -> Iterable[tuple[str, str, float]]:
    counts = asdict(authority.store.counts(now))
    failures, batches = counts.pop("pin_failures"), counts.pop("batches")
    for name, count in counts.items():
        yield name, f"Number of {name.replace('_', ' ')} now.", count
    yield "pin_failures_total", "Upload PINs refused since the authority was made.", failures
    # A batch reaches into the day after: in the long run this is twice what one key seals.
    sealed = batches * authority.issuance.parameters.batch_size
    yield "tempids_of_day_key", "TempIDs of yesterday's and today's batches.", sealed
    over = int(sealed > TEMPIDS_OF_A_DAY_KEY)
    yield "day_key_overused", "1 if those may be more than NIST allows random IVs.", over
    refused = authority.limits.count(PIN_REFUSALS, "", now)
    yield "pin_refusals_this_minute", "Upload PINs refused since the minute began.", refused
    suspect = authority.purge.clock_suspect(now)
    last = authority.purge.last()
    yield "last_purge_seconds", "When the last purge ended, epoch seconds; 0: never.", last or 0
    yield "purge_overdue", "1 if two hourly purges were missed.", int(authority.purge.overdue(now))
    yield "clock_suspect", "1 if the last purge is days away: nothing is purged.", int(suspect)
    days = authority.custody.known_days(now)
    oldest = utc_day(now) - days[0].day if days else 0
    yield "oldest_day_key_days", "Age of the oldest day key in days; over 25 is an alarm.", oldest
    quarantined = sum(one.quarantined for one in days)
    yield "quarantined_day_keys", "Day keys that may be known to others.", quarantined
