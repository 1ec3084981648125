"""One person twice, and a contact who falls ill: rows are merged, contacts become cases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import CONSOLE, Caller
from tracetogether.authority.access.permissions import Action
from tracetogether.authority.cases.casework import Case, CaseDeskStore, CaseState, Casework
from tracetogether.authority.cases.followed import (
    ContactState,
    FollowStore,
    KeptContact,
    check_version,
    opened_person,
)
from tracetogether.authority.desk.calendars import after_calls, check_open
from tracetogether.authority.desk.views import Desk, Followed
from tracetogether.errors import ConflictError
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters


@dataclass(frozen=True, slots=True)
class Merging:
    """Makes two rows one, and a contact a case.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.
    """

    desk: Desk
    casework: Casework
    follow: FollowStore
    cases: CaseDeskStore
    audit: Audit
    parameters: FollowUpParameters = FOLLOW_UP

    def merge(
        self,
        contact_id: str,
        into: str,
        now: float,
        *,
        version: int | None = None,
        by: Caller = CONSOLE,
    ) -> Followed:
        """Make a contact of a case the same person as another one of it; return the one that stays.

        Days that have an outcome only at the one that goes get it at the one that stays.

        Raises:
            NotFoundError: there is no such contact, or it is of a case that is not his.
            ConflictError: they are the same row, of two cases, or one ended otherwise.
        """
        by.require(Action.MERGE_CONTACTS)
        with self.audit.atomic():
            held = {one: self.desk.kept(one, by) for one in sorted({contact_id, into})}
            gone, stays = held[contact_id], held[into]
            check_version(gone.version, version)
            if gone.case_id != stays.case_id or gone.contact_id == stays.contact_id:
                msg = "two contacts of one case are merged: name another one of the same case"
                raise ConflictError(msg)
            for one in (gone, stays):
                check_open(one)
            stays = self._united(gone, stays, now)
            self.follow.put_contacts([stays])
            self.audit.record(
                "contact.merged",
                now,
                by=by.name,
                subject=stays.case_id,
                contact_id=stays.contact_id,
                merged=gone.contact_id,
            )
        return self.desk.shown(stays, by)

    def merge_cases(
        self,
        case_id: str,
        into: str,
        now: float,
        *,
        version: int | None = None,
        by: Caller = CONSOLE,
    ) -> Case:
        """Make a case the same as another one, which takes its contacts; return the one that stays.

        Logs stay where they came in: the merged case's timeline can still be looked at.

        Raises:
            NotFoundError: there is no such case, or it is not his.
            ConflictError: they are the same, or one was merged already.
        """
        by.require(Action.MERGE_CASES)
        with self.audit.atomic():
            held = {one: self.casework.locked(one, by=by) for one in sorted({case_id, into})}
            if len(held) < 2:
                msg = "a case is not merged into itself: name another one"
                raise ConflictError(msg)
            gone, stays = held[case_id], held[into]
            check_version(gone.version, version)
            if CaseState.MERGED in {gone.state, stays.state}:
                msg = "one of the cases was merged already: see where into"
                raise ConflictError(msg)
            mine = {opened_person(one, self.desk.keys): one for one in self._open_in(into)}
            for one in self._open_in(case_id):
                person = opened_person(one, self.desk.keys)
                same = None if person is None else mine.get(person)
                if same is None:
                    self.follow.put_contacts([replace(one, case_id=into)])
                elif person is not None:
                    mine[person] = self._united(replace(one, case_id=into), same, now)
                    self.follow.put_contacts([mine[person]])
            merged = replace(gone, state=CaseState.MERGED, closed_at=now, merged_into=into)
            self.cases.put_case(merged)
            self.audit.record("case.merged", now, by=by.name, subject=into, merged=case_id)
        return stays

    def _open_in(self, case_id: str) -> Sequence[KeptContact]:
        kept = self.follow.contacts_of([case_id])
        return [one for one in kept if one.state is not ContactState.MERGED]

    def _united(self, gone: KeptContact, stays: KeptContact, now: float) -> KeptContact:
        """Fold one row's calendar into another's; write the one that goes."""
        both = self.follow.outcomes([gone.contact_id, stays.contact_id])
        there = {one.day for one in both.get(stays.contact_id, ())}
        taken = [one for one in both.get(gone.contact_id, ()) if one.day not in there]
        for one in taken:
            self.follow.put_outcome(stays.contact_id, one)
        told = [at for at in (gone.traced_at, stays.traced_at) if at is not None]
        stays = replace(
            stays,
            traced_at=min(told) if told else None,
            found_at=min(gone.found_at, stays.found_at),
            first_s=min(gone.first_s, stays.first_s),
            last_s=max(gone.last_s, stays.last_s),
            until_day=max(gone.until_day, stays.until_day),
            priority=min(gone.priority, stays.priority, key=lambda one: one.value),
            close_contact=gone.close_contact or stays.close_contact,
        )
        outcomes = self.follow.outcomes([stays.contact_id]).get(stays.contact_id, ())
        if outcomes and stays.state is not ContactState.BECAME_CASE:
            stays = after_calls(stays, outcomes, now, self.parameters)
        self.follow.put_contacts(
            [
                replace(
                    gone,
                    state=ContactState.MERGED,
                    merged_into=stays.contact_id,
                    ended_at=now,
                )
            ]
        )
        return stays

    def convert(
        self,
        contact_id: str,
        now: float,
        day: int | None = None,
        *,
        version: int | None = None,
        by: Caller = CONSOLE,
    ) -> Case:
        """Open a case for a contact who tested positive.

        If ``by`` may not confirm cases, it waits for somebody who may, or for the person's log:
        until then no other case's log is used for it.

        Args:
            contact_id: who.
            now: epoch seconds.
            day: UTC day number of the diagnosis; today if None.
            version: of the contact, as it was seen; None: whatever it is.
            by: on whose behalf.

        Raises:
            NotFoundError: there is no such contact, it is of a case that is not his, or the
                person has withdrawn or can't be opened any more.
            ConflictError: the contact is a case or was merged already, the person has an open
                case, or the date is wrong.
        """
        by.require(Action.CONVERT_CONTACT)
        with self.audit.atomic():
            kept = self.desk.kept(contact_id, by)
            check_version(kept.version, version)
            check_open(kept)
            user_id = self.desk.user_of(kept)
            case = self.casework.opened(user_id, now, day, by=by)
            kept = replace(
                kept,
                state=ContactState.BECAME_CASE,
                became_case=case.case_id,
                ended_at=now,
                version=kept.version + 1,
            )
            self.follow.put_contacts([kept])
            self.audit.record(
                "contact.became_case",
                now,
                by=by.name,
                subject=kept.case_id,
                contact_id=kept.contact_id,
                case_id=case.case_id,
            )
        return case
