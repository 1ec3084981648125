"""A supervisor's line on top of every page of the desk, which ends at a set time."""

import json
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import InvalidRequestError
from tracetogether.parameters import BULLETIN_CHARACTERS, BULLETIN_LONGEST_S
from tracetogether.plain_text import hidden_in
from tracetogether.units import SECONDS_PER_DAY

_SETTING: Final = "bulletin"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A line that everybody at the desk reads.

    Attributes:
        text: one line of plain text.
        until: when it ends, epoch seconds.
        by: who wrote it.
        at: when, epoch seconds.
    """

    text: str
    until: float
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Bulletins:
    """Keeps one bulletin: a new one replaces the one before."""

    store: AccessStore
    audit: Audit

    def current(self, now: float) -> Bulletin | None:
        """Return the line for everybody at the desk; None without one."""
        kept = self.store.setting(_SETTING)
        found = Bulletin(*json.loads(kept)) if kept else None
        return found if found is not None and found.at <= now < found.until else None

    def put(self, text: str, until: float, now: float, *, by: Caller) -> Bulletin:
        """Put a line on top of all pages. The audit log has its text.

        Args:
            text: one line of plain text, without anybody's name or number.
            until: when it ends, epoch seconds; at most seven days from now.
            now: epoch seconds.
            by: the caller.

        Raises:
            InvalidRequestError: the text is empty, too long or no plain line; or the end is past
                or too far away.
        """
        by.require(Action.SET_BULLETIN)
        line = text.strip()
        if not 0 < len(line) <= BULLETIN_CHARACTERS or hidden_in(line):
            msg = "a bulletin is one line of 1 to {most} characters of plain text"
            raise InvalidRequestError(msg, "bulletin-text", most=BULLETIN_CHARACTERS)
        if not now < until <= now + BULLETIN_LONGEST_S:
            msg = "a bulletin ends later than now, and within {days} days"
            raise InvalidRequestError(
                msg, "bulletin-end", days=BULLETIN_LONGEST_S // SECONDS_PER_DAY
            )
        made = Bulletin(line, float(until), by.name, float(now))
        with self.audit.atomic():
            self._keep(made)
            self.audit.record("bulletin.put", now, by=by.name, text=line, until=int(until))
        return made

    def end(self, now: float, *, by: Caller) -> None:
        """Take the line away; nothing happens without one."""
        by.require(Action.SET_BULLETIN)
        with self.audit.atomic():
            if self.current(now) is not None:
                self.store.put_setting(_SETTING, "")
                self.audit.record("bulletin.ended", now, by=by.name)

    def _keep(self, made: Bulletin) -> None:
        kept = json.dumps([made.text, made.until, made.by, made.at])
        self.store.put_setting(_SETTING, kept)
