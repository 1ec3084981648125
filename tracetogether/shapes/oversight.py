"""Shapes of oversight: counts, keys, the audit log, operators, readiness, and errors."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from tracetogether.shapes.bodies import AnswerBody, RequestBody


class Statistics(AnswerBody):
    """How much of everything is kept."""

    users: int
    operators: int
    cases: int
    open_pins: int
    uploads: int
    sealed_bytes: int
    contact_lists: int
    contacts: int
    audit_entries: int
    pin_failures: Annotated[int, Field(description="Upload PINs refused, ever.")]
    batches: Annotated[int, Field(description="Batches of TempIDs, yesterday and today (UTC).")]


class DayOfKeys(AnswerBody):
    """A UTC day whose keys exist."""

    day: Annotated[int, Field(description="Days since 1970-01-01.", examples=[18386])]
    chain: Annotated[int, Field(description="One more for each rotation.", examples=[1])]
    quarantined: Annotated[bool, Field(description="The keys may be known to others.")]


class Keys(AnswerBody):
    """The days whose keys exist, the oldest first."""

    days: list[DayOfKeys]


class AuditLine(AnswerBody):
    """One act."""

    number: int
    time: Annotated[float, Field(description="Epoch seconds.")]
    by: Annotated[str, Field(description="An operator's name; console, phone or clock.")]
    act: Annotated[str, Field(examples=["case.opened"])]
    subject: str
    details: dict[str, str | int]
    digest: Annotated[
        str,
        BeforeValidator(bytes.hex),
        Field(description="SHA-256 over this entry and the one before."),
    ]


class AuditLog(AnswerBody):
    """Entries in their order."""

    entries: list[AuditLine]
    total: Annotated[int, Field(description="Of the whole log: the number of its newest entry.")]


class NewOperator(RequestBody):
    """Who is to be an operator, and what for."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$", examples=["night-shift"])]
    roles: Annotated[list[str], Field(min_length=1, max_length=7, examples=[["tracer"]])]


class OperatorLine(AnswerBody):
    """An operator."""

    name: str
    roles: Annotated[list[str], BeforeValidator(lambda roles: sorted(role.value for role in roles))]
    added_at: Annotated[float, Field(description="Epoch seconds.")]
    disabled: bool


class Operators(AnswerBody):
    """All operators by name, the disabled ones too."""

    operators: list[OperatorLine]


class OperatorAdded(AnswerBody):
    """A new operator's token. Shown this once."""

    name: str
    operator_token: Annotated[str, Field(repr=False)]


class Done(AnswerBody):
    """It was done."""

    done: Annotated[bool, Field(examples=[True])]


class Ready(AnswerBody):
    """Whether the service can do its work, and does it on time."""

    ready: bool
    purge_overdue: Annotated[bool, Field(description="Two hourly purges were missed.")]
    clock_suspect: Annotated[bool, Field(description="Nothing confirms the clock.")]
    keys_foreign: Annotated[bool, Field(description="The keys are not this database's.")]
    store_broken: Annotated[
        bool, Field(description="The store can't be read or written, or its disk is full.")
    ]


class Health(AnswerBody):
    """The service answers and can read its store."""

    status: Annotated[str, Field(examples=["ok"])]


class Refusal(AnswerBody):
    """Why a request was refused."""

    code: Annotated[str, Field(examples=["not_found"])]
    message: str
    retry: Annotated[bool, Field(description="Whether the same request may succeed later.")]


class ErrorAnswer(AnswerBody):
    """Every answer from 400 on."""

    error: Refusal
