"""Writes a phone's sightings to its contact log: bounded, and patient with a log that fails."""

from collections import deque
from typing import Final

from tracetogether.contactlog import ContactLog
from tracetogether.errors import StoreError
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_MINUTE

MAX_SIGHTINGS_PER_MINUTE: Final = 240  # bounds what a talkative peer can write into the log
_MAX_WAITING: Final = 4_096


class SightingWriter:
    """Sightings on their way into a log.

    Args:
        log: where they go.

    Attributes:
        store_error: why the log can't be written just now, None while it can. Sightings wait
            meanwhile, up to the last few thousand.
    """

    def __init__(self, log: ContactLog) -> None:
        self.store_error: StoreError | None = None
        self._log = log
        self._waiting: deque[Sighting] = deque(maxlen=_MAX_WAITING)
        self._recent: deque[float] = deque(maxlen=MAX_SIGHTINGS_PER_MINUTE)

    def write(self, said: Sighting) -> bool:
        """Write what an exchange said.

        Returns:
            False, and nothing is written, if exchanges said more within a minute than people around
            could have said.
        """
        full = len(self._recent) == MAX_SIGHTINGS_PER_MINUTE
        if full and 0 <= said.time - self._recent[0] < SECONDS_PER_MINUTE:
            return False
        self._recent.append(said.time)
        self._waiting.append(said)
        self.write_waiting()
        return True

    def hold(self, noted: Sighting) -> None:
        """Take a sighting that waits for the next call of ``write`` or ``write_waiting``."""
        self._waiting.append(noted)

    def write_waiting(self) -> None:
        """Write the sightings that wait."""
        if not self._waiting:
            return
        try:
            self._log.append(self._waiting)
        except StoreError as error:
            self.store_error = error
        else:
            self.store_error = None
            self._waiting.clear()

    def purge(self, now: float, *, confirmed: bool = False) -> None:
        """Let the log drop what is too old; see ``ContactLog.purge``."""
        try:
            self._log.purge(now, confirmed=confirmed)
        except StoreError as error:
            self.store_error = error
