import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.one_run import Run
from simulations.places.tracks import CrowdTracks
from simulations.scores import truth
from simulations.scores.truth import ground_truth


def tracks(xy: np.ndarray) -> CrowdTracks:
    shape = xy.shape[:2]
    return CrowdTracks(
        xy=xy.astype(np.float32),
        facing=np.zeros(shape, np.float32),
        posture=np.where(np.isnan(xy[..., 0]), 0, 2).astype(np.int8),
        carry=np.zeros(shape, np.int8),
    )


def test_by_hand() -> None:
    """One person stays, one stands 1.5 m away for 120 s and 3 m for 60 s, one leaves."""
    xy = np.zeros((3, 181, 2))
    xy[1, :120, 0] = 1.5
    xy[1, 120:, 0] = 3.0
    xy[2, :, 1] = -0.7
    xy[2, 30:] = np.nan
    found = ground_truth(tracks(xy), 2.0)
    minutes = found.table()
    assert minutes[0, 1] == minutes[1, 0] == pytest.approx(2.0)
    assert minutes[0, 2] == pytest.approx(0.5)
    first, second = np.array([0, 0, 2, 1]), np.array([1, 2, 0, 1])
    assert found.minutes_of(first, second) == pytest.approx([2.0, 0.5, 0.5, 0.0])
    assert found.nearest_m_of(first, second)[:3] == pytest.approx([1.5, 0.7, 0.7], abs=1e-6)
    assert [pair.tolist() for pair in found.pairs_of(1.0)] == [[0], [1]]
    assert [pair.tolist() for pair in found.pairs_of(0.1, np.array([0, 2]))] == [[0], [2]]
    assert [pair.tolist() for pair in found.pairs_together()] == [[0, 0, 1], [1, 2, 2]]


def test_never_together() -> None:
    xy = np.zeros((2, 11, 2))
    xy[0, 5:] = np.nan
    xy[1, :5] = np.nan
    found = ground_truth(tracks(xy), 2.0)
    assert found.table()[0, 1] == 0
    assert np.isinf(found.nearest_m_of(np.array([0]), np.array([1]))).all()
    assert len(found.pairs_together()[0]) == 0


@given(st.integers(1, 60))
def test_any_chunk_gives_the_same(steps_at_once: int) -> None:
    chance = np.random.Generator(np.random.Philox(1))
    xy = chance.uniform(0, 4, (5, 61, 2))
    xy[3, 20:] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        whole = ground_truth(tracks(xy), 1.0)
        patch.setattr(truth, "_CELLS_AT_ONCE", 25 * steps_at_once)
        split = ground_truth(tracks(xy), 1.0)
    assert np.array_equal(whole.code, split.code)
    assert np.array_equal(whole.minutes, split.minutes)


def test_naive_count_on_a_real_run(short_run: Run) -> None:
    found = ground_truth(short_run.tracks, 2.0)
    one, other = 0, 5
    seconds = 0
    for tick in range(short_run.tracks.ticks - 1):
        ax, ay = short_run.tracks.xy[one, tick].tolist()
        bx, by = short_run.tracks.xy[other, tick].tolist()
        seconds += (ax - bx) ** 2 + (ay - by) ** 2 <= 4.0
    assert found.table()[one, other] == pytest.approx(seconds / 60)


def test_a_wider_radius_holds_more(short_run: Run) -> None:
    narrow, wide = (ground_truth(short_run.tracks, radius).table() for radius in (1.0, 3.0))
    assert (wide >= narrow).all()
    assert wide.sum() > narrow.sum()
