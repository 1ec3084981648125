"""A version of each case and followed contact, so that no form overwrites a later change."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the two columns; everything that is there has version 1."""
    for table in ("cases", "followed"):
        op.add_column(table, sa.Column("version", sa.Integer, nullable=False, server_default="1"))
