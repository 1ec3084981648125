"""Two people reset a password: the new one works once."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Note what a request is about, and until when a password that somebody else chose works."""
    what = sa.Column("what", sa.Text, nullable=False, server_default="codes")
    op.add_column("code_resets", what)
    once = sa.Column("one_time_until_s", sa.Float(53), nullable=False, server_default="0")
    op.add_column("passwords", once)
