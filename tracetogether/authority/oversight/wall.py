"""The wall: figures of today for a screen. They name nobody, and cost little however many rows."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Final, Self

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.open_data.publishing import PHONES
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import StoreError
from tracetogether.local_days import LocalDays
from tracetogether.parameters import RESTRICTIONS
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE

NEWEST_CASES: Final = 250  # whose delays are shown
NEWEST_DAYS: Final = 14
PEOPLE_AT_ONCE: Final = 500
"""How many people the wall counts again itself after their lines changed; upkeep does the rest."""
LISTS_GIVEN: Final = "lists-given"
"""Under which name it is counted how often gates fetched the list of revoked passes."""
LIST_AGES: Final = (15 * SECONDS_PER_MINUTE, SECONDS_PER_HOUR, SECONDS_PER_DAY)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long something takes, over the newest cases where it happened.

    Attributes:
        cases: how many these are.
        median_s, most_s: half of them, and 90 %, took at most so long; None without cases.
    """

    cases: int
    median_s: float | None
    most_s: float | None

    @classmethod
    def of(cls, spans: Sequence[float]) -> Self:
        """Return the delay of some spans in seconds."""
        ordered = sorted(max(0.0, span) for span in spans)

        def at(share: float) -> float | None:
            return ordered[ceil(share * len(ordered)) - 1] if ordered else None

        return cls(len(ordered), at(0.5), at(0.9))


@dataclass(frozen=True, slots=True)
class Counted:
    """What the store counts for the wall.

    Attributes:
        cases_today: cases opened since midnight; those that hold records of partners are left out.
        times: of the newest cases: day of the test (number), arrival of the first log, first call
            (epoch seconds, or None).
        due, done, overdue: people to be called today; called today; to be called, and not called
            since before yesterday. A person near several cases counts once.
        lost: people who could not be reached, and whom nobody calls any more.
        places: places whose visitors were warned in the last 14 days: by posters once for each day
            on which cases reported the place, registered ones once for each warning.
        in_force: people restricted now, by ground.
        without_evidence: those of them without evidence.
        appeals, appeals_overdue: open ones; those that wait for more than 48 hours.
        lists_waiting: cases whose contact list is still to be computed.
    """

    cases_today: int
    times: Sequence[tuple[int, float | None, float | None]]
    due: int
    done: int
    overdue: int
    lost: int
    places: int
    in_force: Mapping[str, int]
    without_evidence: int
    appeals: int
    appeals_overdue: int
    lists_waiting: int


@dataclass(frozen=True, slots=True)
class WallFigures:
    """Everything that the wall shows.

    Attributes:
        counted: what the store counts.
        test_to_log: from the beginning of the day of the test to the log, in seconds.
        log_to_call: from the log to the first call.
        phones: phones that fetched TempIDs today and yesterday, as of the last full hour; None if
            nobody counted.
        lists_given: how often gates fetched the list of revoked passes, by ``LIST_AGES``.
        last_purge: epoch seconds; None if there was none.
        purge_overdue: whether two hourly purges were missed.
    """

    counted: Counted
    test_to_log: Delay
    log_to_call: Delay
    phones: tuple[int | None, int | None]
    lists_given: tuple[int, ...]
    last_purge: float | None
    purge_overdue: bool


@dataclass(frozen=True, slots=True)
class Wall:
    """Computes the wall."""

    store: AuthorityStore
    purge: Purge
    days: LocalDays

    def figures(self, now: float, *, by: Caller) -> WallFigures:
        """Return the figures at ``now`` (epoch seconds)."""
        by.require(Action.SHOW_WALL)
        with suppress(StoreError):  # it is full, or somebody writes: the next minute counts them
            self.store.count_changed_people(PEOPLE_AT_ONCE, wait=False)
        counted = self.store.count_for_wall(now, self.days, RESTRICTIONS.appeal_s)
        today = self.days.day(now)
        daily = [self.store.open_data.daily(day).get(PHONES) for day in (today, today - 1)]
        logs = [(day, log, call) for day, log, call in counted.times if log is not None]
        return WallFigures(
            counted=counted,
            test_to_log=Delay.of([log - self.days.start(day) for day, log, _ in logs]),
            log_to_call=Delay.of([call - log for _, log, call in logs if call is not None]),
            phones=(daily[0], daily[1]),
            lists_given=self.store.counts_since(LISTS_GIVEN, [now - age for age in LIST_AGES]),
            last_purge=self.purge.last(),
            purge_overdue=self.purge.overdue(now),
        )
