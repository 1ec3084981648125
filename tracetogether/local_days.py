"""Calendar days of a time zone, numbered from 1970-01-01: what people there call a day."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from tracetogether.errors import AuthorityError
from tracetogether.units import SECONDS_PER_DAY, Floats, Ints

_EPOCH: Final = date(1970, 1, 1).toordinal()
UTC_NAME: Final = "UTC"


@dataclass(frozen=True, slots=True)
class LocalDays:
    """The days of one time zone, whose lengths may be 23, 24 or 25 hours.

    Attributes:
        name: IANA name, such as Asia/Singapore.
        zone: its rules.
    """

    name: str
    zone: tzinfo = field(repr=False)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the days of the time zone with an IANA name.

        Raises:
            AuthorityError: there is no such time zone, or this computer has no list of them.
        """
        try:
            # UTC needs no list of time zones, which a computer may lack.
            return cls(name, UTC if name == UTC_NAME else ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            msg = (
                f"there is no time zone {name!r}: give an IANA name such as Asia/Singapore or "
                "Europe/Berlin; if this one exists, `pip install tzdata`"
            )
            raise AuthorityError(msg) from None

    @property
    def is_utc(self) -> bool:
        """Whether these are UTC days."""
        return self.name == UTC_NAME

    def day(self, time: float) -> int:
        """Return the number of the local day that ``time`` (epoch seconds) lies in."""
        return self.moment(time).date().toordinal() - _EPOCH

    def days(self, time: Floats) -> Ints:
        """Return the number of the local day of each time (epoch seconds)."""
        if not len(time):
            return np.zeros(0, dtype=np.int64)
        first, last = self.day(float(time.min())), self.day(float(time.max()))
        starts = np.array([self.start(day) for day in range(first, last + 1)])
        return np.asarray(np.searchsorted(starts, time, side="right") - 1 + first, dtype=np.int64)

    def start(self, day: int) -> float:
        """Return when a local day begins, in epoch seconds."""
        begin = date.fromordinal(_EPOCH + day)
        return datetime(begin.year, begin.month, begin.day, tzinfo=self.zone).timestamp()

    def noon(self, time: float) -> float:
        """Return the middle of the local day that ``time`` lies in: the time of day is left out."""
        return self.start(self.day(time)) + SECONDS_PER_DAY / 2

    def moment(self, time: float) -> datetime:
        """Return ``time`` (epoch seconds) as date and time in this zone."""
        # By way of UTC: fromtimestamp with a zone refuses some times that the zone knows.
        return datetime.fromtimestamp(time, UTC).astimezone(self.zone)

    def text(self, time: float, form: str = "%Y-%m-%d %H:%M") -> str:
        """Return ``time`` (epoch seconds) as people in this zone write it."""
        return self.moment(time).strftime(form)


UTC_DAYS: Final = LocalDays.named(UTC_NAME)
