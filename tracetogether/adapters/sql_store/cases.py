"""Cases and the contact lists found for them in tables."""

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import CASES, CONTACT_LISTS, CONTACTS
from tracetogether.authority.cases.case import Case, CaseState
from tracetogether.authority.contacts.lists import ContactList, SealedContact
from tracetogether.units import utc_day

CASE: Final = RowFormat(CASES, Case, read={"state": CaseState})
_LIST: Final = RowFormat(
    CONTACT_LISTS,
    ContactList,
    read={"rejected": json.loads},
    write={"rejected": lambda counts: json.dumps(dict(counts))},
    without=["contacts"],
)
_LINE: Final = RowFormat(CONTACTS, SealedContact)
_LINE_COLUMNS: Final = ("day", "case_id", "basis", "place", *_LINE.columns.values())


def newest_first(wanted: sa.Select[Any]) -> sa.Select[Any]:
    """Return a select of cases in the order in which they are listed."""
    return wanted.order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id)


class CaseTables(TableAccess):
    """What ``cases.store.CaseStore`` adds to a store of access, its desk excepted."""

    def add_case(self, case: Case) -> bool:
        """Add a case; return False if its id is taken, or the user has an open case."""
        return self._added(CASES, CASE.values(case))

    def confirm_case(self, case_id: str) -> bool:
        """Mark a case as confirmed; return False if there is none that is unconfirmed."""
        which = CASES.update().where(CASES.c.case_id == case_id, CASES.c.unconfirmed)
        return self._changed(which.values(unconfirmed=False))

    def case(self, case_id: str) -> Case | None:
        """Return a case, or None."""
        row = self._first(CASES.select().where(CASES.c.case_id == case_id))
        return None if row is None else CASE.item(row)

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        return [CASE.item(row) for row in self._all(newest_first(CASES.select()))]

    def touch_case(self, case_id: str, now: float) -> bool:
        """Store that somebody works on the case; return False if there is none."""
        later = sa.case((CASES.c.active_at_s < now, now), else_=CASES.c.active_at_s)
        change = CASES.update().where(CASES.c.case_id == case_id).values(active_at_s=later)
        return self._changed(change)

    def drop_cases(self, before: float) -> int:
        """Delete cases that nobody worked on since ``before``; return how many."""
        return self._drop(CASES, CASES.c.active_at_s < before)

    # --- contact lists: a row for what a list was found from, and one for each person ---

    def put_contact_list(self, found: ContactList) -> None:
        """Store a list; it replaces the one with the same case and basis."""
        key = (found.day, found.case_id, found.basis)
        with self._transactions.writing() as connection:
            for table in (CONTACTS, CONTACT_LISTS):
                self._delete(table, _is_list(table, found.case_id, found.basis))
            self._database.make_day(connection, found.day)
            connection.execute(CONTACT_LISTS.insert().values(**_LIST.values(found)))
            lines = (
                (*key, place, *_LINE.values(line).values())
                for place, line in enumerate(found.contacts)
            )
            self._database.bulk(connection, CONTACTS, _LINE_COLUMNS, lines)

    def contact_list(self, case_id: str, basis: str) -> ContactList | None:
        """Return a list, or None."""
        with self._transactions.reading():
            head, lines = (
                self._all(table.select().where(_is_list(table, case_id, basis)))
                for table in (CONTACT_LISTS, CONTACTS)
            )
        if not head:
            return None
        by_place = sorted(lines, key=lambda line: line["place"])
        return _LIST.item(head[0], contacts=tuple(map(_LINE.item, by_place)))

    def drop_contact_lists(self, before: float) -> int:
        """Delete contact lists of days that ended before that time; return how many."""
        with self._transactions.writing() as connection:
            self._database.drop_days(connection, CONTACTS, utc_day(before))
            gone = self._database.drop_days(connection, CONTACT_LISTS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone


def _is_list(table: sa.Table, case_id: str, basis: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.case_id == case_id, table.c.basis == basis)
