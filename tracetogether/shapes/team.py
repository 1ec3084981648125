"""Shapes of a team's day, of cases that change hands, and of codes reset."""

from typing import Annotated, Literal, Self

from pydantic import Field

from tracetogether.authority.desk.hours import CallingHours
from tracetogether.authority.desk.team import TeamDay
from tracetogether.shapes.bodies import AnswerBody, RequestBody, Version, path

CaseId = Annotated[str, Field(max_length=16)]


class TracerDayLine(AnswerBody):
    """One tracer's day."""

    name: Annotated[str, Field(description='"" for the cases that are assigned to nobody.')]
    cases: Annotated[int, Field(description="Open cases.")]
    due: Annotated[int, Field(description="People to call today.")]
    overdue: Annotated[int, Field(description="Of them, not called since before yesterday.")]
    done: Annotated[int, Field(description="People whom this operator called today.")]
    reserved: Annotated[int, Field(description="People whom this operator calls now.")]
    shift_since: Annotated[float | None, Field(description="Epoch seconds; null without one.")]
    shift_until: Annotated[
        float | None, Field(description="When it ends, unless somebody ends it earlier.")
    ]


class TeamDayShape(AnswerBody):
    """A team's day; somebody who is near cases of two tracers is due for both."""

    tracers: list[TracerDayLine]
    due: Annotated[int, Field(description="People who are due in all, each once.")]
    date: Annotated[str, Field(description="Today, in the authority's time zone.")]
    time_zone: Annotated[str, Field(examples=["Asia/Singapore"])]

    @classmethod
    def of(cls, shown: TeamDay, date: str = "", time_zone: str = "") -> Self:
        """Return a team's day, with the date and the time zone that it is counted in."""
        rows = [TracerDayLine.of(row) for row in shown.tracers]
        return cls(tracers=rows, due=shown.due, date=date, time_zone=time_zone)


Clock = Annotated[
    str | None, Field(max_length=5, examples=["09:00"], description="Null for any hour.")
]


class NewCallingHours(RequestBody):
    """From when until when people are called; both null for any hour."""

    begin: Clock = None
    end: Clock = None


class CallingHoursShape(AnswerBody):
    """From when until when people are called on each day of the authority's time zone."""

    begin: Clock
    end: Clock
    time_zone: Annotated[str, Field(examples=["Asia/Singapore"])]

    @classmethod
    def of(cls, shown: CallingHours | None, time_zone: str = "") -> Self:
        """Return calling hours, with the time zone that they are in."""
        begin = None if shown is None else shown.begin_text
        end = None if shown is None else shown.end_text
        return cls(begin=begin, end=end, time_zone=time_zone)


class HandedCase(RequestBody):
    """One case that changes hands."""

    case_id: CaseId
    version: Version = None


class HandOver(RequestBody):
    """Cases, and who gets them: all go to one, or they are spread evenly over several."""

    cases: Annotated[list[HandedCase], Field(min_length=1, max_length=200)]
    operators: Annotated[
        list[Annotated[str, Field(max_length=32)]],
        Field(min_length=1, max_length=100, examples=[["ravi"]], description='"-" for nobody.'),
    ]


class CasesHandedOver(AnswerBody):
    """Who has which case now, of those that changed hands."""

    assigned: dict[str, str]


class NewRoles(RequestBody):
    """All roles that an operator has from now on."""

    roles: Annotated[list[str], Field(min_length=1, max_length=10, examples=[["tracer"]])]
    had: Annotated[
        list[str] | None,
        Field(max_length=10, description="The roles as you saw them; 409 if they have changed."),
    ] = None


class WhatToReset(RequestBody):
    """What an operator has lost."""

    what: Annotated[
        Literal["codes", "password"],
        Field(description="After `codes` the password stays; `password` resets both."),
    ] = "codes"


class CodeResetLine(AnswerBody):
    """A request to reset an operator's codes or password, which waits for a second person."""

    name: str
    asked_by: str
    asked_at: Annotated[float, Field(description="Epoch seconds.")]
    what: Annotated[str, path("what.value", examples=["codes"])]


class ResetDone(AnswerBody):
    """What was confirmed has been done."""

    done: bool
    password: Annotated[
        str | None,
        Field(repr=False, description="Works once; shown this once; null if the password stays."),
    ]


class CodeResetList(AnswerBody):
    """All requests that can be confirmed."""

    resets: list[CodeResetLine]
