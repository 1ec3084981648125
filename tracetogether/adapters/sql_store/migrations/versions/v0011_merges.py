"""What each merge changed, so that it can be undone."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table; merges of earlier releases can't be undone."""
    op.create_table(
        "merges",
        sa.Column("gone", sa.Text, primary_key=True),
        sa.Column("stays", sa.Text, nullable=False),
        sa.Column(
            "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("at_s", sa.Float(53), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("merges_by_stays", "merges", ["stays"])
