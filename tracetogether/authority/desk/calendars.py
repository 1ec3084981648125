"""A contact's state, computed from the outcomes of the days in its calendar."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tracetogether.authority.cases.followed import (
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    Priority,
)
from tracetogether.errors import ConflictError
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters

_ENDED: Final = frozenset(
    {ContactState.LOST, ContactState.COMPLETED, ContactState.BECAME_CASE, ContactState.MERGED}
)


def check_open(kept: KeptContact) -> None:
    """Return if a contact can still be changed.

    Raises:
        ConflictError: it became a case, or was merged.
    """
    if kept.state in {ContactState.BECAME_CASE, ContactState.MERGED}:
        if kept.state is ContactState.MERGED:
            msg = "the contact was merged into another: change that one"
            raise ConflictError(msg, "contact-merged")
        msg = "the contact became a case: it can't be changed any more"
        raise ConflictError(msg, "contact-became-case")


def after_calls(
    kept: KeptContact,
    outcomes: Sequence[DayOutcome],
    now: float,
    parameters: FollowUpParameters = FOLLOW_UP,
) -> KeptContact:
    """Return a contact with the state that follows from ``outcomes``, in the order of days."""
    reached = {call.day for call in outcomes if call.outcome is not Outcome.NOT_REACHED}
    missed = 0
    for call in outcomes:
        missed = missed + 1 if call.outcome is Outcome.NOT_REACHED else 0
    symptoms = any(call.outcome is Outcome.SYMPTOMS for call in outcomes)
    traced_at = kept.traced_at
    if traced_at is None and reached:
        traced_at = now
    if kept.until_day in reached:
        state = ContactState.COMPLETED
    elif missed >= parameters.lost_after_days:
        state = ContactState.LOST
    elif traced_at is not None:
        state = ContactState.IN_FOLLOW_UP if reached else ContactState.REACHED
    else:
        state = ContactState.TO_TRACE
    ended = state in _ENDED
    others = tuple(reason for reason in kept.reasons if reason != "symptoms")
    return replace(
        kept,
        state=state,
        traced_at=traced_at,
        last_day=outcomes[-1].day,
        missed=missed,
        symptoms=symptoms,
        followed_all=bool(reached) and set(range(min(reached), kept.until_day + 1)) <= reached,
        priority=Priority.HIGH if symptoms else kept.priority,
        reasons=(*others, "symptoms") if symptoms else others,
        ended_at=(kept.ended_at or now) if ended else None,
    )
