"""The cuckoo filter: nothing put in is ever missing, and hardly anything else is found."""

import numpy as np
import pytest

from tracetogether.diagnosis import InvalidReportError
from tracetogether.dp3t.cuckoo import CuckooFilter


def digests(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 97, 480, 20_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_put_in_is_found(count: int, seed: int) -> None:
    items = digests(count, seed)
    found = CuckooFilter.build(items)
    assert len(found) == count
    assert found.holds(items).all()
    assert not found.holds(digests(50_000, seed + 50)).any()


def test_an_item_takes_six_bytes() -> None:
    size = len(CuckooFilter.build(digests(20_000)).to_bytes())
    assert 6.0 < size / 20_000 < 6.1


def test_equal_items_are_one_and_all_are_found() -> None:
    items = np.repeat(digests(10), 7, axis=0)
    found = CuckooFilter.build(items)
    assert found.holds(items).all()
    assert not found.holds(digests(10_000, 9)).any()


def test_bytes_come_back() -> None:
    found = CuckooFilter.build(digests(480))
    again = CuckooFilter.from_bytes(found.to_bytes())
    assert np.array_equal(again.places, found.places)
    assert again.holds(digests(480)).all()


def test_other_lengths_are_refused() -> None:
    data = CuckooFilter.build(digests(5)).to_bytes()
    for other in (b"", data[:3], data[:-1], data + b"\0", bytes(4), b"\xff" * 30):
        with pytest.raises(InvalidReportError, match="cuckoo filter"):
            CuckooFilter.from_bytes(other)
