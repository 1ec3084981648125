"""Path loss and its inverse undo each other."""

import numpy as np
import pytest

from tracetogether.proximity.pathloss import LOG_DISTANCE, LogDistance


def test_the_published_fit_by_hand():
    assert LOG_DISTANCE.attenuation_db(np.array([1.0, 10.0])).tolist() == pytest.approx(
        [52.8, 66.9]
    )


@pytest.mark.parametrize("exponent", [0.87, 1.41, 2.0])
def test_the_inverse_gives_the_distance_back(exponent):
    path_loss = LogDistance(50.0, exponent)
    distance = np.geomspace(0.05, 50, 40)
    assert path_loss.distance_m(path_loss.attenuation_db(distance)) == pytest.approx(distance)


def test_twice_the_distance_costs_the_same_everywhere():
    loss = LogDistance(52.8, 2.0).attenuation_db(np.array([1.0, 2.0, 4.0]))
    assert np.diff(loss) == pytest.approx([6.0206, 6.0206], abs=1e-4)


@pytest.mark.parametrize("wrong", [(np.nan, 1.4), (52.8, 0.0), (52.8, -1.0), (np.inf, 2.0)])
def test_no_path_loss_that_falls_with_distance(wrong):
    with pytest.raises(ValueError, match="path loss"):
        LogDistance(*wrong)
