"""From a person's encounters to one line of a contact list, and which line comes first."""

from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from tracetogether.crypto import sha256
from tracetogether.labels import UNKNOWN
from tracetogether.parameters import CloseContactPolicy
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import Encounters, encounters
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Floats, Interval, Ints

_PSEUDONYM: Final = b"tracetogether/v1/pseudonym/"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who was near.

    Attributes:
        pseudonym: how the person is called in lists.
        user_id: who it is.
        days: UTC days on which the person was heard.
        encounters: how many encounters were found.
        minutes: minutes within the policy's radius, all encounters together.
        minutes_24h: median minutes in the 24 hours with the most of them.
        nearest_m: the smallest distance.
        first_s, last_s: start of the first and end of the last encounter, epoch seconds.
        close_contact: whether ``minutes_24h`` reaches the policy's minutes.
    """

    pseudonym: str
    user_id: str = field(repr=False)
    days: int
    encounters: int
    minutes: Interval
    minutes_24h: float
    nearest_m: Interval
    first_s: float
    last_s: float
    close_contact: bool

    def to_json(self) -> dict[str, str | int | float | bool]:
        """Return the line as the command line and the HTTP form print it; without the user id."""
        return {
            "pseudonym": self.pseudonym,
            "days": self.days,
            "encounters": self.encounters,
            "minutes": self.minutes.median,
            "minutes_low": self.minutes.low,
            "minutes_high": self.minutes.high,
            "minutes_24h": self.minutes_24h,
            "nearest_m": self.nearest_m.median,
            "nearest_low_m": self.nearest_m.low,
            "nearest_high_m": self.nearest_m.high,
            "first_s": self.first_s,
            "last_s": self.last_s,
            "close_contact": self.close_contact,
        }


def pseudonym(user_id: str) -> str:
    """Return how a user is called in contact lists, the same in every list: XXXXX-XXXXX.

    It can't be turned back: a user id has 168 random bits.
    """
    text = b32encode(sha256(_PSEUDONYM + user_id.encode())).decode()
    return f"{text[:5]}-{text[5:10]}"


def contacts_of(sightings: Sightings, policy: CloseContactPolicy) -> tuple[Contact, ...]:
    """Return who was near, in order of concern.

    Sightings are grouped by person before they are folded into encounters, so that minutes add
    up over TempID rotations. Transmit powers that the records don't tell are taken from the
    population of BlueTrace phones.

    **The policy.** A person is a close contact if the median minutes within the policy's
    radius, added over the encounters that begin within some 24 hours, reach the policy's
    minutes. (A span of 24 hours, not a calendar day: a UTC day ends at breakfast in Singapore.)

    **Intervals of sums.** What makes an estimate wrong is mostly the pair's persistent offset
    (pocket, body, model), the same in every encounter of the two. So low adds to low and high to
    high: if the error is wholly shared this is exact, else it is wider than need be. In
    the same way the nearest distance is the least of the lows, of the medians, of the highs.

    **Order.** Close contacts first; then by median minutes in the busiest 24 hours, by the
    high end of all minutes, and by the nearest distance.

    Args:
        sightings: one person's log, ``peer`` the user id of who was heard.
        policy: radius and minutes.
    """
    if not len(sightings):
        return ()
    nobody = sightings.replaced(observer=sightings.observer.constant(None, len(sightings)))
    met = encounters(
        nobody,
        within_m=policy.within_m,
        calibration=Calibration.prior(transmit=BLUETRACE_TRANSMIT),
    )
    days = _days(sightings)
    found = [_contact(met, rows, days[name], policy) for name, rows in _rows_by_person(met).items()]
    return tuple(sorted(found, key=_concern))


def judged(contacts: Iterable[Contact], policy: CloseContactPolicy) -> tuple[Contact, ...]:
    """Return contacts that were measured on the policy's basis, judged by it, in order of concern.

    Args:
        contacts: as ``contacts_of`` found them under a policy of the same basis.
        policy: how many minutes make a close contact.
    """
    again = [replace(one, close_contact=one.minutes_24h >= policy.minutes) for one in contacts]
    return tuple(sorted(again, key=_concern))


def _contact(met: Encounters, rows: Ints, days: int, policy: CloseContactPolicy) -> Contact:
    user_id = met.peer.names[int(met.peer.codes[rows[0]])]
    busiest = _busiest_24h(met.start_s[rows], met.minutes_median[rows])
    return Contact(
        pseudonym=pseudonym(user_id),
        user_id=user_id,
        days=days,
        encounters=len(rows),
        minutes=Interval(
            float(met.minutes_low[rows].sum()),
            float(met.minutes_median[rows].sum()),
            float(met.minutes_high[rows].sum()),
        ),
        minutes_24h=busiest,
        nearest_m=Interval(
            float(met.nearest_low_m[rows].min()),
            float(met.nearest_m[rows].min()),
            float(met.nearest_high_m[rows].min()),
        ),
        first_s=float(met.start_s[rows].min()),
        last_s=float(met.end_s[rows].max()),
        close_contact=busiest >= policy.minutes,
    )


def _concern(contact: Contact) -> tuple[bool, float, float, float, str]:
    return (
        not contact.close_contact,
        -contact.minutes_24h,
        -contact.minutes.high,
        contact.nearest_m.median,
        contact.pseudonym,
    )


def _busiest_24h(starts: Floats, minutes: Floats) -> float:
    """Return the largest sum of ``minutes`` over encounters that start within 24 hours."""
    order = np.argsort(starts, kind="stable")
    sorted_starts = starts[order]
    until = np.searchsorted(sorted_starts, sorted_starts + SECONDS_PER_DAY, side="left")
    totals = np.concatenate([[0.0], np.cumsum(minutes[order])])
    return float((totals[until] - totals[:-1]).max())


def _rows_by_person(met: Encounters) -> dict[str, Ints]:
    order = np.argsort(met.peer.codes, kind="stable").astype(np.int64)
    codes = met.peer.codes[order]
    bounds = np.flatnonzero(np.diff(codes)) + 1
    groups = np.split(order, bounds) if len(order) else []
    return {
        met.peer.names[int(met.peer.codes[rows[0]])]: rows
        for rows in groups
        if met.peer.codes[rows[0]] != UNKNOWN
    }


def _days(sightings: Sightings) -> dict[str, int]:
    """Return on how many UTC days each person was heard."""
    day = (sightings.time // SECONDS_PER_DAY).astype(np.int64)
    pairs = np.unique(np.stack([sightings.peer.codes, day], axis=1), axis=0)
    codes, counts = np.unique(pairs[:, 0], return_counts=True)
    return {
        sightings.peer.names[code]: count
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        if code != UNKNOWN
    }
