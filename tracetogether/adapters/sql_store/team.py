"""A team's day: the database counts it in five queries, however many rows it has."""

from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.dashboard import called_elsewhere, is_due
from tracetogether.adapters.sql_store.tables import CASES, FOLLOWED, OUTCOMES, RESERVATIONS, SHIFTS
from tracetogether.authority.cases.case import OPEN_STATES
from tracetogether.authority.cases.team import TracerDay

_EVERYBODY: Final = "*"  # no name of an operator


def team_of(connection: sa.Connection, day: int, now: float) -> tuple[list[TracerDay], int]:
    """Return the day of each operator with work, by name, and how many people are due in all."""
    found: dict[str, dict[str, Any]] = {}
    for wanted in (_cases(), _due(day), _done(day), _reserved(now), _shifts(now)):
        for row in connection.execute(wanted).mappings():
            values = dict(row)
            found.setdefault(values.pop("name"), {}).update(values)
    everybody = found.pop(_EVERYBODY)["due"]
    rows = [TracerDay(name, **values) for name, values in sorted(found.items())]
    return rows, int(everybody)


def _cases() -> sa.Select[Any]:
    states = sorted(state.value for state in OPEN_STATES)
    wanted = sa.select(CASES.c.assigned_to.label("name"), sa.func.count().label("cases"))
    return wanted.where(CASES.c.state.in_(states)).group_by(CASES.c.assigned_to)


def _due(day: int) -> sa.CompoundSelect[Any]:
    """Count people to call for each tracer, and once in all: who they are is found once."""
    row = FOLLOWED.c
    waits = sa.case((row.last_day < 0, row.day), else_=row.last_day)
    to_call = sa.select(row.who, row.case_id, waits.label("waits")).where(
        is_due(day), ~called_elsewhere(day)
    )
    lines = to_call.cte("lines")
    people = sa.func.count(sa.distinct(lines.c.who))
    overdue = sa.func.count(sa.distinct(sa.case((lines.c.waits < day - 1, lines.c.who))))
    by_tracer = (
        sa.select(CASES.c.assigned_to.label("name"), people.label("due"), overdue.label("overdue"))
        .select_from(lines.join(CASES, CASES.c.case_id == lines.c.case_id))
        .group_by(CASES.c.assigned_to)
    )
    return sa.union_all(by_tracer, sa.select(sa.literal(_EVERYBODY), people, sa.literal(0)))


def _done(day: int) -> sa.Select[Any]:
    called = sa.func.count(sa.distinct(FOLLOWED.c.who)).label("done")
    wanted = sa.select(OUTCOMES.c.by.label("name"), called)
    joined = wanted.join(FOLLOWED, FOLLOWED.c.contact_id == OUTCOMES.c.contact_id)
    return joined.where(OUTCOMES.c.day == day).group_by(OUTCOMES.c.by)


def _reserved(now: float) -> sa.Select[Any]:
    wanted = sa.select(RESERVATIONS.c.operator.label("name"), sa.func.count().label("reserved"))
    return wanted.where(RESERVATIONS.c.until_s > now).group_by(RESERVATIONS.c.operator)


def _shifts(now: float) -> sa.Select[Any]:
    wanted = sa.select(
        SHIFTS.c.operator.label("name"),
        SHIFTS.c.begun_at_s.label("shift_since"),
        SHIFTS.c.until_s.label("shift_until"),
    )
    return wanted.where(SHIFTS.c.until_s > now)
