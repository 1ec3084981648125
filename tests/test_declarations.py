"""Declarations: two facts and nothing else, sealed, replaced, and gone after 21 days."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.status.declarations import Declaration
from tracetogether.errors import InvalidRequestError
from tracetogether.units import SECONDS_PER_DAY


def test_the_latest_declaration_counts(world: World) -> None:
    declarations, user = world.authority.declarations, world.user()
    assert declarations.latest(user, NOON) is None
    declarations.declare(user, NOON, symptoms=True, since_day=DAY - 3)
    assert declarations.latest(user, NOON) == Declaration(symptoms=True, since_day=DAY - 3)
    declarations.declare(user, NOON + 60, symptoms=False)
    assert declarations.latest(user, NOON + 60) == Declaration(symptoms=False, since_day=DAY)


def test_threat_declaration_in_database_is_sealed_and_equally_long_for_all(world: World) -> None:
    declarations, users = world.authority.declarations, [world.user() for _ in range(3)]
    declarations.declare(users[0], NOON, symptoms=True, since_day=DAY - 20)
    declarations.declare(users[1], NOON, symptoms=False)
    declarations.declare(users[2], NOON, symptoms=True)
    kept = [world.store.declarations.declaration(user) for user in users]
    assert len({len(each.sealed) for each in kept if each}) == 1
    assert all(each is not None and each.user_id not in repr(each) for each in kept)
    first, second = kept[0], kept[1]
    assert first is not None
    assert second is not None
    moved = replace(second, user_id=first.user_id)  # a declaration is bound to its person
    world.store.declarations.put_declaration(moved)
    assert declarations.latest(users[0], NOON) is None


@pytest.mark.parametrize("since", [DAY - 22, DAY + 2, -1, 10**6])
def test_a_day_far_off_is_refused(world: World, since: int) -> None:
    user = world.user()
    with pytest.raises(InvalidRequestError, match="last 21 days"):
        world.authority.declarations.declare(user, NOON, symptoms=True, since_day=since)
    assert world.store.declarations.declaration(user) is None


def test_no_symptoms_have_no_first_day(world: World) -> None:
    with pytest.raises(InvalidRequestError, match="without symptoms"):
        world.authority.declarations.declare(world.user(), NOON, symptoms=False, since_day=DAY)


def test_the_purge_deletes_them_after_21_days(world: World) -> None:
    user = world.user()
    world.authority.declarations.declare(user, NOON, symptoms=True)
    end = NOON + 22 * SECONDS_PER_DAY
    gone = [
        world.authority.purge(now, clock_is_right=True).declarations
        for now in (end - SECONDS_PER_DAY, end)
    ]
    assert gone == [0, 1]
    assert world.store.declarations.declaration(user) is None


def test_a_lost_key_closes_a_declaration(world: World) -> None:
    user = world.user()
    world.authority.declarations.declare(user, NOON, symptoms=True)
    world.authority.custody.destroy(DAY + 1, NOON + SECONDS_PER_DAY, by=CONSOLE)
    assert world.authority.declarations.latest(user, NOON + SECONDS_PER_DAY) is None


def test_withdrawal_deletes_it(world: World) -> None:
    user = world.user()
    world.authority.declarations.declare(user, NOON, symptoms=True)
    world.authority.issuance.withdraw(user, NOON)
    assert world.store.declarations.declaration(user) is None


def test_the_table_has_no_other_column() -> None:
    from tracetogether.adapters.sql_store.tables import DECLARATIONS

    found = {column.name: type(column.type) for column in DECLARATIONS.columns}
    assert found == {"user_id": sa.Text, "day": sa.Integer, "sealed": sa.LargeBinary}
