"""What operators see of contacts: lists, today's calls, calendars, links, the dashboard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.cases.followed import (
    ContactQuery,
    DayOutcome,
    KeptContact,
    opened_person,
    person_tags,
    with_times,
)
from tracetogether.authority.cases.indicators import Dashboard
from tracetogether.authority.cases.notes import Note, Notes
from tracetogether.authority.cases.store import DeskStore
from tracetogether.authority.contacts.lines import pseudonym
from tracetogether.errors import NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import FOLLOW_UP, FollowUpParameters


@dataclass(frozen=True, slots=True)
class Followed:
    """A contact as lists show it: with the pseudonym, without the name."""

    pseudonym: str
    kept: KeptContact


@dataclass(frozen=True, slots=True)
class ContactPage:
    """One page of contacts, the most urgent first."""

    contacts: tuple[Followed, ...]
    total: int
    offset: int


@dataclass(frozen=True, slots=True)
class ContactLink:
    """One line of the contact graph: a person near a case, and other cases that know the person.

    Attributes:
        contact: the line in this case's list.
        also_in: ids of other cases that the person was near, as far as the caller needs to know.
        own_cases: ids of the person's own cases, as far as the caller needs to know.
    """

    contact: Followed
    also_in: tuple[str, ...]
    own_cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """Shows contacts to operators; tracers see those of their own cases only.

    A method that checks ``by`` raises AccessDeniedError if that caller's roles do not allow the
    action, and NotFoundError if there is no such case or contact that ``by`` needs to know.
    """

    keys: KeyRing
    casework: Casework
    store: DeskStore
    notes: Notes
    parameters: FollowUpParameters = FOLLOW_UP
    days: LocalDays = UTC_DAYS

    def today(self, now: float) -> int:
        """Return the number of the current day in the authority's time zone."""
        return self.days.day(now)

    def contact(self, contact_id: str, *, by: Caller) -> Followed:
        """Return a contact that ``by`` needs to know."""
        by.require(Action.LIST_FOLLOWED)
        return self.shown(self.kept(contact_id, by), by)

    def page(self, query: ContactQuery, *, by: Caller) -> ContactPage:
        """Return a page of contacts of the cases that ``by`` needs to know."""
        by.require(Action.LIST_FOLLOWED)
        if not by.needs_to_know(""):
            query = replace(query, assigned_to=by.name)
        rows, total = self.store.contacts_page(query)
        return ContactPage(tuple(self.all_shown(rows, by)), total, query.offset)

    def due(self, now: float, offset: int = 0, limit: int = 50, *, by: Caller) -> ContactPage:
        """Return the contacts to call today, the most urgent first."""
        return self.page(ContactQuery(due_on=self.today(now), offset=offset, limit=limit), by=by)

    def calendar(self, contact_id: str, *, by: Caller) -> tuple[DayOutcome, ...]:
        """Return the days of a contact's follow-up, from the day after the last encounter."""
        by.require(Action.LIST_FOLLOWED)
        return self.days_of(self.kept(contact_id, by))

    def days_of(self, kept: KeptContact) -> tuple[DayOutcome, ...]:
        """Return the calendar of a contact that the caller may see."""
        outcomes = self.store.outcomes([kept.contact_id]).get(kept.contact_id, ())
        found = {outcome.day: outcome for outcome in outcomes}
        first = kept.until_day - self.parameters.days + 1
        days = sorted({*range(first, kept.until_day + 1), *found})
        return tuple(found.get(day, DayOutcome(day, None)) for day in days)

    def links(self, case: Case, now: float, *, by: Caller) -> tuple[ContactLink, ...]:
        """Return a case's contacts, each with the other cases that name the person.

        Cases that ``by`` does not need to know are left out.
        """
        by.require(Action.LIST_CONTACTS)
        rows = self.store.contacts_of([self.casework.case(case.case_id, by=by).case_id])
        people = {kept.contact_id: opened_person(kept, self.keys) for kept in rows}
        tags = {
            tag: user_id
            for user_id in people.values()
            if user_id is not None
            for tag in person_tags(user_id, now, self.keys)
        }
        elsewhere: dict[str, list[str]] = {}
        for other in self.store.tagged(list(tags)):
            if other.case_id != case.case_id:
                elsewhere.setdefault(tags[other.tag], []).append(other.case_id)
        own: dict[str, list[str]] = {}
        for user_id, case_id in self.store.cases_of_users(sorted(set(tags.values()))):
            own.setdefault(user_id, []).append(case_id)
        named = {case_id for some in (*elsewhere.values(), *own.values()) for case_id in some}
        known = named
        if named and not by.needs_to_know(""):
            cases = self.casework.store.cases()
            known = named & {
                other.case_id for other in cases if by.needs_to_know(other.assigned_to)
            }
        return tuple(
            ContactLink(
                shown,
                tuple(sorted(known.intersection(elsewhere.get(people[kept.contact_id] or "", ())))),
                tuple(sorted(known.intersection(own.get(people[kept.contact_id] or "", ())))),
            )
            for kept, shown in zip(rows, self.all_shown(rows, by), strict=True)
        )

    def own_cases(self, rows: Iterable[KeptContact], by: Caller) -> dict[bytes, tuple[Case, ...]]:
        """Return the cases that these people themselves are, by ``KeptContact.who``.

        Cases that ``by`` may not see are left out; the newest case of a person is first.
        """
        people = {opened_person(kept, self.keys): kept.who for kept in rows}
        who = {user_id: tag for user_id, tag in people.items() if user_id is not None}
        ids = {case_id for _, case_id in self.store.cases_of_users(sorted(who))} if who else set()
        named = self.store.cases_named(ids) if ids else ()
        found: dict[bytes, tuple[Case, ...]] = {}
        for case in sorted(named, key=lambda case: -case.opened_at):
            if self.casework.may_see(case, by):
                found[who[case.user_id]] = (*found.get(who[case.user_id], ()), case)
        return found

    def dashboard(self, now: float, *, by: Caller) -> Dashboard:
        """Return the figures of the first page: of all cases, or of a tracer's own."""
        by.require(Action.SHOW_DASHBOARD)
        return self.store.dashboard(now, None if by.needs_to_know("") else by.name, self.days)

    def notes_on(
        self, case_id: str, *, contact_id: str | None = None, by: Caller
    ) -> tuple[Note, ...]:
        """Return the notes on a case and its contacts, or on one contact, the oldest first."""
        by.require(Action.READ_NOTES)
        found = self.notes.read(self.casework.case(case_id, by=by).case_id)
        return tuple(note for note in found if contact_id in {None, note.contact_id})

    def notes_on_case(self, case: Case, *, contact_id: str = "", by: Caller) -> tuple[Note, ...]:
        """Return the notes on a case that was just read, or on one of its contacts.

        There are none for a caller who does not need to know the case.
        """
        by.require(Action.READ_NOTES)
        known = by.needs_to_know(case.assigned_to)
        found = self.notes.read(case.case_id) if known else ()
        return tuple(note for note in found if note.contact_id == contact_id)

    def kept(self, contact_id: str, by: Caller) -> KeptContact:
        """Return a stored contact; inside a transaction nobody else changes it."""
        found = self.store.contact(contact_id) if contact_id.isascii() else None
        if found is None:
            raise _no_contact(by)
        try:
            self.casework.case(found.case_id, by=by)
        except NotFoundError:
            raise _no_contact(by) from None
        return found

    def user_of(self, kept: KeptContact) -> str:
        """Return the user id of a contact.

        Raises:
            NotFoundError: the key of the day is destroyed.
        """
        user_id = opened_person(kept, self.keys)
        if user_id is None:
            msg = "the identity can't be read any more: the key of that day was deleted"
            raise NotFoundError(msg, "identity-key-gone")
        return user_id

    def shown(self, kept: KeptContact, by: Caller) -> Followed:
        """Return a contact as lists show it; ``became_case`` is blank if ``by`` may not see it."""
        (found,) = self.all_shown([kept], by)
        return found

    def all_shown(self, rows: Sequence[KeptContact], by: Caller) -> list[Followed]:
        """Return contacts as lists show them, in the same order."""
        visible = self.casework.visible_ids((kept.became_case for kept in rows), by)
        found = []
        for kept in rows:
            user_id = opened_person(kept, self.keys)
            name = "" if user_id is None else self.name_of(user_id)
            became = kept.became_case if kept.became_case in visible else ""
            shown = replace(with_times(kept, self.keys), became_case=became)
            found.append(Followed(name, shown))
        return found

    def name_of(self, user_id: str) -> str:
        """Return a user's pseudonym."""
        return pseudonym(user_id, self.keys.naming_key)


def _no_contact(by: Caller) -> NotFoundError:
    """Return one answer for a contact that does not exist and for one that ``by`` may not see."""
    if by.needs_to_know(""):  # sees every case, so the contact does not exist
        msg = "there is no such contact: `authority follow-up list` shows those in follow-up"
        return NotFoundError(msg, "contact-unknown")
    msg = "there is no such contact in the cases assigned to you"
    return NotFoundError(msg, "contact-not-yours")
