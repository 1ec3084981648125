"""What a phone finds of warnings in its own visits and its own contact log.

A finding says "you were in the same place" and for how many minutes. It says nothing of who was
there, and nothing of nearness: that two people were in one room does not make a close contact.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tracetogether.crypto import sha256
from tracetogether.errors import SealError, UnreadableMessageError
from tracetogether.parameters import BLUETRACE, VISITS
from tracetogether.presence.packages import WarningPackage, heard_digest
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.presence.visits import Visit
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class SamePlace:
    """The owner was where a case was, at the same time.

    Attributes:
        description, address: the place, as its poster says; a stranger's texts. "" for a place
            whose TempIDs the phone noted: the phone doesn't know its name.
        start, end: when both were there, epoch seconds.
        minutes: for how long, whole minutes.
        marks: digests of the warnings, by which a phone shows each once.
        by: "visit" or "heard".
    """

    description: str
    address: str
    start: float
    end: float
    minutes: int
    marks: frozenset[bytes] = field(repr=False)
    by: str = "visit"


def overlap(start: float, end: float, warned: WarnedTime) -> tuple[float, float] | None:
    """Return the time that a stay [start, end) shares with a warning; None if none."""
    first, last = max(start, warned.start_s), min(end, warned.end_s)
    return (first, last) if first < last else None


def same_places(visits: Iterable[Visit], package: WarningPackage) -> list[SamePlace]:
    """Return where the owner was with a case for at least 10 minutes, by time.

    A warning that does not open is a fake, or forged: it is passed over. Visits that midnight
    divided are compared as one.

    Args:
        visits: the phone's own.
        package: the warnings.
    """
    published: dict[bytes, list[SealedVisit]] = {}
    for sealed in package.visits:
        published.setdefault(sealed.place, []).append(sealed)
    found: dict[tuple[bytes, float], SamePlace] = {}
    for visit in _whole(visits):
        for sealed in published.get(sha256(visit.location_id), ()):
            try:
                warned = sealed.open(visit.location_id)
            except (SealError, UnreadableMessageError):
                continue
            shared = overlap(visit.start, visit.end, warned)
            if shared is None or shared[1] - shared[0] < VISITS.least_s:
                continue
            minutes = int((shared[1] - shared[0]) // SECONDS_PER_MINUTE)
            mark = sha256(b"%s/%d/%d" % (visit.location_id, warned.start, warned.period))
            marks = frozenset((mark,))
            found[mark, visit.start] = SamePlace(
                visit.description, visit.address, *shared, minutes, marks
            )
    return sorted(found.values(), key=lambda place: (place.start, sorted(place.marks)))


def heard_places(log: Sightings, package: WarningPackage) -> list[SamePlace]:
    """Return when the phone noted warned places' TempIDs for at least 10 minutes, by time.

    A place changes its TempID every quarter of an hour, and nobody can see whether two of them are
    of one place. So stays that lie less than a quarter of an hour apart are joined.

    Args:
        log: the phone's own contact log.
        package: the warnings.
    """
    digests = [heard_digest(name) for name in log.peer.names]
    published = frozenset(package.heard)
    # The last value is that of rows without a token, whose code is -1.
    warned = np.array([*(digest in published for digest in digests), False], dtype=np.bool_)
    rows = np.flatnonzero(warned[log.peer.codes])
    rows = rows[np.argsort(log.time[rows], kind="stable")]
    gaps = np.flatnonzero(np.diff(log.time[rows]) >= BLUETRACE.validity_s)
    found = []
    for stay in np.split(rows, gaps + 1):
        if not len(stay):
            continue
        start, end = float(log.time[stay[0]]), float(log.time[stay[-1]])
        if end - start >= VISITS.least_s:
            marks = frozenset(digests[code] for code in np.unique(log.peer.codes[stay]).tolist())
            minutes = int((end - start) // SECONDS_PER_MINUTE)
            found.append(SamePlace("", "", start, end, minutes, marks, by="heard"))
    return found


def _whole(visits: Iterable[Visit]) -> list[Visit]:
    """Return the visits with the parts that midnight divided joined again."""
    whole: dict[tuple[bytes, float], Visit] = {}
    for visit in sorted(visits, key=lambda visit: visit.start):
        before = whole.pop((visit.location_id, visit.start), None)
        start = visit.start if before is None else before.start
        joined = Visit(
            visit.location_id, visit.description, visit.address, start, visit.end, visit.default_s
        )
        whole[visit.location_id, visit.end] = joined
    return list(whole.values())
