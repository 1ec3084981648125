"""What strangers do again and again: counted by the hour, and one audit entry for each count."""

from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import COUNTS_KEPT_S, Limit, Limits
from tracetogether.authority.access.store import AccessStore
from tracetogether.units import SECONDS_PER_HOUR, utc_day

TOLD_UNTIL: Final = "tallies_told_s"
"""Under which name it is noted up to when counts are in the audit log."""

PINS_REFUSED: Final = Limit("pins.refused", 0, SECONDS_PER_HOUR)
"""Refused upload PINs of users who have none that is open."""
SIGN_INS_REFUSED: Final = Limit("sign-ins.refused", 0, SECONDS_PER_HOUR)
"""Refused sign-ins under names that no operator has."""
WITHDRAWALS: Final = Limit("users.withdrawn", 0, SECONDS_PER_HOUR)
"""Users who withdrew: a phone can register and withdraw all day."""
TALLIES: Final = (PINS_REFUSED, SIGN_INS_REFUSED, WITHDRAWALS)


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts, so that the audit log grows by the hour and not by what a stranger asks."""

    limits: Limits
    audit: Audit
    store: AccessStore

    def add(self, what: Limit, now: float) -> None:
        """Count one."""
        self.limits.add(what, "", now)

    def tell(self, now: float) -> None:
        """Append an entry for every count of an hour that has passed; each count is recorded once.

        Counts live for two days: call this at least once a day. Where the clock was ahead, hours
        up to now are recorded no more.
        """
        this_hour = int(now) // SECONDS_PER_HOUR * SECONDS_PER_HOUR
        if recorded_until(self.store) == this_hour:
            return
        with self.audit.atomic():
            begin = max(recorded_until(self.store), this_hour - COUNTS_KEPT_S)
            for hour in range(begin, this_hour, SECONDS_PER_HOUR):
                if not self.limits.keys.has_day(utc_day(hour)):
                    continue  # the authority was made later
                for what in TALLIES:
                    count = self.limits.count(what, "", hour)
                    if count:
                        self.audit.record(what.name, now, by="clock", since=hour, count=count)
            self.store.put_setting(TOLD_UNTIL, str(this_hour))


def recorded_until(store: AccessStore) -> int:
    """Return up to when counts are in the audit log, in epoch seconds."""
    return int(store.setting(TOLD_UNTIL) or 0)
