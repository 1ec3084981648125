"""The tracers' desk: states of cases, contacts under follow-up, calendars, notes."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give cases their state, make the three tables, and keep tracers seeing what they saw."""
    real, text, blob, number = sa.Float(53), sa.Text, sa.LargeBinary, sa.Integer

    for name, kind, default in (
        ("state", text, "open"),
        ("assigned_to", text, ""),
        ("merged_into", text, ""),
    ):
        op.add_column("cases", sa.Column(name, kind, nullable=False, server_default=default))
    for name in ("tracing_at_s", "closed_at_s"):
        op.add_column("cases", sa.Column(name, real, nullable=True))
    op.add_column(
        "cases",
        sa.Column("known_contact", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    # Tracers saw every case until now: nobody may lose sight of the cases they work on.
    op.execute(
        "UPDATE operators SET roles = roles || ' supervisor' "
        "WHERE ' ' || roles || ' ' LIKE '% tracer %'"
    )
    op.create_table(
        "followed",
        sa.Column("contact_id", text, nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("day", number, nullable=False),
        sa.Column("person", blob, nullable=False),
        sa.Column("tag", blob, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("priority", number, nullable=False),
        sa.Column("reasons", text, nullable=False),
        sa.Column("close_contact", sa.Boolean, nullable=False),
        sa.Column("days", number, nullable=False),
        sa.Column("minutes_low", real, nullable=False),
        sa.Column("minutes", real, nullable=False),
        sa.Column("minutes_high", real, nullable=False),
        sa.Column("minutes_24h", real, nullable=False),
        sa.Column("probability", real, nullable=False),
        sa.Column("nearest_m", real, nullable=False),
        sa.Column("seen_by", text, nullable=False),
        sa.Column("first_s", real, nullable=False),
        sa.Column("last_s", real, nullable=False),
        sa.Column("found_at_s", real, nullable=False),
        sa.Column("until_day", number, nullable=False),
        sa.Column("traced_at_s", real, nullable=True),
        sa.Column("last_day", number, nullable=False),
        sa.Column("missed", number, nullable=False),
        sa.Column("symptoms", sa.Boolean, nullable=False),
        sa.Column("followed_all", sa.Boolean, nullable=False),
        sa.Column("ended_at_s", real, nullable=True),
        sa.Column("became_case", text, nullable=False),
        sa.Column("merged_into", text, nullable=False),
        sa.Column("particulars", blob, nullable=False),
        sa.Column("urgency", real, nullable=False),
        sa.PrimaryKeyConstraint("contact_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], ondelete="CASCADE"),
    )
    op.create_index("followed_by_case", "followed", ["case_id", "state", "last_day", "until_day"])
    op.create_index("followed_by_tag", "followed", ["tag"])
    op.create_index("followed_by_day", "followed", ["day"])
    op.create_index("followed_by_urgency", "followed", ["urgency", "contact_id"])
    counted = ["state", "priority", "until_day", "last_day", "case_id"]
    counted += ["found_at_s", "traced_at_s", "followed_all"]
    op.create_index("followed_counted", "followed", counted)
    op.create_table(
        "outcomes",
        sa.Column("contact_id", text, nullable=False),
        sa.Column("day", number, nullable=False, autoincrement=False),
        sa.Column("outcome", text, nullable=False),
        sa.Column("by", text, nullable=False),
        sa.Column("at_s", real, nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "day"),
        sa.ForeignKeyConstraint(["contact_id"], ["followed.contact_id"], ondelete="CASCADE"),
    )
    op.create_table(
        "notes",
        sa.Column("note_id", text, nullable=False),
        sa.Column("case_id", text, nullable=False),
        sa.Column("contact_id", text, nullable=False),
        sa.Column("day", number, nullable=False),
        sa.Column("at_s", real, nullable=False),
        sa.Column("by", text, nullable=False),
        sa.Column("sealed", blob, nullable=False),
        sa.PrimaryKeyConstraint("note_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], ondelete="CASCADE"),
    )
    op.create_index("notes_by_case", "notes", ["case_id"])
    op.create_index("notes_by_contact", "notes", ["contact_id"])
