"""From logs to follow-up lists: find a case's contacts and keep them up to date.

No operator asks for this: a log that arrives, or the clock, starts it.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.case import OPEN_STATES, Case, new_id
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import (
    ContactState,
    KeptContact,
    Priority,
    opened_person,
    person_key,
    priority_of,
    sealed_person,
)
from tracetogether.authority.cases.particulars import (
    NameAndPhone,
    opened_particulars,
    sealed_particulars,
)
from tracetogether.authority.cases.person_index import indexed
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.tracing.one_case import Tracing
from tracetogether.errors import NotFoundError, TraceTogetherError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import FOLLOW_UP, CloseContactPolicy, FollowUpParameters
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_MINUTE, Entropy, utc_day

_RETRY_S: Final = 10 * SECONDS_PER_MINUTE
_OF_FOLLOW_UP: Final = (  # what a new measurement leaves as it is
    *("found_at", "traced_at", "last_day", "missed", "symptoms", "followed_all"),
    *("ended_at", "became_case", "merged_into", "call_at"),
)


@dataclass(frozen=True, slots=True)
class ContactFinder:
    """Finds the contacts that logs name, and puts them under follow-up."""

    keys: KeyRing
    casework: Casework
    tracing: Tracing
    store: IntakeStore
    audit: Audit
    entropy: Entropy = os.urandom
    parameters: FollowUpParameters = FOLLOW_UP
    days: LocalDays = UTC_DAYS

    def work_off(self, now: float, *, after_restart: bool = False) -> int:
        """Find the contacts of all logs that wait for it; return the number of cases done.

        A phone gets its answer before this happens. The store notes with the log that its case
        waits, so a restart loses nothing.

        Args:
            now: epoch seconds.
            after_restart: also take cases that somebody began in the last ten minutes.

        Raises:
            TraceTogetherError: one or more cases failed; they stay due, the others are done.
        """
        done = 0
        fault: TraceTogetherError | None = None
        tried_before = now if after_restart else now - _RETRY_S
        while (due := self.store.claim_due_list(now, tried_before)) is not None:
            case_id, arrived_at = due
            try:
                self.log_arrived(self.casework.kept(case_id), arrived_at, now)
            except NotFoundError:  # the case was deleted meanwhile, and with it what was due
                continue
            except TraceTogetherError as error:
                fault = fault or error
                continue
            self.store.due_list_done(case_id, arrived_at)
            done += 1
        if fault is not None:
            raise fault
        return done

    def log_arrived(self, case: Case, arrived_at: float, now: float) -> None:
        """Follow up the contacts in a case's new log, and those it shows of other cases."""
        self._refresh_keeping_dates(case, arrived_at, now)
        for other in self.tracing.concerned(case):
            self._refresh_keeping_dates(other, arrived_at, now)

    def refresh(self, case: Case, now: float, *, arrived_at: float | None = None) -> int:
        """Find a case's contacts again and follow them up; return the number of new ones.

        Contacts that are followed already keep their states; their measurements and priorities
        are updated.

        Args:
            case: whose contacts.
            now: epoch seconds.
            arrived_at: when the log arrived, if not now: its contacts are deleted with it.
        """
        self.tracing.refresh(case)
        traced = self.tracing.found(case)
        found = traced.contacts
        arrived_at = now if arrived_at is None else arrived_at
        if not found or not self.keys.has_day(utc_day(arrived_at)):
            return 0
        with self.audit.atomic():
            while case.merged_into:
                case = self.casework.kept(case.merged_into)
            rows = self.store.desk.contacts_of([case.case_id])
            rows = sorted(rows, key=lambda kept: kept.state is not ContactState.MERGED)
            known = {opened_person(kept, self.keys): kept for kept in rows}
            updated = [
                self._updated(contact, case, known.get(contact.user_id), arrived_at, traced.policy)
                for contact in found
            ]
            before = {kept.contact_id: kept.state for kept in known.values()}
            self.store.desk.put_contacts(self._with_what_is_known(updated, before, now))
            new = sum(contact.user_id not in known for contact in found)
            if new:
                self.audit.record(
                    "contacts.found", now, by="clock", subject=case.case_id, contacts=new
                )
        return new

    def take_over(
        self, now: float, progress: Callable[[int, int], None] | None = None
    ) -> tuple[int, int]:
        """Follow up the contacts of logs that no follow-up list names yet.

        Such logs arrived before there was a follow-up, or could not be worked off. Cases with
        followed contacts change only where one of these logs names more of them. Closed cases
        stay as they are.

        Args:
            now: epoch seconds.
            progress: called with the number of cases done and the number of all cases.

        Returns:
            The number of cases with new contacts, and the number of new contacts.
        """
        taken: list[tuple[Case, float]] = []
        new: Counter[str] = Counter()
        cases = self.casework.store.cases()
        for done, case in enumerate(cases):
            if progress is not None:
                progress(done, len(cases))
            arrivals = self._arrivals(case)
            if not arrivals or case.state not in OPEN_STATES:
                continue
            if not self.store.desk.contacts_of([case.case_id]):
                taken.append((case, max(arrivals)))
                new[case.case_id] += self.refresh(case, now, arrived_at=max(arrivals))
        # A log also names contacts of other cases, whose own phones may not have heard them.
        concerned: dict[str, tuple[Case, float]] = {}
        for case, arrived_at in taken:
            for other in self.tracing.concerned(case):
                _, before = concerned.get(other.case_id, (other, arrived_at))
                concerned[other.case_id] = other, max(arrived_at, before)
        for other, arrived_at in concerned.values():
            if other.state in OPEN_STATES:
                new[other.case_id] += self._refresh_keeping_dates(other, arrived_at, now)
        return sum(count > 0 for count in new.values()), new.total()

    def judge_again(self, case: Case, now: float) -> None:
        """Update the contacts of an open case after a change of the policy, without a new log."""
        self._refresh_keeping_dates(case, 0.0, now)

    def _with_what_is_known(
        self, lines: Sequence[KeptContact], before: Mapping[str, ContactState], now: float
    ) -> list[KeptContact]:
        """Return lines, the new ones with the name, number and next call of another case's line.

        A line that is to be called from now on asks nobody to call if its person became a case,
        which is open.

        Args:
            lines: of one case.
            before: the states of those that are stored already, by contact id.
            now: epoch seconds.
        """
        changed = [
            kept
            for kept in lines
            if kept.contact_id not in before
            or before[kept.contact_id] is ContactState.CASUAL is not kept.state
        ]
        elsewhere: dict[bytes, KeptContact] = {}
        ill = set[bytes]()
        for line in self.store.desk.lines_of(*(kept.who for kept in changed)):
            best = elsewhere.get(line.who)
            if best is None or len(line.particulars) > len(best.particulars):
                elsewhere[line.who] = line
            if line.state is ContactState.BECAME_CASE:
                ill.add(line.who)
        found = {kept.contact_id: kept for kept in lines}
        for kept in changed:
            if kept.contact_id not in before and kept.who in elsewhere:
                found[kept.contact_id] = self._copied(kept, elsewhere[kept.who])
            if kept.who in ill:
                found[kept.contact_id] = self._of_case(found[kept.contact_id], now)
        return [*found.values()]

    def _of_case(self, kept: KeptContact, now: float) -> KeptContact:
        """Return a line of somebody who became a case; as it is if that case is over."""
        user_id = opened_person(kept, self.keys)
        cases = () if user_id is None else self.store.desk.open_cases_of(user_id)
        if not cases or kept.state is not ContactState.TO_TRACE:
            return kept
        became, case_id = ContactState.BECAME_CASE, cases[0].case_id
        return replace(kept, state=became, became_case=case_id, ended_at=now, call_at=None)

    def _copied(self, kept: KeptContact, line: KeptContact) -> KeptContact:
        known = opened_particulars(line, self.keys)
        details = NameAndPhone(wrong=known.wrong).with_fields(
            kept.version, name=known.name, phone=known.phone, language=known.language
        )
        sealed = sealed_particulars(details, kept.contact_id, kept.day, self.keys, self.entropy)
        return indexed(replace(kept, particulars=sealed, call_at=line.call_at), self.keys)

    def _refresh_keeping_dates(self, case: Case, arrived_at: float, now: float) -> int:
        """Refresh a case; none of its contacts is deleted earlier because of an older log."""
        rows = self.store.desk.contacts_of([case.case_id])
        days = [float(kept.day * SECONDS_PER_DAY) for kept in rows]
        return self.refresh(case, now, arrived_at=max([arrived_at, *self._arrivals(case), *days]))

    def _arrivals(self, case: Case) -> list[float]:
        return [time for _, time in self.store.upload_ids(case.case_id)]

    def _updated(
        self,
        contact: Contact,
        case: Case,
        known: KeptContact | None,
        arrived_at: float,
        policy: CloseContactPolicy,
    ) -> KeptContact:
        """Return the row of a contact: a new one, or the known one with new measurements."""
        priority, reasons = priority_of(contact, policy)
        contact_id = known.contact_id if known else new_id(self.entropy)
        day = utc_day(arrived_at)
        person, tag = sealed_person(
            *(contact.user_id, contact_id, day, self.keys, self.entropy),
            first_s=contact.first_s,
            last_s=contact.last_s,
        )
        state = ContactState.TO_TRACE if contact.close_contact else ContactState.CASUAL
        new = KeptContact(
            contact_id=contact_id,
            case_id=case.case_id,
            day=day,
            person=person,
            tag=tag,
            who=person_key(contact.user_id, self.keys),
            state=state,
            priority=priority,
            reasons=reasons,
            close_contact=contact.close_contact,
            days=len(contact.days),
            minutes_low=contact.minutes.low,
            minutes=contact.minutes.median,
            minutes_high=contact.minutes.high,
            minutes_24h=contact.minutes_24h,
            probability=contact.probability,
            nearest_m=contact.nearest_m.median,
            seen_by=contact.seen_by,
            first_s=self.days.noon(contact.first_s),
            last_s=self.days.noon(contact.last_s),
            found_at=arrived_at,
            until_day=self.days.day(contact.last_s) + self.parameters.days,
        )
        if known is None:
            return indexed(new, self.keys, user_id=contact.user_id)
        details = opened_particulars(known, self.keys)
        row = replace(
            new,
            **{name: getattr(known, name) for name in _OF_FOLLOW_UP},
            state=state if known.state is ContactState.CASUAL else known.state,
            priority=Priority.HIGH if known.symptoms else priority,
            reasons=(*reasons, "symptoms") if known.symptoms else reasons,
            particulars=sealed_particulars(details, contact_id, day, self.keys, self.entropy),
            version=known.version + (state != known.state is ContactState.CASUAL),
        )
        return indexed(row, self.keys, user_id=contact.user_id)
