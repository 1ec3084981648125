"""Repeated acts of strangers cost the audit log one entry an hour; it is checked in pages."""

import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tests.pages_world import CHEAP
from tracetogether.adapters.operator_pages import sign_in_for
from tracetogether.adapters.sql_store import SqlStore, access
from tracetogether.authority.access.audit import AuditEntry
from tracetogether.authority.access.limits import COUNTS_KEPT_S
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import AccessDeniedError, AuditError
from tracetogether.units import SECONDS_PER_HOUR


def guess(world: World, count: int, now: float) -> None:
    """Let strangers try upload PINs, and names that no operator has."""
    sign_in = sign_in_for(world.authority, CHEAP)
    for number in range(count):
        with pytest.raises(AccessDeniedError):
            world.authority.intake.redeem_pin(world.user(), "00000000", bytes(32), now)
        with pytest.raises(AccessDeniedError):
            sign_in.enter(f"x{number}", "wrong", "", now, address=f"192.0.2.{number}")


@pytest.mark.slow
def test_refused_strangers_are_counted_by_the_hour(store: AuthorityStore) -> None:
    world = World.of(counted_entropy(6), store=store)
    authority = world.authority
    before = authority.store.last_audit()[0]
    guess(world, 30, NOON)
    assert authority.store.last_audit()[0] == before
    authority.tallies.tell(NOON + 60)  # the hour is not over
    assert authority.store.last_audit()[0] == before
    guess(world, 10, NOON + SECONDS_PER_HOUR)
    for _ in range(3):  # however often
        authority.tallies.tell(NOON + 2 * SECONDS_PER_HOUR)
    recorded = [
        (entry.act, entry.by, entry.subject, dict(entry.details))
        for entry in authority.audit.entries(after=before, by=CONSOLE)
    ]
    hours = [(int(NOON), 30), (int(NOON) + SECONDS_PER_HOUR, 10)]
    assert recorded == [
        (act, "clock", "", {"since": since, "count": count})
        for since, count in hours
        for act in ("pins.refused", "sign-ins.refused")
    ]
    assert authority.store.counts(NOON).pin_failures == 40
    guess(world, 1, NOON + 2 * SECONDS_PER_HOUR)
    assert authority.store.counts(NOON).pin_failures == 41
    authority.audit.verify(by=CONSOLE)


def test_phones_that_register_and_withdraw_all_day_cost_an_entry_an_hour() -> None:
    world = World.of(counted_entropy(10))
    before = world.store.last_audit()[0]
    for _ in range(50):
        world.authority.issuance.withdraw(world.user(), NOON)
    assert world.store.last_audit()[0] == before
    world.authority.tallies.tell(NOON + SECONDS_PER_HOUR)
    (entry,) = world.authority.audit.entries(after=before, by=CONSOLE)
    assert (entry.act, entry.details["count"]) == ("users.withdrawn", 50)


def test_counts_are_recorded_after_a_pause_and_after_a_clock_that_was_ahead() -> None:
    world = World.of(counted_entropy(7))
    tallies, before = world.authority.tallies, world.store.last_audit()[0]
    guess(world, 2, NOON)
    tallies.tell(NOON + COUNTS_KEPT_S)  # the latest that counts are there
    assert world.store.last_audit()[0] == before + 2
    tallies.tell(NOON + 90 * SECONDS_PER_HOUR)  # a clock that is ahead
    tallies.tell(NOON + 50 * SECONDS_PER_HOUR)
    guess(world, 2, NOON + 50 * SECONDS_PER_HOUR)
    tallies.tell(NOON + 51 * SECONDS_PER_HOUR)
    assert world.store.last_audit()[0] == before + 4


def test_a_young_authority_records_counts_too() -> None:
    world = World.of(counted_entropy(8), since=NOON)
    guess(world, 1, NOON)
    world.authority.tallies.tell(NOON + SECONDS_PER_HOUR)
    assert [entry.act for entry in world.authority.audit.entries(by=CONSOLE)][-2:] == [
        "pins.refused",
        "sign-ins.refused",
    ]


def test_a_long_log_is_checked_a_page_at_a_time(
    sql: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Private parts: a thousand entries would be written otherwise, and no result shows the pages.
    monkeypatch.setattr(access, "_ENTRIES_AT_ONCE", 7)
    world, pages = World.of(counted_entropy(9), store=sql), []
    real = SqlStore._audit_page

    def counted(store: SqlStore, after: int, size: int) -> list[tuple[AuditEntry, bytes]]:
        pages.append(real(store, after, size))
        return pages[-1]

    monkeypatch.setattr(SqlStore, "_audit_page", counted)
    with sql.atomic():
        for number in range(49):
            world.authority.audit.record("tested", NOON, by="clock", number=number)
    newest = sql.last_audit()[0]
    head = world.authority.audit.verify(by=CONSOLE)
    assert head[0] == newest == 50
    assert [len(page) for page in pages] == [7] * 7 + [1]
    assert [
        entry.number for entry in world.authority.audit.entries(after=3, limit=10, by=CONSOLE)
    ] == [*range(4, 14)]
    assert world.authority.audit.verify(head, by=CONSOLE) == head
    with pytest.raises(AuditError, match="rewritten"):
        world.authority.audit.verify((20, bytes(32)), by=CONSOLE)
