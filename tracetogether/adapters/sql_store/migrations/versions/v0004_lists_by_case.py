"""Indexes by which a case's contact list is found without reading everybody's."""  # noqa: INP001 - Alembic loads it by its path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the two indexes."""
    op.create_index("contact_lists_by_case", "contact_lists", ["case_id", "basis"])
    op.create_index("contacts_by_case", "contacts", ["case_id", "basis"])
