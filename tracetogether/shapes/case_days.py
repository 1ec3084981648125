"""Shapes of the fourteen days of a case."""

from typing import Annotated

from pydantic import Field

from tracetogether.shapes.bodies import AnswerBody, path
from tracetogether.shapes.places import StayLine
from tracetogether.shapes.presence import TripLine, VisitLine


class CompanyLine(AnswerBody):
    """An hour in which the phone heard people."""

    begin: Annotated[float, Field(description="Epoch seconds.")]
    people: Annotated[int, Field(description="Different people.")]


class CaseDayLine(AnswerBody):
    """One day of the authority's zone; what reaches over midnight is on both days."""

    date: Annotated[str, Field(examples=["2020-05-04"])]
    people: Annotated[int, Field(description="Different people that the phone heard.")]
    company: list[CompanyLine]
    visits: list[VisitLine]
    stays: list[StayLine]
    trips: list[TripLine]


class CaseDaysShape(AnswerBody):
    """The case's date and the 14 days before it, the first one first."""

    case_id: Annotated[str, path("case.case_id")]
    days: list[CaseDayLine]
