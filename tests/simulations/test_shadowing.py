import numpy as np
import pytest

from simulations.radio.shadowing import Shadowing
from simulations.streams import Streams
from tracetogether.units import Floats

SEEDS = 300


def losses(ends: list[tuple[list[float], list[float]]], length_m: float = 1.5) -> Floats:
    """Return (links, seeds) losses of the same links in many venues."""
    one, other = (np.array(side) for side in zip(*ends, strict=True))
    return np.stack(
        [Shadowing(3.0, length_m, Streams(seed)).loss_db(one, other) for seed in range(SEEDS)], 1
    )


def test_shadowing_is_equal_in_both_directions() -> None:
    clutter = Shadowing(3.0, 1.5, Streams(1))
    chance = np.random.default_rng(1)
    one, other = chance.uniform(-9, 9, (2, 50, 2))
    assert np.array_equal(clutter.loss_db(one, other), clutter.loss_db(other, one))


def test_shadowing_has_the_given_spread_and_vanishes_between_close_phones() -> None:
    long, middling, close = losses([([0, 0], [60, 3]), ([0, 0], [3, 0]), ([0, 0], [0.1, 0])])
    assert long.std() == pytest.approx(3.0, rel=0.15)
    # Of an integral over an exponentially correlated line: 1 - (1 - exp(-r)) / r, r = 3 / 1.5.
    assert middling.std() == pytest.approx(3.0 * np.sqrt(1 - (1 - np.exp(-2)) / 2), rel=0.15)
    assert close.std() < 0.8
    assert abs(long.mean()) < 0.5


def test_neighbouring_links_share_shadowing_and_distant_links_do_not() -> None:
    here, beside, far = losses(
        [([0, 0], [4, 0]), ([0.2, 0.2], [4.2, 0.2]), ([0, 30], [4, 30])],
    )
    assert np.corrcoef(here, beside)[0, 1] > 0.8
    assert abs(np.corrcoef(here, far)[0, 1]) < 0.2


def test_zero_spread_means_no_shadowing() -> None:
    nothing = Shadowing(0.0, 1.5, Streams(1)).loss_db(np.zeros((3, 2)), np.ones((3, 2)))
    assert not nothing.any()


def test_any_split_of_the_links_gives_the_same_shadowing() -> None:
    clutter = Shadowing(3.0, 1.5, Streams(1))
    one, other = np.random.default_rng(2).uniform(-9, 9, (2, 101, 2))
    whole = clutter.loss_db(one, other)
    parts = [clutter.loss_db(one[rows], other[rows]) for rows in np.array_split(np.arange(101), 8)]
    assert np.array_equal(np.concatenate(parts), whole)
