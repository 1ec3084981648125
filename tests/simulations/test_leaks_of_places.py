"""What places tell: nothing to who runs them, stays to the authority of a case."""

from simulations.studies.leaks_of_contacts import START
from simulations.studies.leaks_of_places import place_rows, seen_at, written_by
from simulations.studies.leaks_of_visits import mutual_bits
from tests.authority_world import World
from tests.conftest import counted_entropy
from tracetogether.units import SECONDS_PER_DAY


def test_operators_of_places_learn_nothing_and_the_authority_the_stays() -> None:
    world = World.of(counted_entropy(3), since=START - 20 * SECONDS_PER_DAY)
    rows = {row.actor: row for row in place_rows(world.authority, START, 1)}
    assert rows["the place's operator"].bits == 0
    assert rows["a landlord with 50 devices"].bits == 0
    assert 0.5 < rows["the authority, of a case"].bits <= 2
    assert all(row.within_budget for row in rows.values())


def test_the_same_look_at_a_node_that_listens_tells_who_was_there() -> None:
    world = World.of(counted_entropy(4), since=START - SECONDS_PER_DAY)
    users = [world.user() for _ in range(8)]
    values = [written_by(world.authority.issuance.batch(user, START), START) for user in users]
    seen = [seen_at([value], START, listens=True) for value in values]
    assert mutual_bits(users, seen) == 3
