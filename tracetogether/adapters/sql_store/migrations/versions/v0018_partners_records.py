"""Records that go to partners and come from them, and cases that hold those of a partner."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make the tables; no record was exchanged yet, and all cases are our own."""
    op.add_column("cases", sa.Column("origin", sa.Text, nullable=False, server_default=""))
    text = {name: sa.Column(name, sa.Text, nullable=False) for name in ("state", "fault")}
    op.create_table(
        "handovers",
        sa.Column("token_id", sa.Text, primary_key=True),
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column(
            "case_id",
            sa.Text,
            sa.ForeignKey("cases.case_id", ondelete="CASCADE"),
            nullable=False,
        ),
        *_integers("hour", "tempids", "people", "records"),
        sa.Column("packed_at_s", sa.Float(53), nullable=True),
    )
    op.create_index("handovers_by_case", "handovers", ["case_id"])
    op.create_index("handovers_by_hour", "handovers", ["hour"])
    op.create_table(
        "outgoing_batches",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("organisation", sa.Text, nullable=False),
        *_integers("hour", "records"),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("made_at_s", sa.Float(53), nullable=False),
        text["state"],
        *_integers("tries"),
        sa.Column("next_try_at_s", sa.Float(53), nullable=False),
        sa.Column("sent_at_s", sa.Float(53), nullable=True),
        text["fault"],
    )
    op.create_index("ix_outgoing_batches_organisation", "outgoing_batches", ["organisation"])
    op.create_table(
        "taken_batches",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("organisation", sa.Text, nullable=False),
        *_integers("hour", "records", "accepted"),
        sa.Column("received_at_s", sa.Float(53), nullable=False),
    )
    op.create_index("ix_taken_batches_organisation", "taken_batches", ["organisation"])
    op.create_table(
        "record_answers",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ours", sa.Boolean, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        *_integers("count"),
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]
