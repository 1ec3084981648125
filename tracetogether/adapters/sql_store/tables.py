"""The tables as the store's statements use them; the migrations make them."""

from typing import Any, Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

ONE_OPEN: Final = "state IN ('open', 'tracing') AND NOT duplicate"
"""The condition that at most one case of a user fulfils."""
TO_CALL: Final = "coalesce(state, '') IN ('in_follow_up', 'reached', 'to_trace')"
"""The condition of lines that somebody is to call: the index of those in the order of urgency.

``coalesce`` changes nothing, as no state is missing. It keeps SQLite from taking another index by
state, whose rows it would have to sort.
"""
BECAME_CASE: Final = "became_case <> ''"
"""The condition of lines of people who became a case; few are, so the index is small."""

_BY_DAY: Final[dict[str, Any]] = {"postgresql_partition_by": "RANGE (day)"}


def _text(name: str, *how: sa.ForeignKey, **more: Any) -> sa.Column[str]:  # noqa: ANN401 - as sa.Column has them
    return sa.Column(name, sa.Text, *how, nullable=False, **more)


def _real(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=nullable)


def _integer(name: str, *, kind: type[sa.Integer] = sa.Integer, **more: Any) -> sa.Column[int]:  # noqa: ANN401 - as sa.Column has them
    return sa.Column(name, kind, autoincrement=False, nullable=False, **more)


def _bytes(name: str, **more: Any) -> sa.Column[bytes]:  # noqa: ANN401 - as sa.Column has them
    return sa.Column(name, sa.LargeBinary, nullable=False, **more)


def _flag(name: str, **more: Any) -> sa.Column[bool]:  # noqa: ANN401 - as sa.Column has them
    return sa.Column(name, sa.Boolean, nullable=False, **more)


def _refers(column: str) -> sa.ForeignKey:
    return sa.ForeignKey(column, ondelete="CASCADE")


def _case(*, primary_key: bool = False) -> sa.Column[str]:
    return _text("case_id", _refers("cases.case_id"), primary_key=primary_key)


# --- access: settings, operators, users, counts, the audit log ---

SETTINGS: Final = sa.Table("settings", METADATA, _text("name", primary_key=True), _text("value"))
OPERATORS: Final = sa.Table(
    "operators",
    METADATA,
    _text("name", primary_key=True),
    _text("roles"),
    _real("added_at_s"),
    _bytes("token_digest", unique=True),
    _flag("disabled"),
)
PASSWORDS: Final = sa.Table(
    "passwords",
    METADATA,
    _text("name", _refers("operators.name"), primary_key=True),
    _bytes("salt"),
    _text("cost"),
    _bytes("verifier"),
    _bytes("sealed_secret"),
    _integer("last_step", kind=sa.BigInteger),
    sa.Column("one_time_until_s", sa.Float(53), nullable=False, server_default="0"),
)
SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    _bytes("digest", primary_key=True),
    _text("name", _refers("operators.name"), index=True),
    _real("begun_at_s"),
    _real("seen_at_s"),
    _bytes("enrolling"),
)
CODE_RESETS: Final = sa.Table(
    "code_resets",
    METADATA,
    _text("name", _refers("operators.name"), primary_key=True),
    _text("asked_by"),
    _real("asked_at_s"),
    _text("what", server_default="codes"),
)
USERS: Final = sa.Table(
    "users",
    METADATA,
    _text("user_id", primary_key=True),
    _bytes("credential_digest", unique=True),
)
WITHDRAWALS: Final = sa.Table(
    "withdrawals", METADATA, _bytes("digest", primary_key=True), _real("at_s")
)
COUNTS: Final = sa.Table(
    "counts",
    METADATA,
    _text("name", primary_key=True),
    _bytes("subject", primary_key=True),
    _integer("window_s", kind=sa.BigInteger, primary_key=True),
    _integer("count"),
)
AUDIT: Final = sa.Table(
    "audit",
    METADATA,
    _integer("number", kind=sa.BigInteger, primary_key=True),
    _real("time_s"),
    *map(_text, ("by", "act", "subject", "details")),
    *map(_bytes, ("previous", "digest")),
)

# --- cases and what tracers work on ---

CASES: Final = sa.Table(
    "cases",
    METADATA,
    _text("case_id", primary_key=True),
    _text("user_id", _refers("users.user_id"), index=True),
    _integer("day"),
    _real("opened_at_s"),
    _real("active_at_s"),
    _text("state", server_default="open"),
    _text("assigned_to", server_default=""),
    _real("tracing_at_s", nullable=True),
    _real("closed_at_s", nullable=True),
    _text("merged_into", server_default=""),
    _flag("known_contact", server_default=sa.false()),
    _flag("unconfirmed", server_default=sa.false()),
    _integer("version", server_default="1"),
    _text("origin", server_default=""),
    # A migration sets this for second open cases, which older releases allowed.
    _flag("duplicate", server_default=sa.false()),
    sa.Index(
        "cases_one_open",
        "user_id",
        unique=True,
        sqlite_where=sa.text(ONE_OPEN),
        postgresql_where=sa.text(ONE_OPEN),
    ),
    sa.Index("cases_by_opening", "opened_at_s"),
)
CASE_PEOPLE: Final = sa.Table(
    "case_people",
    METADATA,
    _case(primary_key=True),
    _integer("day"),
    *map(_bytes, ("sealed", "by_name", "by_phone")),
    sa.Index("case_people_by_day", "day"),
    *(sa.Index(f"case_people_{name}", name) for name in ("by_name", "by_phone")),
)
FOLLOWED: Final = sa.Table(
    "followed",
    METADATA,
    _text("contact_id", primary_key=True),
    _case(),
    _integer("day"),
    _bytes("person"),
    *map(_bytes, ("tag", "who")),
    _text("state"),
    _integer("priority"),
    _text("reasons"),
    _flag("close_contact"),
    _integer("days"),
    *map(_real, ("minutes_low", "minutes", "minutes_high", "minutes_24h")),
    *map(_real, ("probability", "nearest_m")),
    _text("seen_by"),
    *map(_real, ("first_s", "last_s", "found_at_s")),
    _integer("until_day"),
    _real("traced_at_s", nullable=True),
    _integer("last_day"),
    _integer("missed"),
    _flag("symptoms"),
    _flag("followed_all"),
    _real("ended_at_s", nullable=True),
    _text("became_case"),
    _text("merged_into"),
    _bytes("particulars"),
    _integer("version", server_default="1"),
    _real("call_at_s", nullable=True),
    *map(_bytes, ("by_pseudonym", "by_name", "by_phone", "by_language")),
    _real("urgency"),  # lists are sorted by it
    sa.Index(
        "followed_by_case",
        *("case_id", "state", "priority", "last_day", "until_day"),
        *("found_at_s", "traced_at_s", "followed_all"),
    ),
    sa.Index("followed_by_tag", "tag"),
    sa.Index("followed_by_who", "who", "last_day"),
    sa.Index("followed_by_call_at", "call_at_s"),
    sa.Index("followed_by_day", "day"),
    sa.Index(
        "followed_by_became_case",
        "became_case",
        sqlite_where=sa.text(BECAME_CASE),
        postgresql_where=sa.text(BECAME_CASE),
    ),
    *(sa.Index(f"followed_{name}", name) for name in ("by_pseudonym", "by_name", "by_phone")),
    sa.Index("followed_by_found_at", "found_at_s", "case_id"),
    sa.Index("followed_by_traced_at", "traced_at_s", "case_id"),
    sa.Index("followed_by_urgency", "urgency", "contact_id"),
    sa.Index(
        "followed_to_call",
        *("urgency", "contact_id"),
        # What else the search asks of a line: it reads no row that it doesn't return.
        *("last_day", "until_day", "case_id", "who", "day", "call_at_s"),
        sqlite_where=sa.text(TO_CALL),
        postgresql_where=sa.text(TO_CALL),
    ),
    # This index and followed_by_case hold all that the dashboard counts: it reads no rows.
    sa.Index(
        "followed_counted",
        *("state", "priority", "until_day", "last_day", "case_id"),
        *("found_at_s", "traced_at_s", "followed_all"),
    ),
)
OUTCOMES: Final = sa.Table(
    "outcomes",
    METADATA,
    _text("contact_id", _refers("followed.contact_id"), primary_key=True),
    _integer("day", primary_key=True),
    _text("outcome"),
    _text("by"),
    _real("at_s"),
    sa.Index("outcomes_by_day", "day", "by"),
)
RESERVATIONS: Final = sa.Table(
    "reservations",
    METADATA,
    _bytes("who", primary_key=True),
    _text("operator", index=True),
    _real("until_s"),
)
SHIFTS: Final = sa.Table(
    "shifts",
    METADATA,
    _text("operator", primary_key=True),
    _text("reason"),
    _real("begun_at_s"),
    _real("until_s"),
)
DRAFTS: Final = sa.Table(
    "drafts",
    METADATA,
    _text("operator", primary_key=True),
    _bytes("who", primary_key=True),
    _integer("day"),
    _real("at_s"),
    _bytes("sealed"),
    sa.Index("drafts_by_day", "day"),
)
MERGES: Final = sa.Table(
    "merges",
    METADATA,
    _text("gone", primary_key=True),
    _text("stays"),
    _case(),
    _integer("day"),
    _real("at_s"),
    _text("by"),
    _bytes("sealed"),
    sa.Index("merges_by_stays", "stays"),
)
NOTES: Final = sa.Table(
    "notes",
    METADATA,
    _text("note_id", primary_key=True),
    _case(),
    _text("contact_id"),
    _integer("day"),
    _real("at_s"),
    _text("by"),
    _bytes("sealed"),
    sa.Index("notes_by_case", "case_id"),
    sa.Index("notes_by_contact", "contact_id"),
)

# --- uploads and the contact lists found in them ---

PINS: Final = sa.Table(
    "pins",
    METADATA,
    _text("user_id", _refers("users.user_id"), primary_key=True),
    _case(),
    _integer("day"),
    _bytes("digest"),
    _real("expiry_s"),
    _integer("tries_left"),
    _flag("used"),
    _bytes("attempt"),
)
USED_TOKENS: Final = sa.Table(
    "used_tokens", METADATA, _text("token_id", primary_key=True), _real("used_at_s")
)
UPLOADS: Final = sa.Table(
    "uploads",
    METADATA,
    _integer("day", primary_key=True),
    _text("token_id", primary_key=True),
    _case(),
    _text("user_id"),
    _real("received_at_s"),
    _bytes("wrapped_key"),
    _bytes("sealed"),
    sa.Index("uploads_by_case", "case_id"),
    **_BY_DAY,
)
LISTS_DUE: Final = sa.Table(
    "lists_due", METADATA, _case(primary_key=True), _real("came_at_s"), _real("tried_at_s")
)
CONTACT_LISTS: Final = sa.Table(
    "contact_lists",
    METADATA,
    _integer("day", primary_key=True),
    _case(primary_key=True),
    _text("basis", primary_key=True),
    _bytes("found_from"),
    *map(_integer, ("uploads", "unreadable_uploads", "records", "accepted", "in_span")),
    _text("rejected"),
    sa.Index("contact_lists_by_case", "case_id", "basis"),
    **_BY_DAY,
)
CONTACTS: Final = sa.Table(
    "contacts",
    METADATA,
    _integer("day", primary_key=True),
    _case(primary_key=True),
    _text("basis", primary_key=True),
    _integer("place", primary_key=True),
    _bytes("person"),
    _integer("days"),
    _integer("encounters"),
    *map(_real, ("minutes_low", "minutes", "minutes_high", "minutes_24h")),
    *map(_real, ("nearest_low_m", "nearest_m", "nearest_high_m", "first_s", "last_s")),
    sa.Index("contacts_by_case", "case_id", "basis"),
    **_BY_DAY,
)

# --- who gets no passes for a time, and why ---

ORDERS: Final = sa.Table(
    "orders",
    METADATA,
    _text("order_id", primary_key=True),
    *map(_text, ("kind", "legal_basis", "place")),
    *map(_real, ("window_from_s", "window_to_s", "ends_at_s")),
    *map(_integer, ("most_people", "people")),
    _text("registered_by"),
    _real("registered_at_s"),
    _real("ended_at_s", nullable=True),
    _text("ended_by"),
)
RESTRICTIONS: Final = sa.Table(
    "restrictions",
    METADATA,
    _text("restriction_id", primary_key=True),
    _text("user_id", _refers("users.user_id"), index=True),
    *map(_text, ("ground", "reference")),
    *map(_real, ("begins_at_s", "until_s")),
    *map(_text, ("evidence", "notice", "set_by")),
    _real("set_at_s"),
    _text("confirmed_by"),
    _real("confirmed_at_s", nullable=True),
    _real("suspends_at_s", nullable=True),
    _real("ended_at_s", nullable=True),
    *map(_text, ("ended_by", "ending")),
    sa.Index("restrictions_by_setter", "set_by", "set_at_s"),
    sa.Index("restrictions_by_reference", "reference"),
)
APPEALS: Final = sa.Table(
    "appeals",
    METADATA,
    _text("appeal_id", primary_key=True),
    _text("restriction_id", _refers("restrictions.restriction_id"), index=True),
    _real("opened_at_s"),
    _text("state"),
    _real("decided_at_s", nullable=True),
    _text("decided_by"),
)

# --- people without a phone, for whom a phone keeps passes ---

CHARGES: Final = sa.Table(
    "charges",
    METADATA,
    _text("charge_id", primary_key=True),
    _text("user_id", _refers("users.user_id"), unique=True),
    _text("guardian", _refers("users.user_id"), index=True),
    _real("added_at_s"),
)
CHARGE_CODES: Final = sa.Table(
    "charge_codes",
    METADATA,
    _bytes("digest", primary_key=True),
    _text("charge_id"),
    _integer("day"),
    _real("expiry_s"),
)
DECLARATIONS: Final = sa.Table(
    "declarations",
    METADATA,
    _text("user_id", _refers("users.user_id"), primary_key=True),
    _integer("day"),
    _bytes("sealed"),
    sa.Index("declarations_by_day", "day"),
)

# --- visits and trips of cases, and what everybody downloads of them ---

REGISTRATIONS: Final = sa.Table(
    "registrations",
    METADATA,
    _text("user_id", _refers("users.user_id"), primary_key=True),
    _integer("day"),
)
REPORTED_VISITS: Final = sa.Table(
    "reported_visits",
    METADATA,
    _text("visit_id", primary_key=True),
    _case(),
    _integer("day"),
    _bytes("place_tag"),
    _real("received_at_s"),
    _bytes("sealed"),
    _text("state"),
    _real("released_at_s", nullable=True),
    *map(_text, ("decided_by", "reason")),
    sa.Column("hour", sa.Integer),
    sa.Index("reported_visits_by_case", "case_id"),
    sa.Index("reported_visits_by_place", "place_tag"),
    sa.Index("reported_visits_by_state", "state", "released_at_s"),
    sa.Index("reported_visits_by_day", "day"),
)
HEARD_AT_PLACES: Final = sa.Table(
    "heard_at_places",
    METADATA,
    _bytes("digest", primary_key=True),
    _real("released_at_s"),
    sa.Column("hour", sa.Integer),
    sa.Index("heard_at_places_by_time", "released_at_s"),
)
REPORTED_TRIPS: Final = sa.Table(
    "reported_trips",
    METADATA,
    _text("trip_id", primary_key=True),
    _case(),
    *map(_integer, ("day", "trip_day")),
    _real("received_at_s"),
    _bytes("sealed"),
    _text("state"),
    _real("released_at_s", nullable=True),
    sa.Column("aboard", sa.Integer),
    *map(_text, ("decided_by", "reason")),
    sa.Index("reported_trips_by_case", "case_id"),
    sa.Index("reported_trips_by_state", "state", "trip_day"),
    sa.Index("reported_trips_by_day", "day"),
)
PACKAGES: Final = sa.Table(
    "packages",
    METADATA,
    _text("kind", primary_key=True),
    *(_integer(name, primary_key=True) for name in ("number", "edition")),
    _bytes("body"),
    _integer("entries"),
)

DAILY: Final = (UPLOADS, CONTACT_LISTS, CONTACTS)
"""Tables that PostgreSQL keeps in partitions of a day."""
