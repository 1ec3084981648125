import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.streams import Noise, Streams


def test_known_values_never_change() -> None:
    """A change of these numbers changes every baseline: it must be meant."""
    noise = Streams(7).noise("air", "scan")
    assert noise.key == 5706807388386009995
    assert noise.hashes([0, 1], [2, 3]).tolist() == [16572009186989670961, 10168518283856638540]
    assert Streams(7).generator("people").integers(10**9, size=2).tolist() == [239867769, 638937155]


def test_different_names_give_different_streams() -> None:
    streams = Streams(1)
    keys = {
        streams.noise(*names).key
        for names in [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), (1,), ("1",)]
    }
    assert len(keys) == 6
    assert Streams(2).noise("abc").key not in keys
    assert streams.generator("a").random() != streams.generator("b").random()
    assert streams.generator("a").random() == streams.generator("a").random()


@pytest.mark.slow
def test_hashing_does_not_depend_on_pythonhashseed() -> None:
    code = (
        "from simulations.streams import Streams; s = Streams(3);"
        "print(s.noise('x').key, s.generator('y').random(), s.entropy('z')(4).hex())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1


@given(st.integers(1, 400), st.integers(0, 2**40))
def test_any_split_gives_the_same_numbers(cut: int, tick: int) -> None:
    noise = Streams(5).noise("split")
    tx = np.arange(401)
    whole = noise.normal(tick, tx, tx[::-1])
    parts = [noise.normal(tick, tx[rows], tx[::-1][rows]) for rows in (slice(cut), slice(cut, 401))]
    assert np.array_equal(whole, np.concatenate(parts))


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4))
def test_uniform_one_equals_uniform(indices: list[int]) -> None:
    noise = Noise(0x1234)
    assert noise.uniform_one(*indices) == noise.uniform(*[[index] for index in indices])[0]


def test_broadcasts_like_a_ufunc() -> None:
    noise = Streams(1).noise("b")
    grid = noise.uniform(np.arange(3)[:, None], np.arange(4)[None, :])
    assert grid.shape == (3, 4)
    assert grid[2, 3] == noise.uniform([2], [3])[0]


def test_normals_are_normal_and_uncorrelated() -> None:
    noise = Streams(11).noise("n")
    values = noise.normal(np.arange(400)[:, None], np.arange(500)[None, :])
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert values.std() == pytest.approx(1.0, abs=0.01)
    assert (np.abs(values) > 1.959964).mean() == pytest.approx(0.05, abs=0.002)
    for left, other in [(values[:-1], values[1:]), (values[:, :-1], values[:, 1:])]:
        assert abs(np.corrcoef(left.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(left.size)


def test_order_of_indices_matters() -> None:
    noise = Streams(1).noise("d")
    assert noise.uniform_one(3, 8) != noise.uniform_one(8, 3)


def test_bad_indices_and_seeds() -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        Streams(1).noise("x").uniform([0.5])
    with pytest.raises(ValueError, match="seed"):
        Streams(-1)
