"""The tables of the tracers' desk: contacts under follow-up, their calendars, notes."""

from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import METADATA

_Real = sa.Float(53)


FOLLOWED: Final = sa.Table(
    "followed",
    METADATA,
    sa.Column("contact_id", sa.Text, primary_key=True),
    sa.Column(
        "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("person", sa.LargeBinary, nullable=False),
    sa.Column("tag", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("close_contact", sa.Boolean, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("minutes_low", _Real, nullable=False),
    sa.Column("minutes", _Real, nullable=False),
    sa.Column("minutes_high", _Real, nullable=False),
    sa.Column("minutes_24h", _Real, nullable=False),
    sa.Column("probability", _Real, nullable=False),
    sa.Column("nearest_m", _Real, nullable=False),
    sa.Column("seen_by", sa.Text, nullable=False),
    sa.Column("first_s", _Real, nullable=False),
    sa.Column("last_s", _Real, nullable=False),
    sa.Column("found_at_s", _Real, nullable=False),
    sa.Column("until_day", sa.Integer, nullable=False),
    sa.Column("traced_at_s", _Real, nullable=True),
    sa.Column("last_day", sa.Integer, nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
    sa.Column("symptoms", sa.Boolean, nullable=False),
    sa.Column("followed_all", sa.Boolean, nullable=False),
    sa.Column("ended_at_s", _Real, nullable=True),
    sa.Column("became_case", sa.Text, nullable=False),
    sa.Column("merged_into", sa.Text, nullable=False),
    sa.Column("particulars", sa.LargeBinary, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("urgency", _Real, nullable=False),  # what lists are ordered by
    sa.Index(
        "followed_by_case",
        *("case_id", "state", "priority", "last_day", "until_day"),
        *("found_at_s", "traced_at_s", "followed_all"),
    ),
    sa.Index("followed_by_tag", "tag"),
    sa.Index("followed_by_day", "day"),
    sa.Index("followed_by_found_at", "found_at_s", "case_id"),
    sa.Index("followed_by_traced_at", "traced_at_s", "case_id"),
    sa.Index("followed_by_urgency", "urgency", "contact_id"),
    # These two hold all that the dashboard counts: the rows themselves are not touched.
    sa.Index(
        "followed_counted",
        *("state", "priority", "until_day", "last_day", "case_id"),
        *("found_at_s", "traced_at_s", "followed_all"),
    ),
)
OUTCOMES: Final = sa.Table(
    "outcomes",
    METADATA,
    sa.Column(
        "contact_id",
        sa.Text,
        sa.ForeignKey("followed.contact_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at_s", _Real, nullable=False),
)
MERGES: Final = sa.Table(
    "merges",
    METADATA,
    sa.Column("gone", sa.Text, primary_key=True),
    sa.Column("stays", sa.Text, nullable=False),
    sa.Column(
        "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("at_s", _Real, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("merges_by_stays", "stays"),
)
NOTES: Final = sa.Table(
    "notes",
    METADATA,
    sa.Column("note_id", sa.Text, primary_key=True),
    sa.Column(
        "case_id", sa.Text, sa.ForeignKey("cases.case_id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("contact_id", sa.Text, nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
    sa.Column("at_s", _Real, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("notes_by_case", "case_id"),
    sa.Index("notes_by_contact", "contact_id"),
)
