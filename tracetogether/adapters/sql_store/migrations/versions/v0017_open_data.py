"""Figures for everybody: what can't be counted later, and what is published."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the two tables; nothing is published by an upgrade."""
    op.create_table(
        "daily_counts",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("figure", sa.Text, primary_key=True),
        sa.Column("people", sa.Integer, nullable=False),
    )
    op.create_table(
        "open_figures",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("figure", sa.Text, nullable=False),
        sa.Column("people", sa.Integer),
        sa.Column("noise_95", sa.Integer, nullable=False),
    )
