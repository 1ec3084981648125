"""Which packages of warnings a phone asks for: it depends on the clock and on the last time only.

Where the owner was has no part in it, so that the requests say nothing of that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracetogether.errors import UnreadableMessageError
from tracetogether.parameters import VISITS
from tracetogether.presence.packages import WarningPackage, hour_of
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class AskedWarnings:
    """The packages that a phone got.

    Attributes:
        packages: all of them, in any order.
        hour: number of the last hour that they cover.
        since: number of the first hour that they cover without a gap.
    """

    packages: tuple[WarningPackage, ...]
    hour: int
    since: int

    @property
    def whole(self) -> WarningPackage:
        """All of them as one package."""
        return WarningPackage(
            hour=self.hour,
            hours=self.hour - self.since + 1,
            visits=tuple(visit for package in self.packages for visit in package.visits),
            heard=tuple(digest for package in self.packages for digest in package.heard),
        )


def ask_for_warnings(
    fetch: Callable[[int], Sequence[WarningPackage]],
    asked_hour: int | None,
    now: float,
    days: int = 0,
) -> AskedWarnings:
    """Fetch the newest bundle, and those before it that were not asked for yet.

    The hour that was asked for last is asked for again: its package may have come a minute later.

    Args:
        fetch: takes the number of an hour and returns the packages of the 36 hours that end with
            it.
        asked_hour: the last hour that was asked for; None takes the newest bundle alone.
        now: epoch seconds.
        days: go back this many days, whatever was asked for; 0 goes back to the last time.

    Raises:
        UnreadableMessageError: a package is of another hour than was asked for.
    """
    newest = hour_of(now) - 1  # the present hour is not over
    oldest = newest + 1 - VISITS.published_days * SECONDS_PER_DAY // SECONDS_PER_HOUR
    if days:
        wanted = newest + 1 - days * SECONDS_PER_DAY // SECONDS_PER_HOUR
    else:
        wanted = newest if asked_hour is None else min(asked_hour, newest)
    wanted = max(wanted, oldest)
    packages: list[WarningPackage] = []
    hour = newest
    while hour == newest or hour >= wanted:
        found = fetch(hour)
        first = hour - VISITS.bundle_hours + 1
        if any(package.since < first or package.hour > hour for package in found):
            raise UnreadableMessageError(
                "a package of another hour than was asked for", "package-hour"
            )
        packages.extend(found)
        hour = first - 1
    return AskedWarnings(tuple(packages), newest, hour + 1)
