"""Store blanks of added columns as bytes; SQLite gave texts, which can't be written back."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

_ADDED = ("who", "by_pseudonym", "by_name", "by_phone", "by_language")


def upgrade() -> None:
    """Replace blank texts; PostgreSQL has none."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name in _ADDED:
        op.execute(sa.text(f"UPDATE followed SET {name} = X'' WHERE typeof({name}) = 'text'"))  # noqa: S608 - the names are above
