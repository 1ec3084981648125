"""The stays of a case: at which places its phone was, and from when to when.

A record says that the phone heard the place's device, at a few metres or a few tens. So a stay is
no contact with anybody: it is shown beside the contacts, and nothing is made of it but itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.merged_cases import with_merged
from tracetogether.authority.places.place import Place
from tracetogether.authority.places.spans import spans_of
from tracetogether.authority.places.store import PlacingStore
from tracetogether.authority.tracing.evidence import Logs
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Floats

TWO_PLACES: Final = "two_places"
"""The fault of stays at places of different sites that overlap."""
_OVERLAP_S: Final = 3 * SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Stay:
    """A time at a place, by the records of a case's phone.

    Attributes:
        place: where.
        begin, end: the first and the last record, epoch seconds.
        readings: how many records there are.
        fault: "" or TWO_PLACES: a copy of the place's TempIDs was sent elsewhere, or its device
            was carried about. Do not rely on such a stay.
    """

    place: Place
    begin: float
    end: float
    readings: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CaseStays:
    """Finds the stays of cases in their logs. Nothing is stored."""

    logs: Logs
    store: PlacingStore

    def of(self, case: Case, *, by: Caller) -> list[Stay]:
        """Return ``stays_of`` for a caller who needs to know the case.

        Raises:
            AccessDeniedError: ``by`` may not list contacts.
        """
        by.require(Action.LIST_CONTACTS)
        return self.stays_of(case)

    def stays_of(self, case: Case) -> list[Stay]:
        """Return where the case's phone was in the traced days, in order of time.

        The logs of cases that were merged into it count as its own; those of a merged case do not.
        Records of a place that lie 15 minutes apart or less are one stay. Records from after the
        place retired count for nothing.
        """
        return self.stays_in(case, self.logs.heard(with_merged(self.store, case)).places)

    def stays_in(self, case: Case, heard: Sightings) -> list[Stay]:
        """Return ``stays_of`` from the records of places that were read already."""
        if case.origin:  # records of several phones of a partner
            return []
        places = {place.user_id: place for place in self.store.places.of_users(heard.peer.names)}
        found: list[Stay] = []
        for code, name in enumerate(heard.peer.names):
            time = np.sort(heard.time[heard.peer.codes == code])
            if name in places:
                found += _stays_at(places[name], time)
        return _with_faults(sorted(found, key=lambda stay: (stay.begin, stay.place.place_id)))


def _stays_at(place: Place, time: Floats) -> list[Stay]:
    """Return the stays at one place, from the times of its records, ascending."""
    if place.retired_at is not None:
        time = time[time < place.retired_at]
    first, last = spans_of(time)
    columns = (time[first], time[last], last - first + 1)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Stay(place, begin, end, readings) for begin, end, readings in rows]


def _with_faults(stays: Sequence[Stay]) -> list[Stay]:
    """Mark stays that overlap by three minutes or more with one at another site.

    A place whose site nobody named may be near any other, so it is never marked.
    """
    marked: defaultdict[int, bool] = defaultdict(bool)
    open_stays: list[int] = []
    for index, stay in enumerate(stays):
        open_stays = [other for other in open_stays if stays[other].end > stay.begin]
        for other in open_stays:
            earlier = stays[other]
            overlap = min(stay.end, earlier.end) - stay.begin
            sites = {stay.place.site, earlier.place.site}
            if overlap >= _OVERLAP_S and len(sites) == 2 and "" not in sites:
                marked[index] = marked[other] = True
        open_stays.append(index)
    return [
        replace(stay, fault=TWO_PLACES) if marked[index] else stay
        for index, stay in enumerate(stays)
    ]
