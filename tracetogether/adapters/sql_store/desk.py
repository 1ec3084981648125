"""What tracers work on, in tables: cases, followed contacts, outcomes of days, notes, merges."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.cases import CASE, newest_first
from tracetogether.adapters.sql_store.dashboard import dashboard_of, is_due
from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import (
    BECAME_CASE,
    CASE_PEOPLE,
    CASES,
    FOLLOWED,
    MERGES,
    NOTES,
    OUTCOMES,
    UPLOADS,
    USERS,
)
from tracetogether.authority.cases.case import (
    OPEN_STATES,
    Case,
    CasePage,
    CaseQuery,
    date_of_day,
    summary_of,
)
from tracetogether.authority.cases.case_person import CasePerson
from tracetogether.authority.cases.followed import (
    ACTIVE,
    ALL_ROWS,
    ContactQuery,
    ContactState,
    DayOutcome,
    KeptContact,
    Outcome,
    Priority,
)
from tracetogether.authority.cases.indicators import Dashboard
from tracetogether.authority.cases.merges import SealedMerge
from tracetogether.authority.cases.notes import SealedNote
from tracetogether.local_days import UTC_DAYS, LocalDays

_ACTIVE: Final = sorted(state.value for state in ACTIVE)
CONTACT: Final = RowFormat(
    FOLLOWED,
    KeptContact,
    read={
        "state": ContactState,
        "priority": Priority,
        "reasons": lambda codes: tuple(codes.split()),
    },
    write={"reasons": " ".join},
)
_OUTCOME: Final = RowFormat(OUTCOMES, DayOutcome, read={"outcome": Outcome})
_CASE_PERSON: Final = RowFormat(CASE_PEOPLE, CasePerson)
_MERGE: Final = RowFormat(MERGES, SealedMerge)
_NOTE: Final = RowFormat(NOTES, SealedNote)
_CHANGEABLE: Final = (
    *("state", "assigned_to", "tracing_at_s", "closed_at_s"),
    *("merged_into", "unconfirmed", "version"),
)
"""The columns of a case that change while it is worked on."""


class DeskTables(TableAccess):
    """A ``cases.store.DeskStore``; its transactions are those of the whole store."""

    # --- cases ---

    def locked_case(self, case_id: str) -> Case | None:
        """Return a case that nobody else changes until the open transaction ends."""
        wanted = CASES.select().where(CASES.c.case_id == case_id).with_for_update()
        with self._transactions.writing():
            row = self._first(wanted)
        return None if row is None else CASE.item(row)

    def put_case(self, case: Case) -> None:
        """Store the fields of a case that can change; cases merged into it follow its assignee."""
        values = CASE.values(case)
        change = CASES.update().where(CASES.c.case_id == case.case_id)
        with self._transactions.writing() as connection:
            connection.execute(change.values({name: values[name] for name in _CHANGEABLE}))
            merged = [case.case_id]
            while merged:  # cases merged into it, then cases merged into those
                into = CASES.c.merged_into.in_(merged)
                connection.execute(CASES.update().where(into).values(assigned_to=case.assigned_to))
                merged = [*connection.execute(sa.select(CASES.c.case_id).where(into)).scalars()]

    def cases_merged_into(self, case_id: str) -> Sequence[Case]:
        """Return the cases that were merged into this one, the newest first."""
        wanted = CASES.select().where(CASES.c.merged_into == case_id)
        return [CASE.item(row) for row in self._all(newest_first(wanted))]

    def open_cases_of(self, user_id: str) -> Sequence[Case]:
        """Return a user's open cases, the newest first.

        Inside a transaction nobody else opens a case for that user until it ends.
        """
        states = sorted(state.value for state in OPEN_STATES)
        wanted = CASES.select().where(CASES.c.user_id == user_id, CASES.c.state.in_(states))
        with self._transactions.reading():
            if self._transactions.within:
                user = sa.select(USERS.c.user_id).where(USERS.c.user_id == user_id)
                self._first(user.with_for_update())
            return [CASE.item(row) for row in self._all(newest_first(wanted))]

    def cases_page(self, query: CaseQuery, today: int) -> CasePage:
        """Return a page with counts; ``today`` is the day that contacts are due on."""
        which: list[sa.ColumnElement[bool]] = []
        if query.states:
            which.append(CASES.c.state.in_(sorted(state.value for state in query.states)))
        if query.assigned_to is not None:
            which.append(CASES.c.assigned_to == query.assigned_to)
        if query.unconfirmed:
            which.append(CASES.c.unconfirmed)
        if query.starts_with:
            which.append(CASES.c.case_id.startswith(query.starts_with, autoescape=True))
        page = newest_first(CASES.select().where(*which)).offset(query.offset).limit(query.limit)
        count = sa.select(sa.func.count()).select_from(CASES).where(*which)
        with self._transactions.reading() as connection:
            total = connection.execute(count).scalar_one()
            cases = [CASE.item(row) for row in self._all(page)]
            ids = [case.case_id for case in cases]
            logs = connection.execute(
                sa.select(UPLOADS.c.case_id, sa.func.count().label("uploads"))
                .where(UPLOADS.c.case_id.in_(ids))
                .group_by(UPLOADS.c.case_id)
            )
            uploads: dict[str, int] = {row.case_id: row.uploads for row in logs}
            states = connection.execute(
                sa.select(
                    FOLLOWED.c.case_id,
                    FOLLOWED.c.state,
                    sa.func.count().label("contacts"),
                    sa.func.sum(sa.case((is_due(today), 1), else_=0)).label("due"),
                )
                .where(FOLLOWED.c.case_id.in_(ids))
                .group_by(FOLLOWED.c.case_id, FOLLOWED.c.state)
            ).all()
        found: dict[str, dict[ContactState, tuple[int, int]]] = {case_id: {} for case_id in ids}
        for row in states:
            found[row.case_id][ContactState(row.state)] = (row.contacts, int(row.due))
        summaries = [
            summary_of(case, uploads.get(case.case_id, 0), found[case.case_id]) for case in cases
        ]
        return CasePage(tuple(summaries), total, query.offset)

    def cases_named(self, case_ids: Collection[str]) -> Sequence[Case]:
        """Return the cases that have one of these ids, in the order of ids."""
        rows = self._all_in(CASES.select(), CASES.c.case_id, sorted(case_ids))
        return sorted(map(CASE.item, rows), key=lambda case: case.case_id)

    def cases_of_users(self, user_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return user id and case id of all cases of some users."""
        wanted = sa.select(CASES.c.user_id, CASES.c.case_id)
        rows = self._all_in(wanted, CASES.c.user_id, user_ids)
        return [(row["user_id"], row["case_id"]) for row in rows]

    # --- who a case is ---

    def put_case_person(self, person: CasePerson) -> None:
        """Store name and telephone number of a case; they replace the earlier ones."""
        self._put(CASE_PEOPLE, _CASE_PERSON.values(person))

    def case_person(self, case_id: str) -> CasePerson | None:
        """Return name and telephone number of a case, sealed; None if nothing is stored."""
        row = self._first(CASE_PEOPLE.select().where(CASE_PEOPLE.c.case_id == case_id))
        return None if row is None else _CASE_PERSON.item(row)

    def drop_case_person(self, case_id: str) -> None:
        """Delete name and telephone number of a case."""
        self._drop(CASE_PEOPLE, CASE_PEOPLE.c.case_id == case_id)

    def drop_case_people(self, before_day: int) -> int:
        """Delete names and telephone numbers sealed before this day; return how many."""
        return self._drop(CASE_PEOPLE, CASE_PEOPLE.c.day < before_day)

    def cases_by_person(
        self, user_id: str, digests: Mapping[str, Sequence[bytes]], limit: int
    ) -> Sequence[Case]:
        """Return cases of a user, or with one of the digests, the newest first."""
        kept = [
            CASE_PEOPLE.c[field].in_(some)
            for field, some in digests.items()
            if field in CASE_PEOPLE.c
        ]
        named = sa.select(CASE_PEOPLE.c.case_id).where(sa.or_(sa.false(), *kept))
        which = sa.or_(CASES.c.user_id == user_id, CASES.c.case_id.in_(named))
        wanted = newest_first(CASES.select().where(which)).limit(limit)
        return [CASE.item(row) for row in self._all(wanted)]

    # --- followed contacts and the outcomes of their days ---

    def put_contacts(self, contacts: Sequence[KeptContact]) -> None:
        """Store contacts; each replaces the one with its id."""
        if not contacts:
            return
        insert = self._database.insert(FOLLOWED)
        names = [column.name for column in FOLLOWED.columns if not column.primary_key]
        changed = {name: insert.excluded[name] for name in names}
        upsert = insert.on_conflict_do_update(index_elements=["contact_id"], set_=changed)
        rows = [{**CONTACT.values(kept), "urgency": kept.urgency} for kept in contacts]
        with self._transactions.writing() as connection:
            connection.execute(upsert, rows)

    def contact(self, contact_id: str) -> KeptContact | None:
        """Return a contact; inside a transaction nobody else changes it until that ends."""
        wanted = FOLLOWED.select().where(FOLLOWED.c.contact_id == contact_id)
        if self._transactions.within:
            wanted = wanted.with_for_update()
        row = self._first(wanted)
        return None if row is None else CONTACT.item(row)

    def contacts_page(self, query: ContactQuery) -> tuple[Sequence[KeptContact], int]:
        """Return a page in order of priority, and the number of contacts on all pages."""
        which: list[sa.ColumnElement[bool]] = []
        if query.case_id is not None:
            which.append(FOLLOWED.c.case_id == query.case_id)
        if query.states:
            which.append(FOLLOWED.c.state.in_(sorted(state.value for state in query.states)))
        if query.priorities:
            wanted = sorted(priority.value for priority in query.priorities)
            which.append(FOLLOWED.c.priority.in_(wanted))
        if query.assigned_to is not None:
            assigned = sa.select(CASES.c.case_id).where(CASES.c.assigned_to == query.assigned_to)
            which.append(FOLLOWED.c.case_id.in_(assigned))
        if query.due_on is not None:
            which.append(is_due(query.due_on))
        count = sa.select(sa.func.count()).select_from(FOLLOWED).where(*which)
        page = FOLLOWED.select().where(*which).order_by(FOLLOWED.c.urgency, FOLLOWED.c.contact_id)
        with self._transactions.reading() as connection:
            rows = self._all(page.offset(query.offset).limit(query.limit))
            whole = query.offset == 0 and query.limit == ALL_ROWS  # then they are counted already
            total = len(rows) if whole else connection.execute(count).scalar_one()
        return [CONTACT.item(row) for row in rows], total

    def contacts_of(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return all contacts of some cases, in order of priority."""
        return self._lines(FOLLOWED.c.case_id, case_ids)

    def contacts_after(self, contact_id: str, limit: int) -> Sequence[tuple[KeptContact, str]]:
        """Return contacts with ids above this one ("" for the first), each with its case's date."""
        wanted = (
            sa.select(FOLLOWED, CASES.c.day.label("case_day"))
            .join(CASES, CASES.c.case_id == FOLLOWED.c.case_id)
            .where(FOLLOWED.c.contact_id > contact_id)
            .order_by(FOLLOWED.c.contact_id)
            .limit(limit)
        )
        return [(CONTACT.item(row), date_of_day(row["case_day"])) for row in self._all(wanted)]

    def tagged(self, tags: Sequence[bytes]) -> Sequence[KeptContact]:
        """Return all contacts that have one of ``tags``."""
        return [CONTACT.item(row) for row in self._all_in(FOLLOWED.select(), FOLLOWED.c.tag, tags)]

    def lines_that_became(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return the contacts that became one of these cases, the most urgent first."""
        wanted = FOLLOWED.select().where(sa.text(BECAME_CASE))
        found = map(CONTACT.item, self._all_in(wanted, FOLLOWED.c.became_case, case_ids))
        return sorted(found, key=lambda kept: (kept.urgency, kept.contact_id))

    def lines_of(self, *people: bytes) -> Sequence[KeptContact]:
        """Return all contacts of some people, the most urgent first."""
        return self._lines(FOLLOWED.c.who, people)

    def _lines(self, column: sa.Column[Any], values: Sequence[object]) -> Sequence[KeptContact]:
        """Return contacts by the values of a column; inside a transaction they are locked."""
        wanted = FOLLOWED.select()
        if self._transactions.within:  # locked in one order, so that no two wait for each other
            wanted = wanted.order_by(FOLLOWED.c.contact_id).with_for_update()
        found = map(CONTACT.item, self._all_in(wanted, column, values))
        return sorted(found, key=lambda kept: (kept.urgency, kept.contact_id))

    def put_outcome(self, contact_id: str, outcome: DayOutcome) -> None:
        """Store the outcome of a day; it replaces an earlier one."""
        if outcome.outcome is not None:
            self._put(OUTCOMES, {"contact_id": contact_id, **_OUTCOME.values(outcome)})

    def outcomes(self, contact_ids: Sequence[str]) -> dict[str, tuple[DayOutcome, ...]]:
        """Return the outcomes of some contacts by id, each in the order of days."""
        wanted = OUTCOMES.select().order_by(OUTCOMES.c.contact_id, OUTCOMES.c.day)
        rows = self._all_in(wanted, OUTCOMES.c.contact_id, contact_ids)
        by_contact = groupby(rows, key=lambda row: str(row["contact_id"]))
        return {found_id: tuple(map(_OUTCOME.item, days)) for found_id, days in by_contact}

    def drop_outcome(self, contact_id: str, day: int) -> None:
        """Delete the outcome of a day."""
        self._delete(OUTCOMES, sa.and_(OUTCOMES.c.contact_id == contact_id, OUTCOMES.c.day == day))

    def drop_tagged(self, tags: Sequence[bytes]) -> int:
        """Delete contacts that have one of ``tags``, and notes on them; return how many."""
        return sum(self._drop_followed(FOLLOWED.c.tag.in_(part)) for part in parts_of(tags))

    def drop_contacts(self, before_day: int) -> int:
        """Delete contacts of days before this one; return how many."""
        return self._drop_followed(FOLLOWED.c.day < before_day)

    def _drop_followed(self, which: sa.ColumnElement[bool]) -> int:
        gone = sa.select(FOLLOWED.c.contact_id).where(which)
        with self._transactions.writing():
            self._delete(NOTES, NOTES.c.contact_id.in_(gone))
            return self._drop(FOLLOWED, which)

    def end_follow_ups(self, today: int, now: float) -> int:
        """End calls whose last day has passed, as completed or lost; return how many."""
        state = sa.case(
            (FOLLOWED.c.traced_at_s.is_(None), ContactState.LOST.value),
            else_=ContactState.COMPLETED.value,
        )
        change = FOLLOWED.update().where(
            FOLLOWED.c.state.in_(_ACTIVE), FOLLOWED.c.until_day < today
        )
        with self._transactions.writing() as connection:
            return connection.execute(
                change.values(state=state, ended_at_s=now, version=FOLLOWED.c.version + 1)
            ).rowcount

    def dashboard(
        self, now: float, assigned_to: str | None, days: LocalDays = UTC_DAYS
    ) -> Dashboard:
        """Return the counts at ``now``, of one operator's cases or (None) of all, by ``days``."""
        with self._transactions.reading() as connection:
            return dashboard_of(connection, now, assigned_to, days)

    # --- notes ---

    def add_note(self, note: SealedNote) -> None:
        """Store a note."""
        with self._transactions.writing() as connection:
            connection.execute(NOTES.insert().values(**_NOTE.values(note)))

    def notes(self, case_id: str) -> Sequence[SealedNote]:
        """Return the notes on a case and its contacts, the oldest first."""
        wanted = NOTES.select().where(NOTES.c.case_id == case_id)
        ordered = wanted.order_by(NOTES.c.at_s, NOTES.c.note_id)
        return [_NOTE.item(row) for row in self._all(ordered)]

    def move_note(self, note_id: str, case_id: str, contact_id: str) -> None:
        """Attach a note to another case or contact."""
        change = NOTES.update().where(NOTES.c.note_id == note_id)
        self._changed(change.values(case_id=case_id, contact_id=contact_id))

    def drop_notes(self, before_day: int) -> int:
        """Delete notes of days before this one; return how many."""
        return self._drop(NOTES, NOTES.c.day < before_day)

    # --- merges ---

    def put_merge(self, merge: SealedMerge) -> None:
        """Store a merge; it replaces an earlier one of the same ``gone``."""
        self._put(MERGES, _MERGE.values(merge))

    def merge_of(self, gone: str) -> SealedMerge | None:
        """Return the merge in which this case or contact went, or None."""
        row = self._first(MERGES.select().where(MERGES.c.gone == gone))
        return None if row is None else _MERGE.item(row)

    def merges_into(self, stays: str) -> Sequence[SealedMerge]:
        """Return what was merged into a case or contact, the oldest first."""
        wanted = MERGES.select().where(MERGES.c.stays == stays)
        ordered = wanted.order_by(MERGES.c.at_s, MERGES.c.gone)
        return [_MERGE.item(row) for row in self._all(ordered)]

    def drop_merge(self, gone: str) -> None:
        """Delete a merge."""
        self._delete(MERGES, MERGES.c.gone == gone)

    def drop_merges(self, before_day: int) -> int:
        """Delete merges of days before this one; return how many."""
        return self._drop(MERGES, MERGES.c.day < before_day)
