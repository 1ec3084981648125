"""The list of users who have withdrawn, which a restored backup is held against."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table: digests of user ids, and when each withdrew."""
    op.create_table(
        "withdrawals",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("at_s", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
