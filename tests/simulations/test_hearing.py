import numpy as np
import pytest

from simulations.phones.radios import HABITS, RadioHabits, System
from simulations.radio.hearing import MAX_CHANCES, hearing_table

ANDROID = HABITS[System.ANDROID]
MEAN_PERIOD_S = 1.005  # 1000 ms, and up to 10 ms more


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(1))


def test_chances_in_one_window_match_the_closed_form() -> None:
    """A window of w seconds holds the beginning of an advertisement with chance w / period."""
    table = hearing_table(ANDROID, RadioHabits(1.0, 0.512, 5.12), 5.0, generator(), rows=40_000)
    assert table.possible.mean() == pytest.approx(0.512 / MEAN_PERIOD_S, abs=0.01)


def test_the_second_window_has_nearly_the_same_phase() -> None:
    """The reference app's 8 s hold two windows, 5.12 s apart: five periods and 95 ms.

    Together they cover a span of 0.512 + 0.095 s of the phase, not twice 0.512.
    """
    table = hearing_table(ANDROID, ANDROID, 8.0, generator(), rows=40_000)
    span_s = 0.512 + (5.12 - 5 * MEAN_PERIOD_S)
    assert table.possible.mean() == pytest.approx(span_s / MEAN_PERIOD_S, abs=0.012)


def test_the_rate_at_low_power_matches_the_published_one() -> None:
    """0.40 in 5 s and 0.92 in 30 s with 20 % loss: six windows drift through the phase."""
    table = hearing_table(ANDROID, ANDROID, 5.0, generator(), rows=20_000)
    assert 0.8 * table.possible.mean() == pytest.approx(0.40, abs=0.02)
    long = hearing_table(ANDROID, ANDROID, 30.0, generator(), rows=20_000)
    chances = (~np.isnan(long.at_s)).sum(axis=1)
    heard = 1 - np.where(chances > 0, 0.2**chances, 1.0)
    assert heard.mean() == pytest.approx(0.92, abs=0.05)


def test_chances_lie_in_listening_windows_in_order() -> None:
    table = hearing_table(ANDROID, ANDROID, 8.0, generator())
    at = table.at_s[~np.isnan(table.at_s)]
    assert (at >= 0).all()
    assert (at < 8).all()
    assert (at % 5.12 < 0.512).all()
    assert table.at_s.shape == (4096, MAX_CHANCES)
    steps = np.diff(table.at_s, axis=1)
    assert (steps[~np.isnan(steps)] > 0).all()
    assert sorted(np.unique(table.channel)) == [0, 1, 2]


def test_a_receiver_that_always_listens_receives_every_advertisement() -> None:
    table = hearing_table(ANDROID, RadioHabits(1.0, 1.0, 1.0), 8.0, generator())
    assert table.possible.all()
    assert np.isfinite(table.at_s).all()
    assert table.at_s[:, 0].max() < 1.011


def test_the_second_window_listens_on_the_next_channel() -> None:
    table = hearing_table(RadioHabits(0.1, 1, 1), RadioHabits(1, 0.15, 1.0), 8.0, generator())
    window = np.floor(table.at_s / 1.0)
    first, last = table.channel[:, 0], table.channel[:, -1]
    moved = (window[:, -1] - window[:, 0]) % 3
    assert np.array_equal((last - first) % 3, moved)
