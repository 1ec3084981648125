"""Operators, cases and contact lists in tables."""

from collections.abc import Sequence

import sqlalchemy as sa

from tracetogether.adapters.sql_store.contact_rows import read_list, write_list
from tracetogether.adapters.sql_store.desk import case_of
from tracetogether.adapters.sql_store.rows import Rows
from tracetogether.adapters.sql_store.tables import CASES, CONTACT_LISTS, CONTACTS, OPERATORS
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.permissions import Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lists import ContactList
from tracetogether.units import utc_day


class CaseRows(Rows):
    """Operators, cases and their contact lists."""

    # --- operators (operators.OperatorStore) ---

    def add_operator(self, operator: Operator) -> bool:
        """Write down a new operator; False if the name or the token is already there."""
        return self._added(
            OPERATORS,
            name=operator.name,
            roles=" ".join(sorted(role.value for role in operator.roles)),
            added_at_s=operator.added_at,
            token_digest=operator.token_digest,
            disabled=operator.disabled,
        )

    def operators(self) -> Sequence[Operator]:
        """Return all operators by name, the disabled ones too."""
        with self._transactions.reading() as connection:
            rows = connection.execute(OPERATORS.select()).all()
        found = [
            Operator(name, frozenset(map(Role, roles.split())), added_at, digest, disabled)
            for name, roles, added_at, digest, disabled in rows
        ]
        return sorted(found, key=lambda one: one.name)

    def disable_operator(self, name: str) -> bool:
        """Shut an operator out; False if there is none of that name who is not."""
        which = OPERATORS.update().where(OPERATORS.c.name == name, OPERATORS.c.disabled.is_(False))
        with self._transactions.writing():
            changed = self._changed(which.values(disabled=True))
            if changed:
                self._transactions.revoked("disabled", name)
        return changed

    # --- cases (casework.CaseStore) ---

    def add_case(self, case: Case) -> bool:
        """Write down a new case; False if its id is taken, or the user has an open case."""
        return self._added(
            CASES,
            case_id=case.case_id,
            user_id=case.user_id,
            day=case.day,
            opened_at_s=case.opened_at,
            active_at_s=case.active_at,
            state=case.state.value,
            assigned_to=case.assigned_to,
            tracing_at_s=case.tracing_at,
            closed_at_s=case.closed_at,
            merged_into=case.merged_into,
            known_contact=case.known_contact,
            unconfirmed=case.unconfirmed,
            version=case.version,
        )

    def confirm_case(self, case_id: str) -> bool:
        """Note that a case is confirmed; False if there is none that is not."""
        which = CASES.update().where(CASES.c.case_id == case_id, CASES.c.unconfirmed)
        return self._changed(which.values(unconfirmed=False))

    def case(self, case_id: str) -> Case | None:
        """Return a case."""
        with self._transactions.reading() as connection:
            row = connection.execute(CASES.select().where(CASES.c.case_id == case_id)).first()
        return None if row is None else case_of(row)

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        wanted = CASES.select().order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id)
        with self._transactions.reading() as connection:
            return [case_of(row) for row in connection.execute(wanted)]

    def touch_case(self, case_id: str, now: float) -> bool:
        """Note that the case is being worked on; False if there is none."""
        later = sa.case((CASES.c.active_at_s < now, now), else_=CASES.c.active_at_s)
        change = CASES.update().where(CASES.c.case_id == case_id).values(active_at_s=later)
        return self._changed(change)

    def drop_cases(self, before: float) -> int:
        """Forget cases not worked on since ``before``; return how many went."""
        return self._drop(CASES, CASES.c.active_at_s < before)

    # --- contact lists (contact_lists.ListStore) ---

    def put_contact_list(self, found: ContactList) -> None:
        """Keep a list in place of the one of the same case and basis."""
        with self._transactions.writing() as connection:
            write_list(connection, self._database, found)

    def contact_list(self, case_id: str, basis: str) -> ContactList | None:
        """Return a list."""
        with self._transactions.reading() as connection:
            return read_list(connection, case_id, basis)

    def drop_contact_lists(self, before: float) -> int:
        """Forget contact lists of days that ended before that time; return how many went."""
        with self._transactions.writing() as connection:
            self._database.drop_days(connection, CONTACTS, utc_day(before))
            gone = self._database.drop_days(connection, CONTACT_LISTS, utc_day(before))
            self._transactions.settle_after(gone)
            return gone
