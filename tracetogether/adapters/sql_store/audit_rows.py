"""Entries of the audit log as rows."""

import json

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import AUDIT
from tracetogether.authority.access.audit import AuditEntry


def write_entry(connection: sa.Connection, entry: AuditEntry) -> None:
    """Append an entry."""
    connection.execute(
        AUDIT.insert().values(
            (
                *(entry.number, entry.time, entry.by, entry.act, entry.subject),
                *(json.dumps(dict(entry.details)), entry.previous, entry.digest),
            )
        )
    )


def read_entries(
    connection: sa.Connection, after: int, limit: int | None
) -> list[tuple[AuditEntry, bytes]]:
    """Return entries with a number beyond ``after``, and the digests they were kept with."""
    wanted = AUDIT.select().where(AUDIT.c.number > after).order_by(AUDIT.c.number).limit(limit)
    return [
        (AuditEntry(number, time, by, act, subject, json.loads(details), previous), digest)
        for number, time, by, act, subject, details, previous, digest in connection.execute(wanted)
    ]
