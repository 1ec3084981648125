"""Shapes of the follow-up: contacts to call, their calendars, merges, the dashboard."""

import datetime as dt
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import AliasGenerator, AliasPath, BeforeValidator, ConfigDict, Field

from tracetogether.authority.cases.case import Case, date_of_day
from tracetogether.authority.cases.indicators import Dashboard, Indicators
from tracetogether.authority.cases.particulars import FIELDS
from tracetogether.authority.desk.case_people import AboutCase
from tracetogether.shapes.bodies import (
    USER_ID,
    AnswerBody,
    CountsByName,
    DayText,
    RequestBody,
    Version,
    path,
)

_CaseID = Annotated[str, Field(max_length=32, examples=["MZXW6YTBOI"])]
_OneParticular = Annotated[
    str | None,
    Field(max_length=200, repr=False, description="Left out, null or blank: stays as it is."),
]
SpokenLanguage = Annotated[
    str,
    Field(
        max_length=20,
        repr=False,
        description="Code of the language that the person speaks, of two or three letters, such as "
        "`ms` or `yue`. A blank keeps the stored one, `und` deletes it.",
    ),
]
_Day = Annotated[
    dt.date | None,
    Field(strict=False, description="A day of the authority's time zone; today if left out."),
]


CallOutcome = Literal[
    "no_symptoms",
    "symptoms",
    "not_reached",
    "wrong_number",
    "call_back",
    "refused",
    "in_hospital",
    "died",
    "moved",
]
"""What a call found."""


def _word(outcome: Any) -> Any:  # noqa: ANN401 - an Enum, a text or None
    return getattr(outcome, "value", outcome)


def _by_name(found: Indicators) -> dict[str, object]:
    return {part.name: getattr(found, part.name) for part in fields(found)}


class Into(RequestBody):
    """The target of a merge; ``dry_run`` only returns what it would do."""

    into: _CaseID
    dry_run: bool = False
    version: Version = None


class Undo(RequestBody):
    """Undoing of a merge; ``dry_run`` only returns what it would do."""

    dry_run: bool = False
    version: Version = None


class MergedLine(AnswerBody):
    """What a merge would do, in numbers."""

    moved: int
    joined: int
    calls: int
    clashes: Annotated[int, Field(description="Days with two outcomes: that of the target stays.")]
    notes: int
    names: int
    also: Annotated[int, Field(description="Contacts that keep a second name or number.")]
    uploads: Annotated[int, Field(description="Logs that stay with the merged case.")]


class UndoneLine(AnswerBody):
    """What undoing a merge does, in numbers; ``closed``: the case is closed again."""

    moved: int
    separated: int
    calls: int
    notes: int
    changed: Annotated[
        int, Field(description="Contacts changed since the merge: the changes stay.")
    ]
    stay: int
    closed: bool


class ContactStep(RequestBody):
    """A contact was informed, or a casual one goes on the call list."""

    state: Literal["reached", "to_trace"]
    version: Version = None


class Call(RequestBody):
    """The outcome of a day's call."""

    outcome: CallOutcome
    date: _Day = None
    call_at: Annotated[
        float | None,
        Field(ge=0, le=2**33, description="When to call again, epoch seconds."),
    ] = None
    version: Version = None


class Diagnosis(RequestBody):
    """When a contact tested positive."""

    date: _Day = None
    version: Version = None


class Particulars(RequestBody):
    """Name, number and language of a contact or a case: stored encrypted, shown by a reveal."""

    name: _OneParticular = None
    phone: _OneParticular = None
    language: SpokenLanguage = ""
    clear: Annotated[
        list[Literal["name", "phone"]],
        Field(default_factory=list, max_length=2, description="What to delete."),
    ]
    version: Version = None


class WhyReveal(RequestBody):
    """The reason to identify a contact or a case."""

    reason: Annotated[str, Field(max_length=200, examples=["call for testing"])] = ""


class PersonLine(AnswerBody):
    """The identity of a contact or of a case's person, and what is stored of it."""

    pseudonym: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]
    name: Annotated[str, Field(repr=False)]
    phone: Annotated[str, Field(repr=False)]
    also: Annotated[
        list[tuple[str, str]],
        Field(repr=False, description="Other names and numbers, of merged contacts."),
    ]
    version: int
    wrong_number: Annotated[
        bool, Field(description="The last call found somebody else at the number, or nobody.")
    ]
    language: Annotated[
        str, Field(repr=False, description="Code of the person's language; empty if not stored.")
    ]


class FollowedLine(AnswerBody):
    """A contact under follow-up."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasPath("kept", name))
    )

    contact_id: str
    case_id: str
    pseudonym: Annotated[str, path("pseudonym", description="Empty after its key was destroyed.")]
    state: Annotated[str, path("kept.state.value", examples=["to_trace"])]
    priority: Annotated[str, path("kept.priority.word", examples=["high"])]
    reasons: Annotated[list[str], Field(description="Codes.", examples=[["close_contact", "long"]])]
    probability: Annotated[float, Field(description="Of the policy's minutes or more.")]
    close_contact: bool
    days: int
    minutes: float
    minutes_low: float
    minutes_high: float
    minutes_24h: float
    nearest_m: float
    seen_by: str
    first_s: float
    last_s: float
    found_at: Annotated[float, Field(description="Epoch seconds.")]
    until: Annotated[
        DayText,
        path("kept.until_day", description="Last day of follow-up.", examples=["2020-05-18"]),
    ]
    traced_at: float | None
    missed: Annotated[int, Field(description="Days in a row without an answer.")]
    symptoms: bool
    ended_at: float | None
    became_case: str
    merged_into: str
    call_at: Annotated[float | None, Field(description="An agreed time, epoch seconds.")]
    version: Annotated[int, Field(description="Number of changes.")]


class AboutCaseShape(AnswerBody):
    """What is stored of a case's person, and where the case came from; no name, no number."""

    case_id: str
    version: Annotated[int, Field(description="Of the case; a change must give it.")]
    described: Annotated[
        list[Literal["name", "phone"]], Field(description="What is stored, encrypted.")
    ]
    contacts: Annotated[
        list[FollowedLine], Field(description="The contacts that became this case.")
    ]
    elsewhere: Annotated[
        int, Field(description="Such contacts near cases that the caller does not need to know.")
    ]
    symptoms_on: Annotated[
        dt.date | None, Field(description="The first day on which a call found symptoms.")
    ]

    @classmethod
    def of_case(cls, case: Case, found: AboutCase) -> Self:
        """Return what is known of the person of a case."""
        first = found.symptoms_day
        return cls(
            case_id=case.case_id,
            version=case.version,
            described=[name for name in FIELDS if name in found.described],
            contacts=[FollowedLine.of(line) for line in found.contacts],
            elsewhere=found.elsewhere,
            symptoms_on=None if first is None else dt.date.fromisoformat(date_of_day(first)),
        )


class FollowedPage(AnswerBody):
    """A page of contacts, the most urgent first."""

    contacts: list[FollowedLine]
    total: int
    offset: int


class CalendarDay(AnswerBody):
    """One day of a contact's calendar."""

    date: Annotated[DayText, path("day")]
    outcome: Annotated[str | None, BeforeValidator(_word)]
    by: str
    at: float | None


class FollowedContact(FollowedLine):
    """A contact with its calendar."""

    calendar: Annotated[list[CalendarDay], path("calendar")]


class RatioLine(AnswerBody):
    """A share and its two counts; null if the denominator is 0."""

    numerator: int
    denominator: int
    share: float | None


class DayLine(AnswerBody):
    """What happened on one day."""

    date: Annotated[DayText, path("day")]
    cases: int
    contacts: int
    reached: int


class DashboardShape(AnswerBody):
    """What the first page shows."""

    cases: Annotated[CountsByName, Field(description="By state.")]
    contacts: Annotated[CountsByName, Field(description="By state.")]
    priorities: Annotated[CountsByName, Field(description="Contacts to call, by priority.")]
    due_today: Annotated[
        int,
        Field(description="People to call today. Who is due for several cases counts once."),
    ]
    done_today: Annotated[int, Field(description="People who were called today.")]
    uploads: int
    users: int
    active_today: Annotated[
        int, Field(description="Users whose phones fetched TempIDs, on this UTC day.")
    ]
    active_yesterday: int
    days: list[DayLine]
    time_zone: Annotated[
        str, Field(description="All dates are days of this time zone.", examples=["Asia/Singapore"])
    ]
    indicators: Annotated[
        dict[str, RatioLine],
        BeforeValidator(_by_name),
        Field(description="WHO's indicators of contact tracing."),
    ]

    @classmethod
    def of(cls, shown: Dashboard, time_zone: str = "") -> Self:
        """Return a dashboard, whose days are those of a time zone."""
        same = {name: getattr(shown, name, None) for name in cls.model_fields}
        today, yesterday = shown.active_users
        there = {"time_zone": time_zone, "active_today": today, "active_yesterday": yesterday}
        return cls.model_validate(same | there)
