"""A contact's state, computed from the outcomes of the days in its calendar."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tracetogether.authority.cases.followed import (
    ENDING,
    MISSING,
    REACHING,
    TRY_AGAIN,
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    Priority,
)
from tracetogether.authority.desk.hours import CallingHours
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.local_days import LocalDays
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters

_ENDED: Final = frozenset(
    {
        ContactState.LOST,
        ContactState.ENDED,
        ContactState.COMPLETED,
        ContactState.BECAME_CASE,
        ContactState.MERGED,
    }
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


def check_next_call(
    outcome: Outcome,
    call_at: float | None,
    now: float,
    *,
    until_day: int,
    days: LocalDays,
    hours: CallingHours | None,
) -> None:
    """Return if the time of the next call fits the outcome of this one.

    Args:
        outcome: of this call.
        call_at: when to call again, epoch seconds; None for any time of the next day.
        now: epoch seconds.
        until_day: the last day of the follow-up: later than that nobody is called.
        days: the authority's time zone.
        hours: in which people are called; None for any.

    Raises:
        InvalidRequestError: it is missing, past, outside of the calling hours, or later than the
            follow-up.
    """
    if call_at is None:
        if outcome is Outcome.CALL_BACK:
            msg = "say when to call back: a day and a time"
            raise InvalidRequestError(msg, "call-back-when")
    elif call_at <= now:
        msg = "the time of the next call is past: give a later one"
        raise InvalidRequestError(msg, "next-call-past")
    elif outcome in ENDING:
        msg = "there is no next call after this outcome: leave its time out"
        raise InvalidRequestError(msg, "no-next-call")
    elif call_at >= days.start(until_day + 1):
        msg = "the next call would be after the last day of the follow-up: give an earlier time"
        raise InvalidRequestError(msg, "next-call-late")
    elif hours is not None and not hours.contain(call_at, days):
        msg = "people are called from {begin} to {end}: give a time of these hours"
        raise InvalidRequestError(
            msg, "next-call-hours", begin=hours.begin_text, end=hours.end_text
        )


def after_calls(
    kept: KeptContact,
    outcomes: Sequence[DayOutcome],
    now: float,
    parameters: FollowUpParameters = FOLLOW_UP,
    *,
    again_on: int | None = None,
) -> KeptContact:
    """Return a contact with the state that follows from ``outcomes``, in the order of days.

    Args:
        kept: the contact.
        outcomes: of all its days so far, one or more.
        now: epoch seconds.
        parameters: of the follow-up.
        again_on: day of the next call, if one was agreed on. A person who wasn't reached and is to
            be called again on the same day stays due on that day, and has not missed it.
    """
    reached = {call.day for call in outcomes if call.outcome in REACHING}
    last = outcomes[-1]
    again = again_on is not None and again_on <= last.day and last.outcome in TRY_AGAIN
    missed = 0
    for call in outcomes[:-1] if again else outcomes:
        missed = missed + 1 if call.outcome in MISSING else 0
    symptoms = any(call.outcome is Outcome.SYMPTOMS for call in outcomes)
    traced_at = kept.traced_at
    if traced_at is None and reached:
        traced_at = now
    if last.outcome in ENDING:
        state = ContactState.ENDED
    elif kept.until_day in reached:
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
        last_day=last.day - 1 if again else last.day,
        missed=missed,
        symptoms=symptoms,
        followed_all=bool(reached) and set(range(min(reached), kept.until_day + 1)) <= reached,
        priority=Priority.HIGH if symptoms else kept.priority,
        reasons=(*others, "symptoms") if symptoms else others,
        ended_at=(kept.ended_at or now) if ended else None,
    )
