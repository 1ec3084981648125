"""From a person's encounters to one line of a contact list, and which line comes first."""

from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.authority.nearness import BY_CASE, BY_CONTACT, Nearness, Spans, nearness
from tracetogether.authority.reasons import Reason, reasons_for
from tracetogether.crypto import sha256
from tracetogether.labels import UNKNOWN
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.estimates import chance_of
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Floats, Interval, Ints

_PSEUDONYM: Final = b"tracetogether/v1/pseudonym/"

SEEN_BY: Final[Mapping[int, str]] = MappingProxyType(
    {BY_CASE: "case", BY_CONTACT: "contact", BY_CASE | BY_CONTACT: "both"}
)
"""Which phones recorded it, in words."""


@dataclass(frozen=True, slots=True)
class ContactDay:
    """One UTC day on which a contact was near.

    Attributes:
        day: UTC day number (days since 1970-01-01).
        minutes: minutes within the policy's radius on that day.
        nearest_m: the smallest distance in the encounters that touch that day.
        encounters: how many encounters touch that day.
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

    def to_json(self) -> dict[str, object]:
        """Return the day as the command line and the HTTP form print it."""
        return {
            "day": self.day,
            "date": self.date,
            **_minutes_and_metres(self.minutes, self.nearest_m),
            "encounters": self.encounters,
            "seen_by": self.seen_by,
        }


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who was near.

    Attributes:
        pseudonym: how the person is called in lists.
        user_id: who it is.
        days: the UTC days on which the person was recorded, in their order.
        encounters: how many encounters were found.
        minutes: minutes within the policy's radius, all encounters together.
        busiest_24h: minutes in the 24 hours with the most of them.
        courses_24h: the same on each of ``proximity.estimates.COURSES``.
        nearest_m: the smallest distance.
        first_s, last_s: start of the first and end of the last encounter, epoch seconds.
        seen_by: whose phone recorded it: "case", "contact" or "both".
        close_contact: whether the median of ``busiest_24h`` reaches the policy's minutes.
        probability: of a close contact under the policy: that ``busiest_24h`` reaches its minutes.
        reasons: facts about the contact, those that decide its place first (reasons.Reason: code,
            figures, and an English sentence).
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
    def concern(self) -> tuple[int, float, float, float, str]:
        """What lists are sorted by, the greatest concern first."""
        return (
            -int(10 * self.probability),  # finer steps than tenths would claim too much
            -self.busiest_24h.median,
            -self.minutes.high,
            self.nearest_m.median,
            self.pseudonym,
        )

    def to_json(self) -> dict[str, object]:
        """Return the line as the command line and the HTTP form print it; without the user id."""
        return {
            "pseudonym": self.pseudonym,
            "close_contact": self.close_contact,
            "probability": self.probability,
            **_minutes_and_metres(self.minutes, self.nearest_m),
            "minutes_24h": self.busiest_24h.median,
            "minutes_24h_low": self.busiest_24h.low,
            "minutes_24h_high": self.busiest_24h.high,
            "encounters": self.encounters,
            "first_s": self.first_s,
            "last_s": self.last_s,
            "seen_by": self.seen_by,
            "reasons": [reason.to_json() for reason in self.reasons],
            "days": [day.to_json() for day in self.days],
        }


def pseudonym(user_id: str) -> str:
    """Return how a user is called in contact lists, the same in every list: XXXXX-XXXXX.

    It can't be turned back: a user id has 168 random bits.
    """
    text = b32encode(sha256(_PSEUDONYM + user_id.encode())).decode()
    return f"{text[:5]}-{text[5:10]}"


def contacts_of(
    sightings: Sightings,
    policy: CloseContactPolicy,
    *,
    told: Sightings | None = None,
    case_day: int | None = None,
) -> tuple[Contact, ...]:
    """Return who was near, in order of concern.

    Sightings are grouped by person before they are folded into encounters, so that minutes add
    up over TempID rotations.

    **The policy.** A person is a close contact if the median minutes within the policy's
    radius, added over the encounters that begin within some 24 hours, reach the policy's
    minutes. (A span of 24 hours, not a calendar day: a UTC day ends at breakfast in Singapore.)

    **Intervals of sums.** What makes an estimate wrong is mostly the pair's persistent offset
    (pocket, body, model), the same in every encounter of the two. So low adds to low and high to
    high: if the error is wholly shared this is exact, else it is wider than need be. In
    the same way the nearest distance is the least of the lows, of the medians, of the highs.

    Args:
        sightings: one person's log, ``peer`` the user id of who was heard.
        policy: radius and minutes.
        told: what others' phones recorded of that person, ``peer`` the user id of whose phone.
        case_day: UTC day number of the case's date, for the reasons.
    """
    if not len(sightings) and (told is None or not len(told)):
        return ()
    return judged(people_near(nearness(sightings, policy, told)), policy, case_day)


def judged(
    contacts: Iterable[Contact], policy: CloseContactPolicy, case_day: int | None = None
) -> tuple[Contact, ...]:
    """Return contacts that were measured on the policy's basis, judged by it, in order of concern.

    Order: by the probability of a close contact in tenths, then by median minutes in the
    busiest 24 hours, by the high end of all minutes, and by the nearest distance.

    Args:
        contacts: as ``people_near`` found them within the policy's radius.
        policy: how many minutes make a close contact.
        case_day: UTC day number of the case's date, None if there is no case.
    """
    again = [_judged(one, policy, case_day) for one in contacts]
    return tuple(sorted(again, key=lambda one: one.concern))


def people_near(near: Nearness) -> list[Contact]:
    """Return a contact for each person with a name, not judged yet, in no order."""
    of_encounters = near.of_encounters()
    days = _days(near)
    sides = _sides_of_people(near)
    contacts = []
    for person, rows in _rows_by_person(near.person.codes.astype(np.int64)):
        user_id = near.person.names[person]
        starts = near.start_s[rows]
        contacts.append(
            Contact(
                pseudonym=pseudonym(user_id),
                user_id=user_id,
                days=tuple(days[person]),
                encounters=len(rows),
                minutes=_total(of_encounters, rows),
                busiest_24h=Interval(
                    *(
                        _busiest_24h(starts, one[rows])
                        for one in (of_encounters.low, of_encounters.median, of_encounters.high)
                    )
                ),
                courses_24h=tuple(_busiest_24h(starts, course) for course in near.courses[rows].T),
                nearest_m=_least(near.nearest_m, rows),
                first_s=float(starts.min()),
                last_s=float(near.end_s[rows].max()),
                seen_by=SEEN_BY[int(sides[person])],
            )
        )
    return contacts


def _judged(contact: Contact, policy: CloseContactPolicy, case_day: int | None) -> Contact:
    probability = chance_of(np.array(contact.courses_24h), policy.minutes)
    return replace(
        contact,
        close_contact=contact.busiest_24h.median >= policy.minutes,
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


def _busiest_24h(starts: Floats, minutes: Floats) -> float:
    """Return the largest sum of ``minutes`` over encounters that start within 24 hours."""
    order = np.argsort(starts, kind="stable")
    sorted_starts = starts[order]
    until = np.searchsorted(sorted_starts, sorted_starts + SECONDS_PER_DAY, side="left")
    totals = np.concatenate([[0.0], np.cumsum(minutes[order])])
    return float((totals[until] - totals[:-1]).max())


def _rows_by_person(codes: Ints) -> list[tuple[int, Ints]]:
    """Return the rows of each person with a name."""
    order = np.argsort(codes, kind="stable").astype(np.int64)
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    groups = np.split(order, bounds) if len(order) else []
    return [(int(codes[rows[0]]), rows) for rows in groups if codes[rows[0]] != UNKNOWN]


def _sides_of_people(near: Nearness) -> Ints:
    """Return for each person which phones recorded anything; the last entry is of no name."""
    sides = np.zeros(len(near.person.names) + 1, dtype=np.int64)
    np.bitwise_or.at(sides, near.person.codes[near.encounter], near.sides)
    return sides


def _days(near: Nearness) -> dict[int, list[ContactDay]]:
    """Return each person's days, in their order.

    An encounter over midnight touches two days: its minutes are shared out, its nearest
    distance stands for both.
    """
    day = (near.time_s // SECONDS_PER_DAY).astype(np.int64)
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
    found: dict[int, list[ContactDay]] = {}
    for key, rows in _rows_by_person((person + 1) * span + days - first):
        whose = key // span - 1
        found.setdefault(whose, []).append(
            ContactDay(
                day=key % span + first,
                minutes=_total(minutes, rows),
                nearest_m=_least(near.nearest_m, encounter[rows]),
                encounters=len(rows),
                seen_by=SEEN_BY[int(np.bitwise_or.reduce(sides[rows]))],
            )
        )
    return found


def _total(minutes: Spans, rows: Ints) -> Interval:
    """Return the sum of some rows."""
    return Interval(
        float(minutes.low[rows].sum()),
        float(minutes.median[rows].sum()),
        float(minutes.high[rows].sum()),
    )


def _least(metres: Spans, rows: Ints) -> Interval:
    """Return the least of some rows."""
    return Interval(
        float(metres.low[rows].min()),
        float(metres.median[rows].min()),
        float(metres.high[rows].min()),
    )


def _minutes_and_metres(minutes: Interval, nearest_m: Interval) -> dict[str, object]:
    return {
        "minutes": minutes.median,
        "minutes_low": minutes.low,
        "minutes_high": minutes.high,
        "nearest_m": nearest_m.median,
        "nearest_low_m": nearest_m.low,
        "nearest_high_m": nearest_m.high,
    }
