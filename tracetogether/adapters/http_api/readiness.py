"""Whether the service can do its work, asked by probes every few seconds: cheaply."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from tracetogether.authority.service import Authority
from tracetogether.errors import StoreError
from tracetogether.reasons_of_faults import reason_of
from tracetogether.shapes.oversight import Ready
from tracetogether.units import utc_day

_WRITE_EVERY_S: Final = 10.0


class Readiness:
    """Looks at store, keys and clock; writes to the store at most every ten seconds."""

    def __init__(self, authority: Authority, clock: Callable[[], float]) -> None:
        self._authority = authority
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at = -_WRITE_EVERY_S
        self._write_failed = ""

    def __call__(self) -> tuple[Ready, str]:
        """Return the answer, and why the service is not ready, "" if it is."""
        now, authority = self._clock(), self._authority
        suspect = foreign = overdue = False
        broken = self._broken()
        if not broken:
            try:
                suspect = authority.purge.clock_suspect(now)
                foreign = authority.custody.foreign(now)
                overdue = authority.purge.overdue(now)
            except StoreError as error:
                broken = reason_of(error)
        why = broken
        if foreign:
            why = "keys.txt holds other keys than the database's"
        elif suspect:
            why = "the last purge is days away: the clock may be wrong"
        elif not why and not authority.custody.keys.has_day(utc_day(now)):
            why = "there are no keys of today"
        ready = Ready(
            ready=not why,
            purge_overdue=overdue,
            clock_suspect=suspect,
            keys_foreign=foreign,
            store_broken=bool(broken),
        )
        return ready, why

    def _broken(self) -> str:
        """Return why the store can't be read or written, "" if it can."""
        with self._lock:
            due = monotonic() - self._written_at >= _WRITE_EVERY_S
            if due:
                self._written_at = monotonic()
        try:
            self._authority.store.probe(write=due)
        except StoreError as error:
            if due:
                self._write_failed = reason_of(error)
            return reason_of(error)
        if due:
            self._write_failed = ""
        return self._write_failed
