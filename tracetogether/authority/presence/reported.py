"""Visits and trips of cases as values: as a phone reports them, and as the store keeps them."""

from dataclasses import dataclass, field
from enum import Enum


class WarningState(Enum):
    """What becomes of a visit or trip that a case reported."""

    WAITING = "waiting"  # a tracer decides
    RELEASED = "released"  # the next package or list has it
    PUBLISHED = "published"
    REFUSED = "refused"  # a tracer keeps it back


class VisitRefusal(Enum):
    """Why a visit or a trip is not believed; the others of the same message are kept."""

    UNREADABLE_POSTER = "unreadable_poster"
    BACKWARDS = "backwards"  # it ends before it begins
    TOO_SHORT = "too_short"  # nobody would be warned of it
    TOO_LONG = "too_long"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    BEFORE_REGISTRATION = "before_registration"
    OUTSIDE_WINDOW = "outside_window"  # the poster counts at other times
    TWO_PLACES = "two_places"  # another visit has the person elsewhere at that time
    TWICE = "twice"  # the same place or trip at that time was reported already
    TOO_MANY = "too_many"  # more on one day than a person makes
    UNREADABLE_TRIP = "unreadable_trip"


@dataclass(frozen=True, slots=True)
class ReportedVisit:
    """A case's visit, as the phone noted it.

    Attributes:
        location_id: SHA-256 that names the place, 32 bytes; only its guests know it.
        start, end: when the person was there, epoch seconds.
        description, address: what the poster says; text of others.
        opens, closes: the poster's window in epoch seconds; None without one.
    """

    location_id: bytes = field(repr=False)
    start: float
    end: float
    description: str = field(default="", repr=False)
    address: str = field(default="", repr=False)
    opens: float | None = None
    closes: float | None = None


@dataclass(frozen=True, slots=True)
class KeptVisit:
    """A reported visit as the store keeps it: place and time are sealed under the day's key.

    Attributes:
        visit_id: random, ten characters.
        case_id: whose visit it is.
        day: UTC day of its arrival, whose key seals and tags it.
        place_tag: keyed digest of the place: visits of one day to the same place have the same.
        received_at: epoch seconds.
        sealed: IV, then place, time and the poster's texts.
        state: what becomes of it.
        released_at: when it was confirmed, or when a second case vouched for it.
        decided_by: name of the tracer who decided; "" if nobody had to.
        reason: what the tracer gave for it.
        hour: UTC hour number of the package that has it; None before.
    """

    visit_id: str
    case_id: str
    day: int
    place_tag: bytes = field(repr=False)
    received_at: float
    sealed: bytes = field(repr=False)
    state: WarningState = WarningState.WAITING
    released_at: float | None = None
    decided_by: str = ""
    reason: str = field(default="", repr=False)
    hour: int | None = None


@dataclass(frozen=True, slots=True)
class KeptTrip:
    """A reported trip as the store keeps it.

    Attributes:
        trip_id: random, ten characters.
        case_id: whose trip it is.
        day: UTC day of its arrival, whose key seals it.
        trip_day: number of the trip's date.
        received_at: epoch seconds.
        sealed: IV, then carrier, service, car and the band of rows that is published.
        state: WAITING, RELEASED (the list of its date has it) or REFUSED.
        released_at: when a tracer stated that enough people were aboard.
        aboard: how many; None before.
        decided_by, reason: who stated it or kept the trip back, and why.
    """

    trip_id: str
    case_id: str
    day: int
    trip_day: int
    received_at: float
    sealed: bytes = field(repr=False)
    state: WarningState = WarningState.WAITING
    released_at: float | None = None
    aboard: int | None = None
    decided_by: str = ""
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class KeptPackage:
    """What everybody downloads: the warnings of an hour, or the trips of a date; never changed.

    Attributes:
        kind: "warnings" or "trips".
        number: UTC hour number of warnings, number of the date of trips.
        edition: UTC hour number up to whose end it covers: the list of a date has several.
        body: the signed message.
        entries: how many sealed visits, or trips, it holds.
    """

    kind: str
    number: int
    edition: int
    body: bytes = field(repr=False)
    entries: int = 0


@dataclass(frozen=True, slots=True)
class PackageLine:
    """A package in the index: its number and edition, its length in bytes, and its entries."""

    number: int
    edition: int
    length: int
    entries: int = 0
