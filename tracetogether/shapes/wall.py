"""Shapes of the wall and of the bulletin."""

from typing import Annotated

from pydantic import Field

from tracetogether.shapes.bodies import AnswerBody, RequestBody, path

_Span = Annotated[float | None, Field(description="Seconds; null without a case.")]


class DelayShape(AnswerBody):
    """How long something takes, over the newest cases where it happened."""

    cases: int
    median_s: _Span
    most_s: Annotated[float | None, Field(description="90 % of the cases took at most so long.")]


class WallShape(AnswerBody):
    """The figures of today; nobody and no case is in them."""

    cases_today: Annotated[int, path("counted.cases_today")]
    test_to_log: DelayShape
    log_to_call: DelayShape
    due: Annotated[int, path("counted.due", description="People to be called today.")]
    done: Annotated[int, path("counted.done", description="People called today.")]
    overdue: Annotated[
        int, path("counted.overdue", description="Due, and not called since before yesterday.")
    ]
    lost: Annotated[int, path("counted.lost", description="People whom nobody could reach.")]
    places_warned: Annotated[int, path("counted.places", description="In the last 14 days.")]
    in_force: Annotated[
        dict[str, int], path("counted.in_force", description="People restricted, by ground.")
    ]
    without_evidence: Annotated[int, path("counted.without_evidence")]
    appeals: Annotated[int, path("counted.appeals", description="Open ones.")]
    appeals_overdue: Annotated[int, path("counted.appeals_overdue")]
    phones: Annotated[
        tuple[int | None, int | None],
        Field(description="That fetched TempIDs today and yesterday; counted hourly."),
    ]
    lists_given: Annotated[
        list[int],
        Field(description="Fetches of revocations: last quarter of an hour, hour, day."),
    ]
    lists_waiting: Annotated[int, path("counted.lists_waiting")]
    last_purge: Annotated[float | None, Field(description="Epoch seconds.")]
    purge_overdue: bool


class NewBulletin(RequestBody):
    """A line for the top of all pages."""

    text: Annotated[str, Field(max_length=200, examples=["Ward 3 is full: call Ward 5."])]
    until: Annotated[float, Field(ge=0, le=2.0**33, strict=False, description="Epoch seconds.")]


class BulletinShape(AnswerBody):
    """The line on top of all pages."""

    text: str
    until: Annotated[float, Field(description="When it ends, epoch seconds.")]
    by: str
    at: Annotated[float, Field(description="When it was written, epoch seconds.")]


class Board(AnswerBody):
    """What is on top of all pages."""

    bulletin: BulletinShape | None
