"""Lists that are due: a log's answer does not wait until the contacts in it are found."""

from dataclasses import dataclass
from typing import Final, Protocol

from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.desk.followup import FollowUp
from tracetogether.errors import NotFoundError, TraceTogetherError
from tracetogether.units import SECONDS_PER_MINUTE

_AGAIN_S: Final = 10 * SECONDS_PER_MINUTE


class DueStore(Protocol):
    """Where it is noted whose list is due. Every method happens whole, alone, or not at all."""

    def claim_due_list(self, now: float, tried_before: float) -> tuple[str, float] | None:
        """Return the id of the case that has waited longest, and when its log came.

        It is noted as tried now, so that no other process takes it too. None if no list is due
        that was not tried since ``tried_before``.
        """
        ...

    def due_list_done(self, case_id: str, came_at: float) -> None:
        """Note that a case's list was found, unless another log came after ``came_at``."""
        ...


@dataclass(frozen=True, slots=True)
class DueLists:
    """Finds the contacts in logs that came in, after the phones had their answer.

    What is due is noted with the log itself. It is found after a restart too.
    """

    casework: Casework
    follow_up: FollowUp
    store: DueStore

    def work_off(self, now: float, *, after_restart: bool = False) -> int:
        """Find all lists that are due; return how many cases had one.

        Args:
            now: epoch seconds.
            after_restart: take those too that somebody began in the last ten minutes.

        Raises:
            TraceTogetherError: one or more were not found; they stay due, the others are done.
        """
        done = 0
        fault: TraceTogetherError | None = None
        tried_before = now if after_restart else now - _AGAIN_S
        while (due := self.store.claim_due_list(now, tried_before)) is not None:
            case_id, came_at = due
            try:
                self.follow_up.log_came(self.casework.case(case_id), came_at, now)
            except NotFoundError:  # the case went meanwhile, and what is due with it
                continue
            except TraceTogetherError as error:
                fault = fault or error
                continue
            self.store.due_list_done(case_id, came_at)
            done += 1
        if fault is not None:
            raise fault
        return done
