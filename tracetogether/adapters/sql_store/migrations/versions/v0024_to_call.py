"""Find the next person to call at once, however many contacts there are."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the index of the lines that somebody is to call, in the order of urgency."""
    to_call = sa.text("coalesce(state, '') IN ('in_follow_up', 'reached', 'to_trace')")
    op.create_index(
        "followed_to_call",
        "followed",
        ["urgency", "contact_id"],
        sqlite_where=to_call,
        postgresql_where=to_call,
    )
