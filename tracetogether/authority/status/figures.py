"""Public counts of restrictions and appeals, without anybody in them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.restricting import Restrictions
from tracetogether.authority.status.restriction import (
    Ground,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RESTRICTIONS, RestrictionRules


@dataclass(frozen=True, slots=True)
class RestrictionFigures:
    """Counts at the last midnight of the authority's zone; None stands for 1 to 9.

    Attributes:
        at: that midnight, in epoch seconds.
        in_force: restrictions by ground.
        without_evidence: restrictions in force without evidence.
        appeals: appeals of the last weeks by state.
        overdue: appeals that waited longer than 48 hours.
    """

    at: float
    in_force: Mapping[str, int | None]
    without_evidence: int | None
    appeals: Mapping[str, int | None]
    overdue: int | None


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """Counts for everybody. They change once a day, so that nobody sees one person come or go."""

    store: RestrictingStore
    restrictions: Restrictions
    days: LocalDays = UTC_DAYS
    rules: RestrictionRules = RESTRICTIONS

    def restriction_figures(self, now: float) -> RestrictionFigures:
        """Return the counts of the last midnight at ``now`` (epoch seconds)."""
        at = self.days.start(self.days.day(now))
        in_force = [
            restriction
            for restriction in self.store.status.not_over(at)
            if self.restrictions.state(restriction, at) is RestrictionState.IN_FORCE
        ]
        appeals = [appeal for appeal in self.store.status.appeals() if appeal.opened_at < at]
        grounds = Counter(restriction.ground for restriction in in_force)
        states = Counter(
            appeal.state
            if appeal.decided_at is not None and appeal.decided_at < at
            else AppealState.OPEN
            for appeal in appeals
        )
        return RestrictionFigures(
            at=at,
            in_force={ground.value: self._protected(grounds[ground]) for ground in Ground},
            without_evidence=self._protected(
                sum(found.evidence is RestrictionEvidence.NONE for found in in_force)
            ),
            appeals={state.value: self._protected(states[state]) for state in AppealState},
            overdue=self._protected(
                sum(
                    at > appeal.opened_at + self.rules.appeal_s
                    and (appeal.decided_at is None or appeal.decided_at >= at)
                    for appeal in appeals
                )
            ),
        )

    def _protected(self, count: int) -> int | None:
        """Return a count, or None for one so small that it may tell about somebody."""
        return None if 0 < count < self.rules.small else count
