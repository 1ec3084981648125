"""Registration, and the batches that phones fetch."""

from base64 import b64decode, urlsafe_b64decode

import pytest

from tests.authority_world import NOON, World
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.bluetrace.tempid import OpenedTempID
from tracetogether.errors import ConflictError
from tracetogether.units import Entropy


def test_a_registration_has_its_own_id_and_credential(entropy: Entropy) -> None:
    world = World.of(entropy)
    made = [world.authority.issuance.register() for _ in range(50)]
    assert len({one.user_id for one in made}) == len({one.credential for one in made}) == 50
    assert all(len(b64decode(one.user_id)) == 21 for one in made)
    assert all(len(urlsafe_b64decode(one.credential + "=")) == 32 for one in made)


def test_only_the_digest_of_a_credential_is_kept(entropy: Entropy) -> None:
    world = World.of(entropy)
    made = world.authority.issuance.register()
    assert made.credential not in repr(vars(world.store))
    assert world.store.user_of(credential_digest(made.credential)) == made.user_id


def test_a_registration_does_not_show_itself(entropy: Entropy) -> None:
    made = World.of(entropy).authority.issuance.register()
    assert made.user_id not in repr(made)
    assert made.credential not in repr(made)


def test_randomness_that_repeats_itself_is_noticed() -> None:
    world = World.of(bytes)  # a "source" of zeros
    world.authority.issuance.register()
    with pytest.raises(ConflictError, match="already taken"):
        world.authority.issuance.register()


def test_a_secret_is_all_of_its_entropy() -> None:
    assert new_secret(lambda size: b"\xff" * size) == "_" * 42 + "8"


def test_a_batch_begins_a_minute_ago_and_lasts_25_hours(entropy: Entropy) -> None:
    world = World.of(entropy)
    batch = world.authority.issuance.batch(world.user(), NOON)
    assert len(batch) == 100
    tempids = list(batch)
    begun = tempids[0].start
    assert NOON - 60 - 900 < begun <= NOON - 60
    assert tempids[-1].expiry == begun + 100 * 900
    assert batch.refresh_at == begun + 60 + 43_200
    assert batch.at(NOON) in tempids[:2]


def test_phones_do_not_change_their_tempids_in_step(entropy: Entropy) -> None:
    world = World.of(entropy)
    shifts = {
        next(iter(world.authority.issuance.batch(world.user(), NOON))).start % 900
        for _ in range(50)
    }
    assert len(shifts) > 40


def test_a_batch_is_the_same_within_a_window_and_overlaps_the_next(entropy: Entropy) -> None:
    world = World.of(entropy)
    user, other = world.user(), world.user()
    begun = next(iter(world.authority.issuance.batch(user, NOON))).start
    first = world.authority.issuance.batch(user, begun + 60)
    assert list(world.authority.issuance.batch(user, begun + 60 + 899)) == list(first)
    later = world.authority.issuance.batch(user, begun + 60 + 900)
    assert [one.start for one in later][:-1] == [one.start for one in first][1:]
    assert not {one.text for one in later} & {one.text for one in first}
    assert not {one.text for one in world.authority.issuance.batch(other, NOON)} & {
        one.text for one in first
    }


def test_a_batch_opens_to_its_user_alone(entropy: Entropy) -> None:
    world = World.of(entropy)
    one, other = world.user(), world.user()
    issuer = world.authority.issuance.issuer
    for user in (one, other):
        for tempid in world.authority.issuance.batch(user, NOON):
            opened = issuer.open(tempid.text, tempid.start)
            assert isinstance(opened, OpenedTempID)
            assert opened.user_id == user
