"""A key ring shared by threads: whatever comes between, every day has its one key."""

import pytest

import tracetogether.keyring.chain as module
from tracetogether.crypto import derive
from tracetogether.errors import KeyRingError
from tracetogether.keyring import KeyRing
from tracetogether.units import SECONDS_PER_DAY, Entropy

NOW = 1_700_000_000.0
DAY = int(NOW // SECONDS_PER_DAY)


@pytest.mark.parametrize("at_call", [1, 2, 5, 8])
def test_two_threads_that_extend_the_chain_at_once_agree(
    monkeypatch: pytest.MonkeyPatch, entropy: Entropy, at_call: int
) -> None:
    secret = entropy(32)
    expected, later = (KeyRing((DAY, secret)).day_key("tempid", DAY + ahead) for ahead in (7, 8))
    ring = KeyRing((DAY, secret))
    calls = 0

    def interrupted(value: bytes, info: bytes) -> bytes:
        """Stand for a switch to another thread in the middle of the work."""
        nonlocal calls
        calls += 1
        if calls == at_call:
            assert ring.day_key("tempid", DAY + 7) == expected
        return derive(value, info)

    monkeypatch.setattr(module, "derive", interrupted)
    assert ring.day_key("tempid", DAY + 7) == expected
    assert ring.day_key("tempid", DAY + 8) == later
    assert calls > at_call


def test_a_purge_amid_other_work_destroys_all_the_same(
    monkeypatch: pytest.MonkeyPatch, entropy: Entropy
) -> None:
    ring = KeyRing.generate(NOW, entropy=entropy)
    purged = False

    def interrupted(value: bytes, info: bytes) -> bytes:
        nonlocal purged
        if not purged:
            purged = True
            ring.destroy_before(DAY + 5)
        return derive(value, info)

    monkeypatch.setattr(module, "derive", interrupted)
    ring.aead("tempid", DAY + 3)  # was under way when the purge came: it may end its work
    assert purged
    assert ring.oldest_day == DAY + 5
    with pytest.raises(KeyRingError, match="destroyed"):
        ring.aead("tempid", DAY + 3)
