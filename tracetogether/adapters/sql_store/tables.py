"""The tables as the store asks for them; the migrations make them."""

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

_Real = sa.Float(53)
ONE_OPEN: Final = "state IN ('open', 'tracing') AND NOT duplicate"
"""Of which cases a user has one at most."""


def _case() -> sa.Column[str]:
    return sa.Column(
        "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
    )


SETTINGS: Final = sa.Table(
    "settings",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
OPERATORS: Final = sa.Table(
    "operators",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("added_at_s", _Real, nullable=False),
    sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("disabled", sa.Boolean, nullable=False),
)
USERS: Final = sa.Table(
    "users",
    METADATA,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("credential_digest", sa.LargeBinary, nullable=False, unique=True),
)
WITHDRAWALS: Final = sa.Table(
    "withdrawals",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("at_s", _Real, nullable=False),
)
CASES: Final = sa.Table(
    "cases",
    METADATA,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column(
        "user_id",
        sa.Text,
        sa.ForeignKey("users.user_id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("opened_at_s", _Real, nullable=False),
    sa.Column("active_at_s", _Real, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("assigned_to", sa.Text, nullable=False, server_default=""),
    sa.Column("tracing_at_s", _Real, nullable=True),
    sa.Column("closed_at_s", _Real, nullable=True),
    sa.Column("merged_into", sa.Text, nullable=False, server_default=""),
    sa.Column("known_contact", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("unconfirmed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    # Set by a migration for what older releases let happen; such a case is never made again.
    sa.Column("duplicate", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(
        "cases_one_open",
        "user_id",
        unique=True,
        sqlite_where=sa.text(ONE_OPEN),
        postgresql_where=sa.text(ONE_OPEN),
    ),
)
PINS: Final = sa.Table(
    "pins",
    METADATA,
    sa.Column(
        "user_id", sa.Text, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True
    ),
    _case(),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("expiry_s", _Real, nullable=False),
    sa.Column("tries_left", sa.Integer, nullable=False),
    sa.Column("used", sa.Boolean, nullable=False),
    sa.Column("attempt", sa.LargeBinary, nullable=False),
)
USED_TOKENS: Final = sa.Table(
    "used_tokens",
    METADATA,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("used_at_s", _Real, nullable=False),
)
UPLOADS: Final = sa.Table(
    "uploads",
    METADATA,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token_id", sa.Text, primary_key=True),
    _case(),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("received_at_s", _Real, nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("uploads_by_case", "case_id"),
    postgresql_partition_by="RANGE (day)",
)
LISTS_DUE: Final = sa.Table(
    "lists_due",
    METADATA,
    sa.Column(
        "case_id",
        sa.Text,
        sa.ForeignKey("cases.case_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("came_at_s", _Real, nullable=False),
    sa.Column("tried_at_s", _Real, nullable=False),
)
CONTACT_LISTS: Final = sa.Table(
    "contact_lists",
    METADATA,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "case_id",
        sa.Text,
        sa.ForeignKey("cases.case_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("basis", sa.Text, primary_key=True),
    sa.Column("found_from", sa.LargeBinary, nullable=False),
    sa.Column("uploads", sa.Integer, nullable=False),
    sa.Column("unreadable_uploads", sa.Integer, nullable=False),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("accepted", sa.Integer, nullable=False),
    sa.Column("in_span", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Text, nullable=False),
    sa.Index("contact_lists_by_case", "case_id", "basis"),
    postgresql_partition_by="RANGE (day)",
)
CONTACTS: Final = sa.Table(
    "contacts",
    METADATA,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column(
        "case_id",
        sa.Text,
        sa.ForeignKey("cases.case_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("basis", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("person", sa.LargeBinary, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("encounters", sa.Integer, nullable=False),
    sa.Column("minutes_low", _Real, nullable=False),
    sa.Column("minutes", _Real, nullable=False),
    sa.Column("minutes_high", _Real, nullable=False),
    sa.Column("minutes_24h", _Real, nullable=False),
    sa.Column("nearest_low_m", _Real, nullable=False),
    sa.Column("nearest_m", _Real, nullable=False),
    sa.Column("nearest_high_m", _Real, nullable=False),
    sa.Column("first_s", _Real, nullable=False),
    sa.Column("last_s", _Real, nullable=False),
    sa.Index("contacts_by_case", "case_id", "basis"),
    postgresql_partition_by="RANGE (day)",
)
COUNTS: Final = sa.Table(
    "counts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("subject", sa.LargeBinary, primary_key=True),
    sa.Column("window_s", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
)
AUDIT: Final = sa.Table(
    "audit",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time_s", _Real, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)

DAILY: Final = (UPLOADS, CONTACT_LISTS, CONTACTS)
"""Tables that PostgreSQL keeps in partitions of a day."""
