"""The tracers' desk in SQL: cases worked on, contacts followed up, calendars, notes."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.desk_counts import dashboard_of
from tracetogether.adapters.sql_store.desk_tables import FOLLOWED, NOTES, OUTCOMES
from tracetogether.adapters.sql_store.merge_rows import MergeRows
from tracetogether.adapters.sql_store.tables import CASES, UPLOADS, USERS
from tracetogether.authority.cases.case import (
    OPEN_STATES,
    Case,
    CasePage,
    CaseQuery,
    CaseState,
    date_of_day,
    summary_of,
)
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
from tracetogether.authority.cases.notes import SealedNote
from tracetogether.local_days import UTC_DAYS, LocalDays

_ACTIVE: Final = sorted(state.value for state in ACTIVE)
_FOLLOWED_NAMES: Final = [one.name for one in FOLLOWED.columns]
_CASE_FIELDS: Final = len(fields(Case))
_CASE_STATE: Final = [one.name for one in CASES.columns].index("state")
_FIELD_OF: Final = list(
    zip(_FOLLOWED_NAMES, [one.name for one in fields(KeptContact)], strict=False)
)
_STATE, _PRIORITY, _REASONS = map(_FOLLOWED_NAMES.index, ("state", "priority", "reasons"))


def case_of(row: sa.Row[Any]) -> Case:
    """Return the case that a row of CASES holds."""
    values = list(row)[:_CASE_FIELDS]  # what stands behind is the store's own
    values[_CASE_STATE] = CaseState(values[_CASE_STATE])
    return Case(*values)


def is_due(day: int) -> sa.ColumnElement[bool]:
    """Return the condition that a contact is to be called on ``day``."""
    return sa.and_(
        FOLLOWED.c.state.in_(_ACTIVE), FOLLOWED.c.last_day < day, FOLLOWED.c.until_day >= day
    )


class SqlDesk(MergeRows):
    """The desk's part of the store; it shares the store's transactions."""

    # --- cases (casework.CaseDeskStore) ---

    def locked_case(self, case_id: str) -> Case | None:
        """Return a case that nobody else changes until the open transaction ends."""
        wanted = CASES.select().where(CASES.c.case_id == case_id).with_for_update()
        with self._transactions.writing() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else case_of(row)

    def put_case(self, case: Case) -> None:
        """Write down what can change of a case; those merged into it are assigned with it."""
        change = CASES.update().where(CASES.c.case_id == case.case_id)
        with self._transactions.writing() as connection:
            connection.execute(
                change.values(
                    state=case.state.value,
                    assigned_to=case.assigned_to,
                    tracing_at_s=case.tracing_at,
                    closed_at_s=case.closed_at,
                    merged_into=case.merged_into,
                    unconfirmed=case.unconfirmed,
                    version=case.version,
                )
            )
            merged = [case.case_id]
            while merged:  # into it, or into one of those
                into = CASES.c.merged_into.in_(merged)
                connection.execute(CASES.update().where(into).values(assigned_to=case.assigned_to))
                merged = [*connection.execute(sa.select(CASES.c.case_id).where(into)).scalars()]

    def cases_merged_into(self, case_id: str) -> Sequence[Case]:
        """Return the cases that were merged into one, the newest first."""
        wanted = CASES.select().where(CASES.c.merged_into == case_id)
        wanted = wanted.order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id)
        with self._transactions.reading() as connection:
            return [case_of(row) for row in connection.execute(wanted)]

    def open_cases_of(self, user_id: str) -> Sequence[Case]:
        """Return a user's open cases, the newest first.

        Inside a transaction nobody else opens a case for that user until it ends.
        """
        states = sorted(state.value for state in OPEN_STATES)
        wanted = CASES.select().where(CASES.c.user_id == user_id, CASES.c.state.in_(states))
        with self._transactions.reading() as connection:
            if self._transactions.within:
                user = sa.select(USERS.c.user_id).where(USERS.c.user_id == user_id)
                connection.execute(user.with_for_update())
            rows = connection.execute(wanted.order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id))
            return [case_of(row) for row in rows]

    def cases_page(self, query: CaseQuery, today: int) -> CasePage:
        """Return a page with counts; ``today`` is the day that contacts are due on."""
        which: list[sa.ColumnElement[bool]] = []
        if query.states:
            which.append(CASES.c.state.in_(sorted(one.value for one in query.states)))
        if query.assigned_to is not None:
            which.append(CASES.c.assigned_to == query.assigned_to)
        if query.unconfirmed:
            which.append(CASES.c.unconfirmed)
        if query.starts_with:
            which.append(CASES.c.case_id.startswith(query.starts_with, autoescape=True))
        newest = CASES.select().where(*which).order_by(CASES.c.opened_at_s.desc(), CASES.c.case_id)
        count = sa.select(sa.func.count()).select_from(CASES).where(*which)
        with self._transactions.reading() as connection:
            total = connection.execute(count).scalar_one()
            rows = connection.execute(newest.offset(query.offset).limit(query.limit)).all()
            cases = [case_of(row) for row in rows]
            ids = [one.case_id for one in cases]
            logs = connection.execute(
                sa.select(UPLOADS.c.case_id, sa.func.count().label("uploads"))
                .where(UPLOADS.c.case_id.in_(ids))
                .group_by(UPLOADS.c.case_id)
            )
            uploads: dict[str, int] = {one.case_id: one.uploads for one in logs}
            states = connection.execute(
                sa.select(
                    FOLLOWED.c.case_id,
                    FOLLOWED.c.state,
                    sa.func.count(),
                    sa.func.sum(sa.case((is_due(today), 1), else_=0)),
                )
                .where(FOLLOWED.c.case_id.in_(ids))
                .group_by(FOLLOWED.c.case_id, FOLLOWED.c.state)
            ).all()
        found: dict[str, dict[ContactState, tuple[int, int]]] = {one: {} for one in ids}
        for case_id, state, contacts, due in states:
            found[case_id][ContactState(state)] = (contacts, int(due))
        summaries = [
            summary_of(one, uploads.get(one.case_id, 0), found[one.case_id]) for one in cases
        ]
        return CasePage(tuple(summaries), total, query.offset)

    def cases_of_users(self, user_ids: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return user id and case id of all cases of some users."""
        found: list[tuple[str, str]] = []
        with self._transactions.reading() as connection:
            for some in parts_of(user_ids):
                wanted = sa.select(CASES.c.user_id, CASES.c.case_id).where(
                    CASES.c.user_id.in_(some)
                )
                found += [(user, case) for user, case in connection.execute(wanted)]
        return found

    # --- contacts (followed.FollowStore) ---

    def put_contacts(self, contacts: Sequence[KeptContact]) -> None:
        """Write contacts down, each in place of the one of its id."""
        if not contacts:
            return
        row = self._database.insert(FOLLOWED)
        changed = {name: row.excluded[name] for name in _FOLLOWED_NAMES if name != "contact_id"}
        upsert = row.on_conflict_do_update(index_elements=["contact_id"], set_=changed)
        with self._transactions.writing() as connection:
            connection.execute(upsert, [_values(one) for one in contacts])

    def contact(self, contact_id: str) -> KeptContact | None:
        """Return a contact; inside a transaction nobody else changes it until that ends."""
        wanted = FOLLOWED.select().where(FOLLOWED.c.contact_id == contact_id)
        if self._transactions.within:
            wanted = wanted.with_for_update()
        with self._transactions.reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _kept(row)

    def contacts_page(self, query: ContactQuery) -> tuple[Sequence[KeptContact], int]:
        """Return a page in order of priority, and how many there are on all pages."""
        which: list[sa.ColumnElement[bool]] = []
        if query.case_id is not None:
            which.append(FOLLOWED.c.case_id == query.case_id)
        if query.states:
            which.append(FOLLOWED.c.state.in_(sorted(one.value for one in query.states)))
        if query.priorities:
            which.append(FOLLOWED.c.priority.in_(sorted(one.value for one in query.priorities)))
        if query.assigned_to is not None:
            his = sa.select(CASES.c.case_id).where(CASES.c.assigned_to == query.assigned_to)
            which.append(FOLLOWED.c.case_id.in_(his))
        if query.due_on is not None:
            which.append(is_due(query.due_on))
        count = sa.select(sa.func.count()).select_from(FOLLOWED).where(*which)
        page = _urgent(FOLLOWED.select().where(*which)).offset(query.offset).limit(query.limit)
        with self._transactions.reading() as connection:
            rows = [_kept(row) for row in connection.execute(page)]
            whole = query.offset == 0 and query.limit == ALL_ROWS  # then they are counted already
            total = len(rows) if whole else connection.execute(count).scalar_one()
        return rows, total

    def contacts_of(self, case_ids: Sequence[str]) -> Sequence[KeptContact]:
        """Return all contacts of some cases, in order of priority."""
        found: list[KeptContact] = []
        with self._transactions.reading() as connection:
            for some in parts_of(case_ids):
                wanted = FOLLOWED.select().where(FOLLOWED.c.case_id.in_(some))
                if self._transactions.within:  # in one order, so that no two wait for each other
                    wanted = wanted.order_by(FOLLOWED.c.contact_id).with_for_update()
                found += map(_kept, connection.execute(wanted))
        return sorted(found, key=lambda kept: (kept.urgency, kept.contact_id))

    def contacts_after(self, contact_id: str, limit: int) -> Sequence[tuple[KeptContact, str]]:
        """Return contacts by id beyond one ("" for the first), each with the case's date."""
        wanted = (
            sa.select(FOLLOWED, CASES.c.day.label("case_day"))
            .join(CASES, CASES.c.case_id == FOLLOWED.c.case_id)
            .where(FOLLOWED.c.contact_id > contact_id)
            .order_by(FOLLOWED.c.contact_id)
            .limit(limit)
        )
        with self._transactions.reading() as connection:
            rows = connection.execute(wanted).all()
        return [(_kept(row[:-1]), date_of_day(row[-1])) for row in rows]

    def tagged(self, tags: Sequence[bytes]) -> Sequence[KeptContact]:
        """Return all contacts that bear one of ``tags``."""
        found: list[KeptContact] = []
        with self._transactions.reading() as connection:
            for some in parts_of(tags):
                wanted = FOLLOWED.select().where(FOLLOWED.c.tag.in_(some))
                found += map(_kept, connection.execute(wanted))
        return found

    def put_outcome(self, contact_id: str, outcome: DayOutcome) -> None:
        """Write down a day's outcome in place of an earlier one."""
        if outcome.outcome is None:
            return
        said = {"outcome": outcome.outcome.value, "by": outcome.by, "at_s": outcome.at}
        row = self._database.insert(OUTCOMES).values(contact_id=contact_id, day=outcome.day, **said)
        with self._transactions.writing() as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["contact_id", "day"], set_=said)
            )

    def outcomes(self, contact_ids: Sequence[str]) -> dict[str, tuple[DayOutcome, ...]]:
        """Return the outcomes of some contacts by id, each in the order of days."""
        found: dict[str, tuple[DayOutcome, ...]] = {}
        with self._transactions.reading() as connection:
            for some in parts_of(contact_ids):
                wanted = (
                    OUTCOMES.select()
                    .where(OUTCOMES.c.contact_id.in_(some))
                    .order_by(OUTCOMES.c.contact_id, OUTCOMES.c.day)
                )
                for contact_id, rows in groupby(connection.execute(wanted), lambda one: one[0]):
                    found[contact_id] = tuple(
                        DayOutcome(day, Outcome(outcome), by, at)
                        for _, day, outcome, by, at in rows
                    )
        return found

    def drop_tagged(self, tags: Sequence[bytes]) -> int:
        """Forget contacts that bear one of ``tags``, and notes on them; return how many went."""
        return sum(self._drop_contacts(FOLLOWED.c.tag.in_(some)) for some in parts_of(tags))

    def drop_contacts(self, before_day: int) -> int:
        """Forget contacts of days before that one; return how many went."""
        return self._drop_contacts(FOLLOWED.c.day < before_day)

    def _drop_contacts(self, which: sa.ColumnElement[bool]) -> int:
        gone = sa.select(FOLLOWED.c.contact_id).where(which)
        with self._transactions.writing() as connection:
            connection.execute(NOTES.delete().where(NOTES.c.contact_id.in_(gone)))
            count = connection.execute(FOLLOWED.delete().where(which)).rowcount
            self._transactions.settle_after(count)
        return count

    def end_follow_ups(self, today: int, now: float) -> int:
        """Complete (or lose) those whose last day has passed; return how many ended."""
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

    # --- notes (notes.NoteStore) ---

    def add_note(self, note: SealedNote) -> None:
        """Keep a note."""
        with self._transactions.writing() as connection:
            connection.execute(NOTES.insert().values(astuple(note)))

    def notes(self, case_id: str) -> Sequence[SealedNote]:
        """Return the notes on a case and its contacts, the oldest first."""
        wanted = (
            NOTES.select().where(NOTES.c.case_id == case_id).order_by(NOTES.c.at_s, NOTES.c.note_id)
        )
        with self._transactions.reading() as connection:
            return [SealedNote(*row) for row in connection.execute(wanted)]

    def drop_notes(self, before_day: int) -> int:
        """Forget notes of days before that one; return how many went."""
        with self._transactions.writing() as connection:
            gone = connection.execute(NOTES.delete().where(NOTES.c.day < before_day)).rowcount
            self._transactions.settle_after(gone)
        return gone

    # --- counts (indicators.DashboardStore) ---

    def dashboard(
        self, now: float, assigned_to: str | None, days: LocalDays = UTC_DAYS
    ) -> Dashboard:
        """Return the counts at ``now``, of one operator's cases or (None) of all, by ``days``."""
        with self._transactions.reading() as connection:
            return dashboard_of(connection, now, assigned_to, days)


def _urgent(wanted: sa.Select[Any]) -> sa.Select[Any]:
    return wanted.order_by(FOLLOWED.c.urgency, FOLLOWED.c.contact_id)


def _values(kept: KeptContact) -> dict[str, object]:
    values = {column: getattr(kept, name) for column, name in _FIELD_OF}
    return {
        **values,
        "state": kept.state.value,
        "priority": kept.priority.value,
        "reasons": " ".join(kept.reasons),
        "urgency": kept.urgency,
    }


def _kept(row: Sequence[Any]) -> KeptContact:
    values = list(row)[: len(_FIELD_OF)]
    values[_STATE] = ContactState(values[_STATE])
    values[_PRIORITY] = Priority(values[_PRIORITY])
    values[_REASONS] = tuple(values[_REASONS].split())
    return KeptContact(*values)
