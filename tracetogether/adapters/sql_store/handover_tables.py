"""Tables of records that go to partners and come from them."""

from typing import Final

import sqlalchemy as sa

from tracetogether.adapters.sql_store.tables import (
    METADATA,
    _bytes,
    _case,
    _flag,
    _integer,
    _real,
    _text,
)

HANDOVERS: Final = sa.Table(
    "handovers",
    METADATA,
    _text("token_id", primary_key=True),
    _text("organisation", primary_key=True),
    _case(),
    *map(_integer, ("hour", "tempids", "people", "records")),
    _real("packed_at_s", nullable=True),
    sa.Index("handovers_by_case", "case_id"),
    sa.Index("handovers_by_hour", "hour"),
)
OUTGOING: Final = sa.Table(
    "outgoing_batches",
    METADATA,
    _text("digest", primary_key=True),
    _text("organisation", index=True),
    *map(_integer, ("hour", "records")),
    _bytes("message"),
    _real("made_at_s"),
    _text("state"),
    _integer("tries"),
    _real("next_try_at_s"),
    _real("sent_at_s", nullable=True),
    _text("fault"),
)
TAKEN: Final = sa.Table(
    "taken_batches",
    METADATA,
    _text("digest", primary_key=True),
    _text("organisation", index=True),
    *map(_integer, ("hour", "records", "accepted")),
    _real("received_at_s"),
)
ANSWERS: Final = sa.Table(
    "record_answers",
    METADATA,
    _text("organisation", primary_key=True),
    _integer("day", primary_key=True),
    _flag("ours", primary_key=True),
    _text("reason", primary_key=True),
    _integer("count"),
)
