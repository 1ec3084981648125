"""Public numbers of restricted people and of appeals, without anybody in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tracetogether.authority.status.appeal import Appeal, AppealState
from tracetogether.authority.status.restricting import Restrictions
from tracetogether.authority.status.restriction import (
    Ground,
    Restriction,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RESTRICTIONS, RestrictionRules


@dataclass(frozen=True, slots=True)
class RestrictionFigures:
    """Numbers of people at the last midnight of the authority's zone, cut to full tens.

    10 stands for 10 to 19, and None for 0 to 9: an exact number shows one person to somebody who
    knows about all the others.

    Attributes:
        at: that midnight, in epoch seconds.
        in_force: people restricted, by ground.
        without_evidence: people with a restriction in force without evidence.
        appeals: people who appealed in the last weeks, by state of the appeal.
        overdue: people whose appeal waited longer than 48 hours.
    """

    at: float
    in_force: Mapping[str, int | None]
    without_evidence: int | None
    appeals: Mapping[str, int | None]
    overdue: int | None


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """Counts for everybody. They change once a day, and in steps of ten people."""

    store: RestrictingStore
    restrictions: Restrictions
    days: LocalDays = UTC_DAYS
    rules: RestrictionRules = RESTRICTIONS

    def restriction_figures(self, now: float) -> RestrictionFigures:
        """Return the numbers of the last midnight at ``now`` (epoch seconds).

        What happened since that midnight changes nothing, decisions on appeals included.
        """
        at = self.days.start(self.days.day(now))
        appeals = [appeal for appeal in self.store.status.appeals() if appeal.opened_at < at]
        overdue = {
            appeal.restriction_id
            for appeal in appeals
            if at > appeal.opened_at + self.rules.appeal_s and _open_at(appeal, at)
        }
        in_force = [
            restriction
            for restriction in self.store.status.not_over(at)
            if restriction.restriction_id not in overdue
            and self.restrictions.state(replace(restriction, suspends_at=None), at)
            is RestrictionState.IN_FORCE
        ]
        states: dict[AppealState, set[str]] = {state: set() for state in AppealState}
        for appeal in appeals:
            state = AppealState.OPEN if _open_at(appeal, at) else appeal.state
            states[state].add(appeal.restriction_id)
        return RestrictionFigures(
            at=at,
            in_force={
                ground.value: self._people(found for found in in_force if found.ground is ground)
                for ground in Ground
            },
            without_evidence=self._people(
                found for found in in_force if found.evidence is RestrictionEvidence.NONE
            ),
            appeals={state.value: self._appealed(ids) for state, ids in states.items()},
            overdue=self._appealed(overdue),
        )

    def _appealed(self, restriction_ids: Iterable[str]) -> int | None:
        found = map(self.store.status.restriction, restriction_ids)
        return self._people(restriction for restriction in found if restriction is not None)

    def _people(self, found: Iterable[Restriction]) -> int | None:
        """Return how many people these are, cut to full tens; None for 0 to 9."""
        people = len({restriction.user_id for restriction in found})
        return people - people % self.rules.small or None


def _open_at(appeal: Appeal, at: float) -> bool:
    return appeal.decided_at is None or appeal.decided_at >= at
