"""The end of a case: it ends the restrictions that rest on it, for good."""

from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.status.restriction import Ending, Ground, Restriction
from tracetogether.authority.status.store import RestrictingStore


@dataclass(frozen=True, slots=True)
class CaseEndings:
    """Ends restrictions with their case: one person who opens it again brings none back.

    Args:
        store: keeps them.
        audit: the log.
    """

    store: RestrictingStore
    audit: Audit

    def closed(self, case_id: str, now: float, by: str) -> None:
        """End the restrictions that rest on a case, in the caller's transaction."""
        self.store.status.lock()
        for restriction in self.store.status.restrictions_by(case_id):
            self._end(restriction, now, by)

    def deleted(self, now: float) -> None:
        """End the restrictions whose case was deleted: nobody could close it any more."""
        self.store.status.lock()
        for restriction in self.store.status.not_over(now):
            if self.store.case(restriction.reference) is None:
                self._end(restriction, now, "clock")

    def _end(self, restriction: Restriction, now: float, by: str) -> None:
        over = restriction.ended_at is not None or now >= restriction.until
        if restriction.ground is not Ground.CASE or over:
            return
        ended = replace(restriction, ended_at=now, ended_by=by, ending=Ending.CASE_CLOSED)
        self.store.status.change_restriction(ended)
        self.audit.record(
            "restriction.lifted",
            now,
            by=by,
            subject=ended.restriction_id,
            ground=ended.ground.value,
            reference=ended.reference,
            evidence="case-closed",
        )
