"""Undo merges: restore what was before, except for fields that were changed since."""

import os
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import OPEN_STATES, Case, CaseState
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import ContactState, KeptContact, check_version
from tracetogether.authority.cases.merges import Join, Merge, SealedMerge, opened_merge, put_back
from tracetogether.authority.cases.particulars import (
    opened_particulars,
    sealed_particulars,
    separated_particulars,
)
from tracetogether.authority.cases.person_index import indexed
from tracetogether.authority.desk.calendars import after_calls
from tracetogether.authority.desk.person_details import PersonDetails
from tracetogether.authority.desk.views import Desk
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.errors import ConflictError, NotFoundError
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters
from tracetogether.units import Entropy

_SHUT = frozenset({ContactState.BECAME_CASE, ContactState.MERGED})


@dataclass(frozen=True, slots=True)
class Unmerged:
    """The effect of undoing a merge, in numbers.

    Attributes:
        moved: contacts that move back unchanged.
        separated: contacts that are separate again.
        calls: days whose copied outcome is removed.
        notes: notes that move back.
        changed: contacts with fields that were changed since the merge, and stay so.
        stay: contacts that stay, because they were deleted or merged again since.
        closed: whether the case that comes back is closed, because its person has another open one.
    """

    moved: int = 0
    separated: int = 0
    calls: int = 0
    notes: int = 0
    changed: int = 0
    stay: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Unmerging:
    """Undoes merges, with the record that each merge stored.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it, NotFoundError if
    there is no such contact or case that ``by`` needs to know, or it was not merged alone, and
    StaleError if ``version`` is given and somebody has changed it since.
    """

    desk: Desk
    casework: Casework
    store: IntakeStore
    audit: Audit
    details: PersonDetails
    entropy: Entropy = os.urandom
    parameters: FollowUpParameters = FOLLOW_UP

    def undoable(self, kept: KeptContact, *, by: Caller) -> frozenset[str]:
        """Return the ids of the contacts whose merge with this one can be undone."""
        by.require(Action.MERGE_CONTACTS)
        found = self.store.desk.merges_into(kept.merged_into or kept.contact_id)
        return frozenset(merge.gone for merge in found)

    def undoable_cases(self, case: Case, *, by: Caller) -> frozenset[str]:
        """Return the ids of the cases whose merge with this one can be undone."""
        by.require(Action.MERGE_CASES)
        found = self.store.desk.merges_into(case.merged_into or case.case_id)
        return frozenset(merge.gone for merge in found)

    def undo(
        self,
        contact_id: str,
        now: float,
        *,
        version: int | None = None,
        dry_run: bool = False,
        by: Caller,
    ) -> Unmerged:
        """Undo the merge of a contact into another one.

        Args:
            contact_id: the one that was merged.
            now: epoch seconds.
            version: of that contact, as the caller saw it; None for any.
            dry_run: return what undoing would do, and change nothing.
            by: the caller.

        Raises:
            ConflictError: it is not merged, or the merge can't be undone any more.
        """
        by.require(Action.MERGE_CONTACTS)
        found = Unmerged()
        with self.audit.transaction(dry_run=dry_run):
            gone = self.desk.kept(contact_id, by)
            check_version(gone.version, version)
            kept, merge = self._record(contact_id)
            found = self._separated(merge, now)
            if found.stay:
                msg = "the contact that it was merged into was merged again: undo that first"
                raise ConflictError(msg, "contact-merged-again")
            self._finish("contact.unmerged", kept, gone.case_id, now, by)
        return found

    def undo_cases(
        self,
        case_id: str,
        now: float,
        *,
        version: int | None = None,
        dry_run: bool = False,
        by: Caller,
    ) -> Unmerged:
        """Undo the merge of a case into another one, which keeps the contacts found since.

        Arguments and errors are those of ``undo``.
        """
        by.require(Action.MERGE_CASES)
        found = Unmerged()
        with self.audit.transaction(dry_run=dry_run):
            kept, merge = self._record(case_id)
            pair = sorted({case_id, kept.stays})
            held = {name: self.casework.locked(name, by=by) for name in pair}
            gone, stays = held[case_id], held[kept.stays]
            check_version(gone.version, version)
            if stays.state is CaseState.MERGED:
                msg = "the case that it was merged into was merged again: undo that first"
                raise ConflictError(msg, "case-merged-again")
            found = self._separated(merge, now)
            stays, _ = put_back(stays, merge.case_stays)
            stays = replace(stays, version=stays.version + 1)
            self.store.desk.put_case(stays)
            self.details.separate(
                *(case_id, kept.stays, merge.case_taken, merge.case_also),
                now=now,
                version=stays.version,
            )
            gone, _ = put_back(gone, merge.case_gone)
            closed = gone.state in OPEN_STATES and self._has_open(gone.user_id)
            if closed:
                gone = replace(gone, state=CaseState.CLOSED, closed_at=now)
            self.store.desk.put_case(replace(gone, version=gone.version + 1))
            found = replace(found, closed=closed)
            self._finish("case.unmerged", kept, case_id, now, by)
        return found

    def _has_open(self, user_id: str) -> bool:
        return bool(self.store.desk.open_cases_of(user_id))

    def _record(self, gone: str) -> tuple[SealedMerge, Merge]:
        kept = self.store.desk.merge_of(gone) if gone.isascii() else None
        if kept is None:
            msg = "there is no merge to undo: it was part of another merge, or is too long ago"
            raise NotFoundError(msg, "no-merge-to-undo")
        return kept, opened_merge(kept, self.desk.keys)

    def _finish(self, act: str, kept: SealedMerge, subject: str, now: float, by: Caller) -> None:
        self.store.desk.drop_merge(kept.gone)
        self.audit.record(
            act, now, by=by.name, subject=subject, unmerged=kept.gone, stayed=kept.stays
        )

    def _separated(self, merge: Merge, now: float) -> Unmerged:
        """Put contacts and notes back, and count."""
        calls = changed = stay = separated = moved = notes = 0
        for join in merge.joins:
            pair = [
                self.store.desk.contact(contact_id)
                for contact_id in sorted({join.gone, join.stays})
            ]
            rows = {kept.contact_id: kept for kept in pair if kept is not None}
            gone, stays = rows.get(join.gone), rows.get(join.stays)
            if gone is None or gone.merged_into != join.stays:
                stay += 1
                continue
            if stays is not None and stays.state is ContactState.MERGED:
                stay += 1
                continue
            separated += 1
            if stays is not None:
                taken_away, left = self._separate(join, gone, stays, now)
                calls += taken_away
                changed += left
            gone, _ = put_back(gone, join.of_gone)
            self.store.desk.put_contacts([replace(gone, version=gone.version + 1)])
        for contact_id in merge.moved:
            kept = self.store.desk.contact(contact_id)
            if kept is None or self._merged_since(kept, merge):
                stay += 1
                continue
            moved += 1
            kept = replace(kept, case_id=merge.case_id, version=kept.version + 1)
            self.store.desk.put_contacts([kept])
        for note_id, (case_id, contact_id, *_) in merge.notes.items():
            self.store.desk.move_note(note_id, case_id, contact_id)
            notes += 1
        return Unmerged(moved, separated, calls, notes, changed, stay)

    def _merged_since(self, kept: KeptContact, merge: Merge) -> bool:
        """Return whether a contact was merged since into one that does not move back."""
        return kept.merged_into not in {"", *merge.moved}

    def _separate(
        self, join: Join, gone: KeptContact, stays: KeptContact, now: float
    ) -> tuple[int, int]:
        """Remove from a contact what it got from another one.

        Returns:
            The number of removed outcomes, and 1 if something was changed since and stays, else 0.
        """
        found = self.store.desk.outcomes([join.gone, join.stays])
        copied = {call.day: call for call in found.get(join.gone, ()) if call.day in join.days}
        same = [call for call in found.get(join.stays, ()) if copied.get(call.day) == call]
        for call in same:
            self.store.desk.drop_outcome(join.stays, call.day)
        keys = self.desk.keys
        said = opened_particulars(stays, keys)
        back = separated_particulars(
            said, opened_particulars(gone, keys), join.taken, join.also, stays.version + 1
        )
        stays, left = put_back(stays, join.of_stays)
        outcomes = self.store.desk.outcomes([join.stays]).get(join.stays, ())
        if left and outcomes and stays.state not in _SHUT:
            stays = after_calls(stays, outcomes, now, self.parameters)
        if replace(back, changed={}) != replace(said, changed={}):
            sealed = sealed_particulars(back, join.stays, stays.day, keys, self.entropy)
            stays = indexed(replace(stays, particulars=sealed), keys)
        self.store.desk.put_contacts([replace(stays, version=stays.version + 1)])
        return len(same), int(bool(left) or len(same) < len(join.days))
