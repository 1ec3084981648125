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
    """A person with a diagnosis."""

    user_id: Annotated[str, Field(max_length=64, repr=False, examples=[USER_ID])]
    date: Annotated[
        dt.date | None,
        Field(
            strict=False,
            description="Of diagnosis or first symptoms, in the authority's zone; default: today.",
            examples=["2020-05-04"],
        ),
    ] = None


class CaseStep(RequestBody):
    """A change of a case's state."""

    state: Literal["closed", "open"]
    version: Version = None


class Assignment(RequestBody):
    """The tracer of a case."""

    operator: Annotated[str, Field(max_length=32, description="`-`: nobody. A blank is refused.")]
    version: Version = None


class CaseLine(AnswerBody):
    """A case."""

    case_id: Annotated[str, Field(examples=["MZXW6YTBOI"])]
    pseudonym: Annotated[str, Field(description="The name of the diagnosed person in lists.")]
    date: Annotated[str, Field(examples=["2020-05-04"])]
    opened_at: Annotated[float, Field(description="Epoch seconds.")]
    state: Annotated[str, Field(description="`open`, `tracing`, `closed` or `merged`.")]
    assigned_to: Annotated[str, Field(description="An operator's name, or empty.")]
    known_contact: Annotated[
        bool, Field(description="The person was a contact of another case before.")
    ]
    confirmed: Annotated[
        bool,
        Field(description="False: a tracer opened it for a contact; it uses no other logs yet."),
    ]
    merged_into: str
    version: Annotated[int, Field(description="Number of changes by people.")]

    @classmethod
    def of(cls, shown: Case, pseudonym: str = "", counts: CaseSummary | None = None) -> Self:
        """Return a case with its person's pseudonym; the counts are those of a summary."""
        same = {
            name: getattr(shown, name, getattr(counts, name, None)) for name in cls.model_fields
        }
        there = {"pseudonym": pseudonym, "state": shown.state.value}
        return cls.model_validate(same | there | {"confirmed": not shown.unconfirmed})


class CaseSummaryLine(CaseLine):
    """A case in a list; the counts leave out merged contacts."""

    uploads: int
    contacts: int
    to_trace: int
    in_follow_up: int
    lost: int
    due: Annotated[int, Field(description="Contacts to call today.")]


class Cases(AnswerBody):
    """A page of cases, the newest first."""

    cases: list[CaseSummaryLine]
    total: int
    offset: int


class NewPin(RequestBody):
    """Options of a new upload PIN."""

    lifetime: Annotated[
        PinLifetime,
        Field(
            strict=False,
            description="long: 24 hours, by SMS or letter; short: 15 minutes, read out.",
        ),
    ] = PinLifetime.LONG
    after: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Mark of the last PIN. If another one was issued since, the answer is 409 "
            "and none is issued: a request that is sent twice issues one PIN.",
        ),
    ] = None


class LastPinState(AnswerBody):
    """What became of a case's last upload PIN."""

    state: Annotated[
        str, Field(description="none, out (may be used), used, expired, or void (wrong tries).")
    ]
    expires_at: Annotated[float | None, Field(description="Epoch seconds; null without a PIN.")]
    mark: Annotated[str, Field(description="Names the PIN without showing it: see `after`.")]


class UploadPinIssued(AnswerBody):
    """An upload PIN for the case's user. It is shown only here."""

    case_id: str
    upload_pin: Annotated[str, Field(repr=False, examples=["04917362"])]
    expires_at: Annotated[float, Field(description="Epoch seconds.")]
    mark: Annotated[str, Field(description="Names the PIN without showing it.")]


class Reveal(RequestBody):
    """The contact to identify, and the reason."""

    pseudonym: Annotated[str, Field(max_length=32, examples=["ABCDE-FGHIJ"])]
    reason: Annotated[
        str,
        Field(
            max_length=200,
            description="The audit log keeps it: do not name anybody. It must not be empty.",
            examples=["call for testing"],
        ),
    ] = ""


class Revealed(AnswerBody):
    """The identity of a contact."""

    pseudonym: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]


class NewNote(RequestBody):
    """A tracer's note; it is stored encrypted."""

    text: Annotated[
        str,
        BeforeValidator(_with_one_newline),
        Field(
            max_length=2_000,
            pattern=r"\S",
            repr=False,
            description="The limit counts Unicode code points; a line break is one.",
        ),
    ]
    contact_id: Annotated[str, Field(max_length=32)] = ""


class NoteLine(AnswerBody):
    """A note; ``text`` is null after its key was destroyed."""

    note_id: str
    contact_id: str
    at: float
    by: str
    text: Annotated[str | None, Field(repr=False)]


class NoteLines(AnswerBody):
    """The notes on a case and its contacts, the oldest first."""

    notes: list[NoteLine]
