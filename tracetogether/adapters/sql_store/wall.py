"""What the wall shows, by few queries that read few rows, however many contacts there are."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import parts_of
from tracetogether.adapters.sql_store.figure_tables import (
    FOLLOWED_COUNTS,
    FOLLOWED_PEOPLE,
    PEOPLE_CHANGED,
)
from tracetogether.adapters.sql_store.rows import TableAccess
from tracetogether.adapters.sql_store.tables import (
    APPEALS,
    CASES,
    COUNTS,
    FOLLOWED,
    HEARD_AT_PLACES,
    LISTS_DUE,
    REPORTED_VISITS,
    RESTRICTIONS,
    UPLOADS,
)
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ACTIVE, ContactState
from tracetogether.authority.oversight.wall import NEWEST_CASES, NEWEST_DAYS, Counted
from tracetogether.authority.presence.reported import WarningState
from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.restriction import RestrictionEvidence
from tracetogether.local_days import LocalDays
from tracetogether.units import SECONDS_PER_DAY, utc_day

_ACTIVE: Final = sorted(state.value for state in ACTIVE)
_DUE, _LOST, _OVER = "due", "lost", "over"
"""As what a person is counted: somebody is to call, gave up, or has nothing to do."""
_WARNED: Final = [WarningState.RELEASED.value, WarningState.PUBLISHED.value]
_OWN_CASES: Final = (CASES.c.state != CaseState.MERGED.value, CASES.c.origin == "")
"""The conditions of cases of people: the records of a partner's day make a case of nobody."""
_KEYS: Final = (
    FOLLOWED_COUNTS.c.state,
    FOLLOWED_COUNTS.c.last_day,
    FOLLOWED_COUNTS.c.until_day,
    FOLLOWED_COUNTS.c.day,
)


class WallTables(TableAccess):
    """What the wall and its upkeep ask of a store."""

    def count_for_wall(self, now: float, days: LocalDays, appeal_s: float) -> Counted:
        """Return the counts of the wall; an open appeal is overdue after ``appeal_s``."""
        today = days.day(now)
        with self._transactions.reading() as connection:
            contacts = connection.execute(_contacts(today)).one()
            held = connection.execute(_restricted(now)).all()
            appeals = connection.execute(_appeals(now - appeal_s)).one()
            since = now - NEWEST_DAYS * SECONDS_PER_DAY
            counts = connection.execute(_others(days.start(today), since)).one()
            times = connection.execute(_times(since)).all()
        return Counted(
            cases_today=counts.cases,
            times=[(row.day, row.log_at, row.tracing_at_s) for row in times],
            due=contacts.due or 0,
            done=contacts.done or 0,
            overdue=contacts.overdue or 0,
            lost=contacts.lost or 0,
            places=counts.places,
            in_force={row.ground: row.people for row in held},
            without_evidence=sum(row.unproven for row in held),
            appeals=appeals.open or 0,
            appeals_overdue=appeals.overdue or 0,
            lists_waiting=counts.lists,
        )

    def counts_since(self, name: str, begins: Sequence[float]) -> tuple[int, ...]:
        """Return the sums of a count in the windows from each of these times on."""
        sums = [
            sa.func.sum(COUNTS.c.count).filter(COUNTS.c.window_s > begin).label(f"since_{place}")
            for place, begin in enumerate(begins)
        ]
        which = sa.and_(COUNTS.c.name == name, COUNTS.c.window_s > min(begins))
        row = self._first(sa.select(*sums).where(which))
        return tuple(int(count or 0) for count in (row or {}).values())

    def count_changed_people(self, at_most: int, *, wait: bool) -> int:
        """Count again people whose lines have changed; return how many these were.

        Triggers note who has changed. To count in the triggers themselves, tracers who call at
        once would have to wait for each other on PostgreSQL.

        Args:
            at_most: how many people.
            wait: wait while others write.

        Raises:
            BusyError: others write, and ``wait`` is False.
        """
        if self._first(sa.select(PEOPLE_CHANGED.c.who).limit(1)) is None:
            return 0
        some = sa.select(PEOPLE_CHANGED.c.who).distinct().limit(at_most)
        gone = PEOPLE_CHANGED.delete().where(PEOPLE_CHANGED.c.who.in_(some))
        with self._transactions.writing(relaxed_durability=True, wait=wait) as connection:
            self._database.lock_people(connection)
            changed = set(connection.execute(gone.returning(PEOPLE_CHANGED.c.who)).scalars())
            for part in parts_of(sorted(changed)):
                theirs = FOLLOWED_PEOPLE.c.who.in_(part)
                connection.execute(_counts_of(theirs, -1))
                before = connection.execute(FOLLOWED_PEOPLE.delete().where(theirs)).rowcount
                after = connection.execute(_summed_up(part)).rowcount
                connection.execute(_counts_of(theirs, 1))
                self._transactions.settle_after(before - after)
        return len(changed)

    def sum_up_counts(self) -> None:
        """Add up the kept counts of people, which then cost less to read."""
        names = [column.name for column in (*_KEYS, FOLLOWED_COUNTS.c.rows)]
        with self._transactions.writing() as connection:
            gone = connection.execute(FOLLOWED_COUNTS.delete().returning(*FOLLOWED_COUNTS.columns))
            sums: dict[tuple[Any, ...], int] = {}
            for *key, rows in gone:
                sums[tuple(key)] = sums.get(tuple(key), 0) + rows
            left = [
                dict(zip(names, (*key, rows), strict=True)) for key, rows in sums.items() if rows
            ]
            if left:
                connection.execute(FOLLOWED_COUNTS.insert(), left)


def _contacts(today: int) -> sa.Executable:
    row = FOLLOWED_COUNTS.c
    due = sa.and_(row.state == _DUE, row.last_day < today, row.until_day >= today)
    waits = sa.case((row.last_day < 0, row.day), else_=row.last_day)
    return sa.select(
        _rows(due).label("due"),
        _rows(row.last_day == today).label("done"),
        _rows(sa.and_(due, waits < today - 1)).label("overdue"),
        _rows(row.state == _LOST).label("lost"),
    )


def _counts_of(which: sa.ColumnElement[bool], sign: int) -> sa.Insert:
    """Return the statement that adds people to the counts, or takes them away."""
    keys = [FOLLOWED_PEOPLE.c[column.name] for column in _KEYS]
    counted = sa.select(*keys, sign * sa.func.count()).where(which).group_by(*keys)
    return FOLLOWED_COUNTS.insert().from_select([*_KEYS, FOLLOWED_COUNTS.c.rows], counted)


def _summed_up(people: Sequence[bytes]) -> sa.Insert:
    """Return the statement that sums the lines of each person up in one row.

    Somebody is to call a person on a day if a line asks for it, and no line has an outcome of that
    day: so the latest outcome of all lines counts, and the end of the longest follow-up.
    """
    row = FOLLOWED.c
    active, lost = row.state.in_(_ACTIVE), row.state == ContactState.LOST.value
    counts = sa.or_(row.state != ContactState.CASUAL.value, row.last_day >= 0)
    state = sa.case((_any(active), _DUE), (_any(lost), _LOST), else_=_OVER)
    summed = sa.select(
        row.who,
        state,
        sa.func.max(row.last_day),
        sa.func.coalesce(sa.func.max(sa.case((active, row.until_day))), -1),
        sa.func.coalesce(sa.func.min(sa.case((active, row.day))), -1),
    )
    summed = summed.where(row.who.in_(people)).group_by(row.who).having(_any(counts))
    return FOLLOWED_PEOPLE.insert().from_select(list(FOLLOWED_PEOPLE.c), summed)


def _any(which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.func.max(sa.case((which, 1), else_=0)) == 1


def _rows(which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.sum(FOLLOWED_COUNTS.c.rows).filter(which), sa.Integer)


def _restricted(now: float) -> sa.Executable:
    row = RESTRICTIONS.c
    in_force = sa.and_(
        row.until_s > now,
        row.begins_at_s <= now,
        row.confirmed_at_s <= now,
        sa.or_(row.ended_at_s.is_(None), row.ended_at_s > now),
        sa.or_(row.suspends_at_s.is_(None), row.suspends_at_s >= now),
    )
    people = sa.func.count(sa.distinct(row.user_id))
    unproven = people.filter(row.evidence == RestrictionEvidence.NONE.value)
    wanted = sa.select(row.ground, people.label("people"), unproven.label("unproven"))
    return wanted.where(in_force).group_by(row.ground)


def _appeals(overdue_before: float) -> sa.Executable:
    overdue = sa.func.count().filter(APPEALS.c.opened_at_s < overdue_before)
    wanted = sa.select(sa.func.count().label("open"), overdue.label("overdue"))
    return wanted.where(APPEALS.c.state == AppealState.OPEN.value)


def _others(midnight: float, since: float) -> sa.Executable:
    visit = REPORTED_VISITS.c
    cases = sa.select(sa.func.count()).where(CASES.c.opened_at_s >= midnight, *_OWN_CASES)
    places = sa.select(sa.func.count(sa.distinct(visit.place_tag))).where(
        visit.state.in_(_WARNED), visit.released_at_s >= since
    )
    # Each warning of a registered place puts all its digests in at one moment.
    at = HEARD_AT_PLACES.c.released_at_s
    registered = sa.select(sa.func.count(sa.distinct(at))).where(at >= since)
    lists = sa.select(sa.func.count()).select_from(LISTS_DUE)
    return sa.select(
        cases.scalar_subquery().label("cases"),
        (places.scalar_subquery() + registered.scalar_subquery()).label("places"),
        lists.scalar_subquery().label("lists"),
    )


def _times(since: float) -> sa.Executable:
    """Return the query of the newest cases with their first logs."""
    newest = (
        sa.select(CASES.c.case_id, CASES.c.day, CASES.c.tracing_at_s)
        .where(CASES.c.opened_at_s >= since, *_OWN_CASES)
        .order_by(CASES.c.opened_at_s.desc())
        .limit(NEWEST_CASES)
        .subquery()
    )
    log_at = (
        sa.select(sa.func.min(UPLOADS.c.received_at_s))
        .where(UPLOADS.c.case_id == newest.c.case_id, UPLOADS.c.day >= utc_day(since))
        .scalar_subquery()
    )
    return sa.select(newest.c.day, log_at.label("log_at"), newest.c.tracing_at_s)
