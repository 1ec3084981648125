"""Whose list of contacts is due: answers to uploads do not wait for it."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table; of the logs that are there, all lists were found when they came."""
    op.create_table(
        "lists_due",
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("came_at_s", sa.Float(53), nullable=False),
        sa.Column("tried_at_s", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], ondelete="CASCADE"),
    )
