"""The JSON of the tracers' desk: followed contacts, calendars, notes, the dashboard."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field

from tracetogether.adapters.http_api.shapes import USER_ID, Asked
from tracetogether.authority.cases.followed import DayOutcome
from tracetogether.authority.cases.indicators import Dashboard
from tracetogether.authority.cases.notes import Note
from tracetogether.authority.desk.views import ContactPage, Followed
from tracetogether.plain_text import one_newline

_EPOCH = dt.date(1970, 1, 1).toordinal()


def date_text(day: int) -> str:
    """Return a day's number as YYYY-MM-DD."""
    return dt.date.fromordinal(_EPOCH + day).isoformat()


def _with_one_newline(text: object) -> object:
    return one_newline(text) if isinstance(text, str) else text


_CaseID = Annotated[str, Field(max_length=32, examples=["MZXW6YTBOI"])]
_Version = Annotated[
    int | None,
    Field(
        ge=0,
        le=2**53,
        description="As it was read: 409 `stale` if somebody changed it since. Without one, "
        "nothing that another operator wrote is replaced.",
    ),
]
_OneParticular = Annotated[
    str | None,
    Field(max_length=200, repr=False, description="Left out, null or blank: stays as it is."),
]
_Day = Annotated[
    dt.date | None,
    Field(strict=False, description="A day of the authority's time zone; today if left out."),
]


class Assignment(Asked):
    """Who is to work on a case."""

    operator: Annotated[
        str, Field(max_length=32, description="`-`: nobody. A blank is refused: it erases nothing.")
    ]
    version: _Version = None


class CaseStep(Asked):
    """Whether a case is worked on."""

    state: Literal["closed", "open"]
    version: _Version = None


class Into(Asked):
    """What something is merged into, or (``dry_run``) what that would do."""

    into: _CaseID
    dry_run: bool = False
    version: _Version = None


class Undo(Asked):
    """That a merge is undone, or (``dry_run``) what that would do."""

    dry_run: bool = False
    version: _Version = None


class MergedLine(BaseModel):
    """What a merge would do, in numbers."""

    moved: int
    joined: int
    calls: int
    clashes: Annotated[int, Field(description="Days with two outcomes: that which stays counts.")]
    notes: int
    names: int
    also: Annotated[int, Field(description="Contacts whose other name or number stays beside.")]
    uploads: Annotated[int, Field(description="Logs that stay with the merged case.")]


class UndoneLine(BaseModel):
    """What undoing a merge does, in numbers; ``closed``: the case comes back closed."""

    moved: int
    separated: int
    calls: int
    notes: int
    changed: Annotated[int, Field(description="Contacts changed since: the changes stay.")]
    stay: int
    closed: bool


class NewNote(Asked):
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


class ContactStep(Asked):
    """That a contact was told, or that a casual one is to be called after all."""

    state: Literal["reached", "to_trace"]
    version: _Version = None


class Call(Asked):
    """What a day's call found."""

    outcome: Literal["no_symptoms", "symptoms", "not_reached"]
    date: _Day = None
    version: _Version = None


class Diagnosis(Asked):
    """When a contact tested positive."""

    date: _Day = None
    version: _Version = None


class Particulars(Asked):
    """A contact's name and telephone number. They are kept sealed; only a reveal shows them."""

    name: _OneParticular = None
    phone: _OneParticular = None
    clear: Annotated[
        list[Literal["name", "phone"]],
        Field(default_factory=list, max_length=2, description="What to delete."),
    ]
    version: _Version = None


class WhyReveal(Asked):
    """Why a contact is to be known."""

    reason: Annotated[str, Field(max_length=200, examples=["call for testing"])] = ""


class PersonLine(BaseModel):
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


class FollowedLine(BaseModel):
    """A contact under follow-up."""

    contact_id: str
    case_id: str
    pseudonym: Annotated[str, Field(description="Empty once nobody can open it any more.")]
    state: Annotated[str, Field(examples=["to_trace"])]
    priority: Annotated[str, Field(examples=["high"])]
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
    until: Annotated[str, Field(description="Last day of follow-up.", examples=["2020-05-18"])]
    traced_at: float | None
    missed: Annotated[int, Field(description="Days in a row on which nobody was reached.")]
    symptoms: bool
    ended_at: float | None
    became_case: str
    merged_into: str
    version: Annotated[int, Field(description="Counts the changes.")]

    @classmethod
    def of(cls, followed: Followed) -> Self:
        """Return the line of a contact."""
        kept = followed.kept
        same = {
            name: getattr(kept, name)
            for name in cls.model_fields
            if name not in {"pseudonym", "state", "priority", "reasons", "until"}
        }
        return cls(
            pseudonym=followed.pseudonym,
            state=kept.state.value,
            priority=kept.priority.word,
            reasons=list(kept.reasons),
            until=date_text(kept.until_day),
            **same,
        )


class FollowedPage(BaseModel):
    """A page of contacts, the most urgent first."""

    contacts: list[FollowedLine]
    total: int
    offset: int

    @classmethod
    def of(cls, page: ContactPage) -> Self:
        """Return a page."""
        lines = [FollowedLine.of(one) for one in page.contacts]
        return cls(contacts=lines, total=page.total, offset=page.offset)


class CalendarDay(BaseModel):
    """One day of a contact's calendar."""

    date: str
    outcome: str | None
    by: str
    at: float | None

    @classmethod
    def of(cls, day: DayOutcome) -> Self:
        """Return a day."""
        outcome = None if day.outcome is None else day.outcome.value
        return cls(date=date_text(day.day), outcome=outcome, by=day.by, at=day.at)


class FollowedContact(FollowedLine):
    """A contact with the calendar."""

    calendar: list[CalendarDay]


class NoteLine(BaseModel):
    """A note; ``text`` is null once its key is gone."""

    note_id: str
    contact_id: str
    at: float
    by: str
    text: Annotated[str | None, Field(repr=False)]

    @classmethod
    def of(cls, note: Note) -> Self:
        """Return a note."""
        return cls(
            note_id=note.note_id,
            contact_id=note.contact_id,
            at=note.at,
            by=note.by,
            text=note.text,
        )


class NoteLines(BaseModel):
    """The notes on a case and its contacts, the oldest first."""

    notes: list[NoteLine]


class RatioLine(BaseModel):
    """A share with what it is a share of; null of nothing."""

    numerator: int
    denominator: int
    share: float | None


class DayLine(BaseModel):
    """What happened on one day."""

    date: str
    cases: int
    contacts: int
    reached: int


class DashboardShape(BaseModel):
    """What the first page shows."""

    cases: Annotated[dict[str, int], Field(description="By state.")]
    contacts: Annotated[dict[str, int], Field(description="By state.")]
    priorities: Annotated[dict[str, int], Field(description="Of those who are to be called.")]
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
    indicators: Annotated[dict[str, RatioLine], Field(description="WHO's.")]

    @classmethod
    def of(cls, seen: Dashboard, time_zone: str) -> Self:
        """Return a dashboard."""
        return cls(
            time_zone=time_zone,
            cases={state.value: count for state, count in seen.cases.items()},
            contacts={state.value: count for state, count in seen.contacts.items()},
            priorities={one.word: count for one, count in seen.priorities.items()},
            due_today=seen.due_today,
            done_today=seen.done_today,
            uploads=seen.uploads,
            users=seen.users,
            active_today=seen.active_users[0],
            active_yesterday=seen.active_users[1],
            days=[
                DayLine(
                    date=date_text(one.day),
                    cases=one.cases,
                    contacts=one.contacts,
                    reached=one.reached,
                )
                for one in seen.days
            ],
            indicators={
                name: RatioLine.model_validate(ratio)
                for name, ratio in seen.indicators.to_json().items()
            },
        )
