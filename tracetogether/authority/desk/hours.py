"""The hours of the day in which people are called, in the authority's time zone."""

import re
from dataclasses import dataclass
from typing import Final, Self

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import InvalidRequestError
from tracetogether.local_days import LocalDays
from tracetogether.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE

_SETTING: Final = "calling-hours"
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_MINUTES: Final = SECONDS_PER_HOUR // SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class CallingHours:
    """From when until when people are called on each day.

    Attributes:
        begin: minutes after midnight, as clocks there show it.
        end: likewise, later than ``begin``; at this minute nobody is called any more.
    """

    begin: int
    end: int

    @classmethod
    def between(cls, begin: str, end: str) -> Self:
        """Return hours written like 09:00 and 20:00.

        Raises:
            InvalidRequestError: one is no time of a day, or the end is not later.
        """
        found = [_CLOCK.fullmatch(text.strip()) for text in (begin, end)]
        minutes = [int(clock[1]) * _MINUTES + int(clock[2]) for clock in found if clock is not None]
        if len(minutes) < 2 or minutes[0] >= minutes[1]:
            msg = "calling hours are two times of one day, such as 09:00 and 20:00"
            raise InvalidRequestError(msg, "calling-hours")
        return cls(*minutes)

    @property
    def begin_text(self) -> str:
        """The beginning like 09:00."""
        return _clock_text(self.begin)

    @property
    def end_text(self) -> str:
        """The end like 20:00."""
        return _clock_text(self.end)

    def contain(self, time: float, days: LocalDays) -> bool:
        """Return whether people are called at ``time`` (epoch seconds) in the zone of ``days``."""
        moment = days.moment(time)
        return self.begin <= moment.hour * _MINUTES + moment.minute < self.end


def calling_hours(store: AccessStore) -> CallingHours | None:
    """Return the hours that a supervisor has set; None for any hour."""
    kept = store.setting(_SETTING)
    return CallingHours.between(*kept.split("-")) if kept else None


def set_calling_hours(
    hours: CallingHours | None,
    now: float,
    *,
    store: AccessStore,
    audit: Audit,
    by: Caller,
) -> None:
    """Set the hours in which people are called; None for any hour.

    Raises:
        AccessDeniedError: no role of ``by`` allows it.
    """
    by.require(Action.SET_CALLING_HOURS)
    text = "" if hours is None else f"{hours.begin_text}-{hours.end_text}"
    with audit.atomic():
        store.put_setting(_SETTING, text)
        audit.record("calling-hours.set", now, by=by.name, hours=text)


def _clock_text(minutes: int) -> str:
    return f"{minutes // _MINUTES:02}:{minutes % _MINUTES:02}"
