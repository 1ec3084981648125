"""What happened on a day, counted in tables, and the figures that are published."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.figure_tables import DAILY_COUNTS, OPEN_FIGURES
from tracetogether.adapters.sql_store.rows import TableAccess
from tracetogether.adapters.sql_store.tables import (
    APPEALS,
    CASES,
    COUNTS,
    FOLLOWED,
    REPORTED_VISITS,
    RESTRICTIONS,
)
from tracetogether.authority.cases.case import CaseState
from tracetogether.authority.cases.followed import TRACED_STATES
from tracetogether.authority.open_data.publishing import OpenCell, OpenDay
from tracetogether.authority.open_data.store import FoundContact
from tracetogether.authority.presence.reported import WarningState
from tracetogether.parameters import FOLLOW_UP

_WARNED: Final = [WarningState.RELEASED.value, WarningState.PUBLISHED.value]
_TRACED: Final = sorted(state.value for state in TRACED_STATES)


def _within(time: sa.ColumnElement[float], begin: float, end: float) -> sa.ColumnElement[bool]:
    return sa.and_(time >= begin, time < end)


class OpenDataTables(TableAccess):
    """``open_data.store.OpenDataStore`` in SQL."""

    def asking(self, name: str, begin: float, end: float) -> int:
        """Return how many subjects a count of requests has in a span."""
        asked = sa.and_(COUNTS.c.name == name, _within(COUNTS.c.window_s, begin, end))
        return self._number(sa.select(sa.func.count(sa.distinct(COUNTS.c.subject))).where(asked))

    def put_daily(self, day: int, counts: Mapping[str, int]) -> None:
        """Store figures of a day that can't be counted later; they replace earlier ones."""
        with self._transactions.writing():
            for figure, people in counts.items():
                self._put(DAILY_COUNTS, {"day": day, "figure": figure, "people": people})

    def daily(self, day: int) -> Mapping[str, int]:
        """Return the figures of a day that were stored."""
        rows = self._all(DAILY_COUNTS.select().where(DAILY_COUNTS.c.day == day))
        return {row["figure"]: row["people"] for row in rows}

    def drop_daily(self, before_day: int) -> int:
        """Delete stored figures of days before that one; return how many."""
        old = DAILY_COUNTS.c.day < before_day
        found = self._number(sa.select(sa.func.count()).select_from(DAILY_COUNTS).where(old))
        return self._drop(DAILY_COUNTS, old) if found else 0

    def declared(self, begin: float, end: float) -> int:
        """Return how many people have a case that was opened in a span; none of partners."""
        wanted = sa.select(sa.func.count(sa.distinct(CASES.c.user_id))).where(
            _within(CASES.c.opened_at_s, begin, end),
            CASES.c.state != CaseState.MERGED.value,
            CASES.c.unconfirmed.is_(False),
            CASES.c.origin == "",
        )
        return self._number(wanted)

    def found(self, begin: float, end: float) -> Iterable[FoundContact]:
        """Return the contacts that were found in a span and are to be traced, by their ids."""
        row = FOLLOWED.c
        prompt = sa.func.coalesce(
            row.traced_at_s - row.found_at_s <= FOLLOW_UP.prompt_s, sa.false()
        )
        wanted = (
            sa.select(row.contact_id, row.day, row.person, CASES.c.user_id, prompt.label("prompt"))
            .join(CASES, CASES.c.case_id == row.case_id)
            .where(_within(row.found_at_s, begin, end), row.state.in_(_TRACED))
            .order_by(row.contact_id)
        )
        return [
            FoundContact(
                contact["contact_id"],
                contact["day"],
                contact["person"],
                contact["user_id"],
                bool(contact["prompt"]),
            )
            for contact in self._all(wanted)
        ]

    def visiting(self, begin: float, end: float) -> int:
        """Return how many people have visits that were released as warnings in a span."""
        released = _within(REPORTED_VISITS.c.released_at_s, begin, end)
        wanted = (
            sa.select(sa.func.count(sa.distinct(CASES.c.user_id)))
            .join_from(REPORTED_VISITS, CASES, CASES.c.case_id == REPORTED_VISITS.c.case_id)
            .where(released, REPORTED_VISITS.c.state.in_(_WARNED))
        )
        return self._number(wanted)

    def restricted(self, begin: float, end: float) -> Sequence[tuple[str, str, str]]:
        """Return (user id, ground, evidence) of each restriction confirmed in a span."""
        held = RESTRICTIONS.c
        wanted = sa.select(held.user_id, held.ground, held.evidence).where(
            _within(held.confirmed_at_s, begin, end)
        )
        return [(row["user_id"], row["ground"], row["evidence"]) for row in self._all(wanted)]

    def appealed(self, begin: float, end: float) -> Sequence[tuple[str, str]]:
        """Return (user id, outcome) of each appeal that was decided in a span."""
        wanted = (
            sa.select(RESTRICTIONS.c.user_id, APPEALS.c.state)
            .join(RESTRICTIONS, RESTRICTIONS.c.restriction_id == APPEALS.c.restriction_id)
            .where(_within(APPEALS.c.decided_at_s, begin, end))
        )
        return [(row["user_id"], row["state"]) for row in self._all(wanted)]

    def publish(self, day: OpenDay) -> bool:
        """Store what is published of a day; return False if that day is published already."""
        with self._transactions.writing():
            return all(
                self._added(
                    OPEN_FIGURES,
                    {
                        "day": day.day,
                        "place": place,
                        "figure": cell.figure,
                        "people": cell.people,
                        "noise_95": cell.noise_95,
                    },
                )
                for place, cell in enumerate(day.cells)
            )

    def published(self) -> Sequence[OpenDay]:
        """Return what is published, the oldest day first."""
        wanted = OPEN_FIGURES.select().order_by(OPEN_FIGURES.c.day, OPEN_FIGURES.c.place)
        days = groupby(self._all(wanted), lambda row: int(row["day"]))
        return [
            OpenDay(
                day,
                tuple(OpenCell(row["figure"], row["people"], row["noise_95"]) for row in rows),
            )
            for day, rows in days
        ]

    def published_days(self) -> Sequence[int]:
        """Return the days that are published, the oldest first."""
        wanted = sa.select(OPEN_FIGURES.c.day).where(OPEN_FIGURES.c.place == 0)
        return [row["day"] for row in self._all(wanted.order_by(OPEN_FIGURES.c.day))]

    def _number(self, wanted: sa.Select[Any]) -> int:
        with self._transactions.reading() as connection:
            return int(connection.execute(wanted).scalar_one())
