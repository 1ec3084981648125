"""Charges: people without a phone, for whom somebody's phone keeps passes, and their codes."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "charges",
        sa.Column("charge_id", sa.Text, primary_key=True),
        _user("user_id", unique=True),
        _user("guardian"),
        sa.Column("added_at_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_charges_guardian", "charges", ["guardian"])
    op.create_table(
        "charge_codes",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("charge_id", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("expiry_s", sa.Float(53), nullable=False),
    )


def _user(name: str, *, unique: bool = False) -> sa.Column[str]:
    user = sa.ForeignKey("users.user_id", ondelete="CASCADE")
    return sa.Column(name, sa.Text, user, nullable=False, unique=unique)
