import numpy as np
import pytest

from simulations.scores.intervals import NoInterval, rate_of_groups, share_of_groups
from simulations.scores.scoring import fraction
from tracetogether.units import Floats, Interval


def test_of_one_run_there_is_no_interval() -> None:
    one = np.array([30.0])
    assert share_of_groups(one / 2, one) == NoInterval(0.5)
    assert rate_of_groups(one, one) == NoInterval(1.0)
    beside_empty = np.array([30.0, 0.0, 0.0])  # runs without a contact say nothing
    assert share_of_groups(beside_empty / 2, beside_empty) == NoInterval(0.5)
    assert fraction(one / 2, one, np.random.default_rng(1)) == NoInterval(0.5)
    assert share_of_groups(one, np.zeros(1)) is None
    assert rate_of_groups(one, np.zeros(1)) is None


def runs(chance: np.random.Generator, groups: int, share: float) -> tuple[Floats, Floats]:
    """Return runs whose contacts belong together: each run has a share of its own."""
    true = chance.integers(30, 90, groups).astype(np.float64)
    own = chance.beta(share * 8, (1 - share) * 8, groups)
    return chance.binomial(true.astype(int), own).astype(np.float64), true


@pytest.mark.parametrize("groups", [2, 3, 5, 20])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_ninety_of_a_hundred_intervals_of_a_share_hold_it(groups: int, share: float) -> None:
    chance = np.random.default_rng(groups)
    held = 0
    for _ in range(500):
        interval = share_of_groups(*runs(chance, groups, share))
        assert isinstance(interval, Interval)
        held += interval.low <= share <= interval.high
    assert held / 500 >= 0.87  # 0.90 less three standard errors is 0.86


def test_resampling_few_runs_holds_it_too_seldom() -> None:
    """Why runs are not resampled: what the sweep did before."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        found, true = runs(chance, 3, 0.4)
        rows = chance.integers(3, size=(500, 3))
        low, high = np.quantile(found[rows].sum(axis=1) / true[rows].sum(axis=1), [0.05, 0.95])
        held += low <= 0.4 <= high
    assert held / 300 < 0.75


@pytest.mark.parametrize("groups", [2, 5, 20])
@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_ninety_of_a_hundred_intervals_of_a_rate_hold_it(groups: int, rate: float) -> None:
    chance = np.random.default_rng(groups)
    held = 0
    for _ in range(500):
        exposure = chance.integers(20, 60, groups).astype(np.float64)
        count = chance.poisson(chance.gamma(4, rate / 4, groups) * exposure).astype(np.float64)
        interval = rate_of_groups(count, exposure)
        assert isinstance(interval, Interval)
        held += interval.low <= rate <= interval.high
    assert held / 500 >= 0.87


def test_all_and_nothing_are_not_certain() -> None:
    true = np.full(5, 20.0)
    everything, nothing = share_of_groups(true, true), share_of_groups(0 * true, true)
    assert isinstance(everything, Interval)
    assert isinstance(nothing, Interval)
    assert everything.low < 1.0 == everything.high
    assert nothing.low == 0.0 < nothing.high == pytest.approx(1 - everything.low)
    none = rate_of_groups(0 * true, true)
    assert isinstance(none, Interval)
    # The rule of three, at 90 %, with Student's t of five runs.
    assert none.high == pytest.approx(-np.log(0.05) / 100 * (2.1318 / 1.6449) ** 2, rel=1e-3)


def test_few_cases_of_a_run_are_not_resampled() -> None:
    found, true = np.array([2.0, 0.0, 1.0]), np.array([2.0, 2.0, 2.0])
    assert fraction(found, true, np.random.default_rng(1)) == share_of_groups(found, true)
