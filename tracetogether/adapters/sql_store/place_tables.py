"""The tables of places: devices that speak and keep nothing."""

from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import METADATA

PLACES: Final = sa.Table(
    "places",
    METADATA,
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
PLACE_BATCHES: Final = sa.Table(
    "place_batches",
    METADATA,
    sa.Column(
        "place_id", sa.Text, sa.ForeignKey("places.place_id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("begins_s", sa.BigInteger, autoincrement=False, primary_key=True),
)
