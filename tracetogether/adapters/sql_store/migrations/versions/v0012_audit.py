"""The audit log is not passed by REPLACE either."""  # noqa: INP001 - Alembic loads it by its path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Refuse an entry in the place of one that is there.

    SQLite deletes the old row of INSERT OR REPLACE without asking a trigger on DELETE. PostgreSQL
    knows no REPLACE, and asks the trigger on UPDATE for its ON CONFLICT.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number OR rowid = NEW.rowid) "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )
