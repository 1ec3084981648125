"""The tables of operators' passwords and sessions."""

from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import METADATA

_Real = sa.Float(53)

PASSWORDS: Final = sa.Table(
    "passwords",
    METADATA,
    sa.Column(
        "name", sa.Text, sa.ForeignKey("operators.name", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("cost", sa.Text, nullable=False),
    sa.Column("verifier", sa.LargeBinary, nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False),
)
SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column(
        "name",
        sa.Text,
        sa.ForeignKey("operators.name", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("begun_at_s", _Real, nullable=False),
    sa.Column("seen_at_s", _Real, nullable=False),
    sa.Column("enrolling", sa.LargeBinary, nullable=False),
)
