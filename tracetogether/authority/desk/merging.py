"""Merge two contacts or cases that are one person; ``unmerging`` undoes it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import (
    CALLED_TOGETHER,
    ContactState,
    KeptContact,
    check_version,
    opened_person,
)
from tracetogether.authority.cases.merges import Join, Merge, changes, sealed_merge
from tracetogether.authority.cases.particulars import (
    joined_particulars,
    opened_particulars,
    sealed_particulars,
)
from tracetogether.authority.cases.person_index import indexed
from tracetogether.authority.desk.calendars import after_calls, check_open
from tracetogether.authority.desk.person_details import PersonDetails
from tracetogether.authority.desk.views import Desk
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.errors import ConflictError, InvalidRequestError
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters
from tracetogether.units import Entropy, utc_day

_STEPS = (ContactState.CASUAL, ContactState.TO_TRACE, ContactState.REACHED)


@dataclass(frozen=True, slots=True)
class Merged:
    """The effect of a merge, in numbers.

    Attributes:
        moved: contacts that move to the other case unchanged.
        joined: contacts that are merged with one of the other case.
        calls: days whose outcome is copied.
        clashes: days on which both have an outcome; that of the contact that stays is kept.
        notes: notes that move.
        names: names and telephone numbers that are copied.
        also: contacts, and cases, whose different name or number is added to the one that stays.
        uploads: logs that stay with the merged case.
    """

    moved: int = 0
    joined: int = 0
    calls: int = 0
    clashes: int = 0
    notes: int = 0
    names: int = 0
    also: int = 0
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class Merging:
    """Merges two contacts or two cases, and turns a contact into a case.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it, NotFoundError if
    there is no such contact or case that ``by`` needs to know, and StaleError if ``version`` is
    given and somebody has changed it since.
    """

    desk: Desk
    casework: Casework
    store: IntakeStore
    audit: Audit
    details: PersonDetails
    entropy: Entropy = os.urandom
    parameters: FollowUpParameters = FOLLOW_UP

    # --- contacts ---

    def merge(
        self,
        contact_id: str,
        into: str,
        now: float,
        *,
        version: int | None = None,
        dry_run: bool = False,
        by: Caller,
    ) -> Merged:
        """Merge a contact into another one of the same case, because they are one person.

        The contact that stays gets what only the other one has: outcomes of days, a name, a
        telephone number, and the notes.

        Args:
            contact_id: the one that goes.
            into: the one that stays.
            now: epoch seconds.
            version: of the one that goes, as the caller saw it; None for any.
            dry_run: return what the merge would do, and change nothing.
            by: the caller.

        Raises:
            InvalidRequestError: they are the same contact, or of two cases.
            ConflictError: one of them became a case, or was merged.
        """
        by.require(Action.MERGE_CONTACTS)
        with self.audit.transaction(dry_run=dry_run):
            return self._merge(contact_id, into, now, version, by)

    def _merge(
        self, contact_id: str, into: str, now: float, version: int | None, by: Caller
    ) -> Merged:
        held = {name: self.desk.kept(name, by) for name in sorted({contact_id, into})}
        gone, stays = held[contact_id], held[into]
        check_version(gone.version, version)
        if gone.case_id != stays.case_id or gone.contact_id == stays.contact_id:
            msg = "only two contacts of the same case can be merged: name another contact of it"
            raise InvalidRequestError(msg, "not-two-contacts-of-case")
        for kept in (gone, stays):
            check_open(kept)
        stays, join, clashes = self._united(gone, stays, now)
        notes = {
            note.note_id: (note.case_id, note.contact_id, note.case_id, into)
            for note in self.desk.notes.store.notes(gone.case_id)
            if note.contact_id == contact_id
        }
        self._keep(Merge((join,), notes=notes), (contact_id, into), stays.case_id, now, by)
        about = {"contact_id": stays.contact_id, "merged": gone.contact_id}
        self.audit.record("contact.merged", now, by=by.name, subject=stays.case_id, **about)
        return Merged(
            joined=1,
            calls=len(join.days),
            clashes=clashes,
            notes=len(notes),
            names=len(join.taken),
            also=int(join.also > 0),
        )

    # --- cases ---

    def merge_cases(
        self,
        case_id: str,
        into: str,
        now: float,
        *,
        version: int | None = None,
        dry_run: bool = False,
        by: Caller,
    ) -> Merged:
        """Merge a case into another one, which takes its contacts and notes.

        Logs stay with the case that they arrived for; operators who may see the case that stays
        can still open it.

        Arguments and errors are those of ``merge``.
        """
        by.require(Action.MERGE_CASES)
        with self.audit.transaction(dry_run=dry_run):
            return self._merge_cases(case_id, into, now, version, by)

    def _merge_cases(
        self, case_id: str, into: str, now: float, version: int | None, by: Caller
    ) -> Merged:
        held = {name: self.casework.locked(name, by=by) for name in sorted({case_id, into})}
        if len(held) < 2:
            msg = "a case can't be merged into itself: name another case"
            raise InvalidRequestError(msg, "case-into-itself")
        gone, stays = held[case_id], held[into]
        check_version(gone.version, version)
        if CaseState.MERGED in {gone.state, stays.state}:
            msg = "one of the cases was merged already: name the case that it was merged into"
            raise ConflictError(msg, "case-merged-already")
        for case in (gone, stays):
            if case.origin:
                msg = "the case holds records that {organisation} handed over: it is of no person"
                raise ConflictError(msg, "case-of-partner", organisation=case.origin)
        before = {kept.contact_id: kept for kept in self.store.desk.contacts_of([case_id])}
        joins, clashes = self._take_contacts(before, into, now)
        joined = {join.gone for join in joins}
        notes = {
            note.note_id: (case_id, note.contact_id, into, note.contact_id)
            for note in self.desk.notes.store.notes(case_id)
        }
        for join in joins:
            notes |= {
                name: (*place[:3], join.stays)
                for name, place in notes.items()
                if place[1] == join.gone
            }
        left, kept = self._cases_after(gone, stays, now)
        self.store.desk.put_case(left)  # first: a person may have one open case only
        self.store.desk.put_case(kept)
        self.store.touch_case(into, gone.active_at)
        taken, also = self.details.join(case_id, into, now, kept.version)
        merge = Merge(
            joins=tuple(joins),
            moved=tuple(sorted(before.keys() - joined)),
            notes=notes,
            case_gone=changes(gone, left),
            case_stays=changes(stays, kept),
            case_id=case_id,
            case_taken=taken,
            case_also=also,
        )
        self._keep(merge, (case_id, into), into, now, by)
        self.audit.record("case.merged", now, by=by.name, subject=into, merged=case_id)
        return Merged(
            moved=len(before) - len(joins),
            joined=len(joins),
            calls=sum(len(join.days) for join in joins),
            clashes=clashes,
            notes=len(notes),
            names=sum(len(join.taken) for join in joins) + len(taken),
            also=sum(join.also > 0 for join in joins) + (also > 0),
            uploads=len(self.store.upload_ids(case_id)),
        )

    def _take_contacts(
        self, before: dict[str, KeptContact], into: str, now: float
    ) -> tuple[list[Join], int]:
        """Move contacts to another case; merge those that it has already.

        Returns:
            What was merged, and on how many days both had an outcome.
        """
        there = [
            kept
            for kept in self.store.desk.contacts_of([into])
            if kept.state is not ContactState.MERGED
        ]
        mine = {opened_person(kept, self.desk.keys): kept for kept in there}
        joins, clashes = [], 0
        for kept in before.values():
            person = opened_person(kept, self.desk.keys)
            same = None if person is None else mine.get(person)
            if same is None or kept.state is ContactState.MERGED:
                self.store.desk.put_contacts(
                    [replace(kept, case_id=into, version=kept.version + 1)]
                )
                continue
            mine[person], join, both = self._united(kept, same, now, case_id=into)
            joins.append(join)
            clashes += both
        return joins, clashes

    def _cases_after(self, gone: Case, stays: Case, now: float) -> tuple[Case, Case]:
        """Return the case that goes and the one that stays, as they are after the merge."""
        begun = [at for at in (gone.tracing_at, stays.tracing_at) if at is not None]
        kept = replace(
            stays,
            assigned_to=stays.assigned_to or gone.assigned_to,
            tracing_at=min(begun) if begun else None,
            state=CaseState.TRACING if begun and stays.state is CaseState.OPEN else stays.state,
            version=stays.version + 1,
        )
        left = replace(
            gone,
            state=CaseState.MERGED,
            closed_at=now,
            merged_into=stays.case_id,
            assigned_to=kept.assigned_to,
            version=gone.version + 1,
        )
        return left, kept

    # --- both ---

    def cases_into(self, case_id: str, *, by: Caller) -> Sequence[Case]:
        """Return the cases that were merged into one, the newest first."""
        by.require(Action.SHOW_CASE)
        return self.store.desk.cases_merged_into(case_id)

    def _keep(
        self, merge: Merge, pair: tuple[str, str], case_id: str, now: float, by: Caller
    ) -> None:
        for note_id, (*_, case, contact) in merge.notes.items():
            self.store.desk.move_note(note_id, case, contact)
        day = utc_day(now)
        self.store.desk.put_merge(
            sealed_merge(merge, pair, case_id, day, now, by.name, self.desk.keys, self.entropy)
        )

    def _united(
        self, gone: KeptContact, stays: KeptContact, now: float, *, case_id: str | None = None
    ) -> tuple[KeptContact, Join, int]:
        """Merge one row into another, and write both.

        Returns:
            The row that stays, what was changed, and on how many days both have an outcome.
        """
        before = stays
        both = self.store.desk.outcomes([gone.contact_id, stays.contact_id])
        there = {call.day for call in both.get(stays.contact_id, ())}
        taken = [call for call in both.get(gone.contact_id, ()) if call.day not in there]
        for call in taken:
            self.store.desk.put_outcome(stays.contact_id, call)
        informed = [at for at in (gone.traced_at, stays.traced_at) if at is not None]
        steps = [kept.state for kept in (gone, stays)]
        stays = replace(
            stays,
            state=max(steps, key=_STEPS.index) if set(steps) <= set(_STEPS) else stays.state,
            traced_at=min(informed) if informed else None,
            found_at=min(gone.found_at, stays.found_at),
            first_s=min(gone.first_s, stays.first_s),
            last_s=max(gone.last_s, stays.last_s),
            until_day=max(gone.until_day, stays.until_day),
            priority=min(gone.priority, stays.priority, key=lambda priority: priority.value),
            reasons=tuple(dict.fromkeys((*stays.reasons, *gone.reasons))),
            close_contact=gone.close_contact or stays.close_contact,
            version=stays.version + 1,
        )
        outcomes = self.store.desk.outcomes([stays.contact_id]).get(stays.contact_id, ())
        if ContactState.BECAME_CASE in steps:
            became = gone if gone.state is ContactState.BECAME_CASE else before
            stays = replace(stays, state=became.state, ended_at=became.ended_at)
            stays = replace(stays, became_case=became.became_case)
        elif outcomes:
            stays = after_calls(stays, outcomes, now, self.parameters)
        keys = self.desk.keys
        own = opened_particulars(stays, keys)
        said, names, also = joined_particulars(own, opened_particulars(gone, keys), stays.version)
        if names or also or said.wrong != own.wrong:
            sealed = sealed_particulars(said, stays.contact_id, stays.day, keys, self.entropy)
            stays = indexed(replace(stays, particulars=sealed), keys)
        left = replace(
            gone,
            case_id=case_id or gone.case_id,
            state=ContactState.MERGED,
            merged_into=stays.contact_id,
            ended_at=now,
            version=gone.version + 1,
        )
        self.store.desk.put_contacts([left, stays])
        days, of_gone = tuple(call.day for call in taken), changes(gone, left)
        join = Join(
            *(gone.contact_id, stays.contact_id, of_gone, changes(before, stays)),
            *(days, names, also),
        )
        return stays, join, len(both.get(gone.contact_id, ())) - len(taken)

    def convert(
        self,
        contact_id: str,
        now: float,
        day: int | None = None,
        *,
        version: int | None = None,
        by: Caller,
    ) -> Case:
        """Open a case for a contact who tested positive; name and number come along, sealed.

        It holds for the person: nobody calls the lines of other cases any more either.
        Unless ``by`` may confirm cases, the case stays unconfirmed until somebody confirms it or
        the person's log arrives. Until then no other case's log is used for it.

        Args:
            contact_id: the contact.
            now: epoch seconds.
            day: number of the day of diagnosis, in the authority's time zone; today if None.
            version: of the contact, as the caller saw it; None for any.
            by: the caller.

        Raises:
            NotFoundError: also if the person has withdrawn, or the key of the day is destroyed.
            ConflictError: the contact is a case or was merged already, the person has an open
                case, or the date is wrong.
        """
        by.require(Action.CONVERT_CONTACT)
        who = self.desk.kept(contact_id, by).who
        with self.audit.atomic():
            # All lines of the person are locked in one order: of two tracers who convert two of
            # them at once, one waits for the other.
            lines = {line.contact_id: line for line in self.store.desk.lines_of(who)}
            kept = self.desk.kept(contact_id, by)
            lines.pop(contact_id, None)
            check_version(kept.version, version)
            check_open(kept)
            user_id = self.desk.user_of(kept)
            case = self.casework.opened(user_id, now, day, by=by)
            others = [line for line in lines.values() if line.state in CALLED_TOGETHER]
            self.details.carry([kept, *lines.values()], case, now)
            for line in (kept, *others):
                self._became(line, case, now, by)
        return case

    def _became(self, kept: KeptContact, case: Case, now: float, by: Caller) -> None:
        """End the calls to one line of a person who became a case."""
        became = replace(
            kept,
            state=ContactState.BECAME_CASE,
            became_case=case.case_id,
            ended_at=now,
            call_at=None,
            version=kept.version + 1,
        )
        self.store.desk.put_contacts([became])
        about = {"contact_id": kept.contact_id, "case_id": case.case_id}
        self.audit.record("contact.became_case", now, by=by.name, subject=kept.case_id, **about)
