"""Registration, and the batches that phones fetch."""

from base64 import b64decode, urlsafe_b64decode
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare

from tests.authority_world import NOON, World
from tracetogether.authority.access.credentials import credential_digest
from tracetogether.authority.intake.issuance import new_secret
from tracetogether.bluetrace.tempid import OpenedTempID, TempIDIssuer
from tracetogether.errors import ConflictError
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy


def test_a_registration_has_its_own_id_and_credential(entropy: Entropy) -> None:
    world = World.of(entropy)
    made = [world.authority.issuance.register() for _ in range(50)]
    assert (
        len({registration.user_id for registration in made})
        == len({registration.credential for registration in made})
        == 50
    )
    assert all(len(b64decode(registration.user_id)) == 21 for registration in made)
    assert all(len(urlsafe_b64decode(registration.credential + "=")) == 32 for registration in made)


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
    # A window is cut at each midnight, of which there are one or two.
    assert begun + 98 * 900 < tempids[-1].expiry <= begun + 100 * 900
    assert batch.refresh_at == begun + 60 + 43_200
    assert batch.at(NOON) in tempids[:2]


def test_windows_follow_each_other_over_every_midnight(entropy: Entropy) -> None:
    """None overlaps, none is missing, none is longer, whenever a batch is fetched."""
    world = World.of(entropy)
    midnight = NOON + 43_200
    for _ in range(20):
        user = world.user()
        valid: dict[int, tuple[int, str]] = {}
        for fetched in range(int(NOON), int(NOON) + 5 * 43_200, 7_177):
            tempids = list(world.authority.issuance.batch(user, fetched))
            assert tempids[0].start <= fetched - 60 < tempids[0].expiry
            for tempid, following in pairwise(tempids):
                assert 0 < tempid.expiry - tempid.start <= 900
                assert tempid.expiry == following.start
                assert (
                    valid.setdefault(tempid.start, (tempid.expiry, tempid.text))[0] == tempid.expiry
                )
        ends = sorted((start, end) for start, (end, _) in valid.items())
        assert all(window[1] == other[0] for window, other in pairwise(ends))
        short = [start for start, end in ends if end - start < 900]
        assert all(
            min(abs(start - midnight - n * 86_400) for n in range(5)) < 900 for start in short
        )


def test_the_moments_of_one_day_say_nothing_of_another_days(entropy: Entropy) -> None:
    """Two crowds on two days can't be linked by when phones change: as good as guessing."""
    world = World.of(entropy)
    issuance, users, days = world.authority.issuance, [world.user() for _ in range(400)], 4
    shifts = np.array(
        [
            [
                issuance.batch(user, NOON + day * 86_400).tempids[0].start % 900
                for day in range(days)
            ]
            for user in users
        ]
    )
    for day in range(days):
        counts = np.bincount(shifts[:, day] // 100, minlength=9)
        assert chisquare(counts).pvalue > 1e-4  # each moment is as likely as another
        for other in range(day + 1, days):
            apart = (shifts[:, day] - shifts[:, other]) % 900
            assert chisquare(np.bincount(apart // 100, minlength=9)).pvalue > 1e-4
            # Link each phone of one day to the phone of the other that changes nearest to it.
            away = np.abs((shifts[:, day, None] - shifts[None, :, other] + 450) % 900 - 450)
            linked = away.argmin(axis=1) == np.arange(len(users))
            assert linked.mean() < 0.02  # it was .99; guessing is right once in 400
    # Nor does a user's id tell, without the key.
    other_authority = World.of(entropy)
    assert any(
        other_authority.authority.issuance.batch(user, NOON).tempids[0].start % 900 != shift
        for user, shift in zip(users[:5], shifts[:5, 0].tolist(), strict=True)
    )


def test_a_new_chain_of_keys_never_makes_an_iv_meet_two_windows(entropy: Entropy) -> None:
    world = World.of(entropy)
    user = world.user()
    before = [
        tempid
        for hour in range(48)
        for tempid in world.authority.issuance.batch(user, NOON + hour * 3_600)
    ]
    world.authority.issuance.keys.rotate(NOON)
    after = [
        tempid
        for hour in range(48)
        for tempid in world.authority.issuance.batch(user, NOON + hour * 3_600)
    ]
    met: dict[bytes, tuple[int, int, str]] = {}
    for tempid in before + after:
        iv = b64decode(tempid.text)[29:45]
        assert met.setdefault(iv, (tempid.start, tempid.expiry, tempid.text)) == (
            tempid.start,
            tempid.expiry,
            tempid.text,
        )


@pytest.mark.parametrize("second", [0, 30, 59, 60, 61, 899, 1_000, 86_399])
def test_an_authority_issues_from_the_first_second_of_its_first_keys(
    entropy: Entropy, second: int
) -> None:
    world = World.of(entropy)
    ring = KeyRing.generate(NOON, entropy=entropy)
    issuance = replace(
        world.authority.issuance, keys=ring, issuer=TempIDIssuer(ring, entropy=entropy)
    )
    now = NOON - 43_200 + 60 + second
    batch = issuance.batch(world.user(), now)
    assert batch.tempids[0].start <= now - 60 < batch.tempids[0].expiry
    assert len(batch) == 100


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
    assert [tempid.start for tempid in later][:-1] == [tempid.start for tempid in first][1:]
    assert not {tempid.text for tempid in later} & {tempid.text for tempid in first}
    assert not {tempid.text for tempid in world.authority.issuance.batch(other, NOON)} & {
        tempid.text for tempid in first
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
