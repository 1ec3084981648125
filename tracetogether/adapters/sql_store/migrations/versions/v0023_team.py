"""A team's day: calls by day and caller, and codes that two people reset."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make the index and the table."""
    op.create_index("outcomes_by_day", "outcomes", ["day", "by"])
    op.create_table(
        "code_resets",
        sa.Column(
            "name",
            sa.Text,
            sa.ForeignKey("operators.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at_s", sa.Float(53), nullable=False),
    )
