"""The digest of the language that a person speaks, by which lists are filtered."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the column; nobody's language is stored yet."""
    nothing = sa.text("''")
    column = sa.Column("by_language", sa.LargeBinary, nullable=False, server_default=nothing)
    op.add_column("followed", column)
