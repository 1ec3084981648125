"""One open case of each person at most, and cases that wait for their confirmation."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ONE_OPEN = sa.text("state IN ('open', 'tracing') AND NOT duplicate")


def upgrade() -> None:
    """Add the columns and the constraint; a person who has several open cases keeps them."""
    for name in ("unconfirmed", "duplicate"):
        op.add_column(
            "cases", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        )
    # All but the newest of them are exempt from the constraint, until they are merged or closed.
    op.execute(
        "UPDATE cases SET duplicate = true WHERE state IN ('open', 'tracing') AND EXISTS ("
        "SELECT 1 FROM cases AS newer WHERE newer.user_id = cases.user_id "
        "AND newer.state IN ('open', 'tracing') AND (newer.opened_at_s > cases.opened_at_s "
        "OR (newer.opened_at_s = cases.opened_at_s AND newer.case_id < cases.case_id)))"
    )
    op.create_index(
        "cases_one_open",
        "cases",
        ["user_id"],
        unique=True,
        sqlite_where=_ONE_OPEN,
        postgresql_where=_ONE_OPEN,
    )
