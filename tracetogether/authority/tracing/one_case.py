"""The contact list of one case: people, minutes near and probabilities, in order of concern."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lines import UNKEYED, Contact, contacts_of, judged, pseudonym
from tracetogether.authority.contacts.lists import ContactList, opened_contacts, sealed_contacts
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.tracing.evidence import Evidence, Logs
from tracetogether.authority.tracing.phone_table import PHONES, phones_used
from tracetogether.crypto import sha256
from tracetogether.errors import InvalidRequestError, KeyRingError, NotFoundError, SealError
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import (
    CWA_POLICY,
    DEMO_POLICY,
    IMMUNI_POLICY,
    LFPH_POLICY,
    NEAR_POLICY,
    SINGAPORE_POLICY,
    SWISSCOVID_POLICY,
    CloseContactPolicy,
)
from tracetogether.rejection import Rejection
from tracetogether.units import Entropy, utc_day

POLICIES: Final[Mapping[str, CloseContactPolicy]] = {
    "singapore": SINGAPORE_POLICY,
    "2m-15min": DEMO_POLICY,
    "1.5m-15min": NEAR_POLICY,
    "swisscovid": SWISSCOVID_POLICY,
    "cwa": CWA_POLICY,
    "immuni": IMMUNI_POLICY,
    "lfph": LFPH_POLICY,
}
"""The close-contact policies that can be asked for by name."""


LEAST_CHANCE: Final = "least-chance"
"""The setting of an authority's least chance; without one, each policy has its own."""


def policy_named(name: str) -> CloseContactPolicy:
    """Return a policy by its name.

    Raises:
        InvalidRequestError: there is no such policy; the message lists them.
    """
    if name not in POLICIES:
        msg = f"there is no such policy: choose one of {', '.join(POLICIES)}"
        raise InvalidRequestError(msg, "no-such-policy")
    return POLICIES[name]


@dataclass(frozen=True, slots=True)
class TracedCase:
    """The contact list of one case, with counts of its logs and records.

    Attributes:
        case: the case.
        policy: the policy that defines ``close_contact``.
        contacts: people who were near within the traced span, in order of concern.
        uploads: number of stored logs.
        unreadable_uploads: number of logs that can't be opened, because their key is destroyed.
        records: number of records in the readable logs.
        accepted: how many of those were believed.
        in_span: how many of the believed lie in the traced span; the same record in two
            uploads counts once.
        rejected: how many were not believed, by reason.
        days: the authority's, by which contacts have days.
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
    days: LocalDays = UTC_DAYS

    @property
    def traced_from(self) -> float:
        """Start of the traced span, in epoch seconds."""
        return self.case.traced_span(self.days)[0]

    @property
    def traced_until(self) -> float:
        """End of the traced span (exclusive), in epoch seconds."""
        return self.case.traced_span(self.days)[1]


@dataclass(frozen=True, slots=True)
class Tracing:
    """Finds the contacts of a case, and stores the list until its input changes."""

    logs: Logs
    store: IntakeStore
    audit: Audit
    entropy: Entropy = os.urandom

    def policy(self, name: str = "singapore") -> CloseContactPolicy:
        """Return a policy by its name, with the least chance that this authority has set.

        Raises:
            InvalidRequestError: there is no such policy.
        """
        policy, chosen = policy_named(name), self.store.setting(LEAST_CHANCE)
        return policy if chosen is None else replace(policy, least_chance=float(chosen))

    def contacts(
        self,
        case: Case,
        policy: CloseContactPolicy | None = None,
        *,
        by: Caller,
        believe_quarantined: bool = False,
    ) -> TracedCase:
        """Return ``found`` for a caller.

        Raises:
            AccessDeniedError: ``by`` may not list contacts.
        """
        by.require(Action.LIST_CONTACTS)
        return self.found(case, policy, believe_quarantined=believe_quarantined)

    def found(
        self,
        case: Case,
        policy: CloseContactPolicy | None = None,
        *,
        believe_quarantined: bool = False,
    ) -> TracedCase:
        """Return who was near the case's user in the 14 days before the case's date.

        The list is stored with the people in it sealed. It is computed again from the logs if a
        log that it depends on arrived or was deleted, if a person on it withdrew, or if keys
        were quarantined. Logs whose keys are destroyed are counted as unreadable.

        Args:
            case: the case.
            policy: when a contact is close; Singapore's if None.
            believe_quarantined: take records of days whose keys may be known to others too.
        """
        policy = self.policy() if policy is None else policy
        found = None if believe_quarantined else self._kept(case, policy)
        if found is None:
            evidence = self.logs.evidence(case, believe_quarantined=believe_quarantined)
            found = self._traced(case, policy, evidence)
            if not believe_quarantined:
                self._keep(found)
        return replace(found, policy=policy, contacts=judged(found.contacts, policy, case.day))

    def refresh(self, case: Case) -> None:
        """Compute and store a case's contacts for the radius of every policy."""
        radii = {
            policy.basis: policy for policy in POLICIES.values() if policy.rule is None
        }.values()
        missing = [policy for policy in radii if self._kept(case, policy) is None]
        if missing:
            evidence = self.logs.evidence(case)
            for policy in missing:
                self._keep(self._traced(case, policy, evidence))

    def concerned(self, case: Case) -> list[Case]:
        """Return the other cases whose contact lists this case's logs may change."""
        people = [contact.user_id for contact in self.found(case).contacts]
        found = [self.store.case(case_id) for _, case_id in self.logs.partners_of(case, people)]
        return [case for case in found if case is not None]

    def reveal(self, case: Case, name: str, reason: str, now: float, *, by: Caller) -> str:
        """Return the user id behind a pseudonym in a case's list; the audit log records it.

        Raises:
            InvalidRequestError: the reason is empty, too long or no plain text.
            NotFoundError: there is no such contact in this case.
        """
        by.require(Action.REVEAL)
        why = self.audit.reason_given(reason, now, by=by.name, case_id=case.case_id, contact=name)
        # Releases before the naming key had other pseudonyms: those are still accepted.
        found = [
            contact.user_id
            for contact in self.found(case).contacts
            if name in {contact.pseudonym, pseudonym(contact.user_id, UNKEYED)}
        ]
        if not found:
            msg = "there is no such contact in this case: `authority case contacts` shows all"
            raise NotFoundError(msg, "no-such-contact")
        self.audit.record(
            "contact.revealed", now, by=by.name, subject=case.case_id, contact=name, reason=why
        )
        return found[0]

    def _kept(self, case: Case, policy: CloseContactPolicy) -> TracedCase | None:
        """Return the stored list; None if there is none, or it is outdated."""
        kept = self.store.contact_list(case.case_id, policy.basis)
        if kept is None:
            return None
        try:
            contacts = opened_contacts(kept, self.logs.keys)
        except (KeyRingError, SealError):
            return None
        if kept.found_from != self._what_it_is_found_from(case, contacts):
            return None
        people = [contact.user_id for contact in contacts]
        if len(self.store.registered(people)) < len(people):
            return None
        return TracedCase(
            case=case,
            policy=policy,
            contacts=contacts,
            uploads=kept.uploads,
            unreadable_uploads=kept.unreadable_uploads,
            records=kept.records,
            accepted=kept.accepted,
            in_span=kept.in_span,
            rejected={Rejection(reason): count for reason, count in kept.rejected.items()},
            days=self.logs.days,
        )

    def _keep(self, found: TracedCase) -> None:
        received = [time for _, time in self.store.upload_ids(found.case.case_id)]
        if not received or not self.logs.keys.has_day(utc_day(max(received))):
            return  # no log arrived, or it is about to be deleted
        self.store.put_contact_list(
            ContactList(
                case_id=found.case.case_id,
                basis=found.policy.basis,
                day=utc_day(max(received)),  # the list is deleted with the last upload
                found_from=self._what_it_is_found_from(found.case, found.contacts),
                uploads=found.uploads,
                unreadable_uploads=found.unreadable_uploads,
                records=found.records,
                accepted=found.accepted,
                in_span=found.in_span,
                rejected={reason.value: count for reason, count in found.rejected.items()},
                contacts=sealed_contacts(
                    found.contacts,
                    found.case.case_id,
                    utc_day(max(received)),
                    self.logs.keys,
                    self.entropy,
                ),
            )
        )

    def _what_it_is_found_from(self, case: Case, contacts: Iterable[Contact]) -> bytes:
        # Keys that were destroyed early, within the traced days, change the list too.
        first, _ = case.traced_span(self.logs.days)
        oldest = max(self.logs.keys.oldest_day or 0, utc_day(first))
        partners = self.logs.partners_of(case, {contact.user_id for contact in contacts})
        said = [
            [
                [tuple(upload) for upload in self.store.upload_ids(case_id)]
                for case_id in (case.case_id, *(case_id for _, case_id in partners))
            ],
            self.logs.keys.quarantine_spans,
            case.day,
            oldest,
            *(() if self.logs.days.is_utc else (self.logs.days.name,)),
            *((phones,) if (phones := self.store.setting(PHONES)) else ()),
        ]
        return sha256(repr(said).encode())

    def _traced(self, case: Case, policy: CloseContactPolicy, found: Evidence) -> TracedCase:
        return TracedCase(
            case=case,
            policy=policy,
            contacts=contacts_of(
                found.own,
                policy,
                others=found.others,
                owner=case.user_id,
                case_day=case.day,
                days=self.logs.days,
                naming_key=self.logs.keys.naming_key,
                calibration=phones_used(self.store),
            ),
            uploads=found.uploads,
            unreadable_uploads=found.unreadable_uploads,
            records=found.records,
            accepted=found.accepted,
            in_span=len(found.own),
            rejected=found.rejected,
            days=self.logs.days,
        )
