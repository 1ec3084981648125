"""Who is due next, reservations, shifts and drafts, in tables."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.dashboard import called_elsewhere, is_due
from tracetogether.adapters.sql_store.desk import CONTACT
from tracetogether.adapters.sql_store.rows import RowFormat, TableAccess
from tracetogether.adapters.sql_store.tables import (
    CASES,
    DRAFTS,
    FOLLOWED,
    RESERVATIONS,
    SHIFTS,
    TO_CALL,
)
from tracetogether.adapters.sql_store.team import team_of
from tracetogether.authority.cases.calls import (
    CallShift,
    PeopleQuery,
    Reservation,
    SealedDraft,
    ShiftReason,
)
from tracetogether.authority.cases.followed import ContactState, KeptContact
from tracetogether.authority.cases.team import TracerDay

_SHIFT: Final = RowFormat(SHIFTS, CallShift, read={"reason": ShiftReason})
_DRAFT: Final = RowFormat(DRAFTS, SealedDraft)
_RESERVATION: Final = RowFormat(RESERVATIONS, Reservation)


class CallTables(TableAccess):
    """``desk.call_store.CallStore`` in SQL."""

    def next_due(
        self,
        day: int,
        now: float,
        operator: str,
        *,
        without: Collection[bytes] = (),
        since_day: int = 0,
    ) -> KeptContact | None:
        """Return the line of the person whom an operator is to call next, or None."""
        theirs = sa.select(FOLLOWED).where(
            FOLLOWED.c.who.not_in(sorted(without)), *_to_call(day, now, operator, since_day)
        )
        by_urgency = (FOLLOWED.c.urgency, FOLLOWED.c.contact_id)
        agreed = theirs.where(FOLLOWED.c.call_at_s <= now).order_by(FOLLOWED.c.call_at_s)
        no_time = sa.func.coalesce(FOLLOWED.c.call_at_s, 0) == 0
        any_time = theirs.where(no_time).order_by(*by_urgency)
        with self._transactions.reading():
            row = self._first(agreed.limit(1)) or self._first(any_time.limit(1))
        return None if row is None else CONTACT.item(row)

    def ready(
        self, day: int, now: float, operator: str, *, since_day: int = 0, most: int
    ) -> tuple[int, bool]:
        """Return how many people ``next_due`` could give, and whether there may be more."""
        come = sa.func.coalesce(FOLLOWED.c.call_at_s, 0) <= now
        theirs = sa.select(FOLLOWED.c.who).where(*_to_call(day, now, operator, since_day), come)
        # In the order of the index, so that the database reads no more rows than it counts.
        lines = theirs.order_by(FOLLOWED.c.urgency, FOLLOWED.c.contact_id).limit(most).subquery()
        counted = sa.select(sa.func.count(sa.distinct(lines.c.who)), sa.func.count())
        with self._transactions.reading() as connection:
            people, read = connection.execute(counted.select_from(lines)).one()
        return people, read == most

    def people(
        self, query: PeopleQuery, spoken: Sequence[bytes] | None = None
    ) -> tuple[Sequence[Sequence[KeptContact]], int]:
        """Return a page of people, each with all lines in order of urgency, and their number."""
        which: list[sa.ColumnElement[bool]] = []
        if query.due_on is not None:
            which += [is_due(query.due_on), ~called_elsewhere(query.due_on)]
        if query.case_id is not None:
            which.append(FOLLOWED.c.case_id == query.case_id)
        if query.due_on is None and not query.states:
            which.append(FOLLOWED.c.state != ContactState.MERGED.value)
        if query.states:
            which.append(FOLLOWED.c.state.in_(sorted(state.value for state in query.states)))
        if query.assigned_to is not None:
            assigned = sa.select(CASES.c.case_id).where(CASES.c.assigned_to == query.assigned_to)
            which.append(FOLLOWED.c.case_id.in_(assigned))
        if query.without_number:
            which.append(sa.func.length(FOLLOWED.c.by_phone) == 0)
        if spoken is not None:
            which.append(FOLLOWED.c.by_language.in_(spoken))
        each = sa.select(FOLLOWED.c.who).where(*which).group_by(FOLLOWED.c.who)
        first = (sa.func.min(FOLLOWED.c.urgency), sa.func.min(FOLLOWED.c.contact_id))
        page = each.order_by(*first).offset(query.offset).limit(query.limit)
        with self._transactions.reading() as connection:
            whole = sa.select(sa.func.count()).select_from(each.subquery())
            total = connection.execute(whole).scalar_one()
            order = [row.who for row in connection.execute(page)]
            return self._lines_by_person(order), total

    def found(
        self, who: bytes, digests: Mapping[str, Sequence[bytes]], limit: int
    ) -> Sequence[Sequence[KeptContact]]:
        """Return people, each with all lines in order of urgency."""
        wanted = sa.select(FOLLOWED.c.who, FOLLOWED.c.merged_into)
        which = [FOLLOWED.c[field].in_(some) for field, some in digests.items()]
        people: set[bytes] = set()
        with self._transactions.reading() as connection:
            rows = connection.execute(wanted.where(sa.or_(FOLLOWED.c.who == who, *which))).all()
            while rows:
                people.update(bytes(row.who) for row in rows if not row.merged_into)
                into = sorted({row.merged_into for row in rows if row.merged_into})
                merged = wanted.where(FOLLOWED.c.contact_id.in_(into))
                rows = connection.execute(merged).all() if into else []
            return self._lines_by_person(sorted(people)[:limit])

    def _lines_by_person(self, order: Sequence[bytes]) -> list[list[KeptContact]]:
        """Return the lines of each person, the most urgent first."""
        rows = self._all_in(FOLLOWED.select(), FOLLOWED.c.who, order)
        lines = sorted(
            map(CONTACT.item, rows), key=lambda kept: (kept.who, kept.urgency, kept.contact_id)
        )
        by_person = {who: list(them) for who, them in groupby(lines, key=lambda kept: kept.who)}
        return [by_person[who] for who in order]

    def assignees(self, case_ids: Collection[str]) -> dict[str, str]:
        """Return to whom cases are assigned, "" for nobody."""
        wanted = sa.select(CASES.c.case_id, CASES.c.assigned_to)
        rows = self._all_in(wanted, CASES.c.case_id, sorted(case_ids))
        return {row["case_id"]: row["assigned_to"] for row in rows}

    # --- reservations ---

    def reserve(self, who: bytes, operator: str, now: float, until: float) -> bool:
        """Reserve a person for an operator; return False if another one has the person."""
        insert = self._database.insert(RESERVATIONS).values(
            who=who, operator=operator, until_s=until
        )
        free = sa.or_(RESERVATIONS.c.until_s <= now, RESERVATIONS.c.operator == operator)
        taken = insert.on_conflict_do_update(
            index_elements=["who"], set_={"operator": operator, "until_s": until}, where=free
        ).returning(RESERVATIONS.c.who)
        with self._transactions.writing() as connection:
            return connection.execute(taken).first() is not None

    def reservations(self, people: Collection[bytes], now: float) -> dict[bytes, str]:
        """Return the names of the operators who have reserved some people at ``now``."""
        wanted = RESERVATIONS.select().where(RESERVATIONS.c.until_s > now)
        rows = self._all_in(wanted, RESERVATIONS.c.who, sorted(people))
        return {bytes(row["who"]): row["operator"] for row in rows}

    def reserved_by(self, operator: str, now: float) -> Sequence[Reservation]:
        """Return whom an operator has reserved at ``now``."""
        wanted = RESERVATIONS.select().where(
            RESERVATIONS.c.operator == operator, RESERVATIONS.c.until_s > now
        )
        return [_RESERVATION.item(row) for row in self._all(wanted)]

    def release(self, operator: str) -> int:
        """End all reservations of an operator; return how many."""
        return self._delete(RESERVATIONS, RESERVATIONS.c.operator == operator)

    def drop_reservations(self, now: float) -> int:
        """Delete reservations that have ended; return how many."""
        return self._drop(RESERVATIONS, RESERVATIONS.c.until_s <= now)

    def team(self, day: int, now: float) -> tuple[Sequence[TracerDay], int]:
        """Return the day of each operator with work, and how many people are due in all."""
        with self._transactions.reading() as connection:
            return team_of(connection, day, now)

    def due_by_case(self, case_ids: Collection[str], day: int) -> dict[str, int]:
        """Return how many people of some cases are to be called on a day; 0 is left out."""
        people = sa.func.count(sa.distinct(FOLLOWED.c.who)).label("due")
        wanted = sa.select(FOLLOWED.c.case_id, people).where(is_due(day), ~called_elsewhere(day))
        by_case = wanted.group_by(FOLLOWED.c.case_id)
        rows = self._all_in(by_case, FOLLOWED.c.case_id, sorted(case_ids))
        return {row["case_id"]: row["due"] for row in rows}

    # --- shifts and drafts ---

    def put_shift(self, shift: CallShift) -> None:
        """Store an operator's shift; it replaces the earlier one."""
        self._put(SHIFTS, _SHIFT.values(shift))

    def shift(self, operator: str) -> CallShift | None:
        """Return an operator's latest shift, or None."""
        row = self._first(SHIFTS.select().where(SHIFTS.c.operator == operator))
        return None if row is None else _SHIFT.item(row)

    def drop_shifts(self, now: float) -> int:
        """Delete shifts that have ended; return how many."""
        return self._drop(SHIFTS, SHIFTS.c.until_s <= now)

    def put_draft(self, draft: SealedDraft) -> None:
        """Store a draft; it replaces the operator's earlier one about that person."""
        self._put(DRAFTS, _DRAFT.values(draft))

    def draft(self, operator: str, who: bytes) -> SealedDraft | None:
        """Return an operator's draft about a person, or None."""
        row = self._first(DRAFTS.select().where(*_about(operator, who)))
        return None if row is None else _DRAFT.item(row)

    def drop_draft(self, operator: str, who: bytes) -> None:
        """Delete a draft."""
        self._drop(DRAFTS, sa.and_(*_about(operator, who)))

    def drop_drafts(self, before_day: int) -> int:
        """Delete drafts of days before this one; return how many."""
        return self._drop(DRAFTS, DRAFTS.c.day < before_day)

    def unindexed(self, limit: int) -> Sequence[KeptContact]:
        """Return lines of earlier releases: the day's digest of the person stands for others."""
        earlier = sa.or_(
            FOLLOWED.c.who == FOLLOWED.c.tag, FOLLOWED.c.by_pseudonym == FOLLOWED.c.tag
        )
        wanted = FOLLOWED.select().where(earlier).limit(limit)
        return [CONTACT.item(row) for row in self._all(wanted)]


def _to_call(
    day: int, now: float, operator: str, since_day: int
) -> tuple[sa.ColumnElement[bool] | sa.TextClause, ...]:
    """Return the conditions of lines that an operator may call on a day, whatever the hour."""
    taken = sa.select(RESERVATIONS.c.who).where(
        RESERVATIONS.c.who == FOLLOWED.c.who,
        RESERVATIONS.c.until_s > now,
        RESERVATIONS.c.operator != operator,
    )
    case = sa.select(CASES.c.case_id).where(
        CASES.c.case_id == FOLLOWED.c.case_id, CASES.c.assigned_to.in_([operator, ""])
    )
    # Sums and ``coalesce`` keep the conditions away from other indexes: ``followed_to_call``
    # alone has the rows in the order of urgency, so that the search ends at the first one.
    return (
        sa.text(TO_CALL),
        FOLLOWED.c.last_day < day,
        FOLLOWED.c.until_day >= day,
        FOLLOWED.c.day + 0 >= since_day,
        sa.exists(case),
        ~called_elsewhere(day),
        ~sa.exists(taken),
    )


def _about(operator: str, who: bytes) -> tuple[sa.ColumnElement[Any], ...]:
    return DRAFTS.c.operator == operator, DRAFTS.c.who == who
