"""How many rows there are of everything."""

import json

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import (
    AUDIT,
    CASES,
    CONTACT_LISTS,
    CONTACTS,
    COUNTS,
    OPERATORS,
    PINS,
    SETTINGS,
    UPLOADS,
    USERS,
)
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.tallies import PINS_REFUSED, TOLD_UNTIL
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.units import SECONDS_PER_DAY, utc_day


def count_everything(connection: sa.Connection, now: float) -> Counts:
    """Return how much of everything is kept at ``now``."""
    tables = (USERS, OPERATORS, CASES, UPLOADS, CONTACT_LISTS, CONTACTS, AUDIT)
    open_pins = sa.and_(~PINS.c.used, PINS.c.tries_left > 0, PINS.c.expiry_s > now)
    size = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(UPLOADS.c.sealed)), 0))
    users, operators, cases, uploads, lists, contacts, audit = (
        connection.execute(sa.select(sa.func.count()).select_from(one)).scalar_one()
        for one in tables
    )
    pins = connection.execute(
        sa.select(sa.func.count()).select_from(PINS).where(open_pins)
    ).scalar_one()
    sealed = int(connection.execute(size).scalar_one())
    failures = connection.execute(
        sa.select(sa.func.count()).select_from(AUDIT).where(AUDIT.c.act == "pin.refused")
    ).scalar_one() + _refused_by_the_hour(connection)
    yesterday = (utc_day(now) - 1) * SECONDS_PER_DAY
    asked = sa.select(sa.func.coalesce(sa.func.sum(COUNTS.c.count), 0)).where(
        COUNTS.c.name == BATCHES.name,
        COUNTS.c.window_s >= yesterday,
        COUNTS.c.window_s < yesterday + 2 * SECONDS_PER_DAY,
    )
    batches = int(connection.execute(asked).scalar_one())
    return Counts(
        users, operators, cases, pins, uploads, sealed, lists, contacts, audit, failures, batches
    )


def _refused_by_the_hour(connection: sa.Connection) -> int:
    """Return how many PINs were refused that are counted: in the audit log, and not there yet."""
    told = connection.execute(
        sa.select(AUDIT.c.details).where(AUDIT.c.act == PINS_REFUSED.name)
    ).scalars()
    noted = connection.execute(
        sa.select(SETTINGS.c.value).where(SETTINGS.c.name == TOLD_UNTIL)
    ).scalar()
    untold = sa.select(sa.func.coalesce(sa.func.sum(COUNTS.c.count), 0)).where(
        COUNTS.c.name == PINS_REFUSED.name, COUNTS.c.window_s >= int(noted or 0)
    )
    counted = sum(int(json.loads(details)["count"]) for details in told)
    return counted + int(connection.execute(untold).scalar_one())
