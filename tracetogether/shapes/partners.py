"""Shapes of what authorities exchange: answers to batches of records, partners, what was handed."""

from typing import Annotated, Literal

from pydantic import Field

from tracetogether.shapes.bodies import AnswerBody, DayText

State = Literal["waits", "sent", "exported"]


class HandedOverLine(AnswerBody):
    """What of a case's logs is a partner's, as numbers."""

    organisation: Annotated[str, Field(description="The partner.", examples=["AU_DTA"])]
    people: Annotated[int, Field(description="People, at least.")]
    tempids: int
    records: int
    state: Annotated[
        State, Field(description="`waits` for the end of the hour or for the partner.")
    ]


class RecordsTaken(AnswerBody):
    """The answer to a batch: nothing about its records, which are counted by day."""

    already: Annotated[bool, Field(description="It came before; nothing was changed.")]
    answers: Annotated[
        str, Field(description="Signed counts of the days that are over, as Base64.")
    ]


class AnswerLine(AnswerBody):
    """How many TempIDs of a day met one fate."""

    day: Annotated[DayText, Field(examples=["2020-05-04"])]
    ours: Annotated[bool, Field(description="We judged the partner's records; else it ours.")]
    reason: Annotated[str, Field(examples=["accepted"])]
    count: int


class PartnerLine(AnswerBody):
    """Another authority that is recognised, and what was exchanged with it in 25 days."""

    organisation: str
    purposes: list[str]
    confirmed: bool
    address: Annotated[str, Field(description="Where records are sent; empty: files are carried.")]
    until: Annotated[float, Field(description="Epoch seconds.")]
    waiting: Annotated[int, Field(description="Batches that it does not have yet.")]
    tries: Annotated[int, Field(description="Most tries in vain of one that waits.")]
    fault: Annotated[str, Field(description="Code of the last fault; empty without one.")]
    sent_records: int
    taken_batches: int
    taken_records: int
    answers: list[AnswerLine]


class PartnerLines(AnswerBody):
    """All partners."""

    partners: list[PartnerLine]
