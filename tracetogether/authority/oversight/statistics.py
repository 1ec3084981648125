"""Counts and metrics: none of these figures names or describes a person or a case."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tracetogether.authority.access.limits import PIN_REFUSALS, Limits
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.status.restricting import Restrictions
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, TEMPIDS_OF_A_DAY_KEY, BlueTraceParameters
from tracetogether.units import utc_day


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything is kept."""

    users: int
    operators: int
    cases: int
    open_pins: int
    uploads: int
    sealed_bytes: int
    contact_lists: int
    contacts: int
    audit_entries: int
    pin_failures: int = 0  # ever: as the audit log has them
    batches: int = 0  # of TempIDs, asked for on this UTC day and the day before


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Shows how much is stored, and the figures that monitoring watches.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    store: AuthorityStore
    keys: KeyRing
    limits: Limits
    purge: Purge
    restrictions: Restrictions
    parameters: BlueTraceParameters = BLUETRACE

    def counts(self, now: float, *, by: Caller) -> Counts:
        """Return how much of everything is stored at ``now`` (epoch seconds)."""
        by.require(Action.COUNT)
        return self.store.counts(now)

    def metrics(self, now: float, *, by: Caller) -> Iterable[tuple[str, str, float]]:
        """Return name, description and value of each metric at ``now`` (epoch seconds).

        The figures come from the store: every process returns the same ones.
        """
        by.require(Action.READ_METRICS)
        return self._metrics(now)

    def _metrics(self, now: float) -> Iterable[tuple[str, str, float]]:
        counts = asdict(self.store.counts(now))
        failures, batches = counts.pop("pin_failures"), counts.pop("batches")
        for name, count in counts.items():
            yield name, f"Number of {name.replace('_', ' ')} now.", count
        yield "pin_failures_total", "Upload PINs refused since the authority was made.", failures
        # A batch reaches into the day after: in the long run this is twice what one key seals.
        sealed = batches * self.parameters.batch_size
        yield "tempids_of_day_key", "TempIDs of yesterday's and today's batches.", sealed
        over = int(sealed > TEMPIDS_OF_A_DAY_KEY)
        yield "day_key_overused", "1 if those may be more than NIST allows random IVs.", over
        refused = self.limits.count(PIN_REFUSALS, "", now)
        yield "pin_refusals_this_minute", "Upload PINs refused since the minute began.", refused
        suspect = self.purge.clock_suspect(now)
        last = self.purge.last()
        yield "last_purge_seconds", "When the last purge ended, epoch seconds; 0: never.", last or 0
        yield "purge_overdue", "1 if two hourly purges were missed.", int(self.purge.overdue(now))
        yield "clock_suspect", "1 if the last purge is days away: nothing is purged.", int(suspect)
        days = self.keys.known_days(utc_day(now) + 1)
        age = utc_day(now) - days[0].day if days else 0
        yield "oldest_day_key_days", "Age of the oldest day key in days; over 25 is an alarm.", age
        without = self.restrictions.without_evidence(now)
        about = "Restrictions without evidence, set since midnight; 5 are an alarm."
        yield "restrictions_without_evidence_today", about, without
        overdue = sum(appeal.overdue(now) for appeal in self.store.status.appeals())
        yield "appeals_overdue", "Appeals undecided after 48 hours: passes came again.", overdue
        quarantined = sum(day.quarantined for day in days)
        yield "quarantined_day_keys", "Day keys that may be known to others.", quarantined
