"""Orders, restrictions and appeals: who gets no passes for a time, by what, and who decides."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the three tables; nobody is restricted by an upgrade."""
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, primary_key=True),
        *_texts("kind", "legal_basis", "place"),
        *_times("window_from_s", "window_to_s", "ends_at_s"),
        sa.Column("most_people", sa.Integer, nullable=False),
        sa.Column("people", sa.Integer, nullable=False),
        *_texts("registered_by"),
        *_times("registered_at_s"),
        sa.Column("ended_at_s", sa.Float(53)),
        *_texts("ended_by"),
    )
    op.create_table(
        "restrictions",
        sa.Column("restriction_id", sa.Text, primary_key=True),
        sa.Column(
            "user_id", sa.Text, sa.ForeignKey("users.user_id", ondelete="CASCADE"), nullable=False
        ),
        *_texts("ground", "reference"),
        *_times("begins_at_s", "until_s"),
        *_texts("evidence", "notice", "set_by"),
        *_times("set_at_s"),
        *_texts("confirmed_by"),
        *(
            sa.Column(name, sa.Float(53))
            for name in ("confirmed_at_s", "suspends_at_s", "ended_at_s")
        ),
        *_texts("ended_by", "ending"),
    )
    op.create_index("ix_restrictions_user_id", "restrictions", ["user_id"])
    op.create_index("restrictions_by_setter", "restrictions", ["set_by", "set_at_s"])
    op.create_index("restrictions_by_reference", "restrictions", ["reference"])
    op.create_table(
        "appeals",
        sa.Column("appeal_id", sa.Text, primary_key=True),
        sa.Column(
            "restriction_id",
            sa.Text,
            sa.ForeignKey("restrictions.restriction_id", ondelete="CASCADE"),
            nullable=False,
        ),
        *_times("opened_at_s"),
        *_texts("state"),
        sa.Column("decided_at_s", sa.Float(53)),
        *_texts("decided_by"),
    )
    op.create_index("ix_appeals_restriction_id", "appeals", ["restriction_id"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float(53), nullable=False) for name in names]
