"""Contact lists: from each person's encounters to one line, sorted by concern."""

from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np

from tracetogether.authority.contacts.groups import Groups
from tracetogether.authority.contacts.nearness import (
    BY_CASE,
    BY_CONTACT,
    NearnessColumns,
    nearness,
)
from tracetogether.authority.contacts.reasons import Reason, reasons_for
from tracetogether.crypto import hmac_sha256, sha256
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import Calibration
from tracetogether.proximity.estimates import Intervals, chance_of, chances_of
from tracetogether.sightings import Sightings
from tracetogether.units import Bools, Floats, Interval, Ints

_PSEUDONYM: Final = b"tracetogether/v1/pseudonym/"
UNKEYED: Final = b""
"""No naming key: for simulated crowds, and for pseudonyms of releases without that key."""

SEEN_BY: Final[Mapping[int, str]] = MappingProxyType(
    {BY_CASE: "case", BY_CONTACT: "contact", BY_CASE | BY_CONTACT: "both"}
)
"""Which phones recorded it, as text."""


@dataclass(frozen=True, slots=True)
class ContactDay:
    """One day of the authority's zone on which a contact was near.

    Attributes:
        day: its number (days since 1970-01-01).
        minutes: minutes within the policy's radius on that day.
        nearest_m: the smallest distance in the encounters that touch that day.
        encounters: number of encounters that touch that day.
        seen_by: whose phone recorded it: "case", "contact" or "both".
    """

    day: int
    minutes: Interval
    nearest_m: Interval
    encounters: int
    seen_by: str

    @property
    def date(self) -> str:
        """The day as YYYY-MM-DD."""
        return str(np.datetime64(self.day, "D"))


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who was near.

    Attributes:
        pseudonym: the name in lists.
        user_id: of the person.
        days: the days on which the person was recorded, in their order.
        encounters: number of encounters.
        minutes: minutes within the policy's radius, all encounters together.
        busiest_24h: minutes in the 24 hours with the most of them.
        courses_24h: the same on each of ``proximity.estimates.OFFSET_QUANTILES``.
        nearest_m: the smallest distance.
        first_s, last_s: start of the first and end of the last encounter, epoch seconds.
        seen_by: whose phone recorded it: "case", "contact" or "both".
        close_contact: whether ``probability`` reaches the policy's least chance.
        probability: P(``busiest_24h`` >= the policy's minutes).
        reasons: facts about the contact, the most important first.
    """

    pseudonym: str
    user_id: str = field(repr=False)
    days: tuple[ContactDay, ...]
    encounters: int
    minutes: Interval
    busiest_24h: Interval
    courses_24h: tuple[float, ...] = field(repr=False)
    nearest_m: Interval
    first_s: float
    last_s: float
    seen_by: str = "case"
    close_contact: bool = False
    probability: float = 0.0
    reasons: tuple[Reason, ...] = ()

    @property
    def minutes_24h(self) -> float:
        """Median minutes in the 24 hours with the most of them."""
        return self.busiest_24h.median

    @property
    def concern(self) -> tuple[float, float, float, str]:
        """The sort key of lists, the greatest concern first."""
        return (*_concern(self.probability, self.minutes.median, self.last_s), self.pseudonym)


@dataclass(frozen=True, slots=True)
class ContactLines:
    """One line for each person in each log, in columns of length l, not judged yet.

    The columns are those of ``Contact``, without its days.

    Attributes:
        observer: (l,) whose log; unknown where there is one log alone.
        person: (l,) user id of the person heard.
        sides: (l,) which phones recorded it: BY_CASE, BY_CONTACT, or both added.
    """

    observer: Labels
    person: Labels
    encounters: Ints
    minutes: Intervals
    busiest_24h: Intervals
    courses_24h: Floats = field(repr=False)
    nearest_m: Intervals
    first_s: Floats
    last_s: Floats
    sides: Ints

    def chance(self, policy: CloseContactPolicy) -> Floats:
        """Return (l,) P(``busiest_24h`` >= the policy's minutes)."""
        return chances_of(self.courses_24h, policy.minutes)

    def close_contact(self, policy: CloseContactPolicy) -> Bools:
        """Return (l,) whether each chance reaches the policy's least chance."""
        return np.greater_equal(self.chance(policy), policy.least_chance)

    def concern(self, row: int, policy: CloseContactPolicy) -> tuple[float, float, float]:
        """Return what lists are sorted by, but for the pseudonym; see ``Contact.concern``."""
        return _concern(
            chance_of(self.courses_24h[row], policy.minutes),
            float(self.minutes.median[row]),
            float(self.last_s[row]),
        )

    def take(self, rows: Ints) -> Self:
        """Return the chosen lines."""
        columns: dict[str, Any] = {}
        for name in (column.name for column in fields(self)):
            column = getattr(self, name)
            columns[name] = column[rows] if isinstance(column, np.ndarray) else column.take(rows)
        return replace(self, **columns)


def pseudonym(user_id: str, key: bytes) -> str:
    """Return how a user is called in contact lists, the same in every list: XXXXX-XXXXX.

    It can't be turned back, and without the key nobody can tell which of the user ids in a
    database it belongs to.

    Args:
        user_id: of the person.
        key: ``KeyRing.naming_key``; ``UNKEYED`` where user ids are made up.
    """
    said = _PSEUDONYM + user_id.encode()
    text = b32encode(hmac_sha256(key, said) if key else sha256(said)).decode()
    return f"{text[:5]}-{text[5:10]}"


def contacts_of(
    sightings: Sightings,
    policy: CloseContactPolicy,
    *,
    others: Sightings | None = None,
    owner: str = "",
    case_day: int | None = None,
    days: LocalDays = UTC_DAYS,
    naming_key: bytes = UNKEYED,
    calibration: Calibration | None = None,
) -> tuple[Contact, ...]:
    """Return who was near, in order of concern.

    Sightings are grouped by person before they are folded into encounters, so that minutes add
    up over TempID rotations.

    **The policy.** A person is a close contact if the minutes within the policy's radius, added
    over the encounters that begin within some 24 hours, reach the policy's minutes with the
    policy's least chance. (A span of 24 hours, not a calendar day.)

    **Intervals of sums.** What makes an estimate wrong is mostly the pair's persistent offset
    (pocket, body, model), the same in every encounter of the two. So low adds to low and high to
    high: if the error is wholly shared this is exact, else it is wider than need be. In
    the same way the nearest distance is the least of the lows, of the medians, of the highs.

    Args:
        sightings: one person's log, ``peer`` the user id of who was heard.
        policy: radius and minutes.
        others: what others' phones recorded of that person, and about then: ``observer`` whose
            phone, ``peer`` who was heard, as user ids.
        owner: user id of that person; needed with ``others``.
        case_day: number of the case's date, for the reasons.
        days: the calendar days that each contact's encounters are shown by.
        naming_key: what pseudonyms are made with; an authority's is ``KeyRing.naming_key``.
        calibration: what is known of phone models; without it, priors alone.
    """
    if not len(sightings) and (others is None or not len(others)):
        return ()
    near = nearness(sightings, policy, others, owner=owner, calibration=calibration)
    return judged(people_near(near, days, naming_key), policy, case_day)


def judged(
    contacts: Iterable[Contact], policy: CloseContactPolicy, case_day: int | None = None
) -> tuple[Contact, ...]:
    """Return contacts that were measured on the policy's basis, judged by it, in order of concern.

    Order: by the probability of the policy's minutes, then by median minutes, the more first;
    then who was met last.

    Args:
        contacts: as ``people_near`` found them within the policy's radius.
        policy: how many minutes make a close contact, and with which chance.
        case_day: number of the case's date, None if there is no case.
    """
    again = [_judged(contact, policy, case_day) for contact in contacts]
    return tuple(sorted(again, key=lambda contact: contact.concern))


def people_near(
    near: NearnessColumns, local: LocalDays = UTC_DAYS, naming_key: bytes = UNKEYED
) -> list[Contact]:
    """Return a contact for each person with a name, not judged yet, in no order."""
    lines, days = lines_of(near), _days(near, local)
    columns = zip(
        lines.person.codes.tolist(),
        lines.encounters.tolist(),
        lines.minutes,
        lines.busiest_24h,
        lines.courses_24h.tolist(),
        lines.nearest_m,
        lines.first_s.tolist(),
        lines.last_s.tolist(),
        lines.sides.tolist(),
        strict=True,
    )
    return [
        Contact(
            pseudonym=pseudonym(near.person.names[person], naming_key),
            user_id=near.person.names[person],
            days=tuple(days[person]),
            encounters=encounters,
            minutes=minutes,
            busiest_24h=busiest,
            courses_24h=tuple(courses),
            nearest_m=nearest,
            first_s=first,
            last_s=last,
            seen_by=SEEN_BY[sides],
        )
        for person, encounters, minutes, busiest, courses, nearest, first, last, sides in columns
        if person != UNKNOWN
    ]


def list_logs(
    sightings: Sightings, policy: CloseContactPolicy, calibration: Calibration | None = None
) -> ContactLines:
    """Return who was near to whom, of any number of logs at once, not judged yet.

    Each log is taken alone, as ``contacts_of`` takes one log without ``others``.

    Args:
        sightings: ``observer`` whose log, ``peer`` the user id of who was heard.
        policy: radius, or a rule of its own.
        calibration: what is known of phone models; without it, priors alone.
    """
    return lines_of(nearness(sightings, policy, calibration=calibration))


def lines_of(near: NearnessColumns) -> ContactLines:
    """Return one line for each person in each log, in columns, not judged yet."""
    people = len(near.person.names) + 1
    log, person = near.observer.codes.astype(np.int64), near.person.codes.astype(np.int64)
    groups = Groups.of((log + 1) * people + person + 1)
    of_encounters = near.of_encounters()
    columns = [near.courses, of_encounters.low, of_encounters.median, of_encounters.high]
    busiest = groups.busiest_24h(near.start_s, np.column_stack(columns))
    sides = np.zeros(len(near.start_s), dtype=np.int64)
    np.bitwise_or.at(sides, near.encounter, near.sides)
    return ContactLines(
        observer=Labels((groups.keys // people - 1).astype(np.int32), near.observer.names),
        person=Labels((groups.keys % people - 1).astype(np.int32), near.person.names),
        encounters=groups.sizes(),
        minutes=groups.intervals(np.add, of_encounters),
        busiest_24h=Intervals.ordered(*busiest[:, -3:].T),
        courses_24h=busiest[:, :-3],
        nearest_m=groups.intervals(np.minimum, near.nearest_m),
        first_s=groups.over(np.minimum, near.start_s),
        last_s=groups.over(np.maximum, near.end_s),
        sides=groups.over(np.bitwise_or, sides),
    )


def _judged(contact: Contact, policy: CloseContactPolicy, case_day: int | None) -> Contact:
    probability = chance_of(np.array(contact.courses_24h), policy.minutes)
    return replace(
        contact,
        close_contact=probability >= policy.least_chance,
        probability=probability,
        reasons=reasons_for(
            policy,
            probability=probability,
            minutes=contact.minutes,
            minutes_24h=contact.busiest_24h,
            nearest_m=contact.nearest_m,
            days=len(contact.days),
            last_day=contact.days[-1].day,
            seen_by=contact.seen_by,
            case_day=case_day,
        ),
    )


def _days(near: NearnessColumns, local: LocalDays) -> dict[int, list[ContactDay]]:
    """Return each person's days, in their order.

    An encounter over midnight touches two days: its minutes are shared out, its nearest
    distance stands for both.
    """
    day = local.days(near.time_s)
    count = len(near.start_s)
    # One number for each day of an encounter sorts faster than two columns.
    touched, row = np.unique(day * count + near.encounter, return_inverse=True)
    sides = np.zeros(len(touched), dtype=np.int64)
    np.bitwise_or.at(sides, row, near.sides)
    minutes = near.minutes.summed(row, len(touched))
    encounter = touched % max(count, 1)
    person = near.person.codes[encounter].astype(np.int64)
    days = touched // max(count, 1)
    first = int(days.min()) if len(days) else 0
    span = int(days.max()) - first + 1 if len(days) else 1
    groups = Groups.of((person + 1) * span + days - first)
    rows = zip(
        groups.keys.tolist(),
        groups.intervals(np.add, minutes),
        groups.intervals(np.minimum, near.nearest_m.take(encounter)),
        groups.sizes().tolist(),
        groups.over(np.bitwise_or, sides).tolist(),
        strict=True,
    )
    found: dict[int, list[ContactDay]] = {}
    for key, near_minutes, nearest, size, side in rows:
        found.setdefault(key // span - 1, []).append(
            ContactDay(key % span + first, near_minutes, nearest, size, SEEN_BY[side])
        )
    return found


def _concern(probability: float, minutes: float, last_s: float) -> tuple[float, float, float]:
    return -probability, -minutes, -last_s
