"""A contact becomes a case: the case's name and number, and the way back to the contact."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the table and the indexes.

    An upgrade has no keys, so it copies no name. A case that a contact became before has none until
    somebody writes it down; the contact still has it.
    """
    op.create_table(
        "case_people",
        sa.Column(
            "case_id",
            sa.Text,
            sa.ForeignKey("cases.case_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("by_name", sa.LargeBinary, nullable=False),
        sa.Column("by_phone", sa.LargeBinary, nullable=False),
    )
    for name in ("day", "name", "phone"):
        column = name if name == "day" else f"by_{name}"
        op.create_index(f"case_people_by_{name}", "case_people", [column])
    became = sa.text("became_case <> ''")
    op.create_index(
        "followed_by_became_case",
        "followed",
        ["became_case"],
        sqlite_where=became,
        postgresql_where=became,
    )
