"""Sums of a column over groups of its rows."""

import numpy as np

from tracetogether.units import Floats, Ints


def group_sums(values: Floats, group: Ints, count: int) -> Floats:
    """Return the sum of ``values`` over each of ``count`` groups; 0 for an empty one."""
    # With weights bincount counts in float64, which its type does not say.
    return np.bincount(group, weights=values, minlength=count).astype(np.float64, copy=False)
