"""Shapes of cases: opening, lists, PINs, notes, and who a contact of one is."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field

from tracetogether.authority.cases.case import Case, CaseSummary
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.plain_text import one_newline
from tracetogether.shapes.bodies import USER_ID, AnswerBody, RequestBody, Version


def _with_one_newline(text: object) -> object:
    return one_newline(text) if isinstance(text, str) else text


class NewCase(RequestBody):
    """Who was diagnosed, and when."""

    user_id: Annotated[str, Field(max_length=64, repr=False, examples=[USER_ID])]
    date: Annotated[
        dt.date | None,
        Field(
            strict=False,
            description="Of diagnosis or first symptoms where the authority is; today if left out.",
            examples=["2020-05-04"],
        ),
    ] = None


class CaseStep(RequestBody):
    """Whether a case is worked on."""

    state: Literal["closed", "open"]
    version: Version = None


class Assignment(RequestBody):
    """Who is to work on a case."""

    operator: Annotated[
        str, Field(max_length=32, description="`-`: nobody. A blank is refused: it erases nothing.")
    ]
    version: Version = None


class CaseLine(AnswerBody):
    """A case."""

    case_id: Annotated[str, Field(examples=["MZXW6YTBOI"])]
    pseudonym: Annotated[str, Field(description="What the diagnosed person is called in lists.")]
    date: Annotated[str, Field(examples=["2020-05-04"])]
    opened_at: Annotated[float, Field(description="Epoch seconds.")]
    state: Annotated[str, Field(description="`open`, `tracing`, `closed` or `merged`.")]
    assigned_to: Annotated[str, Field(description="An operator's name, or empty.")]
    known_contact: Annotated[bool, Field(description="Was a contact of another case before.")]
    confirmed: Annotated[
        bool,
        Field(description="False: a tracer opened it for a contact; no other log is used for it."),
    ]
    merged_into: str
    version: Annotated[int, Field(description="Counts the changes by people.")]

    @classmethod
    def of(cls, shown: Case, pseudonym: str = "", counts: CaseSummary | None = None) -> Self:
        """Return a case with its person's pseudonym; the counts are those of a summary."""
        same = {
            name: getattr(shown, name, getattr(counts, name, None)) for name in cls.model_fields
        }
        there = {"pseudonym": pseudonym, "state": shown.state.value}
        return cls.model_validate(same | there | {"confirmed": not shown.unconfirmed})


class CaseSummaryLine(CaseLine):
    """A case as lists show it; contacts counted without the merged ones."""

    uploads: int
    contacts: int
    to_trace: int
    in_follow_up: int
    lost: int
    due: Annotated[int, Field(description="To be called today.")]


class Cases(AnswerBody):
    """A page of cases, the newest first."""

    cases: list[CaseSummaryLine]
    total: int
    offset: int


class NewPin(RequestBody):
    """What an upload PIN is to be like."""

    lifetime: Annotated[
        PinLifetime,
        Field(
            strict=False,
            description="long: 24 hours, by SMS or letter; short: 15 minutes, read out.",
        ),
    ] = PinLifetime.LONG


class UploadPinIssued(AnswerBody):
    """An upload PIN to tell the case's user. Shown this once."""

    case_id: str
    upload_pin: Annotated[str, Field(repr=False, examples=["04917362"])]
    expires_at: Annotated[float, Field(description="Epoch seconds.")]


class Reveal(RequestBody):
    """Which contact is to be known, and why."""

    pseudonym: Annotated[str, Field(max_length=32, examples=["ABCDE-FGHIJ"])]
    reason: Annotated[
        str,
        Field(
            max_length=200,
            description="Stands in the audit log: name nobody in it. It must not be empty.",
            examples=["call for testing"],
        ),
    ] = ""


class Revealed(AnswerBody):
    """Who a contact is."""

    pseudonym: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]


class NewNote(RequestBody):
    """What a tracer writes down. It is kept sealed."""

    text: Annotated[
        str,
        BeforeValidator(_with_one_newline),
        Field(
            max_length=2_000,
            pattern=r"\S",
            repr=False,
            description="Unicode code points count; a line break is one.",
        ),
    ]
    contact_id: Annotated[str, Field(max_length=32)] = ""


class NoteLine(AnswerBody):
    """A note; ``text`` is null once its key is gone."""

    note_id: str
    contact_id: str
    at: float
    by: str
    text: Annotated[str | None, Field(repr=False)]


class NoteLines(AnswerBody):
    """The notes on a case and its contacts, the oldest first."""

    notes: list[NoteLine]
