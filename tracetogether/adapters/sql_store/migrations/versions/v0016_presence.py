"""Visits and trips of cases, the packages that everybody downloads, days of registration."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the tables; of users who registered before, the day is not known."""
    op.create_table(
        "registrations",
        sa.Column(
            "user_id",
            sa.Text,
            sa.ForeignKey("users.user_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("day", sa.Integer, nullable=False),
    )
    op.create_table(
        "reported_visits",
        sa.Column("visit_id", sa.Text, primary_key=True),
        _case(),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("place_tag", sa.LargeBinary, nullable=False),
        *_fate(),
        sa.Column("hour", sa.Integer),
    )
    op.create_table(
        "heard_at_places",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("released_at_s", sa.Float(53), nullable=False),
        sa.Column("hour", sa.Integer),
    )
    op.create_table(
        "reported_trips",
        sa.Column("trip_id", sa.Text, primary_key=True),
        _case(),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("trip_day", sa.Integer, nullable=False),
        *_fate(),
        sa.Column("aboard", sa.Integer),
    )
    op.create_table(
        "packages",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("edition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
    )
    for table, name, columns in (
        ("reported_visits", "case", ["case_id"]),
        ("reported_visits", "place", ["place_tag"]),
        ("reported_visits", "state", ["state", "released_at_s"]),
        ("reported_visits", "day", ["day"]),
        ("heard_at_places", "time", ["released_at_s"]),
        ("reported_trips", "case", ["case_id"]),
        ("reported_trips", "state", ["state", "trip_day"]),
        ("reported_trips", "day", ["day"]),
    ):
        op.create_index(f"{table}_by_{name}", table, columns)


def _case() -> sa.Column[str]:
    return sa.Column(
        "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
    )


def _fate() -> list[sa.Column[object]]:
    return [
        sa.Column("received_at_s", sa.Float(53), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("released_at_s", sa.Float(53)),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    ]
