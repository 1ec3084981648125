"""From a person's encounters to one line of a contact list, and which line comes first."""

from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.authority.contacts.groups import Groups
from tracetogether.authority.contacts.nearness import BY_CASE, BY_CONTACT, Nearness, nearness
from tracetogether.authority.contacts.reasons import Reason, reasons_for
from tracetogether.crypto import hmac_sha256, sha256
from tracetogether.labels import UNKNOWN
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.estimates import chance_of
from tracetogether.sightings import Sightings
from tracetogether.units import Interval, Ints

_PSEUDONYM: Final = b"tracetogether/v1/pseudonym/"
UNKEYED: Final = b""
"""In place of a naming key: for crowds that are simulated, and names of before there were keys."""

SEEN_BY: Final[Mapping[int, str]] = MappingProxyType(
    {BY_CASE: "case", BY_CONTACT: "contact", BY_CASE | BY_CONTACT: "both"}
)
"""Which phones recorded it, in words."""


@dataclass(frozen=True, slots=True)
class ContactDay:
    """One day of the authority's zone on which a contact was near.

    Attributes:
        day: its number (days since 1970-01-01).
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


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who was near.

    Attributes:
        pseudonym: how the person is called in lists.
        user_id: who it is.
        days: the days on which the person was recorded, in their order.
        encounters: how many encounters were found.
        minutes: minutes within the policy's radius, all encounters together.
        busiest_24h: minutes in the 24 hours with the most of them.
        courses_24h: the same on each of ``proximity.estimates.OFFSET_QUANTILES``.
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


def pseudonym(user_id: str, key: bytes) -> str:
    """Return how a user is called in contact lists, the same in every list: XXXXX-XXXXX.

    It can't be turned back, and without the key nobody can tell which of the user ids in a
    database it belongs to.

    Args:
        user_id: who it is.
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
) -> tuple[Contact, ...]:
    """Return who was near, in order of concern.

    Sightings are grouped by person before they are folded into encounters, so that minutes add
    up over TempID rotations.

    **The policy.** A person is a close contact if the median minutes within the policy's
    radius, added over the encounters that begin within some 24 hours, reach the policy's
    minutes. (A span of 24 hours, not a calendar day.)

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
    """
    if not len(sightings) and (others is None or not len(others)):
        return ()
    near = nearness(sightings, policy, others, owner=owner)
    return judged(people_near(near, days, naming_key), policy, case_day)


def judged(
    contacts: Iterable[Contact], policy: CloseContactPolicy, case_day: int | None = None
) -> tuple[Contact, ...]:
    """Return contacts that were measured on the policy's basis, judged by it, in order of concern.

    Order: by the probability of a close contact in tenths, then by median minutes in the
    busiest 24 hours, by the high end of all minutes, and by the nearest distance.

    Args:
        contacts: as ``people_near`` found them within the policy's radius.
        policy: how many minutes make a close contact.
        case_day: number of the case's date, None if there is no case.
    """
    again = [_judged(one, policy, case_day) for one in contacts]
    return tuple(sorted(again, key=lambda one: one.concern))


def people_near(
    near: Nearness, local: LocalDays = UTC_DAYS, naming_key: bytes = UNKEYED
) -> list[Contact]:
    """Return a contact for each person with a name, not judged yet, in no order."""
    of_encounters = near.of_encounters()
    groups = Groups.of(near.person.codes.astype(np.int64))
    days = _days(near, local)
    sides = _sides_of_people(near)
    minutes = groups.intervals(np.add, of_encounters)
    nearest = groups.intervals(np.minimum, near.nearest_m)
    columns = [near.courses, of_encounters.low, of_encounters.median, of_encounters.high]
    busiest = groups.busiest_24h(near.start_s, np.column_stack(columns)).tolist()
    first = groups.over(np.minimum, near.start_s)
    last = groups.over(np.maximum, near.end_s)
    contacts = []
    for place, (person, size) in enumerate(zip(groups.keys.tolist(), groups.sizes(), strict=True)):
        if person == UNKNOWN:
            continue
        user_id = near.person.names[person]
        *courses, low, median, high = busiest[place]
        contacts.append(
            Contact(
                pseudonym=pseudonym(user_id, naming_key),
                user_id=user_id,
                days=tuple(days[person]),
                encounters=size,
                minutes=minutes[place],
                busiest_24h=Interval(min(low, median), median, max(median, high)),
                courses_24h=tuple(courses),
                nearest_m=nearest[place],
                first_s=first[place],
                last_s=last[place],
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


def _sides_of_people(near: Nearness) -> Ints:
    """Return for each person which phones recorded anything; the last entry is of no name."""
    sides = np.zeros(len(near.person.names) + 1, dtype=np.int64)
    np.bitwise_or.at(sides, near.person.codes[near.encounter], near.sides)
    return sides


def _days(near: Nearness, local: LocalDays) -> dict[int, list[ContactDay]]:
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
        groups.sizes(),
        groups.over(np.bitwise_or, sides),
        strict=True,
    )
    found: dict[int, list[ContactDay]] = {}
    for key, near_minutes, nearest, size, side in rows:
        found.setdefault(key // span - 1, []).append(
            ContactDay(key % span + first, near_minutes, nearest, size, SEEN_BY[int(side)])
        )
    return found
