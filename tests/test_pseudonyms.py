"""What people are called in lists: the same everywhere, and only by who has the keys."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store, inside
from tracetogether.adapters.sql_store.tables import CONTACTS, FOLLOWED
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.contacts.lines import UNKEYED, pseudonym
from tracetogether.errors import NotFoundError
from tracetogether.shapes.contacts import Contacts, Graph
from tracetogether.shapes.oversight import AuditLine

HOUR = 3_600.0


def test_pseudonyms_are_stable_and_distinct() -> None:
    key, other = bytes(32), bytes(31) + b"\x01"
    assert pseudonym("A" * 28, key) == "ECGWW-PFDRM"  # by hmac and base64 alone
    assert pseudonym("A" * 28, UNKEYED) == "5PL4C-DULLU"  # by hashlib and base64 alone
    assert pseudonym("A" * 28, key) != pseudonym("A" * 27 + "B", key)
    assert pseudonym("A" * 28, key) != pseudonym("A" * 28, other)


def test_a_name_of_an_earlier_release_is_still_good(world: World, case: Case) -> None:
    near = world.user()
    world.take(case, world.heard(near, NOON - HOUR, 30), NOON)
    for name in (world.authority.desk.name_of(near), pseudonym(near, UNKEYED)):
        assert world.authority.tracing.reveal(case, name, "ring", NOON, by=CONSOLE) == near
    with pytest.raises(NotFoundError):
        world.authority.tracing.reveal(case, pseudonym("x", UNKEYED), "ring", NOON, by=CONSOLE)


def test_nothing_that_is_kept_or_shown_is_named_by_a_hash_that_anybody_can_compute(
    tmp_path: Path,
) -> None:
    """Every place that names people: lists, graphs, follow-up, exports, cases, the audit log."""
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(12), store=store)
        authority = world.authority
        case, near = authority.casework.open_case(world.user(), NOON, by=CONSOLE), world.user()
        world.take(case, world.heard(near, NOON - HOUR, 60, rssi_dbm=-45), NOON)
        authority.finder.refresh(case, NOON)
        (kept,) = store.desk.contacts_of([case.case_id])
        authority.follow_up.reveal(kept.contact_id, "to call", NOON, by=CONSOLE)
        graph = authority.graphs.graph(by=CONSOLE)
        said = [
            str(Contacts.of(authority.tracing.contacts(case, by=CONSOLE)).json_value()),
            str(Graph.of(graph).json_value()),
            authority.desk.shown(kept, CONSOLE).pseudonym,
            str(
                [AuditLine.of(entry).json_value() for entry in authority.audit.entries(by=CONSOLE)]
            ),
        ]
    said.append((tmp_path / "a.db").read_bytes().decode("latin-1"))
    for user_id in (near, case.user_id):
        assert pseudonym(user_id, UNKEYED) not in "".join(said)
    for text in said:
        assert authority.desk.name_of(near) in text


def test_the_database_does_not_tell_at_which_time_two_people_met(tmp_path: Path) -> None:
    with fresh_store(tmp_path / "a.db") as store:
        world = World.of(counted_entropy(13), store=store)
        authority = world.authority
        case, near = authority.casework.open_case(world.user(), NOON, by=CONSOLE), world.user()
        begin = NOON - 27 * HOUR  # at nine in the morning of the day before
        world.take(case, world.heard(near, begin, 60, rssi_dbm=-45), NOON)
        authority.finder.refresh(case, NOON)
        (kept,) = store.desk.contacts_of([case.case_id])
        (listed,) = authority.tracing.contacts(case, by=CONSOLE).contacts
        with inside(store).transactions.reading() as connection:
            rows = [
                tuple(row)
                for table in (FOLLOWED, CONTACTS)
                for row in connection.execute(sa.select(table.c.first_s, table.c.last_s))
            ]
        assert rows
        assert set(rows) == {(NOON - 24 * HOUR, NOON - 24 * HOUR)}
        shown = authority.desk.shown(kept, CONSOLE).kept
        assert (shown.first_s, shown.last_s) == (listed.first_s, listed.last_s)
        assert shown.first_s == begin
        world.keys.destroy_before(kept.day + 1)
        gone = authority.desk.shown(kept, CONSOLE).kept
        assert (gone.first_s, gone.last_s) == rows[0]
