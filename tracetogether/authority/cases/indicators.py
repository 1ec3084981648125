"""WHO's indicators of contact tracing, and the counts on the dashboard."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ContactState, Priority


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share with numerator and denominator."""

    numerator: int
    denominator: int

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None of nothing."""
        return self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True, slots=True)
class Indicators:
    """WHO's indicators over everything that is kept (at most 25 days).

    Casual contacts and merged ones are in none of them; merged cases are in none.

    Attributes:
        traced_within_a_day: contacts reached within 24 h of the log that named them, of those
            found at least 24 h ago or reached.
        followed_all_days: contacts reached on every day to the last, of those whose follow-up
            ended completed or lost.
        new_cases_known: cases whose person was a known contact when the case was opened, of all.
        started_within_a_day: cases whose first contact was called within 24 h of their opening,
            of those opened at least 24 h ago or called.
        lost: contacts lost, of all that were to be traced.
    """

    traced_within_a_day: Ratio
    followed_all_days: Ratio
    new_cases_known: Ratio
    started_within_a_day: Ratio
    lost: Ratio


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What happened on one day: cases opened, contacts found, contacts first reached."""

    day: int
    cases: int = 0
    contacts: int = 0
    reached: int = 0


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything that the first page shows, counted in the store.

    Attributes:
        cases: by state, every state present.
        contacts: by state, every state present.
        priorities: contacts that somebody is to call, by priority.
        due_today, done_today: people to be called today; called today already. A person who is
            due for several cases counts once.
        uploads: logs that are kept.
        active_users: users whose phones fetched TempIDs today (UTC), and yesterday.
        days: the last 14 days, the oldest first.
        indicators: see there.
    """

    cases: Mapping[CaseState, int]
    contacts: Mapping[ContactState, int]
    priorities: Mapping[Priority, int]
    due_today: int
    done_today: int
    uploads: int
    users: int
    active_users: tuple[int, int]
    days: tuple[DayCounts, ...]
    indicators: Indicators
