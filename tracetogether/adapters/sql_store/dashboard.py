"""What the dashboard shows: the database counts it in eight queries, however many rows it has."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import CASES, COUNTS, FOLLOWED, UPLOADS, USERS
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import ACTIVE, TRACED_STATES, ContactState, Priority
from tracetogether.authority.cases.indicators import Dashboard, DayCounts, Indicators, Ratio
from tracetogether.local_days import LocalDays
from tracetogether.parameters import FOLLOW_UP
from tracetogether.units import SECONDS_PER_DAY, utc_day

_DAYS: Final = 14
_ACTIVE: Final = sorted(state.value for state in ACTIVE)
_OTHER: Final = FOLLOWED.alias("other")


def is_due(day: int) -> sa.ColumnElement[bool]:
    """Return the condition that a contact is to be called on ``day``."""
    return sa.and_(
        FOLLOWED.c.state.in_(_ACTIVE), FOLLOWED.c.last_day < day, FOLLOWED.c.until_day >= day
    )


def called_elsewhere(day: int) -> sa.ColumnElement[bool]:
    """Return the condition that the person was called on that day, for whichever case."""
    wanted = sa.select(_OTHER.c.who).where(_OTHER.c.who == FOLLOWED.c.who, _OTHER.c.last_day >= day)
    return sa.exists(wanted)


def dashboard_of(
    connection: sa.Connection, now: float, assigned_to: str | None, days: LocalDays
) -> Dashboard:
    """Return the counts at ``now``, of one operator's cases or (None) of all, by ``days``."""
    today = days.day(now)
    cases = _cases(connection, now, assigned_to)
    contacts = _contacts(connection, now, assigned_to)
    totals = _totals(connection, today, assigned_to)
    traced = [group for group in contacts if ContactState(group.state) in TRACED_STATES]
    lost = [group for group in traced if group.state == ContactState.LOST.value]
    ended = [group for group in traced if group.state == ContactState.COMPLETED.value] + lost
    real = [group for group in cases if group.state != CaseState.MERGED.value]
    by_state: dict[ContactState, int] = {}
    by_priority: dict[Priority, int] = {}
    for group in contacts:
        state, priority = ContactState(group.state), Priority(group.priority)
        by_state[state] = by_state.get(state, 0) + group.rows
        if state in ACTIVE:
            by_priority[priority] = by_priority.get(priority, 0) + group.rows
    return Dashboard(
        cases={CaseState(group.state): group.rows for group in cases},
        contacts=by_state,
        priorities=by_priority,
        due_today=totals.due,
        done_today=totals.done,
        uploads=totals.uploads,
        users=totals.users,
        active_users=(_active(connection, utc_day(now)), _active(connection, utc_day(now) - 1)),
        days=_days(connection, days, today, assigned_to),
        indicators=Indicators(
            traced_within_a_day=Ratio(_sum(traced, "prompt"), _sum(traced, "timely")),
            followed_all_days=Ratio(_sum(ended, "followed"), _sum(ended, "rows")),
            new_cases_known=Ratio(_sum(real, "known"), _sum(real, "rows")),
            started_within_a_day=Ratio(_sum(real, "prompt"), _sum(real, "timely")),
            lost=Ratio(_sum(lost, "rows"), _sum(traced, "rows")),
        ),
    )


def _cases(connection: sa.Connection, now: float, assigned_to: str | None) -> list[Any]:
    began = CASES.c.tracing_at_s
    prompt = began - CASES.c.opened_at_s <= FOLLOW_UP.prompt_s
    timely = sa.or_(began.is_not(None), CASES.c.opened_at_s <= now - FOLLOW_UP.prompt_s)
    wanted = sa.select(
        CASES.c.state,
        sa.func.count().label("rows"),
        _how_many(CASES.c.known_contact).label("known"),
        _how_many(prompt).label("prompt"),
        _how_many(timely).label("timely"),
    )
    return list(connection.execute(wanted.where(*_of(CASES, assigned_to)).group_by(CASES.c.state)))


def _contacts(connection: sa.Connection, now: float, assigned_to: str | None) -> list[Any]:
    row = FOLLOWED.c
    prompt = row.traced_at_s - row.found_at_s <= FOLLOW_UP.prompt_s
    timely = sa.or_(row.traced_at_s.is_not(None), row.found_at_s <= now - FOLLOW_UP.prompt_s)
    wanted = sa.select(
        row.state,
        row.priority,
        sa.func.count().label("rows"),
        _how_many(prompt).label("prompt"),
        _how_many(timely).label("timely"),
        _how_many(row.followed_all).label("followed"),
    )
    which = _of(FOLLOWED, assigned_to)
    return list(connection.execute(wanted.where(*which).group_by(row.state, row.priority)))


def _totals(connection: sa.Connection, today: int, assigned_to: str | None) -> sa.Row[Any]:
    """Return how many people are due and were called today, logs and users: people count once."""
    people = sa.select(sa.func.count(sa.distinct(FOLLOWED.c.who))).where(
        *_of(FOLLOWED, assigned_to)
    )
    wanted = {
        "due": people.where(is_due(today), ~called_elsewhere(today)),
        "done": people.where(FOLLOWED.c.last_day == today),
        "uploads": _rows_of(UPLOADS).where(*_of(UPLOADS, assigned_to)),
        "users": _rows_of(USERS),
    }
    counts = [count.scalar_subquery().label(name) for name, count in wanted.items()]
    return connection.execute(sa.select(*counts)).one()


def _days(
    connection: sa.Connection, days: LocalDays, today: int, assigned_to: str | None
) -> tuple[DayCounts, ...]:
    first = today - _DAYS + 1
    starts = [days.start(day) for day in range(first, today + 2)]
    found = {
        name: _by_day(connection, time, starts, _of(table, assigned_to))
        for name, table, time in (
            ("cases", CASES, CASES.c.opened_at_s),
            ("contacts", FOLLOWED, FOLLOWED.c.found_at_s),
            ("reached", FOLLOWED, FOLLOWED.c.traced_at_s),
        )
    }
    return tuple(
        DayCounts(first + place, **{name: counts.get(place, 0) for name, counts in found.items()})
        for place in range(_DAYS)
    )


def _by_day(
    connection: sa.Connection,
    time: sa.ColumnElement[Any],
    starts: Sequence[float],
    which: list[sa.ColumnElement[bool]],
) -> dict[int, int]:
    """Return how many rows have their time on each day; ``starts`` of the days, and their end."""
    day = sa.case(*[(time < end, place) for place, end in enumerate(starts[1:])])
    wanted = sa.select(day.label("place"), sa.func.count()).where(
        time >= starts[0], time < starts[-1], *which
    )
    return {int(place): rows for place, rows in connection.execute(wanted.group_by("place"))}


def _active(connection: sa.Connection, day: int) -> int:
    """Return how many users' phones fetched TempIDs: the limit on that counts them anyway."""
    start = day * SECONDS_PER_DAY
    wanted = sa.select(sa.func.count(sa.distinct(COUNTS.c.subject))).where(
        COUNTS.c.name == BATCHES.name,
        COUNTS.c.window_s >= start,
        COUNTS.c.window_s < start + SECONDS_PER_DAY,
    )
    return int(connection.execute(wanted).scalar_one())


def _of(table: sa.Table, assigned_to: str | None) -> list[sa.ColumnElement[bool]]:
    if assigned_to is None:
        return []
    if table is CASES:
        return [CASES.c.assigned_to == assigned_to]
    assigned = sa.select(CASES.c.case_id).where(CASES.c.assigned_to == assigned_to)
    return [table.c.case_id.in_(assigned)]


def _how_many(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count().filter(condition)


def _rows_of(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table)


def _sum(rows: list[Any], name: str) -> int:
    return sum(int(getattr(row, name)) for row in rows)
