"""The JSON that goes in and out; what is secret is not shown by repr."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tracetogether.authority.intake.pins import PinLifetime

USER_ID = "QUJDREVGR0hJSktMTU5PUFFSU1RV"


class Asked(BaseModel):
    """A body that is sent here: no field but those named, no type but theirs, no NUL in a text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            msg = "a text can't hold a NUL character: remove it"
            raise ValueError(msg)
        return value


class NewCase(Asked):
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


class PinAndDigest(Asked):
    """An upload PIN, and the digest of the one log that it is to let in."""

    pin: Annotated[str, Field(pattern=r"^[0-9]{8}$", repr=False, examples=["04917362"])]
    sha256: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-fA-F]{64}$",
            repr=False,
            description="SHA-256 of the log's JSON before any compression, in hexadecimal.",
            examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
    ]
    attempt: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{32}$",
            repr=False,
            description="A random name of this attempt: by it the phone may ask again.",
            examples=["9f86d081884c7d659a2feaa0c55ad015"],
        ),
    ] = None


class Reveal(Asked):
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


class NewOperator(Asked):
    """Who is to be an operator, and what for."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$", examples=["night-shift"])]
    roles: Annotated[list[str], Field(min_length=1, max_length=7, examples=[["tracer"]])]


class Registered(BaseModel):
    """What a phone keeps. The credential is shown this once."""

    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]
    credential: Annotated[
        str, Field(repr=False, description="Sent as `Authorization: Bearer` from now on.")
    ]


class TempIDInBatch(BaseModel):
    """One TempID and when to use it."""

    tempID: Annotated[str, Field(repr=False, description="84 base64 characters.")]  # noqa: N815 - OpenTrace's name
    startTime: Annotated[int, Field(description="Epoch seconds.")]  # noqa: N815 - OpenTrace's name
    expiryTime: Annotated[int, Field(description="Epoch seconds.")]  # noqa: N815 - OpenTrace's name


class Batch(BaseModel):
    """A batch of TempIDs, as OpenTrace's getTempIDs answers."""

    status: Annotated[str, Field(examples=["SUCCESS"])]
    tempIDs: list[TempIDInBatch]  # noqa: N815 - OpenTrace's name
    refreshTime: Annotated[int, Field(description="When to fetch the next batch.")]  # noqa: N815 - OpenTrace's name


class CaseLine(BaseModel):
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


class CaseSummaryLine(CaseLine):
    """A case as lists show it; contacts counted without the merged ones."""

    uploads: int
    contacts: int
    to_trace: int
    in_follow_up: int
    lost: int
    due: Annotated[int, Field(description="To be called today.")]


class Cases(BaseModel):
    """A page of cases, the newest first."""

    cases: list[CaseSummaryLine]
    total: int
    offset: int


class NewPin(Asked):
    """What an upload PIN is to be like."""

    lifetime: Annotated[
        PinLifetime,
        Field(
            strict=False,
            description="long: 24 hours, by SMS or letter; short: 15 minutes, read out.",
        ),
    ] = PinLifetime.LONG


class UploadPinIssued(BaseModel):
    """An upload PIN to tell the case's user. Shown this once."""

    case_id: str
    upload_pin: Annotated[str, Field(repr=False, examples=["04917362"])]
    expires_at: Annotated[float, Field(description="Epoch seconds.")]


class UploadTokenIssued(BaseModel):
    """Leave to upload the one log, once."""

    upload_token: Annotated[str, Field(repr=False)]
    expires_at: Annotated[float, Field(description="Epoch seconds.")]


class Receipt(BaseModel):
    """What became of an upload's records."""

    records: int
    accepted: int
    rejected: Annotated[dict[str, int], Field(description="By reason.")]


class Nearness(BaseModel):
    """Minutes within the policy's radius and nearest distance: median, 5 % and 95 %."""

    minutes: float
    minutes_low: float
    minutes_high: float
    nearest_m: float
    nearest_low_m: float
    nearest_high_m: float


SeenBy = Annotated[
    Literal["case", "contact", "both"], Field(description="Whose phone recorded it.")
]


class ContactDayLine(Nearness):
    """One day, in the authority's time zone, on which a contact was near."""

    day: Annotated[int, Field(description="Days since 1970-01-01.", examples=[18386])]
    date: Annotated[str, Field(examples=["2020-05-04"])]
    encounters: int
    seen_by: SeenBy


class ReasonLine(BaseModel):
    """A fact about a contact, for a page to say in its own language."""

    code: Annotated[str, Field(examples=["minutes"])]
    figures: dict[str, float]
    text: Annotated[str, Field(examples=["45 (30 to 60) min within 2 m"])]


class ContactLine(Nearness):
    """A person who was near."""

    pseudonym: str
    close_contact: bool
    probability: Annotated[float, Field(description="Of a close contact under the policy.")]
    minutes_24h: Annotated[float, Field(description="In the 24 hours with the most of them.")]
    minutes_24h_low: float
    minutes_24h_high: float
    encounters: int
    first_s: Annotated[float, Field(description="Epoch seconds.")]
    last_s: Annotated[float, Field(description="Epoch seconds.")]
    seen_by: SeenBy
    reasons: Annotated[list[ReasonLine], Field(description="What decides its place comes first.")]
    days: list[ContactDayLine]


class Policy(BaseModel):
    """When a contact counts as a close contact."""

    name: str
    within_m: float
    minutes: float
    rule: Annotated[
        str | None, Field(description="Counts minutes by attenuation in place of the radius.")
    ]


class Contacts(BaseModel):
    """A case's contacts in order of concern, and what they were found from."""

    case_id: str
    date: str
    traced_from: Annotated[float, Field(description="Epoch seconds.")]
    traced_until: Annotated[float, Field(description="Epoch seconds, exclusive.")]
    policy: Policy
    contacts: list[ContactLine]
    uploads: int
    unreadable_uploads: int
    records: int
    accepted: int
    in_span: int
    rejected: dict[str, int]


class Revealed(BaseModel):
    """Who a contact is."""

    pseudonym: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]


class Statistics(BaseModel):
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


class DayOfKeys(BaseModel):
    """A UTC day whose keys exist."""

    day: Annotated[int, Field(description="Days since 1970-01-01.", examples=[18386])]
    chain: Annotated[int, Field(description="One more for each rotation.", examples=[1])]
    quarantined: Annotated[bool, Field(description="The keys may be known to others.")]


class Keys(BaseModel):
    """The days whose keys exist, the oldest first."""

    days: list[DayOfKeys]


class AuditLine(BaseModel):
    """One act."""

    number: int
    time: Annotated[float, Field(description="Epoch seconds.")]
    by: Annotated[str, Field(description="An operator's name; console, phone or clock.")]
    act: Annotated[str, Field(examples=["case.opened"])]
    subject: str
    details: dict[str, str | int]
    digest: Annotated[str, Field(description="SHA-256 over this entry and the one before.")]


class AuditLog(BaseModel):
    """Entries in their order."""

    entries: list[AuditLine]
    total: Annotated[int, Field(description="Of the whole log: the number of its newest entry.")]


class OperatorLine(BaseModel):
    """An operator."""

    name: str
    roles: list[str]
    added_at: Annotated[float, Field(description="Epoch seconds.")]
    disabled: bool


class Operators(BaseModel):
    """All operators by name, the disabled ones too."""

    operators: list[OperatorLine]


class OperatorAdded(BaseModel):
    """A new operator's token. Shown this once."""

    name: str
    operator_token: Annotated[str, Field(repr=False)]


class Done(BaseModel):
    """It was done."""

    done: Annotated[bool, Field(examples=[True])]


class Ready(BaseModel):
    """Whether the service can do its work, and does it on time."""

    ready: bool
    purge_overdue: Annotated[bool, Field(description="Two hourly purges were missed.")]
    clock_suspect: Annotated[bool, Field(description="Nothing confirms the clock.")]
    keys_foreign: Annotated[bool, Field(description="The keys are not this database's.")]
    store_broken: Annotated[
        bool, Field(description="The store can't be read or written, or its disk is full.")
    ]


class Health(BaseModel):
    """The service answers and can read its store."""

    status: Annotated[str, Field(examples=["ok"])]


class Refusal(BaseModel):
    """Why a request was refused."""

    code: Annotated[str, Field(examples=["not_found"])]
    message: str
    retry: Annotated[bool, Field(description="Whether the same request may succeed later.")]


class ErrorAnswer(BaseModel):
    """Every answer from 400 on."""

    error: Refusal
