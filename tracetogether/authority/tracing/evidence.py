"""Evidence of a case's contacts: the records of its phone, and those of other phones about it."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import person_tags
from tracetogether.authority.contacts.nearness import rows_of
from tracetogether.authority.contacts.places import elsewhere
from tracetogether.authority.intake.opening import OpenedLog, open_log
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.intake.uploads import records_in, unseal
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.errors import KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import RETENTION
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bools, Floats, Ints

_TAGGED_UNTIL_S: Final = RETENTION.day_keys_days * SECONDS_PER_DAY
_ABOUT_S: Final = (
    1_800.0  # what a phone hears of others within half an hour shows how well it hears
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The accepted records in a case's traced span.

    Attributes:
        own: records of the case's phone; ``peer`` is the user id of the person heard. A record in
            two uploads counts once.
        others: records of other phones about the case's person; ``observer`` is the phone's user.
            Their records of other people about then are included: they show how well each hears.
        uploads, unreadable_uploads, records, accepted, rejected: of the case's own uploads; the
            accepted include records of places.
    """

    own: Sightings
    others: Sightings
    uploads: int
    unreadable_uploads: int
    records: int
    accepted: int
    rejected: Mapping[Rejection, int]


@dataclass(frozen=True, slots=True)
class RecordsInLogs:
    """The accepted records of all logs of some cases that can be opened, each once.

    Attributes:
        people: ``peer`` is the user id of the person.
        places: of places in the traced span; ``peer`` is the user id of the place. No contact
            list is made from these records.
    """

    people: Sightings
    places: Sightings


@dataclass(frozen=True, slots=True)
class Logs:
    """Opens the uploads of cases.

    ``handed`` returns the partners that records of a case were handed over to.
    """

    keys: KeyRing
    issuer: TempIDIssuer
    store: IntakeStore
    days: LocalDays = UTC_DAYS
    handed: Callable[[str], Container[str]] = lambda _case_id: ()

    def evidence(self, case: Case, *, believe_quarantined: bool = False) -> Evidence:
        """Return the evidence of a case's contacts.

        Logs of other people count if the case's phone heard them, or if their contact lists name
        the case's person, and only in the case's traced span. They add only their owners to the
        case's contacts, nobody else.

        Args:
            case: whose evidence.
            believe_quarantined: take records of days whose keys may be known to others too.
        """
        opened, unreadable = self._opened(case, believe_quarantined=believe_quarantined)
        rejected: Counter[Rejection] = Counter()
        for log in opened:
            rejected.update(log.rejected)
        believed = Sightings.concat([log.sightings for log in opened])
        span = case.traced_span(self.days)
        own = _once(believed.take(_within(believed, span)))
        others, gone = [], np.zeros(len(own), dtype=bool)
        for user_id, case_id in self.partners_of(case, own.peer.names):
            other = self.store.case(case_id)
            if other is None:
                continue
            logs, _ = self._opened(other, believe_quarantined=believe_quarantined)
            theirs = Sightings.concat([log.sightings for log in logs])
            theirs = _once(theirs.take(_within(theirs, span)))
            gone |= elsewhere(own, theirs, owner=case.user_id, other=user_id)
            there = elsewhere(theirs, own, owner=user_id, other=case.user_id)
            theirs = theirs.take(~there)
            about = _about(theirs.time, theirs.time[rows_of(theirs.peer, case.user_id)])
            theirs = theirs.take(about)
            others.append(theirs.replaced(observer=Labels.constant(user_id, len(theirs))))
        if gone.any():
            rejected[Rejection.TWO_PLACES] = int(gone.sum())
        return Evidence(
            own=own.take(~gone),
            others=Sightings.concat(others),
            uploads=len(self.store.upload_ids(case.case_id)),
            unreadable_uploads=unreadable,
            records=sum(log.records for log in opened),
            accepted=sum(log.believed for log in opened) - int(gone.sum()),
            rejected=dict(rejected),
        )

    def partners_of(self, case: Case, people: Iterable[str]) -> list[tuple[str, str]]:
        """Return (user id, case id) of cases whose logs may name this case's person.

        An unconfirmed case gets none: otherwise a tracer could open a case for any contact, and
        read in its list whom another tracer's case met.

        Args:
            case: the case.
            people: user ids of those that the case's phone heard.
        """
        if case.unconfirmed or case.origin:  # a partner's records are of no person here
            return []
        found = set(self.store.desk.cases_of_users(sorted(people)))
        until = float((case.day + 1) * SECONDS_PER_DAY + _TAGGED_UNTIL_S)
        naming = self.store.desk.tagged(person_tags(case.user_id, until, self.keys))
        for case_id in {kept.case_id for kept in naming}:
            other = self.store.case(case_id)
            if other is not None:
                found.add((other.user_id, case_id))
        return sorted(pair for pair in found if pair[0] != case.user_id)

    def readable(self, case: Case) -> Sightings:
        """Return the accepted records of all logs of a case that can be opened, each once."""
        return self.heard([case]).people

    def heard(self, cases: Iterable[Case]) -> RecordsInLogs:
        """Return what the phones of cases heard of people and of places; opens each log once."""
        people, places = list[Sightings](), list[Sightings]()
        for case in cases:
            opened, _ = self._opened(case, believe_quarantined=False)
            people.append(_once(Sightings.concat([log.sightings for log in opened])))
            at_places = Sightings.concat([log.at_places for log in opened])
            places.append(_once(at_places.take(_within(at_places, case.traced_span(self.days)))))
        return RecordsInLogs(Sightings.concat(people), Sightings.concat(places))

    def _opened(self, case: Case, *, believe_quarantined: bool) -> tuple[list[OpenedLog], int]:
        """Return a case's opened logs, and the number that can't be opened any more."""
        opened = []
        unreadable = 0
        partners = self.handed(case.case_id)
        for upload in self.store.uploads(case.case_id):
            try:
                body = unseal(upload, self.keys)
            except (KeyRingError, SealError):
                unreadable += 1
                continue
            opened.append(
                open_log(
                    records_in(body),
                    self.issuer,
                    uploader=upload.user_id,
                    received_at=upload.received_at,
                    keys=None if believe_quarantined else self.keys,
                    registered=self.store.registered,
                    partners=partners,
                    several_phones=bool(case.origin),
                    places=self.store.places_among,
                )
            )
        return opened, unreadable


def _within(sightings: Sightings, span: tuple[float, float]) -> Bools:
    return np.asarray((sightings.time >= span[0]) & (sightings.time < span[1]))


def _about(time: Floats, moments: Floats) -> Bools:
    """Return which times are within ``_ABOUT_S`` of one of ``moments``."""
    ends = np.sort(moments)
    last = np.searchsorted(ends, time + _ABOUT_S, side="right")
    return np.asarray(last > np.searchsorted(ends, time - _ABOUT_S, side="left"))


def _once(sightings: Sightings) -> Sightings:
    """Return the sightings with the same record in two overlapping uploads counted once."""
    keys = np.stack([sightings.time, sightings.peer.codes, sightings.rssi_dbm], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    kept: Ints = np.sort(first).astype(np.int64)
    return sightings.take(kept)
