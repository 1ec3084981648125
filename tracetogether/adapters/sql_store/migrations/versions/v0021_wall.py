"""The wall: screens, and counts of followed contacts that triggers keep."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_COLUMNS = ("state", "last_day", "until_day", "day")
_LIST = ", ".join(_COLUMNS)
_CHANGED = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in _COLUMNS)


def upgrade() -> None:
    """Make the tables, count what is there, and let triggers count what changes from now on."""
    op.create_table(
        "screens",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("added_at_s", sa.Float(53), nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.LargeBinary, nullable=False)
            for name in ("code_digest", "session_digest")
        ),
        *(sa.Column(name, sa.Float(53), nullable=False) for name in ("begun_at_s", "seen_at_s")),
    )
    op.create_table(
        "followed_counts",
        sa.Column("state", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("last_day", "until_day", "day", "rows")
        ),
    )
    op.create_index("cases_by_opening", "cases", ["opened_at_s"])
    op.create_index("followed_counts_each", "followed_counts", list(_COLUMNS))
    op.execute(
        f"INSERT INTO followed_counts ({_LIST}, rows) "  # noqa: S608 - names of columns
        f"SELECT {_LIST}, count(*) FROM followed GROUP BY {_LIST}"
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    """Change the row of a state and days in place: one transaction writes at a time anyway."""
    more, less = _added("NEW", 1), _added("OLD", -1)
    for event, when, what in (
        ("INSERT", "", more),
        ("DELETE", "", less),
        (f"UPDATE OF {_LIST}", f"WHEN {_CHANGED} ", less + more),
    ):
        name = f"followed_counts_{event.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON followed {when}BEGIN {what}END")


def _added(row: str, change: int) -> str:
    values = ", ".join(f"{row}.{name}" for name in _COLUMNS)
    same = " AND ".join(f"{name} = {row}.{name}" for name in _COLUMNS)
    return (
        f"INSERT INTO followed_counts ({_LIST}, rows) SELECT {values}, 0 "  # noqa: S608 - names of columns
        f"WHERE NOT EXISTS (SELECT 1 FROM followed_counts WHERE {same}); "
        f"UPDATE followed_counts SET rows = rows + {change} WHERE {same}; "
    )


def _postgresql() -> None:
    """Append what changed, once a statement: tracers who call at once wait for no common row.

    ``AuthorityStore.sum_up_counts`` adds the rows up from time to time.
    """
    for event, tables in (
        ("INSERT", {"more": 1}),
        ("DELETE", {"less": -1}),
        ("UPDATE", {"less": -1, "more": 1}),
    ):
        name = f"followed_counts_{event.lower()}"
        parts = " UNION ALL ".join(
            f"SELECT {_LIST}, {sign} AS change FROM {table}"  # noqa: S608 - names of columns
            for table, sign in tables.items()
        )
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
            f"INSERT INTO followed_counts ({_LIST}, rows) "
            f"SELECT {_LIST}, sum(change) FROM ({parts}) AS changed GROUP BY {_LIST} "
            "HAVING sum(change) <> 0; RETURN NULL; END $$"
        )
        named = " ".join(
            f"{'OLD' if table == 'less' else 'NEW'} TABLE AS {table}" for table in tables
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON followed REFERENCING {named} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
