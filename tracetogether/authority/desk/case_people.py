"""Who a case is: name and number, for a reason; from which contacts the case came."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.call_store import CallingStore
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import ContactState, Outcome, person_key
from tracetogether.authority.cases.particulars import FIELDS, Field, described
from tracetogether.authority.desk.followup import Person
from tracetogether.authority.desk.person_details import PersonDetails
from tracetogether.authority.desk.views import Desk, Followed
from tracetogether.errors import ConflictError
from tracetogether.keyring import KeyRing


@dataclass(frozen=True, slots=True)
class AboutCase:
    """What a case's page says of its person, without showing name and number.

    Attributes:
        described: which of name and telephone number are stored.
        contacts: the contacts that became this case, as far as the caller needs to know them.
        elsewhere: number of such contacts near cases that the caller does not need to know.
        symptoms_day: number of the first day on which a call found symptoms; None if none did.
    """

    described: frozenset[str] = frozenset()
    contacts: tuple[Followed, ...] = ()
    elsewhere: int = 0
    symptoms_day: int | None = None


@dataclass(frozen=True, slots=True)
class CasePeople:
    """Shows and stores who a case is.

    Every method raises AccessDeniedError if the roles of ``by`` do not allow it, and NotFoundError
    if there is no such case that ``by`` needs to know.
    """

    keys: KeyRing
    casework: Casework
    desk: Desk
    details: PersonDetails
    store: CallingStore
    audit: Audit

    def reveal(self, case_id: str, reason: str, now: float, *, by: Caller) -> Person:
        """Return who a case is; the audit log records the caller and the reason.

        Raises:
            InvalidRequestError: the reason is empty, too long or no plain text.
        """
        by.require(Action.REVEAL)
        case = self._own(case_id, by)
        name = self.desk.name_of(case.user_id)
        why = self.audit.reason_given(
            reason, now, by=by.name, case_id=case.case_id, contact=name, of_case=True
        )
        said = self.details.of_case(case.case_id)
        about = {"contact": name, "reason": why}
        self.audit.record("case.revealed", now, by=by.name, subject=case.case_id, **about)
        return Person(
            *(name, case.user_id, said.name, said.phone, said.also, case.version),
            wrong_number=said.phone in said.wrong,
            language=said.language,
        )

    def describe(
        self,
        case_id: str,
        name: str,
        phone: str,
        now: float,
        *,
        language: str = "",
        clear: Collection[Field] = (),
        version: int | None = None,
        by: Caller,
    ) -> Case:
        """Store name, telephone number or language of a case's person, sealed.

        They hold for the person: contacts that are the same person get them too.

        Args:
            case_id: whose.
            name: a blank keeps the stored one.
            phone: likewise.
            now: epoch seconds.
            language: likewise, its code; "und" deletes the stored one.
            clear: which of them to delete.
            version: of the case, as the caller saw it; without one, nothing that is stored is
                replaced or deleted.
            by: the caller.

        Raises:
            InvalidRequestError: a text is too long, or its field is to be deleted too.
            ConflictError: a text would replace another, and no ``version`` is given; or a partner
                handed the case over, so that nobody here knows whose it is.
            StaleError: somebody changed the case since.
        """
        by.require(Action.DESCRIBE)
        with self.audit.atomic():
            who = person_key(self._own(case_id, by).user_id, self.keys)
            self.store.desk.lines_of(who)  # locked first, as calls to the person lock them first
            case = self.casework.locked(case_id, version=version, by=by)
            stored = self.details.of_case(case.case_id)
            typed = {"name": name, "phone": phone, "language": language}
            changed = described(stored, typed, clear, version)
            return self.details.write_case(case, who, changed, now, by) if changed else case

    def changed_since(
        self, case_id: str, version: int, now: float, *, by: Caller
    ) -> dict[str, str]:
        """Return name and telephone number as far as others stored them after ``version``.

        The page shows them beside what the caller typed. The audit log records this as a reveal.
        """
        by.require(Action.REVEAL)
        case = self._own(case_id, by)
        said = self.details.of_case(case.case_id)
        found: dict[str, str] = {
            name: said.value(name) for name in FIELDS if said.changed.get(name, 0) > version
        }
        if found:
            about = {
                "contact": self.desk.name_of(case.user_id),
                "reason": f"changed meanwhile: {' '.join(found)}",
            }
            self.audit.record("case.revealed", now, by=by.name, subject=case.case_id, **about)
        return found

    def about(self, case: Case, merged: Iterable[Case] = (), *, by: Caller) -> AboutCase:
        """Return what is stored of a case's person, and which contacts became the case.

        Args:
            case: a case that ``by`` needs to know.
            merged: cases that were merged into it, whose contacts count as its own.
            by: the caller.
        """
        by.require(Action.LIST_FOLLOWED)
        if not by.needs_to_know(case.assigned_to):
            return AboutCase()
        said = self.details.of_case(case.case_id)
        stored = frozenset(name for name in FIELDS if said.value(name))
        # A person whom no log named before the case was opened was nobody's contact.
        ids = [each.case_id for each in (case, *merged) if each.known_contact]
        lines = [
            line
            for line in (self.store.desk.lines_that_became(ids) if ids else ())
            if line.state is ContactState.BECAME_CASE
        ]
        if not lines:
            return AboutCase(stored)
        calls = self.store.desk.outcomes([line.contact_id for line in lines])
        ill = [
            call.day for days in calls.values() for call in days if call.outcome is Outcome.SYMPTOMS
        ]
        assignees = self.store.calls.assignees({line.case_id for line in lines})
        known = [line for line in lines if by.needs_to_know(assignees.get(line.case_id, ""))]
        return AboutCase(
            described=stored,
            contacts=tuple(self.desk.all_shown(known, by)),
            elsewhere=len(lines) - len(known),
            symptoms_day=min(ill, default=None),
        )

    def _own(self, case_id: str, by: Caller) -> Case:
        """Return a case of a person of our own that ``by`` needs to know."""
        case = self.casework.case(case_id, by=by)
        if case.origin:
            msg = "the case holds records that {organisation} handed over: it is of no person"
            raise ConflictError(msg, "case-of-partner", organisation=case.origin)
        return case
