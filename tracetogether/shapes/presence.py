"""Shapes of visits and trips of cases, and of the index of warnings."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from tracetogether.authority.presence.reported import VisitRefusal, WarningState
from tracetogether.parameters import VISIT_REPORTS
from tracetogether.presence.trips import MOST_ROW
from tracetogether.shapes.bodies import AnswerBody, DayText, RequestBody, path

_MOST = VISIT_REPORTS.most_sent
_LATEST = 2.0**33  # the year 2242
_Time = Annotated[float, Field(ge=0, le=_LATEST, strict=False, description="Epoch seconds.")]
_Reason = Annotated[
    str,
    Field(
        max_length=800,
        description="1 to 200 characters, kept in the audit log. Don't put names in it.",
    ),
]


class VisitSent(RequestBody):
    """A visit that the person chose to report."""

    poster: Annotated[
        str,
        Field(
            max_length=4_296,
            repr=False,
            description="The text of the poster's code.",
            examples=["tracetogether:visit?v=1#CAESCQ"],
        ),
    ]
    start: _Time
    end: _Time


class TripSent(RequestBody):
    """A trip that the person chose to report, without a seat."""

    service: Annotated[str, Field(max_length=40, repr=False, examples=["G1234"])]
    date: Annotated[str, Field(max_length=40, examples=["2020-01-25"])]
    car: Annotated[str, Field(max_length=40, repr=False, examples=["5"])] = ""
    carrier: Annotated[
        str,
        Field(max_length=40, repr=False, description="Left out, it follows from the service."),
    ] = ""


class VisitsSent(RequestBody):
    """Visits and trips of a case; blanks after the JSON can hide how many there are."""

    visits: Annotated[list[VisitSent], Field(max_length=_MOST, repr=False, default_factory=list)]
    trips: Annotated[list[TripSent], Field(max_length=_MOST, repr=False, default_factory=list)]


class ReportRefused(AnswerBody):
    """A visit or trip that is not believed."""

    place: Annotated[int, Field(description="Its place in the list that was sent, from 0.")]
    why: VisitRefusal


def _lines(refused: object) -> object:
    if not isinstance(refused, Mapping):
        return refused
    return [{"place": place, "why": why} for place, why in refused.items()]


_Refused = Annotated[list[ReportRefused], BeforeValidator(_lines)]


class VisitsTaken(AnswerBody):
    """What became of the visits and trips."""

    visits: Annotated[int, Field(description="Visits that were kept.")]
    trips: Annotated[int, Field(description="Trips that were kept.")]
    refused_visits: _Refused
    refused_trips: _Refused


class WarningHour(AnswerBody):
    """A package in the index."""

    hour: Annotated[
        int,
        Field(validation_alias="number", description="UTC hour: epoch seconds divided by 3,600."),
    ]
    bytes: Annotated[int, Field(validation_alias="length")]


class WarningIndex(AnswerBody):
    """The packages of the last 14 days, the oldest first; hours without warnings have none."""

    hours: list[WarningHour]


class VisitLine(AnswerBody):
    """A visit that a case reported. The texts are those of the poster: a stranger's."""

    visit_id: Annotated[str, path("kept.visit_id", examples=["MZXW6YTBOI"])]
    case_id: str
    state: Annotated[WarningState, path("kept.state")]
    description: Annotated[str | None, path("visit.description")] = None
    address: Annotated[str | None, path("visit.address")] = None
    start: Annotated[float | None, path("visit.start")] = None
    end: Annotated[float | None, path("visit.end")] = None
    decided_by: Annotated[str, path("kept.decided_by")]
    reason: Annotated[str, path("kept.reason")]
    hour: Annotated[int | None, path("kept.hour", description="The package that has it.")]


class TripLine(AnswerBody):
    """A trip that a case reported."""

    trip_id: Annotated[str, path("kept.trip_id", examples=["MZXW6YTBOI"])]
    case_id: str
    state: Annotated[WarningState, path("kept.state")]
    date: Annotated[DayText, path("kept.trip_day")]
    carrier: Annotated[str | None, path("trip.carrier")] = None
    service: Annotated[str | None, path("trip.service")] = None
    car: Annotated[str | None, path("trip.car")] = None
    aboard: Annotated[int | None, path("kept.aboard")]
    first_row: Annotated[int, Field(description="Of the rows that are published; 0: none are.")]
    last_row: int
    decided_by: Annotated[str, path("kept.decided_by")]
    reason: Annotated[str, path("kept.reason")]


class ReportLines(AnswerBody):
    """Visits and trips; those whose keys are destroyed have no place or service."""

    visits: list[VisitLine]
    trips: list[TripLine]


class WarningDecision(RequestBody):
    """Why a warning is let out, or kept back."""

    reason: _Reason


class TripConfirmation(RequestBody):
    """How many were aboard, and in which row the case sat; with fewer than 20 it isn't published.

    `row` and `rows` come together, or not at all.
    """

    aboard: Annotated[int, Field(ge=0, le=2**31 - 1, examples=[80])]
    row: Annotated[
        int | None,
        Field(ge=1, le=MOST_ROW, description="The case's; it is not kept.", repr=False),
    ] = None
    rows: Annotated[
        int | None,
        Field(ge=1, le=MOST_ROW, description="How many the car or the aircraft has."),
    ] = None
    reason: _Reason
