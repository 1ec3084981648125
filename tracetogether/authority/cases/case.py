"""A case as a value: who tested positive, and the day that contacts are counted back from."""

import os
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - `date` is the name of a property here
from enum import Enum
from typing import Final

from tracetogether.authority.cases.followed import ContactState
from tracetogether.local_days import LocalDays
from tracetogether.parameters import RETENTION
from tracetogether.units import Entropy

_EPOCH: Final = Date(1970, 1, 1).toordinal()


class CaseState(Enum):
    """The state of the work on a case."""

    OPEN = "open"  # no contact was called yet
    TRACING = "tracing"  # the first contact was called
    CLOSED = "closed"
    MERGED = "merged"  # merged into another case of the same person


OPEN_STATES: Final = frozenset({CaseState.OPEN, CaseState.TRACING})
"""States of a case that is worked on: a person has one such case at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """One diagnosed user.

    Attributes:
        case_id: random, ten characters.
        user_id: who was diagnosed.
        day: number of the case's date (diagnosis or first symptoms), a day of the authority's zone.
        opened_at: epoch seconds.
        active_at: when it was opened or last given an upload PIN; retention counts from here.
        state: how far it has come.
        assigned_to: name of the operator who works on it, or "".
        tracing_at: when the first contact was called; None before.
        closed_at: when it was closed or merged; None before.
        merged_into: id of the case that it was merged into, or "".
        known_contact: whether the person was a known contact of another case when it was opened.
        unconfirmed: whether a tracer opened it for a contact, and neither an issuer has confirmed
            it nor a log has come in with a PIN. Until then no other case's log is used for it.
        version: counts the changes by people; a form sends the version that it shows.
        origin: code of the partner whose cases' records it holds; "" for a case of our own. Nobody
            here knows whose cases those are: ``user_id`` is a number that belongs to nobody.
    """

    case_id: str
    user_id: str = field(repr=False)
    day: int
    opened_at: float
    active_at: float
    state: CaseState = CaseState.OPEN
    assigned_to: str = ""
    tracing_at: float | None = None
    closed_at: float | None = None
    merged_into: str = ""
    known_contact: bool = False
    unconfirmed: bool = False
    version: int = 1
    origin: str = ""

    @property
    def first_day(self) -> int:
        """Number of the first traced day: 14 whole days before the case's date."""
        return self.day - RETENTION.traced_days

    def traced_span(self, days: LocalDays) -> tuple[float, float]:
        """Return start and end (exclusive) of the traced span: to the end of the case's date."""
        return days.start(self.first_day), days.start(self.day + 1)

    @property
    def date(self) -> str:
        """The case's date as YYYY-MM-DD."""
        return date_of_day(self.day)


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases a list shows, and which page of it.

    Attributes:
        states: of these states only; all if empty.
        assigned_to: assigned to this operator ("" for nobody); None for all.
        starts_with: prefix of the id.
        unconfirmed: only those that nobody has confirmed yet.
        offset, limit: the page.
    """

    states: frozenset[CaseState] = frozenset()
    assigned_to: str | None = None
    starts_with: str = ""
    unconfirmed: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case as lists show it.

    Attributes:
        case: the case.
        uploads: number of stored logs.
        contacts: number of contacts, with the casual ones and without the merged ones.
        to_trace, in_follow_up, lost: contacts in these states; REACHED counts as in follow-up.
        due: number of contacts to call today.
    """

    case: Case
    uploads: int = 0
    contacts: int = 0
    to_trace: int = 0
    in_follow_up: int = 0
    lost: int = 0
    due: int = 0


@dataclass(frozen=True, slots=True)
class CasePage:
    """One page of cases, the newest first."""

    cases: tuple[CaseSummary, ...]
    total: int
    offset: int


def summary_of(
    case: Case, uploads: int, found: Mapping[ContactState, tuple[int, int]]
) -> CaseSummary:
    """Return a case with its counts; ``found`` has (contacts, due contacts) by state."""
    count = {state: contacts for state, (contacts, _) in found.items()}
    in_all = sum(count.values()) - count.get(ContactState.MERGED, 0)
    followed = (ContactState.REACHED, ContactState.IN_FOLLOW_UP)
    return CaseSummary(
        case=case,
        uploads=uploads,
        contacts=in_all,
        to_trace=count.get(ContactState.TO_TRACE, 0),
        in_follow_up=sum(count.get(state, 0) for state in followed),
        lost=count.get(ContactState.LOST, 0),
        due=sum(due for _, due in found.values()),
    )


def new_id(entropy: Entropy = os.urandom) -> str:
    """Return a random id of a case or contact: ten characters that can be read aloud."""
    return b32encode(entropy(7)).decode()[:10]


def date_of_day(day: int) -> str:
    """Return the calendar day of a day's number as YYYY-MM-DD."""
    return Date.fromordinal(_EPOCH + day).isoformat()


def day_of(date: Date) -> int:
    """Return the number of a calendar day, counted from 1970-01-01."""
    return date.toordinal() - _EPOCH
