"""Custody of the day keys: what there is, a new chain, a compromised day, destruction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import CONSOLE, Caller
from tracetogether.keyring import DayKeys, KeyRing
from tracetogether.units import utc_day


@dataclass(frozen=True, slots=True)
class Custody:
    """What a keyholder does. Each act is saved first and then recorded.

    Args:
        keys: the authority's keys, which all parts of the service share.
        save_keys: writes the ring to where it came from.
        audit: the log.
    """

    keys: KeyRing
    save_keys: Callable[[KeyRing], None]
    audit: Audit

    def known_days(self, now: float) -> Sequence[DayKeys]:
        """Return the days whose keys exist, up to tomorrow."""
        return self.keys.known_days(utc_day(now) + 1)

    def rotate(self, now: float, *, by: Caller = CONSOLE) -> int:
        """Begin a new chain on the first day that no phone has TempIDs of; return that day.

        Raises:
            KeyRingError: it was rotated for that day already, or can't be saved.
        """
        first = self.keys.rotate(now)
        self.save_keys(self.keys)
        self.audit.record("keys.rotated", now, by=by.name, first_day=first)
        return first

    def quarantine(self, first: int, last: int, now: float, *, by: Caller = CONSOLE) -> None:
        """Stop believing TempIDs sealed under the keys of these days.

        Raises:
            KeyRingError: there are no such keys, or the ring can't be saved.
        """
        self.keys.quarantine(first, last)
        self.save_keys(self.keys)
        self.audit.record("keys.quarantined", now, by=by.name, first_day=first, last_day=last)

    def destroy(self, before: int, now: float, *, by: Caller = CONSOLE) -> int:
        """Destroy the keys of all days before ``before``, ahead of their time.

        Returns:
            How many days' keys went. Nothing sealed under them can be opened by anybody any more.

        Raises:
            KeyRingError: the ring can't be saved: the keys on disk still stand.
        """
        gone = self.keys.destroy_before(before)
        self.save_keys(self.keys)
        self.audit.record("keys.destroyed", now, by=by.name, before_day=before, days=gone)
        return gone
