"""The tables of figures: kept counts, what is published, and the screens that show the wall."""

from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import METADATA


def _number(name: str, *, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, autoincrement=False, nullable=False, primary_key=primary_key)


SCREENS: Final = sa.Table(
    "screens",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, nullable=False),
    sa.Column("added_at_s", sa.Float(53), nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    *(
        sa.Column(name, sa.LargeBinary, nullable=False)
        for name in ("code_digest", "session_digest")
    ),
    *(sa.Column(name, sa.Float(53), nullable=False) for name in ("begun_at_s", "seen_at_s")),
)
FOLLOWED_COUNTS: Final = sa.Table(
    "followed_counts",
    METADATA,
    sa.Column("state", sa.Text, nullable=False),
    *map(_number, ("last_day", "until_day", "day", "rows")),
    sa.Index("followed_counts_each", "state", "last_day", "until_day", "day"),
)
"""How many people have the same state and days, in rows to be added up."""
FOLLOWED_PEOPLE: Final = sa.Table(
    "followed_people",
    METADATA,
    sa.Column("who", sa.LargeBinary, primary_key=True, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    *map(_number, ("last_day", "until_day", "day")),
)
"""As what each person is counted."""
PEOPLE_CHANGED: Final = sa.Table(
    "people_changed",
    METADATA,
    sa.Column("who", sa.LargeBinary, nullable=False),
    sa.Index("people_changed_by_who", "who"),
)
"""People who have a line that changed since they were counted; triggers write it."""
DAILY_COUNTS: Final = sa.Table(
    "daily_counts",
    METADATA,
    _number("day", primary_key=True),
    sa.Column("figure", sa.Text, primary_key=True, nullable=False),
    _number("people"),
)
OPEN_FIGURES: Final = sa.Table(
    "open_figures",
    METADATA,
    _number("day", primary_key=True),
    _number("place", primary_key=True),
    sa.Column("figure", sa.Text, nullable=False),
    sa.Column("people", sa.Integer, nullable=True),
    _number("noise_95"),
)
