"""The days on which contacts were found and reached, so that the dashboard counts by an index."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the two columns, fill them from the times, and make an index of each."""
    op.add_column("followed", sa.Column("found_day", sa.Integer, nullable=True))
    op.add_column("followed", sa.Column("traced_day", sa.Integer, nullable=True))
    # Whole seconds first: PostgreSQL's cast would round a day up.
    op.execute(
        "UPDATE followed SET found_day = CAST(found_at_s AS BIGINT) / 86400, "
        "traced_day = CAST(traced_at_s AS BIGINT) / 86400"
    )
    op.create_index("followed_by_found_day", "followed", ["found_day", "case_id"])
    op.create_index("followed_by_traced_day", "followed", ["traced_day", "case_id"])
    # A tracer's share is counted by the cases assigned to them; rows are not read.
    op.drop_index("followed_by_case", "followed")
    counted = ["state", "priority", "last_day", "until_day"]
    counted += ["found_at_s", "traced_at_s", "followed_all"]
    op.create_index("followed_by_case", "followed", ["case_id", *counted])
