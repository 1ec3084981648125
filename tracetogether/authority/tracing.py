"""A case's contacts: opened sightings, folded by person into minutes near, in order of concern."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol

import numpy as np

from tracetogether.authority.casework import Case
from tracetogether.authority.contacts import Contact, contacts_of
from tracetogether.authority.intake import SealedUpload, unseal
from tracetogether.authority.opening import open_log
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import parse_upload
from tracetogether.errors import KeyRingError, NotFoundError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import DEMO_POLICY, SINGAPORE_POLICY, CloseContactPolicy
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import Ints

POLICIES: Final[Mapping[str, CloseContactPolicy]] = {
    "singapore": SINGAPORE_POLICY,
    "2m-15min": DEMO_POLICY,
}
"""The close-contact policies that can be asked for by name."""


def policy_named(name: str) -> CloseContactPolicy:
    """Return a policy by its name.

    Raises:
        NotFoundError: there is none of that name; the message lists those there are.
    """
    if name not in POLICIES:
        msg = f"there is no such policy; there are {', '.join(POLICIES)}"
        raise NotFoundError(msg)
    return POLICIES[name]


class UploadsOfCase(Protocol):
    """Where the uploads of a case are found."""

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        ...


@dataclass(frozen=True, slots=True)
class TracedCase:
    """What the uploads of one case say.

    Attributes:
        case: the case.
        policy: the policy that ``close_contact`` was judged by.
        contacts: who was near within the traced span, in order of concern.
        uploads: how many logs came in and are kept.
        unreadable_uploads: how many of them nobody can open any more (their day's key is gone).
        records: how many records the readable ones hold.
        accepted: how many of those were believed.
        in_span: how many of the believed lie in the traced span; the same record in two
            uploads counts once.
        rejected: how many were not believed, by reason.
    """

    case: Case
    policy: CloseContactPolicy
    contacts: tuple[Contact, ...] = field(repr=False)
    uploads: int
    unreadable_uploads: int
    records: int
    accepted: int
    in_span: int
    rejected: Mapping[Rejection, int]

    def to_json(self) -> dict[str, object]:
        """Return this as the command line and the HTTP form print it."""
        return {
            "case_id": self.case.case_id,
            "date": self.case.date,
            "traced_from": self.case.traced_from,
            "traced_until": self.case.traced_until,
            "policy": asdict(self.policy),
            "contacts": [contact.to_json() for contact in self.contacts],
            "uploads": self.uploads,
            "unreadable_uploads": self.unreadable_uploads,
            "records": self.records,
            "accepted": self.accepted,
            "in_span": self.in_span,
            "rejected": {reason.value: count for reason, count in self.rejected.items()},
        }


@dataclass(frozen=True, slots=True)
class Tracing:
    """Finds the contacts of a case, anew each time they are asked for: nothing of it is kept."""

    keys: KeyRing
    issuer: TempIDIssuer
    store: UploadsOfCase

    def contacts(self, case: Case, policy: CloseContactPolicy = SINGAPORE_POLICY) -> TracedCase:
        """Return who was near the case's user in the 14 days before the case's date.

        What can't be opened any more, because its keys were destroyed, is counted.
        """
        uploads = self.store.uploads(case.case_id)
        opened = []
        unreadable = 0
        for upload in uploads:
            try:
                body = unseal(upload, self.keys)
            except (KeyRingError, SealError):
                unreadable += 1
                continue
            opened.append(
                open_log(
                    parse_upload(body).records,
                    self.issuer,
                    uploader=upload.user_id,
                    received_at=upload.received_at,
                )
            )
        rejected: Counter[Rejection] = Counter()
        for log in opened:
            rejected.update(log.rejected)
        believed = Sightings.concat([log.sightings for log in opened])
        traced = believed.take(
            (believed.time >= case.traced_from) & (believed.time < case.traced_until)
        )
        traced = traced.take(_first_of_each(traced))
        return TracedCase(
            case=case,
            policy=policy,
            contacts=contacts_of(traced, policy),
            uploads=len(uploads),
            unreadable_uploads=unreadable,
            records=sum(log.records for log in opened),
            accepted=len(believed),
            in_span=len(traced),
            rejected=dict(rejected),
        )


def _first_of_each(sightings: Sightings) -> Ints:
    """Return the rows left when the same record in two overlapping uploads counts once."""
    keys = np.stack([sightings.time, sightings.peer.codes, sightings.rssi_dbm], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    return np.sort(first).astype(np.int64)
