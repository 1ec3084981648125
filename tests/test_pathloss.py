"""Log-distance path loss by hand."""

import numpy as np
import pytest

from tracetogether.proximity.pathloss import PathLoss


def test_the_published_fit_by_hand():
    assert PathLoss().attenuation_db(np.array([1.0, 10.0])).tolist() == pytest.approx([54.8, 68.9])


def test_twice_the_distance_costs_the_same_everywhere():
    loss = PathLoss(52.8, 2.0).attenuation_db(np.array([1.0, 2.0, 4.0]))
    assert np.diff(loss) == pytest.approx([6.0206, 6.0206], abs=1e-4)


@pytest.mark.parametrize("wrong", [(np.nan, 1.4), (52.8, 0.0), (52.8, -1.0), (np.inf, 2.0)])
def test_no_path_loss_that_falls_with_distance(wrong):
    with pytest.raises(ValueError, match="path loss"):
        PathLoss(*wrong)
