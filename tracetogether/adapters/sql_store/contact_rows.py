"""A kept contact list as rows: one of what it was found from, one for each person."""

import json
from dataclasses import astuple

import sqlalchemy as sa

from tracetogether.adapters.sql_store.databases import Database
from tracetogether.adapters.sql_store.tables import CONTACT_LISTS, CONTACTS
from tracetogether.authority.contacts.lists import ContactList, SealedContact


def write_list(connection: sa.Connection, database: Database, found: ContactList) -> None:
    """Write a list in place of the one of the same case and basis."""
    for table in (CONTACTS, CONTACT_LISTS):
        which = sa.and_(table.c.case_id == found.case_id, table.c.basis == found.basis)
        connection.execute(table.delete().where(which))
    database.make_day(connection, found.day)
    connection.execute(
        CONTACT_LISTS.insert().values(
            day=found.day,
            case_id=found.case_id,
            basis=found.basis,
            found_from=found.found_from,
            uploads=found.uploads,
            unreadable_uploads=found.unreadable_uploads,
            records=found.records,
            accepted=found.accepted,
            in_span=found.in_span,
            rejected=json.dumps(dict(found.rejected)),
        )
    )
    key = (found.day, found.case_id, found.basis)
    lines = enumerate(found.contacts)
    database.bulk(connection, CONTACTS, ((*key, place, *astuple(line)) for place, line in lines))


def read_list(connection: sa.Connection, case_id: str, basis: str) -> ContactList | None:
    """Return a list, None if there is none."""
    head, lines = (
        connection.execute(
            table.select().where(table.c.case_id == case_id, table.c.basis == basis)
        ).all()
        for table in (CONTACT_LISTS, CONTACTS)
    )
    if not head:
        return None
    found = head[0]
    contacts = [SealedContact(*line[4:]) for line in sorted(lines, key=lambda one: one.place)]
    return ContactList(
        case_id=case_id,
        basis=basis,
        day=found.day,
        found_from=found.found_from,
        uploads=found.uploads,
        unreadable_uploads=found.unreadable_uploads,
        records=found.records,
        accepted=found.accepted,
        in_span=found.in_span,
        rejected=json.loads(found.rejected),
        contacts=tuple(contacts),
    )
