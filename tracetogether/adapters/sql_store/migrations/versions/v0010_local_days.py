"""Contacts are counted by day from their times: which day that is depends on the time zone."""  # noqa: INP001 - Alembic loads it by its path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Drop the columns of UTC days, and make indexes of the times that they came from."""
    for name in ("found", "traced"):
        op.drop_index(f"followed_by_{name}_day", "followed")
        op.drop_column("followed", f"{name}_day")
        op.create_index(f"followed_by_{name}_at", "followed", [f"{name}_at_s", "case_id"])
