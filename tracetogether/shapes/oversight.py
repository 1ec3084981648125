"""Shapes of oversight: counts, keys, the audit log, operators, readiness, and errors."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from tracetogether.authority.access.permissions import Role
from tracetogether.shapes.bodies import AnswerBody, RequestBody


class Statistics(AnswerBody):
    """Counts of everything that is stored."""

    users: int
    operators: int
    cases: int
    open_pins: int
    uploads: int
    sealed_bytes: int
    contact_lists: int
    contacts: int
    audit_entries: int
    pin_failures: Annotated[int, Field(description="Upload PINs refused since the start.")]
    batches: Annotated[int, Field(description="Batches of TempIDs, yesterday and today (UTC).")]


class DayOfKeys(AnswerBody):
    """A UTC day that has keys."""

    day: Annotated[int, Field(description="Days since 1970-01-01.", examples=[18386])]
    chain: Annotated[
        int, Field(description="Number of the chain; each rotation adds one.", examples=[1])
    ]
    quarantined: Annotated[bool, Field(description="The keys may be known to others.")]


class Keys(AnswerBody):
    """The days that have keys, the oldest first."""

    days: list[DayOfKeys]


class AuditLine(AnswerBody):
    """An entry: one act."""

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
    total: Annotated[int, Field(description="Number of the newest entry.")]


class NewOperator(RequestBody):
    """A new operator and their roles."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$", examples=["night-shift"])]
    roles: Annotated[list[str], Field(min_length=1, max_length=len(Role), examples=[["tracer"]])]


class OperatorLine(AnswerBody):
    """An operator."""

    name: str
    roles: Annotated[list[str], BeforeValidator(lambda roles: sorted(role.value for role in roles))]
    added_at: Annotated[float, Field(description="Epoch seconds.")]
    disabled: bool


class Operators(AnswerBody):
    """All operators by name, including disabled ones."""

    operators: list[OperatorLine]


class OperatorAdded(AnswerBody):
    """A new operator's token. It is shown only here."""

    name: str
    operator_token: Annotated[str, Field(repr=False)]


class Done(AnswerBody):
    """The request was carried out."""

    done: Annotated[bool, Field(examples=[True])]


class Ready(AnswerBody):
    """Whether the service can work, and is on time."""

    ready: bool
    purge_overdue: Annotated[bool, Field(description="Two hourly purges were missed.")]
    clock_suspect: Annotated[bool, Field(description="Nothing confirms the clock.")]
    keys_foreign: Annotated[bool, Field(description="The keys belong to another database.")]
    store_broken: Annotated[
        bool, Field(description="The store can't be read or written, or its disk is full.")
    ]


class Health(AnswerBody):
    """The service answers and can read its store."""

    status: Annotated[str, Field(examples=["ok"])]


ErrorCode = Literal[
    "busy",
    "conflict",
    "denied",
    "internal",
    "invalid_request",
    "invalid_upload",
    "method_not_allowed",
    "not_found",
    "rate_limited",
    "stale",
    "too_large",
    "too_slow",
    "unauthorized",
    "unavailable",
    "unsupported_encoding",
]
"""Every code of an error answer; mypy checks that the service sends no other."""


class Refusal(AnswerBody):
    """Why a request was refused."""

    code: Annotated[ErrorCode, Field(examples=["not_found"])]
    message: Annotated[str, Field(description="English, for people. Programs read `code`.")]
    retry: Annotated[bool, Field(description="Whether the same request may succeed later.")]
    version: Annotated[
        int | None, Field(description="The current version. Only with the code `stale`.")
    ] = None


class ErrorAnswer(AnswerBody):
    """The body of every answer from status 400 on."""

    error: Refusal
