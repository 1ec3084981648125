"""Shapes of the follow-up: contacts to call, their calendars, merges, the dashboard."""

import datetime as dt
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import AliasGenerator, AliasPath, BeforeValidator, ConfigDict, Field

from tracetogether.authority.cases.indicators import Dashboard, Indicators
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
_Day = Annotated[
    dt.date | None,
    Field(strict=False, description="A day of the authority's time zone; today if left out."),
]


def _word(outcome: Any) -> Any:  # noqa: ANN401 - an Enum, a text or None
    return getattr(outcome, "value", outcome)


def _by_name(found: Indicators) -> dict[str, object]:
    return {part.name: getattr(found, part.name) for part in fields(found)}


class Into(RequestBody):
    """What something is merged into, or (``dry_run``) what that would do."""

    into: _CaseID
    dry_run: bool = False
    version: Version = None


class Undo(RequestBody):
    """That a merge is undone, or (``dry_run``) what that would do."""

    dry_run: bool = False
    version: Version = None


class MergedLine(AnswerBody):
    """What a merge would do, in numbers."""

    moved: int
    joined: int
    calls: int
    clashes: Annotated[int, Field(description="Days with two outcomes: that which stays counts.")]
    notes: int
    names: int
    also: Annotated[int, Field(description="Contacts whose other name or number stays beside.")]
    uploads: Annotated[int, Field(description="Logs that stay with the merged case.")]


class UndoneLine(AnswerBody):
    """What undoing a merge does, in numbers; ``closed``: the case comes back closed."""

    moved: int
    separated: int
    calls: int
    notes: int
    changed: Annotated[int, Field(description="Contacts changed since: the changes stay.")]
    stay: int
    closed: bool


class ContactStep(RequestBody):
    """That a contact was told, or that a casual one is to be called after all."""

    state: Literal["reached", "to_trace"]
    version: Version = None


class Call(RequestBody):
    """What a day's call found."""

    outcome: Literal["no_symptoms", "symptoms", "not_reached"]
    date: _Day = None
    version: Version = None


class Diagnosis(RequestBody):
    """When a contact tested positive."""

    date: _Day = None
    version: Version = None


class Particulars(RequestBody):
    """A contact's name and telephone number. They are kept sealed; only a reveal shows them."""

    name: _OneParticular = None
    phone: _OneParticular = None
    clear: Annotated[
        list[Literal["name", "phone"]],
        Field(default_factory=list, max_length=2, description="What to delete."),
    ]
    version: Version = None


class WhyReveal(RequestBody):
    """Why a contact is to be known."""

    reason: Annotated[str, Field(max_length=200, examples=["call for testing"])] = ""


class PersonLine(AnswerBody):
    """Who a contact is."""

    pseudonym: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]
    name: Annotated[str, Field(repr=False)]
    phone: Annotated[str, Field(repr=False)]
    also: Annotated[
        list[tuple[str, str]],
        Field(repr=False, description="Other names and numbers, of merged contacts."),
    ]
    version: int


class FollowedLine(AnswerBody):
    """A contact under follow-up."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasPath("kept", name))
    )

    contact_id: str
    case_id: str
    pseudonym: Annotated[
        str, path("pseudonym", description="Empty once nobody can open it any more.")
    ]
    state: Annotated[str, path("kept.state.value", examples=["to_trace"])]
    priority: Annotated[str, path("kept.priority.word", examples=["high"])]
    reasons: Annotated[list[str], Field(description="Codes.", examples=[["close_contact", "long"]])]
    close_contact: bool
    days: int
    minutes: float
    minutes_low: float
    minutes_high: float
    minutes_24h: float
    probability: float
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
    missed: Annotated[int, Field(description="Days in a row on which nobody was reached.")]
    symptoms: bool
    ended_at: float | None
    became_case: str
    merged_into: str
    version: Annotated[int, Field(description="Counts the changes.")]


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
    """A contact with the calendar."""

    calendar: Annotated[list[CalendarDay], path("calendar")]


class RatioLine(AnswerBody):
    """A share with what it is a share of; null of nothing."""

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
    priorities: Annotated[CountsByName, Field(description="Of those who are to be called.")]
    due_today: int
    done_today: int
    uploads: int
    users: int
    active_today: Annotated[
        int, Field(description="Users whose phones fetched TempIDs, on this UTC day.")
    ]
    active_yesterday: int
    days: list[DayLine]
    time_zone: Annotated[
        str, Field(description="Whose days all dates are.", examples=["Asia/Singapore"])
    ]
    indicators: Annotated[
        dict[str, RatioLine], BeforeValidator(_by_name), Field(description="WHO's.")
    ]

    @classmethod
    def of(cls, shown: Dashboard, time_zone: str = "") -> Self:
        """Return a dashboard, whose days are those of a time zone."""
        same = {name: getattr(shown, name, None) for name in cls.model_fields}
        today, yesterday = shown.active_users
        there = {"time_zone": time_zone, "active_today": today, "active_yesterday": yesterday}
        return cls.model_validate(same | there)
