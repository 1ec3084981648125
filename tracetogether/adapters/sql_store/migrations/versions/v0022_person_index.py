"""Digests by which a person is found: of the pseudonym, the name and the telephone number."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the columns.

    The digests need the keys, which an upgrade has not: until the next purge works them out, the
    day's digest of the person stands for that of the pseudonym.
    """
    nothing = sa.text("''")
    for name in ("by_pseudonym", "by_name", "by_phone"):
        op.add_column(
            "followed", sa.Column(name, sa.LargeBinary, nullable=False, server_default=nothing)
        )
        op.create_index(f"followed_{name}", "followed", [name])
    op.execute("UPDATE followed SET by_pseudonym = tag")
