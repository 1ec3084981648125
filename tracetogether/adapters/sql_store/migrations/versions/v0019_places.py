"""Places, which speak by Bluetooth and keep nothing, and when they fetched which TempIDs."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the tables; there is no place yet."""
    op.create_table(
        "places",
        sa.Column("place_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False, unique=True),
        sa.Column("credential_digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("added_at_s", sa.Float(53), nullable=False),
        sa.Column("seen_at_s", sa.Float(53)),
        sa.Column("retired_at_s", sa.Float(53)),
        sa.Column("retired_by", sa.Text, nullable=False),
    )
    op.create_table(
        "place_batches",
        sa.Column(
            "place_id",
            sa.Text,
            sa.ForeignKey("places.place_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("begins_s", sa.BigInteger, autoincrement=False, primary_key=True),
    )
