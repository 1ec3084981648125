"""Check the machine's clock against stored times, operators' codes and elapsed time."""

from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import ClockError
from tracetogether.parameters import CLOCK_JUMP_S, CODE_STEP_S, EARLIEST_S
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_MINUTE

LAST_PURGE: Final = "last_purge_s"
"""Name in the store of the time at which the last purge ended."""
_IN_USE_S: Final = SECONDS_PER_DAY  # a service in use writes audit entries each day
_AGREE_S: Final = SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class ClockWitness:
    """Decides whether ``now`` is confirmed, so that a purge may destroy what is too old by it.

    ``now`` is confirmed within three days of the last purge, or of the authority's creation if
    there was none. Further ahead, it takes an operator who signed in with the code of that time,
    from a device of their own; or audit entries from the last purge to ``now`` without a gap of
    more than a day. Entries of a wrong clock begin with a gap.
    """

    store: AccessStore
    audit: Audit

    def last_purge(self) -> float | None:
        """Return when the last purge succeeded, in epoch seconds; None if there was none."""
        text = self.store.setting(LAST_PURGE)
        return None if text is None else float(text)

    def check_ahead(self, now: float) -> None:
        """Return if ``now`` is not ahead, or is confirmed.

        Raises:
            ClockError: it is ahead and not confirmed; what a purge destroys can't be restored.
        """
        known = self._known()
        if known is None or now - known <= CLOCK_JUMP_S or self._confirmed(known, now):
            return
        raise _clock_error(now, known, "after")

    def check_behind(self, now: float) -> None:
        """Return if ``now`` is not far behind: expired things would be valid again.

        Raises:
            ClockError: it is.
        """
        known = self._known()
        if now < EARLIEST_S:
            raise _clock_error(now, EARLIEST_S if known is None else known, "before")
        if known is not None and known - now > CLOCK_JUMP_S:
            raise _clock_error(now, known, "before")

    def _known(self) -> float | None:
        """Return the newest trusted time, which is not that of the newest audit entry."""
        made = next((entry.time for entry, _ in self.audit.store.audit(limit=1)), None)
        last = self.last_purge()
        if made is None or last is None:
            return made if last is None else last
        return max(last, made)  # an earlier purge time comes from a clock that was behind

    def _confirmed(self, known: float, now: float) -> bool:
        given = self.store.sign_ins.newest_step() * CODE_STEP_S
        if known < given and abs(now - given) <= CLOCK_JUMP_S:
            return True
        reached = known
        for time in self.audit.store.audit_times(known, now):
            if time - reached > _IN_USE_S:
                return False
            reached = time
        return now - reached <= _IN_USE_S


@dataclass(slots=True)
class RunningClock:
    """A clock that was confirmed in this process and has not jumped since."""

    confirmed_at: float | None = None
    elapsed_then: float = 0.0

    def confirm(self, now: float, elapsed: float) -> None:
        """Store that ``now`` (epoch seconds) is right at monotonic time ``elapsed`` (seconds)."""
        self.confirmed_at, self.elapsed_then = now, elapsed

    def agrees(self, now: float, elapsed: float) -> bool:
        """Return whether clock and monotonic time advanced equally since ``confirm``."""
        if self.confirmed_at is None:
            return False
        return abs((now - self.confirmed_at) - (elapsed - self.elapsed_then)) <= _AGREE_S


def _clock_error(now: float, known: float, side: str) -> ClockError:
    days = abs(now - known) / SECONDS_PER_DAY
    return ClockError(
        f"by this machine's clock it is {days:.1f} days {side} the last purge, and nothing "
        "confirms it: nothing is purged. Set the clock right; if it is right, and the service "
        "stood still, an operator who signs in with a code confirms it, or --clock-is-right does"
    )
