"""Everything that an authority keeps."""  # noqa: INP001 - Alembic loads it by its path

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BY_DAY: Final[dict[str, Any]] = {"postgresql_partition_by": "RANGE (day)"}


def upgrade() -> None:
    """Make all tables, and the triggers that keep the audit log append-only."""
    real, text, blob, number = sa.Float(53), sa.Text, sa.LargeBinary, sa.Integer

    def column(name: str, kind: type[Any] | sa.Float[Any], **how: Any) -> sa.Column[Any]:  # noqa: ANN401 - as sa.Column's own
        return sa.Column(name, kind, nullable=False, **how)

    def refers(name: str, to: str) -> sa.ForeignKeyConstraint:
        return sa.ForeignKeyConstraint([name], [f"{to}.{name}"], ondelete="CASCADE")

    op.create_table(
        "settings", column("name", text), column("value", text), sa.PrimaryKeyConstraint("name")
    )
    op.create_table(
        "operators",
        column("name", text),
        column("roles", text),
        column("added_at_s", real),
        column("token_digest", blob),
        column("disabled", sa.Boolean),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("token_digest"),
    )
    op.create_table(
        "users",
        column("user_id", text),
        column("credential_digest", blob),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("credential_digest"),
    )
    op.create_table(
        "cases",
        column("case_id", text),
        column("user_id", text),
        column("day", number),
        column("opened_at_s", real),
        column("active_at_s", real),
        sa.PrimaryKeyConstraint("case_id"),
        refers("user_id", "users"),
    )
    op.create_index("ix_cases_user_id", "cases", ["user_id"])
    op.create_table(
        "pins",
        column("user_id", text),
        column("case_id", text),
        column("day", number),
        column("digest", blob),
        column("expiry_s", real),
        column("tries_left", number),
        column("used", sa.Boolean),
        column("attempt", blob),
        sa.PrimaryKeyConstraint("user_id"),
        refers("user_id", "users"),
        refers("case_id", "cases"),
    )
    op.create_table(
        "used_tokens",
        column("token_id", text),
        column("used_at_s", real),
        sa.PrimaryKeyConstraint("token_id"),
    )
    op.create_table(
        "uploads",
        column("day", number, autoincrement=False),
        column("token_id", text),
        column("case_id", text),
        column("user_id", text),
        column("received_at_s", real),
        column("wrapped_key", blob),
        column("sealed", blob),
        sa.PrimaryKeyConstraint("day", "token_id"),
        refers("case_id", "cases"),
        **BY_DAY,
    )
    op.create_index("uploads_by_case", "uploads", ["case_id"])
    op.create_table(
        "contact_lists",
        column("day", number, autoincrement=False),
        column("case_id", text),
        column("basis", text),
        column("found_from", blob),
        column("uploads", number),
        column("unreadable_uploads", number),
        column("records", number),
        column("accepted", number),
        column("in_span", number),
        column("rejected", text),
        sa.PrimaryKeyConstraint("day", "case_id", "basis"),
        refers("case_id", "cases"),
        **BY_DAY,
    )
    op.create_table(
        "contacts",
        column("day", number, autoincrement=False),
        column("case_id", text),
        column("basis", text),
        column("place", number, autoincrement=False),
        column("person", blob),
        column("days", number),
        column("encounters", number),
        column("minutes_low", real),
        column("minutes", real),
        column("minutes_high", real),
        column("minutes_24h", real),
        column("nearest_low_m", real),
        column("nearest_m", real),
        column("nearest_high_m", real),
        column("first_s", real),
        column("last_s", real),
        sa.PrimaryKeyConstraint("day", "case_id", "basis", "place"),
        refers("case_id", "cases"),
        **BY_DAY,
    )
    op.create_table(
        "counts",
        column("name", text),
        column("subject", blob),
        column("window_s", sa.BigInteger, autoincrement=False),
        column("count", number),
        sa.PrimaryKeyConstraint("name", "subject", "window_s"),
    )
    op.create_table(
        "audit",
        column("number", sa.BigInteger, autoincrement=False),
        column("time_s", real),
        column("by", text),
        column("act", text),
        column("subject", text),
        column("details", text),
        column("previous", blob),
        column("digest", blob),
        sa.PrimaryKeyConstraint("number"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
