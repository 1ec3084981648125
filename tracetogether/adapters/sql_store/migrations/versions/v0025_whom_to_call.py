"""Find out at once that nobody is left to call."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Give the index of lines to call all that the search asks of a line."""
    op.drop_index("followed_to_call", table_name="followed")
    to_call = sa.text("coalesce(state, '') IN ('in_follow_up', 'reached', 'to_trace')")
    op.create_index(
        "followed_to_call",
        "followed",
        [
            *("urgency", "contact_id"),
            *("last_day", "until_day", "case_id", "who", "day", "call_at_s"),
        ],
        sqlite_where=to_call,
        postgresql_where=to_call,
    )
