"""Write a person's name and number down once, for all lines and open cases of the person."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.case_person import CasePerson, opened_case_person
from tracetogether.authority.cases.followed import ContactState, KeptContact, opened_person
from tracetogether.authority.cases.particulars import (
    NameAndPhone,
    joined_particulars,
    opened_particulars,
    sealed_particulars,
    separated_particulars,
)
from tracetogether.authority.cases.person_index import indexed
from tracetogether.authority.cases.store import CaseStore
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """Stores names and numbers, sealed, inside the caller's transaction.

    The callers of these methods have checked that ``by`` may do it, and what is to be changed.
    """

    keys: KeyRing
    store: CaseStore
    audit: Audit
    entropy: Entropy = os.urandom

    def write_line(
        self, kept: KeptContact, changed: Mapping[str, str], now: float, by: Caller
    ) -> KeptContact:
        """Store changed fields of a contact, then of the person everywhere else.

        Returns:
            The contact after it.
        """
        after = self._line(kept, changed, now, by)
        self._other_lines(kept.who, changed, now, by, without=kept.contact_id)
        user_id = opened_person(kept, self.keys)
        for case in () if user_id is None else self.store.desk.open_cases_of(user_id):
            self._case(case, changed, now, by)
        return after

    def write_case(
        self, case: Case, who: bytes, changed: Mapping[str, str], now: float, by: Caller
    ) -> Case:
        """Store changed fields of a case, then of the person everywhere else.

        Args:
            case: whose person is described.
            who: ``KeptContact.who`` of that person.
            changed: field -> new value.
            now: epoch seconds.
            by: the caller.

        Returns:
            The case after it.
        """
        after = self._case(case, changed, now, by)
        self._other_lines(who, changed, now, by)
        for other in self.store.desk.open_cases_of(case.user_id):
            if other.case_id != case.case_id:
                self._case(other, changed, now, by)
        return after

    def carry(self, lines: Sequence[KeptContact], case: Case, now: float) -> None:
        """Store for a new case what is known of its person from contacts.

        Args:
            lines: the contacts, the one that became the case first.
            case: the case.
            now: epoch seconds.
        """
        said = NameAndPhone()
        for line in lines:
            said, _, _ = joined_particulars(said, opened_particulars(line, self.keys), 0)
        self._put(replace(said, changed={}), case.case_id, now)

    def join(self, gone: str, stays: str, now: float, version: int) -> tuple[tuple[str, ...], int]:
        """Store for a case what only the case has that is merged into it.

        Args:
            gone: id of the case that goes.
            stays: id of the other one.
            now: epoch seconds.
            version: of the case that stays, after the merge.

        Returns:
            Which fields were copied, and how many different pairs were added.
        """
        theirs, own = (self.of_case(case_id) for case_id in (gone, stays))
        said, taken, also = joined_particulars(own, theirs, version)
        if taken or also or said.wrong != own.wrong:
            self._put(said, stays, now)
        return taken, also

    def separate(
        self,
        gone: str,
        stays: str,
        taken: Collection[str],
        also: int,
        *,
        now: float,
        version: int,
    ) -> None:
        """Undo ``join``; fields that were changed since keep their values."""
        own = self.of_case(stays)
        said = separated_particulars(own, self.of_case(gone), taken, also, version)
        if replace(said, changed={}) != replace(own, changed={}):
            self._put(said, stays, now)

    def sealed(self, kept: KeptContact, said: NameAndPhone) -> KeptContact:
        """Return a contact with another name and number, sealed; nothing is stored.

        Raises:
            KeyRingError: the key of the contact's day was destroyed.
        """
        made = sealed_particulars(said, kept.contact_id, kept.day, self.keys, self.entropy)
        return replace(kept, particulars=made)

    def of_case(self, case_id: str) -> NameAndPhone:
        """Return name and telephone number that are stored of a case's person."""
        return opened_case_person(self.store.desk.case_person(case_id), self.keys)

    def _put(self, said: NameAndPhone, case_id: str, now: float) -> None:
        if said:
            person = CasePerson.of(said, case_id, now, self.keys, self.entropy)
            self.store.desk.put_case_person(person)
        else:
            self.store.desk.drop_case_person(case_id)

    def _case(self, case: Case, changed: Mapping[str, str], now: float, by: Caller) -> Case:
        """Store changed fields of a case, and return it after that."""
        case = replace(case, version=case.version + 1)
        said = self.of_case(case.case_id).with_fields(case.version, **changed)
        self._put(said, case.case_id, now)
        self.store.desk.put_case(case)
        self.audit.record(
            "case.described", now, by=by.name, subject=case.case_id, fields=" ".join(changed)
        )
        return case

    def _other_lines(
        self, who: bytes, changed: Mapping[str, str], now: float, by: Caller, *, without: str = ""
    ) -> None:
        """Store changed fields of the lines of a person; one line may be done already."""
        for line in self.store.desk.lines_of(who):
            merged = line.state is ContactState.MERGED
            # Nothing can be sealed for a line whose key is destroyed.
            if line.contact_id != without and not merged and self.keys.has_day(line.day):
                self._line(line, changed, now, by)

    def _line(
        self, kept: KeptContact, changed: Mapping[str, str], now: float, by: Caller
    ) -> KeptContact:
        """Store changed fields of one line of a person, and return the line after it."""
        kept = replace(kept, version=kept.version + 1)
        said = opened_particulars(kept, self.keys).with_fields(kept.version, **changed)
        kept = indexed(self.sealed(kept, said), self.keys)
        self.store.desk.put_contacts([kept])
        about = {"contact_id": kept.contact_id, "fields": " ".join(changed)}
        self.audit.record("contact.described", now, by=by.name, subject=kept.case_id, **about)
        return kept
