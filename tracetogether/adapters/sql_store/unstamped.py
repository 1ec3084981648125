"""Files of before the first migration: users, cases and the operator are taken over."""

from typing import Final

import sqlalchemy as sa

from tracetogether.authority.access.permissions import ALL_ROLES

_OLD: Final = ("uploads", "pins", "cases", "users", "operators", "settings")  # children first
_TAKEN_OVER: Final = (
    "INSERT INTO settings (name, value) SELECT name, value FROM old_settings",
    "INSERT INTO users SELECT user_id, credential_digest FROM old_users",
    """INSERT INTO cases (case_id, user_id, day, opened_at_s, active_at_s)
       SELECT case_id, user_id, day, opened_at_s, active_at_s FROM old_cases""",
)


def is_unstamped(connection: sa.Connection) -> bool:
    """Return whether this is an SQLite file of an authority of before there were migrations."""
    if connection.dialect.name != "sqlite":
        return False
    return set(sa.inspect(connection).get_table_names()) == set(_OLD)


def put_aside(connection: sa.Connection) -> None:
    """Make room for this release's tables, in the open transaction."""
    for name in _OLD:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO old_{name}")


def take_over(connection: sa.Connection) -> None:
    """Copy what is still good into this release's tables, and drop the old ones.

    Logs were sealed in a way that this release does not read, and PINs knew no attempts: both go.
    """
    for statement in _TAKEN_OVER:
        connection.exec_driver_sql(statement)
    rows = connection.exec_driver_sql("SELECT token_digest FROM old_operators").scalars().all()
    for number, digest in enumerate(rows, start=1):
        connection.exec_driver_sql(
            "INSERT INTO operators (name, roles, added_at_s, token_digest, disabled) "
            "VALUES (?, ?, 0, ?, 0)",
            (
                "operator" if number == 1 else f"operator-{number}",
                " ".join(sorted(role.value for role in ALL_ROLES)),
                digest,
            ),
        )
    for name in _OLD:
        connection.exec_driver_sql(f"DROP TABLE old_{name}")
    connection.exec_driver_sql("PRAGMA user_version = 0")
