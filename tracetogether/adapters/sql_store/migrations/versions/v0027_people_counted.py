"""The wall counts people: who changed is noted by triggers, and counted soon after."""  # noqa: INP001 - Alembic loads it by its path

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

_COUNTED = ("state", "last_day", "until_day", "day")
_WATCHED = ("who", *_COUNTED)
_KEYS = ", ".join(_COUNTED)
_IS_DUE = "state IN ('in_follow_up', 'reached', 'to_trace')"
_COUNTS = "state <> 'casual' OR last_day >= 0"
"""Lines that can change what a person counts as."""


def upgrade() -> None:
    """Make the tables, count the people, and let triggers note who changes from now on."""
    for event in ("insert", "delete", "update"):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER followed_counts_{event}")
        else:
            op.execute(f"DROP TRIGGER followed_counts_{event} ON followed")
            op.execute(f"DROP FUNCTION followed_counts_{event}()")
    op.create_table("people_changed", sa.Column("who", sa.LargeBinary, nullable=False))
    op.create_index("people_changed_by_who", "people_changed", ["who"])
    op.create_table(
        "followed_people",
        sa.Column("who", sa.LargeBinary, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTED[1:]),
    )
    op.execute(
        f"INSERT INTO followed_people (who, {_KEYS}) SELECT who, "  # noqa: S608 - names of columns
        f"CASE WHEN max(CASE WHEN {_IS_DUE} THEN 1 ELSE 0 END) = 1 THEN 'due' "
        "WHEN max(CASE WHEN state = 'lost' THEN 1 ELSE 0 END) = 1 THEN 'lost' ELSE 'over' END, "
        f"max(last_day), coalesce(max(CASE WHEN {_IS_DUE} THEN until_day END), -1), "
        f"coalesce(min(CASE WHEN {_IS_DUE} THEN day END), -1) FROM followed GROUP BY who "
        f"HAVING max(CASE WHEN {_COUNTS} THEN 1 ELSE 0 END) = 1"
    )
    op.execute("DELETE FROM followed_counts")
    op.execute(
        f"INSERT INTO followed_counts ({_KEYS}, rows) "  # noqa: S608 - names of columns
        f"SELECT {_KEYS}, count(*) FROM followed_people GROUP BY {_KEYS}"
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    new, old = (
        f"INSERT INTO people_changed (who) SELECT {row}.who "
        f"WHERE {row}.state <> 'casual' OR {row}.last_day >= 0; "
        for row in ("NEW", "OLD")
    )
    changed = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in _WATCHED)
    for event, when, what in (
        ("INSERT", "", new),
        ("DELETE", "", old),
        (f"UPDATE OF {', '.join(_WATCHED)}", f"WHEN {changed} ", old + new),
    ):
        name = f"people_changed_{event.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON followed {when}BEGIN {what}END")


def _postgresql() -> None:
    """Note people once a statement, in rows of their own: nobody waits for somebody else's."""
    row = f"contact_id, {', '.join(_WATCHED)}"
    before, after = (f"SELECT {row} FROM {table} WHERE {_COUNTS}" for table in ("less", "more"))  # noqa: S608
    for event, tables, rows in (
        ("insert", ("more",), after),
        ("delete", ("less",), before),
        (
            "update",
            ("less", "more"),
            f"({after} EXCEPT {before}) UNION ALL ({before} EXCEPT {after})",
        ),
    ):
        name = f"people_changed_{event}"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
            f"INSERT INTO people_changed (who) SELECT DISTINCT who FROM ({rows}) AS changed; "
            "RETURN NULL; END $$"
        )
        named = " ".join(
            f"{'OLD' if table == 'less' else 'NEW'} TABLE AS {table}" for table in tables
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON followed REFERENCING {named} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
