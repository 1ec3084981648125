"""Shapes of calling: shifts, people to call, the sheet of one call, and what it found."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tracetogether.shapes.bodies import AnswerBody, DayText, RequestBody, Version, path
from tracetogether.shapes.cases import NoteLine
from tracetogether.shapes.follow_up import (
    CalendarDay,
    CallOutcome,
    FollowedLine,
    PersonLine,
    SpokenLanguage,
)

CallAt = Annotated[
    float | None,
    Field(
        ge=0,
        le=2**33,
        description="When to call again, epoch seconds; needed after `call_back`. Left out: any "
        "time of the next day.",
    ),
]


def _value(reason: Any) -> Any:  # noqa: ANN401 - an Enum or a text
    return getattr(reason, "value", reason)


class NewShift(RequestBody):
    """Why the caller sees names in this shift; the audit log gets it with each reveal."""

    reason: Literal["daily_calls", "first_calls", "ringing_back", "corrections"]


class ShiftLine(AnswerBody):
    """A shift that has begun."""

    reason: Annotated[str, BeforeValidator(_value)]
    begun_at: Annotated[float, Field(description="Epoch seconds.")]
    until: float


class Skip(RequestBody):
    """Take the next person, but not this one."""

    skip: Annotated[str, Field(max_length=16, description="Id of a contact of the person.")] = ""


class PersonToCallLine(AnswerBody):
    """One person to call, with a line for each case that you need to know."""

    contact_id: Annotated[str, Field(description="Calls name the person by it.")]
    pseudonym: str
    priority: Annotated[str, path("priority.word", examples=["high"])]
    reasons: Annotated[list[str], Field(description="Of all lines, as codes.")]
    probability: Annotated[float, Field(description="The largest of all lines.")]
    until: Annotated[DayText, path("until_day", description="The latest of all lines.")]
    missed: int
    call_at: Annotated[float | None, Field(description="An agreed time, epoch seconds.")]
    elsewhere: Annotated[int, Field(description="Lines of cases that you need not know.")]
    reserved_by: Annotated[str, Field(description="Who calls the person now.")]
    version: int
    lines: list[FollowedLine]


class PeoplePageShape(AnswerBody):
    """A page of people, the most urgent first."""

    people: list[PersonToCallLine]
    total: int
    offset: int
    time_zone: Annotated[
        str, Field(description="All dates are days of this time zone.", examples=["Asia/Singapore"])
    ] = ""


class WhoRings(RequestBody):
    """What the person says who rings back."""

    text: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            repr=False,
            description="A telephone number (the last eight digits count), a whole name, a "
            "pseudonym or a user id.",
        ),
    ]


class FoundCaseLine(AnswerBody):
    """A case whose own person fits a search."""

    case_id: Annotated[str, path("case.case_id")]
    pseudonym: str
    state: Annotated[str, path("case.state.value", examples=["open"])]
    assigned_to: Annotated[
        str, path("case.assigned_to", description="Empty: nobody; a supervisor can assign it.")
    ]


class FoundPeopleShape(AnswerBody):
    """Who fits a search; names and numbers are not shown."""

    people: list[PersonToCallLine]
    cases: Annotated[
        list[FoundCaseLine], Field(description="Cases whose own person fits, the newest first.")
    ]
    with_colleagues: Annotated[
        bool, Field(description="Somebody of or near cases of colleagues fits; no more is said.")
    ]
    more: Annotated[bool, Field(description="Too many people fit to show all.")]


class DraftShape(RequestBody):
    """What was typed and not saved yet, as texts; stored encrypted, for the caller only."""

    outcome: Annotated[str, Field(max_length=40)] = ""
    note: Annotated[str, Field(max_length=16_384, repr=False)] = ""
    next_day: Annotated[str, Field(max_length=40)] = ""
    next_time: Annotated[str, Field(max_length=40)] = ""
    name: Annotated[str, Field(max_length=200, repr=False)] = ""
    phone: Annotated[str, Field(max_length=200, repr=False)] = ""
    language: Annotated[str, Field(max_length=20)] = ""


class DraftLine(AnswerBody):
    """A draft as it comes back."""

    outcome: str
    note: Annotated[str, Field(repr=False)]
    next_day: str
    next_time: str
    name: Annotated[str, Field(repr=False)]
    phone: Annotated[str, Field(repr=False)]
    language: str


class CallSheetShape(AnswerBody):
    """The person whom you have taken, with all that the call needs."""

    line: PersonToCallLine
    person: PersonLine
    calls: list[CalendarDay]
    notes: list[NoteLine]
    draft: DraftLine
    reserved_until: Annotated[float, Field(description="Epoch seconds; later others may call.")]
    outside_hours: Annotated[bool, Field(description="Nobody is to be called at this hour.")]


class MaybeCall(AnswerBody):
    """The sheet of your call; null if nobody is left, or you have taken nobody."""

    call: CallSheetShape | None
    ready: Annotated[
        int, Field(description="How many people `next` can give now, the one of this call too.")
    ]
    more: Annotated[bool, Field(description="More may be due: the count ends at 500.")]
    time_zone: Annotated[
        str, Field(description="All dates are days of this time zone.", examples=["Asia/Singapore"])
    ] = ""


class SavedCall(RequestBody):
    """What a call found; it holds for all cases of the person."""

    outcome: CallOutcome
    note: Annotated[str, Field(max_length=16_384, repr=False)] = ""
    call_at: CallAt = None
    name: Annotated[str, Field(max_length=200, repr=False, description="A blank keeps it.")] = ""
    phone: Annotated[str, Field(max_length=200, repr=False, description="A blank keeps it.")] = ""
    language: SpokenLanguage = ""
    version: Version = None


class NameAndNumber(RequestBody):
    """Name, telephone number and language of a person, for all cases; stored encrypted."""

    name: Annotated[str, Field(max_length=200, repr=False)] = ""
    phone: Annotated[str, Field(max_length=200, repr=False)] = ""
    language: SpokenLanguage = ""
    version: Version = None
