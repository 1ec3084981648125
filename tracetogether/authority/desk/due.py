"""Lists that are due: a log's answer does not wait until the contacts in it are found."""

from dataclasses import dataclass
from typing import Final

from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.desk.followup import FollowUp
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.errors import NotFoundError, TraceTogetherError
from tracetogether.units import SECONDS_PER_MINUTE

_AGAIN_S: Final = 10 * SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class DueLists:
    """Finds the contacts in logs that came in, after the phones had their answer.

    What is due is noted with the log itself. It is found after a restart too.
    """

    casework: Casework
    follow_up: FollowUp
    store: IntakeStore

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
                self.follow_up.log_came(self.casework.kept(case_id), came_at, now)
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
