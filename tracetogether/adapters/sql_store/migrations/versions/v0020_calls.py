"""One person in several cases is one line, reserved for one caller at a time, with a draft."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the columns and tables.

    The digest that is the same on every day needs the keys, which an upgrade has not: until the
    next purge works it out, the day's digest stands for it.
    """
    nothing = sa.text("''")
    op.add_column(
        "followed", sa.Column("who", sa.LargeBinary, nullable=False, server_default=nothing)
    )
    op.execute("UPDATE followed SET who = tag")
    op.add_column("followed", sa.Column("call_at_s", sa.Float(53)))
    op.create_index("followed_by_who", "followed", ["who", "last_day"])
    op.create_index("followed_by_call_at", "followed", ["call_at_s"])
    op.create_table(
        "reservations",
        sa.Column("who", sa.LargeBinary, primary_key=True),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("until_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_reservations_operator", "reservations", ["operator"])
    op.create_table(
        "shifts",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("begun_at_s", sa.Float(53), nullable=False),
        sa.Column("until_s", sa.Float(53), nullable=False),
    )
    op.create_table(
        "drafts",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("who", sa.LargeBinary, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("at_s", sa.Float(53), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("drafts_by_day", "drafts", ["day"])
